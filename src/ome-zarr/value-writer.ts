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

/** Writes a value to a store: piece by piece where it can, else at once in the end. */
export function valueWriter(store: Store, key: StoreKey, options: StoreOptions): ValueWriter {
  const { setPieces } = store;
  if (!setPieces) return heldWriter(store, key, options);
  return streamedWriter((pieces) => setPieces.call(store, key, pieces, options));
}

/** Hands pieces, one at a time, to a function that takes them. */
function streamedWriter(write: (pieces: AsyncIterable<Uint8Array>) => Promise<void>): ValueWriter {
  const pieces = new Handoff();
  const written = write(pieces);
  // Whoever appends or closes next sees the error; if nobody does, nobody need.
  const failed = written.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  return {
    append: (bytes) => Promise.race([pieces.put(bytes), failed]),
    async close() {
      pieces.end();
      await written;
    },
    async abort() {
      pieces.end(new Error('the write was given up'));
      await written.catch(() => {});
    },
  };
}

/** What one side puts in, the other takes out; at most one piece is on its way. */
class Handoff implements AsyncIterable<Uint8Array> {
  #piece: Uint8Array | undefined;
  #ended = false;
  #failure: Error | undefined;
  #changed = () => {};

  /** Resolves when the piece before this one has been dealt with. */
  async put(piece: Uint8Array): Promise<void> {
    while (this.#piece) await this.#change();
    this.#piece = piece;
    this.#notify();
  }

  /** Ends the pieces after the last one, or at once with an error. Only the first call counts. */
  end(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (this.#piece) {
        yield this.#piece;
        this.#piece = undefined;
        this.#notify();
      } else if (this.#ended) return;
      else await this.#change();
    }
  }

  #waiting: Promise<void> | undefined;

  #change(): Promise<void> {
    this.#waiting ??= new Promise((resolve) => {
      this.#changed = resolve;
    });
    return this.#waiting;
  }

  #notify(): void {
    this.#waiting = undefined;
    this.#changed();
  }
}

/** The longest value that is put together in memory, in bytes: what every engine allots. */
const MAX_HELD_BYTES = 2 ** 31 - 1;

/** Writes values to a store that takes them whole only: the pieces are held until then. */
function heldWriter(store: Store, key: StoreKey, options: StoreOptions): ValueWriter {
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
