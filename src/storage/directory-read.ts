import { lstat, open, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CryoetPicksError } from '../errors.ts';
import { compareNames } from './children.ts';
import { isHidden } from './directory-leftovers.ts';
import type { ByteRange, StoreEntry } from './store.ts';

/** A file, and the folder of the store it belongs to. */
export interface Place {
  readonly root: string;
  readonly file: string;
}

/** Runs a read; what is absent is `undefined`. */
export async function orAbsent<T>(place: Place, read: () => Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
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
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const reason = code !== undefined && Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
  return reason ? `${reason} (${code})` : error instanceof Error ? error.message : String(error);
}
