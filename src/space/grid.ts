import {
  describeValue,
  grid as gridRule,
  indexRule,
  isIndex,
  isPlacement,
  isPoint,
  placement as placementRule,
  point,
  positiveCount,
  requireArgument,
  voxelSizeRule,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { Zyx } from './zyx.ts';

/**
 * Where the voxels of an array lie in physical space.
 *
 * Index i is the centre of voxel i, so `position = index · voxelSize + origin` along each axis, with no half voxel
 * in it. This file is the only place that converts between the two spaces.
 */
export interface VoxelGrid {
  /** Number of voxels along z, y, x. */
  readonly shape: Zyx;
  /** Edge lengths of a voxel along z, y, x, in Å. */
  readonly voxelSize: Zyx;
  /** Position of the centre of voxel (0, 0, 0), in Å. */
  readonly origin: Point;
}

/** The part of a grid that relates voxel indices to positions. */
export type VoxelPlacement = Omit<VoxelGrid, 'shape'>;

/**
 * Converts a voxel index, which may be fractional, to a position in Å.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a grid without voxel size and origin, or an index that is not three numbers.
 */
export function toPhysical(grid: VoxelPlacement, voxel: Zyx): Point {
  if (!isPlacement(grid)) requireArgument('toPhysical', 'grid', grid, placementRule);
  if (!isIndex(voxel)) requireArgument('toPhysical', 'voxel', voxel, indexRule);
  return positionOf(grid, voxel);
}

/** {@link toPhysical} of a grid and an index that were checked before. */
export function positionOf({ voxelSize, origin }: VoxelPlacement, [z, y, x]: Zyx): Point {
  return { x: x * voxelSize[2] + origin.x, y: y * voxelSize[1] + origin.y, z: z * voxelSize[0] + origin.z };
}

/**
 * Converts a position in Å to a fractional voxel index; round it to get the nearest voxel.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a grid without voxel size and origin, or a position that is not a point.
 */
export function toVoxel(grid: VoxelPlacement, position: Point): Zyx {
  if (!isPlacement(grid)) requireArgument('toVoxel', 'grid', grid, placementRule);
  if (!isPoint(position)) requireArgument('toVoxel', 'position', position, point);
  return voxelOf(grid, position);
}

/** {@link toVoxel} of a grid and a position that were checked before. */
export function voxelOf({ voxelSize, origin }: VoxelPlacement, { x, y, z }: Point): Zyx {
  return [(z - origin.z) / voxelSize[0], (y - origin.y) / voxelSize[1], (x - origin.x) / voxelSize[2]];
}

/**
 * Returns the grid of an array that has one value per `factor`³ voxels of `grid`.
 *
 * Cell i covers voxels `factor·i … factor·i + factor − 1` and has their centre, so the origin shifts by
 * `(factor − 1) / 2` voxels. The last cell along an axis may stick out of the grid.
 */
export function coarseGrid(grid: VoxelGrid, factor: number): VoxelGrid {
  requireArgument('coarseGrid', 'grid', grid, gridRule);
  requireArgument('coarseGrid', 'factor', factor, positiveCount);
  const shift = (factor - 1) / 2;
  const [z, y, x] = grid.shape;
  return {
    shape: [Math.ceil(z / factor), Math.ceil(y / factor), Math.ceil(x / factor)],
    voxelSize: [grid.voxelSize[0] * factor, grid.voxelSize[1] * factor, grid.voxelSize[2] * factor],
    origin: positionOf(grid, [shift, shift, shift]),
  };
}

/** A position, or a displacement, in physical space, in Å. */
export interface Point {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** Squared Euclidean distance between two points, in Å². The terms are summed in the order x, y, z, as in the official metric. */
export function squaredDistance(a: Point, b: Point): number {
  const dx = a.x - b.x;
  const dy = a.y - b.y;
  const dz = a.z - b.z;
  return dx * dx + dy * dy + dz * dz;
}

/** Returns a voxel size along z, y, x in Å. @throws {@link CryoetPicksError} `invalid-option` unless all are above 0. */
export function asVoxelSize(voxelSize: number | Zyx): Zyx {
  const triple: Zyx = typeof voxelSize === 'number' ? [voxelSize, voxelSize, voxelSize] : voxelSize;
  if (voxelSizeRule.isValid(triple)) return triple;
  throw new CryoetPicksError(
    'invalid-option',
    `voxelSize is ${describeValue(voxelSize)} Å, expected a length above 0, or three along z, y, x`,
    { option: 'voxelSize' },
  );
}
