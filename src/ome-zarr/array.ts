import type { ReadableStore, StoreKey, StoreOptions } from '../storage/store.ts';
import { joinKey, subStore } from '../storage/store.ts';
import type { ArrayDescription } from './array-description.ts';
import { describeArray } from './array-metadata.ts';
import type { ReadChunkOptions } from './chunk-place.ts';
import { chunkReader } from './chunk-reader.ts';
import { parseMetadataFile } from './parse.ts';
import { firstFound, type ZarrFormat } from './probe.ts';

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

/**
 * A decoded chunk in the array's own type (float16 as float32, bool as 0 and 1): of its full shape, or, at the end of the array,
 * of what lies inside.
 */
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
  readChunk(at: readonly number[], options?: ReadChunkOptions): Promise<DecodedChunk | undefined>;
}

/** Options of {@link openArray}. */
export interface OpenArrayOptions extends StoreOptions {
  /** The formats to look for, in this order. @defaultValue [2, 3] */
  readonly zarrFormats?: readonly ZarrFormat[] | undefined;
}

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
  const read = await chunkReader(subStore(store, folder), { description, where });
  return { ...description, where: `array ${where}`, readChunk: (at, readOptions = {}) => read(at, readOptions) };
}

async function readDocument(store: ReadableStore, folder: StoreKey, zarrFormat: 2 | 3, { signal }: StoreOptions) {
  const key = joinKey(folder, zarrFormat === 2 ? '.zarray' : 'zarr.json');
  const bytes = await store.get(key, { signal });
  return bytes && { json: parseMetadataFile(bytes, `${key} of ${store.location}`), zarrFormat, key };
}
