import { CryoetPicksError } from '../errors.ts';
import { CellList } from '../space/cell-list.ts';
import type { Zyx } from '../space/zyx.ts';
import type { ScoreSlab } from '../tiles/blend.ts';
import { type Blob, blobOf, measureParts } from './blob.ts';
import { type Component, type Growing, toComponent } from './component.ts';
import { ComponentSweep, type Connectivity } from './component-sweep.ts';
import { checkComponentOptions } from './components.ts';
import { squaredDistances } from './distance-transform.ts';
import { keepRun } from './foreground.ts';
import { planesOf, type Threshold, thresholdPerClass } from './planes.ts';
import type { Sweep } from './sweep.ts';
import { watershed } from './watershed.ts';

/** Options of {@link splitTouching}. */
export interface SplitTouchingOptions {
  /** Least score of a voxel that belongs to a particle, finite. One number, or a function of the model's class index. */
  readonly threshold: Threshold;
  /**
   * Least distance in Å between the cores of two particles; about the particle's radius. One number, or a function of the
   * model's class index.
   */
  readonly minDistance: number | ((classIndex: number) => number);
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
 *   last. They are read, not written, and not kept.
 * @returns The parts as components in voxel space; those of one group one after the other, by the place of their cores.
 * @throws {@link CryoetPicksError} `invalid-option` if an option cannot be, or slabs leave a gap or end early.
 *
 * @example
 * ```ts
 * for await (const part of splitTouching(slabs, { threshold: 0.5, minDistance: 60, minVoxels: 40 })) {
 *   picks.push(toPick(part, classes));
 * }
 * ```
 */
export async function* splitTouching(
  slabs: AsyncIterable<ScoreSlab> | Iterable<ScoreSlab>,
  { threshold, minDistance, connectivity = 26, minVoxels = 1, signal }: SplitTouchingOptions,
): AsyncGenerator<Component> {
  const thresholdOf = thresholdPerClass(threshold);
  checkComponentOptions(connectivity, minVoxels);
  let searches: readonly ComponentSweep[] = [];
  let distances: readonly number[] = [];
  let all: Sweep | undefined;
  for await (const { sweep, index, channels } of planesOf(slabs, signal)) {
    if (index === 0) {
      all = sweep;
      distances = sweep.classes.map((classIndex) => distanceOfClass(minDistance, classIndex));
      searches = sweep.classes.map((c) => new ComponentSweep(sweep, thresholdOf(c), connectivity, minVoxels, keepRun));
    }
    for (let i = 0; i < searches.length; i++) {
      yield* partsOf(searches[i].advance(channels[i]), { sweep, channel: i, minDistance: distances[i], minVoxels });
    }
  }
  for (let i = 0; i < searches.length; i++) {
    yield* partsOf(searches[i].finish(), { sweep: all as Sweep, channel: i, minDistance: distances[i], minVoxels });
  }
}

function distanceOfClass(minDistance: SplitTouchingOptions['minDistance'], classIndex: number): number {
  const distance = typeof minDistance === 'number' ? minDistance : minDistance(classIndex);
  if (distance > 0 && distance < Number.POSITIVE_INFINITY) return distance;
  throw new CryoetPicksError(
    'invalid-option',
    `minDistance of class ${classIndex} must be a positive length in Å, found ${distance}`,
  );
}

interface SplitContext {
  readonly sweep: Sweep;
  readonly channel: number;
  readonly minDistance: number;
  readonly minVoxels: number;
}

function* partsOf(components: readonly Growing[], context: SplitContext): Generator<Component> {
  const { sweep, channel, minDistance, minVoxels } = context;
  const classIndex = sweep.classes[channel];
  for (const component of components) {
    const blob = blobOf(component, sweep);
    const cores = findCores(blob, sweep.grid.voxelSize, minDistance);
    if (cores.markers.length < 2) {
      yield toComponent(component, sweep, classIndex);
      continue;
    }
    const labels = watershed({ heights: cores.depths, shape: blob.shape }, cores.markers);
    for (const part of measureParts(blob, labels, { count: cores.markers.length, grid: sweep.grid, classIndex })) {
      if (part.voxels >= minVoxels) yield part;
    }
  }
}

interface Cores {
  /** Squared distance to the outside in units of the smallest voxel edge. */
  readonly depths: Float32Array;
  /** C-order indices into the blob's box, in ascending order. */
  readonly markers: number[];
}

function findCores(blob: Blob, voxelSize: Zyx, minDistance: number): Cores {
  const edge = Math.min(...voxelSize);
  // Edges that differ by less than a millionth are equal: on a cubic grid all squared distances are then whole numbers.
  const spacing = voxelSize.map((length) => Math.round((length / edge) * 1e6) / 1e6) as unknown as Zyx;
  const depths = squaredDistances(blob.mask, blob.shape, spacing);
  const candidates = deepest(depths, blob).sort((a, b) => depths[b] - depths[a] || a - b);
  const [, height, width] = blob.shape;
  const chosen = new CellList(minDistance);
  const markers = candidates.filter((index) => {
    const x = (index % width) * voxelSize[2];
    const y = (Math.floor(index / width) % height) * voxelSize[1];
    const z = Math.floor(index / (width * height)) * voxelSize[0];
    if (chosen.anyCloser({ x, y, z }, minDistance)) return false;
    chosen.add({ x, y, z });
    return true;
  });
  return { depths, markers: markers.sort((a, b) => a - b) };
}

/** The voxels of a blob that no neighbour, over faces, edges or corners, exceeds in depth. */
function deepest(depths: Float32Array, { voxels, shape: [depth, height, width] }: Blob): number[] {
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
