import {
  abortSignal,
  callback,
  optional,
  type PerObject,
  perObject,
  requireArgument,
  requireOptions,
  stream,
} from '../core/arguments.ts';
import { eventLoopTurn, madeOnce } from '../core/concurrency.ts';
import type { ScoreSlab } from '../tiles/blend.ts';
import { startWasm } from '../wasm/instantiate.ts';
import { MAXIMA_KERNEL } from '../wasm/modules.ts';
import {
  LastPlanes,
  movedBy,
  type Offsets,
  offsetAt,
  type Peak,
  type Plane,
  type PlaneSweep,
  planesOf,
  type SearchedClass,
  type SlabPlane,
  searchedClasses,
  voxelAt,
} from './planes.ts';
import { type PlateauPeak, PlateauTracker } from './plateaus.ts';
import { type Layers, type Refine, scoresAroundInto } from './refine.ts';

/** Options of {@link localMaxima}. */
export interface LocalMaximaOptions {
  /**
   * Minimum score of a peak, finite; a peak may equal it. One number for all objects, or a number by the name of each object to
   * look for. Calibrated, where the slabs have a calibration curve of the object.
   */
  readonly threshold: PerObject;
  /**
   * Places a peak between voxels: given the 27 scores around it, C-order `[z, y, x]`, NaN beyond the volume, it gives the
   * offset from the voxel. `quadraticFit` of `cryoet-picks` is one. Peaks of plateaus are left where they are.
   * @defaultValue the offsets of the slabs, where they have some; else peaks lie on voxels
   */
  readonly refine?: Refine | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds voxels that exceed all 26 neighbours, class by class, while slabs stream in.
 *
 * A plateau (connected voxels of one score, of any size and shape) counts as one voxel: it is a peak if no neighbour of
 * any of its voxels exceeds it. Its peak is the voxel of it that is nearest to its centroid, among equally near ones the lowest
 * (z, y, x). So the peaks do not depend on where slabs are cut nor on the sweep axis. Where slabs have offsets, a peak is moved
 * by that of its voxel; that of a plateau of more than 131,072 voxels is not moved. NaN is never a peak and exceeds nothing;
 * the outermost voxels count, compared with the neighbours they have.
 *
 * Compares three planes per class at a time. A slab is released as soon as it was searched: of each, copies of the last two planes
 * are kept. Yields to the event loop every 5 ms.
 *
 * @param slabs - Scores `[class, z, y, x]`, consecutive along the sweep axis, without gaps, from the first plane to the
 *   last. They are read, not written, and released; those without `release` are kept while they are compared with the next.
 * @returns Peaks in voxel space, scores as given, calibrated where the slabs have a calibration curve of the object. Ordered by plane along the sweep axis, then by class,
 *   then by (z, y, x); the peaks of plateaus come right before those of the plane after their last one. Of slabs that know
 *   orientations, each has that of its voxel.
 * @throws {@link CryoetPicksError} `invalid-option` if a threshold is not finite or names an object that the slabs have no
 *   scores of, or slabs leave a gap or end early.
 *
 * @example
 * ```ts
 * for await (const peak of localMaxima(slabs, { threshold: 0.2 })) picks.push(toPick(peak));
 * ```
 */
export async function* localMaxima(
  slabs: AsyncIterable<ScoreSlab> | Iterable<ScoreSlab>,
  options: LocalMaximaOptions,
): AsyncGenerator<Peak> {
  requireArgument('localMaxima', 'slabs', slabs, stream);
  const { threshold, refine, signal } = requireOptions('localMaxima', options, {
    threshold: perObject,
    refine: optional(callback),
    signal: optional(abortSignal),
  });
  const chosen = searchedClasses(threshold, 'localMaxima');
  const kept = new LastPlanes();
  let searches: readonly MaximumSearch[] = [];
  for await (const plane of planesOf('localMaxima', slabs, signal, (slab) => kept.split(slab))) {
    const { sweep, index, channels, offsets, transformAt } = plane;
    if (index === 0) searches = chosen(plane).map((searched) => new MaximumSearch(sweep, searched, refine));
    for (const search of searches) {
      search.transformAt = transformAt;
      yield* search.advance(channels[search.channel], offsets);
      await eventLoopTurn();
      signal?.throwIfAborted();
    }
  }
  for (const search of searches) {
    yield* search.advance(undefined);
    yield* search.finish();
  }
}

/** The search through one class: it decides on a plane when the next one is there. */
class MaximumSearch {
  readonly channel: number;
  /** Of the latest plane; it knows those before as well. */
  transformAt: ScoreSlab['transformAt'];
  readonly #sweep: PlaneSweep;
  readonly #searched: SearchedClass;
  readonly #contenders: ContenderFinder;
  readonly #refine: Refine | undefined;
  readonly #plateaus: PlateauTracker;
  readonly #around = new Float64Array(27);
  #index = -1;
  #before: Plane | undefined;
  #current: SlabPlane | undefined;
  #offsets: Offsets | undefined;

