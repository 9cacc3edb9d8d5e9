import { CryoetPicksError } from '../core/errors.ts';
import type { WriteChannelsOptions } from '../ome-zarr/write/image.ts';
import type { WriteProgress, WriteTomogramOptions } from '../ome-zarr/write/plan.ts';
import { type StoreKey, subStore } from '../storage/store.ts';
import { assertVolumeSource, type VolumeSource } from '../volume/volume.ts';
import { formatSpacing, pathOf, sanitizeName, spacingOf } from './layout.ts';
import { findTomograms } from './tomograms.ts';
import { listNames, locate, type ProjectTree } from './tree.ts';

/** Options of all volumes that are written into a project. */
export interface WriteVolumeOptions {
  /**
   * `zarr2`: OME-Zarr 0.4, which every copick opens. `zarr3`: OME-Zarr 0.5 in shards, as copick 2 writes it; copick 1 cannot
   * open it. @defaultValue 'zarr2'
   */
  readonly format?: WriteTomogramOptions['format'];
  /** Shape of a chunk along z, y, x. @defaultValue 128×128×128 */
  readonly chunkShape?: WriteTomogramOptions['chunkShape'];
  /**
   * Replace what the overlay holds under this name; without it, that is refused. In a folder on disk the old image stays until
   * the new one is whole; other overlays delete it before the first voxel is written, so that it is lost if the write fails
   * or is aborted. @defaultValue false
   */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
}

/** The same, where the name says a voxel spacing. */
export interface WriteSpacedOptions extends WriteVolumeOptions {
  /** Label in the name of the folder or file, in Å; at most 1 % off. @defaultValue the volume's voxel size along z */
  readonly voxelSpacing?: number | undefined;
}

/** Options of {@link writeVolumes}. */
export type WriteVolumesOptions = WriteVolumeOptions &
  Pick<WriteChannelsOptions, 'axis' | 'names' | 'dtype' | 'levels' | 'metadata'>;

/**
 * Writes an image into the overlay, 3-D for one source and 4-D for a list, and returns its path. The empty group that copick 2
 * makes for a new thing is filled; any other image there is replaced only if told to. Warnings go to the project's problems.
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
      `"${name}" would be hidden, and not found again; expected another name`,
    );
  }
  const path = locate(overlay, key);
  const { axis = 'c', names, ...image } = options;
  const [volumes, channels] = 'grid' in sources ? [[sources]] : [sources, { axis, names }];
  const onWarning = (message: string) => log.report({ path, message });
  // Loaded with the first write, as `writeTomogram` does.
  const { writeImage } = await import('../ome-zarr/write/image.ts');
  await writeImage(subStore(overlay, key), volumes, { ...image, channels, fillGroup: true, onWarning });
  return path;
}

/** Options of `Run.writeTomogram`. */
export interface WriteRunTomogramOptions extends WriteSpacedOptions {
  /** What it is called, such as `denoised`; made fit for file names. */
  readonly type: string;
  /** Number of resolution levels, each half of the one before. @defaultValue 3, for integers 1 */
  readonly levels?: number | undefined;
  /** @defaultValue 'float32' */
  readonly dtype?: WriteTomogramOptions['dtype'];
}

const call = "writeTomogram(source, { type: 'denoised' })";

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
    pathOf('tomogram', { run, voxelSpacing: spacing, type: name }),
    source,
    options,
  );
  const mark = `${pathOf('spacing', { run, voxelSpacing: spacing })}/.meta` as const;
  const { signal } = options;
  // copick puts this file into the folders that it makes; it reads those without it as well.
  if ((await tree.overlay.get(mark, { signal })) === undefined) {
    await tree.overlay.set(mark, new TextEncoder().encode('meta'), { signal });
  }
  return path;
}

/** A type as the folder has it. copick 1 takes every name with this word in it for features, and hides it. */
function tomogramType(type: string): string {
  if (typeof type !== 'string')
    throw new CryoetPicksError('invalid-option', `hand in the type of the tomogram: ${call}`);
  const fit = sanitizeName(type);
  if (!fit.includes('features')) return fit;
  throw new CryoetPicksError(
    'invalid-option',
    `tomogram type "${type}" cannot hold the word "features", which makes copick hide it; features are written by \`writeFeatures\``,
  );
}

/** Options of `Run.writeFeatures`. */
export interface WriteFeaturesOptions extends WriteSpacedOptions {
  /** Type of the tomogram that they were computed from, which must be there. */
  readonly type: string;
  /** What they are called, such as `sobel`; made fit for file names. */
  readonly featureType: string;
  /** A name for each of a list of features, kept as `channels` in the metadata. */
  readonly names?: readonly string[] | undefined;
  /** @defaultValue 'float32' */
  readonly dtype?: WriteTomogramOptions['dtype'];
}

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
  if (first === undefined) throw new CryoetPicksError('invalid-option', 'no feature is given, expected at least one');
  if (names !== undefined && 'grid' in features) {
    throw new CryoetPicksError('invalid-option', '`names` are for a list of features, and one volume is given');
  }
  const spacing = spacingOf(first.grid, voxelSpacing);
  const feature = sanitizeName(featureType);
  const tomograms = await findTomograms(tree, run, { type, voxelSpacing: spacing, signal });
  if (tomograms[0] === undefined) throw await missingTomogram(tree, run, { type, spacing, signal });
  const key = pathOf('features', {
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
    `features cannot be written: tomogram "${type}" at voxel spacing ${formatSpacing(spacing)} Å not found in run "${run}", ` +
      `and copick lists features by their tomogram; available: ${available}`,
  );
}
