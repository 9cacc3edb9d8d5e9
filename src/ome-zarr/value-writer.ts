import { CryoetPicksError } from '../errors.ts';
import type { Store, StoreKey, StoreOptions } from '../storage/store.ts';

/** Writes a value piece by piece. It appears whole when it is closed, or never. */
export interface ValueWriter {
  append(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** Starts to write a value. */
export type OpenWriter = (key: StoreKey) => Promise<ValueWriter>;

/** The longest value that is put together in memory, in bytes: what every engine allots. */
const MAX_HELD_BYTES = 2 ** 31 - 1;

/** Writes values to a store that takes them whole only: the pieces are held until then. */
export function heldWriter(store: Store, key: StoreKey, options: StoreOptions): ValueWriter {
  let pieces: Uint8Array[] = [];
  let length = 0;
  return {
    async append(bytes) {
      length += bytes.length;
      if (length > MAX_HELD_BYTES) {
        throw new CryoetPicksError(
          'unsupported',
          `${key} of ${store.location} takes more than ${MAX_HELD_BYTES} bytes, and this store writes no value piece by piece; write the format "zarr2"`,
        );
      }
      pieces.push(bytes);
    },
    async close() {
      const value = new Uint8Array(length);
      let at = 0;
      for (const piece of pieces) {
        value.set(piece, at);
        at += piece.length;
      }
      pieces = [];
      await store.set(key, value, options);
    },
    async abort() {
      pieces = [];
    },
  };
}
