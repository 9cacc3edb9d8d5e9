import { encodeZstd } from '../codecs/zstd-encode.ts';
import { CryoetPicksError } from '../errors.ts';
import { joinKey, type Store, type StoreKey } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { type ChunkSink, chunkFiles } from './chunk-sink.ts';
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
  await makeRoom(store, { overwrite, signal });
  const wasEmpty = (await store.list('/', { signal })).length === 0;
  const written: StoreKey[] = [];
  const set = async (key: StoreKey, value: Uint8Array) => {
    written.push(key);
    await store.set(key, value, { signal });
  };
  const open = async (key: StoreKey) => {
    written.push(key);
    return heldWriter(store, key, { signal });
  };
  const sink = plan.format === 'zarr2' ? chunkFiles(plan, set) : shardFiles(plan, open);
  try {
    await writeChunks(sources, { plan, sink, options });
    for (const [key, bytes] of metadata) await set(key, bytes);
  } catch (error) {
    // The error that led here is the one to report.
    await sink.abort().catch(() => {});
    await removeAll(store, wasEmpty ? ['/'] : written);
    signal?.throwIfAborted();
    throw error;
  }
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

async function makeRoom(
  store: Store,
  { overwrite, signal }: Pick<WriteImageOptions, 'overwrite' | 'signal'>,
): Promise<void> {
  if (overwrite) {
    // Metadata first: from here on no reader takes the rest for an image.
    for (const key of ['/.zattrs', '/zarr.json', '/.zgroup'] as const) await store.delete(key, { signal });
    for (const { name } of await store.list('/', { signal })) await store.delete(joinKey(name), { signal });
    return;
  }
  for (const key of ['/.zattrs', '/zarr.json', '/.zgroup', '/.zarray'] as const) {
    if (!(await store.get(key, { signal }))) continue;
    throw new CryoetPicksError(
      'invalid-option',
      `${store.location} holds ${key} already; choose another place or overwrite`,
    );
  }
}

async function removeAll(store: Store, keys: readonly StoreKey[]): Promise<void> {
  // Metadata first, and on to the next if one cannot be deleted: the error that led here is the one to report.
  for (const key of [...keys].reverse()) {
    try {
      await store.delete(key);
    } catch {}
  }
}
