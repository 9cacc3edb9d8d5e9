import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ParticlePick, suppressAcrossObjects, suppressNearby } from '../../src/entry/index.ts';
import { bestFirst } from '../../src/picks/pick.ts';
import { squaredDistance } from '../../src/space/grid.ts';
import { pickAt } from '../support/arbitrary-picks.ts';

/** The definition: best first, equal scores in their order, a kept pick drops what is closer. */
function byComparingAll(picks: readonly ParticlePick[], distance: number): ParticlePick[] {
  const kept: ParticlePick[] = [];
  const sorted = [...picks].sort((a, b) => (a.score > b.score ? -1 : a.score < b.score ? 1 : 0));
  for (const pick of sorted) {
    if (!kept.some((other) => squaredDistance(pick.position, other.position) < distance * distance)) kept.push(pick);
  }
  return kept;
}

/** The same objects in the same order: positions and scores that print alike must not pass for each other. */
function expectSame(found: readonly ParticlePick[], expected: readonly ParticlePick[]): void {
  expect(found.length).toBe(expected.length);
  expect(found.every((pick, i) => pick === expected[i])).toBe(true);
}

const coordinate = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -9, max: 9 }) },
  { weight: 3, arbitrary: fc.double({ min: -20, max: 20, noNaN: true }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, -0, 1e-170, -1e-170, 2e-162, 1e18, -1e300, 2 ** 53, 2 ** 53 + 2, 1.7e308),
  },
);
const distance = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 12 }) },
  { weight: 2, arbitrary: fc.double({ min: 0, max: 30, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(5e-324, 2.1e-162, 1e-160, 1e-150, 1e-9, 1e18, 1e155, Number.MAX_VALUE) },
);
const score = fc.oneof(
  fc.integer({ min: -2, max: 3 }),
  fc.constantFrom(0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324, -5e-324, 1 + Number.EPSILON, 1),
  fc.double({ noNaN: true }),
);
const pick = fc.record({
  object: fc.constant('ribosome'),
  position: fc.record({ x: coordinate, y: coordinate, z: coordinate }),
  score,
});

describe('suppression against comparing all pairs', () => {
  it('greedy suppression equals comparing all pairs, in picks and order, however far apart, close, tied or small', () => {
    fc.assert(
      fc.property(fc.array(pick, { maxLength: 80 }), distance, (picks, minDistance) => {
        const expected = byComparingAll(picks, minDistance);
        expectSame(suppressNearby(picks, { minDistance }), expected);
        expectSame(suppressAcrossObjects(picks, { minDistance }), expected);
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, (i: number) => ParticlePick]>([
    ['a line of rising scores, so that the way to the best is long', (i) => pickAt(3 * i, 0, 0, { score: i })],
    ['a line of falling scores', (i) => pickAt(0, 3 * i, 0, { score: -i })],
    ['all at one place', (i) => pickAt(7, 7, 7, { score: i % 5 })],
    ['equal scores on a lattice of exact distances', (i) => pickAt((i % 12) * 5, Math.floor(i / 12) * 5, 0)],
    ['far-flung clusters, whose cells share numbers', (i) => pickAt((i % 9) * 1e9 + i / 9, (i % 7) * -1e12, i % 4)],
    ['cells a power of two apart', (i) => pickAt(i * 5 * 2048, (i % 3) * 5 * 65536, 0, { score: i % 7 })],
    [
      'a spiral of alternating scores',
      (i) => pickAt(i * Math.cos(i), i * Math.sin(i), i / 9, { score: (i * 7919) % 31 }),
    ],
  ])('greedy suppression equals comparing all pairs for %s', (_, at) => {
    const picks = Array.from({ length: 2000 }, (_, i) => at(i));
    for (const minDistance of [0, 4, 5, 5.0001, 40]) {
      expectSame(suppressNearby(picks, { minDistance }), byComparingAll(picks, minDistance));
    }
  });

  it('greedy suppression takes neither a deep stack nor quadratic time for a hundred thousand picks that lead to one another', () => {
    const picks = Array.from({ length: 100_000 }, (_, i) => pickAt(i, 0, 0, { score: i }));
    expect(suppressNearby(picks, { minDistance: 1.5 })).toHaveLength(50_000);
    expect(suppressNearby(picks, { minDistance: 1e7 })).toHaveLength(1);
  });
});

describe('bestFirst against a stable sort by comparison', () => {
  it('bestFirst gives the order of a stable sort by comparison', () => {
    fc.assert(
      fc.property(fc.array(score, { maxLength: 300 }), (scores) => {
        const picks = scores.map((value, i) => pickAt(i, 0, 0, { score: value }));
        expectSame(bestFirst(picks, 'test'), byComparingAll(picks, 0));
      }),
      { numRuns: 500 },
    );
  });

  it('bestFirst gives the order of a stable sort for so many picks that it takes more bits at a time', () => {
    const picks = Array.from({ length: 70_000 }, (_, i) => pickAt(0, 0, 0, { score: Math.sin(i * (i % 300)) }));
    const expected = [...picks].sort((a, b) => (a.score > b.score ? -1 : a.score < b.score ? 1 : 0));
    expectSame(bestFirst(picks, 'test'), expected);
  });
});
