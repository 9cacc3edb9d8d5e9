import { CryoetPicksError } from '../errors.ts';
import { type Component, type Growing, toComponent } from '../peaks/component.ts';
import { ComponentSweep, type Connectivity } from '../peaks/component-sweep.ts';
import { checkComponentOptions } from '../peaks/components.ts';
import { type Sweep, sweepAlong } from '../peaks/sweep.ts';
import { toPhysical, type VoxelGrid } from '../space/grid.ts';
import { formatZyx, sameZyx } from '../space/zyx.ts';
import { asVolume, type NumericData, type Volume, type VolumeLike } from '../volume/volume.ts';
import type { Pick } from './pick.ts';

/** Options of {@link picksFromSegmentation}. */
export interface PicksFromSegmentationOptions {
  /** Geometry of the label volume. */
  readonly grid: VoxelGrid;
  /** Object of each label. 0 is background and needs none. */
  readonly objects: Readonly<Record<number, string>>;
  /**
   * Which voxels are neighbours: those that share a face (6), also an edge (18), also a corner (26).
   * @defaultValue 26
   */
  readonly connectivity?: Connectivity | undefined;
  /**
   * Smaller groups of voxels are left out.
   * @defaultValue 1
   */
  readonly minVoxels?: number | undefined;
}

/**
 * Makes one pick of each connected group of voxels of one label, at its centroid.
 *
 * Groups of different labels never join. Particles of one object that touch do, and give one pick between them.
 *
 * @param labels - Whole numbers `[z, y, x]`; read, not written.
 * @returns Picks with score 1, by label, then by the plane that ends them; `instanceId` counts from 1 for each object.
 * @throws {@link CryoetPicksError} `invalid-option` if the volume holds a label without object, does not have the grid's
 *   shape, or connectivity or `minVoxels` cannot be.
 *
 * @example
 * ```ts
 * const picks = picksFromSegmentation(labels, { grid, objects: { 1: 'apo-ferritin', 4: 'ribosome' }, minVoxels: 7 });
 * ```
 */
export function picksFromSegmentation(
  labels: VolumeLike,
  { grid, objects, connectivity = 26, minVoxels = 1 }: PicksFromSegmentationOptions,
): Pick[] {
  checkComponentOptions(connectivity, minVoxels);
  const volume = asVolume(labels);
  if (!sameZyx(volume.shape, grid.shape)) {
    throw new CryoetPicksError(
      'invalid-option',
      `labels have shape ${formatZyx(volume.shape)}, but the grid ${formatZyx(grid.shape)}`,
    );
  }
  const planesOf = planesOfLabels(volume, Object.keys(objects).length + 10);
  const known = [...planesOf.keys()].sort((a, b) => a - b);
  const unknown = known.filter((label) => !Object.hasOwn(objects, label));
  if (unknown.length > 0) {
    throw new CryoetPicksError(
      'invalid-option',
      `labels without object: ${unknown.slice(0, 10).join(', ')}${unknown.length > 10 ? ', …' : ''}; ` +
        `objects are given for ${Object.keys(objects).join(', ') || 'none'}`,
    );
  }
  const instances = new Map<string, number>();
  return known.flatMap((label) => {
    const sweep = sweepAlong(0, grid, [label]);
    const search = new ComponentSweep(sweep, 1, connectivity, minVoxels);
    return componentsOfLabel(volume, label, planesOf.get(label) as Set<number>, { sweep, search }).map(({ voxel }) => {
      const object = objects[label];
      const instanceId = (instances.get(object) ?? 0) + 1;
      instances.set(object, instanceId);
      return { object, position: toPhysical(grid, voxel), score: 1, instanceId };
    });
  });
}

/** The labels other than 0, and the planes along z that hold them; gives up after `limit` labels. */
function planesOfLabels({ data, shape, stride, offset }: Volume<NumericData>, limit: number): Map<number, Set<number>> {
  const planesOf = new Map<number, Set<number>>();
  for (let z = 0; z < shape[0]; z++) {
    let previous = 0;
    for (let y = 0; y < shape[1]; y++) {
      let i = offset + z * stride[0] + y * stride[1];
      for (let x = 0; x < shape[2]; x++, i += stride[2]) {
        const label = data[i];
        if (label === previous || label === 0) continue;
        previous = label;
        const planes = planesOf.get(label);
        if (planes) planes.add(z);
        else planesOf.set(label, new Set([z]));
        if (planesOf.size > limit) return planesOf;
      }
    }
  }
  return planesOf;
}

/** The components of one label: of a mask that is 1 there and 0 elsewhere, made plane by plane. */
function componentsOfLabel(
  { data, shape: [depth, height, width], stride, offset }: Volume<NumericData>,
  label: number,
  planes: ReadonlySet<number>,
  { sweep, search }: { readonly sweep: Sweep; readonly search: ComponentSweep },
): Component[] {
  const mask = new Float32Array(height * width);
  const plane = { data: mask, offset: 0, rowStride: width, columnStride: 1 };
  const components: Component[] = [];
  // One by one: a plane may end more components than a call takes arguments.
  const keep = (ended: readonly Growing[]): void => {
    for (const component of ended) components.push(toComponent(component, sweep, label));
  };
  for (let z = 0; z < depth; z++) {
    if (!planes.has(z)) {
      keep(search.skip());
      continue;
    }
    let m = 0;
    for (let y = 0; y < height; y++) {
      let i = offset + z * stride[0] + y * stride[1];
      for (let x = 0; x < width; x++, i += stride[2]) mask[m++] = data[i] === label ? 1 : 0;
    }
    keep(search.advance(plane));
  }
  keep(search.finish());
  return components;
}
