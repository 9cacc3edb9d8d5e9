import { describe, expect, it } from 'vitest';
import {
  averageOf,
  type Candidates,
  type CardThresholds,
  chooseObjects,
  chooseThresholds,
  type DetectOptions,
  detectCandidates,
  detectParticles,
  detectProject,
  detectRun,
  estimateFalsePicks,
  gatherProject,
  memoryStore,
  type ParticlePick,
  type PicksFromCandidatesOptions,
  type Project,
  pickProject,
  picksFromCandidates,
  subStore,
  withFlips,
  writeDetection,
  writeTomogram,
} from '../../src/entry/index.ts';
import { projectOf } from '../support/copick-tree.ts';
import { calibrated, identityModel } from '../support/identity-model.ts';
import { noise, sourceOf } from '../support/volumes.ts';

const shape = [10, 16, 18] as const;
const balanced = { ribosome: 0.8, virus: 2.6 };
const competition = { ribosome: 0.5, virus: 1.5 };
/** Both objects have their peaks at the same voxels. */
const card = { classes: ['ribosome', null, 'virus'], minDistances: { ribosome: 25, virus: 40 } };
const cardOf = (thresholds: CardThresholds) => ({
  ...identityModel({ ...card, thresholds }),
  sha256: 'abc',
});
const model = cardOf({ balanced, competition });
const tomogram = sourceOf(noise(shape, 3), shape);
const runs = ['TS_1', 'TS_2'];

/** A project whose runs have the tomograms of {@link tomogramOf}. */
async function twoRuns(): Promise<Project> {
  const [overlay, shared] = [memoryStore(), memoryStore()];
  for (const run of runs) {
    const folder = subStore(shared, `/ExperimentRuns/${run}/VoxelSpacing10.000/denoised.zarr`);
    await writeTomogram(folder, tomogramOf(run), { levels: 1, overwrite: true });
  }
  return projectOf({ overlay, static: shared }).project;
}

const tomogramOf = (run: string) => sourceOf(noise(shape, runs.indexOf(run) + 3), shape);

async function all<T>(results: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const result of results) found.push(result);
  return found;
}

/** What a function that yields results of runs finds. */
async function picksOf(results: AsyncIterable<{ status: string; picks?: readonly ParticlePick[]; error?: unknown }>) {
  const found: (readonly ParticlePick[])[] = [];
  for await (const result of results) {
    if (result.status === 'failed') throw result.error;
    found.push(result.picks!);
  }
  return found;
}

async function gathered(project: Project, options: Parameters<typeof gatherProject>[1] = {}) {
  const { picks } = await gatherProject(project, options);
  const found: (readonly ParticlePick[])[] = [];
  for await (const one of picks()) found.push(one.picks);
  return found;
}

/** Fresh searches of the same tomograms, in the order of the files. */
function fresh(options: Omit<DetectOptions, 'model'>) {
  return Promise.all(
    runs.map(async (run) => {
      const picks = await detectParticles(tomogramOf(run), { model, ...options });
      return picks.toSorted((a, b) => (a.object < b.object ? -1 : a.object > b.object ? 1 : 0));
    }),
  );
}

const manyOf = (found: readonly (readonly ParticlePick[])[]) => found.flat().length;

