import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeTag, ownerState } from './directory-owner.ts';

/** A lock that has not changed for so long, in ms, counts as left behind where nothing tells whether its process still runs. */
const PATIENCE = 30_000;

/** Where locks are kept from the eyes of readers: `.name.lock` beside `name`, and what follows where one is broken. */
export const LOCK: RegExp = /^\..+\.lock(\.[0-9a-z]+)*$/;

/** The temporary name of a file or folder, beside it; hidden, and telling whose it is. */
export function temporaryBeside(file: string): string {
  return join(dirname(file), `.${basename(file)}.${makeTag()}.tmp`);
}

/**
 * Does something while no other process that uses this library replaces or deletes the file. The lock is a file beside it,
 * made exclusively; one whose process has ended is taken over. `work` gets a function that tells whether the lock is
 * still held, to ask right before the step that counts: a process that slept for long may have lost it.
 */
export async function withLock<T>(
  file: string,
  work: (isHeld: () => Promise<boolean>) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const path = join(dirname(file), `.${basename(file)}.lock`);
  const tag = await acquire(path, signal);
  try {
    return await work(async () => (await readTag(path)) === tag);
  } finally {
    await release(path, tag);
  }
}

/** Removes a lock whose process has ended, in the way that a writer takes it over. */
export async function removeDeadLock(path: string): Promise<void> {
  const tag = await readTag(path);
  if (tag === undefined || ownerState(tag) !== 'dead') return;
  const mine = makeTag();
  if (await takeOver(path, { from: tag, mine })) await release(path, mine);
}

/**
 * Gives a file a second name, unless something has that name: the one way to make a file that is exclusive and whole at once.
 *
 * @returns False if the name is taken, undefined where the file system has no such links.
 */
export async function linkExclusively(file: string, name: string): Promise<boolean | undefined> {
  try {
    await link(file, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return undefined;
    // A network file system may repeat a request that was done, and then finds the name taken by itself.
    return (await stat(file)).nlink > 1 && (await sameFile(file, name));
  }
}

async function sameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([stat(a), stat(b).catch(() => undefined)]);
  return one.ino === other?.ino && one.dev === other.dev;
}

async function acquire(path: string, signal?: AbortSignal): Promise<string> {
  const mine = makeTag();
  let holder: string | undefined;
  let since = 0;
  for (let wait = 1; ; wait = Math.min(2 * wait, 20)) {
    signal?.throwIfAborted();
    if (await create(path, mine)) return mine;
    const found = await readTag(path);
    if (found === undefined) continue;
    if (found !== holder) since = performance.now();
    holder = found;
    const state = ownerState(holder);
    if (state === 'dead' || (state === 'unknown' && performance.now() - since > PATIENCE)) {
      if (await takeOver(path, { from: holder, mine, signal })) return mine;
      continue;
    }
    await delay(wait * (0.5 + Math.random()));
  }
}

async function create(path: string, tag: string): Promise<boolean> {
  const temporary = temporaryBeside(path);
  try {
    await writeFile(temporary, tag, { flag: 'wx' });
    const linked = await linkExclusively(temporary, path);
    if (linked !== undefined) return linked;
    await writeFile(path, tag, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

interface TakeOver {
  /** The tag of the process that left the lock. */
  readonly from: string;
  readonly mine: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Replaces a lock that was left behind. Only one of several may: the one that holds the lock of this takeover, named by
 * the tag it replaces. So nobody replaces the lock of a process that has just taken over.
 */
async function takeOver(path: string, { from, mine, signal }: TakeOver): Promise<boolean> {
  const step = `${path}.${/[0-9a-f]{12}$/.exec(from)?.[0] ?? 'unknown'}`;
  const tag = await acquire(step, signal);
  try {
    if ((await readTag(path)) !== from) return false;
    const temporary = temporaryBeside(path);
    await writeFile(temporary, mine, { flag: 'wx' });
    await rename(temporary, path);
    return true;
  } finally {
    await release(step, tag);
  }
}

async function release(path: string, tag: string): Promise<void> {
  if ((await readTag(path)) === tag) await rm(path, { force: true });
}

async function readTag(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
