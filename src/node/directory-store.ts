import { lstat, mkdir, realpath, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  abortSignal,
  bytesRule,
  callback,
  filePath,
  flag,
  optional,
  requireArgument,
  requireOptions,
  stream,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  boundRules,
  type CommitOptions,
  checkCall,
  checkKey,
  checkRange,
  type StagedFolder,
  type Store,
  type ValueBounds,
  valueBounds,
} from '../storage/store.ts';
import {
  deleteAt,
  errnoOf,
  listFolder,
  orAbsent,
  orWriteError,
  removeEmpty,
  renameOver,
  versionOf,
  writeAtomically,
} from './atomic-files.ts';
import { type LockOptions, removeLeftovers, temporaryBeside, withLock } from './file-lock.ts';
import { readRange, readRegular, sizeOf } from './read-file.ts';

/** Options of {@link directoryStore}. */
export interface DirectoryStoreOptions extends ValueBounds {
  /** Throw `read-only` for every write. @defaultValue false */
  readonly readOnly?: boolean | undefined;
  /**
   * Wait until the bytes of a file are on the disk before the file takes its name, so that also a power failure leaves the old
   * file or the new one. Takes some milliseconds per file. @defaultValue true
   */
  readonly durable?: boolean | undefined;
  /** Called once for a write that has waited 5 s for another process, with the lock that it waits for and who holds it. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * A folder of the file system as a store (Node only). The folder need not exist before the first write.
 *
 * A write goes to a temporary file beside the target, which is then renamed, so that a reader never sees a part of a file; the
 * temporary file is deleted if the write fails or is aborted. What a killed process has left is deleted by the first write of
 * a store into the same folder. Processes that use this library wait for each other while they replace the same file, so
 * that a write with `ifVersion` loses no change of theirs. Keys cannot leave the folder; symbolic links in it are followed, and
 * a write replaces their target. Folders that a store made go again when a write fails or the last file in them is deleted.
 *
 * An absent file is `undefined`. A link whose target is missing, as git-annex leaves it until the file is fetched, and a folder
 * in place of a file are errors.
 *
 * @throws {@link CryoetPicksError} from writes, `read-only` if the store was opened so, `write-failed` if the file system fails;
 * from reads, `not-found` for a link whose target is missing, `unavailable` for a file that cannot be read (no permission, a
 * fault of the disk), `corrupt-data` for a folder, a pipe or a device where a file belongs.
 * @example
 * ```ts
 * const tomogram = await openTomogram(directoryStore('denoised.zarr'));
 * ```
 */
export function directoryStore(path: string, options: DirectoryStoreOptions = {}): Store {
  requireArgument('directoryStore', 'path', path, filePath);
  const {
    readOnly = false,
    durable = true,
    onWarning,
  } = requireOptions('directoryStore', options, {
    ...boundRules,
    readOnly: optional(flag),
    durable: optional(flag),
    onWarning: optional(callback),
  });
  const root = resolve(path);
  const boundOf = valueBounds(options);
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
  // Folders that this store made: they go again with the last file in them.
  const made = new Set<string>();
  const onMade = (folders: readonly string[]) => {
    for (const folder of folders) made.add(folder);
  };
  const removeMade = async (file: string) => {
    const folders: string[] = [];
    for (let folder = dirname(file); made.has(folder); folder = dirname(folder)) folders.push(folder);
    await removeEmpty(folders);
  };
  return {
    location: root,
    pathOf: at,
    async get(key, given) {
      const options = checkCall('get', key, given);
      const { signal } = options;
      const file = at(key);
      return orAbsent({ root, file }, () => readRegular(file, boundOf(key, options), signal), signal);
    },
    async getRange(key, range, options) {
      checkRange(range);
      const { signal } = checkCall('getRange', key, options);
      const file = at(key);
      return orAbsent({ root, file }, () => readRange(file, range), signal);
    },
    async size(key, options) {
      const { signal } = checkCall('size', key, options);
      const file = at(key);
      return orAbsent({ root, file }, () => sizeOf(file), signal);
    },
    async list(folder, options) {
      const { signal } = checkCall('list', folder, options);
      const file = at(folder);
      return (await orAbsent({ root, file }, () => listFolder(file), signal)) ?? [];
    },
    async set(key, value, options = {}) {
      checkCall('set', key, options);
      requireArgument('store.set', 'value', value, bytesRule);
      const file = at(key);
      checkWritable(file);
      if (options.isProbe) {
        const probe = await placeOfProbe(file, root);
        await writeAtomically(probe, value, { ...options, durable: false, onFolder, onMade });
        await deleteAt(probe, {});
        return removeMade(probe);
      }
      await writeAtomically(file, value, { ...options, durable, onFolder, onMade, onWarning });
    },
    async setPieces(key, pieces, options = {}) {
      checkCall('setPieces', key, options);
      requireArgument('store.setPieces', 'pieces', pieces, stream);
      const file = at(key);
      checkWritable(file);
      await writeAtomically(file, checkedPieces(pieces), { ...options, durable, onFolder, onMade, onWarning });
    },
    async delete(key, options = {}) {
      checkCall('delete', key, options);
      const file = at(key);
      checkWritable(file);
      await deleteAt(file, { ...options, onWarning });
      await removeMade(file);
    },
    async version(key, options) {
      const { signal } = checkCall('version', key, options);
      const file = at(key);
      return orAbsent({ root, file }, () => versionOf(file), signal);
    },
    async stage(folder, options) {
      const { signal } = checkCall('stage', folder, options);
      const target = at(folder);
      checkWritable(target);
      signal?.throwIfAborted();
      const staged = await stageFolder(target, { onFolder, onWarning });
      return staged && { ...staged, store: directoryStore(staged.path, { durable, onWarning }) };
    },
  };
}

/**
 * A temporary file of this process in the nearest folder that is there, down from the root of the store: a process that is killed
 * meanwhile leaves no empty folders, and the file to the next write there. In the file's own folder if the root is not there.
 */
async function placeOfProbe(file: string, root: string): Promise<string> {
  const inFolder = (folder: string) => temporaryBeside(join(folder, 'writable'));
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (await isThere(folder)) return inFolder(folder);
    if (folder === root || folder === dirname(folder)) return inFolder(dirname(file));
  }
}

