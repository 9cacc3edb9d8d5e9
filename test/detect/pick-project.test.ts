import { describe, expect, it } from 'vitest';
import { projectFromStores } from '../../src/entry/copick.ts';
import {
  boxMask,
  type Candidates,
  chooseThresholds,
  type DetectProjectOptions,
  detectCandidates,
  detectProject,
  estimateFalsePicks,
  faceMask,
  gatherProject,
  memoryStore,
  type PickProjectOptions,
  type Project,
  pickProject,
  type RunMask,
  type RunResult,
  type Store,
  type StoreKey,
  subStore,
  writeDetection,
  writeTomogram,
} from '../../src/entry/index.ts';
import { projectOf } from '../support/copick-tree.ts';
import { calibrated, identityModel } from '../support/identity-model.ts';
import { noise, sourceOf } from '../support/volumes.ts';

const shape = [10, 16, 18] as const;
const model = {
  ...calibrated(
    identityModel({
      classes: ['ribosome', null, 'virus'],
      thresholds: { ribosome: 0.8, virus: 2.6 },
      minDistances: { ribosome: 25, virus: 40 },
    }),
  ),
  sha256: 'abc',
};
const middle: RunMask = {
  of: (_, grid) => [boxMask({ x: [0, 120] }), faceMask(grid, 15)],
  settings: { x: '0-120', faceMargin: 15 },
};

async function writeNoise(store: Store, run: string, seed: number): Promise<void> {
  const folder = subStore(store, `/ExperimentRuns/${run}/VoxelSpacing10.000/denoised.zarr`);
  await writeTomogram(folder, sourceOf(noise(shape, seed), shape), { levels: 1, overwrite: true });
}

/** A project of two runs, and its overlay. */
async function twoRuns(overlay: Store = memoryStore(), shared: Store = memoryStore()) {
  for (const [i, run] of ['TS_1', 'TS_2'].entries()) await writeNoise(shared, run, i + 3);
  return { ...projectOf({ overlay, static: shared }), overlay, shared };
}

async function all(results: AsyncIterable<RunResult>): Promise<RunResult[]> {
  const list: RunResult[] = [];
  for await (const result of results) list.push(result);
  return list;
}

const detect = (project: Project, options: Partial<DetectProjectOptions> = {}) =>
  all(detectProject(project, { model, ...options }));
const pick = (project: Project, options: PickProjectOptions = {}) => all(pickProject(project, options));

/** Every file of the picks folders, but the candidates. */
async function filesOf(overlay: Store): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const run of ['TS_1', 'TS_2']) {
    const folder: StoreKey = `/ExperimentRuns/${run}/Picks`;
    for (const { name } of await overlay.list(folder)) {
      if (name.endsWith('.candidates')) continue;
      files[`${run}/${name}`] = new TextDecoder().decode(await overlay.get(`${folder}/${name}`));
    }
  }
  return files;
}

