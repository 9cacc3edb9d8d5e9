import {
  finiteLength,
  grid as gridRule,
  isFields,
  numberPerObject,
  type PerObject,
  perObject,
  type Rule,
  requireOptions,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  ComponentSweep,
  type Connectivity,
  componentRules,
  type Growing,
  labelReading,
} from '../peaks/connected-components.ts';
import { sweepAlong } from '../peaks/planes.ts';
import { formatZyx, sameZyx, toPhysical, toVoxel, type VoxelGrid, voxelCount, type Zyx } from '../space/grid.ts';
import { asVolume, contiguousVolume, type NumericData, type Volume, type VolumeLike } from '../volume/volume.ts';
import { type ParticlePick, placed } from './pick.ts';

/** Options of {@link paintSegmentation}. */
export interface PaintSegmentationOptions {
  /** Geometry of the label volume. */
  readonly grid: VoxelGrid;
  /** Radius of a ball in Å. */
  readonly radius: PerObject;
  /** Label of an object: a whole number from 1 to 65535. */
  readonly label: PerObject;
}

/**
 * Paints each pick as a ball of its object's label: what networks learn from, and what viewers show.
 *
 * A voxel belongs to a ball if its centre is at most `radius` from the pick; where balls overlap, it takes the label of
 * the nearest pick, the first of several equally near. The voxel nearest to a pick belongs to its ball however small the
 * radius is. Balls are cut off at the faces of the grid. Needs one plane of memory besides the result.
 *
 * @returns Labels `[z, y, x]`, C-order, 0 where no ball is; Uint16Array if a label exceeds 255, else Uint8Array.
 * @throws {@link CryoetPicksError} `invalid-picks` if a position is not finite or a ball lies wholly outside the grid;
 *   `invalid-option` if a radius is negative or not finite, a label is out of range, or an object of the picks has none.
 *
 * @example
 * ```ts
 * const labels = paintSegmentation(picks, {
 *   grid: tomogram.grid,
 *   radius: { ribosome: 75, 'apo-ferritin': 30 },
 *   label: { ribosome: 4, 'apo-ferritin': 1 },
 * });
 * ```
 */
export function paintSegmentation(
  picks: readonly ParticlePick[],
  options: PaintSegmentationOptions,
): Volume<Uint8Array | Uint16Array> {
  const call = 'paintSegmentation';
  const { grid, radius, label } = requireOptions(call, options, {
    grid: gridRule,
    radius: perObject,
    label: perObject,
  });
  const { objects, places } = placed(picks, call);
  const radiusOf = numberPerObject('radius', radius, finiteLength, call);
  const labelOf = numberPerObject('label', label, labelRule, call);
  const balls = objects.map((object, i) => ({
    centre: toVoxel(grid, { x: places[3 * i], y: places[3 * i + 1], z: places[3 * i + 2] }),
    radius: radiusOf(object),
    label: labelOf(object),
  }));
  checkInside(picks, balls, grid);
  const highest = balls.reduce((most, ball) => Math.max(most, ball.label), 0);
  const count = voxelCount(grid.shape);
  const labels = highest > 255 ? new Uint16Array(count) : new Uint8Array(count);
  const planeLength = grid.shape[1] * grid.shape[2];
  const nearest = new Float64Array(planeLength);
  ballsByPlane(balls, grid).forEach((touching, z) => {
    if (touching.length === 0) return;
    const plane = labels.subarray(z * planeLength, (z + 1) * planeLength);
    nearest.fill(Number.POSITIVE_INFINITY);
    for (const ball of touching) paintDisc(ball, z, grid, plane, nearest);
  });
  return contiguousVolume(labels, grid.shape);
}

interface Ball {
  /** Fractional index. */
  readonly centre: Zyx;
  /** In Å. */
  readonly radius: number;
  readonly label: number;
}

const labelRule: Rule = {
  expected: 'a whole number from 1 to 65535',
  isValid: (label) => Number.isInteger(label) && (label as number) >= 1 && (label as number) <= 65535,
};

/** For each plane the balls that may touch it, in the order of the picks. */
function ballsByPlane(balls: readonly Ball[], { shape, voxelSize }: VoxelGrid): Ball[][] {
  const planes: Ball[][] = Array.from({ length: shape[0] }, () => []);
  for (const ball of balls) {
    const [z] = ball.centre;
    const reach = ball.radius / voxelSize[0];
    const last = Math.min(shape[0] - 1, Math.ceil(z + reach));
    for (let plane = Math.max(0, Math.floor(z - reach)); plane <= last; plane++) planes[plane].push(ball);
  }
  return planes;
}

/** Paints the part of a ball on one plane, wherever it is nearer than the balls painted before. */
function paintDisc(
  ball: Ball,
  z: number,
  grid: VoxelGrid,
  labels: Uint8Array | Uint16Array,
  nearest: Float64Array,
): void {
  const [, height, width] = grid.shape;
  const [, sizeY, sizeX] = grid.voxelSize;
  const [, centreY, centreX] = ball.centre;
  const squaredRadius = ball.radius * ball.radius;
  const [ownZ, ownY, ownX] = nearestVoxel(ball);
  const reachY = ball.radius / sizeY;
  const reachX = ball.radius / sizeX;
  const dz = (z - ball.centre[0]) * grid.voxelSize[0];
  const lastY = Math.min(height - 1, Math.ceil(centreY + reachY));
  const lastX = Math.min(width - 1, Math.ceil(centreX + reachX));
  for (let y = Math.max(0, Math.floor(centreY - reachY)); y <= lastY; y++) {
    const dy = (y - centreY) * sizeY;
    const squaredRow = dz * dz + dy * dy;
    for (let x = Math.max(0, Math.floor(centreX - reachX)); x <= lastX; x++) {
      const dx = (x - centreX) * sizeX;
      const squared = squaredRow + dx * dx;
      if (squared > squaredRadius && !(x === ownX && y === ownY && z === ownZ)) continue;
      const i = y * width + x;
      if (squared >= nearest[i]) continue;
      nearest[i] = squared;
      labels[i] = ball.label;
    }
  }
}

