import * as zarr from 'zarrita';
import { isZarritaError } from 'zarrita';
import { halvesToNumbers } from '../codecs/number-type.ts';
import { originalDecoders, registerCheckedCodecs, unknownCodecs } from '../codecs/registry.ts';
import { untilAborted } from '../core/concurrency.ts';
import { CryoetPicksError, errorOf, isCryoetPicksError, withMessage } from '../core/errors.ts';
import { formatZyx } from '../space/grid.ts';
import { joinKey, type ReadableStore, type StoreKey, type StoreOptions, subStore } from '../storage/store.ts';
import { type ArrayDescription, describeArray } from './array-metadata.ts';
import {
  type ChunkData,
  type DecodedChunk,
  extentsInside,
  MAX_PADDING_FRACTION,
  numbersOf,
  singleBytesCodec,
} from './chunk.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import { ChunkRecord } from './chunk-record.ts';
import { decodePool } from './decode-pool.ts';
import {
  type ChunkTask,
  type DecodePool,
  type DecodeWorkersOptions,
  decodeChunk,
  type FileSpan,
  MIN_SENT_BYTES,
} from './decode-task.ts';
import { firstFound, parseMetadataFile, type ZarrFormat } from './metadata.ts';
import { openShards, type Shards } from './shards.ts';

/** A Zarr array, read chunk by chunk. */
export interface ChunkedArray extends ArrayDescription {
  /** Names the array in messages. */
  readonly where: string;
  /** Path of the array's folder. */
  readonly path: string;
  /** The chunks that were read so far, and those of them that were missing. */
  readonly chunks: ChunkRecord;
  /**
   * Reads and decodes one chunk; `undefined` if it is absent, which the format takes for the fill value everywhere.
   *
   * @throws {@link CryoetPicksError} `corrupt-data` for a chunk that was there before and is absent now, or the reverse, and for an
   * absent chunk of an array whose metadata have vanished.
   */
  readChunk(at: readonly number[], options?: ReadChunkOptions): Promise<DecodedChunk | undefined>;
}

/** Options of {@link openArray}. */
export interface OpenArrayOptions extends StoreOptions {
  /** The formats to look for, in order. @defaultValue [2, 3] */
  readonly zarrFormats?: readonly ZarrFormat[] | undefined;
  readonly decodeWorkers?: DecodeWorkersOptions | undefined;
}

/**
 * Opens the Zarr array in a folder of a store, v2 or v3 by the metadata file in it.
 *
 * Checks what zarrita and its codecs do not check: sizes, lengths, checksums.
 *
 * @returns `undefined` if there is no array.
 * @throws {@link CryoetPicksError} `invalid-metadata`, `unsupported`.
 */
export async function openArray(
  store: ReadableStore,
  folder: StoreKey,
  options: OpenArrayOptions = {},
): Promise<ChunkedArray | undefined> {
  const { zarrFormats = [2, 3] } = options;
  const found = await firstFound(zarrFormats, (format) => readDocument(store, folder, format, options), options);
  if (!found) return undefined;
  const { json, zarrFormat, key } = found;
  if (zarrFormat === 3 && (json as { node_type?: unknown } | null)?.node_type === 'group') return undefined;
  const where = `${key.replace(/\/[^/]*$/, '') || '/'} of ${store.location}`;
  const description = describeArray(json, zarrFormat, `${key} of ${store.location}`);
  const { decodeWorkers = {} } = options;
  const read = await chunkReader(subStore(store, folder), { description, where, decodeWorkers });
  const path = `${store.location.replace(/\/+$/, '')}${folder === '/' ? '' : folder}`;
  const chunks = new ChunkRecord(description);
  const requireMetadata = metadataCheck(store, key);
  const readChunk: ReadChunk = async (at, { signal, memory } = {}) => {
    const chunk = await read(at, { signal, memory });
    if (!chunk) await untilAborted(requireMetadata(), signal);
    if (chunks.enter(at, chunk !== undefined)) return chunk;
    if (chunk) memory?.give(chunk.data);
    throw changedChunk(`chunk ${at.join('/')} of array ${where}`, { path, isThere: chunk !== undefined });
  };
  return { ...description, where: `array ${where}`, path, chunks, readChunk };
}

