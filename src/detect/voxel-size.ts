import {
  grid as gridRule,
  modelSpec,
  optional,
  optionalList,
  quotedNames,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { ModelSpec } from '../inference/model.ts';
import { formatZyx, type VoxelGrid } from '../space/grid.ts';

/** True if the voxel size is within 5 % of the model's. */
export function fitsVoxelSize({ voxelSize }: VoxelGrid, { voxelSize: expected }: ModelSpec): boolean {
  return voxelSize.every((length) => Math.abs(length / expected - 1) <= 0.05);
}

/** True for a voxel size of 1 Å, which programs write if they do not know it. */
export function isUnknownVoxelSize({ voxelSize }: Pick<VoxelGrid, 'voxelSize'>): boolean {
  return voxelSize.every((length) => length === 1);
}

/** What a file says of a voxel size that is unknown, by the warnings of the source that reads it. */
export function unknownVoxelSize(warnings: readonly Warning[] = []): string {
  const isAssumed = warnings.some(({ code }) => code === 'voxel-size-assumed');
  return isAssumed ? 'the file says none' : 'the file says 1 Å, which programs write if they do not know it';
}

/** By how much a voxel size may differ from those that objects were taught on. */
const TAUGHT_TOLERANCE = 0.01;

/** The warning of a tomogram whose voxels are of another size than those of the tomograms that the model's objects were taught on. */
export function untaughtVoxelSize({ voxelSize }: VoxelGrid, { name, taught }: ModelSpec): Warning[] {
  const isNear = (size: number) => voxelSize.every((length) => Math.abs(length / size - 1) <= TAUGHT_TOLERANCE);
  if (taught === undefined || taught.voxelSizes.some(isNear)) return [];
  const message =
    `the tomogram has voxels of ${formatZyx(voxelSize)} Å (z×y×x), but ${quotedNames(taught.objects)} of model "${name}" ` +
    `${taught.objects.length === 1 ? 'was' : 'were'} taught on voxels of ${taught.voxelSizes.join(' and ')} Å: look at the picks, or teach it on such a tomogram`;
  return [{ code: 'voxel-size-not-taught', message }];
}

/** Options of {@link requireVoxelSize}. */
export interface RequireVoxelSizeOptions {
  /** How voxels of another size can be searched. @defaultValue `pass resampled(tomogram, …)` */
  readonly remedy?: string | undefined;
  /** How a voxel size that is unknown can be given. @defaultValue `open it with the option voxelSize` */
  readonly voxelSizeRemedy?: string | undefined;
  /** Those of the tomogram, which say whether its file has a voxel size at all. */
  readonly warnings?: readonly Warning[] | undefined;
}

/**
 * @throws {@link CryoetPicksError} `invalid-option`, with the remedy, for a tomogram whose voxels the model was not made for: to
 *   resample it, or `voxelSizeRemedy` if its voxel size is unknown.
 */
export function requireVoxelSize(grid: VoxelGrid, spec: ModelSpec, options: RequireVoxelSizeOptions = {}): void {
  requireArgument('requireVoxelSize', 'grid', grid, gridRule);
  requireArgument('requireVoxelSize', 'spec', spec, modelSpec);
  const rules = {
    remedy: optional(text),
    voxelSizeRemedy: optional(text),
    warnings: optionalList('a list of warnings'),
  };
  const {
    remedy = `pass resampled(tomogram, ${spec.voxelSize})`,
    voxelSizeRemedy = 'open it with the option voxelSize',
    warnings,
  } = requireOptions('requireVoxelSize', options, rules);
  if (fitsVoxelSize(grid, spec)) return;
  if (isUnknownVoxelSize(grid)) {
    throw new CryoetPicksError(
      'invalid-option',
      `the voxel size of the tomogram is unknown: ${unknownVoxelSize(warnings)}; ${voxelSizeRemedy}, ` +
        `the true one in Å (model "${spec.name}" was made for voxels of ${spec.voxelSize} Å)`,
    );
  }
  throw new CryoetPicksError(
    'invalid-option',
    `model "${spec.name}" was made for voxels of ${spec.voxelSize} Å, the tomogram has ${formatZyx(grid.voxelSize)} Å ` +
      `(z×y×x); open a level or a voxel spacing within 5 % of it, or ${remedy}`,
  );
}
