import type { ReadableStore, StoreOptions } from '../storage/store.ts';
import type { DecodedChunk } from './array.ts';
import type { ArrayDescription } from './array-description.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import type { Shards } from './shards.ts';

/** An array, and where its chunks are. */
export interface ArrayPlace {
  readonly description: ArrayDescription;
  /** The folder of the array. */
  readonly store: ReadableStore;
  readonly shards: Shards | undefined;
}

/** Options of {@link ReadChunk}. */
export interface ReadChunkOptions extends StoreOptions {
  /** Memory to decode into, where that can be chosen. */
  readonly memory?: ChunkMemory | undefined;
}

/** Reads and decodes the chunk at an index of the chunk grid; `undefined` where there is none. */
export type ReadChunk = (at: readonly number[], options?: ReadChunkOptions) => Promise<DecodedChunk | undefined>;

/** A `Buffer` as what it is underneath: its `slice`, which codecs call to get a copy, gives none. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
