import {
  abortSignal,
  bytesRule,
  describeValue,
  isFields,
  iterable,
  listableStore,
  optional,
  type Rule,
  type RulesFor,
  readableStore,
  record,
  requireArgument,
  requireOptions,
  someNumber,
  text,
  writableStore,
} from '../core/arguments.ts';
import { forEachRange } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';

/** Part of a value: `length` bytes from `offset`, without a length all bytes from there; or the last `suffixLength` bytes. */
export type ByteRange =
  | { readonly offset: number; readonly length?: number | undefined }
  | { readonly suffixLength: number };

/** Options of every call of a store that waits. */
export interface StoreOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link ReadableStore.get}. */
export interface GetOptions extends StoreOptions {
  /**
   * A value of more bytes throws `corrupt-data`, before all of it is in memory. A store may ignore it.
   * @defaultValue the bounds of the store, if it has any
   */
  readonly maxValueBytes?: number | undefined;
}

/** How large the values are that a store reads whole. A part is as large as it was asked for. */
export interface ValueBounds {
  /** Maximum size of a metadata file of Zarr, or of a listing, in bytes. @defaultValue 64 MiB */
  readonly maxMetadataBytes?: number | undefined;
  /** Maximum size of any other value that is read whole, if the reader does not set one, in bytes. @defaultValue 1 GiB */
  readonly maxFileBytes?: number | undefined;
}

/** The maximum size of a value, and the option that sets it; without one it follows from the array that the value belongs to. */
export interface ValueBound {
  readonly bytes: number;
  readonly option?: keyof ValueBounds | undefined;
}

/** Matches the keys of Zarr's metadata files. */
export const METADATA: RegExp = /\/(\.z(attrs|group|array|metadata)|zarr\.json)$/;

/**
 * Makes a function that gives the maximum size of a value.
 *
 * @throws {@link CryoetPicksError} `invalid-option` unless the bounds are at least 1; `Infinity` sets none.
 */
export function valueBounds({ maxMetadataBytes = 2 ** 26, maxFileBytes = 2 ** 30 }: ValueBounds) {
  for (const [option, value] of Object.entries({ maxMetadataBytes, maxFileBytes })) {
    if (!(typeof value === 'number' && value >= 1))
      throw new CryoetPicksError('invalid-option', `${option} is ${describeValue(value)}, expected at least 1`, {
        option,
      });
  }
  return (key: StoreKey, { maxValueBytes }: GetOptions = {}): ValueBound => {
    if (maxValueBytes !== undefined) return { bytes: maxValueBytes };
    return METADATA.test(key)
      ? { bytes: maxMetadataBytes, option: 'maxMetadataBytes' }
      : { bytes: maxFileBytes, option: 'maxFileBytes' };
  };
}

/** What the bounds of a store must be; {@link valueBounds} checks their minimum. */
export const boundRules: RulesFor<ValueBounds> = {
  maxMetadataBytes: /* @__PURE__ */ optional(someNumber),
  maxFileBytes: /* @__PURE__ */ optional(someNumber),
};

/** The error for a value that exceeds its bound. */
export function tooLarge(path: string, { bytes, option }: ValueBound): CryoetPicksError {
  if (option === undefined) {
    const most = `more than the ${bytes} bytes that its array allows for a chunk`;
    return new CryoetPicksError('corrupt-data', `cannot read ${path}: it has ${most}`, { path });
  }
  const what = `it has more than ${bytes} bytes; if it is right, open its store with a larger ${option}`;
  return new CryoetPicksError('unsupported', `cannot read ${path}: ${what}`, { path, option });
}

/** Options of every call that writes. */
export interface WriteOptions extends StoreOptions {
  /**
   * Write only if the value still has this version, a token from {@link Store.version}; `null`: only if there is no value.
   * If left out, any value is replaced.
   */
  readonly ifVersion?: string | null | undefined;
  /**
   * The value only shows whether the folder can be written, and goes again at once. A store on disk makes no folders for it, and
   * writes it into the nearest one that is there. A store may ignore it. @defaultValue false
   */
  readonly isProbe?: boolean | undefined;
}

