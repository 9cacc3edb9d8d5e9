import { bytesRule, flag, isFields, optional, type Rule, requireArgument, requireOptions } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  assertVersion,
  checkCall,
  checkRange,
  compareNames,
  type ListableStore,
  type ReadableStore,
  readOnlyStore,
  type Store,
  type StoreEntry,
  type StoreKey,
  spanOf,
  tooLarge,
  type WriteOptions,
} from '../storage/store.ts';

/** Options of {@link handleStore}. */
export interface HandleStoreOptions {
  /** Throw `read-only` for every write. @defaultValue false */
  readonly readOnly?: boolean | undefined;
}

/**
 * A folder that a person chose in the browser (`showDirectoryPicker`), or one of the browser's own (`navigator.storage`), as a store.
 *
 * A write fills a copy, which replaces the file when it is complete: a reader sees the old value or the new one, and a page that is
 * closed meanwhile leaves the old one. Pages and workers that use this library wait for each other while they replace a file of a
 * folder of the same name; another program may still write between the check of `ifVersion` and the replacement, for a moment.
 *
 * @throws {@link CryoetPicksError} From writes, `read-only` if the store was opened so or the person does not allow writing, `conflict`,
 *   `write-failed`; from reads, `unavailable` if the person or the system does not allow reading, `corrupt-data` for a folder where a
 *   file belongs.
 * @example
 * ```ts
 * // `directory` is what `await showDirectoryPicker({ mode: 'readwrite' })` gives
 * const store = handleStore(directory);
 * const tomogram = await openTomogram(subStore(store, '/denoised.zarr'));
 * ```
 */
export function handleStore(directory: FileSystemDirectoryHandle, options: HandleStoreOptions = {}): Store {
  requireArgument('handleStore', 'directory', directory, directoryRule);
  const { readOnly = false } = requireOptions('handleStore', options, { readOnly: optional(flag) });
  const location = directory.name || 'folder';
  const fileOf = async (key: StoreKey) => {
    const handle = await findFile(directory, key);
    return handle && orUnreadable(`${location}${key}`, () => handle.getFile());
  };
  const read = blobStore(location, fileOf);
  const version = async (key: StoreKey): Promise<string | undefined> => {
    const file = await fileOf(key);
    if (file === undefined) return undefined;
    return `${await hashOf(await file.arrayBuffer())}@${new Date(file.lastModified).toISOString()}`;
  };
  const store: Store = {
    ...read,
    async list(folder, wait) {
      checkCall('list', folder, wait);
      const found = await findFolder(directory, folder);
      return found === undefined ? [] : orUnreadable(`${location}${folder}`, () => childrenOf(found));
    },
    async set(key, value, wait = {}) {
      checkCall('set', key, wait);
      requireArgument('store.set', 'value', value, bytesRule);
      // It would be a file that others see.
      if (wait.isProbe) return requirePermission(directory, `${location}${key}`);
      await alone(location, key, async () => {
        if (wait.ifVersion !== undefined) assertVersion(`${location}${key}`, wait.ifVersion, await version(key));
        await orUnwritable(`${location}${key}`, () => write(directory, key, value, wait));
      });
    },
    async delete(key, wait = {}) {
      checkCall('delete', key, wait);
      await alone(location, key, async () => {
        if (wait.ifVersion !== undefined) assertVersion(`${location}${key}`, wait.ifVersion, await version(key));
        await orUnwritable(`${location}${key}`, () => remove(directory, key));
      });
    },
    async version(key, wait) {
      checkCall('version', key, wait);
      return version(key);
    },
  };
  if (!readOnly) return store;
  return { ...readOnlyStore(store, { reason: 'its store is opened read-only' }) };
}

const directoryRule: Rule = {
  expected: 'a FileSystemDirectoryHandle, as showDirectoryPicker() gives',
  isValid: (value) => isFields(value) && (value as Partial<FileSystemDirectoryHandle>).kind === 'directory',
};

/**
 * Files that a person chose or dropped in the browser, as a store that is only read: those of a folder
 * (`<input type="file" webkitdirectory>`) by their paths in it, others by their names.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if two files have one path.
 * @example
 * ```ts
 * const store = fileListStore(input.files!);
 * const tomogram = await openMrc(storeReader(store, '/TS_5_4.mrc'));
 * ```
 */
