import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import {
  access,
  constants,
  type FileHandle,
  lstat,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, parse, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CryoetPicksError } from '../core/errors.ts';
import { assertVersion, compareNames, type StoreEntry, type WriteOptions } from '../storage/store.ts';
import {
  isHidden,
  type LockOptions,
  linkExclusively,
  removeLeftovers,
  temporaryBeside,
  withLock,
} from './file-lock.ts';
import { makeFolders, removeEmpty } from './folders.ts';
import { isOfSystem, openRegular, openStream, writeToStream } from './read-file.ts';
import { describeSystemError, errnoOf, REASONS } from './system-error.ts';

/** Why a file that must be there could not be read. */
interface ReadFailure {
  readonly code: 'not-found' | 'unavailable';
  /** The end of a sentence about the file: `not found`. */
  readonly reason: string;
}

/** Tells a file that is absent, or a folder, from one that cannot be read. */
export function readFailure(cause: unknown): ReadFailure {
  const errno = errnoOf(cause);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return { code: 'not-found', reason: 'not found' };
  if (errno === 'EISDIR') return { code: 'not-found', reason: 'is a folder, expected a file' };
  return { code: 'unavailable', reason: `cannot be read: ${describeSystemError(cause)}` };
}

/**
 * Runs a read of a file that must be there.
 *
 * @throws {@link CryoetPicksError} `not-found` if there is no file, or a folder; `unavailable` if it cannot be read. The abort
 *   reason of `signal`.
 */
export async function orReadError<T>(file: string, read: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof CryoetPicksError) throw cause;
    const message = `cannot read ${file}: ${describeSystemError(cause)}`;
    throw new CryoetPicksError(readFailure(cause).code, message, { cause, path: file });
  }
}

/** A file, and the folder of the store it belongs to. */
export interface FilePath {
  readonly root: string;
  readonly file: string;
}

/**
 * Runs a read of a file that may be absent, which is `undefined`.
 *
 * @throws {@link CryoetPicksError} `not-found` for a link whose target is missing; `corrupt-data` for a folder; `unavailable` if
 *   the file cannot be read. The abort reason of `signal`.
 */
export async function orAbsent<T>(
  { root, file }: FilePath,
  read: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T | undefined> {
  signal?.throwIfAborted();
  try {
    return await read();
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof CryoetPicksError) throw cause;
    const code = errnoOf(cause);
    if (code === 'ENOTDIR') return undefined;
    const link = code === 'ENOENT' ? await danglingLink({ root, file }) : undefined;
    if (code === 'ENOENT' && link === undefined) return undefined;
    const kind = code === 'EISDIR' ? 'corrupt-data' : link === undefined ? 'unavailable' : 'not-found';
    const reason = code === 'EISDIR' ? REASONS.EISDIR : (link ?? describeSystemError(cause));
    throw new CryoetPicksError(kind, `cannot read ${file}: ${reason}`, { cause, path: file });
  }
}

/** Describes the link, at a file or at a folder on the way to it, whose target is missing; undefined if there is no such link. */
async function danglingLink({ root, file }: FilePath): Promise<string | undefined> {
  for (let path = file; path.startsWith(root); path = dirname(path)) {
    const found = await lstat(path).catch(() => undefined);
    // What exists is either a dangling link, or a folder without the rest of the path.
    if (found?.isSymbolicLink() && !(await stat(path).catch(() => undefined))) {
      return `${path} is a link to ${await readlink(path)}, which is not there`;
    }
    if (found || path === dirname(path)) return undefined;
  }
  return undefined;
}

/** The entries of a folder, without temporary files and locks. */
export async function listFolder(folder: string): Promise<StoreEntry[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !isHidden(name));
  const links = entries.filter((entry) => entry.isSymbolicLink());
  const leads = await Promise.all(links.map(({ name }) => pointsToFolder(join(folder, name))));
  const linked = new Set(links.filter((_, i) => leads[i]));
  return entries
    .map((entry): StoreEntry => {
      return { name: entry.name, kind: entry.isDirectory() || linked.has(entry) ? 'folder' : 'file' };
    })
    .sort((a, b) => compareNames(a.name, b.name));
}

async function pointsToFolder(link: string): Promise<boolean> {
  return (await stat(link).catch(() => undefined))?.isDirectory() ?? false;
}

/** What a write to a path meets. */
export interface Destination {
  /** Where the bytes go: the target of a link, which need not exist; otherwise the path itself. */
  readonly file: string;
  /** A stream is a device or a FIFO, which is written into; anything but these four is `other`, such as a socket. */
  readonly kind: 'absent' | 'file' | 'folder' | 'stream' | 'other';
}

/** Finds out what is at a path, and follows links: a write replaces their target, not the link. */
export async function destinationOf(path: string): Promise<Destination> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return { file: path, kind: 'absent' };
  if (!found.isSymbolicLink()) return { file: path, kind: kindOf(path, found) };
  const target = await stat(path).catch(() => undefined);
  if (target === undefined) return { file: await danglingTarget(path), kind: 'absent' };
  const kind = kindOf(path, target);
  // The links of /dev/stdout end in a name that only the system can follow.
  return { file: kind === 'stream' ? path : await realpath(path), kind };
}