/**
 * A store that can be read: zarrita's async readable, plus a name for messages.
 *
 * An absent key gives `undefined`; every other failure throws.
 */
export interface ReadableStore {
  /** Where the store is, for messages: a directory, a URL, `memory`. Never holds a secret. */
  readonly location: string;
  get(key: StoreKey, options?: GetOptions): Promise<Uint8Array | undefined>;
  getRange(key: StoreKey, range: ByteRange, options?: StoreOptions): Promise<Uint8Array | undefined>;
  /** Empties the store's caches, so that later calls look again. A store without caches has no such method. */
  refresh?(): void;
  /** The length of a value in bytes, without reading it; `undefined` if it is unknown, or the key is absent. */
  size?(key: StoreKey, options?: StoreOptions): Promise<number | undefined>;
  /** The path of the local file that holds exactly this value, whether or not it exists. Only stores on disk have this method. */
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
  /** The direct children of a folder, sorted by name; none if the folder is absent. */
  list(folder: StoreKey, options?: StoreOptions): Promise<readonly StoreEntry[]>;
}

/** A store that can be written. Writes are atomic: a reader sees the old value or the new one, never a part. */
export interface Store extends ListableStore {
  /**
   * @throws `read-only` if the store does not allow writing; `write-failed` if writing fails; `conflict` if the value does not
   *   have the version `ifVersion`.
   */
  set(key: StoreKey, value: Uint8Array, options?: WriteOptions): Promise<void>;
  /**
   * Writes a value piece by piece, so that it need not fit into memory. The value appears when the last piece is written; if
   * `pieces` throws, the old value stays. A store that takes whole values only has no such method.
   *
   * @throws As `set` does, and what `pieces` throws.
   */
  setPieces?(key: StoreKey, pieces: AsyncIterable<Uint8Array>, options?: WriteOptions): Promise<void>;
  /**
   * Deletes a value, or a folder with everything in it; does nothing if neither exists.
   *
   * @throws As `set` does.
   */
  delete(key: StoreKey, options?: WriteOptions): Promise<void>;
  /**
   * The version of a value, to pass as `ifVersion`: `stamp@time`, the time as in `Date.toISOString`. Undefined if there is
   * no value, or if a server says no version of it. Values that differ have different stamps. A store without this method ignores `ifVersion`; `setFiles` and
   * `deleteFile` then throw if it is given.
   */
  version?(key: StoreKey, options?: StoreOptions): Promise<string | undefined>;
  /**
   * Removes from a folder what killed writers have left there, such as temporary files; what a living process writes stays, and what
   * cannot be removed, too. A store that leaves nothing, or cannot tell, has no such method.
   */
  tidy?(folder: StoreKey, options?: StoreOptions): Promise<void>;
  /** Starts a new version of a folder that readers do not see yet; undefined where the store cannot do so. */
  stage?(folder: StoreKey, options?: StoreOptions): Promise<StagedFolder | undefined>;
}

/**
 * Throws unless a range is of whole numbers of at least 0.
 *
 * @throws {@link CryoetPicksError} `invalid-option`.
 */
export function checkRange(range: ByteRange): ByteRange {
  const { offset, length = 0, suffixLength }: Partial<Record<string, number>> = range ?? {};
  const isWhole = (value: number | undefined) => Number.isSafeInteger(value) && value! >= 0;
  if (suffixLength === undefined ? isWhole(offset) && isWhole(length) : isWhole(suffixLength)) return range;
  const expected = '{ offset, length }, { offset } or { suffixLength }, in whole bytes of at least 0';
  throw new CryoetPicksError('invalid-option', `the range is ${describeValue(range)}, expected ${expected}`, {
    option: 'range',
  });
}

/** Where a range lies in a value of `size` bytes; a range that reaches beyond the end is cut. */
export function spanOf(range: ByteRange, size: number): { readonly offset: number; readonly length: number } {
  if ('suffixLength' in range) {
    const length = Math.min(size, range.suffixLength);
    return { offset: size - length, length };
  }
  const offset = Math.min(range.offset, size);
  return { offset, length: Math.min(range.length ?? Infinity, size - offset) };
}

