import { CryoetPicksError } from '../errors.ts';
import { formatZyx, type Zyx } from '../space/zyx.ts';
import type { Tile } from './plan.ts';

/** A C-order 3-D array inside flat data. */
export interface Block {
  readonly data: Float32Array;
  /** Index of its element (0, 0, 0). */
  readonly base: number;
  readonly shape: Zyx;
}

/** The part of a tile's axis that counts. */
export interface WeightedExtent {
  /** Weight of each index of the tile's axis. */
  readonly weights: Float32Array;
  /** First index with a weight inside the target, and the first after the last. */
  readonly from: number;
  readonly to: number;
  /** Index, in the target, of the tile's index 0; may be negative. */
  readonly at: number;
}

/** Clips a tile's axis, which lies `at` an index of a target of this length, to the target and to weights above 0. */
export function weightedExtent(
  weights: Float32Array,
  { at, length }: { readonly at: number; readonly length: number },
): WeightedExtent {
  let from = Math.max(0, -at);
  let to = Math.min(weights.length, length - at);
  while (from < to && weights[from] === 0) from++;
  while (to > from && weights[to - 1] === 0) to--;
  return { weights, from, to, at };
}

/** Adds `from` × its weights to `to`, where the extents along z, y, x say. */
export function addWeighted(from: Block, to: Block, extents: readonly WeightedExtent[]): void {
  const [ez, ey, ex] = extents;
  const source = from.data;
  const target = to.data;
  const wx = ex.weights;
  for (let z = ez.from; z < ez.to; z++) {
    for (let y = ey.from; y < ey.to; y++) {
      const w = ez.weights[z] * ey.weights[y];
      if (w === 0) continue;
      const s = from.base + (z * from.shape[1] + y) * from.shape[2];
      const t = to.base + ((z + ez.at) * to.shape[1] + y + ey.at) * to.shape[2] + ex.at;
      for (let x = ex.from; x < ex.to; x++) target[t + x] += w * wx[x] * source[s + x];
    }
  }
}

/** @throws {@link CryoetPicksError} `model-failed` naming the first score that is not finite. */
export function requireFinite(scores: Float32Array, tile: Tile): void {
  // x − x is 0 for a finite x and NaN for any other: four sums, since each must wait for its own last addition.
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = scores.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    a += scores[i] - scores[i];
    b += scores[i + 1] - scores[i + 1];
    c += scores[i + 2] - scores[i + 2];
    d += scores[i + 3] - scores[i + 3];
  }
  for (let i = whole; i < scores.length; i++) a += scores[i] - scores[i];
  if (a + b + c + d === 0) return;
  const found = scores.find((score) => !Number.isFinite(score));
  throw new CryoetPicksError(
    'model-failed',
    `the model gave ${found} for the tile at voxel ${formatZyx(tile.start)}; scores must be finite`,
  );
}
