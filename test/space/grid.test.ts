import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { facesOf, toPhysical } from '../../src/entry/index.ts';
import { sizesAgree } from '../../src/space/grid.ts';

const length = fc.double({ min: 0.1, max: 1000, noNaN: true });

describe('facesOf', () => {
  it('facesOf gives a box that is as long as the voxels are together, with the centre of the grid in its middle', () => {
    const size = fc.tuple(length, length, length);
    const count = fc.integer({ min: 1, max: 100 });
    const place = fc.double({ min: -1000, max: 1000, noNaN: true });
    fc.assert(
      fc.property(
        fc.tuple(count, count, count),
        size,
        fc.record({ x: place, y: place, z: place }),
        (shape, voxelSize, origin) => {
          const grid = { shape, voxelSize, origin };
          const { lowest, highest } = facesOf(grid);
          const middle = toPhysical(grid, [(shape[0] - 1) / 2, (shape[1] - 1) / 2, (shape[2] - 1) / 2]);
          for (const [axis, i] of [['z', 0] as const, ['y', 1] as const, ['x', 2] as const]) {
            expect(highest[axis] - lowest[axis]).toBeCloseTo(shape[i] * voxelSize[i], 6);
            expect((highest[axis] + lowest[axis]) / 2).toBeCloseTo(middle[axis], 6);
          }
        },
      ),
    );
  });
});

describe('sizesAgree', () => {
  it('sizesAgree takes lengths as the same up to 1 %, whichever of them comes first', () => {
    fc.assert(
      fc.property(length, fc.double({ min: 0, max: 0.0099, noNaN: true }), (size, part) => {
        const other = size * (1 - part);
        expect([sizesAgree(size, other), sizesAgree(other, size)]).toEqual([true, true]);
      }),
    );
    fc.assert(
      fc.property(length, fc.double({ min: 0.0101, max: 0.9, noNaN: true }), (size, part) => {
        const other = size * (1 - part);
        expect([sizesAgree(size, other), sizesAgree(other, size)]).toEqual([false, false]);
      }),
    );
  });

  it('sizesAgree compares all three axes, and takes one length for each of them', () => {
    expect(sizesAgree([10, 10, 10.05], 10)).toBe(true);
    for (const odd of [0, 1, 2]) {
      const size = [0, 1, 2].map((axis) => (axis === odd ? 20 : 10)) as unknown as [number, number, number];
      expect([sizesAgree(size, 10), sizesAgree([10, 10, 10], size)]).toEqual([false, false]);
    }
  });

  it('sizesAgree takes NaN to agree with nothing', () => {
    expect([sizesAgree(Number.NaN, Number.NaN), sizesAgree(10, [10, 10, Number.NaN])]).toEqual([false, false]);
  });
});
