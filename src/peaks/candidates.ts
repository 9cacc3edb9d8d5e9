import { growTo, madeOnce, startWasm } from '../wasm/instantiate.ts';
import { MAXIMA_KERNEL } from '../wasm/modules.ts';
import type { PlaneSweep, SlabPlane } from './planes.ts';

/** Maximum number of planes that are read together: so many scores are one line of a processor's cache. */
const MAX_BLOCK_PLANES = 16;

/** Scores of consecutive planes or rows that are read together, unless one row is longer: a processor's cache holds them. */
const SPAN_SCORES = 16384;

/**
 * Finds the voxels that reach a threshold, plane by plane; some of those that a neighbour exceeds may be left out.
 *
 * A kernel in WebAssembly searches scores that follow each other in memory: a whole plane, or the same row of consecutive planes.
 * In a sweep along x, in which the scores of consecutive planes follow each other, several planes are read at once. Voxels of
 * planes that were read ahead are kept for their turn.
 */
export class CandidateFinder {
  readonly #sweep: PlaneSweep;
  readonly #threshold: number;
  readonly #kernel: FindCandidates | undefined;
  /** Voxels of this plane and those after it that were read with an earlier one. */
  #ahead: number[][] = [];

  constructor(sweep: PlaneSweep, threshold: number, kernel: FindCandidates | undefined) {
    this.#sweep = sweep;
    this.#threshold = threshold;
    this.#kernel = kernel;
  }

  /** Voxels of the next plane, rising, as `row · columns + column`. */
  of(plane: SlabPlane): number[] {
    if (this.#ahead.length === 0) this.#ahead = this.#find(plane);
    return this.#ahead.shift() as number[];
  }

  /** The voxels of a plane, and those of planes after it that are read along. */
  #find(plane: SlabPlane): number[][] {
    const [sweep, threshold, kernel] = [this.#sweep, this.#threshold, this.#kernel];
    const { planeStride, rowStride, columnStride, planesAfter } = plane;
    const listsOf = (planes: number) => Array.from({ length: Math.min(planes, planesAfter + 1) }, (): number[] => []);
    if (columnStride !== 1) {
      const found = listsOf(Math.abs(planeStride) < Math.abs(columnStride) ? MAX_BLOCK_PLANES : 1);
      findAcross(plane, sweep, threshold, found);
      return found;
    }
    if (kernel && rowStride !== sweep.columns) {
      const planes = Math.min(MAX_BLOCK_PLANES, Math.max(1, Math.floor(SPAN_SCORES / sweep.columns)));
      const found = listsOf(planeStride === sweep.columns ? planes : 1);
      findInRows(plane, sweep, threshold, kernel, found);
      return found;
    }
    const found: number[] = [];
    if (kernel) findInPlane(plane, sweep, threshold, kernel, found);
    else findAlong(plane, sweep, threshold, found);
    return [found];
  }
}

/** The voxels of several planes that follow each other row by row, into a list for each. */
function findInRows(
  { data, offset, rowStride }: SlabPlane,
  { rows, columns }: PlaneSweep,
  threshold: number,
  candidates: FindCandidates,
  found: readonly number[][],
): void {
  candidates({ data, offset, rowStride, rows, lines: found.length, columns }, threshold, (row, places) => {
    for (let i = 0, plane = 0; i < places.length; i++) {
      while (places[i] >= (plane + 1) * columns) plane++;
      found[plane].push((row - plane) * columns + places[i]);
    }
  });
}

/** The voxels of a plane whose rows follow each other, some rows at a time. */
function findInPlane(
  { data, offset }: SlabPlane,
  { rows, columns }: PlaneSweep,
  threshold: number,
  candidates: FindCandidates,
  found: number[],
): void {
  const rowsAtOnce = Math.max(1, Math.floor(SPAN_SCORES / columns));
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const first = row * columns;
    const lines = Math.min(rowsAtOnce, rows - row);
    candidates({ data, offset: offset + first, rowStride: 0, rows: 1, lines, columns }, threshold, (_, places) => {
      for (let i = 0; i < places.length; i++) found.push(first + places[i]);
    });
  }
}

/** The voxels of a plane whose rows lie in memory as they are, four at a time. */
function findAlong(
  { data, offset, rowStride }: SlabPlane,
  { rows, columns }: PlaneSweep,
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
  { rows, columns }: PlaneSweep,
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

/** Rows of scores, each of some lines that follow each other in memory. */
export interface Rows {
  readonly data: Float32Array;
  readonly offset: number;
  readonly rowStride: number;
  readonly rows: number;
  readonly lines: number;
  readonly columns: number;
}

/**
 * Visits row by row the places, rising and counted from the start of the row, of the scores that reach a threshold and
 * that none of six exceeds: left, right, on the line before and after, in the row above and below. Places may be looked at
 * until the visit ends.
 */
export type FindCandidates = (rows: Rows, threshold: number, visit: (row: number, places: Uint32Array) => void) => void;

/** What the compiled module offers; all but three are places in its memory. */
interface KernelExports {
  candidates(
    at: number,
    above: number,
    below: number,
    lines: number,
    columns: number,
    threshold: number,
    out: number,
  ): number;
}

/** The search in WebAssembly, sixteen scores at a time; undefined without WebAssembly with SIMD. */
export const maximaKernel: () => FindCandidates | undefined = madeOnce(makeKernel);

function makeKernel(): FindCandidates | undefined {
  const module = startWasm<KernelExports>(MAXIMA_KERNEL);
  if (!module) return undefined;
  const { memory, exports } = module;
  return ({ data, offset, rowStride, rows, lines, columns }, threshold, visit) => {
    const size = lines * columns;
    const minimum = atLeast(threshold);
    // A row, that above and that below take turns in three places; the fourth is for what is found.
    growTo(memory, 16 * size);
    const heap = new Float32Array(memory.buffer);
    const out = 12 * size;
    const placeOf = (row: number) => (row % 3) * size;
    const fetch = (row: number) => {
      const start = offset + row * rowStride;
      heap.set(data.subarray(start, start + size), placeOf(row));
    };
    fetch(0);
    for (let row = 0; row < rows; row++) {
      if (row + 1 < rows) fetch(row + 1);
      const [at, above, below] = [row, Math.max(0, row - 1), Math.min(rows - 1, row + 1)].map((r) => 4 * placeOf(r));
      const count = exports.candidates(at, above, below, lines, columns, minimum, out);
      if (count > 0) visit(row, new Uint32Array(memory.buffer, out, count));
    }
  };
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The smallest float32 that is not below a number, so that the same float32 scores reach both. */
function atLeast(number: number): number {
  float[0] = number;
  // The next one up is one more in its bits, of a negative one one less.
  if (float[0] < number) bits[0] += bits[0] < 0 ? -1 : 1;
  return float[0];
}
