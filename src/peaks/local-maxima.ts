import type { VoxelGrid } from '../space/grid.ts';
import type { Zyx } from '../space/zyx.ts';
import type { ScoreSlab } from '../tiles/blend.ts';
import type { MaximumSearch } from './maximum-search.ts';
import type { Threshold } from './planes.ts';
import type { Refine } from './refine.ts';

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
  const { planesOf, thresholdPerClass } = await import('./planes.ts');
  const { MaximumSearch } = await import('./maximum-search.ts');
  const { eventLoopTurn } = await import('../async.ts');
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