function kindOf(path: string, found: Stats): Destination['kind'] {
  const isDevice = found.isFIFO() || found.isCharacterDevice() || found.isBlockDevice();
  // What lies there is a file of the system, or the output of this process that was sent to a file.
  if (isDevice || (found.isFile() && isOfSystem(path))) return 'stream';
  return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
}

/** The path that a chain of links ends at, where nothing is. @throws {@link CryoetPicksError} `write-failed` for a circle. */
async function danglingTarget(link: string): Promise<string> {
  let path = resolve(link);
  for (let links = 0; links < 40; links++) {
    if (!(await lstat(path).catch(() => undefined))?.isSymbolicLink()) return path;
    path = resolve(dirname(path), await readlink(path));
  }
  throw new CryoetPicksError('write-failed', `cannot write ${link}: ${REASONS.ELOOP}`, { path: link });
}

/** Options of {@link writeAtomically}. */
export interface WriteFileOptions extends WriteOptions, LockOptions {
  /** Wait until the bytes are on the disk before the file takes its name. */
  readonly durable: boolean;
  /** Whether devices and FIFOs are written into; otherwise they are refused. @defaultValue false */
  readonly mayStream?: boolean | undefined;
  /** Called with the file's folder if it existed before. @defaultValue removes what killed writers left there */
  readonly onFolder?: ((folder: string) => Promise<void>) | undefined;
  /** Called with the folders that had to be made for the file, the innermost first, once it is written. */
  readonly onMade?: ((folders: readonly string[]) => void) | undefined;
  /** Called with the same folders before anything is written; if it throws, they go again. @defaultValue any may be made */
  readonly mayMake?: ((folders: readonly string[]) => void) | undefined;
}

/**
 * Writes a file under a temporary name beside its place, and renames it when it is complete. A new file takes its name by a
 * link, which fails if another writer was faster; an existing one is replaced under a lock, and keeps its permissions, which
 * must allow writing. The target of a link is replaced, not the link. If the write fails, the
 * folders that were made for it are removed again.
 *
 * @throws What the pieces of `value` throw; {@link CryoetPicksError} `conflict`, `write-failed`; the abort reason of `signal`.
 */
