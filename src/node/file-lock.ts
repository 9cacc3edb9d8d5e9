import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { link, lstat, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A lock that has not changed for so long, in ms, counts as left behind where nothing tells whether its process still runs. */
const PATIENCE = 30_000;

/** Where locks are kept from the eyes of readers: `.name.lock` beside `name`, and what follows where one is broken. */
const LOCK: RegExp = /^\..+\.lock(\.[0-9a-z]+)*$/;

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
async function removeDeadLock(path: string): Promise<void> {
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

/** What a tag says about who made a temporary file or a lock. */
interface Owner {
  readonly machine: string;
  readonly pid: number;
  /** When the process started, in ticks since boot; `0` where the system does not tell. */
  readonly started: string;
}

const TAG = /^([0-9a-f]{8})-(\d{1,10})-(\d{1,20})-[0-9a-f]{12}$/;

/** A new name for something that this process makes; other processes can tell from it whether this one still runs. */
export function makeTag(): string {
  return `${thisMachine()}-${process.pid}-${startOf(process.pid) ?? 0}-${randomBytes(6).toString('hex')}`;
}

/**
 * Tells whether the process behind a tag has ended. `unknown` for one of another machine, or for what is no tag: it may
 * still run.
 */
export function ownerState(tag: string): 'alive' | 'dead' | 'unknown' {
  const owner = parseTag(tag);
  if (owner === undefined || owner.machine !== thisMachine()) return 'unknown';
  const started = startOf(owner.pid);
  // The number of a process that ended is given to another one in time; the two started at different ticks.
  if (started !== undefined && owner.started !== '0') return started === owner.started ? 'alive' : 'dead';
  try {
    process.kill(owner.pid, 0);
    return 'alive';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? 'dead' : 'alive';
  }
}

function parseTag(tag: string): Owner | undefined {
  const found = TAG.exec(tag);
  return found ? { machine: found[1]!, pid: Number(found[2]), started: found[3]! } : undefined;
}

let machine: string | undefined;

/** Where numbers of processes mean the same: a machine, and on it a container. */
function thisMachine(): string {
  const read = (what: () => string) => {
    try {
      return what();
    } catch {
      return '';
    }
  };
  machine ??= createHash('sha256')
    .update(
      [
        hostname(),
        read(() => readFileSync('/etc/machine-id', 'utf8')),
        read(() => readlinkSync('/proc/self/ns/pid')),
      ].join('\n'),
    )
    .digest('hex')
    .slice(0, 8);
  return machine;
}

/** From Linux's `/proc`; `ended` for a process that has ended but was not waited for; undefined where there is no telling. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program, in parentheses, may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return /^[ZXx]/.test(fields[0]!) ? 'ended' : fields[19];
  } catch {
    return undefined;
  }
}

const TEMPORARY = /^\.(.+)\.([0-9a-f-]{25,80})\.(tmp|old)$/;

/** After so long, in ms, a temporary file counts as left behind where nothing tells whether its process still runs. */
const WEEK = 7 * 24 * 3600 * 1000;

/** True for the names of temporary files and of locks. */
export function isHidden(name: string): boolean {
  return TEMPORARY.test(name) || LOCK.test(name);
}

/**
 * Removes from a folder what writers that were killed have left there: temporary files and locks whose process has ended,
 * and temporary files of other machines that are a week old. A folder that was moved aside and not yet replaced goes back
 * to its place. What cannot be removed stays.
 */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    try {
      const [, target, tag, kind] = TEMPORARY.exec(name) ?? [];
      if (tag !== undefined && (await isLeft(path, tag))) {
        if (kind === 'old') await putBack(path, join(folder, target!));
        await rm(path, { recursive: true, force: true });
      } else if (LOCK.test(name)) await removeDeadLock(path);
    } catch {
      // The next write tries again.
    }
  }
}

async function putBack(path: string, target: string): Promise<void> {
  if (await lstat(target).catch(() => undefined)) return;
  await rename(path, target);
}

async function isLeft(path: string, tag: string): Promise<boolean> {
  const state = ownerState(tag);
  if (state !== 'unknown') return state === 'dead';
  // Moving a folder leaves its time of writing as it was, but not this one.
  return Date.now() - (await lstat(path)).ctimeMs > WEEK;
}
