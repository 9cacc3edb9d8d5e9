import { createHash } from 'node:crypto';
import { lstat, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CryoetPicksError } from '../errors.ts';
import { linkExclusively, temporaryBeside, withLock } from './directory-lock.ts';
import { codeOf, reasonOf } from './directory-read.ts';
import { checkExpected } from './expect.ts';
import type { WriteOptions } from './store.ts';

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
  { signal, expect, durable, onFolder }: WriteFileOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const folder = dirname(file);
  const temporary = temporaryBeside(file);
  const write = async () => {
    if ((await mkdir(folder, { recursive: true })) === undefined) await onFolder(folder);
    try {
      await writeWhole(temporary, value, { signal, durable });
      signal?.throwIfAborted();
      if (typeof expect !== 'string' && (await linkExclusively(temporary, file))) return;
      await replaceExpected(file, { expect, signal, replace: () => renameOver(temporary, file) });
    } finally {
      await rm(temporary, { force: true });
    }
  };
  await orWriteError(file, write, signal);
}

/** Deletes a file under its lock, or a folder with all that is in it. */
export async function deleteAt(file: string, { signal, expect }: WriteOptions): Promise<void> {
  signal?.throwIfAborted();
  const replace = () => rm(file, { recursive: true, force: true });
  const remove = async () => {
    const found = await lstat(file).catch(() => undefined);
    if (found?.isFile()) return replaceExpected(file, { expect, signal, replace });
    if (expect !== undefined) checkExpected(file, expect, await versionOrAbsent(file));
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

async function replaceExpected(file: string, { expect, signal, replace }: Replacement): Promise<void> {
  let done = false;
  while (!done) {
    const attempt = async (isHeld: () => Promise<boolean>) => {
      if (expect !== undefined) checkExpected(file, expect, await versionOrAbsent(file));
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

/** Runs a write; what the system refuses becomes `read-only`. */
export async function orWriteError(file: string, write: () => Promise<void>, signal?: AbortSignal): Promise<void> {
  try {
    await write();
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof CryoetPicksError) throw cause;
    throw new CryoetPicksError('read-only', `cannot write ${file}: ${reasonOf(cause)}`, { cause });
  }
}
