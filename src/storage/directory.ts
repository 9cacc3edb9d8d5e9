import { join, resolve } from 'node:path';
import { CryoetPicksError } from '../errors.ts';
import { removeLeftovers } from './directory-leftovers.ts';
import { listFolder, orAbsent, readRange, readWhole } from './directory-read.ts';
import { stageFolder } from './directory-stage.ts';
import { deleteAt, versionOf, writeAtomically } from './directory-write.ts';
import { checkKey, type Store } from './store.ts';

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
 * @throws {@link CryoetPicksError} `read-only` where a file or folder cannot be written; from reads, `not-found` for a link that
 * leads nowhere and for what may not be read, `corrupt-data` for a folder where a file belongs.
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
    if (readOnly) throw new CryoetPicksError('read-only', `cannot write ${file}: its store is opened read-only`);
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
