import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Calibration,
  type Candidates,
  chooseThresholds,
  estimateFalsePicks,
  type Mask,
  type ParticlePick,
  picksFromCandidates,
} from '../../src/entry/index.ts';

const calibration: Calibration = {
  floor: 0.01,
  minDistance: 20,
  sure: 0.88,
  doubtful: 0.5,
  weights: { constant: -9, score: 0.8, sureScore: 0.4, sureDensity: 1, doubtfulDensity: -0.2 },
  concentration: 30,
};

interface Given {
  readonly scores: readonly number[];
  /** x of each, in Å. @defaultValue far apart */
  readonly xs?: readonly number[];
  readonly lowest?: number;
  readonly calibrations?: Candidates['calibration'];
}

/** Candidates of a ribosome in a row. */
function candidatesOf({ scores, xs, lowest = 0.005, calibrations = { ribosome: calibration } }: Given): Candidates {
  const of = (value: number) => ({ ribosome: value });
  return {
    grid: { shape: [100, 200, 200], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } },
    objects: ['ribosome'],
    thresholds: of(0.5),
    minDistances: of(20),
    floors: of(lowest),
    lowestThresholds: of(lowest),
    calibration: calibrations,
    objectIndices: new Uint16Array(scores.length),
    positions: Float64Array.from(scores.flatMap((_, i) => [xs?.[i] ?? 100 * i, 0, 0])),
    scores: Float32Array.from(scores),
  };
}

/** The probability to be true of each pick, from the words of the documentation. */
function probabilities(candidates: Candidates, threshold: number): number[] {
  const { weights, sure, doubtful, floor } = calibration;
  const logit = (p: number) => Math.min(8, Math.max(-6, Math.log(p / (1 - p))));
  const all = picksFromCandidates(candidates, { thresholds: 0.005 })
    .map(({ score }) => score)
    .filter((score) => score >= floor);
  const cubicMicrometres = (100 * 200 * 200 * 1000) / 1e12;
  const density = (count: number) => Math.log((count + 0.5) / cubicMicrometres);
  return all
    .filter((score) => score >= threshold)
    .map((score) => {
      const logOdds =
        weights.constant +
        weights.score * logit(score) +
        weights.sureScore * Math.max(0, logit(score) - logit(sure)) +
        weights.sureDensity * density(all.filter((one) => one >= sure).length) +
        weights.doubtfulDensity * density(all.filter((one) => one < doubtful).length);
      return 1 / (1 + Math.exp(-logOdds));
    });
}

const scores = fc.array(fc.double({ min: 0.005, max: 0.999, noNaN: true }).map(Math.fround), { maxLength: 60 });
const some = [0.999, 0.99, 0.99, 0.97, 0.9, 0.8, 0.6, 0.55, 0.3, 0.2, 0.1, 0.05, 0.02, 0.02, 0.01];

