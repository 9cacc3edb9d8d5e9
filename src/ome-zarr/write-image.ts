import { encodeZstd } from '../codecs/zstd-encode.ts';
import type { Store, StoreKey } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { type ChunkSink, chunkFiles } from './chunk-sink.ts';
import { placeImage } from './place-image.ts';
import { pyramidChunks } from './pyramid.ts';
import { checkShards } from './shard-limits.ts';
import { shardFiles, ZSTD_LEVEL } from './shard-sink.ts';
import { heldWriter } from './value-writer.ts';
import { metadataOf } from './write-metadata.ts';
import { planWrite, type WriteImageOptions, type WritePlan } from './write-plan.ts';
import { packVoxels } from './written-type.ts';

/** The work of `writeTomogram` and `writeChannels`. */
export async function writeImage(
  store: Store,
  sources: readonly VolumeSource[],
  options: WriteImageOptions,
): Promise<void> {
  const { overwrite = false, signal, onWarning } = options;
  const plan = planWrite(sources, options);
  const metadata = metadataOf(plan);
  if (plan.format === 'zarr3') {
    checkShards(plan, onWarning);
    // Where it cannot start, this says so before anything is deleted.
    await encodeZstd(new Uint8Array(1), ZSTD_LEVEL);
  }
  signal?.throwIfAborted();
  await placeImage(store, { overwrite, signal }, async (place) => {
    const set = (key: StoreKey, value: Uint8Array) => place.set(key, value, { signal });
    const open = async (key: StoreKey) => heldWriter(place, key, { signal });
    const sink = plan.format === 'zarr2' ? chunkFiles(plan, set) : shardFiles(plan, open);
    try {
      await writeChunks(sources, { plan, sink, options });
    } catch (error) {
      // The error that led here is the one to report.
      await sink.abort().catch(() => {});
      throw error;
    }
    for (const [key, bytes] of metadata) await set(key, bytes);
  });
}

interface ChunkWriting {
  readonly plan: WritePlan;
  readonly sink: ChunkSink;
  readonly options: WriteImageOptions;
}

async function writeChunks(
  sources: readonly VolumeSource[],
  { plan: { pyramid, dtype, total }, sink, options: { signal, onProgress } }: ChunkWriting,
): Promise<void> {
  let done = 0;
  for (const [channel, source] of sources.entries()) {
    for await (const chunk of pyramidChunks(source, pyramid, { signal })) {
      const { level, at } = chunk;
      await sink.put({ level, channel, at }, packVoxels(chunk, pyramid.levels[level]!.chunk, dtype));
      onProgress?.({ stage: 'write', done: ++done, total });
    }
    await sink.endChannel(channel);
  }
}
