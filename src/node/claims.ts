import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import type { Claim, Claims, NextClaimOptions } from '../detect/claims.ts';
import { isTag, makeTag, ownerState, tagOfTemporary, temporaryBeside } from './file-lock.ts';
import { describeSystemError, errnoOf } from './system-error.ts';

/** What claims need of a file system; each call fails with the codes of Node. */
export interface ClaimFiles {
  /** The names in a folder, hidden ones too; none if there is no such folder. */
  list(folder: string): Promise<readonly string[]>;
  /** Makes a folder, and those above it. */
  makeFolder(path: string): Promise<void>;
  /** Creates a file that is not there. */
  create(path: string): Promise<void>;
  /** Writes into a file that is there, so that it gets the time of now; `ENOENT` if it is not. */
  touch(path: string): Promise<void>;
  /** When something was last written, in ms, by the clock that the file system has. */
  modified(path: string): Promise<number>;
  /** Moves a file, or a folder into the place of an empty one or of none. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. */
  remove(path: string): Promise<void>;
  /** Removes a folder that is empty. */
  removeFolder(path: string): Promise<void>;
  /** Fails if this process may not move files out of a folder. */
  requireWritable(folder: string): Promise<void>;
  /** Whose a file or folder is, in words: the user, and the process that {@link create} has named in it. */
  ownerOf(path: string): Promise<string>;
}

/** Options of {@link fileClaims}. */
export interface FileClaimsOptions {
  readonly files: ClaimFiles;
  /** Milliseconds for which a claim holds without being renewed. */
  readonly lease: number;
  /** Called when a claim was taken over, before work begins, with the tag of the process that had it. */
  readonly onTakeOver?:
    | ((name: string, options: { readonly group: string; readonly tag: string }) => Promise<void>)
    | undefined;
}

/** How often a claim is renewed, in milliseconds: ten times in its lease, but not more often than file systems like. */
export function heartbeatOf(lease: number): number {
  return Math.min(30_000, Math.max(MIN_HEARTBEAT, lease / 10));
}

const MIN_HEARTBEAT = 500;

/** Heartbeats that a claim must be seen without a sign of life before it counts as abandoned, and that a lease has at least. */
export const HEARTBEATS = 3;

/** The shortest lease, in milliseconds. */
export const MIN_LEASE: number = HEARTBEATS * MIN_HEARTBEAT;

/**
 * Claims by files in a folder that all processes see.
 *
 * The claim on a name is a folder of that name, and in it one file, which is called by a tag that no other process and no other claim
 * has. It is made under a temporary name, with the file in it, and renamed: file systems refuse to rename a folder onto one that
 * is not empty, so that of any number of processes one succeeds, and that folder never holds two files. All else is done to the
 * file of the tag, never to the name: the owner renews the claim by writing into that file, and gives it back by removing that
 * file, and then the folder, which fails if another's file is in it. Who takes over a claim moves the file of its tag away,
 * which one process can do once, and then claims the name as any other. So an owner that was stopped and wakes finds its file
 * gone, and has no way to renew, remove or replace the claim of its successor.
 *
 * A lock (`withLock`) is held for the moment in which a file is replaced, and its holder need give no sign of life; a claim is held for
 * as long as a run takes.
 *
 * A claim is abandoned if its process has ended, where that can be asked; or if nothing was written into it for a lease, by the
 * times of the claim and of a file that was just written beside it, and this process has seen it so for three heartbeats; or if
 * this process has seen no change for a whole lease. No clock of a machine is compared with that of another where the file server
 * gives the times; where each machine gives its own, and where they are seen late, the heartbeats that are seen decide.
 *
 * A process is asked only on the machine that its tag names, and the machine is named by a number that it drew when it started, so that
 * a process of another one is never taken for one that has ended. So such a claim is taken over at once, however fresh its last
 * heartbeat: no other will come.
 *
 * When no name is open, abandoned claims of names that are done are removed by the same rules.
 */
