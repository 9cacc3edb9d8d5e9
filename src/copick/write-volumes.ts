import { CryoetPicksError } from '../errors.ts';
import type { WriteProgress, WriteTomogramOptions } from '../ome-zarr/write.ts';
import type { WriteChannelsOptions } from '../ome-zarr/write-channels.ts';
import { type StoreKey, subStore } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { locate, type ProjectTree } from './tree.ts';

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
  const { writeImage } = await import('../ome-zarr/write-image.ts');
  await writeImage(subStore(overlay, key), volumes, { ...image, channels, fillGroup: true, onWarning });
  return path;
}
