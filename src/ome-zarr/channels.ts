import type { ReadableStore } from '../storage/store.ts';
import type { OpenTomogramOptions, Tomogram } from './tomogram.ts';

/** Which channel of an image a volume is. */
export interface ChannelInfo {
  /** Its place along the axis, from 0. */
  readonly index: number;
  /** The axis that is none of z, y and x, in lower case: `c`, `t`, `feature`; absent where the image has no other. */
  readonly axis: string | undefined;
  /** Where the metadata name it. */
  readonly name: string | undefined;
}

/** One channel of an image, read like a tomogram of its own. */
export interface Channel extends Tomogram {
  readonly channel: ChannelInfo;
}

/**
 * Opens an OME-Zarr image with one axis besides z, y and x, of any name and at any place, as one source for each index along it:
 * feature maps, the two channels of a panoptic segmentation, a series of times. Further axes must have length 1.
 *
 * The sources share metadata, `cacheBytes` and what they read: chunks that hold several channels are decoded once. An
 * image without such an axis is one channel. Names come from copick's metadata of panoptic segmentations, else from
 * `omero.channels`.
 *
 * @param store - Where the image lies; its root is the folder that is called `….zarr`.
 * @returns The channels in the order of their indices.
 * @throws As `openTomogram` does; `unsupported` for more than one further axis longer than 1.
 * @example
 * ```ts
 * const [label, instance] = await openChannels(httpStore('https://example.org/10.000_curator_1_cell.zarr'));
 * const ids = await instance.readExact({ start: [0, 0, 0], end: [1, 64, 64] });
 * ```
 */
export async function openChannels(store: ReadableStore, options: OpenTomogramOptions = {}): Promise<Channel[]> {
  const { openImageChannels } = await import('./open-image.ts');
  return openImageChannels(store, options);
}
