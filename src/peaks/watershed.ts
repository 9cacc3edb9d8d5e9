import type { Zyx } from '../space/zyx.ts';

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

  /** The next voxel, −1 if there is none. */
  pop(): number {
    while (this.#current < this.#head.length && this.#head[this.#current] < 0) this.#current++;
    if (this.#current === this.#head.length) return -1;
    const index = this.#head[this.#current];
    this.#head[this.#current] = this.#next[index];
    return index;
  }
}
