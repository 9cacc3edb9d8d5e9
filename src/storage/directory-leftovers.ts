import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LOCK, removeDeadLock } from './directory-lock.ts';
import { ownerState } from './directory-owner.ts';

const TEMPORARY = /^\..*\.([0-9a-f-]{30,80})\.tmp$/;

/** After so long, in ms, a temporary file counts as left behind where nothing tells whether its process still runs. */
const WEEK = 7 * 24 * 3600 * 1000;

/** True for the names of temporary files and of locks. */
export function isHidden(name: string): boolean {
  return TEMPORARY.test(name) || LOCK.test(name);
}

/**
 * Removes from a folder what writers that were killed have left there: temporary files and locks whose process has ended,
 * and temporary files of other machines that are a week old. What cannot be removed stays.
 */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    try {
      const tag = TEMPORARY.exec(name)?.[1];
      if (LOCK.test(name)) await removeDeadLock(path);
      else if (tag !== undefined && (await isLeft(path, tag))) await rm(path, { recursive: true, force: true });
    } catch {
      // The next write tries again.
    }
  }
}

async function isLeft(path: string, tag: string): Promise<boolean> {
  const state = ownerState(tag);
  if (state !== 'unknown') return state === 'dead';
  return Date.now() - (await stat(path)).mtimeMs > WEEK;
}