describe('pickProject', () => {
  it.each<[string, PickProjectOptions]>([
    ['as they were found', {}],
    ['thresholds and distances', { thresholds: { ribosome: 0.4 }, minDistances: 0 }],
    ['one threshold, and a maximum number', { thresholds: 0.9, max: { ribosome: 3 } }],
    ['a maximum share of false picks', { maxFalse: 0.3 }],
    ['a maximum share beside a threshold, in a mask', { maxFalse: 0.4, thresholds: { virus: 0.9 }, mask: middle }],
    ['one label per place, in a mask', { thresholds: 0.5, acrossObjects: true, mask: middle }],
    [
      'objects in another order',
      { objects: [{ name: 'virus' }, { name: 'ribosome' }], thresholds: 0.5, minDistances: 0 },
    ],
    ['one object', { objects: [{ name: 'ribosome' }], thresholds: { ribosome: 0.3 }, acrossObjects: 30 }],
  ])('pickProject writes the picks and records that detectProject writes: %s', async (_, options) => {
    const { objects, model: _model, ...others } = options;
    const once = await twoRuns();
    const found = await detect(once.project, { ...others, ...(objects && { objects }) });
    const again = await twoRuns();
    await detect(again.project);
    const old = await filesOf(again.overlay);
    const picked = await pick(again.project, options);
    expect(picked).toEqual(found);
    const files = await filesOf(again.overlay);
    const written = await filesOf(once.overlay);
    // Records of picks that were replaced are complete again; picks of other objects stay.
    expect(files).toEqual({ ...old, ...written });
    expect(picked.flatMap((result) => ('picks' in result ? result.picks : [])).length).toBeGreaterThan(5);
    const resumed = await detect(again.project, { ...others, ...(objects && { objects }), resume: true });
    expect(resumed.map(({ status }) => status)).toEqual(['skipped', 'skipped']);
  });

  it('pickProject picks all objects after one of them was searched again by itself, as after a search for all', async () => {
    const thresholds = { ribosome: 0.6, virus: 2.6 };
    const once = await twoRuns();
    const found = await detect(once.project, { thresholds });
    const again = await twoRuns();
    await detect(again.project);
    await detect(again.project, { objects: [{ name: 'ribosome' }], thresholds: { ribosome: 0.6 } });
    expect(await pick(again.project)).toEqual(found);
    expect(await filesOf(again.overlay)).toEqual(await filesOf(once.overlay));
    expect((await pick(again.project, { resume: true })).map(({ status }) => status)).toEqual(['skipped', 'skipped']);
  });

  it('pickProject and detectProject warn of an object all of whose picks the mask removes, with the run', async () => {
    const { project } = await twoRuns();
    const mask: RunMask = { of: (run) => () => run.name === 'TS_2', settings: { only: 'TS_2' } };
    const warned = (object: string) => ({
      code: 'mask-removes-all',
      run: 'TS_1',
      message: expect.stringMatching(
        new RegExp(`^the mask removes all picks of "${object}": \\d+ candidates reach its threshold, 0 are left$`),
      ),
    });
    for (const results of [await detect(project, { mask }), await pick(project, { mask })]) {
      expect(results.map(({ status }) => status)).toEqual(['detected', 'detected']);
      expect(results.flatMap(({ warnings }) => warnings)).toEqual([warned('ribosome'), warned('virus')]);
    }
  });

  it('pickProject skips runs that have just these picks with resume, and replaces others', async () => {
    const { project } = await twoRuns();
    await detect(project);
    expect((await pick(project, { resume: true })).map(({ status }) => status)).toEqual(['skipped', 'skipped']);
    expect(await pick(project, { resume: true, thresholds: 0.5 })).toMatchObject([
      { status: 'failed', error: { message: expect.stringMatching(/were made otherwise: threshold was 0.8, is 0.5/) } },
      { status: 'failed' },
    ]);
    const replaced = await pick(project, { resume: true, overwrite: true, thresholds: 0.5, runs: ['TS_2'] });
    expect(replaced.map(({ run, status }) => [run, status])).toEqual([['TS_2', 'detected']]);
  });

  it('pickProject fails a run whose threshold lies below its candidates, and leaves its picks as they are', async () => {
    const { project, overlay } = await twoRuns();
    await detect(project, { candidatesPerObject: 20 });
    const before = await filesOf(overlay);
    expect(await pick(project, { thresholds: { ribosome: 0.1 } })).toMatchObject([
      {
        status: 'failed',
        error: {
          code: 'invalid-option',
          message: expect.stringMatching(/down to 0.08, and only the best were kept, down/),
        },
      },
      { status: 'failed' },
    ]);
    expect(await filesOf(overlay)).toEqual(before);
  });

  it('pickProject fails a run without candidates, and goes on', async () => {
    const { project } = await twoRuns();
    await detect(project, { keepCandidates: false, runs: ['TS_1'] });
    await detect(project, { runs: ['TS_2'] });
    expect(await pick(project)).toMatchObject([
      { run: 'TS_1', status: 'failed', error: { code: 'not-found' } },
      { run: 'TS_2', status: 'detected' },
    ]);
  });

  it('a detection that keeps no candidates deletes those of an earlier one, of which its picks are not made', async () => {
    const { project } = await twoRuns();
    await detect(project);
    await detect(project, { keepCandidates: false, overwrite: true, thresholds: 0.9, runs: ['TS_1'] });
    expect(await pick(project)).toMatchObject([
      { run: 'TS_1', status: 'failed', error: { code: 'not-found' } },
      { run: 'TS_2', status: 'detected' },
    ]);
  });

  it('pickProject refuses candidates of another model, card or tomogram, and says what differs', async () => {
    const { project, shared } = await twoRuns();
    await detect(project);
    const failures = async (options: PickProjectOptions) =>
      (await pick(project, options)).map((result) => 'error' in result && (result.error as Error).message);
    expect(await failures({ model })).toEqual([false, false]);
    // A calibration changes no score.
    expect(await failures({ model: { ...model, spec: { ...model.spec, calibration: {} } } })).toEqual([false, false]);
    const [other] = await failures({ model: { ...model, sha256: 'def' } });
    expect(other).toMatch(/were made otherwise: model.sha256 was "abc", is "def"/);
    const [card] = await failures({ model: { ...model, spec: { ...model.spec, normalization: 'z-score' } } });
    expect(card).toMatch(/model.card.normalization was "none", is "z-score"/);
    await writeNoise(shared, 'TS_1', 99);
    expect(await failures({})).toEqual([
      expect.stringMatching(/were found in another tomogram: tomogram.middleSha256 was .*; detect again/),
      false,
    ]);
    const [type] = await failures({ tomogram: 'wbp' });
    expect(type).toMatch(/were made otherwise: tomogram.type was "denoised", is "wbp"/);
  });

  it('pickProject warns if the tomogram is not there to compare, and picks all the same', async () => {
    const overlay = memoryStore();
    const { project } = await twoRuns(overlay);
    const found = await detect(project);
    const moved = projectOf({ overlay });
    const picked = await pick(moved.project);
    expect(picked.map((result) => 'picks' in result && result.picks)).toEqual(
      found.map((result) => 'picks' in result && result.picks),
    );
    expect(picked[0]!.warnings).toEqual([
      expect.objectContaining({
        code: 'tomogram-not-compared',
        run: 'TS_1',
        message: expect.stringMatching(/not found/),
      }),
    ]);
  });

  it('pickProject does not replace picks that somebody else wrote, unless it is told to', async () => {
    const { project } = await twoRuns();
    await detect(project);
    const run = await project.run('TS_1');
    await run.writePicks([], { userId: 'cryoet-picks', sessionId: '0', objects: ['ribosome'] });
    expect(await pick(project)).toMatchObject([
      { status: 'failed', error: { code: 'conflict' } },
      { status: 'detected' },
    ]);
    expect(await pick(project, { overwrite: true })).toMatchObject([{ status: 'detected' }, { status: 'detected' }]);
  });

  it('pickProject refuses candidates on another grid than that of the tomogram, unless the tomogram was changed before the search', async () => {
    const { project } = await twoRuns();
    await detect(project);
    const run = await project.run('TS_1');
    const author = { userId: 'cryoet-picks', sessionId: '0' };
    const { candidates, provenance } = await run.readCandidates(author);
    const other = { ...candidates, grid: { ...candidates.grid, shape: [10, 16, 19] as const } };
    const again = async (settings: Record<string, boolean>) => {
      await run.writeCandidates(other, { ...author, provenance: { ...provenance, settings } });
      return (await pick(project, { runs: ['TS_1'] }))[0];
    };
    expect(await again({ resampled: false })).toMatchObject({
      status: 'failed',
      error: { code: 'conflict', message: expect.stringMatching(/grid\.shape was \[10,16,19\], is \[10,16,18\]/) },
    });
    expect(await again({ inverted: true })).toMatchObject({ error: { code: 'conflict' } });
    expect(await again({ resampled: true })).toMatchObject({ status: 'detected' });
    expect(await again({ level: true })).toMatchObject({ status: 'detected' });
  });

  it('pickProject refuses candidates of a resampled tomogram whose faces lie elsewhere', async () => {
    const { project } = await twoRuns();
    await detect(project);
    const run = await project.run('TS_1');
    const author = { userId: 'cryoet-picks', sessionId: '0' };
    const { candidates, provenance } = await run.readCandidates(author);
    const other = { ...candidates, grid: { ...candidates.grid, shape: [10, 16, 30] as const } };
    const settings = { resampled: true };
    await run.writeCandidates(other, { ...author, provenance: { ...provenance, settings } });
    const [result] = await pick(project, { runs: ['TS_1'] });
    expect(result).toMatchObject({
      error: { code: 'conflict', message: expect.stringMatching(/the highest x was 295 Å, is 175 Å; detect again$/) },
    });
  });

  it.each<[string, unknown, RegExp]>([
    ['settings', null, /settings: expected .*, found null/],
    ['settings', 5, /settings: expected .*, found 5/],
    ['model', null, /model: expected .*, found null/],
    ['model', 5, /model: expected .*, found 5/],
    ['tomogram', null, /tomogram: expected .*, found null/],
    ['average', 5, /average: expected .*, found 5/],
    ['overlap', 'x', /overlap: expected .*, found "x"/],
    ['memory', [], /memory: expected/],
    ['tomogramUri', 5, /tomogramUri: expected string, found 5/],
    ['tomogramUri', 'denoised', /tomogramUri is "denoised": it must be such as/],
  ])('pickProject names the file of candidates whose record is damaged: %s is %j', async (field, value, message) => {
    const { project } = await twoRuns();
    await detect(project);
    const run = await project.run('TS_1');
    const author = { userId: 'cryoet-picks', sessionId: '0' };
    const { candidates, provenance, path } = await run.readCandidates(author);
    await run.writeCandidates(candidates, { ...author, provenance: { ...provenance, [field]: value } });
    for (const overwrite of [false, true]) {
      const [result] = await pick(project, { runs: ['TS_1'], overwrite });
      expect(result).toMatchObject({
        status: 'failed',
        error: { code: 'corrupt-data', path, message: expect.stringMatching(message) },
      });
    }
  });

  it('pickProject refuses candidates of objects that the project does not have before it picks', async () => {
    const shared = memoryStore();
    const { project, overlay } = await twoRuns(memoryStore(), shared);
    await detect(project);
    const objects = project.config.objects.filter(({ name }) => name !== 'virus');
    const smaller = projectFromStores({
      config: { ...project.config, objects },
      overlay,
      static: shared,
    });
    let asked = 0;
    const mask: RunMask = { of: () => () => ++asked > 0, settings: {} };
    const [result] = await pick(smaller, { runs: ['TS_1'], mask });
    expect(result).toMatchObject({ status: 'failed', error: { code: 'invalid-picks' } });
    expect(asked).toBe(0);
    expect(await pick(smaller, { runs: ['TS_1'], mask, objects: [{ name: 'ribosome' }] })).toMatchObject([
      { status: 'detected' },
    ]);
  });

  it.each<[string, PickProjectOptions]>([
    ['thresholds', { thresholds: { virus: 0.5 } }],
    ['minDistances', { minDistances: { virus: 50 } }],
    ['max', { max: { virus: 5 } }],
    ['maxFalse', { maxFalse: { virus: 0.5 } }],
  ])(
    'a search and pickProject refuse a value of an object that is not looked for, before any run: %s',
    async (option, values) => {
      const { project } = await twoRuns();
      await detect(project);
      const options = { ...values, objects: [{ name: 'ribosome' }] };
      const refusal = {
        code: 'invalid-option',
        option,
        message: expect.stringMatching(`${option} names "virus", but the objects are "ribosome"$`),
      };
      const idle = { ...model, score: () => Promise.reject(new Error('the network was asked')) };
      await expect(detect(project, { ...options, model: idle })).rejects.toMatchObject(refusal);
      await expect(pick(project, options)).rejects.toMatchObject(refusal);
    },
  );

  it('pickProject takes values of an object that a run has no candidates of, and warns of it', async () => {
    const { project } = await twoRuns();
    await detect(project, { objects: [{ name: 'ribosome' }] });
    const objects = [{ name: 'ribosome' }, { name: 'virus' }];
    const [result] = await pick(project, { runs: ['TS_1'], objects, thresholds: { virus: 0.5 }, max: { virus: 3 } });
    expect(result).toMatchObject({ status: 'detected', objects: ['ribosome'] });
    expect(result!.warnings).toMatchObject([{ code: 'object-without-candidates' }]);
  });

  it('pickProject says that nothing is recorded of the model of candidates whose record lacks it', async () => {
    const { project } = await twoRuns();
    await detect(project);
    const run = await project.run('TS_1');
    const author = { userId: 'cryoet-picks', sessionId: '0' };
    const { candidates } = await run.readCandidates(author);
    await run.writeCandidates(candidates, { ...author, provenance: author });
    const [result] = await pick(project, { runs: ['TS_1'] });
    expect(result).toMatchObject({
      status: 'failed',
      error: { message: expect.stringMatching(/not by the model of the candidates, of which nothing is recorded: /) },
    });
  });

  it('pickProject fails every run for an object that is misspelt, and throws for what no run can have', async () => {
    const { project } = await twoRuns();
    await detect(project);
    expect(await pick(project, { thresholds: { typo: 1 } })).toMatchObject([
      { status: 'failed', error: { message: expect.stringMatching(/thresholds names "typo"/) } },
      { status: 'failed' },
    ]);
    await expect(pick(project, { thresholds: Number.NaN })).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(pick(project, { max: 0 })).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(detect(project, { floors: 99 })).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(pick(project, { runs: ['TS_9'] })).rejects.toMatchObject({ code: 'not-found' });
    await expect(pick(project, { mask: (() => true) as never })).rejects.toMatchObject({ code: 'invalid-option' });
  });
});