describe('estimateFalsePicks', () => {
  it('estimateFalsePicks counts the picks, and sums one minus the probability of each, as the calibration defines it', () => {
    fc.assert(
      fc.property(scores, fc.constantFrom(0.02, 0.3, 0.5, 0.9), (given, thresholds) => {
        const candidates = candidatesOf({ scores: given });
        const expected = probabilities(candidates, thresholds);
        const { picks, falsePicks, interval, reason } = estimateFalsePicks(candidates, { thresholds }).ribosome!;
        expect(picks).toBe(picksFromCandidates(candidates, { thresholds }).length);
        if (reason !== undefined) {
          expect([falsePicks, interval]).toEqual([undefined, undefined]);
          return;
        }
        expect(falsePicks).toBeCloseTo(
          expected.reduce((sum, p) => sum + 1 - p, 0),
          9,
        );
        const [low, high] = interval!;
        expect(Number.isInteger(low) && Number.isInteger(high)).toBe(true);
        expect(0 <= low && low <= high && high <= picks).toBe(true);
      }),
    );
  });

  it('estimateFalsePicks takes the quantiles of a beta-binomial distribution, here those of scipy.stats.betabinom', () => {
    // 20 picks of one score; constant alone, so that a quarter is false: betabinom(20, 7.5, 22.5).ppf([0.05, 0.95]) is [1, 9].
    const weights = { constant: Math.log(3), score: 0, sureScore: 0, sureDensity: 0, doubtfulDensity: 0 };
    const calibrations = { ribosome: { ...calibration, weights } };
    const candidates = candidatesOf({ scores: Array.from({ length: 20 }, () => 0.7), calibrations });
    const { falsePicks, interval } = estimateFalsePicks(candidates).ribosome!;
    expect(falsePicks).toBeCloseTo(5, 9);
    expect(interval).toEqual([1, 9]);
  });

  it('estimateFalsePicks calls more of the same scores false where sure picks are rare', () => {
    const rare = estimateFalsePicks(candidatesOf({ scores: some }), { thresholds: 0.1 }).ribosome!;
    const common = estimateFalsePicks(candidatesOf({ scores: [...some, ...some] }), { thresholds: 0.1 }).ribosome!;
    expect(common.falsePicks! / common.picks).toBeLessThan(rare.falsePicks! / rare.picks);
  });

  it('estimateFalsePicks counts picks after suppression', () => {
    const candidates = candidatesOf({ scores: [0.99, 0.98, 0.97], xs: [0, 10, 100] });
    expect(estimateFalsePicks(candidates).ribosome!.picks).toBe(2);
  });

  it('estimateFalsePicks estimates a part of the picks so that the parts add up to the whole', () => {
    const calibrations = { ribosome: { ...calibration, concentration: 1000 } };
    const candidates = candidatesOf({ scores: [...some, ...some, ...some, ...some], calibrations });
    const estimate = (counts?: (pick: ParticlePick) => boolean) =>
      estimateFalsePicks(candidates, { thresholds: 0.02, counts }).ribosome!;
    const parts = [estimate(({ score }) => score > 0.6), estimate(({ score }) => score <= 0.6)];
    const whole = estimate();
    expect(parts[0]!.picks + parts[1]!.picks).toBe(whole.picks);
    expect(parts[0]!.falsePicks! + parts[1]!.falsePicks!).toBeCloseTo(whole.falsePicks!, 9);
    expect(parts[0]!.falsePicks! / parts[0]!.picks).toBeLessThan(parts[1]!.falsePicks! / parts[1]!.picks);
    expect(estimate(() => false)).toMatchObject({ picks: 0, falsePicks: 0 });
  });

  it('estimateFalsePicks takes the densities of the whole tomogram for the picks that a mask leaves', () => {
    const calibrations = { ribosome: { ...calibration, concentration: 1000 } };
    const candidates = candidatesOf({ scores: [...some, ...some, ...some, ...some], calibrations });
    const left: Mask = ({ x }) => x < 1450;
    const right: Mask = ({ x }) => x >= 1450;
    const sum = [left, right]
      .map((mask) => estimateFalsePicks(candidates, { thresholds: 0.02, mask }).ribosome!)
      .reduce((total, one) => total + (one.falsePicks ?? Number.NaN), 0);
    expect(sum).toBeCloseTo(estimateFalsePicks(candidates, { thresholds: 0.02 }).ribosome!.falsePicks!, 9);
  });

  it('estimateFalsePicks gives 0 of 0 where there is no pick', () => {
    expect(estimateFalsePicks(candidatesOf({ scores: [] })).ribosome).toEqual({
      picks: 0,
      falsePicks: 0,
      interval: [0, 0],
    });
  });

  it.each<[string, Candidates, Parameters<typeof estimateFalsePicks>[1], string]>([
    [
      'no calibration',
      candidatesOf({ scores: some, calibrations: {} }),
      {},
      'the model card has no calibration of ribosome',
    ],
    [
      'missing candidates',
      candidatesOf({ scores: some, lowest: 0.05 }),
      {},
      "candidates are known down to a score of 0.05 only, and the model's calibration of ribosome needs all down to 0.01",
    ],
    [
      'a threshold below the calibration',
      candidatesOf({ scores: some }),
      { thresholds: 0.006 },
      "the model's calibration of ribosome starts at a score of 0.01",
    ],
    [
      'another minimum distance',
      candidatesOf({ scores: some }),
      { minDistances: 30 },
      `picks are at least 30 Å apart, and the model's calibration of ribosome is for ${calibration.minDistance} Å`,
    ],
    [
      'a volume without voxels',
      { ...candidatesOf({ scores: some }), grid: { ...candidatesOf({ scores: [] }).grid, shape: [0, 200, 200] } },
      {},
      'the tomogram has no voxels (0×200×200)',
    ],
    ['an interval that tells nothing', candidatesOf({ scores: [0.9] }), {}, 'anything from 0 to 1 of 1 is possible'],
  ])('estimateFalsePicks says why it cannot tell: %s', (_, candidates, options, words) => {
    const { picks, falsePicks, interval, reason } = estimateFalsePicks(candidates, options).ribosome!;
    expect(picks).toBe(picksFromCandidates(candidates, options).length);
    expect([falsePicks, interval]).toEqual([undefined, undefined]);
    expect(reason).toBe(words);
  });

  it('estimateFalsePicks refuses thresholds as picksFromCandidates does', () => {
    expect(() => estimateFalsePicks(candidatesOf({ scores: some }), { thresholds: 0.001 })).toThrow(
      expect.objectContaining({ code: 'invalid-option', option: 'thresholds' }),
    );
  });
});

