import { LRUCache } from 'lru-cache';
import { withoutChecksum } from '../codecs/checksum.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { ReadableStore, StoreKey, StoreOptions } from '../storage/store.ts';

/** How the shards of a Zarr v3 array are laid out. */
export interface ShardLayout {
  /** Inner chunks per shard, along each dimension. */
  readonly inner: readonly number[];
  readonly isIndexAtStart: boolean;
  readonly hasChecksum: boolean;
  /** Maximum bytes of an encoded inner chunk. */
  readonly maxChunkBytes: number;
  readonly keyOf: (shard: readonly number[]) => StoreKey;
}

/** Range of the encoded bytes of an inner chunk in its shard. */
export interface ShardSpan {
  readonly key: StoreKey;
  readonly offset: number;
  readonly length: number;
}

/** The inner chunks of shards, by their index in the grid of inner chunks; `undefined` if the chunk or its shard is absent. */
export interface Shards {
  find(at: readonly number[], options: StoreOptions): Promise<ShardSpan | undefined>;
  /** Reads the encoded bytes of an inner chunk. */
  read(at: readonly number[], options: StoreOptions): Promise<Uint8Array | undefined>;
}

const ABSENT = 2n ** 64n - 1n;
/** Maximum bytes of indexes to keep; at least one is kept. */
const KEPT_BYTES = 64 * 2 ** 20;

/**
 * Reads inner chunks from shards: the index once per shard, with its length and checksum checked, then exactly the bytes of the
 * chunk. Lengths are checked before anything is allocated, so a damaged index allocates nothing.
 *
 * Source: Zarr v3 `sharding_indexed` codec specification 1.0.
 */
export function openShards(store: ReadableStore, layout: ShardLayout): Shards {
  const indexBytes = layout.inner.reduce((product, n) => product * n, 16);
  const max = Math.max(1, Math.min(1024, Math.floor(KEPT_BYTES / indexBytes)));
  const indexes = new LRUCache<StoreKey, Promise<DataView | undefined>>({ max });
  const indexOf = (key: StoreKey) => {
    const kept = indexes.get(key);
    if (kept) return kept;
    // All readers of a shard share its index, so none of them may abort the request.
    const index = readIndex(store, key, layout);
    indexes.set(key, index);
    index.catch(() => indexes.delete(key));
    return index;
  };
  const find = async (at: readonly number[], options: StoreOptions): Promise<ShardSpan | undefined> => {
    const key = layout.keyOf(at.map((n, i) => Math.floor(n / layout.inner[i]!)));
    const index = await indexOf(key);
    options.signal?.throwIfAborted();
    const entry = at.reduce((sum, n, i) => sum * layout.inner[i]! + (n % layout.inner[i]!), 0);
    const offset = index?.getBigUint64(16 * entry, true) ?? ABSENT;
    const length = index?.getBigUint64(16 * entry + 8, true) ?? ABSENT;
    if (offset === ABSENT && length === ABSENT) return undefined;
    if (length < 1n || length > BigInt(layout.maxChunkBytes) || offset > BigInt(Number.MAX_SAFE_INTEGER)) {
      fail(
        key,
        `the index places a chunk of ${length} bytes at byte ${offset}, expected 1 to ${layout.maxChunkBytes} bytes`,
      );
    }
    return { key, offset: Number(offset), length: Number(length) };
  };
  return {
    find,
    async read(at, options) {
      const span = await find(at, options);
      if (!span) return undefined;
      const { key, offset, length } = span;
      const bytes = await store.getRange(key, { offset, length }, options);
      if (bytes?.length !== length)
        fail(key, `${bytes?.length ?? 0} of the ${length} bytes of a chunk that the index lists are there`);
      return bytes;
    },
  };
}

async function readIndex(store: ReadableStore, key: StoreKey, layout: ShardLayout): Promise<DataView | undefined> {
  const tableBytes = layout.inner.reduce((product, n) => product * n, 16);
  const length = tableBytes + (layout.hasChecksum ? 4 : 0);
  const range = layout.isIndexAtStart ? { offset: 0, length } : { suffixLength: length };
  const bytes = await store.getRange(key, range);
  if (!bytes) return undefined;
  if (bytes.length !== length) fail(key, `${bytes.length} of the ${length} bytes of the index are there`);
  const table = layout.hasChecksum ? checkedIndex(key, bytes) : bytes;
  return new DataView(table.buffer, table.byteOffset, tableBytes);
}

function checkedIndex(key: StoreKey, bytes: Uint8Array): Uint8Array {
  try {
    return withoutChecksum(bytes, { name: 'crc32c' });
  } catch (cause) {
    fail(key, `the index is damaged: ${(cause as Error).message}`);
  }
}

function fail(key: StoreKey, what: string): never {
  throw new CryoetPicksError('corrupt-data', `in shard ${key}, ${what}`);
}