function nearestVoxel({ centre: [z, y, x] }: Ball): Zyx {
  return [Math.round(z), Math.round(y), Math.round(x)];
}

function checkInside(picks: readonly ParticlePick[], balls: readonly Ball[], grid: VoxelGrid): void {
  const outside = balls.flatMap((ball, i) => (touches(ball, grid) ? [] : [i]));
  if (outside.length === 0) return;
  const { object, position } = picks[outside[0]];
  const first = grid.origin;
  const [depth, height, width] = grid.shape;
  const last = toPhysical(grid, [depth - 1, height - 1, width - 1]);
  throw new CryoetPicksError(
    'invalid-picks',
    `${outside.length} of ${picks.length} picks lie outside the grid of ${formatZyx(grid.shape)} voxels, first pick ` +
      `${outside[0]} ("${object}") at x ${position.x}, y ${position.y}, z ${position.z} Å; voxel centres span ` +
      `x ${first.x} to ${last.x}, y ${first.y} to ${last.y}, z ${first.z} to ${last.z} Å`,
  );
}

/** True if the ball holds the voxel of the grid that is nearest to it. */
function touches(ball: Ball, { shape, voxelSize }: VoxelGrid): boolean {
  let squared = 0;
  let isOwn = true;
  const own = nearestVoxel(ball);
  for (let axis = 0; axis < 3; axis++) {
    if (shape[axis] === 0) return false;
    const index = Math.min(Math.max(own[axis], 0), shape[axis] - 1);
    isOwn &&= index === own[axis];
    squared += ((index - ball.centre[axis]) * voxelSize[axis]) ** 2;
  }
  return isOwn || squared <= ball.radius * ball.radius;
}

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
 * const volume = await labels.read({ start: [0, 0, 0], end: labels.grid.shape });
 * const { grid } = labels;
 * const picks = picksFromSegmentation(volume, { grid, objects: { 1: 'apo-ferritin', 4: 'ribosome' }, minVoxels: 7 });
 * ```
 */
export function picksFromSegmentation(labels: VolumeLike, options: PicksFromSegmentationOptions): ParticlePick[] {
  const {
    grid,
    objects,
    connectivity = 26,
    minVoxels = 1,
  } = requireOptions('picksFromSegmentation', options, {
    grid: gridRule,
    objects: labelNames,
    ...componentRules,
  });
  const volume = asVolume(labels);
  if (!sameZyx(volume.shape, grid.shape)) {
    throw new CryoetPicksError(
      'invalid-option',
      `labels have shape ${formatZyx(volume.shape)}, but the grid ${formatZyx(grid.shape)}`,
    );
  }
  const known = labelsIn(volume, Object.keys(objects).length + 10);
  const unknown = known.filter((label) => !Object.hasOwn(objects, label));
  if (unknown.length > 0) {
    throw new CryoetPicksError(
      'invalid-option',
      `labels without object: ${unknown.slice(0, 10).join(', ')}${unknown.length > 10 ? ', …' : ''}; ` +
        `objects are given for ${Object.keys(objects).join(', ') || 'none'}`,
    );
  }
  const instances = new Map<string, number>();
  return componentsOf(volume, grid, { connectivity, minVoxels }).map(({ label, voxel }) => {
    const object = objects[label];
    const instanceId = (instances.get(object) ?? 0) + 1;
    instances.set(object, instanceId);
    return { object, position: toPhysical(grid, voxel), score: 1, instanceId };
  });
}

const labelNames: Rule = {
  expected: 'object names by label, { 1: name }',
  isValid: (value) => isFields(value) && Object.values(value).every((name) => typeof name === 'string'),
};

/** The labels other than 0, ascending; gives up after `limit` labels. */
function labelsIn({ data, shape, stride, offset }: Volume<NumericData>, limit: number): number[] {
  const labels = new Set<number>();
  let previous = 0;
  for (let z = 0; z < shape[0] && labels.size <= limit; z++) {
    for (let y = 0; y < shape[1] && labels.size <= limit; y++) {
      let i = offset + z * stride[0] + y * stride[1];
      for (let x = 0; x < shape[2]; x++, i += stride[2]) {
        if (data[i] === previous) continue;
        previous = data[i];
        if (previous !== 0) labels.add(previous);
      }
    }
  }
  return [...labels].sort((a, b) => a - b);
}

/** The components of all labels, in one sweep: by label, then by the plane that ends them. */
function componentsOf(
  { data, shape, stride, offset }: Volume<NumericData>,
  grid: VoxelGrid,
  { connectivity, minVoxels }: { readonly connectivity: Connectivity; readonly minVoxels: number },
): { readonly label: number; readonly voxel: Zyx }[] {
  const sweep = sweepAlong(0, grid, []);
  const search = new ComponentSweep(sweep, labelReading, connectivity, minVoxels);
  const components: { readonly label: number; readonly voxel: Zyx }[] = [];
  // One by one: a plane may end more components than a call takes arguments.
  const keep = (ended: readonly Growing[]): void => {
    for (const { label, sum, voxels } of ended) {
      components.push({ label, voxel: [sum[0] / voxels, sum[1] / voxels, sum[2] / voxels] });
    }
  };
  for (let z = 0; z < shape[0]; z++) {
    keep(search.advance({ data, offset: offset + z * stride[0], rowStride: stride[1], columnStride: stride[2] }));
  }
  keep(search.finish());
  return components.sort((a, b) => a.label - b.label);
}