export function fileClaims(root: string, { files, lease, onTakeOver }: FileClaimsOptions): Claims {
  const heartbeat = heartbeatOf(lease);
  const seen = new Map<string, Sighting>();
  const told = new Set<string>();
  return {
    async next(names, { group, isOpen, onWarning, signal }) {
      const folder = join(root, group);
      const place: Place = { files, root, folder, lease, heartbeat };
      const takenOver = async (name: string, tag: string) => onTakeOver?.(name, { group, tag });
      const warn = (warning: Warning & { readonly path: string }) => {
        if (!told.has(warning.path)) onWarning?.(warning);
        told.add(warning.path);
      };
      const attempt = async (): Promise<Claim | 'none' | 'wait'> => {
        const claimed = new Set(await files.list(folder));
        const free = await firstFree(names, { claimed, isOpen, signal, place });
        if (free.claim !== undefined) return free.claim;
        if (!free.othersHold) return 'none';
        const held = names.filter((name) => claimed.has(name));
        return (await firstAbandoned(held, { isOpen, seen, takenOver, warn, place })) ?? 'wait';
      };
      for (;;) {
        signal?.throwIfAborted();
        const found = await attempt().catch(async (error: unknown) => {
          throw isCryoetPicksError(error) || errnoOf(error) === undefined
            ? error
            : await unusable(folder, error, files);
        });
        if (found !== 'wait' && found !== 'none') return found;
        if (found === 'none' && !(await tidy({ seen, takenOver, warn, place }))) return undefined;
        await delay(Math.min(MAX_PAUSE, heartbeat / 2), undefined, { signal }).catch(() => signal?.throwIfAborted());
      }
    },
  };
}

/** Milliseconds after which a process that waits for others looks again. */
const MAX_PAUSE = 2000;

async function unusable(path: string, cause: unknown, files: ClaimFiles): Promise<CryoetPicksError> {
  // Such as that of a file where the folder of a claim belongs.
  const { path: place = path } = cause as { readonly path?: string };
  const message = `cannot share runs by claims: ${place}: ${await reasonOf(cause, place, files)}`;
  return new CryoetPicksError('unavailable', message, { cause, path: place });
}

/** What a file system says if a process may not do something. */
const DENIED = /^(EACCES|EPERM)$/;

/** Why something cannot be done to a file; if this process may not, also whose it is, and what would help. */
async function reasonOf(cause: unknown, path: string, files: ClaimFiles): Promise<string> {
  const reason = describeSystemError(cause);
  if (!DENIED.test(errnoOf(cause) ?? '')) return reason;
  const whose = await files.ownerOf(path);
  return `${reason}; it is of ${whose}: users who share an overlay need a common group that may write there (umask 002)`;
}

/** What helps against a claim that may not be taken over. */
const removing = (folder: string) => `if that process has ended, its user can delete ${folder}`;

/** A folder of claims, and how long they hold. */
interface Place {
  readonly files: ClaimFiles;
  readonly root: string;
  readonly folder: string;
  readonly lease: number;
  readonly heartbeat: number;
}

interface FirstFree extends Pick<NextClaimOptions, 'isOpen' | 'signal'> {
  readonly claimed: ReadonlySet<string>;
  readonly place: Place;
}

/** Claims the first open name that nobody holds; otherwise says whether others hold any. */
async function firstFree(
  names: readonly string[],
  { claimed, isOpen, signal, place }: FirstFree,
): Promise<{ readonly claim?: Claim; readonly othersHold: boolean }> {
  let othersHold = false;
  for (const name of names) {
    signal?.throwIfAborted();
    if (claimed.has(name)) othersHold = true;
    else if (await isOpen(name)) {
      const claim = await acquireOpen(name, { isOpen, place });
      if (claim !== undefined) return { claim, othersHold };
      othersHold = true;
    }
  }
  return { othersHold };
}

/** Claims a name if it is open; undefined if it is not, or another process holds it. */
async function acquireIfOpen(name: string, options: Pick<FirstFree, 'isOpen' | 'place'>): Promise<Claim | undefined> {
  return (await options.isOpen(name)) ? acquireOpen(name, options) : undefined;
}

/** Claims a name that was open a moment ago; undefined if another process holds it, or has just done it. */
async function acquireOpen(
  name: string,
  { isOpen, place }: Pick<FirstFree, 'isOpen' | 'place'>,
): Promise<Claim | undefined> {
  const claim = await acquire(name, place);
  if (claim === undefined) return undefined;
  let isStill = false;
  try {
    isStill = await isOpen(name);
  } finally {
    if (!isStill) await claim.release();
  }
  return isStill ? claim : undefined;
}

