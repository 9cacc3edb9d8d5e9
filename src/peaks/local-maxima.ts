import type { ScoreSlab } from '../tiles/blend.ts';
import { CandidateFinder, maximaKernel } from './candidates.ts';
import { type Plateau, PlateauTracker } from './plateaus.ts';
import { type Layers, type Refine, scoresAroundInto } from './refine.ts';
import {
  movedBy,
  type Offsets,
  offsetAt,
  type Peak,
  type Plane,
  type SlabPlane,
  type Sweep,
  type Threshold,
  voxelAt,
} from './sweep.ts';

/** Options of {@link localMaxima}. */
export interface LocalMaximaOptions {
  /** Least score of a peak, finite; a peak may equal it. One number, or a function of the model's class index. */
  readonly threshold: Threshold;
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
 * any of its voxels exceeds it, and its peak is its lowest (z, y, x). So the peaks do not depend on where slabs are cut
 * nor on the sweep axis. Where slabs have offsets, a peak is moved by that of its voxel. NaN is never a peak and exceeds
 * nothing; the outermost voxels count, compared with the neighbours they have. Compares three planes per class at a time, in the memory of their slabs; what may be a maximum is
 * looked for some planes ahead. Every so often the event loop gets a turn.
 *
 * @param slabs - Scores `[class, z, y, x]`, consecutive along the sweep axis, without gaps, from the first plane to the
 *   last. They are read, not written; memory of the last two (of the last three, if they are one plane thick) is kept.
 * @returns Peaks in voxel space, scores as given, not rescaled. Ordered by plane along the sweep axis, then by class,
 *   then by (z, y, x); the peaks of plateaus come right before those of the plane after their last one.
 * @throws {@link CryoetPicksError} `invalid-option` if a threshold is not finite, or slabs leave a gap or end early.
 *
 * @example
 * ```ts
 * for await (const peak of localMaxima(slabs, { threshold: 0.2 })) picks.push(toPick(peak, model.spec.classes));
 * ```
 */
export async function* localMaxima(
  slabs: AsyncIterable<ScoreSlab> | Iterable<ScoreSlab>,
  { threshold, refine, signal }: LocalMaximaOptions,
): AsyncGenerator<Peak> {
  // Not part of what a page loads first.
  const { planesOf, thresholdPerClass } = await import('./sweep.ts');
  const { eventLoopTurn } = await import('../core/concurrency.ts');
  const thresholdOf = thresholdPerClass(threshold);
  let searches: readonly MaximumSearch[] = [];
  for await (const { sweep, index, channels, offsets } of planesOf(slabs, signal)) {
    if (index === 0) searches = sweep.classes.map((c) => new MaximumSearch(sweep, c, thresholdOf(c), refine));
    for (let i = 0; i < searches.length; i++) {
      yield* searches[i].advance(channels[i], offsets);
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
  readonly #sweep: Sweep;
  readonly #classIndex: number;
  readonly #survivors: CandidateFinder;
  readonly #refine: Refine | undefined;
  readonly #plateaus: PlateauTracker;
  readonly #around = new Float64Array(27);
  #index = -1;
  #before: Plane | undefined;
  #current: SlabPlane | undefined;
  #offsets: Offsets | undefined;

  constructor(sweep: Sweep, classIndex: number, threshold: number, refine: Refine | undefined) {
    this.#sweep = sweep;
    this.#refine = refine;
    this.#classIndex = classIndex;
    this.#survivors = new CandidateFinder(sweep, threshold, maximaKernel());
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
      sortOut(this.#survivors.of(plane), layers, this.#sweep, strict, tied);
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
    // One answer to where between voxels a peak lies.
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

  #peakOf({ lowest, score, offset }: Plateau): Peak {
    return movedBy(offset, this.#peak(lowest, score));
  }

  #peak(index: number, score: number): Peak {
    const { grid } = this.#sweep;
    return { grid, voxel: voxelAt(index, grid.shape), classIndex: this.#classIndex, score };
  }
}

/**
 * Sorts out the survivors of a plane that no neighbour exceeds: those above all neighbours into `strict`, those with an
 * equal one into `tied`.
 */
function sortOut(
  survivors: readonly number[],
  [before, plane, after]: Layers,
  { rows, columns }: Sweep,
  strict: number[],
  tied: number[],
): void {
  const { data, offset, rowStride, columnStride } = plane;
  for (const voxel of survivors) {
    const column = voxel % columns;
    const row = (voxel - column) / columns;
    const i = offset + row * rowStride + column * columnStride;
    const score = data[i];
    // Of most survivors a neighbour across a face is higher.
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
