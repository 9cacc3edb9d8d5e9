import {
  abortSignal,
  anything,
  callback,
  isFields,
  optional,
  type Rule,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import {
  assertVersion,
  compareNames,
  type ListableStore,
  memoryStore,
  readOnlyStore,
  type Store,
  type StoreEntry,
  type StoreKey,
  type StoreOptions,
} from '../storage/store.ts';
import { folderOf } from './layout.ts';
import type { PickableObject } from './object.ts';

/** Options of calls that take only a signal. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Checks options that are only a signal, and returns them. @throws {@link CryoetPicksError} `invalid-option`. */
export function checkWait(call: string, options: WaitOptions): WaitOptions {
  return requireOptions(call, options, { signal: optional(abortSignal) });
}

/** One of the two trees of a project: `static` is only read, `overlay` is written. */
export type RootKind = 'static' | 'overlay';

/** What `Project` and `Run` share: the two trees, seen as one, and the log of their problems. */
export interface ProjectTree {
  readonly objects: readonly PickableObject[];
  /** For a project without an overlay: an empty store that rejects writes. */
  readonly overlay: Store;
  readonly hasOverlay: boolean;
  /** Absent if the project has a single root. */
  readonly static?: ListableStore | undefined;
  readonly log: ProblemLog;
  /** Entities are listed by the names of folders and files alone; none is opened to list it. */
  readonly namesOnly?: boolean | undefined;
}

/** The tree as one run sees it: problems say that they belong to this run. */
export function treeOfRun(tree: ProjectTree, run: string): ProjectTree {
  return { ...tree, log: tree.log.ofRun(run) };
}

/**
 * A tree of one run that is listed by names alone. Each folder of it is listed once, and one that its parent does not list is not
 * asked for, so that a run of a few folders takes a few calls.
 */
export function byNamesAlone(tree: ProjectTree, run: string): ProjectTree {
  const top = folderOf('spacing', { run });
  return {
    ...tree,
    overlay: listedOnce(tree.overlay, top),
    static: tree.static && listedOnce(tree.static, top),
    namesOnly: true,
  };
}

/** The store, which lists each folder below `top` once, and only if its parent lists it. */
function listedOnce<T extends ListableStore>(store: T, top: StoreKey): T {
  const nothing = Promise.resolve<readonly StoreEntry[]>([]);
  const lists = new Map<StoreKey, Promise<readonly StoreEntry[]>>();
  /** The names of the folders in a folder, once it is listed. */
  const folders = new Map<StoreKey, ReadonlySet<string>>();
  const look = async (folder: StoreKey, options?: StoreOptions): Promise<readonly StoreEntry[]> => {
    const entries = await store.list(folder, options);
    folders.set(folder, new Set(entries.filter(({ kind }) => kind === 'folder').map(({ name }) => name)));
    return entries;
  };
  const list = (folder: StoreKey, options?: StoreOptions): Promise<readonly StoreEntry[]> => {
    const known = lists.get(folder);
    if (known !== undefined) return known;
    const end = folder.lastIndexOf('/');
    const parent = folder.slice(0, end) as StoreKey;
    const siblings = folders.get(parent);
    if (folder.startsWith(`${top}/`) && siblings === undefined)
      return list(parent, options).then(() => list(folder, options));
    const isAbsent = siblings !== undefined && !siblings.has(folder.slice(end + 1));
    const listed = isAbsent ? nothing : look(folder, options);
    lists.set(folder, listed);
    return listed;
  };
  return { ...store, list };
}

/** An entry of a folder in one of the trees. */
export interface TreeEntry extends StoreEntry {
  readonly root: RootKind;
  readonly store: ListableStore;
  readonly key: StoreKey;
  /** Store and key together, for messages. */
  readonly path: string;
}

/** Where an entity of a project lies. */
export interface Located {
  readonly root: RootKind;
  readonly path: string;
  /** True if an entity of the same identity takes precedence, as the overlay does over the static tree. */
  readonly shadowed: boolean;
}

/** An entity of a project that can be deleted. */
export interface Deletable {
  /**
   * Deletes it from the overlay, if it still exists. An entity of the static tree that it hid becomes visible again.
   *
   * @throws {@link CryoetPicksError} `read-only` if it lies in the static tree, or the overlay does not allow writing; `write-failed`.
   */
  delete(options?: WaitOptions): Promise<void>;
}

/** Options of {@link DeletableFile.delete}. */
export interface DeleteFileOptions extends WaitOptions {
  /** Delete it only if it still has this version, the `version` that was read. If absent, it is deleted in any version. */
  readonly ifVersion?: string | null | undefined;
}

/** A file of a project that can be deleted, on request only if it is unchanged since it was read. */
export interface DeletableFile {
  /**
   * Deletes the file as {@link Deletable.delete} does; with `ifVersion`, only if it has that version.
   * @throws {@link CryoetPicksError} `conflict` if it has changed or is gone; `invalid-option` for `null`, which stands for no
   *   file, and for anything else that is not a version; `read-only` and `write-failed` as there.
   */
  delete(options?: DeleteFileOptions): Promise<void>;
}

/** Where an entry of a tree lies, and how to delete it: the part that entities of all kinds share. */
export function locationOf(tree: ProjectTree, entry: TreeEntry): Omit<Located, 'shadowed'> & DeletableFile {
  const { root, path } = entry;
  return {
    root,
    path,
    delete: async (options = {}) => {
      const rules = { signal: optional(abortSignal), ifVersion: anything };
      await deleteEntry(tree, entry, requireOptions<DeleteFileOptions>('entry.delete', options, rules));
    },
  };
}

/**
 * Deletes a file of the overlay, or a folder with all that is in it, which has no version.
 *
 * @throws {@link CryoetPicksError} As {@link DeletableFile.delete}.
 */
async function deleteEntry(
  { overlay }: ProjectTree,
  { root, key, path, kind }: TreeEntry,
  { signal, ifVersion }: DeleteFileOptions,
): Promise<void> {
  signal?.throwIfAborted();
  if (root === 'static') {
    throw new CryoetPicksError(
      'read-only',
      `cannot delete "${path}": it lies in the static tree, which is read-only; only the overlay's own files can be deleted`,
    );
  }
  if (ifVersion === null || (ifVersion !== undefined && kind === 'folder')) {
    const reason = kind === 'folder' ? 'it is a folder, which has no version' : 'null stands for no file';
    throw new CryoetPicksError(
      'invalid-option',
      `cannot delete "${path}" by its version: ${reason}; leave \`ifVersion\` out to delete it as it is`,
      { option: 'ifVersion', path },
    );
  }
  await deleteFile(overlay, key, { signal, ifVersion });
}

/** The location of a key, for messages. */
export function locate(store: ListableStore, key: StoreKey): string {
  const { location } = store;
  return `${location.endsWith('/') ? location.slice(0, -1) : location}${key}`;
}

/** The entry of the overlay at a key, whether or not it exists. */
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
  const place = locate(store, folder);
  return entries
    .filter(({ name }) => !name.startsWith('.'))
    .map(({ name, kind }) => {
      return { name, kind, root, store, key: `${folder}/${name}`, path: `${place}/${name}` };
    });
}

