/** A key of a store: a path that starts with `/`, without `.` or `..` segments. */
export type StoreKey = `/${string}`;

/** Part of a value: `length` bytes from `offset`, or the last `suffixLength` bytes. */
export type ByteRange = { readonly offset: number; readonly length: number } | { readonly suffixLength: number };

/** Options of every call of a store that waits. */
export interface StoreOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The seam for bytes that are only read: zarrita's async readable, plus a name for messages.
 *
 * A key that is absent gives `undefined`; anything else that goes wrong throws.
 */
export interface ReadableStore {
  /** Where the store lies, for messages: a directory, a URL, `memory`. Never holds a secret. */
  readonly location: string;
  get(key: StoreKey, options?: StoreOptions): Promise<Uint8Array | undefined>;
  getRange(key: StoreKey, range: ByteRange, options?: StoreOptions): Promise<Uint8Array | undefined>;
}

/** A direct child of a folder. */
export interface StoreEntry {
  /** The last segment of its key. */
  readonly name: string;
  readonly kind: 'file' | 'folder';
}

/** A store whose folders can be listed, as a copick project on disk needs. */
export interface ListableStore extends ReadableStore {
  /** The direct children of a folder, sorted by name; none where the folder is absent. */
  list(folder: StoreKey, options?: StoreOptions): Promise<readonly StoreEntry[]>;
}

/** A store that can be written. Writes are atomic: a reader sees the old value or the new one, never half. */
export interface Store extends ListableStore {
  /** @throws `read-only` if the place cannot be written. */
  set(key: StoreKey, value: Uint8Array, options?: StoreOptions): Promise<void>;
  /** Deletes a value, or a folder with all that is in it; nothing happens where there is nothing. */
  delete(key: StoreKey, options?: StoreOptions): Promise<void>;
}