describe('chooseThresholds', () => {
  it('chooseThresholds gives the lowest threshold at which no larger share is false, by the same probabilities', () => {
    fc.assert(
      fc.property(scores, fc.constantFrom(0, 0.1, 0.2, 0.5, 1), (given, maxFalse) => {
        const candidates = candidatesOf({ scores: given });
        const threshold = chooseThresholds(candidates, { maxFalse }).ribosome!;
        const shareAt = (at: number) => {
          const expected = probabilities(candidates, at);
          return expected.length === 0 ? 0 : 1 - expected.reduce((sum, p) => sum + p, 0) / expected.length;
        };
        expect(shareAt(threshold)).toBeLessThanOrEqual(maxFalse + 1e-9);
        for (const lower of candidates.scores) {
          if (lower < threshold && lower >= calibration.floor) expect(shareAt(lower)).toBeGreaterThan(maxFalse - 1e-9);
        }
      }),
    );
  });

  it('chooseThresholds lies above all picks where even the best one is too likely false', () => {
    const candidates = candidatesOf({ scores: [0.3, 0.2] });
    const thresholds = chooseThresholds(candidates, { maxFalse: 0.1 });
    expect(picksFromCandidates(candidates, { thresholds })).toEqual([]);
  });

  it('chooseThresholds leaves out an object of which it cannot be told, and one without a maximum', () => {
    expect(chooseThresholds(candidatesOf({ scores: some, calibrations: {} }), { maxFalse: 0.2 })).toEqual({});
    expect(chooseThresholds(candidatesOf({ scores: some }), { maxFalse: {} })).toEqual({});
  });

  it.each([
    ['a share above 1', { maxFalse: 2 }],
    ['a share that is not a number', { maxFalse: { ribosome: Number.NaN } }],
    ['an unknown object', { maxFalse: { microtubule: 0.2 } }],
  ])('chooseThresholds refuses %s', (_, options) => {
    expect(() => chooseThresholds(candidatesOf({ scores: some }), options)).toThrow(
      expect.objectContaining({ code: 'invalid-option', option: 'maxFalse' }),
    );
  });
});
