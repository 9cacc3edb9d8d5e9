import { lstat, mkdir, open, readdir, readFile, readlink, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CryoetPicksError } from '../errors.ts';
import { type ByteRange, checkKey, compareNames, type Store, type StoreEntry } from './store.ts';

/** Options of {@link directoryStore}. */
export interface DirectoryStoreOptions {
  /** Refuse every write. @defaultValue false */
  readonly readOnly?: boolean | undefined;
}

/**
 * A folder of the file system as a store (Node only). The folder need not exist before the first write.
 *
 * A write goes to a temporary name beside the target and is renamed, so a reader never sees half a file; the temporary
 * file is removed where the write fails or is aborted. Keys cannot leave the folder; symbolic links inside it are followed.
 *
 * What is absent is `undefined`. A link to what is not there, as git-annex leaves it until the file is fetched, is not absent,
 * and neither is a folder where a file is read: both are errors.
 *
 * @throws {@link CryoetPicksError} `read-only` where a file or folder cannot be written; from reads, `not-found` for a link that
 * leads nowhere and for what may not be read, `corrupt-data` for a folder where a file belongs.
 * @example
 * ```ts
 * const tomogram = await openTomogram(directoryStore('denoised.zarr'));
 * ```
 */
export function directoryStore(path: string, { readOnly = false }: DirectoryStoreOptions = {}): Store {
  const root = resolve(path);
  const at = (key: string) => join(root, checkKey(key));
  const checkWritable = (file: string) => {
    if (readOnly) throw new CryoetPicksError('read-only', `cannot write ${file}: its store is opened read-only`);
  };
  return {
    location: root,
    async get(key, { signal } = {}) {
      const file = at(key);
      return orAbsent({ root, file }, () => readWhole(file, signal), signal);
    },
    async getRange(key, range, { signal } = {}) {
      const file = at(key);
      return orAbsent({ root, file }, () => readRange(file, range), signal);
    },
    async list(folder, { signal } = {}) {
      const file = at(folder);
      return (await orAbsent({ root, file }, () => listFolder(file), signal)) ?? [];
    },
    async set(key, value, { signal } = {}) {
      const file = at(key);
      checkWritable(file);
      await writeAtomically(file, value, signal);
    },
    async delete(key, { signal } = {}) {
      const file = at(key);
      checkWritable(file);
      signal?.throwIfAborted();
      await orWriteError(file, () => rm(file, { recursive: true, force: true }), signal);
    },
  };
}

interface Place {
  readonly root: string;
  readonly file: string;
}

/** Runs a read; what is absent is `undefined`. */
async function orAbsent<T>(place: Place, read: () => Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
  signal?.throwIfAborted();
  try {
    return await read();
  } catch (cause) {
    signal?.throwIfAborted();
    const code = codeOf(cause);
    if (code === 'ENOTDIR') return undefined;
    const link = code === 'ENOENT' ? await danglingLink(place) : undefined;
    if (code === 'ENOENT' && link === undefined) return undefined;
    const isFolder = code === 'EISDIR';
    const reason = isFolder ? 'it is a folder, expected a file' : (link ?? reasonOf(cause));
    throw new CryoetPicksError(isFolder ? 'corrupt-data' : 'not-found', `cannot read ${place.file}: ${reason}`, {
      cause,
    });
  }
}

/** Tells of the link, at a file or at a folder on the way to it, whose target is missing; nothing if none is to blame. */
async function danglingLink({ root, file }: Place): Promise<string | undefined> {
  for (let path = file; path.startsWith(root); path = dirname(path)) {
    const found = await lstat(path).catch(() => undefined);
    // What exists is a link that leads nowhere, or a sound folder that lacks the rest.
    if (found?.isSymbolicLink() && !(await stat(path).catch(() => undefined))) {
      return `${path} is a link to ${await readlink(path)}, which is not there`;
    }
    if (found || path === dirname(path)) return undefined;
  }
  return undefined;
}

/** A plain Uint8Array: a Buffer's `slice` would share memory where all others copy. */
async function readWhole(file: string, signal?: AbortSignal): Promise<Uint8Array> {
  const { buffer, byteOffset, byteLength } = await readFile(file, { signal });
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Reads what lies within the file; the buffer is never larger than the file, whatever was asked for. */
async function readRange(file: string, range: ByteRange): Promise<Uint8Array> {
  const handle = await open(file, 'r');
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    const { size } = stats;
    const start = 'suffixLength' in range ? Math.max(0, size - range.suffixLength) : Math.min(range.offset, size);
    const end = 'suffixLength' in range ? size : Math.min(size, start + range.length);
    const bytes = new Uint8Array(end - start);
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
      if (bytesRead === 0) return bytes.subarray(0, done);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

async function listFolder(folder: string): Promise<StoreEntry[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = entries
    .filter((entry) => !isTemporary(entry.name))
    .map(async (entry): Promise<StoreEntry> => {
      const isFolder = entry.isSymbolicLink() ? await pointsToFolder(join(folder, entry.name)) : entry.isDirectory();
      return { name: entry.name, kind: isFolder ? 'folder' : 'file' };
    });
  return (await Promise.all(found)).sort((a, b) => compareNames(a.name, b.name));
}

async function pointsToFolder(link: string): Promise<boolean> {
  return (await stat(link).catch(() => undefined))?.isDirectory() ?? false;
}

const TEMPORARY = /^\..*\.[0-9a-f-]{36}\.tmp$/;

function isTemporary(name: string): boolean {
  return TEMPORARY.test(name);
}

async function writeAtomically(file: string, value: Uint8Array, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const folder = dirname(file);
  const temporary = join(folder, `.${basename(file)}.${crypto.randomUUID()}.tmp`);
  await orWriteError(
    file,
    async () => {
      await mkdir(folder, { recursive: true });
      try {
        await writeFile(temporary, value, { signal });
        signal?.throwIfAborted();
        await rename(temporary, file);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },
    signal,
  );
}

async function orWriteError(file: string, write: () => Promise<void>, signal?: AbortSignal): Promise<void> {
  try {
    await write();
  } catch (cause) {
    signal?.throwIfAborted();
    throw new CryoetPicksError('read-only', `cannot write ${file}: ${reasonOf(cause)}`, { cause });
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the disk quota is used up',
  EISDIR: 'a folder of this name is in the way',
  ENOTDIR: 'a file is in the way where a folder is needed',
  EEXIST: 'a file is in the way where a folder is needed',
  ENAMETOOLONG: 'the name is too long',
};

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const reason = code !== undefined && Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
  return reason ? `${reason} (${code})` : error instanceof Error ? error.message : String(error);
}
