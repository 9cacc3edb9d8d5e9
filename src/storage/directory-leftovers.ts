import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LOCK, removeDeadLock } from './directory-lock.ts';
import { ownerState } from './directory-owner.ts';

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