export async function writeAtomically(
  path: string,
  value: Uint8Array | AsyncIterable<Uint8Array>,
  {
    signal,
    onWarning,
    ifVersion,
    durable,
    mayStream = false,
    onFolder = removeLeftovers,
    onMade,
    mayMake,
  }: WriteFileOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const source = value instanceof Uint8Array ? { value } : watched(value);
  const write = async () => {
    const { file, kind } = await destinationOf(path);
    if (kind === 'stream' && mayStream) return writeInto(file, source.value, signal);
    if (kind === 'stream') throw new Error('a pipe or a device is in the way, expected a file');
    const temporary = temporaryBeside(file);
    const mode = kind === 'file' ? await writableMode(file) : undefined;
    const { handle, made } = await createNew(temporary, { onFolder, mayMake });
    try {
      await fill(handle, source.value, { signal, durable, mode });
      signal?.throwIfAborted();
      if (typeof ifVersion === 'string' || !(await linkExclusively(temporary, file))) {
        const replace = () => renameOver(temporary, file);
        await replaceVersion(file, { ifVersion, signal, onWarning, replace });
      }
    } catch (error) {
      await rm(temporary, { force: true });
      await removeEmpty(made);
      throw error;
    }
    await rm(temporary, { force: true });
    if (made.length > 0) onMade?.(made);
  };
  try {
    await orWriteError(path, write, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw 'failure' in source && source.failure ? source.failure.error : error;
  }
}

/** The permissions of a file; undefined if it has gone. @throws If they do not allow writing. */
async function writableMode(file: string): Promise<number | undefined> {
  try {
    await access(file, constants.W_OK);
    return (await stat(file)).mode & 0o777;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes into a device or a FIFO; a file that standard output was sent to is appended to, as by any other output. */
async function writeInto(
  file: string,
  value: Uint8Array | AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const handle = await openStream(file, signal);
  try {
    for await (const piece of value instanceof Uint8Array ? [value] : value) await writeToStream(handle, piece, signal);
  } finally {
    await handle.close();
  }
}

/** Creates a file, and the folders above it; gives those that were made, the innermost first. */
async function createNew(
  file: string,
  { onFolder, mayMake }: Pick<WriteFileOptions, 'mayMake'> & { readonly onFolder: (folder: string) => Promise<void> },
): Promise<{ readonly handle: FileHandle; readonly made: readonly string[] }> {
  const folder = dirname(file);
  for (let tries = 1; ; tries++) {
    const made = await makeFolders(folder);
    if (made.length === 0) await onFolder(folder);
    try {
      if (made.length > 0) mayMake?.(made);
      return { handle: await open(file, 'wx'), made };
    } catch (error) {
      await removeEmpty(made);
      // Another process may just have removed the folder because it was empty.
      if (errnoOf(error) !== 'ENOENT' || tries === 3) throw error;
    }
  }
}

interface WatchedPieces {
  readonly value: AsyncIterable<Uint8Array>;
  /** What the pieces threw, which is no failure of the file system. */
  failure?: { readonly error: unknown };
}

function watched(pieces: AsyncIterable<Uint8Array>): WatchedPieces {
  async function* watch() {
    try {
      yield* pieces;
    } catch (error) {
      source.failure = { error };
      throw error;
    }
  }
  const source: WatchedPieces = { value: watch() };
  return source;
}

/** Deletes a file under its lock, or without one on a full disk, which has no room for it; or a folder with everything in it. */
export async function deleteAt(
  file: string,
  { signal, onWarning, ifVersion }: WriteOptions & LockOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const replace = () => rm(file, { recursive: true, force: true });
  const remove = async () => {
    const found = await lstat(file).catch(() => undefined);
    if (found?.isFile()) {
      try {
        return await replaceVersion(file, { ifVersion, signal, onWarning, replace });
      } catch (error) {
        if (!/^(ENOSPC|EDQUOT)$/.test(errnoOf(error) ?? '')) throw error;
      }
    }
    if (ifVersion !== undefined) assertVersion(file, ifVersion, await versionOrAbsent(file));
    await replace();
  };
  await orWriteError(file, remove, { signal, verb: 'delete' });
}

/** Bytes that are hashed without a pause: a few milliseconds. */
const HASHED_AT_ONCE = 2 ** 20;

/**
 * The version of a file: a hash of its bytes, since the time of a file stands still between two ticks of the clock and inode
 * numbers are used again; and the time, for messages.
 */
export async function versionOf(file: string): Promise<string> {
  const { handle, size } = await openRegular(file);
  try {
    const { mtime } = await handle.stat();
    const hash = createHash('sha256');
    const part = Buffer.allocUnsafe(Math.min(size + 1, HASHED_AT_ONCE));
    for (let count = -1; count !== 0; ) {
      count = (await handle.read(part, 0, part.length)).bytesRead;
      hash.update(part.subarray(0, count));
    }
    return `${hash.digest('hex').slice(0, 32)}@${mtime.toISOString()}`;
  } finally {
    await handle.close();
  }
}

interface Replacement extends WriteOptions, LockOptions {
  readonly replace: () => Promise<void>;
}

async function replaceVersion(file: string, { ifVersion, replace, ...waiting }: Replacement): Promise<void> {
  let done = false;
  while (!done) {
    const attempt = async (isHeld: () => Promise<boolean>) => {
      if (ifVersion !== undefined) assertVersion(file, ifVersion, await versionOrAbsent(file));
      done = await isHeld();
      if (done) await replace();
    };
    await withLock(file, attempt, waiting);
  }
}

async function versionOrAbsent(file: string): Promise<string | undefined> {
  try {
    return await versionOf(file);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function fill(
  handle: FileHandle,
  value: Uint8Array | AsyncIterable<Uint8Array>,
  { signal, durable, mode }: Pick<WriteFileOptions, 'signal' | 'durable'> & { readonly mode: number | undefined },
): Promise<void> {
  try {
    if (mode !== undefined && ((await handle.stat()).mode & 0o777) !== mode) await handle.chmod(mode);
    await writeFile(handle, value, { signal });
    if (durable) await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** Renames a file or folder; Windows fails for a moment if another program reads the file that is replaced. */
export async function renameOver(from: string, to: string): Promise<void> {
  for (let wait = 5; ; wait *= 2) {
    try {
      return await rename(from, to);
    } catch (error) {
      const isBusy = process.platform === 'win32' && /^(EPERM|EACCES|EBUSY)$/.test(errnoOf(error) ?? '');
      if (!isBusy || wait > 1000) throw error;
      await delay(wait);
    }
  }
}

interface WriteErrorOptions {
  readonly signal?: AbortSignal | undefined;
  /** What fails, for the message. @defaultValue 'write' */
  readonly verb?: 'write' | 'delete' | undefined;
}

/** Runs a write or a deletion. @throws {@link CryoetPicksError} `write-failed` for an error of the file system. */
export async function orWriteError(
  file: string,
  write: () => Promise<void>,
  { signal, verb = 'write' }: WriteErrorOptions = {},
): Promise<void> {
  try {
    await write();
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof CryoetPicksError) throw cause;
    throw new CryoetPicksError('write-failed', `cannot ${verb} ${file}: ${await writeFailure(file, cause)}`, {
      cause,
      path: file,
    });
  }
}

/** Why a file could not be written. Node says `EEXIST` for a link that leads nowhere. */
async function writeFailure(file: string, cause: unknown): Promise<string> {
  const code = errnoOf(cause);
  if (code === 'EISDIR') return 'a folder of this name is in the way';
  if (code === 'ENOENT' || code === 'EEXIST' || code === 'ENOTDIR') {
    const link = await danglingLink({ root: parse(resolve(file)).root, file: resolve(file) });
    if (link !== undefined) return link;
  }
  const { syscall, path } = cause as NodeJS.ErrnoException;
  if (syscall === 'access' && path !== file) return `${path} cannot be written: ${describeSystemError(cause)}`;
  return describeSystemError(cause);
}