/** The part of a value within a range, as a view; a range that reaches beyond the end is cut. */
export function sliceRange(value: Uint8Array, range: ByteRange): Uint8Array {
  const { offset, length } = spanOf(range, value.length);
  return value.subarray(offset, offset + length);
}

/** True if the store can list its folders. */
export function isListable(store: ReadableStore): store is ListableStore {
  return 'list' in store;
}

/** Bytes that are copied at once: some milliseconds. */
const COPY = 2 ** 23;

/** A copy, made in pieces; of few bytes at once, before the caller goes on. */
async function copyOf(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.length <= COPY) return bytes.slice();
  const copy = new Uint8Array(bytes.length);
  await forEachRange(bytes.length, (from, to) => copy.set(bytes.subarray(from, to), from), COPY);
  return copy;
}

/**
 * A store in memory.
 *
 * What is set is copied; what is got is not, so do not write to it.
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
  requireArgument('memoryStore', 'entries', entries, iterable);
  for (const entry of entries) {
    requireArgument('memoryStore', 'entry', entry, entryRule);
    requireArgument('memoryStore', 'value', entry[1], bytesRule);
    put(checkKey(entry[0]), entry[1].slice());
  }
  return {
    location: 'memory',
    async get(key, options) {
      const { maxValueBytes: bytes = Infinity } = checkCall('get', key, options);
      const value = values.get(key);
      if (value && value.length > bytes) throw tooLarge(`memory${key}`, { bytes });
      return value;
    },
    async getRange(key, range, options) {
      checkCall('getRange', key, options);
      checkRange(range);
      const value = values.get(key);
      return value && sliceRange(value, range);
    },
    async list(folder, options) {
      checkCall('list', folder, options);
      return childrenOf(folder, values.keys());
    },
    async set(key, value, options = {}) {
      const { ifVersion } = checkCall('set', key, options);
      requireArgument('memoryStore', 'value', value, bytesRule);
      if (ifVersion !== undefined) assertVersion(key, ifVersion, versions.get(key));
      const copy = await copyOf(value);
      // Another write may have come before.
      if (ifVersion !== undefined) assertVersion(key, ifVersion, versions.get(key));
      put(key, copy);
    },
    async delete(key, options = {}) {
      const { ifVersion } = checkCall('delete', key, options);
      const inside = folderPrefix(key);
      if (ifVersion !== undefined) assertVersion(key, ifVersion, versions.get(key));
      for (const other of [...values.keys()]) {
        if (other === key || other.startsWith(inside)) values.delete(other) && versions.delete(other);
      }
    },
    async version(key, options) {
      checkCall('version', key, options);
      return versions.get(key);
    },
  };
}

const entryRule: Rule = {
  expected: "a key and its value, ['/key', bytes]",
  isValid: (value) => Array.isArray(value) && value.length === 2,
};
const ifVersionRule: Rule = {
  expected: 'a version that was read, null for no value, or undefined for any',
  isValid: (value) => value === undefined || value === null || typeof value === 'string',
};

/**
 * Checks key and options of a call of a store, and returns the options.
 *
 * @throws {@link CryoetPicksError} `invalid-option`; the abort reason of `signal`.
 */
export function checkCall(
  method: string,
  key: string,
  options: (WriteOptions & GetOptions) | undefined,
): WriteOptions & GetOptions {
  checkKey(key);
  if (options === undefined) return {};
  const call = `store.${method}`;
  requireArgument(call, 'options', options, record);
  requireArgument(call, 'signal', options.signal, optional(abortSignal));
  requireArgument(call, 'ifVersion', options.ifVersion, ifVersionRule);
  requireArgument(call, 'maxValueBytes', options.maxValueBytes, optional(someNumber));
  options.signal?.throwIfAborted();
  return options;
}

/** The methods of stores that take a key first. */
const keyedMethods = [
  'get',
  'getRange',
  'size',
  'list',
  'set',
  'setPieces',
  'delete',
  'version',
  'tidy',
  'stage',
] as const;

