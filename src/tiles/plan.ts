import type { Axis, Zyx } from '../space/zyx.ts';

/** One tile of a plan. */
export interface Tile {
  /** First voxel that the tile covers; a multiple of the output stride along each axis. May end outside the volume. */
  readonly start: Zyx;
  /** Which window of each axis it is: index into `plan.starts[axis]` and `plan.weights[axis]`. */
  readonly index: Zyx;
}

/**
 * How a volume is cut into tiles, computed before a byte is read: a plain value.
 *
 * Tiles are the product of three covers of an axis; weights are separable and sum to 1 at every score.
 */
export interface TilePlan {
  /** Shape of the volume, in voxels. */
  readonly shape: Zyx;
  /** Shape of a tile, in voxels. */
  readonly tile: Zyx;
  /** Voxels per score along each axis. */
  readonly outputStride: 1 | 2 | 4;
  /** Shape of the score map: `ceil(shape / outputStride)`. */
  readonly outputShape: Zyx;
  /** The axis along which tiles are swept and slabs finish: the longest one. */
  readonly axis: Axis;
  /** Tile starts along z, y, x, in voxels. */
  readonly starts: readonly [readonly number[], readonly number[], readonly number[]];
  /** Blend weights of each tile along z, y, x: one weight per score of the tile, 0 outside the score map. */
  readonly weights: readonly [readonly Float32Array[], readonly Float32Array[], readonly Float32Array[]];
  /** All tiles, in sweep order: sorted by their start along `axis`. */
  readonly tiles: readonly Tile[];
}
