import type { WriteProgress, WriteTomogramOptions } from '../ome-zarr/write.ts';
import { writeTomogram } from '../ome-zarr/write.ts';
import { type WriteChannelsOptions, writeChannels } from '../ome-zarr/write-channels.ts';
import { type Store, type StoreKey, type StoreOptions, subStore } from '../storage/store.ts';
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
  /** Replace what the overlay holds under this name; without it, that is refused. @defaultValue false */
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
 * makes for a new thing is filled; any other image there is replaced only if told to.
 */
export async function writeVolumes(
  { overlay }: ProjectTree,
  key: StoreKey,
  sources: VolumeSource | readonly VolumeSource[],
  options: WriteVolumesOptions,
): Promise<string> {
  const store = subStore(overlay, key);
  const { axis, names, ...image } = options;
  const overwrite = options.overwrite === true || (await isEmptyGroup(store, options));
  if ('grid' in sources) await writeTomogram(store, sources, { ...image, overwrite });
  else await writeChannels(store, sources, { ...image, axis, names, overwrite });
  return locate(overlay, key);
}

/** True for a Zarr group that holds nothing: neither arrays nor attributes. */
async function isEmptyGroup(store: Store, { signal }: StoreOptions): Promise<boolean> {
  const entries = await store.list('/', { signal });
  if (entries.some(({ name }) => name !== 'zarr.json' && name !== '.zgroup')) return false;
  const bytes = await store.get('/zarr.json', { signal });
  if (bytes === undefined) return entries.length > 0;
  try {
    const { node_type: type, attributes = {} } = JSON.parse(new TextDecoder().decode(bytes));
    return type === 'group' && Object.keys(attributes).length === 0;
  } catch {
    return false;
  }
}