export function fileListStore(files: FileList | readonly File[]): ListableStore {
  requireArgument('fileListStore', 'files', files, filesRule);
  const byKey = new Map<string, File>();
  const folders = new Map<string, Map<string, StoreEntry>>([['/', new Map()]]);
  for (const file of Array.from(files)) {
    const [first = '', ...below] = (file.webkitRelativePath || file.name).split('/');
    // The first name is that of the folder that was chosen.
    const names = below.length > 0 ? below : [first];
    const key = `/${names.join('/')}`;
    if (byKey.has(key)) {
      throw new CryoetPicksError('invalid-option', `two of the files are called ${JSON.stringify(key.slice(1))}`);
    }
    byKey.set(key, file);
    names.forEach((name, depth) => {
      const folder = `/${names.slice(0, depth).join('/')}`;
      const entries = folders.get(folder) ?? new Map<string, StoreEntry>();
      folders.set(folder, entries.set(name, { name, kind: depth === names.length - 1 ? 'file' : 'folder' }));
    });
  }
  const chosen = Array.from(files)[0]?.webkitRelativePath?.split('/')[0];
  return {
    ...blobStore(chosen || 'files', async (key) => byKey.get(key)),
    async list(folder, wait) {
      checkCall('list', folder, wait);
      return [...(folders.get(folder)?.values() ?? [])].sort((a, b) => compareNames(a.name, b.name));
    },
  };
}

const filesRule: Rule = {
  expected: 'a FileList, or a list of Files',
  isValid: (value) =>
    typeof value === 'object' &&
    value !== null &&
    (Array.isArray(value) || (typeof FileList !== 'undefined' && value instanceof FileList)) &&
    Array.from(value as ArrayLike<unknown>).every((file) => typeof File !== 'undefined' && file instanceof File),
};

/** Reads values that are files of a browser. */
function blobStore(
  location: string,
  fileOf: (key: StoreKey) => Promise<File | undefined>,
): Omit<ReadableStore, 'refresh' | 'pathOf'> {
  const read = async (key: StoreKey, bytesOf: (file: File) => Blob, signal: AbortSignal | undefined) => {
    const file = await fileOf(key);
    signal?.throwIfAborted();
    if (file === undefined) return undefined;
    const buffer = await orUnreadable(`${location}${key}`, () => bytesOf(file).arrayBuffer());
    signal?.throwIfAborted();
    return new Uint8Array(buffer);
  };
  return {
    location,
    async get(key, wait) {
      const { signal, maxValueBytes: bytes = 2 ** 30 } = checkCall('get', key, wait);
      return read(
        key,
        (file) => {
          if (file.size > bytes) throw tooLarge(`${location}${key}`, { bytes });
          return file;
        },
        signal,
      );
    },
    async getRange(key, range, wait) {
      checkRange(range);
      const { signal } = checkCall('getRange', key, wait);
      return read(
        key,
        (file) => {
          const { offset, length } = spanOf(range, file.size);
          return file.slice(offset, offset + length);
        },
        signal,
      );
    },
    async size(key, wait) {
      checkCall('size', key, wait);
      return (await fileOf(key))?.size;
    },
  };
}

/** The folder of a key; undefined if it is absent, or a file lies there. With `create` it is made. */
async function findFolder(
  directory: FileSystemDirectoryHandle,
  folder: string,
  { create = false }: { readonly create?: boolean } = {},
): Promise<FileSystemDirectoryHandle | undefined> {
  let found = directory;
  for (const name of folder.split('/').filter((part) => part !== '')) {
    try {
      found = await found.getDirectoryHandle(name, { create });
    } catch (error) {
      if (!create && isNamed(error, 'NotFoundError', 'TypeMismatchError')) return undefined;
      throw create ? error : unreadable(`${directory.name}${folder}`, error);
    }
  }
  return found;
}

