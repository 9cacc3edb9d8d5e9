import { describe, expect, it } from 'vitest';
import {
  averageOf,
  type CalibrationCurves,
  type Candidates,
  connectedComponents,
  detectCandidates,
  detectParticles,
  detectProject,
  formatSubmission,
  localMaxima,
  memoryStore,
  type ParticlePick,
  type Peak,
  picksFromCandidates,
  planTiles,
  type ScoreSlab,
  scorePicks,
  scoreSlabs,
  smoothed,
  splitTouching,
  subStore,
  toPick,
  withFlips,
  writeTomogram,
} from '../../src/entry/index.ts';
import { scaleOf } from '../../src/tiles/calibration-curve.ts';
import { projectOf } from '../support/copick-tree.ts';
import { identityModel } from '../support/identity-model.ts';
import { noise, sourceOf } from '../support/volumes.ts';

const shape = [16, 24, 20] as const;
/** Scores from 0 to 1 of two objects; a third class is the background. */
const tomogram = sourceOf(
  noise(shape, 5).map((value) => 0.5 / (1 + Math.exp(-2 * value))),
  shape,
);
const calibrationCurves: CalibrationCurves = {
  ribosome: [
    [0.02, 0.001],
    [0.3, 0.05],
    [0.45, 0.7],
  ],
  'virus-like-particle': [
    [0.1, 0.3],
    [0.9, 0.5],
  ],
};
const raw = {
  balanced: { ribosome: 0.42, 'virus-like-particle': 0.85 },
  competition: { ribosome: 0.35, 'virus-like-particle': 0.75 },
};
const calibratedNumbers = (numbers: Readonly<Record<string, number>>) =>
  Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [
      name,
      scaleOf(calibrationCurves[name]).calibrated(Math.fround(value)),
    ]),
  );
const card = {
  classes: ['ribosome', 'virus-like-particle'],
  minDistances: { ribosome: 25, 'virus-like-particle': 40 },
  tile: [16, 16, 16],
} as const;
const asNetwork = { ...identityModel({ ...card, thresholds: raw }), sha256: 'abc' };
const thresholds = { balanced: calibratedNumbers(raw.balanced), competition: calibratedNumbers(raw.competition) };
const calibrated = { ...identityModel({ ...card, thresholds, calibrationCurves }), sha256: 'abc' };

const withCalibratedScores = (picks: readonly ParticlePick[]) =>
  picks.map((pick) => ({ ...pick, score: scaleOf(calibrationCurves[pick.object]).calibrated(pick.score) }));
