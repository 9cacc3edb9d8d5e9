import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, type Matching, matchPicks, type Point } from '../../src/entry/index.ts';
import { squaredDistance } from '../../src/space/grid.ts';
import { latticePoints } from './points.ts';

const matchings: Matching[] = ['official', 'greedy', 'hungarian'];
const at = (x: number, y = 0, z = 0): Point => ({ x, y, z });
const counts = ({ tp, fp, fn }: { tp: number; fp: number; fn: number }) => ({ tp, fp, fn });

/** All ways to pair truths one to one within the radius: the most pairs, and the least sum of distances of those. */
function bestByEnumeration(truth: readonly Point[], candidates: readonly Point[], radius: number) {
  let best = { pairs: 0, sum: 0 };
  const used = new Set<number>();
  const visit = (index: number, pairs: number, sum: number) => {
    if (index === truth.length) {
      if (pairs > best.pairs || (pairs === best.pairs && sum < best.sum)) best = { pairs, sum };
      return;
    }
    visit(index + 1, pairs, sum);
    candidates.forEach((candidate, c) => {
      const squared = squaredDistance(truth[index]!, candidate);
      if (used.has(c) || squared > radius * radius) return;
      used.add(c);
      visit(index + 1, pairs + 1, sum + Math.sqrt(squared));
      used.delete(c);
    });
  };
  visit(0, 0, 0);
  return best;
}

/** Every candidate in turn, over all truths. */
function greedyByScanning(truth: readonly Point[], candidates: readonly Candidate[], radius: number): number[] {
  const owner = truth.map(() => -1);
  const order = candidates.map((candidate, index) => ({ score: candidate.score ?? 0, index }));
  order.sort((a, b) => b.score - a.score);
  for (const { index } of order) {
    let best = -1;
    truth.forEach((reference, t) => {
      const squared = squaredDistance(reference, candidates[index]!);
      if (owner[t] !== -1 || squared > radius * radius) return;
      if (best === -1 || squared < squaredDistance(truth[best]!, candidates[index]!)) best = t;
    });
    if (best !== -1) owner[best] = index;
  }
  return owner;
}

