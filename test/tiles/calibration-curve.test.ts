import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CalibrationCurve } from '../../src/entry/index.ts';
import { scaleOf } from '../../src/tiles/calibration-curve.ts';

const rising = fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { minLength: 8, maxLength: 8 });
/** Curves of one to four points, no two of which are nearer than a thousandth. */
const curves: fc.Arbitrary<CalibrationCurve> = fc
  .tuple(rising, rising, fc.integer({ min: 1, max: 4 }))
  .map(([scores, shares, count]) => {
    const sorted = [scores, shares].map((all) => all.slice(0, count).sort((a, b) => a - b));
    return sorted[0]!.map((score, i) => [score / 1000, sorted[1]![i]! / 1000] as const);
  });
const float = fc.float({ min: Math.fround(-0.5), max: Math.fround(1.5), noNaN: true });

const calibratedScore = (curve: CalibrationCurve | undefined, score: number) => scaleOf(curve).calibrated(score);
const rawThreshold = (curve: CalibrationCurve | undefined, threshold: number) => scaleOf(curve).raw(threshold);

describe('a calibration curve', () => {
  it('the scale of a curve passes through the points, and keeps 0, 1, what lies beyond, and scores without a curve', () => {
    const curve = [
      [0.1, 0.02],
      [0.9, 0.6],
    ] as const;
    expect(calibratedScore(curve, 0.1)).toBeCloseTo(0.02, 6);
    expect(calibratedScore(curve, 0.9)).toBeCloseTo(0.6, 6);
    // Half way between the logits of both.
    expect(calibratedScore(curve, 0.5)).toBeCloseTo(1 / (1 + Math.sqrt((0.98 / 0.02) * (0.4 / 0.6))), 6);
    for (const kept of [-2, 0, 1, 3]) expect(calibratedScore(curve, kept)).toBe(kept);
    expect(calibratedScore(undefined, 0.3)).toBe(0.3);
    expect(rawThreshold(undefined, 0.3)).toBe(0.3);
  });

  it('the scale of a curve changes the odds by one factor before the first point, and by one after the last', () => {
    const odds = (share: number) => share / (1 - share);
    const curve = [
      [0.2, 0.1],
      [0.8, 0.7],
    ] as const;
    for (const [scores, factor] of [
      [[0.01, 0.1, 0.2], odds(0.1) / odds(0.2)],
      [[0.8, 0.9, 0.99], odds(0.7) / odds(0.8)],
    ] as const) {
      for (const score of scores) expect(odds(calibratedScore(curve, score)) / odds(score)).toBeCloseTo(factor, 4);
    }
  });

  it('the scale of a curve never turns the order of two scores', () => {
    fc.assert(
      fc.property(curves, float, float, (curve, a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        expect(calibratedScore(curve, low)).toBeLessThanOrEqual(calibratedScore(curve, high));
        if (high - low > 1e-3) expect(calibratedScore(curve, low)).toBeLessThan(calibratedScore(curve, high));
      }),
    );
  });

  it('the raw threshold parts the scores exactly as the threshold parts the calibrated ones', () => {
    fc.assert(
      fc.property(curves, float, float, (curve, score, threshold) => {
        expect(score >= rawThreshold(curve, threshold)).toBe(calibratedScore(curve, score) >= threshold);
      }),
    );
  });

  it('the raw threshold leads from a calibrated score back to the score', () => {
    fc.assert(
      fc.property(curves, fc.float({ min: Math.fround(0.01), max: Math.fround(0.99), noNaN: true }), (curve, score) => {
        const back = rawThreshold(curve, calibratedScore(curve, score));
        expect(calibratedScore(curve, back)).toBe(calibratedScore(curve, score));
        expect(Math.abs(back - score)).toBeLessThan(1e-3);
      }),
    );
  });
});
