import type { VoxelGrid } from '../space/grid.ts';
import type { Zyx } from '../space/zyx.ts';

/** A place where a score map exceeds its neighbourhood, in voxel space of that map. */
export interface Peak {
  /** Geometry of the score map. */
  readonly grid: VoxelGrid;
  /** Index into the score map; fractional where a peak was refined or is a centroid. */
  readonly voxel: Zyx;
  /** The model's class index. */
  readonly classIndex: number;
  readonly score: number;
}