  constructor(sweep: PlaneSweep, searched: SearchedClass, refine: Refine | undefined) {
    this.channel = searched.channel;
    this.#sweep = sweep;
    this.#refine = refine;
    this.#searched = searched;
    this.#contenders = new ContenderFinder(sweep, searched.threshold, maximaKernel());
    this.#plateaus = new PlateauTracker(sweep);
  }

  /** Takes the next plane (none after the last) and its offsets, and gives the peaks that became certain. */
  advance(next: SlabPlane | undefined, nextOffsets?: Offsets | undefined): Peak[] {
    const plane = this.#current;
    const peaks: Peak[] = [];
    if (plane) {
      const { columns, planeStep, rowStep, columnStep } = this.#sweep;
      const layers = [this.#before, plane, next] as const;
      const strict: number[] = [];
      const tied: number[] = [];
      sortOut(this.#contenders.of(plane), layers, this.#sweep, strict, tied);
      const offsets = this.#offsets;
      const plateaus = this.#plateaus.advance(this.#index, tied, layers, offsets);
      for (const plateau of plateaus) peaks.push(this.#peakOf(plateau));
      for (const voxel of strict) {
        const column = voxel % columns;
        const row = (voxel - column) / columns;
        const score = plane.data[plane.offset + row * plane.rowStride + column * plane.columnStride];
        const peak = this.#peak(this.#index * planeStep + row * rowStep + column * columnStep, score);
        if (this.#refine) peaks.push(this.#refined(peak, this.#refine, layers, row, column));
        else peaks.push(offsets ? movedBy(offsetAt(offsets, row, column), peak) : peak);
      }
    }
    this.#before = plane;
    this.#current = next;
    // A refinement replaces the offsets.
    this.#offsets = this.#refine ? undefined : nextOffsets;
    this.#index++;
    return peaks;
  }

  finish(): Peak[] {
    return this.#plateaus.finish().map((plateau) => this.#peakOf(plateau));
  }

  #refined(peak: Peak, refine: Refine, layers: Layers, row: number, column: number): Peak {
    scoresAroundInto(layers, this.#sweep, row, column, this.#around);
    return movedBy(refine(this.#around), peak);
  }

  #peakOf({ centre, score, offset }: PlateauPeak): Peak {
    return movedBy(offset, this.#peak(centre, score));
  }

  #peak(index: number, score: number): Peak {
    const { grid } = this.#sweep;
    const voxel = voxelAt(index, grid.shape);
    const { object, calibrated } = this.#searched;
    const peak = { grid, voxel, object, score: calibrated(score) };
    return this.transformAt ? { ...peak, transform: this.transformAt(voxel) } : peak;
  }
}

/**
 * Sorts the contenders of a plane that no neighbour exceeds: those above all neighbours into `strict`, those with an equal
 * one into `tied`.
 */
function sortOut(
  contenders: readonly number[],
  [before, plane, after]: Layers,
  { rows, columns }: PlaneSweep,
  strict: number[],
  tied: number[],
): void {
  const { data, offset, rowStride, columnStride } = plane;
  for (const voxel of contenders) {
    const column = voxel % columns;
    const row = (voxel - column) / columns;
    const i = offset + row * rowStride + column * columnStride;
    const score = data[i];
    // Most contenders have a higher neighbour across a face.
    if (column > 0 && data[i - columnStride] > score) continue;
    if (column < columns - 1 && data[i + columnStride] > score) continue;
    if (row > 0 && data[i - rowStride] > score) continue;
    if (row < rows - 1 && data[i + rowStride] > score) continue;
    if (before && scoreAt(before, row, column) > score) continue;
    if (after && scoreAt(after, row, column) > score) continue;
    const firstRow = row > 0 ? row - 1 : 0;
    const lastRow = row < rows - 1 ? row + 1 : row;
    const firstColumn = column > 0 ? column - 1 : 0;
    const lastColumn = column < columns - 1 ? column + 1 : column;
    let equals = countEqual(plane, firstRow, lastRow, firstColumn, lastColumn, score);
    if (equals > 0 && before) equals += countEqual(before, firstRow, lastRow, firstColumn, lastColumn, score);
    if (equals > 0 && after) equals += countEqual(after, firstRow, lastRow, firstColumn, lastColumn, score);
    // The voxel itself is one of the equals.
    if (equals === 1) strict.push(voxel);
    else if (equals > 1) tied.push(voxel);
  }
}

function scoreAt({ data, offset, rowStride, columnStride }: Plane, row: number, column: number): number {
  return data[offset + row * rowStride + column * columnStride];
}

/** How many scores of a window equal `score`; −∞ if one exceeds it. */
function countEqual(
  { data, offset, rowStride, columnStride }: Plane,
  firstRow: number,
  lastRow: number,
  firstColumn: number,
  lastColumn: number,
  score: number,
): number {
  let equals = 0;
  for (let row = firstRow; row <= lastRow; row++) {
    let i = offset + row * rowStride + firstColumn * columnStride;
    for (let column = firstColumn; column <= lastColumn; column++, i += columnStride) {
      const other = data[i];
      if (other > score) return Number.NEGATIVE_INFINITY;
      if (other === score) equals++;
    }
  }
  return equals;
}

/** Maximum number of planes that are read together: so many scores are one line of a processor's cache. */
const MAX_BLOCK_PLANES = 16;

/** Scores of consecutive planes or rows that are read together: a processor's cache holds them. A longer row is read without the kernel. */
const SPAN_SCORES = 16384;

/**
 * Finds the voxels that reach a threshold, plane by plane; some of those that a neighbour exceeds may be left out.
 *
 * A kernel in WebAssembly searches scores that follow each other in memory: a whole plane, or the same row of consecutive planes.
 * In a sweep along x, in which the scores of consecutive planes follow each other, several planes are read at once. Voxels of
 * planes that were read ahead are kept for their turn.
 */
export class ContenderFinder {
  readonly #sweep: PlaneSweep;
  readonly #threshold: number;
  readonly #kernel: FindContenders | undefined;
  /** Voxels of this plane and those after it that were read with an earlier one. */
  #ahead: number[][] = [];

  constructor(sweep: PlaneSweep, threshold: number, kernel: FindContenders | undefined) {
    this.#sweep = sweep;
    this.#threshold = threshold;
    this.#kernel = sweep.columns > SPAN_SCORES ? undefined : kernel;
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
  find: FindContenders,
  found: readonly number[][],
): void {
  find({ data, offset, rowStride, rows, lines: found.length, columns }, threshold, (row, places) => {
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
  find: FindContenders,
  found: number[],
): void {
  const rowsAtOnce = Math.max(1, Math.floor(SPAN_SCORES / columns));
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const first = row * columns;
    const lines = Math.min(rowsAtOnce, rows - row);
    find({ data, offset: offset + first, rowStride: 0, rows: 1, lines, columns }, threshold, (_, places) => {
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
export type FindContenders = (rows: Rows, threshold: number, visit: (row: number, places: Uint32Array) => void) => void;

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
export const maximaKernel: () => FindContenders | undefined = madeOnce(makeKernel);

function makeKernel(): FindContenders | undefined {
  const module = startWasm<KernelExports>(MAXIMA_KERNEL, 16 * SPAN_SCORES);
  if (!module) return undefined;
  const { memory, exports } = module;
  return ({ data, offset, rowStride, rows, lines, columns }, threshold, visit) => {
    const size = lines * columns;
    const minimum = atLeast(threshold);
    // A row, that above and that below take turns in three places; the fourth is for what is found.
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
