import { describe, expect, it } from 'vitest';
import {
  boxMask,
  type DetectProjectOptions,
  detectProject,
  type GatheredRun,
  type GatherProjectOptions,
  gatherProject,
  memoryStore,
  type Project,
  pickProject,
  type RunMask,
  type Store,
  type StoreKey,
  subStore,
  writeTomogram,
} from '../../src/entry/index.ts';
import { projectOf } from '../support/copick-tree.ts';
import { gatherMemory } from '../support/gather-memory.ts';
import { calibrated, identityModel } from '../support/identity-model.ts';
import { noise, sourceOf } from '../support/volumes.ts';

const shape = [10, 16, 18] as const;
const runs = ['TS_1', 'TS_2', 'TS_3', 'TS_4'];
const model = {
  ...identityModel({
    classes: ['ribosome', null, 'virus'],
    thresholds: { ribosome: 0.8, virus: 2.6 },
    minDistances: { ribosome: 25, virus: 40 },
  }),
  sha256: 'abc',
};

/** A project of four runs, and its overlay. */
async function fourRuns() {
  const [overlay, shared] = [memoryStore(), memoryStore()];
  for (const [i, run] of runs.entries()) {
    const folder = subStore(shared, `/ExperimentRuns/${run}/VoxelSpacing10.000/denoised.zarr`);
    await writeTomogram(folder, sourceOf(noise(shape, i + 3), shape), { levels: 1, overwrite: true });
  }
  return { ...projectOf({ overlay, static: shared }), overlay, shared };
}

async function detect(project: Project, options: Partial<DetectProjectOptions> = {}) {
  const found = [];
  for await (const result of detectProject(project, { model, ...options })) {
    if (result.status === 'failed') throw result.error;
    found.push({ run: result.run, picks: result.picks });
  }
  return found;
}

async function gathered(project: Project, options: GatherProjectOptions = {}) {
  const result = await gatherProject(project, options);
  const picks: GatheredRun[] = [];
  for await (const one of result.picks()) picks.push(one);
  return { ...result, picks };
}

const picksKey = (run: string, object: string): StoreKey =>
  `/ExperimentRuns/${run}/Picks/cryoet-picks_0_${object}.json`;

async function edit(overlay: Store, key: StoreKey, change: (text: string) => string): Promise<void> {
  await overlay.set(key, new TextEncoder().encode(change(new TextDecoder().decode(await overlay.get(key)))));
}

