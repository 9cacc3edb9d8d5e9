import { mkdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { temporaryBeside, withLock } from './directory-lock.ts';
import { codeOf } from './directory-read.ts';
import { orWriteError, renameOver } from './directory-write.ts';
import type { CommitOptions, StagedFolder } from './staged.ts';

/** How {@link stageFolder} starts. */
export interface StageOptions {
  /** Called where the folder that holds the target was there before. */
  readonly onFolder: (folder: string) => Promise<void>;
}

/**
 * Makes a hidden folder beside a target, to take its place; undefined where nothing can be put beside it, or where it is a
 * file system of its own, which cannot be moved.
 */
export async function stageFolder(
  file: string,
  { onFolder }: StageOptions,
): Promise<(Omit<StagedFolder, 'store'> & { readonly path: string }) | undefined> {
  const target = await realpath(file).catch(() => file);
  const parent = dirname(target);
  const path = temporaryBeside(target);
  try {
    if ((await mkdir(parent, { recursive: true })) === undefined) await onFolder(parent);
    const found = await stat(target).catch(() => undefined);
    if (target === parent || (found && found.dev !== (await stat(parent)).dev)) return undefined;
    await mkdir(path);
  } catch {
    return undefined;
  }
  return {
    path,
    commit: (options = {}) => orWriteError(target, () => swap(path, target, options)),
    discard: () => rm(path, { recursive: true, force: true }),
  };
}

/** Moves the target aside, the new folder into its place, and removes the old one; one writer at a time. */
async function swap(path: string, target: string, { check }: CommitOptions): Promise<void> {
  const old = temporaryBeside(target).replace(/tmp$/, 'old');
  let done = false;
  const attempt = async (isHeld: () => Promise<boolean>) => {
    await check?.();
    done = await isHeld();
    if (!done) return;
    const wasThere = await moveAside(target, old);
    try {
      await renameOver(path, target);
    } catch (error) {
      if (wasThere) await rename(old, target).catch(() => {});
      throw error;
    }
  };
  while (!done) await withLock(target, attempt);
  // What stays is removed once this process has ended.
  await rm(old, { recursive: true, force: true }).catch(() => {});
}

async function moveAside(target: string, old: string): Promise<boolean> {
  try {
    await renameOver(target, old);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