/** Claims a name; undefined if another process holds it. */
async function acquire(name: string, place: Place): Promise<Claim | undefined> {
  const { files, folder } = place;
  const path = join(folder, name);
  for (let tries = 1; ; tries++) {
    const tag = makeTag();
    const temporary = temporaryBeside(path);
    try {
      await files.makeFolder(temporary);
      await files.create(join(temporary, tag));
      await files.rename(temporary, path);
      return hold(name, tag, place);
    } catch (error) {
      // A network file system may repeat a request that has succeeded, and then reports that of the repetition.
      if (await isThere(join(path, tag), files)) return hold(name, tag, place);
      await removeClaim(temporary, tag, files);
      if (isCryoetPicksError(error)) throw error;
      const code = errnoOf(error) ?? '';
      if (TAKEN.test(code)) {
        if (await isTaken(path, files)) return undefined;
        // Some file systems do not even replace an empty folder.
        await files.removeFolder(path).catch(() => {});
      }
      // Another process may just have tidied up.
      if (tries < MAX_TRIES && (TAKEN.test(code) || code === 'ENOENT')) continue;
      if (/^(EEXIST|ENOTEMPTY)$/.test(code)) return undefined;
      const { syscall, path: found } = error as NodeJS.ErrnoException;
      // Of a folder that is not there it is the one above that cannot be written.
      const above = syscall === 'access' ? found : undefined;
      const reason = await reasonOf(error, above ?? folder, files);
      const message = `cannot claim "${name}" in ${folder}: ${above === undefined ? '' : `${above}: `}${reason}`;
      throw new CryoetPicksError('write-failed', message, { cause: error, path: above ?? path });
    }
  }
}

/** Whether something is in the folder of a claim; so there is if this process may not look. */
async function isTaken(path: string, files: ClaimFiles): Promise<boolean> {
  try {
    return (await files.list(path)).length > 0;
  } catch (error) {
    if (DENIED.test(errnoOf(error) ?? '')) return true;
    throw error;
  }
}

/** What a file system says if a folder is not empty; EPERM and EACCES on Windows. */
const TAKEN = /^(EEXIST|ENOTEMPTY|EPERM|EACCES)$/;

const MAX_TRIES = 10;

/** Whether a file is there, asked of the file system itself: what it says about a file may come from a cache. */
async function isThere(path: string, files: ClaimFiles): Promise<boolean> {
  return files.touch(path).then(
    () => true,
    () => false,
  );
}

/** Removes the file of a tag from a folder, and the folder, unless something else is in it. */
async function removeClaim(path: string, tag: string, files: ClaimFiles): Promise<void> {
  await files.remove(join(path, tag)).catch(() => {});
  await files.removeFolder(path).catch(() => {});
}

/** What a file system says of a file that is gone. */
const GONE = /^(ENOENT|ESTALE|ENOTDIR)$/;

/** A claim that this process has; renews it until it is given back, or lost. */
function hold(name: string, tag: string, place: Place): Claim {
  const { files, folder, lease, heartbeat } = place;
  const path = join(folder, name, tag);
  const lost = new AbortController();
  let isReleased = false;
  let renewed = performance.now();
  const renew = async (): Promise<void> => {
    const started = performance.now();
    try {
      await files.touch(path);
      renewed = started;
    } catch (error) {
      // Any other failure may pass, as long as nobody can think that the process has gone.
      if (isReleased || (!GONE.test(errnoOf(error) ?? '') && started - renewed < lease)) return;
      const message = `lost the claim on "${name}", which was not renewed in time: another process has taken it over`;
      lost.abort(new CryoetPicksError('conflict', message, { path }));
    }
  };
  let renewing = Promise.resolve();
  const beat = async () => {
    renewing = renew();
    await renewing;
    if (!isReleased && !lost.signal.aborted) timer = setTimeout(beat, heartbeat).unref();
  };
  let timer = setTimeout(beat, heartbeat).unref();
  return {
    name,
    signal: lost.signal,
    async isHeld() {
      if (!isReleased && !lost.signal.aborted) await renew();
      return !isReleased && !lost.signal.aborted;
    },
    async release() {
      if (isReleased) return;
      isReleased = true;
      clearTimeout(timer);
      // A file that is still open would keep its folder on a network file system.
      await renewing;
      // What cannot be removed ends with its lease.
      await removeClaim(join(folder, name), tag, files);
      await removeFolders(place);
    },
  };
}

/** A claim of another process, as it was last seen to change. */
interface Sighting {
  readonly tag: string;
  readonly modified: number;
  /** By the monotonic clock of this process. */
  readonly since: number;
}

