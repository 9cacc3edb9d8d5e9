import {
  abortSignal,
  count,
  optional,
  type Rule,
  readableStore,
  requireArgument,
  requireOptions,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { checkCall, checkKey, type ReadableStore, type StoreKey, type StoreOptions } from './store.ts';

/**
 * A source of bytes that are read by offset: a file, a blob, a value of a store.
 *
 * `fileReader` of `cryoet-picks/node` makes one for a file.
 */
export interface RandomAccessReader {
  /** Where the bytes are, for messages: a path, a URL, `memory`. Never holds a secret. */
  readonly location: string;
  /** In bytes; `undefined` if it is unknown before reading, as over HTTP. */
  readonly size: number | undefined;
  /** Finds out the size if it is unknown beforehand; `undefined` if that is impossible. */
  measure?(options?: StoreOptions): Promise<number | undefined>;
  /** Reads `length` bytes from `offset`, fewer if the bytes end earlier. The result may be shared: do not write to it. */
  read(offset: number, length: number, options?: StoreOptions): Promise<Uint8Array>;
}

const blobRule: Rule = { expected: 'a Blob or a File', isValid: (value) => value instanceof Blob };

/**
 * Checks the arguments of a reader's `read`, and returns its options.
 *
 * @throws {@link CryoetPicksError} `invalid-option`; the abort reason of `signal`.
 */
export function checkRead(offset: number, length: number, options: StoreOptions = {}): StoreOptions {
  requireArgument('reader.read', 'offset', offset, count);
  requireArgument('reader.read', 'length', length, count);
  requireOptions('reader.read', options, { signal: optional(abortSignal) });
  options.signal?.throwIfAborted();
  return options;
}

/** A reader of bytes in memory, which returns views of them. */
export function bytesReader(
  bytes: Uint8Array,
  { location = 'memory' }: { location?: string } = {},
): RandomAccessReader {
  return {
    location,
    size: bytes.length,
    async read(offset, length, options) {
      checkRead(offset, length, options);
      return bytes.subarray(offset, offset + length);
    },
  };
}

/**
 * A reader of a `Blob` or a `File`, such as one that was dropped on a page; only the parts that are read are loaded.
 *
 * @example
 * ```ts
 * const tomogram = await openMrc(blobReader(file));
 * ```
 */
export function blobReader(blob: Blob): RandomAccessReader {
  requireArgument('blobReader', 'blob', blob, blobRule);
  return {
    location: 'name' in blob && typeof blob.name === 'string' ? blob.name : 'blob',
    size: blob.size,
    async read(offset, length, options) {
      const { signal } = checkRead(offset, length, options);
      const bytes = await blob.slice(offset, offset + length).arrayBuffer();
      signal?.throwIfAborted();
      return new Uint8Array(bytes);
    },
  };
}

/**
 * A reader of one value of a store, by range requests: `storeReader(httpStore(folder), '/TS_5_4.mrc')`.
 *
 * A web server that ignores `Range` sends the whole file for every read.
 *
 * @throws {@link CryoetPicksError} from `read`: `not-found` if the key is absent.
 */
export function storeReader(store: ReadableStore, key: StoreKey): RandomAccessReader {
  requireArgument('storeReader', 'store', store, readableStore);
  checkKey(key);
  const location = `${store.location.replace(/\/+$/, '')}${key}`;
  return {
    location,
    size: undefined,
    async measure(options) {
      checkCall('measure', key, options);
      const size = await store.size?.(key, options);
      if (size !== undefined || (await store.getRange(key, { offset: 0, length: 0 }, options)) !== undefined)
        return size;
      throw new CryoetPicksError('not-found', `${location} not found`, { path: location });
    },
    async read(offset, length, options) {
      checkRead(offset, length, options);
      const bytes = await store.getRange(key, { offset, length }, options);
      if (bytes === undefined) throw new CryoetPicksError('not-found', `${location} not found`, { path: location });
      return bytes;
    },
  };
}
