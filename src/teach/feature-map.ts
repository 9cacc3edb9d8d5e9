import { eventLoopTurn } from '../core/concurrency.ts';
import type { ModelSpec } from '../inference/model.ts';
import { type Axis, type VoxelGrid, voxelCount, type Zyx } from '../space/grid.ts';
import type { ScoreSlab } from '../tiles/blend.ts';

/** The features of a tomogram, kept in memory: 2 bytes per cell and feature, 290 MB for 184×630×630 voxels and the package's network. */
export interface TomogramFeatures {
  /** The tomogram's run, by which its picks are found. */
  readonly run: string;
  /** Geometry of the cells. */
  readonly grid: VoxelGrid;
  /** Voxel size of the tomogram along z, y, x, in Å. */
  readonly voxelSize: Zyx;
  /** The card of the network. */
  readonly spec: ModelSpec;
  /** SHA-256 of the network, if it is known. */
  readonly sha256?: string | undefined;
  readonly featureCount: number;
  /** The features, in order along the axis of their sweep. */
  readonly blocks: readonly FeatureBlock[];
}

/**
 * Features of some planes, C-order `[feature, z, y, x]`, as whole numbers: a feature is `lowest + step · number`. Unlike 16-bit
 * floats they are as exact where a feature is large, and scores are computed from the numbers as they are.
 */
export interface FeatureBlock {
  readonly axis: Axis;
  /** Index of its first plane along `axis`. */
  readonly start: number;
  readonly shape: Zyx;
  readonly numbers: Uint16Array;
  readonly lowest: Float32Array;
  readonly step: Float32Array;
}

/** The largest number of a block. */
const MAX_NUMBER = 65_535;

/** Keeps a slab of features, and releases it. Yields to the event loop between features. */
export async function blockOf({ axis, start, scores, release }: ScoreSlab): Promise<FeatureBlock> {
  const [count, ...shape] = scores.shape;
  const size = voxelCount(shape);
  const block = {
    numbers: new Uint16Array(count * size),
    lowest: new Float32Array(count),
    step: new Float32Array(count),
  };
  for (let k = 0; k < count; k++) {
    const values = scores.data.subarray(
      scores.offset + k * scores.stride[0],
      scores.offset + k * scores.stride[0] + size,
    );
    const own = block.numbers.subarray(k * size, (k + 1) * size);
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = 0; i < size; i++) {
      if (values[i] < low) low = values[i];
      if (values[i] > high) high = values[i];
    }
    block.lowest[k] = low;
    block.step[k] = (high - low) / MAX_NUMBER;
    const perStep = high > low ? MAX_NUMBER / (high - low) : 0;
    for (let i = 0; i < size; i++) own[i] = (values[i] - low) * perStep + 0.5;
    await eventLoopTurn();
  }
  release?.();
  return { axis, start, shape, ...block };
}