/** How claims of other processes are taken over. */
interface TakeOver {
  readonly seen: Map<string, Sighting>;
  readonly takenOver: (name: string, tag: string) => Promise<void>;
  /** Warns of a path once. */
  readonly warn: (warning: Warning & { readonly path: string }) => void;
  readonly place: Place;
}

type FirstAbandoned = TakeOver & Pick<NextClaimOptions, 'isOpen'>;

/**
 * Takes over the first claim that is abandoned, if there is one.
 *
 * @throws What keeps this process from looking at one of the claims, or from taking it over, if no other can be taken over.
 */
async function firstAbandoned(
  names: readonly string[],
  { isOpen, ...options }: FirstAbandoned,
): Promise<Claim | undefined> {
  const { takenOver, place } = options;
  const timeNow = once(() => timeOf(place));
  let refusal: { readonly error: unknown } | undefined;
  for (const name of names) {
    let left: Left | undefined;
    try {
      left = await moveAbandoned(name, { ...options, timeNow });
    } catch (error) {
      refusal ??= { error };
      continue;
    }
    if (left === undefined) continue;
    if (left.tag !== undefined) await takenOver(name, left.tag);
    // Of one that was taken over it is not asked whether it is open: its owner may have died in the middle of writing.
    const claim = await (left.tag === undefined ? acquireIfOpen(name, { isOpen, place }) : acquire(name, place));
    if (claim !== undefined) return claim;
  }
  if (refusal !== undefined) throw refusal.error;
  return undefined;
}

/** A claim that nobody holds any more: without a tag if it was given back. */
interface Left {
  readonly tag?: string;
}

/** Moves a claim away if it is abandoned; undefined if it is held. */
async function moveAbandoned(name: string, options: TakeOver & Watch): Promise<Left | undefined> {
  const { warn, place } = options;
  const { files, folder } = place;
  const path = join(folder, name);
  const tag = await tagOf(path, files);
  if (tag === undefined) {
    // It was just given back, or its owner was killed then.
    await files.removeFolder(path).catch(() => {});
    return {};
  }
  const file = join(path, tag);
  if ((await stateOf(file, options)) === 'abandoned') {
    try {
      return (await moveAway(file, files)) ? { tag } : undefined;
    } catch (error) {
      const reason = await reasonOf(error, file, files);
      const message = `cannot take over the claim on "${name}", which was not renewed: ${file}: ${reason}; ${removing(path)}`;
      throw new CryoetPicksError('unavailable', message, { cause: error, path: file });
    }
  }
  const refusal = await files.requireWritable(path).catch((error: unknown) => ({ error }));
  if (refusal) {
    const reason = await reasonOf(refusal.error, file, files);
    const message = `waits for a claim that it could not take over: ${file}: ${reason}; ${removing(path)}`;
    warn({ code: 'claim-not-writable', message, path: file, run: name });
  }
  return undefined;
}

/**
 * The tag in the folder of a claim; undefined if it was just given back, or its owner was killed then.
 *
 * @throws `unavailable`, naming it, for a file that belongs to no claim: it is somebody else's, and stays.
 */
async function tagOf(path: string, files: ClaimFiles): Promise<string | undefined> {
  const inside = await files.list(path);
  // A network file system keeps a file that is open under such a name until it is closed.
  const foreign = inside.find((one) => !isTag(one) && !one.startsWith('.nfs'));
  if (foreign === undefined) return inside.find(isTag);
  const file = join(path, foreign);
  const message = `cannot share runs by claims: ${file} is not of a claim; move it elsewhere`;
  throw new CryoetPicksError('unavailable', message, { path: file });
}

/** Asks once, and gives the same answer from then on. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask();
    return answer;
  };
}

interface Watch extends Pick<TakeOver, 'seen' | 'place'> {
  readonly timeNow: () => Promise<number>;
}

/** Whether a claim is abandoned; it is in doubt if its lease is over by its time, and was not yet seen for three heartbeats. */
async function stateOf(path: string, { seen, timeNow, place }: Watch): Promise<'held' | 'in doubt' | 'abandoned'> {
  const { files, lease, heartbeat } = place;
  const tag = basename(path);
  if (ownerState(tag) === 'dead') return 'abandoned';
  const name = dirname(path);
  const modified = await files.modified(path).catch((error: unknown) => {
    const code = errnoOf(error) ?? '';
    if (DENIED.test(code)) throw error;
    // What cannot be asked now is at least seen not to change.
    return GONE.test(code) ? undefined : Number.POSITIVE_INFINITY;
  });
  if (modified === undefined) return 'held';
  const before = seen.get(name);
  const isSame = before?.tag === tag && before.modified === modified;
  const { since } = isSame ? before : { since: performance.now() };
  if (!isSame) seen.set(name, { tag, modified, since });
  // It was renewed meanwhile, whatever time that has.
  if (before?.tag === tag && !isSame) return 'held';
  const unchanged = performance.now() - since;
  const isOver = unchanged > lease || (await timeNow().catch(() => modified)) - modified > lease;
  if (!isOver) return 'held';
  return unchanged < HEARTBEATS * heartbeat ? 'in doubt' : 'abandoned';
}

