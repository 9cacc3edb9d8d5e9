import { encodeZstd } from '../../codecs/registry.ts';
import { CryoetPicksError, isCryoetPicksError } from '../../core/errors.ts';
import { assertStore, type Store, type StoreKey } from '../../storage/store.ts';
import type { VolumeSource } from '../../volume/volume.ts';
import { type ChunkSink, checkShards, chunkFiles, shardFiles, valueWriter, ZSTD_LEVEL } from './chunk-sinks.ts';
import { metadataOf, type ValueRange } from './metadata.ts';
import { packVoxels, planWrite, type WriteImageOptions, type WritePlan, type WriteTomogramOptions } from './plan.ts';
import { type PyramidVoxels, pyramidChunks } from './pyramid.ts';
import { replaceImage } from './replace-image.ts';

/**
 * Writes a volume as an OME-Zarr image with a pyramid of means over 2×2×2 voxels: 0.4 (Zarr v2), the form that copick 1 reads
 * and writes, or 0.5 (Zarr v3 in shards), the form that copick 2 writes.
 *
 * A cell is the mean of the voxels of the next finer level that it holds: at the edge of an odd extent fewer than eight,
 * without copick's zeros (so from the second halving on, voxels of the volume at such an edge can weigh more than
 * others). Unlike copick's, each level has a translation: its first voxel is centred half a voxel of the finer level further
 * in. The source is read chunk by chunk, each voxel once; about three chunks are held at a time, whatever the volume's size. The metadata are written
 * last, and a write that fails or is aborted deletes what it has written (all of a folder that was empty before), so no
 * reader ever sees half an image. Options, voxel size and origin are checked before anything is written or deleted.
 *
 * @param store - Its root becomes the image, so give the folder that is called `….zarr`.
 * @param source - Integers of more than 16 bits are read with `exact`, so that labels above 2^24 are written as they are.
 * @throws {@link CryoetPicksError} `invalid-option`, also for a voxel size that is not above 0, for what
 * is not finite and for a value that the type cannot hold; `read-only`.
 * @example
 * ```ts
 * await writeTomogram(directoryStore('denoised.zarr'), sourceFromArray(volume, { voxelSize: [10, 10, 10] }));
 * ```
 */
export async function writeTomogram(
  store: Store,
  source: VolumeSource,
  options: WriteTomogramOptions = {},
): Promise<void> {
  // Loaded with the first write, so that a page that only reads or scores never fetches the encoder.
  await writeImage(store, [source], options);
}

/** The work of `writeTomogram` and `writeChannels`. */
export async function writeImage(
  store: Store,
  sources: readonly VolumeSource[],
  options: WriteImageOptions,
): Promise<void> {
  const { overwrite = false, fillGroup, signal, onWarning } = options;
  assertStore(store, 'set');
  const plan = planWrite(sources, options);
  // Refuses what is no JSON while nothing is written yet.
  metadataOf(plan);
  if (plan.format === 'zarr3') {
    checkShards(plan, onWarning);
    await requireZstd();
  }
  signal?.throwIfAborted();
  await replaceImage(store, { overwrite, fillGroup, signal }, async (place) => {
    const set = (key: StoreKey, value: Uint8Array) => place.set(key, value, { signal });
    const open = async (key: StoreKey) => valueWriter(place, key, { signal });
    const remove = (key: StoreKey) => place.delete(key, { signal });
    const sink = plan.format === 'zarr2' ? chunkFiles(plan, set) : shardFiles(plan, { open, remove });
    try {
      const ranges = await writeChunks(sources, { plan, sink, options });
      for (const [key, bytes] of metadataOf(plan, ranges)) await set(key, bytes);
    } catch (error) {
      // The error that led here is the one to report.
      await sink.abort().catch(() => {});
      throw error;
    }
  });
}

/** Where the encoder cannot start, this says so before anything is deleted. */
async function requireZstd(): Promise<void> {
  try {
    await encodeZstd(new Uint8Array(1), ZSTD_LEVEL);
  } catch (cause) {
    if (!isCryoetPicksError(cause)) throw cause;
    throw new CryoetPicksError(cause.code, `${cause.message}; write the format "zarr2"`, { cause });
  }
}

interface ChunkWriting {
  readonly plan: WritePlan;
  readonly sink: ChunkSink;
  readonly options: WriteImageOptions;
}

async function writeChunks(
  sources: readonly VolumeSource[],
  { plan: { pyramid, dtype, total, channels }, sink, options: { signal, onProgress } }: ChunkWriting,
): Promise<ValueRange[]> {
  const ranges: ValueRange[] = [];
  let done = 0;
  for (const [channel, source] of sources.entries()) {
    let range: ValueRange | undefined;
    for await (const chunk of pyramidChunks(source, pyramid, { signal })) {
      const { level, at } = chunk;
      if (level === 0 && channels?.names) range = widened(range, chunk.voxels);
      await sink.put({ level, channel, at }, packVoxels(chunk, pyramid.levels[level]!.chunk, dtype));
      onProgress?.({ stage: 'write', done: ++done, total });
    }
    await sink.endChannel(channel);
    ranges.push(range ?? { least: 0, greatest: 0 });
  }
  return ranges;
}

function widened(range: ValueRange | undefined, voxels: PyramidVoxels): ValueRange | undefined {
  let [least, greatest] = range ? [range.least, range.greatest] : [Infinity, -Infinity];
  for (let i = 0; i < voxels.length; i++) {
    const value = voxels[i]!;
    if (!Number.isFinite(value)) continue;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  return least <= greatest ? { least, greatest } : undefined;
}

/** Options of {@link writeChannels}. */
export interface WriteChannelsOptions extends WriteTomogramOptions {
  /**
   * Name of the first axis: `c` for channels, as of a panoptic segmentation, or `feature`, as copick names it. In `zarr3` all
   * channels share the shard of a level, and each feature has its own, as copick 2 writes them. @defaultValue 'c'
   */
  readonly axis?: 'c' | 'feature' | undefined;
  /** A name for each channel, kept where viewers and `openChannels` look for it: `omero.channels[].label`. */
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
  await writeImage(store, sources, { ...options, channels: { axis, names } });
}
