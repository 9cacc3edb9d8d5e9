import { eventLoopTurn } from '../core/concurrency.ts';
import type { ModelSpec } from '../inference/model.ts';
import { type Axis, replaceAxis, type VoxelGrid, voxelCount, type Zyx } from '../space/grid.ts';
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

/** The features of some cells, `[cell, feature]`, C-order. */
export function featuresAt({ blocks, featureCount }: TomogramFeatures, cells: readonly Zyx[]): Float64Array {
  const values = new Float64Array(cells.length * featureCount);
  cells.forEach((cell, row) => {
    const { axis, start, shape, numbers, lowest, step } = blocks.findLast((one) => one.start <= cell[one.axis])!;
    const [z, y, x] = replaceAxis(cell, axis, cell[axis] - start);
    const index = (z * shape[1] + y) * shape[2] + x;
    const size = voxelCount(shape);
    for (let k = 0; k < featureCount; k++) {
      values[row * featureCount + k] = lowest[k] + step[k] * numbers[k * size + index];
    }
  });
  return values;
}

/** A linear function of the features: the logit of an object. */
export interface Head {
  readonly object: string;
  /** One weight per feature. */
  readonly weights: Float64Array;
  readonly bias: number;
}

/** Scores of heads on features that are kept, slab by slab: the probability of each object, or its logit if they are not `activated`. */
export async function* headSlabs(
  { blocks, grid }: Pick<TomogramFeatures, 'blocks' | 'grid'>,
  heads: readonly Head[],
  { activated = true }: { readonly activated?: boolean } = {},
): AsyncGenerator<ScoreSlab, void, undefined> {
  const classes = heads.map(({ object }) => object);
  for (const { axis, start, shape, numbers, lowest, step } of blocks) {
    const size = voxelCount(shape);
    const data = new Float32Array(heads.length * size);
    for (const [h, { weights, bias }] of heads.entries()) {
      const logits = data.subarray(h * size, (h + 1) * size);
      logits.fill(weights.reduce((sum, weight, k) => sum + weight * lowest[k], bias));
      for (let k = 0; k < weights.length; k++) {
        const factor = weights[k] * step[k];
        const own = numbers.subarray(k * size, (k + 1) * size);
        for (let i = 0; i < size; i++) logits[i] += factor * own[i];
      }
      if (activated) for (let i = 0; i < size; i++) logits[i] = 1 / (1 + Math.exp(-logits[i]));
      await eventLoopTurn();
    }
    const [depth, height, width] = shape;
    const plane = height * width;
    const scores = {
      data,
      shape: [heads.length, depth, height, width] as const,
      stride: [size, plane, width, 1] as const,
      offset: 0,
    };
    yield { grid, axis, start, classes, scores };
  }
}
