import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeNearby, type ParticlePick } from '../../src/entry/index.ts';
import { squaredDistance } from '../../src/space/grid.ts';
import { crowdedPicks, pickAt } from '../support/arbitrary-picks.ts';

const identity = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
  [0, 0, 0, 1],
];

describe('mergeNearby', () => {
  it.each<[string, ParticlePick[], number, ParticlePick[]]>([
    ['no picks', [], 5, []],
    [
      'a pick alone stays to the last bit',
      [pickAt(0.1, 0.7, 1e-3, { score: 0.3 })],
      5,
      [pickAt(0.1, 0.7, 1e-3, { score: 0.3 })],
    ],
    [
      'scores weigh positions',
      [pickAt(0, 0, 0, { score: 1 }), pickAt(4, 8, 0, { score: 3 })],
      10,
      [pickAt(3, 6, 0, { score: 3 })],
    ],
    ['exactly at the radius belongs', [pickAt(0, 0, 0), pickAt(3, 4, 0)], 5, [pickAt(1.5, 2, 0)]],
    ['beyond it does not', [pickAt(0, 0, 0), pickAt(3, 4.01, 0)], 5, [pickAt(0, 0, 0), pickAt(3, 4.01, 0)]],
    [
      'radius 0 fuses duplicates',
      [pickAt(1, 2, 3), pickAt(1, 2, 3), pickAt(1, 2, 4)],
      0,
      [pickAt(1, 2, 3), pickAt(1, 2, 4)],
    ],
    [
      'other objects are left alone',
      [pickAt(0, 0, 0), pickAt(1, 0, 0, { object: 'apo' })],
      5,
      [pickAt(0, 0, 0), pickAt(1, 0, 0, { object: 'apo' })],
    ],
    [
      'negative scores count nothing',
      [pickAt(0, 0, 0, { score: -1 }), pickAt(4, 0, 0, { score: 2 })],
      5,
      [pickAt(4, 0, 0, { score: 2 })],
    ],
    [
      'no positive score: plain mean',
      [pickAt(0, 0, 0, { score: -1 }), pickAt(4, 0, 0, { score: -2 })],
      5,
      [pickAt(2, 0, 0, { score: -1 })],
    ],
    [
      'infinite score: plain mean',
      [pickAt(0, 0, 0, { score: Infinity }), pickAt(4, 0, 0)],
      5,
      [pickAt(2, 0, 0, { score: Infinity })],
    ],
    [
      'the best founds: its neighbours go to it, not to each other',
      [pickAt(-4, 0, 0), pickAt(0, 0, 0, { score: 2 }), pickAt(4, 0, 0)],
      5,
      [pickAt(0, 0, 0, { score: 2 })],
    ],
    [
      'the founder gives score, transform, instance',
      [pickAt(2, 0, 0, { instanceId: 1 }), pickAt(0, 0, 0, { score: 1.5, instanceId: 9, transform: identity })],
      5,
      [pickAt(0.8, 0, 0, { score: 1.5, instanceId: 9, transform: identity })],
    ],
  ])('mergeNearby merges by distance: %s', (_, picks, radius, expected) => {
    expect(mergeNearby(picks, { radius })).toEqual(expected);
  });

  it('mergeNearby equals forming the groups by comparing all pairs', () => {
    const radius: Record<string, number> = { ribosome: 8, 'apo-ferritin': 3, thyroglobulin: 3 };
    fc.assert(
      fc.property(crowdedPicks, (picks) => {
        const free = picks.map((pick, i) => ({ pick, i }));
        free.sort((a, b) => (a.pick.score === b.pick.score ? a.i - b.i : a.pick.score < b.pick.score ? 1 : -1));
        const founders: { founder: ParticlePick; members: ParticlePick[] }[] = [];
        while (free.length > 0) {
          const founder = free[0].pick;
          const isMember = ({ pick }: { pick: ParticlePick }) =>
            pick.object === founder.object &&
            squaredDistance(pick.position, founder.position) <= radius[pick.object] ** 2;
          founders.push({ founder, members: free.filter(isMember).map(({ pick }) => pick) });
          free.splice(0, free.length, ...free.filter((entry) => !isMember(entry)));
        }
        const merged = mergeNearby(picks, { radius });
        expect(merged.map(({ object, score }) => ({ object, score }))).toEqual(
          founders.map(({ founder: { object, score } }) => ({ object, score })),
        );
        merged.forEach(({ position }, i) => {
          const { members } = founders[i];
          const weights = members.map(({ score }) => Math.max(0, score));
          const sum = weights.reduce((a, b) => a + b, 0);
          const w = sum > 0 && sum < Infinity ? weights : members.map(() => 1);
          const total = w.reduce((a, b) => a + b, 0);
          for (const axis of ['x', 'y', 'z'] as const) {
            const mean = members.reduce((a, m, k) => a + w[k] * m.position[axis], 0) / total;
            expect(position[axis]).toBeCloseTo(mean, 9);
          }
        });
      }),
    );
  });

  it('mergeNearby throws for picks that cannot be ranked or measured', () => {
    expect(() => mergeNearby([pickAt(0, 0, 0, { score: Number.NaN })], { radius: 5 })).toThrow('pick 0 ("ribosome")');
    expect(() => mergeNearby([pickAt(Number.NaN, 0, 0)], { radius: 5 })).toThrow('pick 0 ("ribosome")');
    expect(() => mergeNearby([], { radius: -1 })).toThrow('radius must be a finite length ≥ 0 Å, found -1');
  });
});
