import {
  abortSignal,
  numberPerObject,
  optional,
  type PerObject,
  perObject,
  positiveLength,
  requireArgument,
  requireOptions,
  stream,
} from '../core/arguments.ts';
import { greedyNms } from '../space/cell-grid.ts';
import type { VoxelGrid, Zyx } from '../space/grid.ts';
import type { ScoreSlab } from '../tiles/blend.ts';
import {
  type Component,
  ComponentSweep,
  type Connectivity,
  componentRules,
  type Foreground,
  type Growing,
  keepRun,
  scoresFrom,
  toComponent,
} from './connected-components.ts';
import { fromSweepOrder, type PlaneSweep, planesOf, type SearchedClass, searchedClasses } from './planes.ts';
import { squaredDistances, watershed } from './watershed.ts';

/** Options of {@link splitTouching}. */
export interface SplitTouchingOptions {
  /**
   * Minimum score of a voxel that belongs to a particle, finite: one number for all objects, or a number by the name of each
   * object to look for. Calibrated, where the slabs have a calibration curve of the object, as is the score of a part.
   */
  readonly threshold: PerObject;
  /** Minimum distance in Å between the cores of two particles, above 0: about the particle's radius. */
  readonly minDistance: PerObject;
  /**
   * Which voxels are neighbours before splitting: those that share a face (6), also an edge (18), also a corner (26).
   * @defaultValue 26
   */
  readonly connectivity?: Connectivity | undefined;
  /**
   * Smaller parts are left out.
   * @defaultValue 1
   */
  readonly minVoxels?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds connected groups of voxels that reach a threshold, as `connectedComponents` does, and splits those that are several
 * particles touching each other.
 *
 * A voxel's depth is its distance to the nearest voxel outside its group. The cores are the voxels that are nowhere less
 * deep than a neighbour, deepest first, none closer to another than `minDistance`; a watershed on the depth then gives each
 * voxel to a core. That is the recipe of many pickers (opening left out), with distances in Å on any grid. Ties go to the
 * lowest (z, y, x), so the parts do not depend on where slabs are cut. The flood goes over faces: in a group that is split, a
 * voxel that hangs on by an edge or a corner alone belongs to no part.
 *
 * Holds the voxels of the components that still grow, and, while it splits one, 17 bytes per voxel of its box.
 *
 * @param slabs - Scores `[class, z, y, x]`, consecutive along the sweep axis, without gaps, from the first plane to the
 *   last. They are read, not written, and released.
 * @returns The parts as components in voxel space; those of one group one after the other, by the place of their cores.
 * @throws {@link CryoetPicksError} `invalid-option` if an option cannot be, or slabs leave a gap or end early.
 *
 * @example
 * ```ts
 * for await (const part of splitTouching(slabs, { threshold: 0.5, minDistance: 60, minVoxels: 40 })) {
 *   picks.push(toPick(part));
 * }
 * ```
 */
export async function* splitTouching(
  slabs: AsyncIterable<ScoreSlab> | Iterable<ScoreSlab>,
  options: SplitTouchingOptions,
): AsyncGenerator<Component> {
  const call = 'splitTouching';
  requireArgument(call, 'slabs', slabs, stream);
  const rules = { threshold: perObject, minDistance: perObject, ...componentRules, signal: optional(abortSignal) };
  const { threshold, minDistance, connectivity = 26, minVoxels = 1, signal } = requireOptions(call, options, rules);
  const chosen = searchedClasses(threshold, call);
  const distanceOf = numberPerObject('minDistance', minDistance, positiveLength, call);
  let searches: readonly SplitSearch[] = [];
  for await (const plane of planesOf(call, slabs, signal)) {
    const { sweep, index, channels } = plane;
    if (index === 0) {
      searches = chosen(plane).map((searched) => ({
        ...searched,
        sweep,
        growing: new ComponentSweep(sweep, scoresFrom(searched.threshold, keepRun), connectivity, minVoxels),
        minDistance: distanceOf(searched.object),
        minVoxels,
      }));
    }
    for (const search of searches) yield* partsOf(search.growing.advance(channels[search.channel]), search);
  }
  for (const search of searches) yield* partsOf(search.growing.finish(), search);
}

/** The search through one class. */
interface SplitSearch extends SearchedClass {
  readonly sweep: PlaneSweep;
  readonly growing: ComponentSweep;
  readonly minDistance: number;
  readonly minVoxels: number;
}

function* partsOf(components: readonly Growing[], search: SplitSearch): Generator<Component> {
  const { sweep, object, calibrated, minDistance, minVoxels } = search;
  for (const component of components) {
    const cropped = cropComponent(component, sweep);
    const cores = findCores(cropped, sweep.grid.voxelSize, minDistance);
    if (cores.markers.length < 2) {
      yield toComponent(component, search);
      continue;
    }
    const labels = watershed({ heights: cores.depths, shape: cropped.shape }, cores.markers);
    for (const part of measureParts(cropped, labels, { count: cores.markers.length, grid: sweep.grid, object })) {
      if (part.voxels >= minVoxels) yield { ...part, score: calibrated(part.score) };
    }
  }
}

interface Cores {
  /** Squared distance to the outside in units of the smallest voxel edge. */
  readonly depths: Float32Array;
  /** C-order indices into the component's box, in ascending order. */
  readonly markers: number[];
}

function findCores(cropped: ComponentMask, voxelSize: Zyx, minDistance: number): Cores {
  const edge = Math.min(...voxelSize);
  // Edges that differ by less than a millionth are equal: on a cubic grid all squared distances are then whole numbers.
  const spacing = voxelSize.map((length) => Math.round((length / edge) * 1e6) / 1e6) as unknown as Zyx;
  const depths = squaredDistances(cropped.mask, cropped.shape, spacing);
  const candidates = deepest(depths, cropped);
  // Most components are small and have a single core.
  if (candidates.length === 1) return { depths, markers: candidates };
  const [, height, width] = cropped.shape;
  const places = new Float64Array(3 * candidates.length);
  candidates.forEach((index, i) => {
    places[3 * i] = (index % width) * voxelSize[2];
    places[3 * i + 1] = (Math.floor(index / width) % height) * voxelSize[1];
    places[3 * i + 2] = Math.floor(index / (width * height)) * voxelSize[0];
  });
  const values = Float64Array.from(candidates, (index) => depths[index]);
  const isCore = new Uint8Array(candidates.length);
  greedyNms({ places, values, indices: Uint32Array.from(candidates.keys()) }, minDistance, isCore);
  return { depths, markers: candidates.filter((_, i) => isCore[i] === 1) };
}

/** The voxels of a component that no neighbour, over faces, edges or corners, exceeds in depth. */
function deepest(depths: Float32Array, { voxels, shape: [depth, height, width] }: ComponentMask): number[] {
  const found: number[] = [];
  const plane = height * width;
  for (const index of voxels) {
    const x = index % width;
    const y = Math.floor(index / width) % height;
    const z = Math.floor(index / plane);
    if (!isExceeded(index, x, y, z)) found.push(index);
  }
  return found;

  function isExceeded(index: number, x: number, y: number, z: number): boolean {
    const value = depths[index];
    for (let k = Math.max(z - 1, 0); k <= Math.min(z + 1, depth - 1); k++) {
      for (let j = Math.max(y - 1, 0); j <= Math.min(y + 1, height - 1); j++) {
        for (let i = Math.max(x - 1, 0); i <= Math.min(x + 1, width - 1); i++) {
          if (depths[k * plane + j * width + i] > value) return true;
        }
      }
    }
    return false;
  }
}

/** A component cut out: the voxels of its box, with a margin of one voxel wherever the volume goes on. */
interface ComponentMask {
  /** The voxel of the volume that is the first of the box. */
  readonly start: Zyx;
  readonly shape: Zyx;
  /** C-order `[z, y, x]`: 1 inside the component. */
  readonly mask: Uint8Array;
  /** C-order indices of its voxels in the box, ascending, and the score of each. */
  readonly voxels: Int32Array;
  readonly scores: Float64Array;
}

/** Cuts a component out, of which the voxels were kept. */
function cropComponent(component: Growing, sweep: PlaneSweep): ComponentMask {
  const { shape: whole } = sweep.grid;
  const first = fromSweepOrder(sweep, ...component.first);
  const last = fromSweepOrder(sweep, ...component.last);
  const start = first.map((n) => Math.max(n - 1, 0)) as unknown as Zyx;
  const shape = last.map((n, axis) => Math.min(n + 2, whole[axis]) - start[axis]) as unknown as Zyx;
  const mask = new Uint8Array(shape[0] * shape[1] * shape[2]);
  const { places, scores } = placesOf(component.foreground as Foreground, sweep, { start, shape });
  const order = Uint32Array.from(places, (_, i) => i).sort((a, b) => places[a] - places[b]);
  const voxels = new Int32Array(places.length);
  const ordered = new Float64Array(places.length);
  order.forEach((from, to) => {
    voxels[to] = places[from];
    ordered[to] = scores[from];
    mask[places[from]] = 1;
  });
  return { start, shape, mask, voxels, scores: ordered };
}

/** The C-order index, in a box, of each voxel of a foreground, in the order of its runs. */
function placesOf(
  { runs, scores }: Foreground,
  sweep: PlaneSweep,
  { start, shape: [, height, width] }: Pick<ComponentMask, 'start' | 'shape'>,
): { places: Int32Array; scores: readonly number[] } {
  const places = new Int32Array(scores.length);
  const step = fromSweepOrder(sweep, 0, 0, 1);
  const columnStep = (step[0] * height + step[1]) * width + step[2];
  let n = 0;
  for (let r = 0; r < runs.length; r += 4) {
    const [z, y, x] = fromSweepOrder(sweep, runs[r], runs[r + 1], runs[r + 2]);
    let index = ((z - start[0]) * height + y - start[1]) * width + x - start[2];
    for (let column = runs[r + 2]; column < runs[r + 3]; column++, index += columnStep) places[n++] = index;
  }
  return { places, scores };
}

/** Where parts lie, and what they are parts of. */
export interface PartContext {
  /** Number of labels. */
  readonly count: number;
  readonly grid: VoxelGrid;
  readonly object: string;
}

interface Part {
  voxels: number;
  weight: number;
  best: number;
  bestVoxel: Zyx;
  readonly sum: [number, number, number];
  readonly weightedSum: [number, number, number];
  readonly first: [number, number, number];
  readonly last: [number, number, number];
}

/** The parts of a component as components: part i has the voxels with label i + 1. */
function measureParts(
  { start, shape: [, height, width], voxels, scores }: ComponentMask,
  labels: Int32Array,
  { count, grid, object }: PartContext,
): Component[] {
  const parts = Array.from({ length: count }, emptyPart);
  voxels.forEach((index, i) => {
    const label = labels[index];
    if (label === 0) return;
    const x = index % width;
    const row = (index - x) / width;
    const y = row % height;
    addVoxel(parts[label - 1], [start[0] + (row - y) / height, start[1] + y, start[2] + x], scores[i]);
  });
  return parts.map(({ voxels: size, weight, best, bestVoxel, sum, weightedSum, first, last }) => {
    const voxel = mean(sum, size);
    const isWeighted = weight > 0 && weight < Number.POSITIVE_INFINITY;
    const weightedCentroid = isWeighted ? mean(weightedSum, weight) : voxel;
    const box = { start: mean(first, 1), end: [last[0] + 1, last[1] + 1, last[2] + 1] as const };
    return { grid, object, voxel, score: best, voxels: size, weightedCentroid, bestVoxel, box };
  });
}

function emptyPart(): Part {
  return {
    voxels: 0,
    weight: 0,
    best: Number.NEGATIVE_INFINITY,
    bestVoxel: [0, 0, 0],
    sum: [0, 0, 0],
    weightedSum: [0, 0, 0],
    first: [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    last: [-1, -1, -1],
  };
}

function addVoxel(part: Part, voxel: Zyx, score: number): void {
  // The first of equals stays: voxels come in C-order.
  if (part.voxels === 0 || score > part.best) {
    part.best = score;
    part.bestVoxel = voxel;
  }
  const weight = Math.max(score, 0);
  part.voxels++;
  part.weight += weight;
  for (let axis = 0; axis < 3; axis++) {
    part.sum[axis] += voxel[axis];
    part.weightedSum[axis] += weight * voxel[axis];
    part.first[axis] = Math.min(part.first[axis], voxel[axis]);
    part.last[axis] = Math.max(part.last[axis], voxel[axis]);
  }
}

function mean([z, y, x]: readonly [number, number, number], divisor: number): Zyx {
  return [z / divisor, y / divisor, x / divisor];
}
