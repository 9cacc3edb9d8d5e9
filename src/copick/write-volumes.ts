import {
  abortSignal,
  anything,
  callback,
  flag,
  isFields,
  optional,
  optionalList,
  positiveLength,
  type Rule,
  type RulesFor,
  text,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { WriteChannelsOptions } from '../ome-zarr/write/image.ts';
import type { WriteProgress, WriteTomogramOptions } from '../ome-zarr/write/plan.ts';
import { type StoreKey, subStore } from '../storage/store.ts';
import { assertVolumeSource, type VolumeSource } from '../volume/volume.ts';
import { formatSpacing, pathOf, pathToWrite, sanitizeName, spacingOf } from './layout.ts';
import { findTomograms } from './tomograms.ts';
import { listNames, locate, type ProjectTree } from './tree.ts';

/** Options of all functions that write volumes into a project. */
export interface WriteVolumeOptions {
  /**
   * `zarr2`: OME-Zarr 0.4, which every version of copick opens. `zarr3`: OME-Zarr 0.5 in shards, as copick 2 writes it; copick 1
   * cannot open it. @defaultValue 'zarr2'
   */
  readonly format?: WriteTomogramOptions['format'];
  /** Shape of a chunk along z, y, x. @defaultValue 128×128×128 */
  readonly chunkShape?: WriteTomogramOptions['chunkShape'];
  /**
   * Replace an image of this name in the overlay; otherwise such an image is an error. In a folder on disk the old image stays
   * until the new one is complete; other overlays delete it before the first voxel is written, so it is lost if the write
   * fails or is aborted. @defaultValue false
   */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
}

/** Options of functions that write volumes whose name states a voxel spacing. */
export interface WriteSpacedOptions extends WriteVolumeOptions {
  /**
   * Label in the name of the folder or file, in Å; at most 1 % off the voxel size.
   * @defaultValue the volume's voxel size along z
   */
  readonly voxelSpacing?: number | undefined;
}

/** What the options must be that write volumes into a project; `writeImage` checks what describes the image. */
export const writeRules: RulesFor<WriteVolumeOptions> = {
  format: anything,
  chunkShape: /* @__PURE__ */ optionalList('three whole numbers, [z, y, x]'),
  overwrite: /* @__PURE__ */ optional(flag),
  signal: /* @__PURE__ */ optional(abortSignal),
  onProgress: /* @__PURE__ */ optional(callback),
};

/** The same, with a voxel spacing. */
export const writeSpacedRules: RulesFor<WriteSpacedOptions> = {
  ...writeRules,
  voxelSpacing: /* @__PURE__ */ optional(positiveLength),
};

/** Options of {@link writeVolumes}. */
export type WriteVolumesOptions = WriteVolumeOptions &
  Pick<WriteChannelsOptions, 'axis' | 'names' | 'dtype' | 'levels' | 'metadata'>;

/**
 * Writes an image into the overlay, 3-D for one source and 4-D for a list, and returns its path. The empty group that copick 2
 * makes for a new image is filled; an existing image is replaced only if `overwrite` is set. Warnings become problems of the
 * project.
 */
export async function writeVolumes(
  { overlay, log }: ProjectTree,
  key: StoreKey,
  sources: VolumeSource | readonly VolumeSource[],
  options: WriteVolumesOptions,
): Promise<string> {
  const name = key.slice(key.lastIndexOf('/') + 1);
  if (name.startsWith('.')) {
    throw new CryoetPicksError(
      'invalid-option',
      `"${name}" would be a hidden folder, which is not listed; expected another name`,
    );
  }
  const path = locate(overlay, key);
  const { axis = 'c', names, ...image } = options;
  const [volumes, channels] = 'grid' in sources ? [[sources]] : [sources, { axis, names }];
  const onWarning = ({ message }: Warning) => log.report({ path, message });
  // Loaded by the first write, as in `writeTomogram`.
  const { writeImage } = await import('../ome-zarr/write/image.ts');
  await writeImage(subStore(overlay, key), volumes, { ...image, channels, fillGroup: true, onWarning });
  return path;
}

/** Options of `Run.writeTomogram`. */
export interface WriteRunTomogramOptions extends WriteSpacedOptions {
  /** Its type, such as `denoised`; characters that are not valid in file names are replaced. */
  readonly type: string;
  /** Number of resolution levels, each half the size of the previous one. @defaultValue 3, for integers 1 */
  readonly levels?: number | undefined;
  /** @defaultValue 'float32' */
  readonly dtype?: WriteTomogramOptions['dtype'];
}

const call = "run.writeTomogram(source, { type: 'denoised' })";

/** Writes a tomogram into the overlay; see `Run.writeTomogram`. */
export async function writeTomogramOf(
  tree: ProjectTree,
  run: string,
  { source, type, voxelSpacing, ...options }: WriteRunTomogramOptions & { readonly source: VolumeSource },
): Promise<string> {
  options.signal?.throwIfAborted();
  assertVolumeSource(source, call);
  const name = tomogramType(type);
  const spacing = spacingOf(source.grid, voxelSpacing);
  const path = await writeVolumes(
    tree,
    pathToWrite('tomogram', { run, voxelSpacing: spacing, type: name }),
    source,
    options,
  );
  const mark = `${pathOf('spacing', { run, voxelSpacing: spacing })}/.meta` as const;
  const { signal } = options;
  // Copick puts this file into the folders that it makes, but also reads folders without it.
  if ((await tree.overlay.get(mark, { signal })) === undefined) {
    await tree.overlay.set(mark, new TextEncoder().encode('meta'), { signal });
  }
  return path;
}

/** The type as part of the folder name. Copick 1 treats every name that contains "features" as features, and hides it. */
function tomogramType(type: string): string {
  if (typeof type !== 'string')
    throw new CryoetPicksError('invalid-option', `expected the type of the tomogram: ${call}`);
  const fit = sanitizeName(type);
  if (!fit.includes('features')) return fit;
  throw new CryoetPicksError(
    'invalid-option',
    `tomogram type "${type}" cannot contain "features": copick would hide the tomogram; to write features, use \`writeFeatures\``,
  );
}

/** Options of `Run.writeFeatures`. */
export interface WriteFeaturesOptions extends WriteSpacedOptions {
  /** Type of the tomogram that they were computed from, which must exist. */
  readonly type: string;
  /** Their type, such as `sobel`; characters that are not valid in file names are replaced. */
  readonly featureType: string;
  /** A name for each volume of a list, stored as `channels` in the metadata. */
  readonly names?: readonly string[] | undefined;
  /** @defaultValue 'float32' */
  readonly dtype?: WriteTomogramOptions['dtype'];
}

/** What the options of `Run.writeFeatures` must be. */
export const writeFeaturesRules: RulesFor<WriteFeaturesOptions> = {
  ...writeSpacedRules,
  type: text,
  featureType: text,
  names: /* @__PURE__ */ optionalList('a list of names', text),
  dtype: anything,
};

/** One volume, or a list. */
export const oneOrMoreVolumes: Rule = {
  expected: 'a volume, or a list of volumes',
  isValid: (value) =>
    (Array.isArray(value) ? value : [value]).every((one) => isFields(one) && 'grid' in one && 'read' in one),
};

/** Writes features into the overlay; see `Run.writeFeatures`. */
export async function writeFeaturesOf(
  tree: ProjectTree,
  run: string,
  {
    features,
    type,
    featureType,
    voxelSpacing,
    names,
    ...options
  }: WriteFeaturesOptions & { readonly features: VolumeSource | readonly VolumeSource[] },
): Promise<string> {
  const { signal } = options;
  signal?.throwIfAborted();
  const first = 'grid' in features ? features : features[0];
  if (first === undefined) throw new CryoetPicksError('invalid-option', 'expected at least one feature, found none');
  if (names !== undefined && 'grid' in features) {
    throw new CryoetPicksError('invalid-option', '`names` is for a list of features, but a single volume was given');
  }
  const spacing = spacingOf(first.grid, voxelSpacing);
  const feature = sanitizeName(featureType);
  const tomograms = await findTomograms(tree, run, { type, voxelSpacing: spacing, signal });
  if (tomograms[0] === undefined) throw await missingTomogram(tree, run, { type, spacing, signal });
  const key = pathToWrite('features', {
    run,
    voxelSpacing: tomograms[0].voxelSpacing,
    type: tomograms[0].type,
    featureType: feature,
  });
  return writeVolumes(tree, key, features, { levels: 1, ...options, axis: 'feature', names });
}

interface Wanted {
  readonly type: string;
  readonly spacing: number;
  readonly signal: AbortSignal | undefined;
}

async function missingTomogram(tree: ProjectTree, run: string, wanted: Wanted): Promise<CryoetPicksError> {
  const { type, spacing, signal } = wanted;
  const all = await findTomograms(tree, run, { signal });
  const available = listNames(all.map((one) => `${one.type}@${formatSpacing(one.voxelSpacing)}`));
  return new CryoetPicksError(
    'not-found',
    `cannot write features: tomogram "${type}" at voxel spacing ${formatSpacing(spacing)} Å not found in run "${run}", ` +
      `and copick lists features by their tomogram; available: ${available}`,
  );
}
