import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { link, lstat, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { readRegular } from './read-file.ts';

/**
 * Milliseconds that a waiting writer sees the same lock before it takes it over, if it is unknown whether the process of the
 * lock still runs: a lock is held only while a file is hashed and renamed.
 */
const MAX_LOCK_AGE = 30_000;

/** Milliseconds after which a waiting writer gives up while a process that runs holds the same lock. */
const MAX_WAIT = 120_000;

/** Milliseconds after which a waiting writer says what it waits for. */
const PATIENCE = 5_000;

/** Milliseconds after which a temporary file counts as left behind if it is unknown whether its process still runs. */
const MAX_TEMPORARY_AGE = 7 * 24 * 3600 * 1000;

/** `machine-process-start+random`, see {@link makeTag}. */
const TAG = /^([0-9a-f]{8})-(\d{1,10})-([0-9a-f]{4})[0-9a-f]{8}$/;
const MAX_TAG_LENGTH = 32;

/** `.name.lock` beside `name`. */
const LOCK = /^\..+\.lock$/;

/** `.name.tag.tmp` beside `name`, or the folder `.name.tag.old`, into which a folder `name` was moved aside. */
const TEMPORARY = /^\.(.+)\.([0-9a-f]{8}-\d{1,10}-[0-9a-f]{12})\.(tmp|old)$/;

/** True for the names of temporary files and locks, which readers do not see. */
export function isHidden(name: string): boolean {
  return TEMPORARY.test(name) || LOCK.test(name);
}

/** The tag in the name of a temporary file; undefined for any other name. */
export function tagOfTemporary(name: string): string | undefined {
  return TEMPORARY.exec(name)?.[2];
}

/** A new hidden name beside a file or folder, with the tag of this process. */
export function temporaryBeside(file: string, kind: 'tmp' | 'old' = 'tmp'): string {
  return join(dirname(file), `.${stemOf(basename(file))}.${makeTag()}.${kind}`);
}

/** Bytes of a name that fit into a hidden one: file systems take 255, some that encrypt names 143. */
const MAX_STEM = 96;

/** A name as it stands in hidden ones: a hash of a name that is too long. */
function stemOf(name: string): string {
  if (Buffer.byteLength(name) <= MAX_STEM) return name;
  return createHash('sha256').update(name).digest('hex').slice(0, 32);
}

/** Options of {@link withLock}. */
export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told once, after 5 s of waiting, which lock it is and who holds it. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * Does something while no other process that uses this library replaces or deletes a file: a version can only be compared and
 * the file replaced without a change in between if writers wait for each other. The lock is a file beside it, created
 * exclusively. A lock whose process has ended is taken over; one of another machine, whose process cannot be asked, after this
 * writer has seen it unchanged for 30 s. It waits 2 min for a process that runs.
 *
 * @param work - Gets a function that says whether the lock is still held, to call right before the decisive step: a process
 *   that was suspended may have lost it.
 * @throws What `work` throws; the abort reason of `signal`, while it waits; {@link CryoetPicksError} `unavailable` if another
 *   process does not give the lock back, `write-failed` if a folder, a pipe or a device has its name.
 */
export async function withLock<T>(
  file: string,
  work: (isHeld: () => Promise<boolean>) => Promise<T>,
  { signal, onWarning }: LockOptions = {},
): Promise<T> {
  const path = join(dirname(file), `.${stemOf(basename(file))}.lock`);
  const tag = makeTag();
  const started = performance.now();
  let isTold = false;
  let seen: { readonly tag: string; readonly since: number } | undefined;
  for (let wait = 1; !(await create(path, tag)); wait = Math.min(2 * wait, 20)) {
    signal?.throwIfAborted();
    const found = await readTag(path).catch((cause: NodeJS.ErrnoException) => {
      const isFolder = cause.code === 'EISDIR';
      if (!isFolder && !isCryoetPicksError(cause, 'corrupt-data')) throw cause;
      const what = isFolder ? 'a folder' : 'a pipe or a device';
      const message = `cannot write ${file}: ${path}, which is the name of its lock, is ${what}; move it away`;
      throw new CryoetPicksError('write-failed', message, { cause, path });
    });
    if (found === undefined) continue;
    // By the monotonic clock of this process: the time of a file is that of another clock, which may be wrong.
    if (found !== seen?.tag) seen = { tag: found, since: performance.now() };
    const owner = ownerState(found);
    const waited = performance.now() - seen.since;
    if (owner === 'alive' && waited > MAX_WAIT) throw heldTooLong(file, path, found);
    if (!isTold && performance.now() - started > PATIENCE) {
      isTold = true;
      onWarning?.(waitsFor(file, path, found));
    }
    if (owner === 'dead' || (owner === 'unknown' && waited > MAX_LOCK_AGE)) await removeLock(path, found);
    await delay(wait * (0.5 + Math.random()));
  }
  try {
    signal?.throwIfAborted();
    return await work(async () => (await readTag(path)) === tag);
  } finally {
    if ((await readTag(path)) === tag) await rm(path, { force: true });
  }
}

/** Who holds a lock, for messages. */
function holderOf(tag: string): string {
  const [, machine, pid] = TAG.exec(tag) ?? [];
  if (pid === undefined) return 'an unknown program';
  return `process ${pid}${machine === thisMachine() ? '' : ' of another machine or container'}`;
}

function waitsFor(file: string, path: string, tag: string): Warning {
  const message = `waiting to write ${file}: ${holderOf(tag)} holds its lock ${path}`;
  return { code: 'lock-held', message, path };
}

function heldTooLong(file: string, path: string, tag: string): CryoetPicksError {
  const message =
    `cannot write ${file}: ${holderOf(tag)} has held its lock ${path} for more than ${MAX_WAIT / 1000} s; ` +
    'end that process, or delete the lock if it is another program';
  return new CryoetPicksError('unavailable', message, { path });
}

/** Creates a lock that is exclusive and complete at once; false if there is one. */
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

/** Removes a lock if it still has the given tag. */
async function removeLock(path: string, tag: string): Promise<void> {
  // Moved first and read again: another process may have replaced the lock meanwhile, and then gets its own back.
  const moved = temporaryBeside(path);
  await rename(path, moved).catch(() => {});
  if ((await readTag(moved)) !== tag) await link(moved, path).catch(() => {});
  await rm(moved, { force: true });
}

async function readTag(path: string): Promise<string | undefined> {
  try {
    return Buffer.from(await readRegular(path)).toString('latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Gives a file a second name, unless something has that name: the one way to create a file that is exclusive and complete at
 * once.
 *
 * @returns False if the name is taken, undefined if the file system has no such links.
 */
export async function linkExclusively(file: string, name: string): Promise<boolean | undefined> {
  try {
    await link(file, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return undefined;
    // A network file system may repeat a request that has succeeded, and then finds the name taken by the file itself.
    return (await stat(file)).nlink > 1 && (await isSameFile(file, name));
  }
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([stat(a), stat(b).catch(() => undefined)]);
  return one.ino === other?.ino && one.dev === other.dev;
}

/**
 * A new tag, `machine-process-start+random`, from which other processes can tell whether this one still runs: `start` distinguishes it
 * from another that gets its number later.
 */
export function makeTag(): string {
  ownStart ??= startOf(process.pid) ?? '0000';
  return `${thisMachine()}-${process.pid}-${ownStart}${randomBytes(4).toString('hex')}`;
}

let ownStart: string | undefined;

/** True for what could be the tag of a process. */
export function isTag(name: string): boolean {
  return TAG.test(name);
}

/** Whether the process of a tag still runs; `unknown` on another machine, or if it is not a tag. */
export function ownerState(tag: string): 'alive' | 'dead' | 'unknown' {
  const [, machine, pid, start] = TAG.exec(tag) ?? [];
  if (machine !== thisMachine()) return 'unknown';
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'dead';
  }
  const found = startOf(Number(pid));
  return found === undefined || found === start ? 'alive' : 'dead';
}

/**
 * A hash of when a process started, counted from the start of the machine; another one for a process that has ended and waits to
 * be taken note of. Undefined where the system does not say.
 */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const start = /^[ZX]/.test(fields[0]!) ? 'ended' : fields[19]!;
    return createHash('sha256').update(start).digest('hex').slice(0, 4);
  } catch {
    return undefined;
  }
}

let machine: string | undefined;

/**
 * Where process ids have one meaning: a machine since it was started, and on it a container, which may share a folder with others.
 *
 * Machines are told apart by the number that Linux draws at each start, since many have the same host name, and outside containers the
 * same number of the namespace. Elsewhere the addresses of the network cards stand for it. If one comes or goes, the processes of before
 * are unknown, and what they have left waits for its time, which is safe.
 */
function thisMachine(): string {
  machine ??= machineOf({
    hostname: hostname(),
    boot: readBootId() ?? networkAddresses(),
    namespace: processNamespace(),
  });
  return machine;
}

/** The first part of a tag. */
export function machineOf(facts: {
  readonly hostname: string;
  readonly boot: string;
  readonly namespace: string;
}): string {
  const { hostname, boot, namespace } = facts;
  return createHash('sha256').update(`${hostname}\n${boot}\n${namespace}`).digest('hex').slice(0, 8);
}

/** Undefined but on Linux. */
function readBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
  } catch {
    return undefined;
  }
}

