import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dbscan, meanShift, type ParticlePick } from '../../src/entry/index.ts';
import golden from '../fixtures/splitting.json' with { type: 'json' };

const { points, dbscan: groupings, meanShift: shift } = golden.clusterings;
const picks: ParticlePick[] = points.map(([x, y, z]) => ({ object: 'ribosome', position: { x, y, z }, score: 1 }));
const numberOf = new Map(picks.map((pick, i) => [pick, i]));

const coordinate = fc.integer({ min: 0, max: 60 });
const arbitraryPicks = fc.array(
  fc.record({
    object: fc.constantFrom('a', 'b'),
    position: fc.record({ x: coordinate, y: coordinate, z: coordinate }),
    score: fc.double({ min: -1, max: 1, noNaN: true }),
  }),
  { maxLength: 25 },
);

describe('dbscan', () => {
  it.each(groupings)(
    'dbscan has the cores and the noise of scikit-learn at $radius Å and $minPicks picks',
    ({ radius, minPicks, labels, cores }) => {
      const { clusters, noise } = dbscan(picks, { radius, minPicks });
      expect(noise.map((pick) => numberOf.get(pick)).sort((a, b) => a! - b!)).toEqual(
        labels.flatMap((label, i) => (label < 0 ? [i] : [])),
      );
      const isCore = new Set(cores);
      const coresOf = (members: readonly number[]) =>
        members
          .filter((i) => isCore.has(i))
          .sort((a, b) => a - b)
          .join();
      const expected = [...new Set(labels.filter((label) => label >= 0))].map((label) =>
        coresOf(labels.flatMap((l, i) => (l === label ? [i] : []))),
      );
      expect(clusters.map((cluster) => coresOf(cluster.map((pick) => numberOf.get(pick)!))).sort()).toEqual(
        expected.sort(),
      );
    },
  );

  it('dbscan loses nothing, and does not depend on the order of the picks', () => {
    fc.assert(
      fc.property(arbitraryPicks, fc.integer({ min: 1, max: 4 }), (some, minPicks) => {
        const distinct = some.map((pick, i) => ({ ...pick, score: pick.score + i * 10 }));
        const found = dbscan(distinct, { radius: 12, minPicks });
        expect([...found.clusters.flat(), ...found.noise].sort((a, b) => a.score - b.score)).toEqual(
          [...distinct].sort((a, b) => a.score - b.score),
        );
        expect(dbscan([...distinct].reverse(), { radius: 12, minPicks })).toEqual(found);
        for (const cluster of found.clusters) expect(new Set(cluster.map(({ object }) => object)).size).toBe(1);
      }),
    );
  });

  it('dbscan joins a chain, and gives a pick between two clusters to that of the better core', () => {
    const at = (x: number, score: number): ParticlePick => ({ object: 'o', position: { x, y: 0, z: 0 }, score });
    const left = [at(0, 5), at(4, 4), at(8, 3), at(-4, 2)];
    const right = [at(28, 9), at(32, 8), at(36, 7), at(40, 6)];
    const between = at(18, 1);
    const { clusters, noise } = dbscan([...left, between, ...right], { radius: 10, minPicks: 4 });
    expect(clusters).toEqual([[...right, between], left]);
    expect(noise).toEqual([]);
  });

  it.each([
    [{ radius: 0 }, 'radius must be a positive length in Å, found 0'],
    [{ radius: 1, minPicks: 0 }, 'minPicks must be a whole number ≥ 1, found 0'],
  ])('dbscan refuses %j', (options, message) => {
    expect(() => dbscan(picks, options)).toThrow(message);
  });
});

describe('meanShift', () => {
  it('meanShift finds the places that scikit-learn finds', () => {
    const found = meanShift(picks, { bandwidth: shift.bandwidth });
    const far = (a: ParticlePick, [x, y, z]: readonly number[]) =>
      Math.hypot(a.position.x - x, a.position.y - y, a.position.z - z);
    // Places with the same number of picks in the window can hide each other either way round.
    const missing = shift.centres.filter((centre) => !found.some((pick) => far(pick, centre) < 1));
    expect(missing.length).toBeLessThanOrEqual(1);
    expect(Math.abs(found.length - shift.centres.length)).toBeLessThanOrEqual(1);
  });

  it('meanShift leaves a pick alone where it is, to the last bit', () => {
    const alone: ParticlePick = { object: 'o', position: { x: 0.1, y: 1e5 + 0.3, z: -7.7 }, score: 0.4, instanceId: 5 };
    expect(meanShift([alone], { bandwidth: 3 })).toEqual([alone]);
  });

  it('meanShift goes to the middle of a group by weight, and keeps the best pick', () => {
    const at = (x: number, score: number): ParticlePick => ({ object: 'o', position: { x, y: 0, z: 0 }, score });
    expect(meanShift([at(0, 1), at(4, 3)], { bandwidth: 10 })).toEqual([at(3, 3)]);
    expect(meanShift([at(0, -1), at(4, -3)], { bandwidth: 10 })).toEqual([at(2, -1)]);
  });

  it('meanShift gives places at least a bandwidth apart, at most one per pick, and keeps objects apart', () => {
    fc.assert(
      fc.property(arbitraryPicks, (some) => {
        const found = meanShift(some, { bandwidth: 15 });
        expect(found.length).toBeLessThanOrEqual(some.length);
        expect(new Set(found.map(({ object }) => object))).toEqual(new Set(some.map(({ object }) => object)));
        found.forEach((a, i) => {
          for (const b of found.slice(i + 1)) {
            const distance = Math.hypot(
              a.position.x - b.position.x,
              a.position.y - b.position.y,
              a.position.z - b.position.z,
            );
            if (a.object === b.object) expect(distance).toBeGreaterThan(15 - 1e-9);
          }
        });
      }),
    );
  });

  it.each([
    [{ bandwidth: 0 }, 'bandwidth must be a positive length in Å, found 0'],
    [{ bandwidth: 1, tolerance: 0 }, 'tolerance must be a number above 0, found 0'],
    [{ bandwidth: 1, maxMoves: 0.5 }, 'maxMoves must be a whole number ≥ 1, found 0.5'],
  ])('meanShift refuses %j', (options, message) => {
    expect(() => meanShift(picks, options)).toThrow(message);
  });
});
