import type { Store } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { WriteTomogramOptions } from './write.ts';

/** Options of {@link writeChannels}. */
export interface WriteChannelsOptions extends WriteTomogramOptions {
  /**
   * Name of the first axis: `c` for channels, as of a panoptic segmentation, or `feature`, as copick names it. In `zarr3` all
   * channels share the shard of a level, and each feature has its own, as copick 2 writes them. @defaultValue 'c'
   */
  readonly axis?: 'c' | 'feature' | undefined;
  /** A name for each channel, kept as `channels` in the metadata of the image. */
  readonly names?: readonly string[] | undefined;
}

/**
 * Writes several volumes of the same grid as one 4-D OME-Zarr image `[channel, z, y, x]`: the features of a tomogram, the
 * labels and instances of a panoptic segmentation. All else is as `writeTomogram` does it, channel after channel.
 *
 * @param store - Its root becomes the image, so give the folder that is called `….zarr`.
 * @param sources - One per channel, at least one.
 * @throws {@link CryoetPicksError} As `writeTomogram`; `invalid-option` too for sources whose grids differ.
 * @example
 * ```ts
 * const metadata = { copick: { segmentation_type: 'panoptic', channels: ['label', 'instance'] } };
 * await writeChannels(directoryStore('cell.zarr'), [labels, instances], { dtype: 'uint16', metadata });
 * ```
 */
export async function writeChannels(
  store: Store,
  sources: readonly VolumeSource[],
  { axis = 'c', names, ...options }: WriteChannelsOptions = {},
): Promise<void> {
  const { writeImage } = await import('./write-image.ts');
  await writeImage(store, sources, { ...options, channels: { axis, names } });
}
