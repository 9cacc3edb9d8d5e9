import { originalDecoders } from '../codecs/registry.ts';
import { CryoetPicksError } from '../errors.ts';
import type { StoreOptions } from '../storage/store.ts';
import type { ArrayDescription } from './array-description.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import { type ArrayPlace, plainBytes, type ReadChunk, type ReadChunkOptions } from './chunk-place.ts';
import { type ChunkTask, decodeChunk, type FileSpan, LEAST_SENT_BYTES } from './chunk-task.ts';
import { extentsInside, KEPT_WASTE } from './crop.ts';
import { type DecodePool, decodePool } from './decode-pool.ts';
import { numbersOf, soleCompression } from './sole-compression.ts';

/**
 * Reads chunks that are compressed and no more, without zarrita: in a thread, which also reads the file where the store has
 * files, so that this thread never touches the compressed bytes. Nothing for arrays that need more than that.
 */
export function directReader(place: ArrayPlace): ReadChunk | undefined {
  const { description } = place;
  const how = soleCompression(description);
  if (!how) return undefined;
  const { chunkShape: shape, itemBytes } = description;
  const isSent = shape.reduce((product, extent) => product * extent, itemBytes) >= LEAST_SENT_BYTES;
  return async (at, options = {}) => {
    const extents = wantedExtents(at, description);
    const pool = isSent ? await decodePool() : undefined;
    const decoded = await read(place, at, { how, shape, extents, itemBytes }, { ...options, pool });
    return decoded && numbersOf(decoded, description, extents);
  };
}

/** Shape of the part of a chunk that lies inside the array, if it is worth to cut off the rest. */
function wantedExtents(at: readonly number[], description: ArrayDescription): readonly number[] {
  const { chunkShape } = description;
  const inside = extentsInside(at, description);
  const part = inside.reduce((product, extent, axis) => product * (extent / chunkShape[axis]!), 1);
  return part < 1 - KEPT_WASTE ? inside : chunkShape;
}

async function read(
  place: ArrayPlace,
  at: readonly number[],
  task: Omit<ChunkTask, 'from' | 'into'>,
  { pool, memory, ...options }: ReadChunkOptions & { readonly pool: DecodePool | undefined },
): Promise<Uint8Array | undefined> {
  const span = pool && (await fileSpan(place, at, options));
  const fromFile = span ? await decodeInThread(pool, { ...task, from: span }, memory) : undefined;
  if (fromFile) return fromFile;
  const bytes = await bytesOf(place, at, options);
  if (!bytes) return undefined;
  const inThread = pool && !span ? await decodeInThread(pool, { ...task, from: bytes }, memory) : undefined;
  return inThread ?? decodeHere(bytes, task, memory);
}

/** Nothing where the file is not there or threads cannot decode the chunk: then it is read and decoded here. */
async function decodeInThread(
  pool: DecodePool,
  task: ChunkTask,
  memory: ChunkMemory | undefined,
): Promise<Uint8Array | undefined> {
  const into = memoryFor(task, memory);
  const reply = await pool.decode({ ...task, into });
  if (reply === 'written') return into;
  // A thread that went while at work may still write to it for a moment.
  if (into && reply === 'gone') memory?.forget(into);
  else if (into) memory?.give(into);
  if (reply instanceof Uint8Array) return reply;
  if (typeof reply === 'string') return undefined;
  throw new CryoetPicksError(reply.error.code, reply.error.message);
}

async function decodeHere(
  bytes: Uint8Array,
  task: Omit<ChunkTask, 'from' | 'into'>,
  memory: ChunkMemory | undefined,
): Promise<Uint8Array> {
  const into = memoryFor(task, memory);
  let decoded: Uint8Array | undefined;
  try {
    decoded = await decodeChunk(bytes, { ...task, into }, originalDecoders);
    return decoded;
  } finally {
    if (into && decoded?.buffer !== into.buffer) memory?.give(into);
  }
}

/** Memory of the length of what a task gives. */
function memoryFor(
  { extents, itemBytes }: Pick<ChunkTask, 'extents' | 'itemBytes'>,
  memory: ChunkMemory | undefined,
): Uint8Array | undefined {
  return memory?.take(extents.reduce((product, extent) => product * extent, itemBytes));
}

async function fileSpan(
  { store, shards, description }: ArrayPlace,
  at: readonly number[],
  options: StoreOptions,
): Promise<FileSpan | undefined> {
  if (!store.pathOf) return undefined;
  if (!shards) return { file: store.pathOf(description.keyOf(at)) };
  const span = await shards.find(at, options);
  return span && { file: store.pathOf(span.key), range: { offset: span.offset, length: span.length } };
}

async function bytesOf(
  { store, shards, description }: ArrayPlace,
  at: readonly number[],
  options: StoreOptions,
): Promise<Uint8Array | undefined> {
  const bytes = shards ? await shards.read(at, options) : await store.get(description.keyOf(at), options);
  return bytes && plainBytes(bytes);
}
