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
  listFolder,
  orAbsent,
  orWriteError,
  renameOver,
  versionOf,
  writeAtomically,
} from './atomic-files.ts';
import { type LockOptions, removeLeftovers, temporaryBeside, withLock } from './file-lock.ts';
import { keptFolders, makeFolders, removeEmpty } from './folders.ts';
import { readRange, readRegular, sizeOf } from './read-file.ts';
import { errnoOf } from './system-error.ts';

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
 * a write replaces their target. Folders that a store made go again when a write fails or the last file in them is deleted. A folder in
 * which it found or put something is not made anew once it has gone with all that was in it, as when a disk is unmounted: the write fails.
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
    for (const folder of await removeEmpty(folders)) kept.forget(folder);
  };
  const kept = keptFolders(root);
  const mayMake = kept.requireNew;
  const read = async <T>(file: string, work: () => Promise<T>, signal: AbortSignal | undefined) => {
    const found = await orAbsent({ root, file }, work, signal);
    if (found !== undefined) kept.holds(file);
    return found;
  };
  return {
    location: root,
    pathOf: at,
    async get(key, given) {
      const options = checkCall('get', key, given);
      const { signal } = options;
      const file = at(key);
      return read(file, () => readRegular(file, boundOf(key, options), signal), signal);
    },
    async getRange(key, range, options) {
      checkRange(range);
      const { signal } = checkCall('getRange', key, options);
      const file = at(key);
      return read(file, () => readRange(file, range), signal);
    },
    async size(key, options) {
      const { signal } = checkCall('size', key, options);
      const file = at(key);
      return read(file, () => sizeOf(file), signal);
    },
    async list(folder, options) {
      const { signal } = checkCall('list', folder, options);
      const file = at(folder);
      const entries = (await orAbsent({ root, file }, () => listFolder(file), signal)) ?? [];
      if (entries.length > 0) kept.holds(join(file, entries[0]!.name));
      return entries;
    },
    async set(key, value, options = {}) {
      checkCall('set', key, options);
      requireArgument('store.set', 'value', value, bytesRule);
      const file = at(key);
      checkWritable(file);
      if (options.isProbe) {
        const probe = await placeOfProbe(file, { root, mayMake });
        await writeAtomically(probe, value, { ...options, durable: false, onFolder, onMade, mayMake });
        await deleteAt(probe, {});
        return removeMade(probe);
      }
      await writeAtomically(file, value, { ...options, durable, onFolder, onMade, mayMake, onWarning });
      kept.holds(file);
    },
    async setPieces(key, pieces, options = {}) {
      checkCall('setPieces', key, options);
      requireArgument('store.setPieces', 'pieces', pieces, stream);
      const file = at(key);
      checkWritable(file);
      await writeAtomically(file, checkedPieces(pieces), { ...options, durable, onFolder, onMade, mayMake, onWarning });
      kept.holds(file);
    },
    async delete(key, options = {}) {
      checkCall('delete', key, options);
      const file = at(key);
      checkWritable(file);
      await deleteAt(file, { ...options, onWarning });
      kept.forget(file);
      await removeMade(file);
    },
    async version(key, options) {
      const { signal } = checkCall('version', key, options);
      const file = at(key);
      return read(file, () => versionOf(file), signal);
    },
    async tidy(folder, options) {
      checkCall('tidy', folder, options);
      if (!readOnly) await onFolder(at(folder));
    },
    async stage(folder, options) {
      const { signal } = checkCall('stage', folder, options);
      const target = at(folder);
      checkWritable(target);
      signal?.throwIfAborted();
      const staged = await stageFolder(target, { onFolder, mayMake, onWarning });
      return staged && { ...staged, store: directoryStore(staged.path, { durable, onWarning }) };
    },
  };
}

/**
 * A temporary file of this process in the nearest folder that is there, down from the root of the store: a process that is killed
 * meanwhile leaves no empty folders, and the file to the next write there. In the file's own folder if the root is not there.
 *
 * @throws What `mayMake` throws for the folders that are not there, which a write would make.
 */
async function placeOfProbe(
  file: string,
  { root, mayMake }: Pick<StageOptions, 'mayMake'> & { readonly root: string },
): Promise<string> {
  const inFolder = (folder: string) => temporaryBeside(join(folder, 'writable'));
  const missing: string[] = [];
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const isFound = await isThere(folder);
    if (!isFound) missing.push(folder);
    if (!isFound && folder !== root && folder !== dirname(folder)) continue;
    mayMake(missing);
    return inFolder(isFound ? folder : dirname(file));
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
  /** Called with the folders that had to be made for the target; throws if they must not be. */
  readonly mayMake: (folders: readonly string[]) => void;
}

/**
 * Makes a hidden folder beside a target, to replace it; undefined if nothing can be written beside it, or if the target is a mount
 * point, which cannot be renamed.
 */
async function stageFolder(
  file: string,
  { onFolder, mayMake, onWarning }: StageOptions,
): Promise<(Omit<StagedFolder, 'store'> & { readonly path: string }) | undefined> {
  const target = await realpath(file).catch(() => file);
  const parent = dirname(target);
  const path = temporaryBeside(target);
  let made: readonly string[] = [];
  try {
    made = await makeFolders(parent);
    if (made.length === 0) await onFolder(parent);
    else mayMake(made);
    const found = await stat(target).catch(() => undefined);
    if (target === parent || (found && found.dev !== (await stat(parent)).dev)) return undefined;
    await mkdir(path);
  } catch {
    // The image is then written in place, which says what is wrong.
    await removeEmpty(made);
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

/** Moves a folder into a new one, where it keeps its name; false if there is no such folder. */
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
