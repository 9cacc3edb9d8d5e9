import { mkdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CryoetPicksError } from '../core/errors.ts';
import { type CommitOptions, checkKey, type StagedFolder, type Store } from '../storage/store.ts';
import {
  deleteAt,
  errnoOf,
  listFolder,
  orAbsent,
  orWriteError,
  readRange,
  readWhole,
  renameOver,
  versionOf,
  writeAtomically,
} from './atomic-files.ts';
import { removeLeftovers, temporaryBeside, withLock } from './file-lock.ts';

/** Options of {@link directoryStore}. */
export interface DirectoryStoreOptions {
  /** Refuse every write. @defaultValue false */
  readonly readOnly?: boolean | undefined;
  /**
   * Wait until the bytes of a file are on the disk before it takes its name, so that a power cut, too, leaves it old or new;
   * some milliseconds for each file. @defaultValue true
   */
  readonly durable?: boolean | undefined;
}

/**
 * A folder of the file system as a store (Node only). The folder need not exist before the first write.
 *
 * A write goes to a temporary name beside the target, which then takes the target's name, so a reader never sees half a file;
 * the temporary file is removed where the write fails or is aborted. What a process that was killed has left is removed by
 * the first write of a store into the same folder. Other processes that use this library wait for each other where they
 * replace the same file, so a write that expects a version is safe among them. Keys cannot leave the folder; symbolic links
 * inside it are followed.
 *
 * What is absent is `undefined`. A link to what is not there, as git-annex leaves it until the file is fetched, is not absent,
 * and neither is a folder where a file is read: both are errors.
 *
 * @throws {@link CryoetPicksError} from writes, `read-only` if the store was opened so, `write-failed` if the file system fails;
 * from reads, `not-found` for a link whose target is missing, `unavailable` for a file that cannot be read (no permission, a
 * fault of the disk), `corrupt-data` for a folder where a file belongs.
 * @example
 * ```ts
 * const tomogram = await openTomogram(directoryStore('denoised.zarr'));
 * ```
 */
export function directoryStore(path: string, options: DirectoryStoreOptions = {}): Store {
  const { readOnly = false, durable = true } = options;
  const root = resolve(path);
  const at = (key: string) => join(root, checkKey(key));
  const checkWritable = (file: string) => {
    if (readOnly) {
      throw new CryoetPicksError('read-only', `cannot write ${file}: its store is opened read-only`, { path: file });
    }
  };
  const cleaned = new Set<string>();
  const onFolder = async (folder: string) => {
    if (cleaned.has(folder)) return;
    cleaned.add(folder);
    await removeLeftovers(folder);
  };
  return {
    location: root,
    pathOf: at,
    async get(key, { signal } = {}) {
      const file = at(key);
      return orAbsent({ root, file }, () => readWhole(file, signal), signal);
    },
    async getRange(key, range, { signal } = {}) {
      const file = at(key);
      return orAbsent({ root, file }, () => readRange(file, range), signal);
    },
    async list(folder, { signal } = {}) {
      const file = at(folder);
      return (await orAbsent({ root, file }, () => listFolder(file), signal)) ?? [];
    },
    async set(key, value, options = {}) {
      const file = at(key);
      checkWritable(file);
      await writeAtomically(file, value, { ...options, durable, onFolder });
    },
    async setPieces(key, pieces, options = {}) {
      const file = at(key);
      checkWritable(file);
      await writeAtomically(file, pieces, { ...options, durable, onFolder });
    },
    async delete(key, options = {}) {
      const file = at(key);
      checkWritable(file);
      await deleteAt(file, options);
    },
    async version(key, { signal } = {}) {
      const file = at(key);
      return orAbsent({ root, file }, () => versionOf(file), signal);
    },
    async stage(folder, { signal } = {}) {
      const target = at(folder);
      checkWritable(target);
      signal?.throwIfAborted();
      const staged = await stageFolder(target, { onFolder });
      return staged && { ...staged, store: directoryStore(staged.path, { durable }) };
    },
  };
}

/** How {@link stageFolder} starts. */
export interface StageOptions {
  /** Called where the folder that holds the target was there before. */
  readonly onFolder: (folder: string) => Promise<void>;
}

/**
 * Makes a hidden folder beside a target, to take its place; undefined where nothing can be put beside it, or where it is a
 * file system of its own, which cannot be moved.
 */
async function stageFolder(
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
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
