import { access, constants, mkdir, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CryoetPicksError } from '../core/errors.ts';
import { errnoOf } from './system-error.ts';

/**
 * Makes a folder, and those above it; gives those that were made, the innermost first.
 *
 * @throws The error of the system; where the innermost folder that is there may not be written, that of this folder.
 */
export async function makeFolders(folder: string): Promise<string[]> {
  try {
    return foldersBetween(await mkdir(folder, { recursive: true }), folder);
  } catch (error) {
    if (REFUSED.test(errnoOf(error) ?? ''))
      await access(await nearestFolder(resolve(folder)), constants.W_OK | constants.X_OK);
    throw error;
  }
}

/** What Node says where a folder may not be written: often only that the one to be made is not there. */
const REFUSED = /^(ENOENT|EACCES|EPERM|EROFS)$/;

/** The folders from the innermost up to the first that was made; none if none was. */
function foldersBetween(first: string | undefined, innermost: string): string[] {
  if (first === undefined) return [];
  const folders: string[] = [];
  for (let path = resolve(innermost); path.length >= resolve(first).length; path = dirname(path)) {
    folders.push(path);
    if (path === dirname(path)) break;
  }
  return folders;
}

/** The innermost folder above a path that exists. */
async function nearestFolder(path: string): Promise<string> {
  const above = dirname(path);
  if (above === path || (await stat(above).catch(() => undefined))) return above;
  return nearestFolder(above);
}

/** Removes folders, the innermost first, up to the first that is not empty; gives those that were removed. */
export async function removeEmpty(folders: readonly string[]): Promise<readonly string[]> {
  for (const [i, folder] of folders.entries()) {
    try {
      await rmdir(folder);
    } catch {
      return folders.slice(0, i);
    }
  }
  return folders;
}

/** Knows which folders have held something, so that one that has gone with all that was in it is not made anew in silence. */
export interface KeptFolders {
  /** Something was found or put at a path. */
  holds(path: string): void;
  /** A path was removed on purpose. */
  forget(path: string): void;
  /** @throws {@link CryoetPicksError} `write-failed` if one of the folders that were just made has held something before. */
  requireNew(made: readonly string[]): void;
}

/**
 * Keeps a root, and the folders in it but for hidden ones, which come and go as processes work. Those below come and go, too, as people
 * edit; if a disk is unmounted, or a root moved away, all of them have gone at once.
 */
export function keptFolders(path: string): KeptFolders {
  const root = resolve(path);
  const held = new Set<string>();
  const start = root.endsWith('/') || root.endsWith('\\') ? root.length : root.length + 1;
  const topOf = (path: string): string | undefined => {
    const end = path.slice(start).search(/[/\\]/);
    return end < 1 || path[start] === '.' ? undefined : join(root, path.slice(start, start + end));
  };
  return {
    holds(path) {
      held.add(root);
      const top = topOf(path);
      if (top !== undefined) held.add(top);
    },
    forget(path) {
      if (path === root) held.clear();
      else held.delete(path);
    },
    requireNew(made) {
      const gone = made.findLast((folder) => held.has(folder));
      if (gone === undefined) return;
      const message =
        `${gone} has gone, and what was written in it; nothing is written, since it would begin anew: bring it back (was a disk ` +
        'unmounted, or a folder moved?), or make an empty folder of this name';
      throw new CryoetPicksError('write-failed', message, { path: gone });
    },
  };
}