/** The file of a key; undefined if it is absent. */
async function findFile(
  directory: FileSystemDirectoryHandle,
  key: StoreKey,
): Promise<FileSystemFileHandle | undefined> {
  const { folder, name } = placeOf(key);
  const parent = await findFolder(directory, folder);
  try {
    return await parent?.getFileHandle(name);
  } catch (error) {
    if (isNamed(error, 'NotFoundError')) return undefined;
    const path = `${directory.name}${key}`;
    if (!isNamed(error, 'TypeMismatchError')) throw unreadable(path, error);
    throw new CryoetPicksError('corrupt-data', `cannot read ${path}: it is a folder, expected a file`, { path });
  }
}

function placeOf(key: StoreKey): { readonly folder: string; readonly name: string } {
  const slash = key.lastIndexOf('/');
  return { folder: key.slice(0, slash), name: key.slice(slash + 1) };
}

async function childrenOf(folder: FileSystemDirectoryHandle): Promise<StoreEntry[]> {
  const entries: StoreEntry[] = [];
  // Missing in the types of the DOM that are iterated asynchronously.
  const children = folder as unknown as { values(): AsyncIterable<FileSystemHandle> };
  for await (const { name, kind } of children.values()) {
    // What Chromium calls the copy that it fills.
    if (!name.endsWith('.crswap')) entries.push({ name, kind: kind === 'directory' ? 'folder' : 'file' });
  }
  return entries.sort((a, b) => compareNames(a.name, b.name));
}

async function write(
  directory: FileSystemDirectoryHandle,
  key: StoreKey,
  value: Uint8Array,
  { signal }: WriteOptions,
): Promise<void> {
  const { folder, name } = placeOf(key);
  const parent = await findFolder(directory, folder, { create: true });
  const existed = (await findFile(directory, key)) !== undefined;
  const handle = await parent!.getFileHandle(name, { create: true });
  let stream: FileSystemWritableFileStream | undefined;
  try {
    stream = await handle.createWritable();
    await stream.write(value as Uint8Array<ArrayBuffer>);
    signal?.throwIfAborted();
    await stream.close();
  } catch (error) {
    await stream?.abort().catch(() => {});
    // The browser makes an empty file before the first byte is written.
    if (!existed) await parent!.removeEntry(name).catch(() => {});
    signal?.throwIfAborted();
    throw error;
  }
}

async function remove(directory: FileSystemDirectoryHandle, key: StoreKey): Promise<void> {
  const { folder, name } = placeOf(key);
  const parent = await findFolder(directory, folder);
  try {
    await parent?.removeEntry(name, { recursive: true });
  } catch (error) {
    if (!isNamed(error, 'NotFoundError')) throw error;
  }
}

async function requirePermission(directory: FileSystemDirectoryHandle, path: string): Promise<void> {
  const { queryPermission } = directory as { queryPermission?: (mode: { mode: 'readwrite' }) => Promise<string> };
  if (queryPermission === undefined) return;
  const state = await queryPermission.call(directory, { mode: 'readwrite' });
  if (state === 'granted') return;
  throw new CryoetPicksError('read-only', `cannot write ${path}: the browser has not been allowed to`, { path });
}

/** Does work while no other page or worker of this origin writes the same file. */
async function alone(location: string, key: StoreKey, work: () => Promise<void>): Promise<void> {
  const locks = globalThis.navigator?.locks;
  if (locks === undefined) return work();
  await locks.request(`cryoet-picks:${location}${key}`, work);
}

async function hashOf(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function isNamed(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

function unreadable(path: string, cause: unknown): CryoetPicksError {
  const reason = isNamed(cause, 'NotFoundError', 'NotReadableError')
    ? 'it has changed or gone since it was chosen; choose it again'
    : cause instanceof Error
      ? cause.message
      : String(cause);
  return new CryoetPicksError('unavailable', `cannot read ${path}: ${reason}`, { cause, path });
}

async function orUnreadable<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw cause instanceof CryoetPicksError ? cause : unreadable(path, cause);
  }
}

async function orUnwritable(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (cause instanceof CryoetPicksError || isNamed(cause, 'AbortError')) throw cause;
    const code = isNamed(cause, 'NotAllowedError', 'NoModificationAllowedError') ? 'read-only' : 'write-failed';
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError(code, `cannot write ${path}: ${reason}`, { cause, path });
  }
}
