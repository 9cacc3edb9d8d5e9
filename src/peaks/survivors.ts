import type { SlabPlane, Sweep } from './sweep.ts';

/** So many scores are a line of memory: what is read of one plane brings as many neighbours along. */
const blockPlanes = 16;

/**
 * Finds the voxels that reach a threshold, plane by plane.
 *
 * Where the scores of a plane follow each other in memory it reads them four at a time. Where those of consecutive planes
 * do, as in a sweep along x, it reads several planes at once and holds back the voxels of the later ones.
 */
export class SurvivorFinder {
  readonly #sweep: Sweep;
  readonly #threshold: number;
  /** Voxels of this plane and those after it that were read with an earlier one. */
  #ahead: number[][] = [];

  constructor(sweep: Sweep, threshold: number) {
    this.#sweep = sweep;
    this.#threshold = threshold;
  }

  /** Voxels of the next plane, rising, as `row · columns + column`. */
  of(plane: SlabPlane): number[] {
    const { planeStride, columnStride, planesAfter } = plane;
    if (this.#ahead.length === 0) {
      const acrossPlanes = planesAfter > 0 && Math.abs(planeStride) < Math.abs(columnStride);
      const planes = acrossPlanes ? Math.min(blockPlanes, planesAfter + 1) : 1;
      const found = Array.from({ length: planes }, (): number[] => []);
      if (acrossPlanes) findAcross(plane, this.#sweep, this.#threshold, found);
      else if (columnStride === 1) findAlong(plane, this.#sweep, this.#threshold, found[0]);
      else findAcross(plane, this.#sweep, this.#threshold, found);
      this.#ahead = found;
    }
    return this.#ahead.shift() as number[];
  }
}

/** The voxels of a plane whose rows lie in memory as they are. */
function findAlong(
  { data, offset, rowStride }: SlabPlane,
  { rows, columns }: Sweep,
  threshold: number,
  found: number[],
): void {
  for (let row = 0; row < rows; row++) {
    const start = offset + row * rowStride;
    const end = start + columns;
    const voxel = row * columns - start;
    let i = start;
    for (; i + 3 < end; i += 4) {
      if (!(data[i] >= threshold || data[i + 1] >= threshold || data[i + 2] >= threshold || data[i + 3] >= threshold)) {
        continue;
      }
      for (let j = i; j < i + 4; j++) if (data[j] >= threshold) found.push(voxel + j);
    }
    for (; i < end; i++) if (data[i] >= threshold) found.push(voxel + i);
  }
}

/** The voxels of several planes, into a list for each. */
function findAcross(
  { data, offset, rowStride, columnStride, planeStride }: SlabPlane,
  { rows, columns }: Sweep,
  threshold: number,
  found: readonly number[][],
): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let i = offset + row * rowStride + column * columnStride;
      for (let plane = 0; plane < found.length; plane++, i += planeStride) {
        if (data[i] >= threshold) found[plane].push(row * columns + column);
      }
    }
  }
}