/**
 * A folder of a store as a store of its own with the same methods: a listable store stays listable, a writable one writable.
 */
export function subStore<S extends ReadableStore>(store: S, folder: StoreKey): S {
  requireArgument('subStore', 'store', store, readableStore);
  requireArgument('subStore', 'folder', folder, text);
  const base = joinKey(folder);
  const at = (key: StoreKey) => joinKey(base, checkKey(key));
  const whole: Partial<Store> = store;
  const part: Record<string, unknown> = {
    location: `${store.location.replace(/\/+$/, '')}${base === '/' ? '' : base}`,
  };
  if (whole.refresh) part.refresh = () => whole.refresh!();
  if (whole.pathOf) part.pathOf = (key: StoreKey) => whole.pathOf!(at(key));
  for (const name of keyedMethods) {
    const method = whole[name] as ((key: StoreKey, ...rest: unknown[]) => unknown) | undefined;
    if (method) part[name] = (key: StoreKey, ...rest: unknown[]) => method.call(store, at(key), ...rest);
  }
  return part as unknown as S;
}

/** A key of a store: a path that starts with `/`, without `.` or `..` segments. */
export type StoreKey = `/${string}`;

/**
 * Joins path segments to a store key: `joinKey('/runs', name, 'Picks')`. Slashes at the ends of a segment are ignored.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the key would have a `.`, `..` or empty segment, or a NUL.
 */
export function joinKey(...segments: readonly string[]): StoreKey {
  const parts = segments.map((segment) => segment.replace(/^\/+|\/+$/g, '')).filter((segment) => segment !== '');
  return checkKey(`/${parts.join('/')}`);
}

/**
 * Throws unless a key is well-formed: it starts with `/` and has no empty segment, no `.` or `..` and no NUL, so that no key
 * leaves its store. `/` itself is the root folder.
 *
 * @throws {@link CryoetPicksError} `invalid-option`.
 */
