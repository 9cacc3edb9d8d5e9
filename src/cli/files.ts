import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { CryoetPicksError } from '../core/errors.ts';
import { readFailure } from '../node/atomic-files.ts';
import { directoryStore } from '../node/directory-store.ts';
import { requireWritable } from '../storage/store.ts';

/** Options of {@link readText} and {@link readBytes}. */
export interface ReadFileOptions {
  /** The kind of file, for messages: `truth table`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** The text of a file. @throws {@link CryoetPicksError} `not-found` if it is absent, or a folder; `unavailable` if it cannot be read. */
export async function readText(path: string, options: ReadFileOptions): Promise<string> {
  return (await readBuffer(path, options)).toString('utf8');
}

/** The bytes of a file. @throws {@link CryoetPicksError} As {@link readText} does. */
export async function readBytes(path: string, options: ReadFileOptions): Promise<Uint8Array> {
  return new Uint8Array(await readBuffer(path, options));
}

async function readBuffer(path: string, { what, signal }: ReadFileOptions): Promise<Buffer> {
  try {
    return await readFile(path, { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    const { code, reason } = readFailure(cause);
    throw new CryoetPicksError(code, `${what} ${path} ${reason}`, { cause, path });
  }
}

/** Options of {@link writeWhole}. */
export interface WholeFile {
  readonly data: Uint8Array | string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes a file atomically, and creates the folders above it. A reader sees the old file or the new one; nothing stays behind
 * if the write fails or is aborted.
 *
 * @throws {@link CryoetPicksError} `write-failed` where it cannot be written.
 */
export async function writeWhole(path: string, { data, signal }: WholeFile): Promise<void> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  await directoryStore(dirname(resolve(path))).set(`/${basename(path)}`, bytes, { signal });
}

/**
 * Throws, before any work, unless {@link writeWhole} can write a file.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if a folder has its name; `write-failed` if its folder cannot be written.
 */
export async function requireDestination(path: string, { signal }: Pick<WholeFile, 'signal'> = {}): Promise<void> {
  const target = resolve(path);
  if (await isFolder(target)) {
    throw new CryoetPicksError('invalid-option', `cannot write ${path}: it is a folder; give a file name`);
  }
  await requireWritable(directoryStore(dirname(target)), '/', { signal });
}

/**
 * Throws if one file would be both read and written, or written twice.
 *
 * @param names - Paths by the name of their option, for the message: `--figure`; undefined paths are ignored.
 * @throws {@link CryoetPicksError} `invalid-option` if two are the same file.
 */
export async function requireApart(names: Readonly<Record<string, string | undefined>>): Promise<void> {
  const seen = new Map<string, string>();
  for (const [name, path] of Object.entries(names)) {
    if (path === undefined) continue;
    const file = await realpath(path).catch(() => resolve(path));
    const other = seen.get(file);
    if (other !== undefined) {
      throw new CryoetPicksError('invalid-option', `${other} and ${name} are both ${path}; give each its own file`);
    }
    seen.set(file, name);
  }
}

/** True if the path is a folder. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Options of {@link buildFolder}. */
export interface BuildFolderOptions {
  readonly build: (folder: string) => Promise<void>;
}

/**
 * Fills a new folder under a temporary name and then renames it: it appears with everything in it, or not at all.
 *
 * @param path - Must be absent, or an empty folder.
 * @throws {@link CryoetPicksError} `invalid-option` if something is there already.
 */
export async function buildFolder(path: string, { build }: BuildFolderOptions): Promise<void> {
  const target = resolve(path);
  await requireFree(target);
  const staged = await directoryStore(dirname(target)).stage?.(`/${basename(target)}`);
  // A file system of its own cannot be renamed, so it is filled where it is.
  if (staged === undefined) return build(target);
  try {
    await build(staged.store.location);
    await staged.commit();
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

async function requireFree(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR')
      throw new CryoetPicksError('invalid-option', `${folder} is a file, expected a folder`);
    throw error;
  });
  if (entries.length === 0) return;
  throw new CryoetPicksError(
    'invalid-option',
    `${folder} is not empty: it holds ${entries.slice(0, 3).join(', ')}${entries.length > 3 ? ', …' : ''}; choose a new folder`,
  );
}