/** Milliseconds for which metadata that were just seen count as still there. */
const SEEN_FOR = 1000;

/**
 * Makes a function that throws if the metadata file of an array has vanished since the array was opened: then its absent chunks were
 * not left out by a writer. It is to be called for every absent chunk; the file is looked for once a second at most.
 */
function metadataCheck(store: ReadableStore, key: StoreKey): () => Promise<void> {
  let seenAt = -Infinity;
  let verdict: Promise<void> = Promise.resolve();
  const look = async () => {
    // All readers share the request, so none of them may abort it.
    if ((await store.get(key)) !== undefined) return;
    const path = `${store.location.replace(/\/+$/, '')}${key}`;
    const message = `${path} was there when the array was opened and is absent now, and so are its chunks: was the folder moved, renamed or deleted?`;
    throw new CryoetPicksError('corrupt-data', message, { path });
  };
  return () => {
    const now = performance.now();
    if (Math.abs(now - seenAt) >= SEEN_FOR) {
      seenAt = now;
      verdict = look();
      verdict.catch(() => {
        seenAt = -Infinity;
      });
    }
    return verdict;
  };
}

/** The error for a chunk that was seen otherwise before. */
function changedChunk(chunk: string, { path, isThere }: { readonly path: string; readonly isThere: boolean }) {
  const message = isThere
    ? `${chunk} was not in the store when it was read before and is there now: open the image again once it is written whole`
    : `${chunk} was in the store when it was read before and is absent now: was the folder moved, renamed or deleted?`;
  return new CryoetPicksError('corrupt-data', message, { path });
}

async function readDocument(store: ReadableStore, folder: StoreKey, zarrFormat: 2 | 3, { signal }: StoreOptions) {
  const key = joinKey(folder, zarrFormat === 2 ? '.zarray' : 'zarr.json');
  const bytes = await store.get(key, { signal });
  return bytes && { json: parseMetadataFile(bytes, `${key} of ${store.location}`), zarrFormat, key };
}

interface ChunkReaderOptions {
  readonly description: ArrayDescription;
  /** Names the array in messages. */
  readonly where: string;
  readonly decodeWorkers: DecodeWorkersOptions;
}

/**
 * Makes a function that reads chunks of an array, as numbers. Chunks with one compressor and nothing else are decoded by our own
 * decoders, in threads if there are any; all others by zarrita. Errors name the chunk.
 */
async function chunkReader(
  store: ReadableStore,
  { description, where, decodeWorkers }: ChunkReaderOptions,
): Promise<ReadChunk> {
  registerCheckedCodecs();
  const shards = description.shards && openShards(store, description.shards);
  const files: ArrayFiles = { store, description, shards };
  const read = directReader(files, decodeWorkers) ?? (await zarritaReader(files));
  return async (at, { signal, memory } = {}) => {
    signal?.throwIfAborted();
    try {
      const chunk = await read(at, { signal, memory });
      const data = chunk && asNumbers(chunk.data, description);
      if (chunk && data !== chunk.data) memory?.give(chunk.data);
      return chunk && data && { ...chunk, data };
    } catch (error) {
      signal?.throwIfAborted();
      throw describeFailure(error, `chunk ${at.join('/')} of array ${where}`);
    }
  };
}

/** Converts the types that `describeArray` substitutes for zarrita. */
function asNumbers(data: ChunkData, { dtype }: ArrayDescription): ChunkData {
  if (dtype === 'float16') return halvesToNumbers(data as Uint16Array);
  if (dtype === 'bool') return (data as Uint8Array).map((value) => (value === 0 ? 0 : 1));
  return data;
}