/** Whether something is at a path, be it a link whose target is missing. */
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    // The write says why it cannot be looked at.
    return errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR';
  }
}

async function* checkedPieces(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    requireArgument('store.setPieces', 'piece', piece, bytesRule);
    yield piece;
  }
}

/** Options of {@link stageFolder}. */
export interface StageOptions extends Pick<LockOptions, 'onWarning'> {
  /** Called with the folder that contains the target, if it existed before. */
  readonly onFolder: (folder: string) => Promise<void>;
}

/**
 * Makes a hidden folder beside a target, to replace it; undefined if nothing can be written beside it, or if the target is a mount
 * point, which cannot be renamed.
 */
async function stageFolder(
  file: string,
  { onFolder, onWarning }: StageOptions,
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
    commit: async (options = {}) => {
      requireOptions('folder.commit', options, { signal: optional(abortSignal), check: optional(callback) });
      await orWriteError(target, () => swap(path, target, { ...options, onWarning }), options);
    },
    discard: () => rm(path, { recursive: true, force: true }),
  };
}

/** Moves the target aside, the new folder into its place, and deletes the old one; one writer at a time. */
async function swap(path: string, target: string, { check, ...waiting }: CommitOptions & LockOptions): Promise<void> {
  const old = temporaryBeside(target, 'old');
  let done = false;
  const attempt = async (isHeld: () => Promise<boolean>) => {
    await check?.();
    done = await isHeld();
    if (!done) return;
    const wasThere = await moveAside(target, old);
    try {
      await renameOver(path, target);
    } catch (error) {
      if (wasThere) await rename(join(old, basename(target)), target).catch(() => {});
      await rmdir(old).catch(() => {});
      throw error;
    }
  };
  while (!done) await withLock(target, attempt, waiting);
  // If it cannot be deleted now, a later process deletes it.
  await rm(old, { recursive: true, force: true }).catch(() => {});
}

/** Moves a folder into a new one, where it keeps its name; false if there is none. */
async function moveAside(target: string, old: string): Promise<boolean> {
  await mkdir(old);
  try {
    await renameOver(target, join(old, basename(target)));
    return true;
  } catch (error) {
    await rmdir(old).catch(() => {});
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
