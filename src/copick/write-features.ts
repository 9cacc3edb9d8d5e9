import { CryoetPicksError } from '../errors.ts';
import type { WriteTomogramOptions } from '../ome-zarr/write.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { pathOf } from './layout.ts';
import { formatSpacing, sanitizeName } from './names.ts';
import { listNames } from './problems.ts';
import { spacingOf } from './spacing-label.ts';
import { findTomograms } from './tomograms.ts';
import type { ProjectTree } from './tree.ts';
import { type WriteSpacedOptions, writeVolumes } from './write-volumes.ts';

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