describe('a mask that is drawn again', () => {
  /** A mask under one name, which holds another half each time that it is drawn. */
  function drawnMask() {
    let version = 'first';
    const half = () => boxMask({ x: version === 'first' ? [0, 90] : [90, 180] });
    const mask: RunMask = { of: half, settings: { inside: 'half' }, settingsOf: async () => ({ version }) };
    return { mask, drawAgain: () => (version = 'second') };
  }

  it.each([
    ['detectProject', detect],
    ['pickProject', pick],
  ])(
    '%s with resume takes the picks of the mask that is there, and refuses those of an earlier one',
    async (_, make) => {
      const { project } = await twoRuns();
      const { mask, drawAgain } = drawnMask();
      const [first] = await detect(project, { mask });
      expect((await make(project, { mask, resume: true })).map(({ status }) => status)).toEqual(['skipped', 'skipped']);
      drawAgain();
      expect(await make(project, { mask, resume: true })).toMatchObject([
        {
          status: 'failed',
          error: { code: 'conflict', message: expect.stringContaining('maskOfRun.version was "first", is "second"') },
        },
        { status: 'failed' },
      ]);
      const [again] = await make(project, { mask, resume: true, overwrite: true });
      expect(again).toMatchObject({ status: 'detected' });
      expect(again).not.toEqual(first);
      expect((await gatherProject(project)).done).toEqual(['TS_1', 'TS_2']);
    },
  );

  it('gatherProject takes runs together whose masks are of one name, whatever is drawn in each', async () => {
    const { project } = await twoRuns();
    const { mask, drawAgain } = drawnMask();
    await detect(project, { mask, runs: ['TS_1'] });
    drawAgain();
    await detect(project, { mask, runs: ['TS_2'] });
    expect((await gatherProject(project)).done).toEqual(['TS_1', 'TS_2']);
  });
});

