import { CryoetPicksError } from '../errors.ts';

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
  /** The length of a value, where the store can tell without reading it; `undefined` where it cannot, or the key is absent. */
  size?(key: StoreKey, options?: StoreOptions): Promise<number | undefined>;
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

/**
 * Puts path segments together to a store key: `joinKey('/runs', name, 'Picks')`. Slashes at the ends of a segment do not matter.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a key that holds a `.`, `..` or empty segment, or a NUL.
 */
export function joinKey(...segments: readonly string[]): StoreKey {
  const parts = segments.map((segment) => segment.replace(/^\/+|\/+$/g, '')).filter((segment) => segment !== '');
  return checkKey(`/${parts.join('/')}`);
}

/**
 * Lets a well-formed key pass: it starts with `/`, has no empty segment, no `.` or `..` and no NUL. `/` itself is the root folder.
 *
 * @throws {@link CryoetPicksError} `invalid-option`, so that no key ever leaves its store.
 */
export function checkKey(key: string): StoreKey {
  const segments = key.slice(1).split('/');
  const bad = key !== '/' && segments.some((segment) => segment === '' || segment === '.' || segment === '..');
  if (!key.startsWith('/') || bad || key.includes('\0')) {
    throw new CryoetPicksError(
      'invalid-option',
      `${JSON.stringify(key)} is not a store key: expected "/" and names between single slashes, none of them "." or ".."`,
    );
  }
  return key as StoreKey;
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
  for (const [key, value] of entries) values.set(checkKey(key), value);
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
    async set(key, value, { signal } = {}) {
      signal?.throwIfAborted();
      values.set(checkKey(key), value);
    },
    async delete(key, { signal } = {}) {
      signal?.throwIfAborted();
      const inside = folderPrefix(checkKey(key));
      for (const other of [...values.keys()]) if (other === key || other.startsWith(inside)) values.delete(other);
    },
  };
}

function folderPrefix(folder: string): string {
  return folder === '/' ? '/' : `${folder}/`;
}

function childrenOf(folder: string, keys: Iterable<string>): StoreEntry[] {
  const prefix = folderPrefix(folder);
  const kinds = new Map<string, StoreEntry['kind']>();
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const [name, ...rest] = key.slice(prefix.length).split('/');
    if (name) kinds.set(name, rest.length > 0 ? 'folder' : 'file');
  }
  return [...kinds].map(([name, kind]) => ({ name, kind })).sort((a, b) => compareNames(a.name, b.name));
}

/** Orders names by code unit, the same on every machine. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The part of a store below a folder, as a store of its own with the same abilities: a listable store stays listable, a
 * writable one writable.
 */
export function subStore<S extends ReadableStore>(store: S, folder: StoreKey): S {
  const base = joinKey(folder);
  const at = (key: StoreKey) => joinKey(base, checkKey(key));
  const whole: Partial<Store> = store;
  const part: ReadableStore & Partial<Store> = {
    location: `${store.location.replace(/\/+$/, '')}${base === '/' ? '' : base}`,
    get: (key, options) => store.get(at(key), options),
    getRange: (key, range, options) => store.getRange(at(key), range, options),
  };
  if (whole.size) part.size = (key, options) => whole.size!(at(key), options);
  if (whole.list) part.list = (key, options) => whole.list!(at(key), options);
  if (whole.set) part.set = (key, value, options) => whole.set!(at(key), value, options);
  if (whole.delete) part.delete = (key, options) => whole.delete!(at(key), options);
  return part as S;
}

/**
 * Makes sure that a folder of a store can be written, by writing a hidden file and deleting it: better asked before an
 * hour's work than after it.
 *
 * @throws {@link CryoetPicksError} `read-only` if it cannot.
 */
export async function requireWritable(store: Store, folder: StoreKey, options: StoreOptions = {}): Promise<void> {
  const key = joinKey(folder, '.writable');
  await store.set(key, new Uint8Array(0), options);
  await store.delete(key, options);
}
