import { CryoetPicksError } from '../errors.ts';
import type { ScoreSlab } from '../tiles/blend.ts';
import { type Component, type Growing, toComponent } from './component.ts';
import { ComponentSweep, type Connectivity } from './component-sweep.ts';
import type { Threshold } from './planes.ts';
import type { Sweep } from './sweep.ts';

/** Options of {@link connectedComponents}. */
export interface ConnectedComponentsOptions {
  /** Least score of a voxel that belongs to a component, finite. One number, or a function of the model's class index. */
  readonly threshold: Threshold;
  /**
   * Which voxels are neighbours: those that share a face (6), also an edge (18), also a corner (26).
   * @defaultValue 26
   */
  readonly connectivity?: Connectivity | undefined;
  /**
   * Smaller components are left out.
   * @defaultValue 1
   */
  readonly minVoxels?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds connected groups of voxels that reach a threshold, class by class, while slabs stream in.
 *
 * Run-length labelling with union-find (He et al., "The connected-component labeling problem", Pattern Recognition 70, 2017).
 * Holds two planes of runs per class and the components that still grow. Counts, centroids and boxes do not depend on
 * where slabs are cut nor on the sweep axis (weighted centroids on the axis by rounding). NaN belongs to no component.
 *
 * @param slabs - Scores `[class, z, y, x]`, consecutive along the sweep axis, without gaps, from the first plane to the
 *   last. They are read, not written, and not kept.
 * @returns Components in voxel space, by the plane along the sweep axis that ends them, then by class, then by their
 *   first voxel in sweep order.
 * @throws {@link CryoetPicksError} `invalid-option` if a threshold is not finite, connectivity or `minVoxels` cannot be,
 *   or slabs leave a gap or end early.
 *
 * @example
 * ```ts
 * for await (const component of connectedComponents(slabs, { threshold: 0.15, minVoxels: 7 })) {
 *   picks.push(toPick(component, classes));                                             // at its centroid
 *   picks.push(toPick({ ...component, voxel: component.bestVoxel }, classes));          // or where it is best
 * }
 * ```
 */
export async function* connectedComponents(
  slabs: AsyncIterable<ScoreSlab> | Iterable<ScoreSlab>,
  { threshold, connectivity = 26, minVoxels = 1, signal }: ConnectedComponentsOptions,
): AsyncGenerator<Component> {
  // Not part of what a page loads first.
  const { planesOf, thresholdPerClass } = await import('./planes.ts');
  const thresholdOf = thresholdPerClass(threshold);
  checkComponentOptions(connectivity, minVoxels);
  let searches: readonly ComponentSweep[] = [];
  let all: Sweep | undefined;
  for await (const { sweep, index, channels } of planesOf(slabs, signal)) {
    if (index === 0) {
      all = sweep;
      searches = sweep.classes.map((c) => new ComponentSweep(sweep, thresholdOf(c), connectivity, minVoxels));
    }
    for (let i = 0; i < searches.length; i++) yield* ended(searches[i].advance(channels[i]), sweep, i);
  }
  for (let i = 0; i < searches.length; i++) yield* ended(searches[i].finish(), all as Sweep, i);
}

function ended(components: readonly Growing[], sweep: Sweep, channel: number): Component[] {
  return components.map((component) => toComponent(component, sweep, sweep.classes[channel]));
}

/** @throws {@link CryoetPicksError} `invalid-option` */
export function checkComponentOptions(connectivity: number, minVoxels: number): void {
  if (connectivity !== 6 && connectivity !== 18 && connectivity !== 26) {
    throw new CryoetPicksError('invalid-option', `connectivity must be 6, 18 or 26, found ${connectivity}`);
  }
  if (!Number.isInteger(minVoxels) || minVoxels < 1) {
    throw new CryoetPicksError('invalid-option', `minVoxels must be a whole number ≥ 1, found ${minVoxels}`);
  }
}
