import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Point } from '../../src/entry/index.ts';
import { cellGridOf, forEachWithin, pointsOf } from '../../src/space/cell-grid.ts';
import { squaredDistance } from '../../src/space/grid.ts';

const ascending = (a: number, b: number) => a - b;

/** Whole numbers (many exact distances), any finite doubles of modest size, and far-out ones. */
const coordinate = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -12, max: 12 }) },
  { weight: 3, arbitrary: fc.double({ min: -50, max: 50, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(-1e300, 1e18, -(2 ** 53), 2 ** 53 + 2, 1e-170, -1e-170, -0) },
);
const point: fc.Arbitrary<Point> = fc.record({ x: coordinate, y: coordinate, z: coordinate });
const edge = fc.oneof(
  fc.integer({ min: 0, max: 20 }),
  fc.double({ min: 0, max: 60, noNaN: true }),
  fc.constantFrom(5e-324, 1e-160, 1e6, 1e100),
);

/** Indices of the points within a distance, as a grid finds them. */
function within(points: readonly Point[], place: Point, distance: number, cellEdge = distance): number[] {
  const grid = cellGridOf(pointsOf(points.map((position) => ({ position }))), cellEdge);
  const found: number[] = [];
  forEachWithin(grid, place, distance, (index, squared) => {
    expect(squared).toBe(squaredDistance(place, points[index]!));
    found.push(index);
  });
  return found.sort(ascending);
}

describe('forEachWithin', () => {
  it('forEachWithin visits the points that comparing all of them finds, each once', () => {
    fc.assert(
      fc.property(fc.array(point, { maxLength: 200 }), point, edge, (points, place, distance) => {
        const expected = points.flatMap((p, i) => (squaredDistance(place, p) <= distance * distance ? [i] : []));
        expect(within(points, place, distance)).toEqual(expected);
        expect(within(points, place, distance, 2 * distance + 1)).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  const origin = { x: 0, y: 0, z: 0 };
  it.each([
    ['nothing without points', [], 5, []],
    ['the same place at distance 0', [origin], 0, [0]],
    ['two points at one place', [origin, origin], 0, [0, 1]],
    ['a point exactly at the distance', [{ x: 3, y: 4, z: 12 }], 13, [0]],
    ['no point just beyond it', [{ x: 3, y: 4, z: 12.000001 }], 13, []],
    [
      'points on either side of 0',
      [
        { x: -1, y: -1, z: -1 },
        { x: 1, y: 1, z: 1 },
      ],
      2,
      [0, 1],
    ],
    ['a point whose squared distance underflows to 0, across a cell face', [{ x: -1e-170, y: 0, z: 0 }], 0, [0]],
  ])('forEachWithin finds %s', (_, points, distance, expected) => {
    expect(within(points, origin, distance)).toEqual(expected);
  });

  it('forEachWithin finds points astronomically far apart without memory for the space between', () => {
    const far = [1e15, -1e15, 1e15 + 10].map((x) => ({ x, y: x, z: -x }));
    expect(within(far, far[0]!, 20)).toEqual([0, 2]);
  });
});

it('pointsOf takes some members of a list, with their scores and indices', () => {
  const list = [1, 2, 3].map((n) => ({ position: { x: n, y: 10 * n, z: 100 * n }, score: n / 4 }));
  expect(pointsOf(list, Uint32Array.of(2, 0))).toEqual({
    places: Float64Array.of(3, 30, 300, 1, 10, 100),
    values: Float64Array.of(0.75, 0.25),
    indices: Uint32Array.of(2, 0),
  });
});
