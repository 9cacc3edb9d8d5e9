import * as zarr from 'zarrita';
import { halfToNumber } from '../codecs/number-type.ts';
import { registerCheckedCodecs, unknownCodecs } from '../codecs/registry.ts';
import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import { formatZyx } from '../space/zyx.ts';
import type { ReadableStore, StoreKey, StoreOptions } from '../storage/store.ts';
import { joinKey, subStore } from '../storage/store.ts';
import type { ArrayDescription } from './array-description.ts';
import { describeArray } from './array-metadata.ts';
import { parseMetadataFile } from './parse.ts';
import { firstFound, type ZarrFormat } from './probe.ts';
import { shardReader } from './shards.ts';

/** The arrays that a decoded chunk can be. */
export type ChunkData =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** A decoded chunk: data of the chunk's full shape in the array's own type (float16 as float32, bool as 0 and 1). */
export interface DecodedChunk {
  readonly data: ChunkData;
  /** In elements, in the order of the array's dimensions. */
  readonly stride: readonly number[];
}

/** A Zarr array that is read chunk by chunk. */
export interface ChunkedArray extends ArrayDescription {
  /** Names the array in messages. */
  readonly where: string;
  /** Reads and decodes one chunk; `undefined` where the format says that all of it is the fill value. */
  readChunk(at: readonly number[], options?: StoreOptions): Promise<DecodedChunk | undefined>;
}

/** Options of {@link openArray}. */
export interface OpenArrayOptions extends StoreOptions {
  /** The formats to look for, in this order. @defaultValue [2, 3] */
  readonly zarrFormats?: readonly ZarrFormat[] | undefined;
}

/** Thrown through zarrita where a chunk is absent, so that it allocates no chunk of fill values. */
const ABSENT = Symbol('absent chunk');

/**
 * Opens the Zarr array at a folder of a store, v2 or v3 by the metadata file that is there.
 *
 * Everything that zarrita and its codecs take on trust is checked: sizes, lengths, checksums.
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
  registerCheckedCodecs();
  const inner = checkedStore(subStore(store, folder), description);
  const array = await (zarrFormat === 2
    ? zarr.open.v2(inner, { kind: 'array', attrs: false })
    : zarr.open.v3(inner, { kind: 'array' }));
  return {
    ...description,
    where: `array ${where}`,
    readChunk: (at, readOptions = {}) => readChunk({ array, description, where }, at, readOptions),
  };
}

async function readDocument(store: ReadableStore, folder: StoreKey, zarrFormat: 2 | 3, { signal }: StoreOptions) {
  const key = joinKey(folder, zarrFormat === 2 ? '.zarray' : 'zarr.json');
  const bytes = await store.get(key, { signal });
  return bytes && { json: parseMetadataFile(bytes, `${key} of ${store.location}`), zarrFormat, key };
}

interface OpenedArray {
  readonly array: { getChunk(at: number[], options?: StoreOptions): Promise<zarr.Chunk<zarr.DataType>> };
  readonly description: ArrayDescription;
  readonly where: string;
}

async function readChunk(
  { array, description, where }: OpenedArray,
  at: readonly number[],
  { signal }: StoreOptions,
): Promise<DecodedChunk | undefined> {
  signal?.throwIfAborted();
  const [unknown] = unknownCodecs(description.document);
  if (unknown !== undefined) {
    const what = `cannot read chunk ${at.join('/')} of array ${where}: codec "${unknown}" is not supported`;
    throw new CryoetPicksError('unsupported', what);
  }
  try {
    const chunk = await array.getChunk([...at], signal ? { signal } : {});
    const count = description.chunkShape.reduce((a, b) => a * b, 1);
    const data = chunk.data as ChunkData;
    if (data.length !== count) {
      const expected = `${formatZyx(description.chunkShape)} = ${count}`;
      throw new CryoetPicksError('corrupt-data', `it decodes to ${data.length} values, expected ${expected}`);
    }
    return { data: asNumbers(data, description), stride: chunk.stride };
  } catch (error) {
    signal?.throwIfAborted();
    if (error === ABSENT) return undefined;
    throw describeFailure(error, `chunk ${at.join('/')} of array ${where}`);
  }
}

/** Undoes the stand-ins that `describeArray` gave zarrita. */
function asNumbers(data: ChunkData, { dtype }: ArrayDescription): ChunkData {
  if (dtype === 'float16') return Float32Array.from(data as Uint16Array, halfToNumber);
  if (dtype === 'bool') return (data as Uint8Array).map((value) => (value === 0 ? 0 : 1));
  return data;
}

function describeFailure(error: unknown, chunk: string): unknown {
  if (zarr.isZarritaError(error, 'InvalidMetadataError')) {
    return new CryoetPicksError('invalid-metadata', `cannot read ${chunk}: ${error.message}`, { cause: error });
  }
  const isDecoding = zarr.isZarritaError(error, 'CodecPipelineError');
  const cause = isDecoding ? error.cause : error;
  if (isCryoetPicksError(cause, 'unsupported')) {
    return new CryoetPicksError('unsupported', `cannot read ${chunk}: ${cause.message}`, { cause });
  }
  if (isDecoding || isCryoetPicksError(cause, 'corrupt-data')) {
    const what = cause instanceof Error ? cause.message : String(cause);
    return new CryoetPicksError('corrupt-data', `${chunk} is damaged: ${what}`, { cause });
  }
  return error;
}

/**
 * The store that zarrita sees: the checked metadata document in place of the file, inner chunks of shards as chunks of their
 * own, and absent ones as {@link ABSENT}.
 */
function checkedStore(store: ReadableStore, { document, shards }: ArrayDescription) {
  const metadata = new TextEncoder().encode(JSON.stringify(document));
  const readInner = shards && shardReader(store, shards);
  return {
    async get(key: StoreKey, options: StoreOptions = {}): Promise<Uint8Array | undefined> {
      if (key === '/.zarray' || key === '/zarr.json') return metadata;
      const bytes = readInner ? await readInner(innerIndex(key), options) : await store.get(key, options);
      if (!bytes) throw ABSENT;
      return plainBytes(bytes);
    },
  };
}

/** The index in a key `/c/0/1/2`, the form that `describeArray` gives the keys of inner chunks. */
function innerIndex(key: string): number[] {
  return key.split('/').slice(2).map(Number);
}

/** A `Buffer` as what it is underneath: its `slice`, which codecs call to get a copy, gives none. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