function describeFailure(error: unknown, chunk: string): unknown {
  if (isZarritaError(error, 'InvalidMetadataError')) {
    return new CryoetPicksError('invalid-metadata', `cannot read ${chunk}: ${error.message}`, { cause: error });
  }
  const isDecoding = isZarritaError(error, 'CodecPipelineError');
  const cause = isDecoding ? error.cause : error;
  if (isCryoetPicksError(cause, 'unsupported')) {
    return withMessage(cause, `cannot read ${chunk}: ${cause.message}`);
  }
  if (isCryoetPicksError(cause, 'corrupt-data')) return withMessage(cause, `${chunk} is damaged: ${cause.message}`);
  if (isDecoding) {
    const what = cause instanceof Error ? cause.message : String(cause);
    return new CryoetPicksError('corrupt-data', `${chunk} is damaged: ${what}`, { cause });
  }
  return error;
}

/** An array and the files of its chunks. */
export interface ArrayFiles {
  readonly description: ArrayDescription;
  /** The folder of the array. */
  readonly store: ReadableStore;
  readonly shards: Shards | undefined;
}

/** Options of {@link ReadChunk}. */
interface ReadChunkOptions extends StoreOptions {
  /** Memory to decode into, if the decoder allows it. */
  readonly memory?: ChunkMemory | undefined;
}

/** Reads and decodes the chunk at an index of the chunk grid; `undefined` if it is absent. */
type ReadChunk = (at: readonly number[], options?: ReadChunkOptions) => Promise<DecodedChunk | undefined>;

/** Converts a `Buffer` to a plain `Uint8Array`: codecs call `slice` for a copy, which that of a `Buffer` is not. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Thrown through zarrita if a chunk is absent, so that zarrita does not allocate a chunk of fill values. */
const ABSENT = Symbol('absent chunk');

/**
 * Makes a function that reads chunks by zarrita, of any codecs and layout, on this thread.
 *
 * Checks what zarrita and its codecs do not check: sizes, lengths, checksums.
 */
export async function zarritaReader(files: ArrayFiles): Promise<ReadChunk> {
  const { description } = files;
  registerCheckedCodecs();
  const inner = checkedStore(files);
  const array = await (description.zarrFormat === 2
    ? zarr.open.v2(inner, { kind: 'array', attrs: false })
    : zarr.open.v3(inner, { kind: 'array' }));
  return async (at, { signal } = {}) => {
    const [unknown] = unknownCodecs(description.document);
    if (unknown !== undefined) throw new CryoetPicksError('unsupported', `codec "${unknown}" is not supported`);
    try {
      const chunk = await array.getChunk([...at], signal ? { signal } : {});
      const count = description.chunkShape.reduce((a, b) => a * b, 1);
      const data = chunk.data as ChunkData;
      if (data.length !== count) {
        const expected = `${formatZyx(description.chunkShape)} = ${count}`;
        throw new CryoetPicksError('corrupt-data', `it decodes to ${data.length} values, expected ${expected}`);
      }
      return { data, stride: chunk.stride };
    } catch (error) {
      if (error === ABSENT) return undefined;
      throw error;
    }
  };
}

/**
 * The store that zarrita reads: with the checked metadata instead of the file, inner chunks of shards as separate chunks, and
 * {@link ABSENT} thrown for absent ones.
 */
function checkedStore({ store, shards, description }: ArrayFiles) {
  const metadata = new TextEncoder().encode(JSON.stringify(description.document));
  return {
    async get(key: StoreKey, options: StoreOptions = {}): Promise<Uint8Array | undefined> {
      if (key === '/.zarray' || key === '/zarr.json') return metadata;
      const { maxChunkBytes: maxValueBytes } = description;
      const whole = () => store.get(key, { ...options, maxValueBytes });
      const bytes = await (shards ? shards.read(innerIndex(key), options) : whole());
      if (!bytes) throw ABSENT;
      return plainBytes(bytes);
    },
  };
}

/** Parses the index from a key `/c/0/1/2`, the form that `describeArray` gives to keys of inner chunks. */
function innerIndex(key: string): number[] {
  return key.split('/').slice(2).map(Number);
}

/**
 * Makes a function that reads chunks with a single compressor without zarrita: in a thread, which also reads the file if the
 * store has files, so that compressed bytes never pass this thread. Returns `undefined` for other arrays.
 */
