import type { Zyx } from '../space/zyx.ts';

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
export function squaredDistances(mask: Uint8Array, [depth, height, width]: Zyx, spacing: Zyx): Float32Array {
  const squared = new Float32Array(mask.length);
  for (let i = 0; i < mask.length; i++) squared[i] = mask[i] === 0 ? 0 : Number.POSITIVE_INFINITY;
  const line = new Envelope(Math.max(depth, height, width));
  const plane = height * width;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) line.transform(squared, z * plane + y * width, 1, width, spacing[2]);
  }
  for (let z = 0; z < depth; z++) {
    for (let x = 0; x < width; x++) line.transform(squared, z * plane + x, width, height, spacing[1]);
  }
  for (let i = 0; i < plane; i++) line.transform(squared, i, plane, depth, spacing[0]);
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

  /** Replaces `n` values, `step` apart, by the least of value + (distance along the line)². */
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

  /** Builds the lower envelope and gives the number of its last parabola; −1 if there is none. */
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