describe('maxFalse', () => {
  it('pickProject warns of an object of which it cannot be told, and keeps its threshold', async () => {
    const { project } = await twoRuns();
    const usual = await detect(project);
    const [first] = await pick(project, { maxFalse: 0.3 });
    expect(first!.warnings).toMatchObject([
      {
        code: 'false-picks-unknown',
        run: 'TS_1',
        message: expect.stringMatching(/"virus" .* no calibration of virus; its threshold is 2.6, as usual/),
      },
    ]);
    const picksOf = (result: RunResult | undefined, object: string) =>
      result && 'picks' in result ? result.picks.filter((one) => one.object === object) : [];
    expect(picksOf(first, 'virus')).toEqual(picksOf(usual[0], 'virus'));
    expect(picksOf(first, 'ribosome')).not.toEqual(picksOf(usual[0], 'ribosome'));
  });

  it('detectProject and pickProject tell the thresholds that maxFalse chose, with the estimates at them, of objects without picks too', async () => {
    const { project } = await twoRuns();
    const [found] = await detect(project, { maxFalse: { ribosome: 0.3 } });
    const [run] = await project.runs();
    const { candidates } = await run!.readCandidates({ userId: 'cryoet-picks', sessionId: '0' });
    const { ribosome: threshold } = chooseThresholds(candidates, { maxFalse: { ribosome: 0.3 } });
    const { ribosome: estimate } = estimateFalsePicks(candidates, { thresholds: { ribosome: threshold! } });
    expect(found).toMatchObject({ objects: candidates.objects, maxFalse: { ribosome: { threshold, ...estimate } } });
    expect(found).toMatchObject({ maxFalse: { ribosome: { usualThreshold: candidates.thresholds.ribosome } } });
    const [none] = await pick(project, { maxFalse: 0 });
    if (!('picks' in none!)) throw new Error('the run was expected to be picked');
    expect(none.maxFalse).toMatchObject({
      ribosome: { picks: 0, falsePicks: 0 },
      virus: { threshold: candidates.thresholds.virus, reason: expect.stringMatching(/no calibration/) },
    });
    expect(none.picks.some(({ object }) => object === 'ribosome')).toBe(false);
    const [usual] = await pick(project);
    expect(usual).not.toHaveProperty('maxFalse', expect.anything());
  });

  it('pickProject grades candidates once with maxFalse: a mask is asked twice about each, for the threshold and for the picks', async () => {
    const { project } = await twoRuns();
    await detect(project);
    const run = await project.run('TS_1');
    const { candidates } = await run.readCandidates({ userId: 'cryoet-picks', sessionId: '0' });
    const own = candidates.objectIndices.filter((index) => candidates.objects[index] === 'ribosome').length;
    let asked = 0;
    const mask: RunMask = { of: () => () => ++asked > 0, settings: {} };
    const options = { maxFalse: 0.5, mask, runs: ['TS_1'], objects: [{ name: 'ribosome' }] };
    expect(await pick(project, options)).toMatchObject([{ status: 'detected' }]);
    expect(asked).toBeGreaterThan(own);
    expect(asked).toBeLessThanOrEqual(2 * own);
  });

  it('detectProject records the maximum share, the calibration and the threshold that it chose, so that a resumed run notices another share', async () => {
    const { project, overlay } = await twoRuns();
    const [first] = await detect(project, { maxFalse: { ribosome: 0.3 } });
    const chosen = first && 'maxFalse' in first ? first.maxFalse?.ribosome?.threshold : undefined;
    expect(chosen).not.toBe(0.8);
    const record = JSON.parse((await filesOf(overlay))['TS_1/.cryoet-picks_0_ribosome.provenance']!);
    expect(record).toMatchObject({
      threshold: chosen,
      maxFalse: { share: 0.3, threshold: 0.8, calibration: model.spec.calibration!.ribosome },
    });
    const other = JSON.parse((await filesOf(overlay))['TS_1/.cryoet-picks_0_virus.provenance']!);
    expect(other).not.toHaveProperty('maxFalse');
    expect((await detect(project, { maxFalse: { ribosome: 0.3 }, resume: true })).map(({ status }) => status)).toEqual([
      'skipped',
      'skipped',
    ]);
    expect(await detect(project, { maxFalse: { ribosome: 0.2 }, resume: true })).toMatchObject([
      { status: 'failed', error: { message: expect.stringContaining('maxFalse (--max-false) was 0.3, is 0.2:') } },
      { status: 'failed' },
    ]);
    expect(await pick(project, { resume: true })).toMatchObject([
      {
        status: 'failed',
        error: { message: expect.stringContaining('made otherwise: maxFalse (--max-false) was 0.3, is not given:') },
      },
      { status: 'failed' },
    ]);
  });

  it('detectProject refuses a share that cannot be, or that one threshold for all objects makes useless', async () => {
    const { project } = await twoRuns();
    for (const options of [{ maxFalse: 1.5 }, { maxFalse: { typo: 0.2 } }, { maxFalse: 0.2, thresholds: 0.5 }]) {
      await expect(detect(project, options)).rejects.toMatchObject({ code: 'invalid-option', option: 'maxFalse' });
    }
  });
});

