import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ParticlePick, suppressAcrossObjects, suppressNearby } from '../../src/entry/index.ts';
import { squaredDistance } from '../../src/space/grid.ts';
import { crowdedPicks, pickAt } from '../support/arbitrary-picks.ts';

const minDistance: Readonly<Record<string, number>> = { ribosome: 9, 'apo-ferritin': 5, thyroglobulin: 0 };

/** The definition, comparing every pick with every kept one. */
function suppressedByComparingAll(
  picks: readonly ParticlePick[],
  tooClose: (a: ParticlePick, b: ParticlePick) => boolean,
): ParticlePick[] {
  const ranked = picks.map((pick, i) => ({ pick, i }));
  ranked.sort((a, b) => (a.pick.score === b.pick.score ? a.i - b.i : a.pick.score < b.pick.score ? 1 : -1));
  const kept: ParticlePick[] = [];
  for (const { pick } of ranked) if (!kept.some((other) => tooClose(pick, other))) kept.push(pick);
  return kept;
}

describe('suppressNearby', () => {
  it('suppressNearby equals comparing all pairs', () => {
    fc.assert(
      fc.property(crowdedPicks, (picks) => {
        const tooClose = (a: ParticlePick, b: ParticlePick) =>
          a.object === b.object && squaredDistance(a.position, b.position) < minDistance[a.object] ** 2;
        expect(suppressNearby(picks, { minDistance })).toEqual(suppressedByComparingAll(picks, tooClose));
      }),
      { numRuns: 300 },
    );
  });

  it('suppressNearby leaves no pair closer than asked, changes nothing when repeated, and keeps the best of each object', () => {
    fc.assert(
      fc.property(crowdedPicks, (picks) => {
        const kept = suppressNearby(picks, { minDistance });
        for (const [i, a] of kept.entries()) {
          for (const b of kept.slice(i + 1)) {
            if (a.object !== b.object) continue;
            expect(squaredDistance(a.position, b.position)).toBeGreaterThanOrEqual(minDistance[a.object] ** 2);
          }
        }
        expect(suppressNearby(kept, { minDistance })).toEqual(kept);
        for (const object of Object.keys(minDistance)) {
          const best = (list: ParticlePick[]) =>
            Math.max(...list.filter((p) => p.object === object).map((p) => p.score));
          expect(best(kept)).toBe(best(picks));
        }
        for (const pick of kept) expect(picks).toContain(pick);
      }),
    );
  });

  it.each<[string, ParticlePick[], number, number[]]>([
    ['no picks', [], 5, []],
    ['one pick', [pickAt(0, 0, 0)], 5, [0]],
    ['two exactly at the distance', [pickAt(0, 0, 0), pickAt(3, 4, 0)], 5, [0, 1]],
    ['two just within', [pickAt(0, 0, 0), pickAt(3, 3.99, 0)], 5, [0]],
    ['distance 0 and one place', [pickAt(0, 0, 0), pickAt(0, 0, 0)], 0, [0, 1]],
    ['equal scores: the first wins', [pickAt(0, 0, 0), pickAt(1, 0, 0), pickAt(-1, 0, 0)], 5, [0]],
    [
      'a chain: the middle one is gone and guards nobody',
      [pickAt(0, 0, 0, { score: 3 }), pickAt(4, 0, 0, { score: 2 }), pickAt(8, 0, 0)],
      5,
      [0, 2],
    ],
    ['two objects at one place', [pickAt(0, 0, 0), pickAt(0, 0, 0, { object: 'apo-ferritin' })], 5, [0, 1]],
    [
      'infinite scores',
      [
        pickAt(0, 0, 0, { score: -Infinity }),
        pickAt(1, 0, 0, { score: Infinity }),
        pickAt(2, 0, 0, { score: Infinity }),
      ],
      5,
      [1],
    ],
  ])('suppressNearby keeps the best picks: %s', (_, picks, distance, expected) => {
    expect(suppressNearby(picks, { minDistance: distance })).toEqual(expected.map((i) => picks[i]));
  });

  it('suppressNearby returns the kept picks best first, unchanged, and leaves the input in its order', () => {
    const transform = [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ];
    const picks = [pickAt(0, 0, 0), pickAt(90, 0, 0, { score: 2, transform, instanceId: 7 })];
    const kept = suppressNearby(picks, { minDistance: 5 });
    expect(kept[0]).toBe(picks[1]);
    expect(kept[1]).toBe(picks[0]);
    expect(picks[0].score).toBe(1);
  });

  it('suppressNearby keeps no more of a hundred thousand candidates than fit at the distance', () => {
    const picks: ParticlePick[] = [];
    for (let i = 0; i < 100_000; i++) picks.push(pickAt(i % 100, Math.floor(i / 100) % 100, Math.floor(i / 10_000)));
    expect(suppressNearby(picks, { minDistance: 1000 })).toHaveLength(1);
    expect(suppressNearby(picks, { minDistance: 1 })).toHaveLength(100_000);
  });

  it.each<[string, ParticlePick, RegExp]>([
    ['a NaN score', pickAt(0, 0, 0, { score: Number.NaN }), /pick 1 \("ribosome"\) has the score NaN/],
    ['a NaN position', pickAt(0, Number.NaN, 0), /pick 1 \("ribosome"\) is at x 0, y NaN, z 0 Å/],
    [
      'an infinite position',
      pickAt(0, 0, Number.NEGATIVE_INFINITY),
      /pick 1 \("ribosome"\) is at x 0, y 0, z -Infinity Å/,
    ],
  ])('suppressNearby throws for %s instead of dropping the pick', (_, bad, message) => {
    const run = () => suppressNearby([pickAt(0, 0, 0), bad], { minDistance: 5 });
    expect(run).toThrow(message);
    expect(run).toThrow(expect.objectContaining({ code: 'invalid-picks' }));
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('suppressNearby refuses the distance %s', (bad) => {
    expect(() => suppressNearby([], { minDistance: bad })).toThrow(
      `minDistance must be a finite length ≥ 0 Å, found ${bad}`,
    );
    expect(() => suppressNearby([pickAt(0, 0, 0)], { minDistance: { ribosome: bad } })).toThrow(
      'minDistance of "ribosome" must',
    );
  });

  it.each(['myoglobin', 'constructor'])(
    'suppressNearby refuses picks of an object that the record lacks, such as "%s"',
    (object) => {
      const run = () => suppressNearby([pickAt(0, 0, 0, { object })], { minDistance });
      expect(run).toThrow(
        `minDistance has no value for "${object}"; it has one for "ribosome", "apo-ferritin", "thyroglobulin"`,
      );
      expect(run).toThrow(expect.objectContaining({ code: 'invalid-option' }));
    },
  );
});

describe('suppressAcrossObjects', () => {
  it('suppressAcrossObjects equals comparing all pairs', () => {
    fc.assert(
      fc.property(crowdedPicks, fc.integer({ min: 0, max: 12 }), (picks, distance) => {
        const tooClose = (a: ParticlePick, b: ParticlePick) => squaredDistance(a.position, b.position) < distance ** 2;
        const expected = suppressedByComparingAll(picks, tooClose);
        expect(suppressAcrossObjects(picks, { minDistance: distance })).toEqual(expected);
      }),
    );
  });

  it('suppressAcrossObjects refuses a negative distance', () => {
    expect(() => suppressAcrossObjects([], { minDistance: -1 })).toThrow('minDistance must be');
  });
});
