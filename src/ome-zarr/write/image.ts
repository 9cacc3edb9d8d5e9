import { encodeZstd } from '../../codecs/registry.ts';
import {
  abortSignal,
  anything,
  callback,
  flag,
  listOf,
  optional,
  optionalList,
  type RulesFor,
  record,
  requireArgument,
  requireOptions,
  source as sourceRule,
  text,
} from '../../core/arguments.ts';
import { isCryoetPicksError, withMessage } from '../../core/errors.ts';
import { assertStore, type Store, type StoreKey } from '../../storage/store.ts';
import type { VolumeSource } from '../../volume/volume.ts';
import { type ChunkSink, checkShards, chunkFiles, shardFiles, valueWriter, ZSTD_LEVEL } from './chunk-sinks.ts';
import { metadataOf, type ValueRange } from './metadata.ts';
import { packVoxels, planWrite, type WriteImageOptions, type WritePlan, type WriteTomogramOptions } from './plan.ts';
import { type PyramidVoxels, pyramidChunks } from './pyramid.ts';
import { replaceImage } from './replace-image.ts';

/**
 * Writes a volume as an OME-Zarr image with a pyramid of means over 2×2×2 voxels: version 0.4 (Zarr v2), as copick 1 reads and
 * writes it, or 0.5 (Zarr v3 in shards), as copick 2 writes it.
 *
 * A coarse voxel is the mean of the voxels of the next finer level that it covers. At the edge of an odd extent these are fewer than
 * eight; copick adds zeros instead. (So from the second halving on, voxels at such an edge can weigh more than others.) Each level
 * has a translation, which copick's lack: its first centre lies half a voxel of the finer level further in.
 *
 * The source is read chunk by chunk, each voxel once; about three chunks are held at a time, whatever the size of the volume.
 * Options, voxel size and origin are checked before anything is written or deleted. The metadata are written last, and a write that
 * fails or is aborted deletes what it has written (everything, if the folder was empty), so that readers never see half an image.
 *
 * @param store - The store whose root becomes the image: the folder named `….zarr`.
 * @param source - Integers of more than 16 bits are read with `exact`, so that labels above 2^24 are written as they are.
 * @throws {@link CryoetPicksError} `invalid-option`, also for a voxel size that is not above 0, an origin that is not finite, and a
 * voxel that the type cannot hold; `conflict` if another writer was first; `read-only` or `write-failed` if the store cannot be
 * written.
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
  requireArgument('writeTomogram', 'source', source, sourceRule);
  requireOptions('writeTomogram', options, imageRules);
  await writeImage(store, [source], options);
}

const imageRules: RulesFor<WriteTomogramOptions> = {
  format: anything,
  dtype: anything,
  levels: anything,
  coarse: anything,
  chunkShape: /* @__PURE__ */ optionalList('three whole numbers, [z, y, x]'),
  name: /* @__PURE__ */ optional(text),
  metadata: /* @__PURE__ */ optional(record),
  overwrite: /* @__PURE__ */ optional(flag),
  signal: /* @__PURE__ */ optional(abortSignal),
  onProgress: /* @__PURE__ */ optional(callback),
  onWarning: /* @__PURE__ */ optional(callback),
};
const channelRules: RulesFor<WriteChannelsOptions> = {
  ...imageRules,
  axis: anything,
  names: /* @__PURE__ */ optionalList('a list of names', text),
};

/** The work of `writeTomogram` and `writeChannels`. */
export async function writeImage(
  store: Store,
  sources: readonly VolumeSource[],
  options: WriteImageOptions,
): Promise<void> {
  const { overwrite = false, fillGroup, signal, onWarning } = options;
  assertStore(store, 'set');
  for (const one of sources) requireArgument('writing an image', 'source', one, sourceRule);
  const plan = planWrite(sources, options);
  // Throws before anything is written if the metadata are not JSON.
  metadataOf(plan);
  if (plan.format === 'zarr3') {
    checkShards(plan, onWarning);
    await requireZstd();
  }
  signal?.throwIfAborted();
  await replaceImage(store, { overwrite, fillGroup, signal }, async (target) => {
    const set = (key: StoreKey, value: Uint8Array) => target.set(key, value, { signal });
    const open = async (key: StoreKey) => valueWriter(target, key, { signal });
    const remove = (key: StoreKey) => target.delete(key, { signal });
    const sink = plan.format === 'zarr2' ? chunkFiles(plan, set) : shardFiles(plan, { open, remove });
    try {
      const ranges = await writeChunks(sources, { plan, sink, options });
      for (const [key, bytes] of metadataOf(plan, ranges)) await set(key, bytes);
    } catch (error) {
      // An error of the clean-up must not hide the first error.
      await sink.abort().catch(() => {});
      throw error;
    }
  });
}

/** Throws before anything is deleted if the encoder cannot start. */
async function requireZstd(): Promise<void> {
  try {
    await encodeZstd(new Uint8Array(1), ZSTD_LEVEL);
  } catch (cause) {
    if (!isCryoetPicksError(cause)) throw cause;
    throw withMessage(cause, `${cause.message}; write the format "zarr2"`);
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
    ranges.push(range ?? { minimum: 0, maximum: 0 });
  }
  return ranges;
}

function widened(range: ValueRange | undefined, voxels: PyramidVoxels): ValueRange | undefined {
  let { minimum, maximum } = range ?? { minimum: Infinity, maximum: -Infinity };
  for (let i = 0; i < voxels.length; i++) {
    const value = voxels[i]!;
    if (!Number.isFinite(value)) continue;
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
  }
  return minimum <= maximum ? { minimum, maximum } : undefined;
}

/** Options of {@link writeChannels}. */
export interface WriteChannelsOptions extends WriteTomogramOptions {
  /**
   * Name of the first axis: `c` for channels, such as those of a panoptic segmentation, or `feature`, which is copick's name. In
   * `zarr3`, all channels share the shard of a level, but each feature has its own, as copick 2 writes them. @defaultValue 'c'
   */
  readonly axis?: 'c' | 'feature' | undefined;
  /** A name for each channel, written to `omero.channels[].label`, where viewers and `openChannels` read it. */
  readonly names?: readonly string[] | undefined;
}

/**
 * Writes several volumes of the same grid as one 4-D OME-Zarr image `[channel, z, y, x]`: the features of a tomogram, the
 * labels and instances of a panoptic segmentation. Otherwise it works like `writeTomogram`, channel after channel.
 *
 * @param store - The store whose root becomes the image: the folder named `….zarr`.
 * @param sources - One per channel, at least one.
 * @throws {@link CryoetPicksError} The errors of `writeTomogram`; `invalid-option` if the grids of the sources differ.
 * @example
 * ```ts
 * const metadata = { copick: { segmentation_type: 'panoptic', channels: ['label', 'instance'] } };
 * await writeChannels(directoryStore('cell.zarr'), [labels, instances], { dtype: 'uint16', metadata });
 * ```
 */
export async function writeChannels(
  store: Store,
  sources: readonly VolumeSource[],
  options: WriteChannelsOptions = {},
): Promise<void> {
  requireArgument('writeChannels', 'sources', sources, listOf('volumes', sourceRule));
  const { axis = 'c', names, ...image } = requireOptions('writeChannels', options, channelRules);
  await writeImage(store, sources, { ...image, channels: { axis, names } });
}