/**
 * The visible entries of a folder in both trees, those of the overlay first. If one tree cannot be listed, that is reported
 * and the entries of the other are returned.
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
 * The version to give as `ifVersion` when a file that was found is written again; ask before reading it, so that what others write in
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
  /** Equal for entities of the same identity. */
  readonly identity: (item: T) => string;
  /** Keep shadowed entities in the list. */
  readonly includeShadowed?: boolean | undefined;
}

/** Marks, or leaves out, all but the first entity of each identity, and sorts them: by voxel spacing, if they have one, then by identity. */
export function markShadowed<T extends { readonly entry: TreeEntry; readonly voxelSpacing?: number }>(
  items: readonly T[],
  { identity, includeShadowed = false }: MarkShadowedOptions<T>,
): (T & { readonly shadowed: boolean })[] {
  const seen = new Set<string>();
  const marked: { readonly id: string; readonly one: T & { readonly shadowed: boolean } }[] = [];
  for (const item of items) {
    const id = identity(item);
    const shadowed = seen.has(id);
    seen.add(id);
    if (includeShadowed || !shadowed) marked.push({ id, one: { ...item, shadowed } });
  }
  const spacing = ({ one }: (typeof marked)[number]) => one.voxelSpacing ?? 0;
  marked.sort((a, b) => spacing(a) - spacing(b) || compareNames(a.id, b.id));
  return marked.map(({ one }) => one);
}

