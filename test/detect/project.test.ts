import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import {
  CryoetPicksError,
  type DetectProjectOptions,
  detectProject,
  type Model,
  memoryStore,
  openTomogram,
  type Project,
  type ProjectProgress,
  type RunResult,
  readFailures,
  type Store,
  type StoreKey,
  subStore,
  type VolumeSource,
  type Warning,
  writeTomogram,
} from '../../src/entry/index.ts';
import { createRandom } from '../../src/entry/simulate.ts';
import { projectOf } from '../support/copick-tree.ts';
import { identityModel } from '../support/identity-model.ts';
import { damageRun, randomShape as shape, tomograms, writeRandom } from '../support/random-runs.ts';
import { filesOfStore } from '../support/store-keys.ts';
import { sourceOf } from '../support/volumes.ts';

const model = identityModel({
  classes: ['ribosome', null, 'apo-ferritin'],
  normalization: 'z-score',
  thresholds: { ribosome: 2, 'apo-ferritin': 1000 },
  minDistances: { ribosome: 30, 'apo-ferritin': 30 },
});

async function resultsOf(project: Project, options: Partial<DetectProjectOptions> = {}): Promise<RunResult[]> {
  const results: RunResult[] = [];
  for await (const result of detectProject(project, { tomogram: 'denoised', model, ...options })) results.push(result);
  return results;
}

const picksFile = (run: string, object: string): StoreKey =>
  `/ExperimentRuns/${run}/Picks/cryoet-picks_0_${object}.json`;

async function filesOf(overlay: Store, run: string): Promise<string[]> {
  return (await overlay.list(`/ExperimentRuns/${run}/Picks`)).map(({ name }) => name);
}

const recordOf = (run: string, object: string): StoreKey =>
  `/ExperimentRuns/${run}/Picks/.cryoet-picks_0_${object}.provenance`;

/** A store that fails to write keys like the given one, with an error of the file system. */
function failingStore({ code, key }: { readonly code: string; readonly key: RegExp }): Store {
  const store = memoryStore();
  return {
    ...store,
    async set(at, ...rest) {
      if (!key.test(at)) return store.set(at, ...rest);
      const cause = Object.assign(new Error(code), { code });
      throw new CryoetPicksError('write-failed', `cannot write ${at}`, { cause, path: at });
    },
  };
}

