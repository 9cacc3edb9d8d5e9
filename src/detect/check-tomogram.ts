import {
  intensity as intensityRule,
  isFields,
  modelSpec,
  optional,
  picks as picksRule,
  point,
  positiveLength,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  source as sourceRule,
  text,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import type { ModelSpec } from '../inference/model.ts';
import { facesOf, formatZyx, type Point, sizesAgree, type VoxelGrid, type Zyx } from '../space/grid.ts';
import { type Intensity, notFiniteVoxels, quantile } from '../volume/intensity.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { fitsVoxelSize, isUnknownVoxelSize, unknownVoxelSize } from './voxel-size.ts';

/** Something that looks wrong: a warning with one of these codes, or one of the source's own. */
export interface Finding extends Warning {
  readonly code:
    | 'voxel-size-implausible'
    | 'voxel-size-not-of-folder'
    | 'voxel-size-not-of-model'
    | 'picks-outside'
    | 'picks-axes-swapped'
    | 'picks-in-voxels'
    | 'contrast-inverted'
    | 'voxels-constant'
    | 'voxels-not-finite'
    | 'chunks-missing'
    | (string & {});
  /** What is wrong, with numbers, and what it hints at. */
  readonly message: string;
}

/** Options of {@link checkTomogram}; it checks what is given. */
export interface CheckOptions {
  /** Picks of this tomogram. */
  readonly picks?: readonly { readonly position: Point }[] | undefined;
  /** Voxel spacing in Å that the folder's name says. */
  readonly folderSpacing?: number | undefined;
  /** The card of the model that will search it. */
  readonly spec?: ModelSpec | undefined;
  /** Intensity of the voxels, to check what they hold and, with `spec`, their contrast; a coarse level is enough, and less noisy. */
  readonly intensity?: Intensity | undefined;
}

/**
 * Looks for mistakes before a long run: a voxel size that was never set or that contradicts the folder or the model, picks outside
 * the volume, picks with axes in another order or in voxels instead of Å, voxels that are all equal, protein that is
 * bright where the model's card says dark.
 *
 * Gives the source's own warnings, too, and reads no voxel: missing chunks are those that earlier reads met, such as those of `measureIntensity`. Contrast is inferred from
 * the skew of the grey values: protein is rare, so its side of the histogram has the longer tail. If both tails are much alike, as
 * in noisy volumes, contrast is not judged.
 *
 * @returns Findings, those about the grid first; empty if nothing looks wrong.
 * @example
 * ```ts
 * for (const { code, message } of checkTomogram(tomogram, { picks, folderSpacing: 10 })) console.warn(code, message);
 * ```
 */
export function checkTomogram(source: VolumeSource, options: CheckOptions = {}): Finding[] {
  requireArgument('checkTomogram', 'source', source, sourceRule);
  const { picks = [], folderSpacing, spec, intensity } = requireOptions('checkTomogram', options, checkRules);
  const { grid } = source;
  return [
    ...checkVoxelSize(source),
    ...(folderSpacing === undefined ? [] : checkFolder(grid, folderSpacing)),
    ...(spec === undefined ? [] : checkModel(grid, spec)),
    ...checkPicks(
      grid,
      picks.map(({ position }) => position),
    ),
    ...(intensity === undefined ? [] : checkIntensity(intensity)),
    ...(source.warnings?.() ?? []),
    ...(intensity === undefined || spec === undefined ? [] : checkContrast(intensity, spec)),
  ];
}

const comparedSpec: Rule = { ...modelSpec, fields: { name: text, voxelSize: positiveLength } };
const checkRules: RulesFor<CheckOptions> = {
  picks: /* @__PURE__ */ optional({
    ...picksRule,
    items: { expected: 'a pick { position }', isValid: isFields, fields: { position: point } },
  }),
  folderSpacing: /* @__PURE__ */ optional(positiveLength),
  spec: /* @__PURE__ */ optional(comparedSpec),
  intensity: /* @__PURE__ */ optional(intensityRule),
};

function checkVoxelSize({ grid: { voxelSize }, warnings }: VolumeSource): Finding[] {
  const found = `the voxel size is ${formatZyx(voxelSize)} Å (z×y×x)`;
  const code = 'voxel-size-implausible';
  if (isUnknownVoxelSize({ voxelSize })) {
    return [{ code, message: `the voxel size is unknown: ${unknownVoxelSize(warnings?.())}` }];
  }
  if (voxelSize.every((length) => length >= 1 && length <= 100)) return [];
  return [{ code, message: `${found}; tomograms have 1 to 100 Å: is it in nm, or of the unbinned image?` }];
}

function checkFolder({ voxelSize }: VoxelGrid, spacing: number): Finding[] {
  if (sizesAgree(voxelSize, spacing)) return [];
  const message =
    `the voxel size is ${formatZyx(voxelSize)} Å (z×y×x), more than 1 % off the ${spacing} Å of its folder; ` +
    'positions are computed by the former';
  return [{ code: 'voxel-size-not-of-folder', message }];
}

function checkModel(grid: VoxelGrid, spec: ModelSpec): Finding[] {
  // Resampling would not help if the voxel size is unknown.
  if (fitsVoxelSize(grid, spec) || isUnknownVoxelSize(grid)) return [];
  const { name, voxelSize: expected } = spec;
  const message =
    `the voxel size is ${formatZyx(grid.voxelSize)} Å (z×y×x), more than 5 % off the ${expected} Å of model "${name}"; ` +
    `search resampled(tomogram, ${expected})`;
  return [{ code: 'voxel-size-not-of-model', message }];
}

/** What looks wrong about picks of a tomogram: they lie outside of it, or seem to be in voxels. */
export function checkPicks(grid: VoxelGrid, positions: readonly Point[]): Finding[] {
  const outside = countOutside(grid, positions);
  if (outside === 0) return inVoxels(grid, positions);
  const { shape, voxelSize } = grid;
  const extent = `${formatZyx([2, 1, 0].map((axis) => Math.round(shape[axis]! * voxelSize[axis]!)))} Å (x×y×z)`;
  const message = `${outside} of ${positions.length} picks lie outside the volume of ${extent}`;
  const order = betterOrder(grid, positions);
  if (order === undefined) return [{ code: 'picks-outside', message }];
  return [{ code: 'picks-axes-swapped', message: `${message}; with x, y, z taken as ${order}, none would` }];
}

/** A pick belongs to the volume up to the outer faces of its voxels. */
function countOutside(grid: VoxelGrid, positions: readonly Point[]): number {
  const { lowest, highest } = facesOf(grid);
  const isWithin = (position: Point, axis: 'x' | 'y' | 'z') =>
    position[axis] >= lowest[axis] && position[axis] <= highest[axis];
  return positions.filter((at) => !(isWithin(at, 'x') && isWithin(at, 'y') && isWithin(at, 'z'))).length;
}

const ORDERS: readonly (readonly ['x' | 'y' | 'z', 'x' | 'y' | 'z', 'x' | 'y' | 'z'])[] = [
  ['z', 'y', 'x'],
  ['y', 'x', 'z'],
  ['x', 'z', 'y'],
  ['y', 'z', 'x'],
  ['z', 'x', 'y'],
];

function betterOrder(grid: VoxelGrid, positions: readonly Point[]): string | undefined {
  const order = ORDERS.find(
    ([x, y, z]) =>
      countOutside(
        grid,
        positions.map((position) => ({ x: position[x], y: position[y], z: position[z] })),
      ) === 0,
  );
  return order?.join(', ');
}

/** Picks that all have fewer Å than the volume has voxels: 1 in 10³ⁿ by chance for n of them in voxels of 10 Å. */
function inVoxels({ shape, voxelSize, origin }: VoxelGrid, positions: readonly Point[]): Finding[] {
  if (positions.length < 5 || Math.min(...voxelSize) < 2) return [];
  const fits = ([z, y, x]: Zyx) => x <= shape[2] && y <= shape[1] && z <= shape[0];
  if (!positions.every(({ x, y, z }) => fits([z - origin.z, y - origin.y, x - origin.x]))) return [];
  const message =
    `all ${positions.length} picks lie below ${formatZyx([...shape].reverse())} (x×y×z), the number of voxels, ` +
    'which is the first corner of the volume: are they in voxels instead of Å?';
  return [{ code: 'picks-in-voxels', message }];
}

function checkIntensity(intensity: Intensity): Finding[] {
  const { standardDeviation, mean } = intensity;
  const findings: Finding[] = [];
  if (standardDeviation === 0) findings.push({ code: 'voxels-constant', message: `every voxel is ${mean}` });
  const warning = notFiniteVoxels(intensity);
  if (warning) findings.push(warning);
  return findings;
}

/** Minimum difference of the tails, as a share of both, that is taken for a sign of contrast. */
const MIN_SKEW = 0.1;

function checkContrast(intensity: Intensity, { name, contrast }: ModelSpec): Finding[] {
  const longer = longerTail(intensity);
  if (contrast === undefined || Math.abs(longer) < MIN_SKEW || longer > 0 === (contrast === 'bright')) return [];
  const found = contrast === 'dark' ? 'bright' : 'dark';
  const message =
    `protein looks ${found}, and model "${name}" was made for ${contrast} protein: the ${found} tail of the voxels is ` +
    `${Math.round((100 * (1 + Math.abs(longer))) / (1 - Math.abs(longer)))} % as long as the other; look at a slice, and if protein is ${found} there, search the negative (--invert on the command line)`;
  return [{ code: 'contrast-inverted', message }];
}

/** From −1, all of the spread lies below the median, to 1, all of it above; without the rarest hundredth. */
function longerTail(intensity: Intensity): number {
  const [low, middle, high] = [0.005, 0.5, 0.995].map((p) => quantile(intensity, p)) as [number, number, number];
  return high > low ? (high + low - 2 * middle) / (high - low) : 0;
}