describe('two sets of thresholds', () => {
  it('detectParticles picks at the balanced thresholds, one label for each place', async () => {
    const picks = await detectParticles(tomogram, { model });
    expect(picks).toEqual(await detectParticles(tomogram, { model: cardOf(balanced), acrossObjects: true }));
    expect(picks).toEqual(await detectParticles(tomogram, { model, thresholds: 'balanced' }));
    expect(picks.length).toBeGreaterThan(5);
  });

  it('detectParticles picks at the thresholds of the competition with objects that do not affect each other', async () => {
    const picks = await detectParticles(tomogram, { model, thresholds: 'competition' });
    expect(picks).toEqual(await detectParticles(tomogram, { model: cardOf(competition) }));
    const apart = await detectParticles(tomogram, { model, thresholds: 'competition', acrossObjects: true });
    expect(apart.length).toBeLessThan(picks.length);
  });

  it.each<[string, PicksFromCandidatesOptions]>([
    ['nothing given', {}],
    ['the balanced set', { thresholds: 'balanced' }],
    ['that of the competition', { thresholds: 'competition' }],
    ['that of the competition, with one label', { thresholds: 'competition', acrossObjects: 30 }],
    ['a number', { thresholds: 0.7 }],
    ['numbers of one object', { thresholds: { virus: 1.9 } }],
    ['balanced, with objects that do not affect each other', { acrossObjects: false, max: 5 }],
    ['one object', { objects: [{ name: 'virus' }], thresholds: 'competition' }],
  ])('picksFromCandidates gives the picks of a fresh search from one detection: %s', async (_, options) => {
    const candidates = await detectCandidates(tomogram, { model });
    const picks = picksFromCandidates(candidates, options);
    expect(picks).toEqual(await detectParticles(tomogram, { model, ...options }));
    expect(picks.length).toBeGreaterThan(0);
  });

  it('candidates are the same whichever set a detection is asked for, and hold both with the numbers it was given', async () => {
    const candidates = await detectCandidates(tomogram, { model });
    expect(candidates).toMatchObject({ thresholds: balanced, competitionThresholds: competition });
    expect(await detectCandidates(tomogram, { model, thresholds: 'competition' })).toEqual(candidates);
    const given = await detectCandidates(tomogram, { model, thresholds: { virus: 2 } });
    expect(given.thresholds).toEqual({ ...balanced, virus: 2 });
    expect(given.competitionThresholds).toEqual({ ...competition, virus: 2 });
  });

  it('candidates go down to a tenth of the lowest threshold of both sets, and are kept down to the threshold of a submission', async () => {
    const candidates = await detectCandidates(tomogram, { model });
    expect(candidates.floors).toEqual({ ribosome: 0.05, virus: 0.05 });
    const high = cardOf({ balanced: { ribosome: 0.97, virus: 2.9 }, competition: { ribosome: 0.9, virus: 2.7 } });
    const few = await detectCandidates(tomogram, { model: high, candidatesPerObject: 1 });
    expect(few.lowestThresholds).toEqual({ ribosome: 0.9, virus: 2.7 });
    for (const thresholds of ['balanced', 'competition'] as const) {
      expect(picksFromCandidates(few, { thresholds })).toEqual(
        await detectParticles(tomogram, { model: high, thresholds }),
      );
    }
    await expect(detectCandidates(tomogram, { model, floors: { virus: 2 } })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('which is above its threshold, 1.5'),
    });
  });

  it('chooseObjects gives thresholds and the distance across objects of either set', () => {
    const { spec } = model;
    expect(chooseObjects(spec)).toMatchObject({
      thresholds: balanced,
      competitionThresholds: competition,
      acrossObjects: 25,
    });
    expect(chooseObjects(spec, undefined, { thresholds: 'competition' })).toMatchObject({
      thresholds: competition,
      acrossObjects: 0,
    });
    expect(() => chooseObjects(spec, undefined, { thresholds: 'f2' as never })).toThrow(
      "thresholds must be 'balanced', 'competition', a number, or numbers by object name, found \"f2\"",
    );
  });

  it('estimateFalsePicks counts the picks of either set, and maxFalse tells what the threshold of the set is', async () => {
    const telling = calibrated(model);
    const candidates = await detectCandidates(tomogram, { model: telling });
    const submission = picksFromCandidates(candidates, { thresholds: 'competition' });
    const { ribosome } = estimateFalsePicks(candidates, { thresholds: 'competition' });
    expect(ribosome?.picks).toBe(submission.filter(({ object }) => object === 'ribosome').length);
    const project = await twoRuns();
    const options = { model: telling, thresholds: 'competition', maxFalse: { ribosome: 0.4 } } as const;
    const { maxFalse, picks } = await detectRun(project, 'TS_1', options);
    expect(maxFalse?.ribosome?.usualThreshold).toBe(competition.ribosome);
    const chosen = chooseThresholds(candidates, { maxFalse: { ribosome: 0.4 } });
    expect(picks.length).toBeGreaterThan(0);
    expect(picks.filter(({ object }) => object === 'virus')).toEqual(
      submission.filter(({ object }) => object === 'virus'),
    );
    expect(maxFalse?.ribosome?.threshold).toBe(chosen.ribosome);
  });

  it('wrappers of a model keep both sets of its card', () => {
    expect(withFlips(model, ['x']).spec.thresholds).toEqual({ balanced, competition });
    expect(averageOf(model, cardOf(balanced)).spec.thresholds).toEqual({ balanced, competition });
  });
});

describe('one set of thresholds', () => {
  it('a card with one set has the same picks for both, and objects that do not affect each other', async () => {
    const flat = cardOf(competition);
    const picks = await detectParticles(tomogram, { model: flat });
    expect(await detectParticles(tomogram, { model: flat, thresholds: 'competition' })).toEqual(picks);
    expect(picks).toEqual(await detectParticles(tomogram, { model: flat, acrossObjects: false }));
    const candidates: Candidates = await detectCandidates(tomogram, { model: flat });
    expect(candidates.competitionThresholds).toBeUndefined();
    for (const thresholds of ['balanced', 'competition'] as const) {
      expect(picksFromCandidates(candidates, { thresholds })).toEqual(picks);
    }
  });

  it('a set may have an object of the name of a set', async () => {
    const odd = identityModel({ classes: ['balanced', 'competition'], thresholds: { balanced: 1, competition: 2 } });
    expect(chooseObjects(odd.spec).thresholds).toEqual({ balanced: 1, competition: 2 });
  });
});

