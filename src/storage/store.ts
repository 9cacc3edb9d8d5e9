import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';

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
  /** @throws `read-only` if the store does not allow writing; `write-failed` if writing fails; `conflict` if the value is not the expected one. */
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
   * @throws `read-only` if the store does not allow writing; `write-failed` if deleting fails; `conflict` if the value is not the expected one.
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
      if (expect !== undefined) checkExpected(key, expect, versions.get(key));
      put(key, value);
    },
    async delete(key, { signal, expect } = {}) {
      signal?.throwIfAborted();
      const inside = folderPrefix(checkKey(key));
      if (expect !== undefined) checkExpected(key, expect, versions.get(key));
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

/** A key of a store: a path that starts with `/`, without `.` or `..` segments. */
export type StoreKey = `/${string}`;

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

/** What the keys in a folder begin with. */
function folderPrefix(folder: string): string {
  return folder === '/' ? '/' : `${folder}/`;
}

/** The direct children of a folder among keys, sorted by name. */
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

/** Options of {@link StagedFolder.commit}. */
export interface CommitOptions {
  /**
   * Looks once more at what is to be replaced, at the moment of it: no other writer of this library replaces it meanwhile. What
   * it throws ends the commit, and everything stays as it is.
   */
  readonly check?: (() => Promise<void>) | undefined;
}

/** A folder that is written out of sight, to replace another as a whole. */
export interface StagedFolder {
  /** Takes what shall be in the folder. */
  readonly store: Store;
  /** Puts the folder into its place; what was there goes. */
  commit(options?: CommitOptions): Promise<void>;
  /** Removes what was written. */
  discard(): Promise<void>;
}

/** Options of {@link readOnlyStore}. */
export interface ReadOnlyStoreOptions {
  /** Why it cannot be written, and what would work: ends the message of the error. */
  readonly reason: string;
}

/**
 * A store that refuses every write, for what can only be read but stands where a store for writing is asked for.
 *
 * @throws {@link CryoetPicksError} `read-only`, from writes and deletions.
 */
export function readOnlyStore(store: ListableStore, { reason }: ReadOnlyStoreOptions): Store {
  const refuse = async (key: string): Promise<never> => {
    const path = `${store.location.replace(/\/+$/, '')}${key}`;
    throw new CryoetPicksError('read-only', `cannot write ${path}: ${reason}`, { path });
  };
  return { ...store, set: refuse, delete: refuse };
}

/** Lets a store pass. @throws {@link CryoetPicksError} `invalid-option`, for a path or URL with the function that makes it one. */
export function assertStore(store: ReadableStore, method: 'get' | 'set'): void {
  const given: { readonly [K in typeof method]?: unknown } | null | undefined = store;
  if (typeof given?.[method] === 'function') return;
  const found =
    given instanceof URL ? `the URL ${given.origin}${given.pathname}` : showJson(given).replace(/\?.*/s, '…');
  throw new CryoetPicksError(
    'invalid-option',
    `expected a store, found ${found}; wrap a path in directoryStore(path) of cryoet-picks/node` +
      (method === 'get' ? ', a URL in httpStore(url)' : ''),
  );
}

/**
 * Makes sure that a folder of a store can be written, by writing a hidden file and deleting it: better asked before an
 * hour's work than after it.
 *
 * @throws {@link CryoetPicksError} `read-only` or `write-failed` if it cannot be written.
 */
export async function requireWritable(store: Store, folder: StoreKey, options: StoreOptions = {}): Promise<void> {
  const key = joinKey(folder, '.writable');
  await store.set(key, new Uint8Array(0), options);
  await store.delete(key, options);
}

const TOKEN = /^[^@]+@\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/**
 * Makes sure that a value is the expected one. A token is `stamp@time`: the stamp tells values apart, and the time is when
 * the value was written, for the message.
 *
 * @param where - Path of the value, for messages.
 * @param expect - A token, `null` for no value, undefined for whatever there is.
 * @param found - The token of the value as it is now; undefined where there is none.
 * @throws {@link CryoetPicksError} `conflict`, naming both times; `invalid-option` for what is no token.
 */
export function checkExpected(where: string, expect: string | null | undefined, found: string | undefined): void {
  if (expect === undefined || (expect ?? undefined) === found) return;
  if (expect !== null && !TOKEN.test(expect)) {
    throw new CryoetPicksError(
      'invalid-option',
      `${where} is not changed: expect is ${JSON.stringify(expect)}, which is no version; expected the \`version\` that it was read with, or null for no file`,
    );
  }
  if (stampOf(expect) === stampOf(found)) return;
  const told = (token: string | null | undefined) => (token ? `from ${token.replace(/.*@/, '')}` : 'absent');
  throw new CryoetPicksError(
    'conflict',
    `${where} has changed since it was read: it was ${told(expect)} then and is ${told(found)} now; read it again`,
  );
}

function stampOf(token: string | null | undefined): string {
  return token?.replace(/@.*/, '') ?? '';
}
