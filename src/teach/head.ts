import { eventLoopTurn } from '../core/concurrency.ts';
import { voxelCount } from '../space/grid.ts';
import type { ScoreSlab } from '../tiles/blend.ts';
import type { FeatureBlock, TomogramFeatures } from './feature-map.ts';
import { BOX_EDGES, boxMeansInto } from './surroundings.ts';

/** A linear function of the means of the features around a cell: the logit of an object. */
export interface Head {
  readonly object: string;
  /** `[box, feature]`, C-order: weights of the means over boxes of 3, 5 and 9 cells. */
  readonly weights: Float64Array;
  readonly bias: number;
}

/**
 * Scores of heads on features that are kept, as one slab: the probability of each object, or its logit if they are not `activated`.
 *
 * A mean of a linear function is that function of the means: so there is one sum of features per box and head, of which the mean is taken,
 * and no mean of any feature.
 */
export async function* headSlabs(
  { blocks, grid, featureCount }: Pick<TomogramFeatures, 'blocks' | 'grid' | 'featureCount'>,
  heads: readonly Head[],
  { activated = true }: { readonly activated?: boolean } = {},
): AsyncGenerator<ScoreSlab, void, undefined> {
  const { shape } = grid;
  const size = voxelCount(shape);
  const data = new Float32Array(heads.length * size);
  const [sums, means] = [new Float32Array(size), new Float32Array(size)];
  for (const [h, { weights, bias }] of heads.entries()) {
    const logits = data.subarray(h * size, (h + 1) * size).fill(bias);
    for (const [b, edge] of BOX_EDGES.entries()) {
      const own = weights.subarray(b * featureCount, (b + 1) * featureCount);
      for (const block of blocks) await weightedSumInto(block, own, sums, grid);
      await boxMeansInto(sums, means, shape, edge);
      for (let i = 0; i < size; i++) logits[i] += means[i];
      await eventLoopTurn();
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
  yield { grid, axis: blocks[0]!.axis, start: 0, classes: heads.map(({ object }) => object), scores };
}

/** The sum of a block's features, each by its weight, at its place in a map of the whole tomogram. */
async function weightedSumInto(
  { axis, start, shape, numbers, lowest, step }: FeatureBlock,
  weights: Float64Array,
  map: Float32Array,
  { shape: whole }: TomogramFeatures['grid'],
): Promise<void> {
  const [depth, height, width] = shape;
  const size = voxelCount(shape);
  const constant = weights.reduce((sum, weight, k) => sum + weight * lowest[k]!, 0);
  const count = weights.length;
  // Zeros make their number a multiple of four.
  const factors = Float64Array.from({ length: count + 3 }, (_, k) => (k < count ? weights[k]! * step[k]! : 0));
  const first = start * [whole[1] * whole[2], whole[2], 1][axis]!;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      const line = (z * height + y) * width;
      const own = map.subarray(first + (z * whole[1] + y) * whole[2]).subarray(0, width);
      own.fill(constant);
      // Four at once: what is added up is read and written a quarter as often.
      for (let k = 0; k < count; k += 4) {
        const [a, b, c, d] = [0, 1, 2, 3].map((i) => Math.min(k + i, count - 1) * size + line) as [
          number,
          number,
          number,
          number,
        ];
        const [fa, fb, fc, fd] = [factors[k], factors[k + 1], factors[k + 2], factors[k + 3]];
        for (let x = 0; x < width; x++) {
          own[x] += fa * numbers[a + x] + fb * numbers[b + x] + fc * numbers[c + x] + fd * numbers[d + x];
        }
      }
    }
    await eventLoopTurn();
  }
}
