import { atOnce, type Steps } from '../core/concurrency.ts';
import type { Zyx } from '../space/grid.ts';

/** What {@link watershed} floods. */
export interface Relief {
  /** C-order `[z, y, x]`; basins are flooded from high to low. Voxels at 0 are not flooded. */
  readonly heights: Float32Array;
  readonly shape: Zyx;
}

/**
 * Divides the voxels of a relief among markers: water rises from all markers at once, from the heights down, and each voxel
 * goes to the marker whose water reaches it first, over faces.
 *
 * Meyer's flooding (F. Meyer, "Un algorithme optimal pour la ligne de partage des eaux", 1991) with one queue per height,
 * first come, first served within a height, as scikit-image's `watershed` on the negative heights does.
 *
 * @param markers - C-order indices; marker i floods with label i + 1.
 * @returns Labels, C-order `[z, y, x]`; 0 where no water came.
 */
export function watershed({ heights, shape }: Relief, markers: readonly number[]): Int32Array {
  const labels = new Int32Array(heights.length);
  const queue = new HeightQueue(heights);
  markers.forEach((index, i) => {
    labels[index] = i + 1;
    queue.push(index);
  });
  const [depth, height, width] = shape;
  const plane = height * width;
  for (let index = queue.pop(); index >= 0; index = queue.pop()) {
    const label = labels[index];
    const x = index % width;
    const y = ((index - x) / width) % height;
    const z = Math.floor(index / plane);
    const visit = (neighbour: number): void => {
      if (labels[neighbour] !== 0 || heights[neighbour] === 0) return;
      labels[neighbour] = label;
      queue.push(neighbour);
    };
    if (z > 0) visit(index - plane);
    if (y > 0) visit(index - width);
    if (x > 0) visit(index - 1);
    if (x < width - 1) visit(index + 1);
    if (y < height - 1) visit(index + width);
    if (z < depth - 1) visit(index + plane);
  }
  return labels;
}

/** Gives voxels out from the highest down; among equal heights, in the order in which they came. Each comes once. */
class HeightQueue {
  /** Rank of each voxel's height, 0 the highest. */
  readonly #rank: Int32Array;
  readonly #next: Int32Array;
  readonly #head: Int32Array;
  readonly #tail: Int32Array;
  #current = 0;

  constructor(heights: Float32Array) {
    const levels = Float32Array.from(new Set(heights)).sort().reverse();
    const rankOf = new Map<number, number>();
    levels.forEach((height, rank) => {
      rankOf.set(height, rank);
    });
    this.#rank = new Int32Array(heights.length);
    for (let i = 0; i < heights.length; i++) this.#rank[i] = rankOf.get(heights[i]) as number;
    this.#next = new Int32Array(heights.length).fill(-1);
    this.#head = new Int32Array(levels.length).fill(-1);
    this.#tail = new Int32Array(levels.length).fill(-1);
  }

  push(index: number): void {
    const rank = this.#rank[index];
    if (this.#head[rank] < 0) this.#head[rank] = index;
    else this.#next[this.#tail[rank]] = index;
    this.#tail[rank] = index;
    if (rank < this.#current) this.#current = rank;
  }

  /** The next voxel, −1 after the last. */
  pop(): number {
    while (this.#current < this.#head.length && this.#head[this.#current] < 0) this.#current++;
    if (this.#current === this.#head.length) return -1;
    const index = this.#head[this.#current];
    this.#head[this.#current] = this.#next[index];
    return index;
  }
}

/**
 * The squared distance of each voxel of a mask to the nearest voxel outside the mask, exactly.
 *
 * One pass per axis over lower envelopes of parabolas (Felzenszwalb and Huttenlocher, "Distance transforms of sampled
 * functions", Theory of Computing 8, 2012). What lies beyond the array counts as neither inside nor outside.
 *
 * @param mask - C-order `[z, y, x]`, not 0 inside.
 * @param spacing - Distance of neighbours along z, y, x. Whole numbers give whole numbers, exact up to 2^24.
 * @returns C-order `[z, y, x]`: 0 outside the mask, ∞ everywhere if nothing lies outside.
 */
export function squaredDistances(mask: Uint8Array, shape: Zyx, spacing: Zyx): Float32Array {
  return atOnce(squaredDistanceSteps(mask, shape, spacing));
}

/** {@link squaredDistances}, in pieces of about a plane. */
export function* squaredDistanceSteps(
  mask: Uint8Array,
  [depth, height, width]: Zyx,
  spacing: Zyx,
): Steps<Float32Array> {
  const squared = new Float32Array(mask.length);
  const line = new Envelope(Math.max(depth, height, width));
  const plane = height * width;
  for (let z = 0; z < depth; z++) {
    const end = (z + 1) * plane;
    for (let i = z * plane; i < end; i++) squared[i] = mask[i] === 0 ? 0 : Number.POSITIVE_INFINITY;
    for (let y = 0; y < height; y++) line.transform(squared, z * plane + y * width, 1, width, spacing[2]);
    yield;
  }
  for (let z = 0; z < depth; z++) {
    for (let x = 0; x < width; x++) line.transform(squared, z * plane + x, width, height, spacing[1]);
    yield;
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) line.transform(squared, y * width + x, plane, depth, spacing[0]);
    yield;
  }
  return squared;
}

/** The transform along one line, with the memory it needs. */
class Envelope {
  readonly #values: Float64Array;
  /** Positions of the parabolas of the envelope, and where each takes over from the one before. */
  readonly #vertices: Int32Array;
  readonly #starts: Float64Array;

  constructor(length: number) {
    this.#values = new Float64Array(length);
    this.#vertices = new Int32Array(length);
    this.#starts = new Float64Array(length + 1);
  }

  /** Replaces `n` values, `step` apart, by the minimum of value + (distance along the line)². */
  transform(data: Float32Array, offset: number, step: number, n: number, spacing: number): void {
    if (!this.#hasInside(data, offset, step, n)) return;
    const last = this.#build(data, offset, step, n, spacing * spacing);
    // No voxel of the line has a distance yet.
    if (last < 0) return;
    const scale = spacing * spacing;
    for (let q = 0, k = 0; q < n; q++) {
      while (k < last && this.#starts[k + 1] < q) k++;
      const distance = q - this.#vertices[k];
      data[offset + q * step] = this.#values[this.#vertices[k]] + scale * distance * distance;
    }
  }

  #hasInside(data: Float32Array, offset: number, step: number, n: number): boolean {
    for (let q = 0, i = offset; q < n; q++, i += step) if (data[i] > 0) return true;
    return false;
  }

  /** Builds the lower envelope and gives the number of its last parabola; −1 if it has no parabola. */
  #build(data: Float32Array, offset: number, step: number, n: number, scale: number): number {
    let k = -1;
    for (let q = 0; q < n; q++) {
      const value = data[offset + q * step];
      this.#values[q] = value;
      if (value === Number.POSITIVE_INFINITY) continue;
      let start = Number.NEGATIVE_INFINITY;
      while (k >= 0) {
        const v = this.#vertices[k];
        start = (value - this.#values[v] + scale * (q * q - v * v)) / (2 * scale * (q - v));
        if (start > this.#starts[k]) break;
        k--;
      }
      if (k < 0) start = Number.NEGATIVE_INFINITY;
      k++;
      this.#vertices[k] = q;
      this.#starts[k] = start;
    }
    return k;
  }
}
