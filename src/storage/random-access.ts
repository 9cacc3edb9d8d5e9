import { CryoetPicksError } from '../core/errors.ts';
import type { ReadableStore, StoreKey, StoreOptions } from './store.ts';

/**
 * The seam for bytes that are read here and there: a file, a blob, a part of a web server.
 *
 * `openMrcFile` of `cryoet-picks/node` brings the one for files.
 */
export interface RandomAccessReader {
  /** Where the bytes lie, for messages: a path, a URL, `memory`. Never holds a secret. */
  readonly location: string;
  /** In bytes; `undefined` where it cannot be known without reading, as over HTTP. */
  readonly size: number | undefined;
  /** Asks for the size where it is not known beforehand; `undefined` where nobody can tell. */
  measure?(options?: StoreOptions): Promise<number | undefined>;
  /** Reads `length` bytes from `offset`, fewer where the bytes end earlier. The result may be shared: do not write to it. */
  read(offset: number, length: number, options?: StoreOptions): Promise<Uint8Array>;
}

/** A reader over bytes in memory, which are handed out as views. */
export function bytesReader(
  bytes: Uint8Array,
  { location = 'memory' }: { location?: string } = {},
): RandomAccessReader {
  return {
    location,
    size: bytes.length,
    async read(offset, length, { signal } = {}) {
      signal?.throwIfAborted();
      return bytes.subarray(offset, offset + length);
    },
  };
}

/**
 * A reader over a `Blob` or a `File`, such as one that was dropped on a page; only what is read is loaded.
 *
 * @example
 * ```ts
 * const tomogram = await openMrc(blobReader(file));
 * ```
 */
export function blobReader(blob: Blob): RandomAccessReader {
  return {
    location: 'name' in blob && typeof blob.name === 'string' ? blob.name : 'blob',
    size: blob.size,
    async read(offset, length, { signal } = {}) {
      signal?.throwIfAborted();
      const bytes = await blob.slice(offset, offset + length).arrayBuffer();
      signal?.throwIfAborted();
      return new Uint8Array(bytes);
    },
  };
}

/**
 * A reader over one value of a store, by range requests: `storeReader(httpStore(folder), '/TS_5_4.mrc')`.
 *
 * A web server that ignores `Range` sends the whole file for every read.
 *
 * @throws {@link CryoetPicksError} from `read`: `not-found` if the key is absent.
 */
export function storeReader(store: ReadableStore, key: StoreKey): RandomAccessReader {
  const location = `${store.location.replace(/\/+$/, '')}${key}`;
  return {
    location,
    size: undefined,
    async measure(options) {
      const size = await store.size?.(key, options);
      if (size !== undefined || (await store.getRange(key, { offset: 0, length: 0 }, options)) !== undefined)
        return size;
      throw new CryoetPicksError('not-found', `${location} not found`, { path: location });
    },
    async read(offset, length, options) {
      const bytes = await store.getRange(key, { offset, length }, options);
      if (bytes === undefined) throw new CryoetPicksError('not-found', `${location} not found`, { path: location });
      return bytes;
    },
  };
}