function networkAddresses(): string {
  const cards = Object.values(networkInterfaces()).flatMap((one = []) => one);
  return [...new Set(cards.filter(({ internal }) => !internal).map(({ mac }) => mac))].sort().join();
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/**
 * Removes from a folder what killed writers of this library have left there: temporary files and locks whose process has ended,
 * and temporary files of other machines that are a week old. A folder that was moved aside and not replaced goes back to its
 * place. What cannot be removed or put back stays, and so do the files of other programs, whatever their names.
 *
 * @param ended - The tag of a process that is known to have ended, on whatever machine.
 */
export async function removeLeftovers(folder: string, ended?: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    try {
      const [, target, tag, kind] = TEMPORARY.exec(name) ?? [];
      if (tag !== undefined && (isOfProcess(tag, ended) || (await isLeftover(path, tag)))) {
        if (kind !== 'old' || (await putBack(path, target!))) await rm(path, { recursive: true, force: true });
      } else if (LOCK.test(name)) await removeDeadLock(path);
    } catch {
      // The next write tries again.
    }
  }
}

/** Removes a lock of this library whose process has ended; other programs have files with such names too. */
async function removeDeadLock(path: string): Promise<void> {
  const found = await lstat(path);
  if (!found.isFile() || found.size > MAX_TAG_LENGTH) return;
  const tag = await readTag(path);
  if (tag !== undefined && ownerState(tag) === 'dead') await removeLock(path, tag);
}

/** Puts the folder in an `.old` one back if nothing has replaced it; false if it holds anything but that folder. */
async function putBack(old: string, stem: string): Promise<boolean> {
  const [name, ...more] = await readdir(old);
  if (name === undefined) return true;
  if (more.length > 0 || stemOf(name) !== stem) return false;
  const target = join(dirname(old), name);
  if (!(await lstat(target).catch(() => undefined))) await rename(join(old, name), target);
  return true;
}

/** Whether two tags are of one process. */
function isOfProcess(tag: string, other: string | undefined): boolean {
  const [, ...process] = TAG.exec(tag) ?? [];
  const [, ...another] = TAG.exec(other ?? '') ?? [];
  return process.length > 0 && process.join() === another.join();
}

async function isLeftover(path: string, tag: string): Promise<boolean> {
  const owner = ownerState(tag);
  if (owner !== 'unknown') return owner === 'dead';
  // Moving a folder changes this time, but not that of its last write.
  return Date.now() - (await lstat(path)).ctimeMs > MAX_TEMPORARY_AGE;
}
