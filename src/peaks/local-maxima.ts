import type { VoxelGrid } from '../space/grid.ts';
import type { Zyx } from '../space/zyx.ts';
import type { ScoreSlab } from '../tiles/blend.ts';
import { type Plane, planesOf, type Sweep, type Threshold, thresholdPerClass, voxelAt } from './planes.ts';
import { PlateauTracker } from './plateaus.ts';
import { type Layers, type Refine, scoresAroundInto } from './refine.ts';

/** A place where a score map exceeds its neighbourhood, in voxel space of that map. */
export interface Peak {
  /** Geometry of the score map. */
  readonly grid: VoxelGrid;
  /** Index into the score map; fractional where a peak was refined or is a centroid. */
  readonly voxel: Zyx;
  /** The model's class index. */
  readonly classIndex: number;
  readonly score: number;
}

/** Options of {@link localMaxima}. */
export interface LocalMaximaOptions {
  /** Least score of a peak, finite; a peak may equal it. One number, or a function of the model's class index. */
  readonly threshold: Threshold;
  /**
   * Places a peak between voxels: given the 27 scores around it, C-order `[z, y, x]`, NaN beyond the volume, it gives the
   * offset from the voxel. `quadraticFit` of `cryoet-picks/peaks` is one. Peaks of plateaus are left where they are.
   */
  readonly refine?: Refine | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds voxels that exceed all 26 neighbours, class by class, while slabs stream in.
 *
 * A plateau (connected voxels of one score, of any size and shape) counts as one voxel: it is a peak if no neighbour of
 * any of its voxels exceeds it, and its peak is its lowest (z, y, x). So the peaks do not depend on where slabs are cut
 * nor on the sweep axis. NaN is never a peak and exceeds nothing; the outermost voxels count, compared with the
 * neighbours they have. Looks at three planes per class at a time, in the memory of their slabs.
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
  const thresholdOf = thresholdPerClass(threshold);
  let searches: readonly MaximumSearch[] = [];
  for await (const { sweep, index, channels } of planesOf(slabs, signal)) {
    if (index === 0) searches = sweep.classes.map((c) => new MaximumSearch(sweep, c, thresholdOf(c), refine));
    for (let i = 0; i < searches.length; i++) yield* searches[i].advance(channels[i]);
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
  readonly #threshold: number;
  readonly #refine: Refine | undefined;
  readonly #plateaus: PlateauTracker;
  readonly #around = new Float64Array(27);
  #index = -1;
  #before: Plane | undefined;
  #current: Plane | undefined;

  constructor(sweep: Sweep, classIndex: number, threshold: number, refine: Refine | undefined) {
    this.#sweep = sweep;
    this.#refine = refine;
    this.#classIndex = classIndex;
    this.#threshold = threshold;
    this.#plateaus = new PlateauTracker(sweep);
  }

  /** Takes the next plane (none after the last), and gives the peaks that became certain. */
  advance(next: Plane | undefined): Peak[] {
    const plane = this.#current;
    const peaks: Peak[] = [];
    if (plane) {
      const { columns, planeStep, rowStep, columnStep } = this.#sweep;
      const layers = [this.#before, plane, next] as const;
      const strict: number[] = [];
      const tied: number[] = [];
      scanPlane(plane, [this.#before, next], this.#sweep, this.#threshold, strict, tied);
      const plateaus = this.#plateaus.advance(this.#index, tied, plane, this.#before);
      for (const { lowest, score } of plateaus) peaks.push(this.#peak(lowest, score));
      for (const voxel of strict) {
        const column = voxel % columns;
        const row = (voxel - column) / columns;
        const score = plane.data[plane.offset + row * plane.rowStride + column * plane.columnStride];
        const peak = this.#peak(this.#index * planeStep + row * rowStep + column * columnStep, score);
        peaks.push(this.#refine ? this.#refined(peak, this.#refine, layers, row, column) : peak);
      }
    }
    this.#before = plane;
    this.#current = next;
    this.#index++;
    return peaks;
  }

  finish(): Peak[] {
    return this.#plateaus.finish().map(({ lowest, score }) => this.#peak(lowest, score));
  }

  #refined(peak: Peak, refine: Refine, layers: Layers, row: number, column: number): Peak {
    scoresAroundInto(layers, this.#sweep, row, column, this.#around);
    const offset = refine(this.#around);
    return { ...peak, voxel: [peak.voxel[0] + offset[0], peak.voxel[1] + offset[1], peak.voxel[2] + offset[2]] };
  }

  #peak(index: number, score: number): Peak {
    const { grid } = this.#sweep;
    return { grid, voxel: voxelAt(index, grid.shape), classIndex: this.#classIndex, score };
  }
}

/**
 * Sorts out the voxels of a plane that reach the threshold and that no neighbour exceeds, as `row · columns + column`:
 * those above all neighbours into `strict`, those with an equal one into `tied`.
 */
function scanPlane(
  plane: Plane,
  [before, after]: readonly [Plane | undefined, Plane | undefined],
  { rows, columns }: Sweep,
  threshold: number,
  strict: number[],
  tied: number[],
): void {
  const { data, offset, rowStride, columnStride } = plane;
  for (let row = 0; row < rows; row++) {
    let i = offset + row * rowStride;
    const firstRow = row > 0 ? row - 1 : 0;
    const lastRow = row < rows - 1 ? row + 1 : row;
    for (let column = 0; column < columns; column++, i += columnStride) {
      const score = data[i];
      if (!(score >= threshold)) continue;
      if (column > 0 && data[i - columnStride] > score) continue;
      const firstColumn = column > 0 ? column - 1 : 0;
      const lastColumn = column < columns - 1 ? column + 1 : column;
      let equals = countEqual(plane, firstRow, lastRow, firstColumn, lastColumn, score);
      if (equals > 0 && before) equals += countEqual(before, firstRow, lastRow, firstColumn, lastColumn, score);
      if (equals > 0 && after) equals += countEqual(after, firstRow, lastRow, firstColumn, lastColumn, score);
      // The voxel itself is one of the equals.
      if (equals === 1) strict.push(row * columns + column);
      else if (equals > 1) tied.push(row * columns + column);
    }
  }
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