describe('candidates that detectProject keeps', () => {
  it('detectProject writes the same candidates every time, with what made them, before the picks', async () => {
    const { project, overlay } = await twoRuns();
    await detect(project, { settings: { inverted: true }, floors: { ribosome: 0.25 } });
    const key: StoreKey = '/ExperimentRuns/TS_1/Picks/.cryoet-picks_0.candidates';
    const bytes = await overlay.get(key);
    const run = await project.run('TS_1');
    const { candidates, provenance } = await run.readCandidates({ userId: 'cryoet-picks', sessionId: '0' });
    expect(candidates.floors).toEqual({ ribosome: 0.25, virus: 0.08 });
    expect(provenance).toMatchObject({
      program: 'cryoet-picks',
      cardSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      tomogramUri: 'denoised@10.0',
      model: { name: 'fake', sha256: 'abc', card: { activation: 'none' } },
      tomogram: { type: 'denoised', shape: [10, 16, 18], voxelSize: [10, 10, 10] },
      overlap: null,
      average: 'probabilities',
      settings: { inverted: true },
    });
    expect(JSON.stringify(provenance)).not.toMatch(/"(time|date|host|path)"/i);
    await detect(project, { settings: { inverted: true }, floors: { ribosome: 0.25 }, overwrite: true });
    expect(await overlay.get(key)).toEqual(bytes);
  });

  it('detectProject finds the same picks in a mask of each run as with the mask afterwards', async () => {
    const { project } = await twoRuns();
    const asked: string[] = [];
    const masked = await detect(project, {
      minDistances: 0,
      mask: {
        ...middle,
        of: (run, grid) => {
          asked.push(run.name);
          return middle.of(run, grid);
        },
      },
    });
    const whole = await detect(project, { minDistances: 0, overwrite: true });
    const grid = sourceOf(noise(shape), shape).grid;
    const inside = faceMask(grid, 15);
    expect(masked.map((result) => 'picks' in result && result.picks)).toEqual(
      whole.map(
        (result) => 'picks' in result && result.picks.filter(({ position }) => position.x <= 120 && inside(position)),
      ),
    );
    expect(asked).toEqual(['TS_1', 'TS_2']);
  });
});