describe('gatherProject', () => {
  it.each<[string, Partial<DetectProjectOptions>]>([
    ['as they were found', {}],
    ['with other thresholds', { thresholds: { ribosome: 0.6 } }],
    ['one label per place, at most three', { thresholds: 0.5, acrossObjects: true, max: { ribosome: 3 } }],
    ['one object', { objects: [{ name: 'ribosome' }] }],
  ])(
    'gatherProject makes the picks of detectProject again from candidates, and reads them from files: %s',
    async (_, options) => {
      const { project } = await fourRuns();
      const found = await detect(project, options);
      const again = await gathered(project);
      expect(again).toMatchObject({ expected: 4, done: runs, failed: [], missing: [] });
      expect(again.picks).toEqual(found.map((one) => ({ ...one, from: 'candidates' })));
      const files = await gathered(project, { from: 'picks' });
      expect(files.picks).toEqual(found.map((one) => ({ ...one, from: 'picks' })));
      expect(found.flatMap(({ picks }) => picks).length).toBeGreaterThan(5);
    },
  );

  it('gatherProject takes the thresholds of the detection, whatever picks were made of the candidates since, or those it is given', async () => {
    const { project } = await fourRuns();
    const found = await detect(project);
    for await (const _ of pickProject(project, { thresholds: { ribosome: 0.95, virus: 2.9 } }));
    const usual = await gathered(project);
    expect(usual.picks.map(({ picks }) => picks)).toEqual(found.map(({ picks }) => picks));
    const own = await gathered(project, { thresholds: { ribosome: 0.95, virus: 2.9 } });
    const files = await gathered(project, { from: 'picks' });
    expect(own.picks.map(({ picks }) => picks)).toEqual(files.picks.map(({ picks }) => picks));
    expect(own.picks.flatMap(({ picks }) => picks).length).toBeLessThan(found.flatMap(({ picks }) => picks).length);
    await expect(gathered(project, { thresholds: 0.001 })).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it('gatherProject refuses candidates that were searched with other thresholds, unless thresholds are given', async () => {
    const { project } = await fourRuns();
    await detect(project, { runs: ['TS_3'], thresholds: { ribosome: 0.6 } });
    await detect(project, { runs: ['TS_1', 'TS_2', 'TS_4'] });
    for await (const _ of pickProject(project, { thresholds: { ribosome: 0.7 } }));
    const error = {
      code: 'conflict',
      message: expect.stringMatching(/^run "TS_3" was searched with a threshold of 0\.6/),
    };
    await expect(gathered(project)).rejects.toMatchObject(error);
    const given = await gathered(project, { thresholds: { ribosome: 0.7 } });
    expect(given.thresholds).toEqual({ ribosome: 0.7, virus: 2.6 });
    const files = await gathered(project, { from: 'picks' });
    expect(given.picks.map(({ picks }) => picks)).toEqual(files.picks.map(({ picks }) => picks));
    expect(files.thresholds).toBeUndefined();
  });

  it('gatherProject takes picks from the files, and says why, of runs without candidates and of picks in a mask', async () => {
    const { project } = await fourRuns();
    const found = await detect(project);
    await (await project.run('TS_2')).deleteCandidates({ userId: 'cryoet-picks', sessionId: '0' });
    const some = await gathered(project);
    expect(some.picks.map(({ from, reason }) => [from, reason])).toEqual([
      ['candidates', undefined],
      ['picks', 'there are no candidates'],
      ['candidates', undefined],
      ['candidates', undefined],
    ]);
    expect(some.picks.map(({ picks }) => picks)).toEqual(found.map(({ picks }) => picks));
    const damaged = project.overlayStore!;
    await damaged.set('/ExperimentRuns/TS_3/Picks/.cryoet-picks_0.candidates', new Uint8Array(300));
    const others = await gathered(project);
    expect(others.picks.map(({ from, reason }) => [from, reason])[2]).toEqual([
      'picks',
      expect.stringMatching(/^its candidates are damaged: candidates .*TS_3/),
    ]);
    expect(others.picks.map(({ picks }) => picks)).toEqual(found.map(({ picks }) => picks));
    const mask: RunMask = { of: () => boxMask({ x: [0, 90] }), settings: { x: '0-90' } };
    const inside = await detect(project, { mask, overwrite: true });
    const masked = await gathered(project);
    expect(masked.picks.map(({ picks }) => picks)).toEqual(inside.map(({ picks }) => picks));
    expect(new Set(masked.picks.map(({ reason }) => reason))).toEqual(
      new Set(['they lie in a mask, which is not kept']),
    );
  });

  it('gatherProject tells which runs are missing: those never searched, and those whose detection did not end', async () => {
    const { project, overlay } = await fourRuns();
    await detect(project, { runs: ['TS_1', 'TS_3', 'TS_4'] });
    await overlay.delete(picksKey('TS_3', 'virus'));
    const { done, missing, objects, picks } = await gathered(project);
    expect(objects).toEqual(['ribosome', 'virus']);
    expect(done).toEqual(['TS_1', 'TS_4']);
    expect(missing).toEqual([
      { run: 'TS_2', reason: 'no picks' },
      { run: 'TS_3', reason: 'no picks of "virus": the detection did not end' },
    ]);
    expect(picks.map(({ run }) => run)).toEqual(['TS_1', 'TS_4']);
    const nobody = await gathered(project, { userId: 'nobody' });
    expect(nobody).toMatchObject({ expected: 4, done: [], objects: [], picks: [] });
    expect(nobody.missing.length).toBe(4);
    expect((await gathered(project, { runs: ['TS_4'] })).done).toEqual(['TS_4']);
  });

  it.each<[string, (project: Project, overlay: Store) => Promise<unknown>, RegExp]>([
    [
      'threshold',
      (project) => detect(project, { runs: ['TS_2'], thresholds: { ribosome: 0.6 } }),
      /^"ribosome": threshold is 0\.6, of the others 0\.8$/,
    ],
    [
      'model',
      (project) => detect(project, { runs: ['TS_2', 'TS_4'], model: { ...model, sha256: 'other' }, overwrite: true }),
      /^model\.sha256 is "other", of the others "abc"$/,
    ],
    [
      'options',
      (project) => detect(project, { runs: ['TS_3'], settings: { inverted: true } }),
      /^settings\.inverted is true, of the others not given$/,
    ],
    [
      'objects',
      async (project) => {
        const run = await project.run('TS_1');
        await run.writePicks([], { userId: 'cryoet-picks', sessionId: '0', objects: ['apo-ferritin'] });
      },
      /^"apo-ferritin": picks that the others have not$/,
    ],
    [
      'hand',
      (_, overlay) => edit(overlay, picksKey('TS_2', 'virus'), (text) => `${text}\n`),
      /^"virus": not written by a detection of this program, or changed since$/,
    ],
    [
      'file, truncated,',
      (_, overlay) => edit(overlay, picksKey('TS_2', 'virus'), (text) => text.slice(0, text.length / 2)),
      /TS_2\/Picks\/cryoet-picks_0_virus\.json.* is not JSON/,
    ],
  ])(
    'gatherProject tells the runs whose %s differs, by name, with path and reason, and gathers the others',
    async (_, change, reason) => {
      const { project, overlay } = await fourRuns();
      await detect(project);
      await change(project, overlay);
      for (const from of ['candidates', 'picks'] as const) {
        const { done, differing, failed, missing, picks } = await gathered(project, { from });
        expect({ failed, missing }).toEqual({ failed: [], missing: [] });
        expect(differing.length).toBeGreaterThan(0);
        for (const { run, ...told } of differing) {
          expect(done).not.toContain(run);
          expect(told).toMatchObject({
            reason: expect.stringMatching(reason),
            path: expect.stringMatching(new RegExp(`/ExperimentRuns/${run}/Picks/cryoet-picks_0_[a-z-]+\\.json$`)),
          });
        }
        expect(picks.map(({ run }) => run)).toEqual(done);
        expect([...done, ...differing.map(({ run }) => run)].sort()).toEqual(runs);
      }
    },
  );

  it('gatherProject tells a damaged file of a person as one run, too, and takes a detection for the usual way of equally many', async () => {
    const { project, overlay } = await fourRuns();
    const pick = { object: 'virus', position: { x: 10, y: 20, z: 30 }, score: 1 };
    const me = { userId: 'me', sessionId: '1' };
    for (const run of await project.runs()) await run.writePicks([pick], me);
    const key: StoreKey = '/ExperimentRuns/TS_3/Picks/me_1_virus.json';
    await edit(overlay, key, (text) => text.slice(0, -9));
    const mine = await gathered(project, me);
    expect(mine.picks.map(({ run }) => run)).toEqual(['TS_1', 'TS_2', 'TS_4']);
    expect(mine.differing).toEqual([
      { run: 'TS_3', path: `memory${key}`, reason: expect.stringContaining('is not JSON') },
    ]);
    await detect(project, { runs: ['TS_1', 'TS_2'] });
    await edit(overlay, picksKey('TS_1', 'virus'), (text) => `${text}\n`);
    expect((await gatherProject(project)).done).toEqual(['TS_2']);
  });

  it.each<[string, Partial<DetectProjectOptions>, GatherProjectOptions]>([
    ['are asked for', {}, { thresholds: { ribosome: 0.9 } }],
    ['are chosen by maxFalse', { model: calibrated(model), maxFalse: { ribosome: 0.3 } }, {}],
  ])(
    'gatherProject counts a run without candidates as missing, by name, where thresholds %s',
    async (_, how, options) => {
      const { project } = await fourRuns();
      await detect(project, how);
      await (await project.run('TS_2')).deleteCandidates({ userId: 'cryoet-picks', sessionId: '0' });
      const { done, missing, picks } = await gathered(project, options);
      expect(done).toEqual(['TS_1', 'TS_3', 'TS_4']);
      expect(picks.map(({ run }) => run)).toEqual(done);
      expect(missing).toEqual([
        { run: 'TS_2', hasPicks: true, reason: expect.stringMatching(/no candidates.*other thresholds: ribosome/) },
      ]);
      expect((await gathered(project, { from: 'picks' })).done).toEqual(runs);
    },
  );

  it('gatherProject counts a run without candidates as missing if others were picked with other thresholds since', async () => {
    const { project } = await fourRuns();
    await detect(project);
    for await (const _ of pickProject(project, { thresholds: { ribosome: 0.95 } }));
    await (await project.run('TS_2')).deleteCandidates({ userId: 'cryoet-picks', sessionId: '0' });
    expect((await gathered(project)).missing.map(({ run }) => run)).toEqual(['TS_2']);
  });

  it('gatherProject refuses thresholds that could change nothing: of picks in files, and where there are no candidates', async () => {
    const { project } = await fourRuns();
    await detect(project, { keepCandidates: false });
    const error = { code: 'invalid-option', option: 'thresholds' };
    await expect(gathered(project, { thresholds: 0.9 })).rejects.toMatchObject(error);
    await expect(gathered(project, { from: 'picks', thresholds: 0.9 })).rejects.toMatchObject(error);
    expect((await gathered(project)).done).toEqual(runs);
  });

  it('gatherProject knows by the candidates what the only run that was searched lacks', async () => {
    const { project, overlay } = await fourRuns();
    await detect(project, { runs: ['TS_3'] });
    await overlay.delete(picksKey('TS_3', 'virus'));
    const { done, missing, objects } = await gathered(project);
    expect({ done, objects }).toEqual({ done: [], objects: ['ribosome', 'virus'] });
    expect(missing[2]).toEqual({ run: 'TS_3', reason: 'no picks of "virus": the detection did not end' });
  });

  it('gatherProject gathers the run that has every object, and tells those that were searched for fewer', async () => {
    const { project } = await fourRuns();
    await detect(project, { runs: ['TS_1', 'TS_2', 'TS_3'], objects: [{ name: 'ribosome' }] });
    await detect(project, { runs: ['TS_3'], objects: [{ name: 'virus' }] });
    const { done, missing, picks } = await gathered(project);
    expect(done).toEqual(['TS_3']);
    expect(new Set(picks[0]!.picks.map(({ object }) => object))).toEqual(new Set(['ribosome', 'virus']));
    expect(missing.map(({ run, reason }) => [run, reason])).toEqual([
      ['TS_1', expect.stringMatching(/^no picks of "virus": the detection did not look for it/)],
      ['TS_2', expect.stringMatching(/^no picks of "virus"/)],
      ['TS_4', 'no picks'],
    ]);
  });

  it('gatherProject leaves out a run that was searched at another voxel spacing, if it has that of the others', async () => {
    const { project, overlay, shared } = await fourRuns();
    const folder = subStore(shared, '/ExperimentRuns/TS_2/VoxelSpacing10.300/denoised.zarr');
    await writeTomogram(folder, sourceOf(noise(shape, 9), shape, { voxelSize: [10.3, 10.3, 10.3] }), { levels: 1 });
    await detect(project, { voxelSpacing: 10, runs: ['TS_1', 'TS_3', 'TS_4'] });
    await detect(project, { voxelSpacing: 10.3, runs: ['TS_2'] });
    expect(await gathered(project)).toMatchObject({
      done: ['TS_1', 'TS_3', 'TS_4'],
      differing: [
        {
          run: 'TS_2',
          reason: expect.stringMatching(/^searched at voxel spacing 10.3, though it has tomograms at 10/),
        },
      ],
    });
    // Where a run has no other tomogram, it is searched in that one.
    const without: Store = {
      ...shared,
      async list(key, options) {
        const entries = await shared.list(key, options);
        return key.endsWith('/TS_2') ? entries?.filter(({ name }) => name !== 'VoxelSpacing10.000') : entries;
      },
    };
    expect((await gathered(projectOf({ overlay, static: without }).project)).done).toEqual(runs);
  });

  it('gatherProject takes a setting that is false for one that is not given, of records of before, too', async () => {
    const { project, overlay } = await fourRuns();
    await detect(project, { runs: ['TS_1', 'TS_3'] });
    await detect(project, { runs: ['TS_2'], settings: { resampled: false, inverted: false } });
    const before = await detect(project, { runs: ['TS_4'] });
    const folder = '/ExperimentRuns/TS_4/Picks';
    for (const object of ['ribosome', 'virus']) {
      await edit(overlay, `${folder}/.cryoet-picks_0_${object}.provenance`, (text) => {
        const old = text.replace('"settings": {}', '"settings": {"resampled": false, "inverted": false}');
        expect(old).not.toBe(text);
        return old;
      });
    }
    const { done, picks } = await gathered(project);
    expect(done).toEqual(runs);
    expect(picks.map(({ from }) => from)).toEqual(runs.map(() => 'candidates'));
    expect(picks[3]!.picks).toEqual(before[0]!.picks);
    for await (const { status } of detectProject(project, { model, resume: true })) expect(status).toBe('skipped');
  });

  it('gatherProject takes runs together whose thresholds the same maxFalse has chosen', async () => {
    const { project } = await fourRuns();
    await detect(project, { model: calibrated(model), maxFalse: { ribosome: 0.3 } });
    const chosen = await Promise.all(
      (await project.runs()).map(async (run) => {
        const [set] = await run.pickSets({ object: 'ribosome' });
        return (await set!.origin())!.provenance!.threshold;
      }),
    );
    expect(new Set(chosen).size).toBe(runs.length);
    const { done, records } = await gatherProject(project);
    expect(done).toEqual(runs);
    expect(records.ribosome).not.toHaveProperty('threshold');
    expect(records.virus).toHaveProperty('threshold');
  });

  it('gatherProject gathers picks that no detection wrote, such as those of a person, from their files', async () => {
    const { project } = await fourRuns();
    const pick = { object: 'virus', position: { x: 10, y: 20, z: 30 }, score: 1 };
    for (const run of await project.runs()) await run.writePicks([pick], { userId: 'me', sessionId: '1' });
    const { done, records, picks } = await gathered(project, { userId: 'me', sessionId: '1' });
    expect({ done, records }).toEqual({ done: runs, records: {} });
    expect(picks[0]).toEqual({
      ...{ run: 'TS_1', picks: [pick], from: 'picks' },
      reason: 'nothing is recorded of how they were found',
    });
  });

  it('gatherProject throws if picks are replaced after they were looked at', async () => {
    const { project } = await fourRuns();
    await detect(project);
    const result = await gatherProject(project);
    await detect(project, { runs: ['TS_3'], thresholds: { ribosome: 0.6 } });
    const read: string[] = [];
    const reading = (async () => {
      for await (const { run } of result.picks()) read.push(run);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('run "TS_3"') });
    expect(read).toEqual(['TS_1', 'TS_2']);
  });

  it('gatherProject tells a run that cannot be read as failed, and gathers the others', async () => {
    const { project, overlay } = await fourRuns();
    await detect(project);
    const broken: Store = {
      ...overlay,
      async list(key, options) {
        if (key.includes('TS_2')) throw new Error('the disk is gone');
        return overlay.list(key, options);
      },
    };
    const { done, failed } = await gatherProject(projectOf({ overlay: broken }).project);
    expect(done).toEqual(['TS_1', 'TS_3', 'TS_4']);
    expect(failed).toEqual([{ run: 'TS_2', reason: 'the disk is gone' }]);
  });

  it('gatherProject tells runs whose search failed, with code and attempt, until they are searched with success', async () => {
    const { project } = await fourRuns();
    const fails = { ...model, score: async () => Promise.reject(new Error('no memory')) };
    await detect(project, { runs: ['TS_1', 'TS_2'] });
    for (let i = 0; i < 2; i++) await detect(project, { runs: ['TS_4'], model: fails }).catch(() => {});
    const { done, failed, missing } = await gathered(project);
    expect({ done, missing: missing.map(({ run }) => run) }).toEqual({ done: ['TS_1', 'TS_2'], missing: ['TS_3'] });
    expect(failed).toEqual([
      {
        ...{ run: 'TS_4', code: 'model-failed', attempt: 2, reason: expect.stringContaining('no memory') },
        path: expect.stringContaining('/TS_4/VoxelSpacing10.000/denoised.zarr'),
      },
    ]);
    await detect(project, { runs: ['TS_3', 'TS_4'] });
    expect(await gathered(project)).toMatchObject({ done: runs, failed: [], missing: [] });
  });

  it('gatherProject stops at an abort of its signal', async () => {
    const { project } = await fourRuns();
    await detect(project);
    await expect(gatherProject(project, { signal: AbortSignal.abort('stop') })).rejects.toBe('stop');
    const result = await gatherProject(project);
    await expect(result.picks({ signal: AbortSignal.abort('stop') }).next()).rejects.toBe('stop');
  });

  it('gatherProject holds a few runs at a time: five times as many take no more memory', async () => {
    await gatherMemory(20);
    const [few, many] = [await gatherMemory(60), await gatherMemory(300)];
    expect(many.picks).toBe(5 * few.picks);
    // The picks of each run take over 200 kB.
    expect((many.bytes - few.bytes) / 240).toBeLessThan(20_000);
  }, 120_000);
});
