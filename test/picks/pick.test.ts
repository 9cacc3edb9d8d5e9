import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toPick, toVoxel } from '../../src/entry/index.ts';
import { coarseGrid } from '../../src/space/grid.ts';

const grid = { shape: [10, 20, 30], voxelSize: [4, 5, 6], origin: { x: 100, y: -50, z: 7 } } as const;

describe('toPick', () => {
  it('toPick places a voxel of an anisotropic, shifted grid in Å', () => {
    expect(toPick({ grid, voxel: [1, 2, 3], object: 'ribosome', score: 0.5 })).toEqual({
      object: 'ribosome',
      position: { x: 118, y: -40, z: 11 },
      score: 0.5,
    });
  });

  it('toPick keeps the orientation of a peak that has one', () => {
    const transform = [
      [0, -1, 0, 0],
      [1, 0, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ];
    expect(toPick({ grid, voxel: [1, 2, 3], object: 'ribosome', score: 0.5, transform }).transform).toBe(transform);
  });

  it('toPick places the first cell of a score map of stride 2 at the centre of its voxels, half a voxel off the even index', () => {
    const { position } = toPick({ grid: coarseGrid(grid, 2), voxel: [0, 1, 0], object: 'a', score: 1 });
    expect(toVoxel(grid, position)).toEqual([0.5, 2.5, 0.5]);
  });

  it('toPick comes back to the voxel, fractional ones too', () => {
    const index = fc.double({ min: -5, max: 700, noNaN: true });
    fc.assert(
      fc.property(index, index, index, (z, y, x) => {
        const { position } = toPick({ grid, voxel: [z, y, x], object: 'a', score: 1 });
        const back = toVoxel(grid, position);
        for (const axis of [0, 1, 2] as const) expect(back[axis]).toBeCloseTo([z, y, x][axis], 9);
      }),
    );
  });
});