/** Now, by the clock of the file system: the time of a file that is just written. */
async function timeOf({ files, folder }: Place): Promise<number> {
  const probe = temporaryBeside(join(folder, 'now'));
  try {
    // Its name is new: if it is there, a request that was repeated has made it.
    await files.create(probe).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
    return await files.modified(probe);
  } finally {
    await files.remove(probe).catch(() => {});
  }
}

/**
 * Moves the file of a claim away and removes it; false if another process has, or the owner gave it back.
 *
 * @throws The error of the system if the file is there, and cannot be moved.
 */
async function moveAway(path: string, files: ClaimFiles): Promise<boolean> {
  const moved = temporaryBeside(dirname(path));
  for (let tries = 1; ; tries++) {
    try {
      await files.rename(path, moved);
      break;
    } catch (error) {
      // A request that was repeated has succeeded all the same.
      if (await isThere(moved, files)) break;
      if (GONE.test(errnoOf(error) ?? '')) return false;
      if (tries === MAX_TRIES) throw error;
      // A file that another program reads cannot be moved for a moment on Windows.
      await delay(50);
    }
  }
  await files.remove(moved).catch(() => {});
  return true;
}

/**
 * Removes what killed processes have left, once no name is open, and the folders that are empty then.
 *
 * @returns Whether claims are left that are in doubt, for which to look again. One that is held is its owner's to give back.
 */
async function tidy({ seen, takenOver, warn, place }: TakeOver): Promise<boolean> {
  const { files, folder, lease } = place;
  const names = await files.list(folder);
  const temporaries = names.flatMap((name) => {
    const tag = tagOfTemporary(name);
    return tag === undefined ? [] : [{ path: join(folder, name), tag }];
  });
  const timeNow = once(() => timeOf(place));
  let isInDoubt = false;
  for (const name of names.filter((one) => !one.startsWith('.'))) {
    const path = join(folder, name);
    // What is not of a claim stays.
    const tag = await tagOf(path, files).catch(() => undefined);
    const file = join(path, tag ?? '');
    const state = tag === undefined ? 'free' : await stateOf(file, { seen, timeNow, place }).catch(() => 'held');
    if (state === 'in doubt') isInDoubt = true;
    if (state === 'abandoned') {
      try {
        if (await moveAway(file, files)) await takenOver(name, tag!);
      } catch (error) {
        const message = `its claim stays, although the run is done: ${file}: ${await reasonOf(error, file, files)}; ${removing(path)}`;
        warn({ code: 'claim-not-writable', message, path: file, run: name });
      }
    }
    if (state === 'abandoned' || state === 'free') await files.removeFolder(path).catch(() => {});
  }
  const now = temporaries.length > 0 ? await timeNow().catch(() => 0) : 0;
  for (const { path, tag } of temporaries) {
    const modified = await files.modified(path).catch(() => now);
    // Such a file lives for moments.
    if (ownerState(tag) !== 'dead' && now - modified <= lease) continue;
    const inside = await files.list(path).catch(() => []);
    for (const one of inside.filter(isTag)) await files.remove(join(path, one)).catch(() => {});
    await files.remove(path).catch(() => {});
    await files.removeFolder(path).catch(() => {});
  }
  await removeFolders(place);
  return isInDoubt;
}

/** Removes the folder of claims, and those above it, as far as they are empty. */
async function removeFolders({ files, root, folder }: Place): Promise<void> {
  for (let path = folder; path.length >= root.length; path = dirname(path)) {
    try {
      await files.removeFolder(path);
    } catch (error) {
      // Another process may have done so.
      if (errnoOf(error) !== 'ENOENT') return;
    }
  }
}
