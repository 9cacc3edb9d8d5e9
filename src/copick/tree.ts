import { CryoetPicksError } from '../errors.ts';
import type { ListableStore, Store, StoreEntry, StoreKey } from '../storage/store.ts';
import { deleteFile } from '../storage/versioned.ts';
import type { PickableObject } from './config.ts';
import type { ProblemLog } from './problems.ts';

/** Options of calls that only wait. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Which of the two trees of a project something lies in: the one that is only read, or the one that is written. */
export type RootKind = 'static' | 'overlay';

/** What `Project` and `Run` share: the two trees, seen as one, and the log of what is broken in them. */
export interface ProjectTree {
  readonly objects: readonly PickableObject[];
  /** Where there is no overlay, a store that is empty and refuses writes. */
  readonly overlay: Store;
  readonly hasOverlay: boolean;
  /** Absent where the project has one root. */
  readonly static?: ListableStore | undefined;
  readonly log: ProblemLog;
}

/** An entry of a folder in one of the trees. */
export interface TreeEntry extends StoreEntry {
  readonly root: RootKind;
  readonly store: ListableStore;
  readonly key: StoreKey;
  /** Store and key together, for messages. */
  readonly path: string;
}

/** What every thing that is found in a project says about its place. */
export interface Located {
  readonly root: RootKind;
  readonly path: string;
  /** True where something of the same identity lies before it, as the overlay lies before the static tree. */
  readonly shadowed: boolean;
}

/** What every thing that is found in a project can do away with: itself. */
export interface Deletable {
  /**
   * Deletes it from the overlay; nothing happens where it is gone already. What it hid in the static tree is seen again.
   *
   * @throws {@link CryoetPicksError} `read-only` if it lies in the static tree, or the overlay cannot be written.
   */
  delete(options?: WaitOptions): Promise<void>;
}

/** Options of {@link DeletableFile.delete}. */
export interface DeleteFileOptions extends WaitOptions {
  /** Delete it only if it is still as it was when this `version` of it was read. If absent, whatever is there is deleted. */
  readonly expect?: string | null | undefined;
}

/** What files that are found in a project can do away with: themselves, if wished as they were read. */
export interface DeletableFile {
  /**
   * As `delete` of {@link Deletable}, unless the file is not the expected one; then nothing is deleted.
   * @throws {@link CryoetPicksError} `read-only`; `conflict` if it has changed or is gone where one is expected; `invalid-option`
   *   for `null`, which stands for no file, and for what is no version.
   */
  delete(options?: DeleteFileOptions): Promise<void>;
}

/** What an entry of a tree says about its place, and how to delete it: the part that things of all kinds share. */
export function placeOf(tree: ProjectTree, entry: TreeEntry): Omit<Located, 'shadowed'> & DeletableFile {
  const { root, path } = entry;
  return { root, path, delete: (options = {}) => deleteEntry(tree, entry, options) };
}

/**
 * Deletes a file of the overlay, or a folder with all that is in it, which has no version to expect.
 *
 * @throws {@link CryoetPicksError} As {@link DeletableFile.delete}.
 */
export async function deleteEntry(
  { overlay }: ProjectTree,
  { root, key, path, kind }: TreeEntry,
  { signal, expect }: DeleteFileOptions,
): Promise<void> {
  signal?.throwIfAborted();
  if (root === 'static') {
    throw new CryoetPicksError(
      'read-only',
      `cannot delete "${path}": it lies in the static tree, which is only read; only what is in the overlay can be deleted`,
    );
  }
  if (expect === null || (expect !== undefined && kind === 'folder')) {
    const reason = kind === 'folder' ? 'it is a folder, which has no version' : 'null stands for no file';
    throw new CryoetPicksError(
      'invalid-option',
      `cannot delete "${path}" as expected: ${reason}; leave \`expect\` out to delete it as it is`,
    );
  }
  await deleteFile(overlay, key, { signal, expect });
}

/** Where a key lies, for messages. */
export function locate(store: ListableStore, key: StoreKey): string {
  return `${store.location.replace(/\/$/, '')}${key}`;
}

/** The entry of the overlay at a key, whether or not it is there. */
export function overlayEntry({ overlay }: ProjectTree, key: StoreKey, kind: StoreEntry['kind']): TreeEntry {
  return {
    name: key.slice(key.lastIndexOf('/') + 1),
    kind,
    root: 'overlay',
    store: overlay,
    key,
    path: locate(overlay, key),
  };
}

/** The visible entries of one folder of one tree. */
export async function listFolder(
  { root, store }: { readonly root: RootKind; readonly store: ListableStore },
  folder: StoreKey,
  signal: AbortSignal | undefined,
): Promise<TreeEntry[]> {
  const entries = await store.list(folder, { signal });
  return entries
    .filter(({ name }) => !name.startsWith('.'))
    .map((entry) => {
      const key: StoreKey = `${folder}/${entry.name}`;
      return { ...entry, root, store, key, path: locate(store, key) };
    });
}

/**
 * The visible entries of a folder in both trees, those of the overlay first. A tree that cannot be listed is reported
 * and hides nothing of the other.
 *
 * @throws The first error, if no tree can be listed.
 */
export async function listBoth(
  tree: ProjectTree,
  folder: StoreKey,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<TreeEntry[]> {
  const roots = rootsOf(tree);
  const errors: unknown[] = [];
  const found: TreeEntry[] = [];
  for (const root of roots) {
    try {
      for (const entry of await listFolder(root, folder, signal)) found.push(entry);
    } catch (error) {
      tree.log.reportError(locate(root.store, folder), error, signal);
      errors.push(error);
    }
  }
  if (errors.length === roots.length) throw errors[0];
  return found;
}

/**
 * The token to expect when a file that was found is written again; ask before reading it, so that what others write in
 * between leads to a conflict and not to a loss. `null` for a file of the static tree, since writing makes one in the
 * overlay; undefined where the overlay keeps no versions.
 */
export async function replacedVersion(
  { overlay }: ProjectTree,
  { root, key }: Pick<TreeEntry, 'root' | 'key'>,
  signal: AbortSignal | undefined,
): Promise<string | null | undefined> {
  return root === 'overlay' ? overlay.version?.(key, { signal }) : null;
}

function rootsOf(tree: ProjectTree): readonly { root: RootKind; store: ListableStore }[] {
  const { overlay, hasOverlay, static: readOnly } = tree;
  const roots = hasOverlay ? [{ root: 'overlay' as const, store: overlay }] : [];
  return readOnly === undefined ? roots : [...roots, { root: 'static', store: readOnly }];
}

/** Options of {@link markShadowed}. */
export interface MarkShadowedOptions<T> {
  /** Equal for things that stand for the same. */
  readonly identity: (item: T) => string;
  /** Keep what is shadowed in the list. */
  readonly includeShadowed?: boolean | undefined;
}

/** Marks, or leaves out, all but the first of each identity. */
export function markShadowed<T extends object>(
  items: readonly T[],
  { identity, includeShadowed = false }: MarkShadowedOptions<T>,
): (T & { readonly shadowed: boolean })[] {
  const seen = new Set<string>();
  const marked = items.map((item) => {
    const id = identity(item);
    const shadowed = seen.has(id);
    seen.add(id);
    return { ...item, shadowed };
  });
  return includeShadowed ? marked : marked.filter(({ shadowed }) => !shadowed);
}
