import type { Point } from './point.ts';
import type { Zyx } from './zyx.ts';

/**
 * Where the voxels of an array lie in physical space.
 *
 * Index i is the centre of voxel i, so `position = index · voxelSize + origin` along each axis, with no half voxel
 * anywhere. This file is the only place that converts between the two spaces.
 */
export interface VoxelGrid {
  /** Number of voxels along z, y, x. */
  readonly shape: Zyx;
  /** Edge lengths of a voxel along z, y, x, in Å. */
  readonly voxelSize: Zyx;
  /** Position of the centre of voxel (0, 0, 0), in Å. */
  readonly origin: Point;
}

/** What of a grid ties voxel indices to positions; the number of voxels plays no part. */
export type VoxelPlacement = Omit<VoxelGrid, 'shape'>;

/** The position, in Å, of a voxel index; fractional indices are allowed. */
export function toPhysical({ voxelSize, origin }: VoxelPlacement, [z, y, x]: Zyx): Point {
  return { x: x * voxelSize[2] + origin.x, y: y * voxelSize[1] + origin.y, z: z * voxelSize[0] + origin.z };
}

/** The voxel index, fractional, of a position in Å; round it to get the nearest voxel. */
export function toVoxel({ voxelSize, origin }: VoxelPlacement, { x, y, z }: Point): Zyx {
  return [(z - origin.z) / voxelSize[0], (y - origin.y) / voxelSize[1], (x - origin.x) / voxelSize[2]];
}

/**
 * The grid of an array that has one value per `factor`³ voxels of `grid`.
 *
 * Cell i covers voxels `factor·i … factor·i + factor − 1`; its centre is theirs, hence the shift of the origin by
 * `(factor − 1) / 2` voxels. The last cell along an axis may stick out of the grid.
 */
export function coarseGrid(grid: VoxelGrid, factor: number): VoxelGrid {
  const shift = (factor - 1) / 2;
  const [z, y, x] = grid.shape;
  return {
    shape: [Math.ceil(z / factor), Math.ceil(y / factor), Math.ceil(x / factor)],
    voxelSize: [grid.voxelSize[0] * factor, grid.voxelSize[1] * factor, grid.voxelSize[2] * factor],
    origin: toPhysical(grid, [shift, shift, shift]),
  };
}