describe('writeDetection', () => {
  it.each<[string, Omit<DetectProjectOptions, 'model'>]>([
    ['as they were found', {}],
    ['other thresholds, one label per place, a maximum number', { thresholds: 0.9, acrossObjects: true, max: 3 }],
    ['a user and session, and what was done before', { userId: 'me', sessionId: '3', settings: { level: 1 } }],
  ])('writeDetection writes the files of detectProject, which pickProject and resume take: %s', async (_, options) => {
    const once = await twoRuns();
    const found = await detect(once.project, { ...options, runs: ['TS_1'] });
    const { project, overlay } = await twoRuns();
    const run = await project.run('TS_1');
    const { acrossObjects, max, settings, thresholds, userId = 'cryoet-picks', sessionId = '0' } = options;
    const tomogram = await run.tomogram('denoised');
    const candidates = await detectCandidates(tomogram, { model, objects: project.objects, thresholds });
    const author = { userId, sessionId };
    const how = { acrossObjects, max, settings, ...author };
    const picks = await writeDetection(run, candidates, { model, tomogram: 'denoised', ...how });
    expect([{ run: 'TS_1', status: 'detected', picks, objects: candidates.objects, warnings: [] }]).toEqual(found);
    expect(await filesOf(overlay)).toEqual(await filesOf(once.overlay));
    const stored = async (one: Project) => (await one.run('TS_1')).readCandidates(author);
    expect(await stored(project)).toEqual(await stored(once.project));
    const [resumed] = await detect(project, { ...options, runs: ['TS_1'], resume: true });
    expect(resumed!.status).toBe('skipped');
    const [picked] = await pick(project, { ...author, acrossObjects, max, runs: ['TS_1'], resume: true });
    expect(picked!.status).toBe('skipped');
  });

  it.each<[string, RegExp, Partial<Candidates['grid']>]>([
    ['shape', /grid\.shape was \[10,16,19\], is \[10,16,18\]/, { shape: [10, 16, 19] }],
    ['voxel size', /grid\.voxelSize was \[10,10,11\], is \[10,10,10\]/, { voxelSize: [10, 10, 11] }],
    ['origin', /grid\.origin\.x was 5, is 0/, { origin: { x: 5, y: 0, z: 0 } }],
  ])(
    'writeDetection refuses candidates of another grid than that of the tomogram, unless it was changed before: %s',
    async (_, message, other) => {
      const { project, overlay } = await twoRuns();
      const run = await project.run('TS_1');
      const candidates = await detectCandidates(await run.tomogram('denoised'), { model });
      const moved = { ...candidates, grid: { ...candidates.grid, ...other } };
      const write = (settings: Record<string, boolean | number>) =>
        writeDetection(run, moved, { model, tomogram: 'denoised', settings });
      await expect(write({ inverted: false, level: 0 })).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringMatching(message),
      });
      expect(await filesOf(overlay)).toEqual({});
      await expect(write({ inverted: true })).rejects.toMatchObject({ code: 'conflict' });
      expect((await write({ resampled: true })).length).toBeGreaterThan(0);
    },
  );

  it.each<[string, string, object, Partial<Candidates>]>([
    ['a maximum of 0', 'invalid-option', { max: 0 }, {}],
    ['a maximum of an object that was not looked for', 'invalid-option', { max: { zzz: 1 } }, {}],
    ['an object that the project does not have', 'invalid-picks', {}, { objects: ['ribosome', 'unheard-of'] }],
  ])('writeDetection changes no file if it cannot pick or write the picks: %s', async (_, code, options, other) => {
    const { project, overlay } = await twoRuns();
    const run = await project.run('TS_1');
    const candidates = await detectCandidates(await run.tomogram('denoised'), { model });
    await writeDetection(run, candidates, { model, tomogram: 'denoised' });
    const before = await filesOf(overlay);
    const renamed = <T>(values: Readonly<Record<string, T>>) =>
      Object.fromEntries(Object.values(values).map((value, i) => [(other.objects ?? candidates.objects)[i], value]));
    const { thresholds, minDistances, floors, lowestThresholds } = candidates;
    const changed = {
      ...candidates,
      ...other,
      thresholds: renamed(thresholds),
      minDistances: renamed(minDistances),
      floors: renamed(floors),
      lowestThresholds: renamed(lowestThresholds),
    };
    const write = writeDetection(run, changed, { model, tomogram: 'denoised', ...options });
    await expect(write).rejects.toMatchObject({ code });
    expect(await filesOf(overlay)).toEqual(before);
  });

  it('writeDetection writes nothing over picks of somebody else, nor where the run has no such tomogram', async () => {
    const { project, overlay } = await twoRuns();
    const run = await project.run('TS_1');
    const candidates = await detectCandidates(await run.tomogram('denoised'), { model });
    await run.writePicks([{ object: 'virus', position: { x: 1, y: 2, z: 3 }, score: 1 }], {
      userId: 'cryoet-picks',
      sessionId: '0',
    });
    const before = await filesOf(overlay);
    const write = (options: object) => writeDetection(run, candidates, { model, tomogram: 'denoised', ...options });
    await expect(write({})).rejects.toMatchObject({ code: 'conflict' });
    await expect(write({ tomogram: 'wbp', sessionId: '1' })).rejects.toMatchObject({ code: 'not-found' });
    await expect(run.readCandidates({ userId: 'cryoet-picks', sessionId: '0' })).rejects.toMatchObject({
      code: 'not-found',
    });
    expect(await filesOf(overlay)).toEqual(before);
    expect((await write({ overwrite: true })).length).toBeGreaterThan(0);
  });
});
