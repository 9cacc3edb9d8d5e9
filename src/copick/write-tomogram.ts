import { CryoetPicksError } from '../errors.ts';
import type { WriteTomogramOptions } from '../ome-zarr/write.ts';
import { requireSource } from '../volume/need-source.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { pathOf } from './layout.ts';
import { sanitizeName } from './names.ts';
import { spacingOf } from './spacing-label.ts';
import type { ProjectTree } from './tree.ts';
import { type WriteSpacedOptions, writeVolumes } from './write-volumes.ts';

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
  requireSource(source, call);
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
