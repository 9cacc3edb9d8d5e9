import {
  abortSignal,
  count,
  fieldsOf,
  finiteLength,
  finiteNumber,
  flag,
  grid as gridRule,
  isFields,
  listOf,
  optional,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  source as sourceRule,
} from '../core/arguments.ts';
import { eventLoopTurn, forEachRange, withTurns } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { squaredDistanceSteps } from '../peaks/watershed.ts';
import { type Box, facesOf, formatZyx, type Point, type VoxelGrid, voxelCount, voxelOf } from '../space/grid.ts';
import { readBox, type VolumeSource } from '../volume/volume.ts';
import type { Mask } from './candidates.ts';

/** Options of {@link labelMask}. */
export interface LabelMaskOptions {
  /** Labels that are inside. @defaultValue all but 0 */
  readonly labels?: readonly number[] | undefined;
  /** Picks must lie outside the labels, not inside; where no voxel has one, everywhere. @defaultValue false */
  readonly exclude?: boolean | undefined;
  /**
   * Minimum distance in Å of picks from the border of the labels, between centres of voxels: that far inside, or outside with
   * `exclude`. A negative one lets picks lie so far beyond the border. @defaultValue 0
   */
  readonly margin?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a mask of a label volume: picks must lie inside labels, or outside.
 *
 * The volume has a grid of its own, which may differ from that of the tomogram: a position counts by the voxel that it lies in.
 * What is beyond the grid is outside, and no border. Distances are exact on any voxels: Felzenszwalb and Huttenlocher, "Distance
 * transforms of sampled functions", Theory of Computing 8, 2012.
 *
 * Reads the whole volume, and holds 1 byte per voxel of it; 4 more while it measures distances.
 *
 * @param labels - Labels `[z, y, x]`, such as a segmentation of the run that was opened.
 * @throws {@link CryoetPicksError} `invalid-option` if no voxel has one of the labels that picks must lie inside, for a voxel that is
 *   no label, a whole number, and for an option that cannot be; whatever reading throws.
 *
 * @example
 * ```ts
 * const [lamella] = await run.segmentations({ name: 'lamella' });
 * const mask = await labelMask(await lamella!.open(), { margin: 100 });
 * const picks = await detectParticles(tomogram, { model, mask });
 * ```
 */
export async function labelMask(labels: VolumeSource, options: LabelMaskOptions = {}): Promise<Mask> {
  requireArgument('labelMask', 'labels', labels, sourceRule);
  const { exclude = false, margin = 0, signal, ...wanted } = requireOptions('labelMask', options, labelRules);
  const { grid } = labels;
  const inside = await insideLabels(labels, { labels: wanted.labels, mayBeEmpty: exclude, signal });
  const allowed = exclude ? await inverted(inside) : inside;
  if (margin === 0) return atVoxels(grid, allowed, exclude);
  // Inside, the distance to what is not allowed counts; beyond the border, that to what is.
  const from = margin > 0 ? allowed : await inverted(allowed);
  const squared = await withTurns(squaredDistanceSteps(from, grid.shape, grid.voxelSize), signal);
  // A hair's breadth for the rounding of distances to float32.
  const limit = margin * margin * (margin > 0 ? 1 - 1e-6 : 1 + 1e-6);
  await forEachRange(allowed.length, (start, end) => {
    for (let i = start; i < end; i++) allowed[i] = margin > 0 === squared[i] >= limit ? 1 : 0;
  });
  return atVoxels(grid, allowed, exclude);
}

const labelRules: RulesFor<LabelMaskOptions> = {
  labels: /* @__PURE__ */ optional(listOf('labels', count)),
  exclude: /* @__PURE__ */ optional(flag),
  margin: /* @__PURE__ */ optional(finiteNumber),
  signal: /* @__PURE__ */ optional(abortSignal),
};

/** Planes that are read at once. */
const SLAB = 16;

/** 1 for each voxel that has one of some labels, or any, else 0; C-order. */
async function insideLabels(
  source: VolumeSource,
  { labels, mayBeEmpty, signal }: Pick<LabelMaskOptions, 'labels' | 'signal'> & { readonly mayBeEmpty: boolean },
): Promise<Uint8Array> {
  const { shape } = source.grid;
  const [depth, height, width] = shape;
  const wanted = labels && new Set(labels);
  const inside = new Uint8Array(voxelCount(shape));
  let found = false;
  for (let z = 0; z < depth; z += SLAB) {
    signal?.throwIfAborted();
    const box: Box = { start: [z, 0, 0], end: [Math.min(depth, z + SLAB), height, width] };
    const { data, offset, stride } = await readBox(source, box, { signal });
    for (let i = z * height * width, row = 0; i < box.end[0] * height * width; row++) {
      const at = offset + Math.floor(row / height) * stride[0] + (row % height) * stride[1];
      for (let x = 0; x < width; x++, i++) {
        const label = data[at + x * stride[2]];
        // False for NaN, too.
        if (!(label > 0 || label < 0)) continue;
        if (!Number.isInteger(label)) {
          const found = `voxel (${Math.floor(i / (height * width))}, ${Math.floor(i / width) % height}, ${x}) is ${label}`;
          const message = `labelMask: ${found}, expected labels, which are whole numbers; is this a tomogram?`;
          throw new CryoetPicksError('invalid-option', message, { option: 'labels' });
        }
        if (wanted && !wanted.has(label)) continue;
        inside[i] = 1;
        found = true;
      }
    }
    await eventLoopTurn();
  }
  if (found || mayBeEmpty) return inside;
  const what = labels === undefined ? 'a label' : `one of the labels ${labels.join(', ')}`;
  throw new CryoetPicksError('invalid-option', `labelMask: no voxel of the ${formatZyx(shape)} of labels has ${what}`, {
    option: 'labels',
  });
}

async function inverted(voxels: Uint8Array): Promise<Uint8Array> {
  const others = new Uint8Array(voxels.length);
  await forEachRange(voxels.length, (start, end) => {
    for (let i = start; i < end; i++) others[i] = 1 - voxels[i];
  });
  return others;
}

/** The mask that voxels give: of a position, that of the voxel that it lies in; `beyond` the grid. */
function atVoxels(grid: VoxelGrid, allowed: Uint8Array, beyond: boolean): Mask {
  const [depth, height, width] = grid.shape;
  return (position) => {
    const [z, y, x] = voxelOf(grid, position).map(Math.round);
    const isBeyond = !(z >= 0 && z < depth && y >= 0 && y < height && x >= 0 && x < width);
    return isBeyond ? beyond : allowed[(z * height + y) * width + x] === 1;
  };
}

/** The least and the greatest coordinate of a position along some axes, in Å; both belong to it. */
export type Ranges = { readonly [axis in keyof Point]?: readonly [least: number, greatest: number] | undefined };

/** Options of {@link boxMask}. */
export interface BoxMaskOptions {
  /** Picks must lie outside the box, not inside. @defaultValue false */
  readonly exclude?: boolean | undefined;
}

/**
 * Makes a mask of a box in Å: picks must lie inside, or outside. With a range along one axis alone it is a slab.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a range that is not two numbers, the first no greater than the second.
 *
 * @example
 * ```ts
 * const middle = boxMask({ z: [400, 1400] });
 * const picks = await detectParticles(tomogram, { model, mask: middle });
 * ```
 */
export function boxMask(ranges: Ranges, options: BoxMaskOptions = {}): Mask {
  requireArgument('boxMask', 'ranges', ranges, rangesRule);
  const { exclude = false } = requireOptions('boxMask', options, { exclude: optional(flag) });
  const sides = axes.flatMap((axis) => (ranges[axis] === undefined ? [] : [{ axis, range: ranges[axis] }]));
  const isInside = (position: Point) =>
    sides.every(({ axis, range: [least, greatest] }) => position[axis] >= least && position[axis] <= greatest);
  return (position) => isInside(position) !== exclude;
}

const axes = ['x', 'y', 'z'] as const;

const range: Rule = {
  expected: 'two numbers in Å, the least and the greatest',
  isValid: (value) =>
    value === undefined ||
    (Array.isArray(value) &&
      value.length === 2 &&
      value.every((one) => typeof one === 'number') &&
      value[0] <= value[1]),
};
const rangesRule: Rule = {
  ...fieldsOf('ranges along axes in Å, { x, y, z }', { x: range, y: range, z: range }),
  isValid: (value) => isFields(value) && axes.some((axis) => axis in value),
};

/**
 * Makes a mask that keeps picks away from the faces of a tomogram, where it is often distorted.
 *
 * @param margin - Minimum distance in Å from each face: the outer side of the outermost voxels.
 * @throws {@link CryoetPicksError} `invalid-option` for a margin that is negative or not finite.
 *
 * @example
 * ```ts
 * const picks = await detectParticles(tomogram, { model, mask: faceMask(tomogram.grid, 100) });
 * ```
 */
export function faceMask(grid: VoxelGrid, margin: number): Mask {
  requireArgument('faceMask', 'grid', grid, gridRule);
  requireArgument('faceMask', 'margin', margin, finiteLength);
  const { lowest, highest } = facesOf(grid);
  return (position) =>
    axes.every((axis) => position[axis] >= lowest[axis] + margin && position[axis] <= highest[axis] - margin);
}
