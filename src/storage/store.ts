import { childrenOf, folderPrefix } from './children.ts';
import { checkKey, joinKey, type StoreKey } from './key.ts';
import type { StagedFolder } from './staged.ts';

export { checkKey, joinKey, type StoreKey } from './key.ts';

/** Part of a value: `length` bytes from `offset`, or the last `suffixLength` bytes. */
export type ByteRange = { readonly offset: number; readonly length: number } | { readonly suffixLength: number };

/** Options of every call of a store that waits. */
export interface StoreOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Options of every call that writes. */
export interface WriteOptions extends StoreOptions {
  /**
   * Write only if the value is still the one that this token of {@link Store.version} stands for; `null`: only if there is
   * none. If absent, whatever is there is replaced.
   */
  readonly expect?: string | null | undefined;
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
  /** Forgets what it keeps of its place, so that later calls look again. A store that keeps nothing has none. */
  refresh?(): void;
  /** The length of a value, where the store can tell without reading it; `undefined` where it cannot, or the key is absent. */
  size?(key: StoreKey, options?: StoreOptions): Promise<number | undefined>;
  /** The path of the file of this machine that holds just this value, if it is there; a store elsewhere has no such method. */
  pathOf?(key: StoreKey): string;
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
  /** @throws `read-only` if the place cannot be written; `conflict` if the value is not the expected one. */
  set(key: StoreKey, value: Uint8Array, options?: WriteOptions): Promise<void>;
  /**
   * Writes a value whose bytes come piece by piece, so that it need not fit into memory; absent where a store takes whole
   * values only. The value appears when the last piece is written; where `pieces` throws, the old value stays.
   *
   * @throws As `set` does, and what `pieces` throws, or an error with that as its cause.
   */
  setPieces?(key: StoreKey, pieces: AsyncIterable<Uint8Array>, options?: WriteOptions): Promise<void>;
  /**
   * Deletes a value, or a folder with all that is in it; nothing happens where there is nothing.
   *
   * @throws `read-only` if the place cannot be written; `conflict` if the value is not the expected one.
   */
  delete(key: StoreKey, options?: WriteOptions): Promise<void>;
  /**
   * A token of the value as it is now, to hand back as `expect`: `stamp@time`, the time as in `Date.toISOString`. Undefined where
   * there is no value. Two values that differ never have the same stamp. A store without this method ignores `expect`;
   * `setFiles` and `deleteFile` refuse it then.
   */
  version?(key: StoreKey, options?: StoreOptions): Promise<string | undefined>;
  /** Starts to write a folder anew, out of sight; undefined where that cannot be done here. */
  stage?(folder: StoreKey, options?: StoreOptions): Promise<StagedFolder | undefined>;
}

/** The part of a value that a range asks for, as a view; a range beyond the end gives what is there. */
export function sliceRange(value: Uint8Array, range: ByteRange): Uint8Array {
  if ('suffixLength' in range) return value.subarray(Math.max(0, value.length - range.suffixLength));
  return value.subarray(range.offset, range.offset + range.length);
}

/** True if the store can list its folders. */
export function isListable(store: ReadableStore): store is ListableStore {
  return 'list' in store;
}

/**
 * A store in memory.
 *
 * Values are kept as given and handed out as they are, without copying.
 *
 * @example
 * ```ts
 * const store = memoryStore();
 * await writeTomogram(store, sourceFromArray(volume, { voxelSize: [10, 10, 10] }));
 * const tomogram = await openTomogram(store);
 * ```
 */
export function memoryStore(entries: Iterable<readonly [StoreKey, Uint8Array]> = []): Store {
  const values = new Map<string, Uint8Array>();
  const versions = new Map<string, string>();
  let writes = 0;
  const put = (key: string, value: Uint8Array) => {
    values.set(key, value);
    versions.set(key, `${++writes}@${new Date().toISOString()}`);
  };
  // Loaded with the first write that expects something. Nothing may wait between the check and the write.
  const rulesFor = (expect: string | null | undefined) => (expect === undefined ? undefined : import('./expect.ts'));
  for (const [key, value] of entries) put(checkKey(key), value);
  return {
    location: 'memory',
    async get(key, { signal } = {}) {
      signal?.throwIfAborted();
      return values.get(checkKey(key));
    },
    async getRange(key, range, { signal } = {}) {
      signal?.throwIfAborted();
      const value = values.get(checkKey(key));
      return value && sliceRange(value, range);
    },
    async list(folder, { signal } = {}) {
      signal?.throwIfAborted();
      return childrenOf(checkKey(folder), values.keys());
    },
    async set(key, value, { signal, expect } = {}) {
      signal?.throwIfAborted();
      checkKey(key);
      const rules = await rulesFor(expect);
      rules?.checkExpected(key, expect, versions.get(key));
      put(key, value);
    },
    async delete(key, { signal, expect } = {}) {
      signal?.throwIfAborted();
      const inside = folderPrefix(checkKey(key));
      const rules = await rulesFor(expect);
      rules?.checkExpected(key, expect, versions.get(key));
      for (const other of [...values.keys()]) {
        if (other === key || other.startsWith(inside)) values.delete(other) && versions.delete(other);
      }
    },
    async version(key, { signal } = {}) {
      signal?.throwIfAborted();
      return versions.get(checkKey(key));
    },
  };
}

/** What stores can do, each with a key first. */
const abilities = ['get', 'getRange', 'size', 'list', 'set', 'setPieces', 'delete', 'version', 'stage'] as const;

/**
 * The part of a store below a folder, as a store of its own with the same abilities: a listable store stays listable, a
 * writable one writable.
 */
export function subStore<S extends ReadableStore>(store: S, folder: StoreKey): S {
  const base = joinKey(folder);
  const at = (key: StoreKey) => joinKey(base, checkKey(key));
  const whole: Partial<Store> = store;
  const part: Record<string, unknown> = {
    location: `${store.location.replace(/\/+$/, '')}${base === '/' ? '' : base}`,
  };
  if (whole.refresh) part.refresh = () => whole.refresh!();
  if (whole.pathOf) part.pathOf = (key: StoreKey) => whole.pathOf!(at(key));
  for (const name of abilities) {
    const ability = whole[name] as ((key: StoreKey, ...rest: unknown[]) => unknown) | undefined;
    if (ability) part[name] = (key: StoreKey, ...rest: unknown[]) => ability.call(store, at(key), ...rest);
  }
  return part as unknown as S;
}
