import type { VoxelGrid } from '../space/grid.ts';
import type { Axis } from '../space/zyx.ts';

/** A 4-D array `[class, z, y, x]` as a view of flat data. */
export interface ScoreVolume {
  readonly data: Float32Array;
  readonly shape: readonly [classes: number, z: number, y: number, x: number];
  readonly stride: readonly [classes: number, z: number, y: number, x: number];
  readonly offset: number;
}

/**
 * Finished planes of a score map. Slabs follow each other along `axis` without gaps; each belongs to whoever receives it.
 */
export interface ScoreSlab {
  /** Geometry of the whole score map, of which this slab is a part. */
  readonly grid: VoxelGrid;
  /** The sweep axis. */
  readonly axis: Axis;
  /** Index, along `axis`, of the slab's first plane in the score map. */
  readonly start: number;
  /** The model's class index of each channel of `scores`. */
  readonly classes: readonly number[];
  /** Scores `[class, z, y, x]`; whole along the two other axes. */
  readonly scores: ScoreVolume;
}
