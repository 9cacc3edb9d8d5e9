import { encodeZstd } from '../codecs/zstd-encode.ts';
import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import { requireStore } from '../storage/need-store.ts';
import type { Store, StoreKey } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { type ChunkSink, chunkFiles } from './chunk-sink.ts';
import { placeImage } from './place-image.ts';
import { type PyramidVoxels, pyramidChunks } from './pyramid.ts';
import { checkShards } from './shard-limits.ts';
import { shardFiles, ZSTD_LEVEL } from './shard-sink.ts';
import { valueWriter } from './value-writer.ts';
import { metadataOf, type ValueRange } from './write-metadata.ts';
import { planWrite, type WriteImageOptions, type WritePlan } from './write-plan.ts';
import { packVoxels } from './written-type.ts';

/** The work of `writeTomogram` and `writeChannels`. */
export async function writeImage(
  store: Store,
  sources: readonly VolumeSource[],
  options: WriteImageOptions,
): Promise<void> {
  const { overwrite = false, fillGroup, signal, onWarning } = options;
  requireStore(store, 'set');
  const plan = planWrite(sources, options);
  // Refuses what is no JSON while nothing is written yet.
  metadataOf(plan);
  if (plan.format === 'zarr3') {
    checkShards(plan, onWarning);
    await requireZstd();
  }
  signal?.throwIfAborted();
  await placeImage(store, { overwrite, fillGroup, signal }, async (place) => {
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
