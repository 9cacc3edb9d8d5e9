import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/entry/simulate.ts';
import { scaleOf } from '../../src/tiles/calibration-curve.ts';
import { calibrationError, fitCurve } from '../../training/unet/calibration-curves.ts';

/** Picks whose logits are too large by `shift`, and `stretch` times too far apart. */
function tomograms(seed: number, { count, shift, stretch }: { count: number; shift: number; stretch: number }) {
  const random = createRandom(seed);
  return Array.from({ length: 12 }, () => {
    const picks = Array.from({ length: count }, () => {
      const logit = 3 * random.normal() + shift;
      const share = 1 / (1 + Math.exp(-(logit - shift) / stretch));
      return { score: 1 / (1 + Math.exp(-logit)), isTrue: (random.uniform() < share ? 1 : 0) as 0 | 1 };
    }).filter(({ score }) => score >= 0.02);
    picks.sort((a, b) => b.score - a.score);
    return { truth: 10, scores: picks.map(({ score }) => score), isTrue: picks.map(({ isTrue }) => isTrue) };
  });
}

const joined = (all: ReturnType<typeof tomograms>, map = (score: number) => score) => ({
  scores: all.flatMap(({ scores }) => scores.map(map)),
  isTrue: all.flatMap(({ isTrue }) => isTrue),
});

describe('the calibration curves of the network', () => {
  it.each([
    { shift: 0, stretch: 1 },
    { shift: 2, stretch: 1 },
    { shift: 1, stretch: 2 },
  ])('fitCurve calibrates the scores of tomograms that it has not seen: $shift, $stretch', (how) => {
    const fitted = fitCurve(tomograms(1, { count: 100, ...how }))!;
    const unseen = tomograms(2, { count: 100, ...how });
    const after = calibrationError(joined(unseen, scaleOf(fitted.curve).calibrated))!;
    expect(after.error).toBeLessThan(0.04);
    expect(after.picks).toBeGreaterThan(500);
    const before = calibrationError(joined(unseen))!;
    if (how.shift > 0) expect(before.error).toBeGreaterThan(0.1);
  });

  it('fitCurve gives a rising curve for few picks, and none where nothing can be learned', () => {
    const few = tomograms(3, { count: 3, shift: 1, stretch: 2 });
    const { curve } = fitCurve(few)!;
    for (const [i, [, share]] of curve.entries()) expect(share).toBeGreaterThan(curve[i - 1]?.[1] ?? 0);
    expect(fitCurve([{ truth: 3, scores: [0.9, 0.5], isTrue: [1, 1] }])).toBeUndefined();
    expect(fitCurve([{ truth: 3, scores: [], isTrue: [] }])).toBeUndefined();
  });

  it('calibrationError is the mean distance of the bins, weighted by picks, and what chance alone gives is told', () => {
    const two = { scores: [0.05, 0.05, 0.95, 0.95], isTrue: [0, 1, 1, 1] as const };
    expect(calibrationError(two)!.error).toBeCloseTo((2 * 0.45 + 2 * 0.05) / 4);
    expect(calibrationError({ scores: [], isTrue: [] })).toBeUndefined();
    const right = calibrationError(joined(tomograms(4, { count: 200, shift: 0, stretch: 1 })))!;
    expect(right.error).toBeLessThan(3 * right.byChance);
    expect(right.byChance).toBeLessThan(0.02);
  });
});
