import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Point } from '../../src/entry/index.ts';
import { CellList } from '../../src/space/cell-list.ts';
import { squaredDistance } from '../../src/space/grid.ts';

const ascending = (a: number, b: number) => a - b;

/** Whole numbers (many exact distances), any finite doubles of modest size, and far-out ones. */
const coordinate = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -12, max: 12 }) },
  { weight: 3, arbitrary: fc.double({ min: -50, max: 50, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(-1e300, 1e18, -(2 ** 53), 2 ** 53 + 2, 1e-170, -1e-170, -0) },
);
const point: fc.Arbitrary<Point> = fc.record({ x: coordinate, y: coordinate, z: coordinate });
const radius = fc.oneof(
  fc.integer({ min: 0, max: 15 }),
  fc.double({ min: 0, max: 60, noNaN: true }),
  fc.constantFrom(1e6, 1e100, Number.POSITIVE_INFINITY),
);
const cellSize = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.double({ min: 1e-3, max: 1e4, noNaN: true }));

function listOf(points: readonly Point[], size: number): CellList {
  const list = new CellList(size);
  for (const p of points) list.add(p);
  return list;
}

describe('CellList against comparing all points', () => {
  it('within finds the same points as comparing all, each once', () => {
    fc.assert(
      fc.property(fc.array(point, { maxLength: 200 }), point, radius, cellSize, (points, query, r, size) => {
        const expected = points.flatMap((p, i) => (squaredDistance(query, p) <= r * r ? [i] : []));
        expect(listOf(points, size).within(query, r).sort(ascending)).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('anyCloser agrees with comparing all points', () => {
    fc.assert(
      fc.property(fc.array(point, { maxLength: 60 }), point, radius, cellSize, (points, query, r, size) => {
        const expected = points.some((p) => squaredDistance(query, p) < r * r);
        expect(listOf(points, size).anyCloser(query, r)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('CellList', () => {
  const origin = { x: 0, y: 0, z: 0 };

  it.each([
    ['nothing in an empty list', [], 5, []],
    ['the same place at radius 0', [origin], 0, [0]],
    ['two points at one place', [origin, origin], 0, [0, 1]],
    ['a point exactly at the radius', [{ x: 3, y: 4, z: 12 }], 13, [0]],
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
  ])('within() gives %s', (_, points, r, expected) => {
    expect(listOf(points, 2).within(origin, r).sort(ascending)).toEqual(expected);
  });

  it('anyCloser does not count a point exactly at the distance', () => {
    expect(listOf([{ x: 0, y: 3, z: 4 }], 5).anyCloser(origin, 5)).toBe(false);
    expect(listOf([{ x: 0, y: 3, z: 4 }], 5).anyCloser(origin, 5.000001)).toBe(true);
    expect(listOf([origin], 5).anyCloser(origin, 0)).toBe(false);
  });

  it('within returns the index with which a point was added', () => {
    const list = new CellList(1);
    list.add(origin, 42);
    list.add({ x: 9, y: 0, z: 0 });
    expect([list.size, list.within(origin, 1), list.within({ x: 9, y: 0, z: 0 }, 1)]).toEqual([2, [42], [1]]);
  });

  it('withinInto empties and reuses its array', () => {
    const out = [7, 7, 7];
    expect(listOf([origin], 1).withinInto(origin, 1, out)).toBe(out);
    expect(out).toEqual([0]);
  });

  it('CellList needs no memory for the space between distant points', () => {
    const far = [1e15, -1e15, 1e15 + 10].map((x) => ({ x, y: x, z: -x }));
    expect(listOf(far, 0.5).within(far[0], 20).sort(ascending)).toEqual([0, 2]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('CellList throws for the cell size %s', (size) => {
    expect(() => new CellList(size)).toThrow(`cell size must be a positive length in Å, found ${size}`);
  });
});