describe('two sets of thresholds in a project', () => {
  it('one detection gives the balanced picks of the overlay, and the submission of a fresh search', async () => {
    const project = await twoRuns();
    const found = await picksOf(detectProject(project, { model }));
    expect(found).toEqual(await fresh({}));
    expect(await gathered(project)).toEqual(found);
    const submission = await gathered(project, { thresholds: 'competition' });
    expect(submission).toEqual(await fresh({ thresholds: 'competition' }));
    expect(manyOf(submission)).toBeGreaterThan(manyOf(found));
    const some = await gathered(project, { thresholds: { virus: 1.9 } });
    expect(some).toEqual(await fresh({ thresholds: { virus: 1.9 } }));
  });

  it('numbers that a detection was given hold in its submission too', async () => {
    const project = await twoRuns();
    await picksOf(detectProject(project, { model, thresholds: { virus: 1.9 } }));
    const submission = await gathered(project, { thresholds: 'competition' });
    expect(submission).toEqual(await fresh({ thresholds: { ...competition, virus: 1.9 }, acrossObjects: false }));
  });

  it.each(['balanced', 'competition'] as const)(
    'detectProject, pickProject and writeDetection write the same files and records with %s thresholds',
    async (thresholds) => {
      const files = async (project: Project) => {
        const run = await project.run('TS_1');
        const sets = await run.pickSets({ userId: 'cryoet-picks', sessionId: '0' });
        return Promise.all(
          sets.map(async (set) => ({ picks: (await set.read()).picks, record: (await set.origin())?.provenance })),
        );
      };
      const detected = await twoRuns();
      await picksOf(detectProject(detected, { model, thresholds }));
      const expected = await files(detected);
      const picked = await twoRuns();
      await picksOf(
        detectProject(picked, { model, thresholds: thresholds === 'balanced' ? 'competition' : 'balanced' }),
      );
      expect(await files(picked)).not.toEqual(expected);
      await picksOf(pickProject(picked, { thresholds }));
      expect(await files(picked)).toEqual(expected);
      const again = await all(detectProject(picked, { model, thresholds, resume: true }));
      expect(again.map(({ status }) => status)).toEqual(['skipped', 'skipped']);
      if (thresholds === 'competition') return;
      const written = await twoRuns();
      const run = await written.run('TS_1');
      const candidates = await detectCandidates(await run.tomogram('denoised'), { model });
      await writeDetection(run, candidates, { model, tomogram: 'denoised' });
      expect(await files(written)).toEqual(expected);
    },
  );

  it('resume refuses picks of another set, and of a card whose submissions have other thresholds', async () => {
    const project = await twoRuns();
    await picksOf(detectProject(project, { model }));
    const resumed = (options: object) => all(detectProject(project, { model, resume: true, ...options }));
    const messages = async (options: object) =>
      (await resumed(options)).map((result) => (result.status === 'failed' ? (result.error as Error).message : ''));
    expect((await messages({ thresholds: 'competition' }))[0]).toMatch(
      /threshold was 0\.8, is 0\.5.*acrossObjects was true/,
    );
    const other = cardOf({ balanced, competition: { ...competition, virus: 1.2, ribosome: 0.4 } });
    expect((await messages({ model: other }))[0]).toContain('competitionThreshold was 0.5, is 0.4');
  });

  it('candidates keep both sets in their file, and those of a card with one set are written as ever', async () => {
    const project = await twoRuns();
    await picksOf(detectProject(project, { model }));
    const run = await project.run('TS_1');
    const author = { userId: 'cryoet-picks', sessionId: '0' };
    expect((await run.readCandidates(author)).candidates).toEqual(await detectCandidates(tomogram, { model }));
    await picksOf(detectProject(project, { model: cardOf(balanced), overwrite: true }));
    expect((await run.readCandidates(author)).candidates.competitionThresholds).toBeUndefined();
  });

  it('gatherProject makes no submission of files with other thresholds, and takes files that have those of the competition', async () => {
    const project = await twoRuns();
    const options = { model, keepCandidates: false, overwrite: true } as const;
    const found = await picksOf(detectProject(project, options));
    expect(found).toEqual(await fresh({}));
    expect(await gathered(project)).toEqual(found);
    await expect(gathered(project, { thresholds: 'competition' })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('there are no candidates, and its picks files are not those of a submission'),
    });
    expect(await gathered(project, { from: 'picks' })).toEqual(found);
    const submission = await picksOf(detectProject(project, { ...options, thresholds: 'competition' }));
    expect(await gathered(project, { thresholds: 'competition' })).toEqual(submission);
    expect(submission).toEqual(await fresh({ thresholds: 'competition' }));
  });

  it('gatherProject counts runs without candidates as missing if their files are not those of a submission', async () => {
    const project = await twoRuns();
    await picksOf(detectProject(project, { model }));
    await (await project.run('TS_2')).deleteCandidates({ userId: 'cryoet-picks', sessionId: '0' });
    const { done, missing } = await gatherProject(project, { thresholds: 'competition' });
    expect(done).toEqual(['TS_1']);
    expect(missing).toMatchObject([
      { run: 'TS_2', hasPicks: true, reason: expect.stringContaining('other thresholds') },
    ]);
    expect((await gatherProject(project)).done).toEqual(runs);
  });
});