/**
 * The stand-in for the overlay of a project without one: empty and read-only.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if there is no static tree either.
 */
export function noOverlay(data: ListableStore | undefined): Store {
  if (data === undefined) {
    throw new CryoetPicksError('invalid-option', 'a project needs a store: give `overlay`, `static`, or both');
  }
  const { location } = data;
  const reason = 'the project has no overlay; to write, set overlay_root in the config or the option `overlay`';
  return readOnlyStore({ ...memoryStore(), location }, { reason });
}

/** Something broken or unexpected in a project, which was skipped. */
export interface Problem {
  /** Where it lies. */
  readonly path: string;
  readonly message: string;
  /** The run that it belongs to; undefined for a problem of the whole project. */
  readonly run?: string | undefined;
  /** The error that caused it, if any. */
  readonly cause?: unknown;
}

/** Collects the problems met while a project is used, one per path, and reports each once. */
export class ProblemLog {
  #byPath = new Map<string, Problem>();
  #run: string | undefined;
  readonly #onProblem: ((problem: Problem) => void) | undefined;

  constructor(onProblem?: ((problem: Problem) => void) | undefined) {
    this.#onProblem = onProblem;
  }

  /** The same log, as a run writes to it: its problems say which run they belong to. */
  ofRun(run: string): ProblemLog {
    const log = new ProblemLog(this.#onProblem);
    log.#byPath = this.#byPath;
    log.#run = run;
    return log;
  }

  get problems(): readonly Problem[] {
    return [...this.#byPath.values()];
  }

  report(problem: Problem): void {
    if (this.#byPath.has(problem.path)) return;
    const known = this.#run === undefined ? problem : { ...problem, run: this.#run };
    this.#byPath.set(problem.path, known);
    this.#onProblem?.(known);
  }

  /** Forgets all problems; one that is met again is reported again. */
  forget(): void {
    this.#byPath.clear();
  }

  /** Reports a caught error; if the signal was aborted, throws the abort reason instead. */
  reportError(path: string, cause: unknown, signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.report({ path, message: cause instanceof Error ? cause.message : String(cause), cause });
  }
}

/**
 * The runs of which a folder or file could not be read, although the rest was listed, with the cause: what lies there is not absent.
 * Undefined stands for the list of runs of one of the roots. A file that can be read but is damaged is not meant: it fails when it is opened.
 */
export function unreadRuns(problems: readonly Problem[]): ReadonlyMap<string | undefined, unknown> {
  const unread = new Map<string | undefined, unknown>();
  for (const { run, cause } of problems) {
    if (cause !== undefined && !isCryoetPicksError(cause, 'invalid-picks') && !unread.has(run)) unread.set(run, cause);
  }
  return unread;
}

/** Formats names for a message: quoted, the first twenty. */
export function listNames(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const shown = names.slice(0, 20).map((name) => JSON.stringify(name));
  return shown.join(', ') + (names.length > 20 ? ` and ${names.length - 20} more` : '');
}

/** What {@link needNamed} looks for, and in which project. */
export interface NeedNamedOptions {
  readonly what: 'run' | 'object';
  /** Where the project comes from, if known. */
  readonly source?: string | undefined;
}

/**
 * Finds the item of a name.
 *
 * @throws {@link CryoetPicksError} `not-found`, listing the available names.
 */
export function needNamed<T extends { readonly name: string }>(
  all: readonly T[],
  name: string,
  { what, source }: NeedNamedOptions,
): T {
  requireArgument(`project.${what}`, 'name', name, text);
  const found = all.find((one) => one.name === name);
  if (found !== undefined) return found;
  const available = all.map((one) => one.name);
  const place = source === undefined ? 'the project' : `project "${source}"`;
  throw new CryoetPicksError(
    'not-found',
    `${what} "${name}" not found in ${place}; available: ${listNames(available)}`,
    {
      available,
    },
  );
}

/**
 * Deletes entities of a project, of any kind, and returns their paths. Everything is checked before anything is deleted: if
 * one of them lies in the static tree, none is deleted.
 *
 * To delete shadowed entities of the overlay as well, list them with `includeShadowed`.
 *
 * @throws {@link CryoetPicksError} `read-only` if one lies in the static tree, or the overlay does not allow writing; `write-failed`.
 * @example
 * ```ts
 * await deleteAll(await run.pickSets({ userId: 'cryoet-picks', sessionId: '0' }));
 * ```
 */
export async function deleteAll(
  entries: readonly (Located & Deletable)[],
  options: WaitOptions = {},
): Promise<string[]> {
  requireArgument('deleteAll', 'entries', entries, entriesRule);
  const { signal } = checkWait('deleteAll', options);
  const fixed = entries.filter(({ root }) => root === 'static').map(({ path }) => path);
  if (fixed.length > 0) {
    throw new CryoetPicksError(
      'read-only',
      `nothing is deleted: ${listNames(fixed)} lie in the static tree, which is read-only`,
    );
  }
  for (const entry of entries) await entry.delete({ signal });
  return entries.map(({ path }) => path);
}

const entriesRule: Rule = {
  expected: 'a list of entities, such as `await run.pickSets()`',
  isValid: Array.isArray,
  items: { expected: 'an entity of a project', isValid: isFields, fields: { path: text, delete: callback } },
};

/** Deletes the folder of a run from the overlay; see `Run.delete`. */
export async function deleteRunOf(tree: ProjectTree, run: string, { signal }: WaitOptions): Promise<void> {
  const entries = await listBoth(tree, folderOf('run', {}), { signal });
  // The overlay's come first.
  const found = entries.find(({ name, kind }) => name === run && kind === 'folder');
  if (found !== undefined) await deleteEntry(tree, found, { signal });
}

/** One of the files that {@link setFiles} writes. */
export interface FileToWrite {
  readonly key: StoreKey;
  readonly bytes: Uint8Array;
  /** See `WriteOptions.ifVersion`. */
  readonly ifVersion?: string | null | undefined;
}

/**
 * Writes files that belong together; if one does not have its expected version, nothing is written.
 *
 * @throws {@link CryoetPicksError} `conflict` then; `unsupported` where the store keeps no versions; `read-only`; `write-failed`.
 */
export async function setFiles(store: Store, files: readonly FileToWrite[], options: StoreOptions = {}): Promise<void> {
  for (const { key, ifVersion } of files) await requireVersion(store, key, { ...options, ifVersion });
  for (const { key, bytes, ifVersion } of files) {
    options.signal?.throwIfAborted();
    await store.set(key, bytes, { ...options, ...(store.version && { ifVersion }) });
  }
}

/**
 * Deletes a file if it has the expected version.
 *
 * @throws {@link CryoetPicksError} `conflict` if not; `unsupported` where the store keeps no versions; `read-only`; `write-failed`.
 */
export async function deleteFile(
  store: Store,
  key: StoreKey,
  options: StoreOptions & Pick<FileToWrite, 'ifVersion'> = {},
): Promise<void> {
  await requireVersion(store, key, options);
  await store.delete(key, options);
}

async function requireVersion(
  store: Store,
  key: StoreKey,
  { ifVersion, signal }: StoreOptions & Pick<FileToWrite, 'ifVersion'>,
): Promise<void> {
  if (ifVersion === undefined) return;
  const where = `${store.location.replace(/\/$/, '')}${key}`;
  if (!store.version) {
    const isThere = ifVersion === null && (await store.get(key, { signal })) !== undefined;
    if (ifVersion === null && !isThere) return;
    if (isThere) assertVersion(where, ifVersion, 'unknown@an unknown time');
    throw new CryoetPicksError(
      'unsupported',
      `${where}: its store keeps no versions, so \`ifVersion\` cannot be checked`,
    );
  }
  assertVersion(where, ifVersion, await store.version(key, { signal }));
}

/** @throws {@link CryoetPicksError} `invalid-picks` for objects that the project does not have. */
export function requireObjects(tree: Pick<ProjectTree, 'objects'>, objects: readonly string[], what: string): void {
  const known = new Set(tree.objects.map(({ name }) => name));
  const unknown = objects.filter((object) => !known.has(object));
  if (unknown.length === 0) return;
  const message = `${what} of ${listNames(unknown)} cannot be written: the project's objects are ${listNames([...known])}`;
  throw new CryoetPicksError('invalid-picks', message);
}