export function directReader(files: ArrayFiles, decodeWorkers: DecodeWorkersOptions = {}): ReadChunk | undefined {
  const { description } = files;
  const how = singleBytesCodec(description);
  if (!how) return undefined;
  const { chunkShape: shape, itemBytes } = description;
  const isSent = shape.reduce((product, extent) => product * extent, itemBytes) >= MIN_SENT_BYTES;
  let opening: Promise<DecodePool | undefined> | undefined;
  return async (at, options = {}) => {
    const extents = wantedExtents(at, description);
    if (isSent) opening ??= decodePool(decodeWorkers);
    const decoded = await read(files, at, { how, shape, extents, itemBytes }, { ...options, opening });
    return decoded && numbersOf(decoded, description, extents);
  };
}

/** Shape of the part of a chunk to keep: the part inside the array, if the rest is worth cropping. */
function wantedExtents(at: readonly number[], description: ArrayDescription): readonly number[] {
  const { chunkShape } = description;
  const inside = extentsInside(at, description);
  const part = inside.reduce((product, extent, axis) => product * (extent / chunkShape[axis]!), 1);
  return part < 1 - MAX_PADDING_FRACTION ? inside : chunkShape;
}

async function read(
  files: ArrayFiles,
  at: readonly number[],
  task: Omit<ChunkTask, 'from' | 'into'>,
  { opening, memory, ...options }: ReadChunkOptions & { readonly opening: Promise<DecodePool | undefined> | undefined },
): Promise<Uint8Array | undefined> {
  const filePool = files.store.pathOf && (await opening);
  const span = filePool && (await fileSpan(files, at, options));
  const fromFile = span ? await decodeInThread(filePool, { ...task, from: span }, memory) : undefined;
  if (fromFile) return fromFile;
  // The threads start while the first bytes are on their way.
  const bytes = await bytesOf(files, at, options);
  if (!bytes) return undefined;
  const pool = span ? undefined : await opening;
  const inThread = pool && (await decodeInThread(pool, { ...task, from: bytes }, memory));
  return inThread ?? decodeHere(bytes, task, memory);
}

/** Returns `undefined` if the file is absent or threads cannot decode the chunk, which is then decoded on this thread. */
async function decodeInThread(
  pool: DecodePool,
  task: ChunkTask,
  memory: ChunkMemory | undefined,
): Promise<Uint8Array | undefined> {
  const into = memoryFor(task, memory);
  const reply = await pool.decode({ ...task, into });
  if (reply === 'written') return into;
  // A thread that ended while decoding may still write to the memory for a moment.
  if (into && reply === 'gone') memory?.forget(into);
  else if (into) memory?.give(into);
  if (reply instanceof Uint8Array) return reply;
  if (typeof reply === 'string') return undefined;
  throw errorOf(reply.error);
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

/** Memory of the length of a task's result. */
function memoryFor(
  { extents, itemBytes }: Pick<ChunkTask, 'extents' | 'itemBytes'>,
  memory: ChunkMemory | undefined,
): Uint8Array | undefined {
  return memory?.take(extents.reduce((product, extent) => product * extent, itemBytes));
}

async function fileSpan(
  { store, shards, description }: ArrayFiles,
  at: readonly number[],
  options: StoreOptions,
): Promise<FileSpan | undefined> {
  if (!store.pathOf) return undefined;
  if (!shards) return { file: store.pathOf(description.keyOf(at)), maxBytes: description.maxChunkBytes };
  const span = await shards.find(at, options);
  return span && { file: store.pathOf(span.key), range: { offset: span.offset, length: span.length } };
}

async function bytesOf(
  { store, shards, description }: ArrayFiles,
  at: readonly number[],
  options: StoreOptions,
): Promise<Uint8Array | undefined> {
  const { keyOf, maxChunkBytes: maxValueBytes } = description;
  const bytes = await (shards ? shards.read(at, options) : store.get(keyOf(at), { ...options, maxValueBytes }));
  return bytes && plainBytes(bytes);
}
