import { createHash } from 'node:crypto';
import { lstat, mkdir, open, readdir, readFile, readlink, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CryoetPicksError } from '../core/errors.ts';
import { assertVersion, type ByteRange, compareNames, type StoreEntry, type WriteOptions } from '../storage/store.ts';
import { isHidden, linkExclusively, temporaryBeside, withLock } from './file-lock.ts';

/** A file, and the folder of the store it belongs to. */
export interface FilePath {
  readonly root: string;
  readonly file: string;
}

/** Runs a read; what is absent is `undefined`. */
export async function orAbsent<T>(
  place: FilePath,
  read: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T | undefined> {
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
    const kind = isFolder ? 'corrupt-data' : link === undefined ? 'unavailable' : 'not-found';
    throw new CryoetPicksError(kind, `cannot read ${place.file}: ${reason}`, { cause, path: place.file });
  }
}

/** Tells of the link, at a file or at a folder on the way to it, whose target is missing; nothing if none is to blame. */
async function danglingLink({ root, file }: FilePath): Promise<string | undefined> {
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
export async function readWhole(file: string, signal?: AbortSignal): Promise<Uint8Array> {
  const { buffer, byteOffset, byteLength } = await readFile(file, { signal });
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Reads what lies within the file; the buffer is never larger than the file, whatever was asked for. */
export async function readRange(file: string, range: ByteRange): Promise<Uint8Array> {
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

/** The entries of a folder, without what a write in progress, or a broken one, has put there. */
export async function listFolder(folder: string): Promise<StoreEntry[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = entries
    .filter((entry) => !isHidden(entry.name))
    .map(async (entry): Promise<StoreEntry> => {
      const isFolder = entry.isSymbolicLink() ? await pointsToFolder(join(folder, entry.name)) : entry.isDirectory();
      return { name: entry.name, kind: isFolder ? 'folder' : 'file' };
    });
  return (await Promise.all(found)).sort((a, b) => compareNames(a.name, b.name));
}

async function pointsToFolder(link: string): Promise<boolean> {
  return (await stat(link).catch(() => undefined))?.isDirectory() ?? false;
}

/** The code of the operating system's error. */
export function codeOf(error: unknown): string | undefined {
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

/** What went wrong, in words and with its code. */
function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const reason = code !== undefined && Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
  return reason ? `${reason} (${code})` : error instanceof Error ? error.message : String(error);
}

/** How {@link writeAtomically} writes. */
export interface WriteFileOptions extends WriteOptions {
  readonly durable: boolean;
  /** Called where the file's folder was there before. */
  readonly onFolder: (folder: string) => Promise<void>;
}

/**
 * Writes a file beside its place and gives it its name when it is whole. A new file takes its name by a link, which the file
 * system refuses if another was faster; an old one is replaced under a lock.
 */
export async function writeAtomically(
  file: string,
  value: Uint8Array | AsyncIterable<Uint8Array>,
  { signal, ifVersion, durable, onFolder }: WriteFileOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const folder = dirname(file);
  const temporary = temporaryBeside(file);
  const write = async () => {
    if ((await mkdir(folder, { recursive: true })) === undefined) await onFolder(folder);
    try {
      await writeWhole(temporary, value, { signal, durable });
      signal?.throwIfAborted();
      if (typeof ifVersion !== 'string' && (await linkExclusively(temporary, file))) return;
      await replaceVersion(file, { ifVersion, signal, replace: () => renameOver(temporary, file) });
    } finally {
      await rm(temporary, { force: true });
    }
  };
  await orWriteError(file, write, signal);
}

/** Deletes a file under its lock, or a folder with all that is in it. */
export async function deleteAt(file: string, { signal, ifVersion }: WriteOptions): Promise<void> {
  signal?.throwIfAborted();
  const replace = () => rm(file, { recursive: true, force: true });
  const remove = async () => {
    const found = await lstat(file).catch(() => undefined);
    if (found?.isFile()) return replaceVersion(file, { ifVersion, signal, replace });
    if (ifVersion !== undefined) assertVersion(file, ifVersion, await versionOrAbsent(file));
    await replace();
  };
  await orWriteError(file, remove, signal);
}

/**
 * The token of a file: a hash of its bytes, since the time of a file stands still between two ticks of the clock, and numbers
 * of files are used again; and the time, for messages.
 */
export async function versionOf(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { mtime } = await handle.stat();
    const hash = createHash('sha256').update(await handle.readFile());
    return `${hash.digest('hex').slice(0, 32)}@${mtime.toISOString()}`;
  } finally {
    await handle.close();
  }
}

interface Replacement extends WriteOptions {
  readonly replace: () => Promise<void>;
}

async function replaceVersion(file: string, { ifVersion, signal, replace }: Replacement): Promise<void> {
  let done = false;
  while (!done) {
    const attempt = async (isHeld: () => Promise<boolean>) => {
      if (ifVersion !== undefined) assertVersion(file, ifVersion, await versionOrAbsent(file));
      done = await isHeld();
      if (done) await replace();
    };
    await withLock(file, attempt, signal);
  }
}

async function versionOrAbsent(file: string): Promise<string | undefined> {
  try {
    return await versionOf(file);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeWhole(
  file: string,
  value: Uint8Array | AsyncIterable<Uint8Array>,
  { signal, durable }: Pick<WriteFileOptions, 'signal' | 'durable'>,
): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    await writeFile(handle, value, { signal });
    if (durable) await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** Windows refuses for a moment to replace a file that another program reads. */
export async function renameOver(from: string, to: string): Promise<void> {
  for (let wait = 5; ; wait *= 2) {
    try {
      return await rename(from, to);
    } catch (error) {
      const busy = process.platform === 'win32' && /^(EPERM|EACCES|EBUSY)$/.test(codeOf(error) ?? '');
      if (!busy || wait > 1000) throw error;
      await delay(wait);
    }
  }
}

/** Runs a write. @throws {@link CryoetPicksError} `write-failed` for an error of the file system. */
export async function orWriteError(file: string, write: () => Promise<void>, signal?: AbortSignal): Promise<void> {
  try {
    await write();
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof CryoetPicksError) throw cause;
    throw new CryoetPicksError('write-failed', `cannot write ${file}: ${reasonOf(cause)}`, { cause, path: file });
  }
}