describe('matchPicks', () => {
  it.each([
    { name: 'no truth, no candidates', truth: [], candidates: [], tp: 0, fp: 0, fn: 0 },
    { name: 'no truth', truth: [], candidates: [at(0), at(1)], tp: 0, fp: 2, fn: 0 },
    { name: 'no candidates', truth: [at(0), at(1)], candidates: [], tp: 0, fp: 0, fn: 2 },
    { name: 'nothing in range', truth: [at(0)], candidates: [at(10.1)], tp: 0, fp: 1, fn: 1 },
    { name: 'exactly at the radius', truth: [at(0)], candidates: [at(10)], tp: 1, fp: 0, fn: 0 },
    { name: 'one ulp beyond the radius', truth: [at(0)], candidates: [at(10 + 2 ** -49)], tp: 0, fp: 1, fn: 1 },
    { name: 'at the radius off axis', truth: [at(1, 2, 3)], candidates: [at(1, 8, 11)], tp: 1, fp: 0, fn: 0 },
    { name: 'NaN against an empty side', truth: [], candidates: [at(Number.NaN)], tp: 0, fp: 1, fn: 0 },
  ])('matchPicks under every matching: $name', ({ truth, candidates, tp, fp, fn }) => {
    for (const matching of matchings) {
      expect(counts(matchPicks(truth, candidates, { radius: 10, matching }))).toEqual({ tp, fp, fn });
    }
  });

  it('official matching lets one candidate hit two truths, with fp = −1', () => {
    const { pairs, ...rest } = matchPicks([at(0), at(15)], [at(8)], { radius: 10 });
    expect(rest).toEqual({ tp: 2, fp: -1, fn: 0 });
    expect(pairs).toEqual([
      { truth: 0, candidate: 0, distance: 8 },
      { truth: 1, candidate: 0, distance: 7 },
    ]);
  });

  it('official matching pairs a truth with its nearest candidate and counts further ones as false', () => {
    const result = matchPicks([at(0)], [at(5), at(-2), at(2)], { radius: 10 });
    expect(result).toEqual({ tp: 1, fp: 2, fn: 0, pairs: [{ truth: 0, candidate: 1, distance: 2 }] });
  });

  it('greedy matching gives the better score its nearest truth, though the optimum would pair both', () => {
    const truth = [at(0), at(10)];
    const candidates = [
      { ...at(-9), score: 0.1 },
      { ...at(4), score: 0.9 },
    ];
    expect(matchPicks(truth, candidates, { radius: 9, matching: 'greedy' }).pairs).toEqual([
      { truth: 0, candidate: 1, distance: 4 },
    ]);
    expect(matchPicks(truth, candidates, { radius: 9, matching: 'hungarian' }).pairs).toEqual([
      { truth: 0, candidate: 0, distance: 9 },
      { truth: 1, candidate: 1, distance: 6 },
    ]);
  });

  it('hungarian matching never pairs points out of range', () => {
    // Without the range, the least sum would pair 0 with 12 and 11 with 1.
    const result = matchPicks([at(0), at(11)], [at(12)], { radius: 10, matching: 'hungarian' });
    expect(result.pairs).toEqual([{ truth: 1, candidate: 0, distance: 1 }]);
  });

  it('greedy matching takes a missing score last, and equal scores in the given order', () => {
    const candidates = [at(1), { ...at(2), score: 0 }, { ...at(3), score: 0 }];
    const [pair] = matchPicks([at(0)], candidates, { radius: 10, matching: 'greedy' }).pairs;
    expect(pair?.candidate).toBe(1);
  });

  it('official counts equal comparing every pair, even for large random coordinates', () => {
    const coordinate = fc.double({ min: -40, max: 40, noNaN: true });
    const points = fc.array(fc.record({ x: coordinate, y: coordinate, z: coordinate }), { maxLength: 30 });
    fc.assert(
      fc.property(points, points, fc.double({ min: 0, max: 60, noNaN: true }), (truth, candidates, radius) => {
        const hit = truth.filter((t) => candidates.some((c) => squaredDistance(t, c) <= radius * radius)).length;
        const { tp, fp, fn, pairs } = matchPicks(truth, candidates, { radius });
        expect({ tp, fp, fn }).toEqual(
          truth.length === 0
            ? { tp: 0, fp: candidates.length, fn: 0 }
            : candidates.length === 0
              ? { tp: 0, fp: 0, fn: truth.length }
              : { tp: hit, fp: candidates.length - hit, fn: truth.length - hit },
        );
        for (const { truth: t, distance } of pairs) {
          expect(distance).toBe(Math.sqrt(Math.min(...candidates.map((c) => squaredDistance(truth[t]!, c)))));
        }
      }),
    );
  });

  it('hungarian matching equals enumeration: the maximum of pairs, then the minimum of distance', () => {
    fc.assert(
      fc.property(latticePoints(5), latticePoints(6), fc.integer({ min: 0, max: 4 }), (truth, candidates, radius) => {
        const { pairs } = matchPicks(truth, candidates, { radius, matching: 'hungarian' });
        const best = bestByEnumeration(truth, candidates, radius);
        expect(pairs.length).toBe(best.pairs);
        expect(pairs.reduce((sum, { distance }) => sum + distance, 0)).toBeCloseTo(best.sum, 9);
      }),
      { numRuns: 400 },
    );
  });

  it('greedy matching equals scanning all truths for every candidate', () => {
    const scored = latticePoints(25).chain((points) =>
      fc.tuple(...points.map((point) => fc.integer({ min: 0, max: 3 }).map((score) => ({ ...point, score })))),
    );
    fc.assert(
      fc.property(latticePoints(25), scored, fc.integer({ min: 0, max: 4 }), (truth, candidates, radius) => {
        const owner = truth.map(() => -1);
        for (const pair of matchPicks(truth, candidates, { radius, matching: 'greedy' }).pairs) {
          owner[pair.truth] = pair.candidate;
        }
        expect(owner).toEqual(greedyByScanning(truth, candidates, radius));
      }),
    );
  });

  it('hungarian matching finds at least the pairs of greedy and at most the hits of official, each point once', () => {
    fc.assert(
      fc.property(
        latticePoints(40, 9),
        latticePoints(60, 9),
        fc.integer({ min: 1, max: 3 }),
        (truth, picks, radius) => {
          const [official, greedy, hungarian] = matchings.map((matching) =>
            matchPicks(truth, picks, { radius, matching }),
          );
          expect(hungarian!.tp).toBeGreaterThanOrEqual(greedy!.tp);
          expect(official!.tp).toBeGreaterThanOrEqual(hungarian!.tp);
          for (const { tp, fp, fn, pairs } of [greedy!, hungarian!]) {
            expect([tp + fp, tp + fn]).toEqual([picks.length, truth.length]);
            expect(new Set(pairs.map(({ truth: t }) => t)).size).toBe(tp);
            expect(new Set(pairs.map(({ candidate }) => candidate)).size).toBe(tp);
          }
        },
      ),
    );
  });

  it('counts of matchPicks do not depend on the order of candidates', () => {
    fc.assert(
      fc.property(latticePoints(20), latticePoints(20), (truth, candidates) => {
        for (const matching of ['official', 'hungarian'] as const) {
          const there = matchPicks(truth, candidates, { radius: 2, matching });
          const back = matchPicks(truth, [...candidates].reverse(), { radius: 2, matching });
          expect(counts(back)).toEqual(counts(there));
        }
      }),
    );
  });

  it('matchPicks pairs 300 truths and 900 candidates that are all in range of each other', () => {
    const truth = Array.from({ length: 300 }, (_, i) => at(i % 17, i % 13, i % 11));
    const candidates = Array.from({ length: 900 }, (_, i) => at((i * 7) % 19, (i * 5) % 15, i % 9));
    expect(counts(matchPicks(truth, candidates, { radius: 100, matching: 'hungarian' }))).toEqual({
      tp: 300,
      fp: 600,
      fn: 0,
    });
  });

  it.each([
    { name: 'NaN truth', truth: [at(Number.NaN)], candidates: [at(0)], message: 'truth 0 is at (NaN, 0, 0) Å' },
    {
      name: 'infinite candidate',
      truth: [at(0)],
      candidates: [at(0), at(0, Number.POSITIVE_INFINITY)],
      message: 'candidate 1 is at (0, Infinity, 0) Å',
    },
  ])('matchPicks throws for a coordinate that is not finite: $name', ({ truth, candidates, message }) => {
    for (const matching of matchings) {
      expect(() => matchPicks(truth, candidates, { radius: 1, matching })).toThrow(
        expect.objectContaining({ code: 'invalid-picks', message: expect.stringContaining(message) }),
      );
    }
  });

  it('matchPicks refuses a NaN score for greedy matching', () => {
    const candidates = [{ ...at(0), score: Number.NaN }];
    expect(() => matchPicks([at(0)], candidates, { radius: 1, matching: 'greedy' })).toThrow(
      /candidate 0 has score NaN/,
    );
    expect(matchPicks([at(0)], candidates, { radius: 1 }).tp).toBe(1);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('matchPicks throws for the radius %s', (radius) => {
    expect(() => matchPicks([], [], { radius })).toThrow(expect.objectContaining({ code: 'invalid-option' }));
  });

  it('matchPicks refuses an unknown matching', () => {
    expect(() => matchPicks([], [], { radius: 1, matching: 'nearest' as Matching })).toThrow(/"official", "greedy"/);
  });
});