describe('detectProject', () => {
  it('detectProject warns once, with the first run, of an object for which it has to assume a distance', async () => {
    const { project } = projectOf({ static: await tomograms(['TS_1', 'TS_2']) });
    const bare = identityModel({ ...model.spec, minDistances: { 'apo-ferritin': 30 } });
    const warnings: Warning[] = [];
    const results = await resultsOf(project, {
      model: bare,
      objects: [{ name: 'ribosome' }, { name: 'apo-ferritin' }],
      onWarning: (warning) => warnings.push(warning),
    });
    const expected = [
      { code: 'distance-assumed', run: 'TS_1', message: expect.stringMatching(/^"ribosome" has no radius/) },
    ];
    expect(warnings).toEqual(expected);
    expect(results.map((result) => result.warnings)).toEqual([expected, []]);
  });

  it('detectProject writes one picks file per object of each run, an empty one where nothing was found', async () => {
    const { project, overlay } = projectOf({ static: await tomograms(['TS_1', 'TS_2']) });
    const results = await resultsOf(project);
    expect(results.map(({ run, status }) => [run, status])).toEqual([
      ['TS_1', 'detected'],
      ['TS_2', 'detected'],
    ]);
    for (const result of results) {
      const run = await project.run(result.run);
      if (result.status === 'failed') throw result.error;
      expect(result.picks.length).toBeGreaterThan(3);
      expect(await run.picks({ object: 'ribosome' })).toHaveLength(result.picks.length);
      expect(await filesOf(overlay, result.run)).toEqual([
        '.cryoet-picks_0.candidates',
        '.cryoet-picks_0_apo-ferritin.provenance',
        '.cryoet-picks_0_ribosome.provenance',
        'cryoet-picks_0_apo-ferritin.json',
        'cryoet-picks_0_ribosome.json',
      ]);
      const empty = JSON.parse(new TextDecoder().decode(await overlay.get(picksFile(result.run, 'apo-ferritin'))));
      expect(empty.points).toEqual([]);
    }
  });

  it('detectProject tells of a broken file under its own run, whatever the names of the folders above the project', async () => {
    const tree = await tomograms(['TS_1', 'TS_2']);
    const overlay = { ...memoryStore(), location: '/data/TS_1/project' };
    const { project } = projectOf({ static: tree, overlay });
    await overlay.set('/ExperimentRuns/TS_2/Picks/ribosome.json', new TextEncoder().encode('oops'));
    const found = (await resultsOf(project)).map(({ run, warnings }) => [run, warnings.map(({ path }) => path)]);
    expect(found).toEqual([
      ['TS_1', []],
      ['TS_2', ['/data/TS_1/project/ExperimentRuns/TS_2/Picks/ribosome.json']],
    ]);
  });

  it('detectProject with resume skips finished runs and returns their picks; without it, it finds them anew', async () => {
    const { project, overlay } = projectOf({ static: await tomograms(['TS_1', 'TS_2']) });
    const [first] = await resultsOf(project, { runs: ['TS_1'] });
    const results = await resultsOf(project, { resume: true });
    expect(results.map(({ status }) => status)).toEqual(['skipped', 'detected']);
    if (results[0].status === 'failed' || first.status === 'failed') throw new Error('unexpected');
    expect(results[0].picks).toEqual(first.picks);

    await overlay.delete(picksFile('TS_1', 'apo-ferritin'));
    expect((await resultsOf(project, { resume: true })).map(({ status }) => status)).toEqual(['detected', 'skipped']);
    const calls = model.calls;
    expect((await resultsOf(project, { resume: true })).map(({ status }) => status)).toEqual(['skipped', 'skipped']);
    expect(model.calls).toBe(calls);
    expect((await resultsOf(project)).map(({ status }) => status)).toEqual(['detected', 'detected']);
  });

  it.each([
    ['an empty file', ''],
    ['a file cut off while it was written', '{"pickable_object_name": "ribosome", "points": [{"loc'],
    ['picks that somebody edited', '{"points": []}'],
  ])('detectProject replaces what somebody else wrote only if it is told to: %s', async (_, content) => {
    const { project, overlay } = projectOf({ static: await tomograms(['TS_1', 'TS_2']) });
    await resultsOf(project);
    const key = picksFile('TS_2', 'ribosome');
    const whole = await overlay.get(key);
    await overlay.set(key, new TextEncoder().encode(content));
    for (const resume of [false, true]) {
      const calls = model.calls;
      const [refused, other] = await resultsOf(project, { resume });
      expect(refused).toMatchObject({
        run: 'TS_2',
        status: 'failed',
        error: { code: 'conflict', path: `overlay${key}`, option: 'overwrite' },
      });
      expect(other).toMatchObject({ run: 'TS_1', status: resume ? 'skipped' : 'detected' });
      if (resume) expect(model.calls).toBe(calls);
      expect(await overlay.get(key)).toEqual(new TextEncoder().encode(content));
    }
    const statuses = (await resultsOf(project, { resume: true, overwrite: true })).map(({ status }) => status);
    expect(statuses).toEqual(['skipped', 'detected']);
    expect(await overlay.get(key)).toEqual(whole);
  });

  it('detectProject records what made the picks, without time and place, and the hash of the file', async () => {
    const { project, overlay } = projectOf({ static: await tomograms(['TS_1']) });
    await resultsOf(project, { model: { ...model, sha256: 'abc' }, settings: { mask: 'lamella' } });
    const picks = (await overlay.get(picksFile('TS_1', 'ribosome')))!;
    expect(JSON.parse(new TextDecoder().decode(await overlay.get(recordOf('TS_1', 'ribosome'))))).toEqual({
      program: 'cryoet-picks',
      version: manifest.version,
      userId: 'cryoet-picks',
      sessionId: '0',
      model: {
        name: model.spec.name,
        sha256: 'abc',
        card: {
          tile: model.spec.tile,
          outputStride: 1,
          voxelSize: 10,
          classes: ['ribosome', null, 'apo-ferritin'],
          activation: 'none',
          normalization: 'z-score',
        },
      },
      threshold: 2,
      minDistance: 30,
      overlap: null,
      average: 'probabilities',
      mask: null,
      acrossObjects: false,
      max: null,
      settings: { mask: 'lamella' },
      tomogram: {
        type: 'denoised',
        shape: [8, 12, 16],
        voxelSize: [10.012, 10.012, 10.012],
        origin: { x: 0, y: 0, z: 0 },
        middleSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
      picksSha256: createHash('sha256').update(picks).digest('hex'),
    });
    const [set] = await (await project.run('TS_1')).pickSets({ object: 'ribosome' });
    expect((await set!.origin())?.provenance).toMatchObject({ model: { sha256: 'abc' }, threshold: 2 });
    await set!.delete();
    expect(await filesOf(overlay, 'TS_1')).toEqual([
      '.cryoet-picks_0.candidates',
      '.cryoet-picks_0_apo-ferritin.provenance',
      'cryoet-picks_0_apo-ferritin.json',
    ]);
  });

  it.each<[string, Partial<DetectProjectOptions>, RegExp]>([
    ['a threshold', { thresholds: { ribosome: 2.5 } }, /threshold was 2, is 2.5/],
    ['a distance', { minDistances: { ribosome: 40 } }, /minDistance was 30, is 40/],
    ['a setting', { settings: { inverted: true } }, /settings.inverted was not given, is true/],
    [
      'a setting that is called as a part of the record',
      { settings: { model: 'mine' } },
      /settings.model was not given/,
    ],
  ])(
    'detectProject with resume fails a run whose picks were made with another value of %s',
    async (_, options, message) => {
      const { project } = projectOf({ static: await tomograms(['TS_1']) });
      const [first] = await resultsOf(project);
      expect(await resultsOf(project, { ...options, resume: true })).toMatchObject([
        { status: 'failed', error: { code: 'conflict', message: expect.stringMatching(message) } },
      ]);
      const again = await resultsOf(project, { ...options, resume: true, overwrite: true });
      expect(again).toMatchObject([{ status: 'detected' }]);
      expect(await resultsOf(project, { ...options, resume: true })).toMatchObject([{ status: 'skipped' }]);
      // Without resume, its own picks by the same model are replaced.
      expect(await resultsOf(project)).toEqual([first]);
    },
  );

  it.each<[string, (store: Store) => Promise<unknown>, RegExp]>([
    ['voxels', (store) => writeRandom(store, 'TS_1', { seed: 5 }), /tomogram.middleSha256 was/],
    [
      'origin',
      (store) => writeRandom(store, 'TS_1', { seed: 0, origin: { x: 7, y: 0, z: 0 } }),
      /tomogram.origin.x was 0, is 7/,
    ],
  ])(
    'detectProject with resume notices a tomogram of other %s in the place of the first',
    async (_, replace, message) => {
      const store = await tomograms(['TS_1']);
      const options = { settings: { model: 'a name that the record has too' } };
      const { project } = projectOf({ static: store });
      const [first] = await resultsOf(project, options);
      expect(await resultsOf(project, { ...options, resume: true })).toMatchObject([{ status: 'skipped' }]);
      await replace(store);
      expect(await resultsOf(project, { ...options, resume: true })).toMatchObject([
        { status: 'failed', error: { code: 'conflict', message: expect.stringMatching(message) } },
      ]);
      const again = await resultsOf(project, { ...options, resume: true, overwrite: true });
      expect(again).toMatchObject([{ status: 'detected' }]);
      expect(again).not.toEqual([first]);
    },
  );

  it('detectProject names picks of objects that it does not look for, and how to leave them alone', async () => {
    const { project, overlay } = projectOf({ static: await tomograms(['TS_1']) });
    const theirs = { ...model, spec: { ...model.spec, name: 'other' } };
    await resultsOf(project, { model: theirs, objects: [{ name: 'apo-ferritin' }] });
    const before = await overlay.get(picksFile('TS_1', 'apo-ferritin'));
    const ours = identityModel({ classes: ['ribosome'], thresholds: { ribosome: 2 }, minDistances: { ribosome: 30 } });
    expect(await resultsOf(project, { model: ours })).toMatchObject([
      {
        status: 'failed',
        error: { code: 'conflict', message: expect.stringContaining('or restrict the objects to "ribosome"') },
      },
    ]);
    expect(await resultsOf(project, { model: ours, objects: [{ name: 'ribosome' }] })).toMatchObject([
      { status: 'detected' },
    ]);
    expect(await overlay.get(picksFile('TS_1', 'apo-ferritin'))).toEqual(before);
  });

  const withCard = (fields: object) => ({ ...model, sha256: 'a', spec: { ...model.spec, ...fields } });

  it.each([
    ['of another name', { ...model, spec: { ...model.spec, name: 'other' } }, /found by the model "other"/],
    ['of the same name', { ...model, sha256: 'other' }, /another model of the name "fake": model.sha256 was "other"/],
    ['with another normalization', withCard({ normalization: 'none' }), /model.card.normalization was "none"/],
    ['with another activation', withCard({ activation: 'softmax' }), /model.card.activation was "softmax"/],
    ['with another tile', withCard({ tile: [16, 16, 16] }), /model.card.tile was \[16,16,16\]/],
    ['with another voxel size', withCard({ voxelSize: 10.1 }), /model.card.voxelSize was 10.1/],
    [
      'with its classes in another order',
      withCard({ classes: ['apo-ferritin', null, 'ribosome'] }),
      /model.card.classes/,
    ],
  ])(
    'detectProject checks all runs first, and fails those that have picks of a model %s',
    async (_, other, message) => {
      const { project, overlay } = projectOf({ static: await tomograms(['TS_1', 'TS_2']) });
      await resultsOf(project, { model: other, runs: ['TS_2'], objects: [{ name: 'apo-ferritin' }] });
      const before = await overlay.get(picksFile('TS_2', 'apo-ferritin'));
      const results = await resultsOf(project);
      expect(results.map(({ run, status }) => [run, status])).toEqual([
        ['TS_2', 'failed'],
        ['TS_1', 'detected'],
      ]);
      expect(results[0]).toMatchObject({ error: { code: 'conflict', message: expect.stringMatching(message) } });
      const restricted = await resultsOf(project, { objects: [{ name: 'ribosome' }] });
      expect(restricted.map(({ status }) => status)).toEqual(['detected', 'detected']);
      expect(await overlay.get(picksFile('TS_2', 'apo-ferritin'))).toEqual(before);
      expect((await resultsOf(project, { overwrite: true })).map(({ status }) => status)).toEqual([
        'detected',
        'detected',
      ]);
    },
  );

  it('detectProject does not replace picks that were written while it searched', async () => {
    const { project, overlay } = projectOf({ static: await tomograms(['TS_1']) });
    const theirs = new TextEncoder().encode('{"points": []}');
    const busy = {
      ...model,
      async score(...args: Parameters<typeof model.score>) {
        await overlay.set(picksFile('TS_1', 'ribosome'), theirs);
        return model.score(...args);
      },
    };
    expect(await resultsOf(project, { model: busy })).toMatchObject([
      {
        status: 'failed',
        error: {
          code: 'conflict',
          message: expect.stringMatching(
            /^another process has written picks of run "TS_1" while this one searched it: /,
          ),
        },
      },
    ]);
    expect(await overlay.get(picksFile('TS_1', 'ribosome'))).toEqual(theirs);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'detectProject of two processes at once leaves the picks and records of the one that reports them (order %i)',
    async (seed) => {
      const random = createRandom(seed);
      const shared = memoryStore();
      // Each process gets its turns at times of its own.
      const slowed = <Args extends unknown[], T>(call: (...args: Args) => Promise<T>) => {
        return async (...args: Args): Promise<T> => {
          for (let turns = Math.floor(6 * random.uniform()); turns > 0; turns--) await new Promise(setImmediate);
          return call(...args);
        };
      };
      const { get, set, delete: remove, version } = shared;
      const process = {
        ...shared,
        get: slowed(get),
        set: slowed(set),
        delete: slowed(remove),
        version: slowed(version!),
      };
      const tree = await tomograms(['TS_1']);
      const detect = async (threshold: number) => {
        const { project } = projectOf({ static: tree, overlay: process });
        return resultsOf(project, { thresholds: { ribosome: threshold, 'apo-ferritin': threshold } });
      };
      const runs = await Promise.all([detect(2), detect(2.5)]);
      const statuses = runs.map(([result]) => result!.status);
      expect(statuses.filter((status) => status === 'detected')).toHaveLength(1);
      expect(runs[statuses.indexOf('failed')]).toMatchObject([{ error: { code: 'conflict' } }]);
      const winner = statuses[0] === 'detected' ? 2 : 2.5;
      const { project } = projectOf({ static: tree, overlay: shared });
      const sets = await (await project.run('TS_1')).pickSets();
      expect(sets).toHaveLength(2);
      for (const set of sets) {
        expect((await set.origin())?.provenance).toMatchObject({ threshold: winner });
        expect((await set.read()).picks.every(({ score }) => score >= winner)).toBe(true);
      }
    },
  );

  it('detectProject does not replace picks of a user whose name is written alike', async () => {
    const { project, overlay } = projectOf({ static: await tomograms(['TS_1']) });
    await resultsOf(project, { userId: 'team_a' });
    const key: StoreKey = '/ExperimentRuns/TS_1/Picks/team-a_0_ribosome.json';
    const before = await overlay.get(key);
    expect(await resultsOf(project, { userId: 'team_a', resume: true })).toMatchObject([{ status: 'skipped' }]);
    expect(await resultsOf(project, { userId: 'team a', thresholds: { ribosome: 2.5 } })).toMatchObject([
      { status: 'failed', error: { code: 'conflict', message: expect.stringContaining('user "team_a", session "0"') } },
    ]);
    expect(await overlay.get(key)).toEqual(before);
  });

  it.each(['record', 'picks'] as const)(
    'detectProject with resume does again what was killed after the %s was written, and leaves the same bytes',
    async (last) => {
      const { project, overlay } = projectOf({ static: await tomograms(['TS_1']) });
      const keys = [picksFile('TS_1', 'ribosome'), recordOf('TS_1', 'ribosome')];
      await resultsOf(project);
      const bytes = await Promise.all(keys.map((key) => overlay.get(key)));
      if (last === 'record') await overlay.delete(keys[0]!);
      await overlay.delete(picksFile('TS_1', 'apo-ferritin'));
      await overlay.delete(recordOf('TS_1', 'apo-ferritin'));
      expect(await resultsOf(project, { resume: true })).toMatchObject([{ status: 'detected' }]);
      expect(await Promise.all(keys.map((key) => overlay.get(key)))).toEqual(bytes);
    },
  );

  it('detectProject knows its own picks after it was killed while it replaced them', async () => {
    const killed = failingStore({ code: 'KILLED', key: /never/ });
    let isKilled = false;
    const store: Store = {
      ...killed,
      async set(key, ...rest) {
        if (isKilled && key.endsWith('.json')) throw new Error('killed');
        return killed.set(key, ...rest);
      },
      async delete(key, options) {
        if (isKilled && key.endsWith('.provenance')) throw new Error('killed');
        return killed.delete(key, options);
      },
    };
    const { project } = projectOf({ static: await tomograms(['TS_1']), overlay: store });
    await resultsOf(project);
    isKilled = true;
    const thresholds = { ribosome: 2.5 };
    expect(await resultsOf(project, { thresholds })).toMatchObject([{ status: 'failed' }]);
    isKilled = false;
    expect(await resultsOf(project, { resume: true })).toMatchObject([{ status: 'skipped' }]);
    expect(await resultsOf(project, { thresholds })).toMatchObject([{ status: 'detected' }]);
    expect(await resultsOf(project, { thresholds, resume: true })).toMatchObject([{ status: 'skipped' }]);
    const record = new TextDecoder().decode(await store.get(recordOf('TS_1', 'ribosome')));
    expect(JSON.parse(record)).not.toHaveProperty('previous');
  });

  it('detectProject takes the only type of tomograms there is, or of several denoised', async () => {
    const store = await tomograms(['TS_1', 'TS_2']);
    const { project } = projectOf({ static: store });
    const options = { tomogram: undefined };
    expect((await resultsOf(project, options)).map(({ status }) => status)).toEqual(['detected', 'detected']);
    const source = sourceOf(new Float32Array(8 * 12 * 16), shape, { voxelSize: [10, 10, 10] });
    const run = await project.run('TS_1');
    await run.writeTomogram(source, { type: 'wbp', voxelSpacing: 10 });
    expect((await resultsOf(project, options)).map(({ status }) => status)).toEqual(['detected', 'detected']);
    await store.delete('/ExperimentRuns/TS_1/VoxelSpacing10.000/denoised.zarr');
    await store.delete('/ExperimentRuns/TS_2/VoxelSpacing10.000/denoised.zarr');
    await run.writeTomogram(source, { type: 'raw', voxelSpacing: 10 });
    await expect(resultsOf(project, options)).rejects.toMatchObject({
      code: 'invalid-option',
      option: 'tomogram',
      available: ['raw', 'wbp'],
    });
  });

  it('detectProject warns of missing chunks at once and in the result of the run', async () => {
    const store = await tomograms(['TS_1', 'TS_2'], [8, 12, 8]);
    await store.delete('/ExperimentRuns/TS_2/VoxelSpacing10.000/denoised.zarr/0/0/0/1');
    const { project } = projectOf({ static: store });
    const heard: Warning[] = [];
    const results = await resultsOf(project, { onWarning: (warning) => heard.push(warning) });
    const warning = {
      code: 'chunks-missing',
      message: expect.stringMatching(/^1 of the 2 chunks \(50 %\) are not in the store/),
      path: expect.stringMatching(/TS_2.*denoised\.zarr\/0$/),
      run: 'TS_2',
      share: 0.5,
    };
    expect(results.map(({ run, warnings }) => [run, warnings])).toEqual([
      ['TS_1', []],
      ['TS_2', [warning]],
    ]);
    expect(heard).toEqual([warning]);
  });

  it('detectProject fails a run whose chunks vanish after its intensity was measured, and writes no picks of it', async () => {
    const store = await tomograms(['TS_1', 'TS_2'], [8, 12, 8]);
    const { project, overlay } = projectOf({ static: store });
    const chunk = '/ExperimentRuns/TS_1/VoxelSpacing10.000/denoised.zarr/0/0/0/1';
    const prepare = async (tomogram: VolumeSource, { name }: { readonly name: string }) => {
      if (name !== 'TS_1') return tomogram;
      // As over HTTP, where each pass reads every chunk again.
      const again = await openTomogram(subStore(store, '/ExperimentRuns/TS_1/VoxelSpacing10.000/denoised.zarr'), {
        cacheBytes: 0,
      });
      return again;
    };
    const onProgress = ({ run, stage, done, total }: ProjectProgress) => {
      if (run === 'TS_1' && stage === 'intensity' && done === total) void store.delete(chunk);
    };
    const [first, second] = await resultsOf(project, { prepare, onProgress });
    expect(first).toMatchObject({ status: 'failed', error: { code: 'corrupt-data' } });
    expect(second.status).toBe('detected');
    expect(await filesOf(overlay, 'TS_1')).toEqual([]);
  });

  it('detectProject gives the picks of a finished run in the order in which it found them, whatever their scores', async () => {
    const two = identityModel({
      classes: ['ribosome', null, 'apo-ferritin'],
      normalization: 'z-score',
      thresholds: { ribosome: 2, 'apo-ferritin': 2 },
      minDistances: { ribosome: 30, 'apo-ferritin': 30 },
    });
    const { project } = projectOf({ static: await tomograms(['TS_1']) });
    const [first] = await resultsOf(project, { model: two });
    const [again] = await resultsOf(project, { model: two, resume: true });
    if (first.status === 'failed' || again.status !== 'skipped') throw new Error('unexpected');
    expect(new Set(first.picks.map(({ object }) => object)).size).toBe(2);
    expect(again.picks).toEqual(first.picks);
  });

  it('detectProject names the path of a tomogram that cannot be searched', async () => {
    const store = memoryStore();
    const folder = '/ExperimentRuns/TS_1/VoxelSpacing10.000/denoised.zarr';
    const constant = sourceOf(new Float32Array(8 * 12 * 16), shape, { voxelSize: [10.012, 10.012, 10.012] });
    await writeTomogram(subStore(store, folder), constant, { levels: 1 });
    const [result] = await resultsOf(projectOf({ static: store }).project);
    expect(result).toMatchObject({
      status: 'failed',
      error: { code: 'corrupt-data', path: expect.stringContaining(folder), message: expect.stringContaining(folder) },
    });
  });

  it('detectProject reports a run that fails and continues with the next', async () => {
    const broken = await tomograms(['TS_1', 'TS_2', 'TS_3']);
    const chunk = '/ExperimentRuns/TS_2/VoxelSpacing10.000/denoised.zarr/0/0/0/0';
    const bytes = await broken.get(chunk);
    await broken.set(chunk, bytes!.subarray(0, bytes!.length - 9));
    const { project, overlay } = projectOf({ static: broken });
    const results = await resultsOf(project);
    expect(results.map(({ status }) => status)).toEqual(['detected', 'failed', 'detected']);
    expect(results[1]).toMatchObject({
      error: { code: 'corrupt-data', message: expect.stringMatching(/chunk 0\/0\/0 .*TS_2.*is damaged/) },
    });
    expect(await filesOf(overlay, 'TS_2')).toEqual([]);
  });

  it('detectProject throws for an unknown run before any work, and lists the available ones', async () => {
    const { project, overlay } = projectOf({ static: await tomograms(['TS_1']) });
    await expect(resultsOf(project, { runs: ['TS_1', 'TS_9'] })).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/TS_9.*TS_1/),
    });
    expect(await filesOf(overlay, 'TS_1')).toEqual([]);
  });

  it.each<[string, Partial<DetectProjectOptions>, RegExp]>([
    ['a negative distance', { minDistances: { ribosome: -1 } }, /minDistances of "ribosome"/],
    ['a threshold of a misspelt object', { thresholds: { typo: 3 } }, /thresholds names "typo"/],
    ['too much overlap', { overlap: [99, 0, 0] }, /overlap 99×0×0/],
    ['an unknown average', { average: 'logit' as 'logits' }, /average must be one of .*, found "logit"/],
    ['a user without a name', { userId: '//' }, /name "\/\/"/],
    ['a session without a name', { sessionId: '' }, /name ""/],
    ['a user whose files would be hidden', { userId: '.me' }, /a later listing would not show it/],
    [
      'an empty tomogram type',
      { tomogram: '' },
      /tomogram must be the type of the tomograms, such as 'denoised', found ""/,
    ],
    ['a voxel spacing of 0 Å', { voxelSpacing: 0 }, /voxelSpacing must be a positive length in Å, found 0/],
  ])('detectProject throws for %s before any run', async (_, options, message) => {
    const { project } = projectOf({ static: await tomograms(['TS_1', 'TS_2']) });
    const seen: string[] = [];
    const results = resultsOf(project, { ...options, onProgress: ({ run }) => seen.push(run) });
    await expect(results).rejects.toMatchObject({ code: 'invalid-option', message: expect.stringMatching(message) });
    expect(seen).toEqual([]);
  });

  it('detectProject processes a run that is named twice only once', async () => {
    const { project } = projectOf({ static: await tomograms(['TS_1', 'TS_2']) });
    const results = await resultsOf(project, { runs: ['TS_2', 'TS_1', 'TS_2'] });
    expect(results.map(({ run }) => run)).toEqual(['TS_2', 'TS_1']);
  });

  it('detectProject stops before it computes if the overlay cannot be written', async () => {
    const overlay = memoryStore();
    const sealed: Store = {
      ...overlay,
      set: async () =>
        Promise.reject(Object.assign(new Error('sealed'), { name: 'CryoetPicksError', code: 'read-only' })),
    };
    const { project } = projectOf({ static: await tomograms(['TS_1', 'TS_2']), overlay: sealed });
    const calls = model.calls;
    await expect(resultsOf(project)).rejects.toMatchObject({ code: 'read-only' });
    expect(model.calls).toBe(calls);
  });

  it.each(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM'])(
    'detectProject fails every run, before it computes, where every write fails with %s',
    async (code) => {
      const { project } = projectOf({
        static: await tomograms(['TS_1', 'TS_2']),
        overlay: failingStore({ code, key: /^\// }),
      });
      const calls = model.calls;
      const failed = { status: 'failed', error: { code: 'write-failed', cause: { code }, path: expect.any(String) } };
      expect(await resultsOf(project)).toMatchObject([failed, failed]);
      expect(model.calls).toBe(calls);
    },
  );

  it.each(['ENOSPC', 'EACCES', 'EPERM', 'EEXIST', 'EISDIR', 'ENOTDIR'])(
    'detectProject goes on after a run whose own folder fails with %s',
    async (code) => {
      const { project } = projectOf({
        static: await tomograms(['TS_1', 'TS_2']),
        overlay: failingStore({ code, key: /TS_1/ }),
      });
      expect(await resultsOf(project)).toMatchObject([
        { run: 'TS_1', status: 'failed', error: { code: 'write-failed', cause: { code } } },
        { run: 'TS_2', status: 'detected' },
      ]);
    },
  );

  it.each(['intensity', 'tiles'] as const)(
    'detectProject rejects with the abort reason in stage "%s", leaving no file',
    async (stage) => {
      const { project, overlay } = projectOf({ static: await tomograms(['TS_1', 'TS_2']) });
      const controller = new AbortController();
      const reason = new Error('enough');
      const seen: string[] = [];
      const onProgress: DetectProjectOptions['onProgress'] = (progress) => {
        seen.push(progress.run);
        if (progress.stage === stage) controller.abort(reason);
      };
      await expect(resultsOf(project, { signal: controller.signal, onProgress })).rejects.toBe(reason);
      expect(new Set(seen)).toEqual(new Set(['TS_1']));
      expect(await filesOf(overlay, 'TS_1')).toEqual([]);
    },
  );

  it('detectProject reports which run of how many it works on', async () => {
    const { project } = projectOf({ static: await tomograms(['TS_1', 'TS_2']) });
    const seen = new Set<string>();
    await resultsOf(project, {
      onProgress: ({ run, runsDone, runsTotal }) => seen.add(`${run} ${runsDone}/${runsTotal}`),
    });
    expect([...seen]).toEqual(['TS_1 0/2', 'TS_2 1/2']);
  });

  it.each([2, 3, 100])('detectProject with %d jobs gives the results and the files of one', async (jobs) => {
    const names = Array.from({ length: 8 }, (_, i) => `TS_${i + 1}`);
    const broken = await tomograms(names);
    await damageRun(broken, 'TS_2');
    const [one, many] = [projectOf({ static: broken }), projectOf({ static: broken })];
    const expected = await resultsOf(one.project, { retries: 1 });
    let runsDone = 0;
    const results = await resultsOf(many.project, {
      ...{ jobs, retries: 1 },
      onStart: (start) => {
        runsDone = Math.max(runsDone, start.runsDone);
      },
    });
    const sorted = (all: readonly RunResult[]) => all.toSorted((a, b) => (a.run < b.run ? -1 : 1));
    expect(sorted(results)).toEqual(sorted(expected));
    expect(results.find(({ run }) => run === 'TS_2')).toMatchObject({ status: 'failed', attempt: 2 });
    expect(await filesOfStore(many.overlay)).toEqual(await filesOfStore(one.overlay));
    expect(runsDone).toBeLessThan(names.length);
  });

  it('detectProject with jobs reads the next runs while the network scores one, and never scores two at once', async () => {
    const names = ['TS_1', 'TS_2', 'TS_3', 'TS_4'];
    const { project } = projectOf({ static: await tomograms(names) });
    const seen: string[] = [];
    let scoring = 0;
    const slow: Model = {
      ...model,
      async score(...args) {
        expect(scoring++).toBe(0);
        await new Promise((resolve) => setTimeout(resolve, 20));
        scoring--;
        return model.score(...args);
      },
    };
    const onProgress = ({ run, stage, done, total }: ProjectProgress) => {
      if (done === total || stage === 'tiles') seen.push(`${run} ${stage}`);
    };
    await resultsOf(project, { model: slow, jobs: 2, onProgress });
    const place = (event: string) => seen.indexOf(event);
    for (const [i, name] of names.slice(1).entries()) {
      expect(place(`${name} intensity`)).toBeLessThan(seen.lastIndexOf(`${names[i]} tiles`));
      expect(place(`${name} tiles`)).toBeGreaterThan(seen.lastIndexOf(`${names[i]} tiles`));
    }
  });

  it('detectProject with jobs ends all searches when its consumer leaves, and when its signal fires', async () => {
    const names = Array.from({ length: 6 }, (_, i) => `TS_${i + 1}`);
    const { project, overlay } = projectOf({ static: await tomograms(names) });
    const stop = new AbortController();
    let begun = 0;
    const prepare = (tomogram: VolumeSource) => {
      begun++;
      return tomogram;
    };
    for await (const { run } of detectProject(project, { tomogram: 'denoised', model, jobs: 3, prepare })) {
      // Whichever is done first.
      expect(names).toContain(run);
      break;
    }
    expect(begun).toBeLessThan(names.length);
    const left = begun;
    const files = await filesOfStore(overlay);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect({ begun, files: await filesOfStore(overlay) }).toEqual({ begun: left, files });
    const onProgress = () => stop.abort('stop');
    await expect(resultsOf(project, { jobs: 3, onProgress, signal: stop.signal })).rejects.toBe('stop');
    expect(await readFailures(project)).toEqual([]);
  });
});
