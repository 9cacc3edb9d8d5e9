import { CryoetPicksError, type ErrorCode } from '../errors.ts';
import type { Point } from '../space/point.ts';

/** Which truths each candidate reaches: those of candidate c lie at `start[c] … start[c + 1] − 1` of the two lists. */
export interface RangeLists {
  readonly start: Uint32Array;
  /** Indices into the truth. */
  readonly truth: readonly number[];
  /** Squared distances in Å². */
  readonly squared: readonly number[];
}

/**
 * Lists, for each candidate, every truth at most `radius` away, inclusive.
 *
 * Squared distances are compared with the squared radius, both in doubles, summed x, y, z: the comparison of scipy's
 * k-d tree, to the last bit. Truths are sorted along x and a window of them is looked at, so crowded tables stay fast.
 *
 * @param radius - In Å, not negative.
 */
export function truthsInRange(truth: readonly Point[], candidates: readonly Point[], radius: number): RangeLists {
  const order = Uint32Array.from(truth.keys()).sort((a, b) => truth[a]!.x - truth[b]!.x || a - b);
  const xs = Float64Array.from(order, (index) => truth[index]!.x);
  // Slightly wide: a rounded square may equal the rounded limit where the distance itself exceeds the radius.
  const reach = radius * (1 + 1e-9) + 1e-150;
  const limit = radius * radius;
  const start = new Uint32Array(candidates.length + 1);
  const found: number[] = [];
  const squared: number[] = [];
  for (let c = 0; c < candidates.length; c++) {
    const { x, y, z } = candidates[c]!;
    for (let i = firstWithin(xs, x, reach); i < xs.length && xs[i]! - x <= reach; i++) {
      const reference = truth[order[i]!]!;
      const dx = reference.x - x;
      const dy = reference.y - y;
      const dz = reference.z - z;
      const d2 = dx * dx + dy * dy + dz * dz;
      if (d2 > limit) continue;
      found.push(order[i]!);
      squared.push(d2);
    }
    start[c + 1] = found.length;
  }
  return { start, truth: found, squared };
}

/** First index of ascending `xs` that is not below `x` by more than `reach`. */
function firstWithin(xs: Float64Array, x: number, reach: number): number {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (xs[middle]! - x < -reach) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Refuses points that no distance can be taken of.
 *
 * @param what - How the message names one point, given its index.
 */
export function checkFinite(points: readonly Point[], code: ErrorCode, what: (index: number) => string): void {
  for (let index = 0; index < points.length; index++) {
    const { x, y, z } = points[index]!;
    if (Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(z)) continue;
    throw new CryoetPicksError(code, `${what(index)} is at (${x}, ${y}, ${z}) Å; expected finite coordinates`);
  }
}