export function checkKey(key: string): StoreKey {
  if (typeof key !== 'string') requireArgument('store', 'key', key, keyRule);
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

const keyRule: Rule = { expected: 'a store key, "/" and names between single slashes', isValid: () => false };

/** The prefix of the keys in a folder. */
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

/** Orders names by code unit, which is the same on every machine. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Options of {@link StagedFolder.commit}. */
export interface CommitOptions extends StoreOptions {
  /**
   * Checks the folder that is there right before it is replaced. If it throws, the commit fails and nothing changes.
   */
  readonly check?: (() => Promise<void>) | undefined;
}

/** A folder that replaces another as a whole once it is committed; readers do not see it before. */
export interface StagedFolder {
  /** The content of the new folder. */
  readonly store: Store;
  /** Puts the folder in its place and deletes what was there. */
  commit(options?: CommitOptions): Promise<void>;
  /** Deletes the new folder. */
  discard(): Promise<void>;
}

/** Options of {@link readOnlyStore}. */
export interface ReadOnlyStoreOptions {
  /** Why the store cannot be written, and what would work; the end of the error's message. */
  readonly reason: string;
}

/**
 * A store whose writes all throw, to pass a store that can only be read where a writable one is required.
 *
 * @throws {@link CryoetPicksError} `read-only`, from writes and deletions.
 */
export function readOnlyStore(store: ListableStore, options: ReadOnlyStoreOptions): Store {
  requireArgument('readOnlyStore', 'store', store, listableStore);
  const { reason } = requireOptions('readOnlyStore', options, { reason: text });
  const refuse = async (key: string): Promise<never> => {
    checkKey(key);
    const path = `${store.location.replace(/\/+$/, '')}${key}`;
    throw new CryoetPicksError('read-only', `cannot write ${path}: ${reason}`, { path });
  };
  // A store on disk has more ways to write.
  const { setPieces, stage, tidy, ...reading }: Partial<Store> & ListableStore = store;
  return { ...reading, set: refuse, delete: refuse };
}

/**
 * Throws unless `store` is a store; for a path or URL the message names the function that opens it.
 *
 * @throws {@link CryoetPicksError} `invalid-option`.
 */
export function assertStore(store: ReadableStore, method: 'get' | 'set'): void {
  const given: unknown = store;
  if ((method === 'get' ? readableStore : writableStore).isValid(given)) return;
  const found =
    given instanceof URL
      ? `the URL ${given.origin}${given.pathname}`
      : isFields(given) || typeof given !== 'string'
        ? describeValue(given)
        : showJson(given).replace(/\?.*/s, '…');
  throw new CryoetPicksError(
    'invalid-option',
    `expected a store, found ${found}; wrap a path in directoryStore(path) of cryoet-picks/node` +
      (method === 'get' ? ', a URL in httpStore(url)' : ''),
  );
}

/** Options of {@link requireWritable}. */
export interface RequireWritableOptions extends StoreOptions {
  /** What must be writable, for the message. @defaultValue 'the folder' */
  readonly what?: string | undefined;
}

/**
 * Throws unless a folder of a store can be written, by writing a hidden file and deleting it; to be called before long work.
 *
 * @throws {@link CryoetPicksError} `read-only` or `write-failed` if it cannot be written.
 */
export async function requireWritable(
  store: Store,
  folder: StoreKey,
  { what = 'the folder', ...options }: RequireWritableOptions = {},
): Promise<void> {
  const key = joinKey(folder, probeName());
  try {
    await store.set(key, new Uint8Array(0), { ...options, isProbe: true });
    await store.delete(key, { ...options, isProbe: true });
  } catch (error) {
    if (!isCryoetPicksError(error, 'write-failed')) throw error;
    const withoutProbe = (text: string) => text.replaceAll(PROBE, '');
    const message = `${what} cannot be written: ${withoutProbe(error.message)}`;
    throw new CryoetPicksError('write-failed', message, {
      cause: error.cause,
      path: error.path === undefined ? undefined : withoutProbe(error.path),
    });
  }
}

/** The name of a probe at the end of a path; a store on disk may have put its own process into it. */
const PROBE = /[/\\]\.writable\.[0-9a-f]{8}-\d{1,10}-[0-9a-f]{12}\.tmp/g;

/** A new name like those of temporary files on disk, which listings hide and a later write removes where one is left behind. */
function probeName(): string {
  const random = Math.floor(Math.random() * 2 ** 48);
  return `.writable.00000000-0-${random.toString(16).padStart(12, '0')}.tmp`;
}

const VERSION = /^[^@]+@\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/**
 * Throws unless a value has the version that its writer read. A version is `stamp@time`: the stamp tells values apart; the
 * time, when the value was written, is for the message.
 *
 * @param path - Path of the value, for messages.
 * @param ifVersion - A version, `null` for no value, undefined for any value.
 * @param found - The version of the value now; undefined if there is no value.
 * @throws {@link CryoetPicksError} `conflict`, naming both times; `invalid-option` if `ifVersion` is not a version.
 */
export function assertVersion(path: string, ifVersion: string | null | undefined, found: string | undefined): void {
  if (ifVersion === undefined || (ifVersion ?? undefined) === found) return;
  if (ifVersion !== null) checkVersion(path, ifVersion);
  if (stampOf(ifVersion) === stampOf(found)) return;
  const describe = (version: string | null | undefined) => (version ? `from ${version.replace(/.*@/, '')}` : 'absent');
  throw new CryoetPicksError(
    'conflict',
    `${path} has changed since it was read: it was ${describe(ifVersion)} then and is ${describe(found)} now; read it again`,
    { path },
  );
}

/** @throws {@link CryoetPicksError} `invalid-option` unless a text is a version, `stamp@time`. */
export function checkVersion(path: string, version: string): void {
  if (VERSION.test(version)) return;
  throw new CryoetPicksError(
    'invalid-option',
    `${path} is not changed: ifVersion is ${describeValue(version)}, which is not a version; expected the \`version\` that it was read with, or null for no file`,
    { option: 'ifVersion', path },
  );
}

function stampOf(version: string | null | undefined): string {
  return version?.replace(/@.*/, '') ?? '';
}