const ofObject = (picks: readonly ParticlePick[], name: string) => picks.filter(({ object }) => object === name);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('a model card with calibration curves', () => {
  it('detectParticles finds the picks of the same card without curves, in the same order, with calibrated scores', async () => {
    for (const set of ['balanced', 'competition'] as const) {
      const options = { thresholds: set, acrossObjects: false };
      const before = await detectParticles(tomogram, { ...options, model: asNetwork });
      const after = await detectParticles(tomogram, { ...options, model: calibrated });
      for (const name of card.classes) {
        expect(ofObject(after, name)).toEqual(withCalibratedScores(ofObject(before, name)));
        expect(ofObject(after, name).length).toBeGreaterThan(3);
      }
    }
  });

  it('a submission has the same particles, and the same score, as without curves', async () => {
    const submissionOf = async (model: typeof calibrated) => {
      const candidates = await detectCandidates(tomogram, { model });
      return picksFromCandidates(candidates, { thresholds: 'competition' });
    };
    const [before, after] = [await submissionOf(asNetwork), await submissionOf(calibrated)];
    const lines = (picks: readonly ParticlePick[]) =>
      formatSubmission([{ run: 'TS_1', picks }])
        .split('\n')
        .map((line) => line.replace(/^\d+,/, ''))
        .sort();
    expect(lines(after)).toEqual(lines(before));
    const truth = ofObject(before, 'ribosome').filter((_, i) => i % 3 === 0);
    const scoreOf = (picks: readonly ParticlePick[]) => scorePicks([{ run: 'TS_1', truth, picks }]).score;
    expect(scoreOf(after)).toBe(scoreOf(before));
    expect(scoreOf(after)).toBeGreaterThan(0);
  });

  it('all that is typed is calibrated: a threshold parts picks exactly where their scores do', async () => {
    const candidates = await detectCandidates(tomogram, { model: calibrated });
    const few = await detectParticles(tomogram, { model: calibrated, thresholds: { ribosome: 0.6 } });
    expect(ofObject(few, 'ribosome').every(({ score }) => score >= 0.6)).toBe(true);
    expect(picksFromCandidates(candidates, { thresholds: { ribosome: 0.6 } })).toEqual(few);
    const floor = Math.min(...Object.values(thresholds.competition), ...Object.values(thresholds.balanced)) / 10;
    expect(candidates.floors).toEqual({ ribosome: floor, 'virus-like-particle': floor });
    expect(Math.min(...candidates.scores)).toBeGreaterThanOrEqual(Math.fround(floor));
    const known = await detectCandidates(tomogram, {
      model: asNetwork,
      floors: { ribosome: 0.2, 'virus-like-particle': 0.2 },
    });
    const again = await detectCandidates(tomogram, {
      model: calibrated,
      floors: calibratedNumbers({ ribosome: 0.2, 'virus-like-particle': 0.2 }),
    });
    expect(again.positions).toEqual(known.positions);
  });

  it('a threshold that is the score of a pick keeps that pick', async () => {
    const candidates = await detectCandidates(tomogram, { model: calibrated });
    const usual = { ribosome: candidates.lowestThresholds.ribosome! };
    for (const { score } of ofObject(picksFromCandidates(candidates, { thresholds: usual }), 'ribosome').slice(0, 20)) {
      const picks = await detectParticles(tomogram, { model: calibrated, thresholds: { ribosome: score } });
      expect(Math.min(...ofObject(picks, 'ribosome').map((pick) => pick.score))).toBe(score);
    }
  });

  it('slabs hold the scores of the network, and all searches find calibrated ones', async () => {
    const plan = planTiles(shape, calibrated.spec);
    const slabsOf = (model: typeof calibrated) => scoreSlabs(tomogram, { plan, model });
    const [plain, own] = [await all(slabsOf(asNetwork)), await all(slabsOf(calibrated))];
    expect(own.map(({ scores }) => scores)).toEqual(plain.map(({ scores }) => scores));
    expect(own[0]!.calibrationCurves).toBe(calibrationCurves);
    const searches: readonly ((
      slabs: readonly ScoreSlab[],
      threshold: Record<string, number>,
    ) => AsyncIterable<Peak>)[] = [
      (slabs, threshold) => localMaxima(slabs, { threshold }),
      (slabs, threshold) => connectedComponents(slabs, { threshold }),
      (slabs, threshold) => splitTouching(slabs, { threshold, minDistance: 15 }),
      (slabs, threshold) => localMaxima(smoothed(slabs, { sigma: 5 }), { threshold }),
    ];
    for (const search of searches) {
      const found = await all(search(own, { ribosome: 0.04, 'virus-like-particle': 0.4 }));
      const lowest = Object.fromEntries(
        Object.entries({ ribosome: 0.04, 'virus-like-particle': 0.4 }).map(([name, share]) => [
          name,
          scaleOf(calibrationCurves[name]).raw(share),
        ]),
      );
      const expected = await all(search(plain, lowest));
      expect(found.map(toPick)).toEqual(withCalibratedScores(expected.map(toPick)));
      expect(found.length).toBeGreaterThan(3);
    }
  });

  it('slabs with a broken curve are refused', async () => {
    const plan = planTiles(shape, calibrated.spec);
    const slabs = await all(scoreSlabs(tomogram, { plan, model: calibrated }));
    const broken = slabs.map((slab) => ({ ...slab, calibrationCurves: { ribosome: [[0.5, 2]] } }));
    await expect(all(localMaxima(broken as never, { threshold: 0.5 }))).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('calibrationCurves'),
    });
  });

  it('withFlips and averageOf keep the curves, on whose scale the thresholds are', () => {
    expect(withFlips(calibrated, ['x']).spec).toMatchObject({ calibrationCurves, thresholds });
    expect(averageOf(calibrated, asNetwork).spec).toMatchObject({ calibrationCurves, thresholds });
  });

  it('candidates are kept with calibrated scores, and are told apart from those of another curve', async () => {
    const [overlay, shared] = [memoryStore(), memoryStore()];
    const folder = subStore(shared, '/ExperimentRuns/TS_1/VoxelSpacing10.000/denoised.zarr');
    await writeTomogram(folder, tomogram, { levels: 1 });
    const { project } = projectOf({ overlay, static: shared });
    const options = { tomogram: 'denoised', userId: 'me', sessionId: '1' };
    const results = await all(detectProject(project, { ...options, model: calibrated }));
    expect(results[0]).toMatchObject({ status: 'detected' });
    const run = await project.run('TS_1');
    const stored: { readonly candidates: Candidates } = await run.readCandidates({ userId: 'me', sessionId: '1' });
    const { objects } = project;
    expect(stored.candidates).toEqual(await detectCandidates(tomogram, { model: calibrated, objects }));
    const [other] = await all(detectProject(project, { ...options, model: asNetwork, resume: true }));
    expect(other).toMatchObject({ status: 'failed' });
    expect(String((other as { readonly error: Error }).error)).toContain('calibrationCurves');
  });
});
