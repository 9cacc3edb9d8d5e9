import {
  abortSignal,
  callback,
  optional,
  perObject,
  requireArgument,
  requireOptions,
  stream,
} from '../core/arguments.ts';
import { BufferPool } from '../core/buffer-pool.ts';
import { eventLoopTurn } from '../core/concurrency.ts';
import type { PerObject } from '../core/per-object.ts';
import { replaceAxis } from '../space/zyx.ts';
import type { ScoreSlab, ScoreVolume } from '../tiles/blend.ts';
import { CandidateFinder, maximaKernel } from './candidates.ts';
import {
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
   * look for.
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
 * @returns Peaks in voxel space, scores as given, not rescaled. Ordered by plane along the sweep axis, then by class,
 *   then by (z, y, x); the peaks of plateaus come right before those of the plane after their last one.
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
  for await (const { sweep, index, channels, offsets } of planesOf('localMaxima', slabs, signal, (slab) =>
    kept.split(slab),
  )) {
    if (index === 0) searches = chosen(sweep.classes).map((searched) => new MaximumSearch(sweep, searched, refine));
    for (const search of searches) {
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
  readonly #sweep: PlaneSweep;
  readonly #object: string;
  readonly #candidates: CandidateFinder;
  readonly #refine: Refine | undefined;
  readonly #plateaus: PlateauTracker;
  readonly #around = new Float64Array(27);
  #index = -1;
  #before: Plane | undefined;
  #current: SlabPlane | undefined;
  #offsets: Offsets | undefined;

  constructor(sweep: PlaneSweep, { object, channel, threshold }: SearchedClass, refine: Refine | undefined) {
    this.channel = channel;
    this.#sweep = sweep;
    this.#refine = refine;
    this.#object = object;
    this.#candidates = new CandidateFinder(sweep, threshold, maximaKernel());
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
      sortOut(this.#candidates.of(plane), layers, this.#sweep, strict, tied);
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
    return { grid, voxel: voxelAt(index, grid.shape), object: this.#object, score };
  }
}

/**
 * Sorts the candidates of a plane that no neighbour exceeds: those above all neighbours into `strict`, those with an equal
 * one into `tied`.
 */
function sortOut(
  candidates: readonly number[],
  [before, plane, after]: Layers,
  { rows, columns }: PlaneSweep,
  strict: number[],
  tied: number[],
): void {
  const { data, offset, rowStride, columnStride } = plane;
  for (const voxel of candidates) {
    const column = voxel % columns;
    const row = (voxel - column) / columns;
    const i = offset + row * rowStride + column * columnStride;
    const score = data[i];
    // Most candidates have a higher neighbour across a face.
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

/** Planes that the search still compares with those of the next slab. */
const KEPT = 2;

/**
 * Copies the last two planes of each slab, so that the slab can be released before the next one comes. The memory of a copy is
 * used again once the next two planes have been copied.
 */
class LastPlanes {
  readonly #pools = { scores: new BufferPool(2), offsets: new BufferPool(2) };
  #last: ScoreSlab | undefined;

  /** Splits a slab into its first planes as they are, and a copy of the last two, whose release is that of the slab. */
  split(slab: ScoreSlab): ScoreSlab[] {
    const before = this.#last;
    this.#last = undefined;
    if (!slab.release) return [slab];
    const planes = slab.scores.shape[slab.axis + 1];
    const cut = Math.max(0, planes - KEPT);
    const first = { ...withVolumes(slab, (volume) => viewPlanes(volume, slab, 0, cut)), release: undefined };
    const last = copyPlanes(slab, cut, this.#pools);
    this.#last = last;
    const releaseBoth = () => {
      slab.release?.();
      // The search that looks back past these planes sees nothing of those copied before.
      if (!before || planes < KEPT) return;
      this.#pools.scores.put(before.scores.data);
      if (before.offsets) this.#pools.offsets.put(before.offsets.data);
    };
    return [...(cut > 0 ? [first] : []), { ...last, release: releaseBoth }];
  }
}

/** The slab with other scores, and offsets if it has some. */
function withVolumes(slab: ScoreSlab, change: (volume: ScoreVolume) => ScoreVolume): ScoreSlab {
  return { ...slab, scores: change(slab.scores), offsets: slab.offsets && change(slab.offsets) };
}

/** A view of some planes along the sweep axis. */
function viewPlanes(volume: ScoreVolume, { axis }: ScoreSlab, from: number, to: number): ScoreVolume {
  const [channels, z, y, x] = volume.shape;
  const shape = replaceAxis([z, y, x], axis, to - from);
  return { ...volume, shape: [channels, ...shape], offset: volume.offset + from * volume.stride[axis + 1] };
}

/** The planes of a slab from `from` on, copied. */
function copyPlanes(
  slab: ScoreSlab,
  from: number,
  pools: { readonly scores: BufferPool; readonly offsets: BufferPool },
): ScoreSlab {
  const end = slab.scores.shape[slab.axis + 1];
  return {
    ...slab,
    scores: copyVolume(viewPlanes(slab.scores, slab, from, end), pools.scores),
    offsets: slab.offsets && copyVolume(viewPlanes(slab.offsets, slab, from, end), pools.offsets),
    start: slab.start + from,
    release: undefined,
  };
}

function copyVolume({ data, shape, stride, offset }: ScoreVolume, pool: BufferPool): ScoreVolume {
  const [classes, depth, height, width] = shape;
  const length = classes * depth * height * width;
  const copy = pool.take(length) ?? new Float32Array(length);
  let at = 0;
  for (let k = 0; k < classes; k++) {
    for (let z = 0; z < depth; z++) {
      for (let y = 0; y < height; y++, at += width) {
        const row = offset + k * stride[0] + z * stride[1] + y * stride[2];
        // Rows of slabs may be any view, such as one of an array in Fortran order.
        if (stride[3] === 1) copy.set(data.subarray(row, row + width), at);
        else for (let x = 0; x < width; x++) copy[at + x] = data[row + x * stride[3]];
      }
    }
  }
  const plane = height * width;
  return { data: copy, shape, stride: [depth * plane, plane, width, 1], offset: 0 };
}
