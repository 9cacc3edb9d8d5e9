import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CryoetPicksError } from '../errors.ts';

/** Options of {@link readText}. */
export interface ReadTextOptions {
  /** What the file is, for messages: `truth table`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** The text of a file. @throws {@link CryoetPicksError} `not-found` if it is not there, or is a folder. */
export async function readText(path: string, { what, signal }: ReadTextOptions): Promise<string> {
  try {
    return await readFile(path, { encoding: 'utf8', signal });
  } catch (error) {
    signal?.throwIfAborted();
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EISDIR' && code !== 'ENOTDIR') throw error;
    const found = code === 'EISDIR' ? 'is a folder, expected a file' : 'not found';
    throw new CryoetPicksError('not-found', `${what} ${path} ${found}`, { cause: error });
  }
}

/** What {@link writeWhole} writes. */
export interface WholeFile {
  readonly data: Uint8Array | string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes a file under a temporary name and renames it, making the folders above it: a reader sees the old file or the new
 * one, and nothing stays behind where the write fails or is aborted.
 */
export async function writeWhole(path: string, { data, signal }: WholeFile): Promise<void> {
  const target = resolve(path);
  await mkdir(dirname(target), { recursive: true });
  const temporary = `${target}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, data, { signal });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    signal?.throwIfAborted();
    throw error;
  }
}
