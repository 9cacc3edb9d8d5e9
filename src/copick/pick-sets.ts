import {
  abortSignal,
  flag,
  isFields,
  optional,
  optionalList,
  type RulesFor,
  record,
  someNumber,
  text,
} from '../core/arguments.ts';
import { forEachRange, withTurns } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { encodedSteps } from '../core/text-pieces.ts';
import { isPlaced, notPick, type ParticlePick } from '../picks/pick.ts';
import type { Store, StoreKey } from '../storage/store.ts';
import { authoredFilter, folderOf, type NameFilter, parseName, pathToWrite, sanitizeName } from './layout.ts';
import {
  type PicksFile,
  type PicksIdentity,
  picksFilePieces,
  picksFileSteps,
  picksIdentitySteps,
  withoutUntrustedRotations,
} from './picks-file.ts';
import { formatRecord, originOf, type PicksOrigin, type Provenance, recordKey, recordToKeep } from './provenance.ts';
import {
  checkWait,
  type DeletableFile,
  type FileToWrite,
  type Located,
  listBoth,
  listNames,
  locate,
  locationOf,
  markShadowed,
  type ProjectTree,
  replacedVersion,
  requireObjects,
  setFiles,
  type TreeEntry,
} from './tree.ts';

/** A picks file of a run, found but not read. User and session are empty if neither name nor content states them. */
export interface PickSet extends PicksIdentity, Located, DeletableFile {
  /** @throws {@link CryoetPicksError} `invalid-picks` if the file cannot be understood, `not-found` if it is gone, `unavailable` if it cannot be read. */
  read(options?: { readonly signal?: AbortSignal | undefined }): Promise<PicksFile>;
  /**
   * What made the picks, as `detectProject` and `writePicks` record it beside the file, if the file is still the one that was
   * recorded. Undefined if the file is gone.
   */
  origin(options?: { readonly signal?: AbortSignal | undefined }): Promise<PicksOrigin | undefined>;
}

/** Selects picks of a run; an omitted field matches all. Names match as given or as copick writes them. */
export interface PicksFilter {
  readonly object?: NameFilter;
  readonly userId?: NameFilter;
  readonly sessionId?: NameFilter;
  /** Also list what the overlay, or a file with a full name, hides. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The picks files of a run, sorted by object, user and session. */
export async function findPickSets(
  tree: ProjectTree,
  run: string,
  { object, userId, sessionId, includeShadowed, signal }: PicksFilter = {},
): Promise<PickSet[]> {
  const entries = await listBoth(tree, folderOf('picks', { run }), { signal });
  const found: FoundPicks[] = [];
  for (const entry of entries) {
    if (!entry.name.endsWith('.json')) continue;
    if (entry.kind === 'file')
      found.push(identifyByName(tree, entry) ?? (await identifyByContent(tree, entry, signal)));
    else tree.log.report({ path: entry.path, message: `"${entry.name}" is a folder, expected a picks file` });
  }
  const isWanted = authoredFilter({ object, userId, sessionId });
  const chosen = found.filter(isWanted).sort((a, b) => precedence(a) - precedence(b));
  return markShadowed(chosen, { identity: identityOf, includeShadowed }).map((found) => {
    const { object, userId, sessionId, shadowed, entry } = found;
    const location = locationOf(tree, entry);
    return {
      object,
      userId,
      sessionId,
      shadowed,
      ...location,
      async delete(options = {}) {
        await location.delete(options);
        await tree.overlay.delete(recordKey(entry.key), { signal: options.signal });
      },
      read: async (options = {}) => readPicks(tree, found, options),
      async origin(options = {}) {
        const { signal } = checkWait('entry.origin', options);
        // First: bytes that change meanwhile then have another version.
        const version = await versionToReplace(tree, found, signal);
        const origin = await originOf(entry.store, entry.key, { signal });
        return origin && { ...origin, version };
      },
    };
  });
}

/**
 * All picks of the sets that match a filter, without the rotations of files that say not to trust them. A set that cannot be
 * read is reported and skipped.
 *
 * @throws The first error, if there are sets but none can be read.
 */
export async function readAllPicks(tree: ProjectTree, run: string, filter: PicksFilter): Promise<ParticlePick[]> {
  const { signal } = filter;
  const sets = await findPickSets(tree, run, filter);
  const picks: ParticlePick[] = [];
  const errors: unknown[] = [];
  for (const set of sets) {
    try {
      for (const pick of withoutUntrustedRotations(await set.read({ signal }))) picks.push(pick);
    } catch (error) {
      tree.log.reportError(set.path, error, signal);
      errors.push(error);
    }
  }
  if (sets.length > 0 && errors.length === sets.length) throw errors[0];
  return picks;
}

/** Options of `Run.hasPicks`. */
export interface HasPicksOptions {
  readonly userId: string;
  readonly sessionId: string;
  /** Each of these must have a readable file. If absent, at least one file must exist, and all must be readable. */
  readonly objects?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Whether a user has picks of a session; see `Run.hasPicks`. */
export async function hasPicksOf(
  tree: ProjectTree,
  run: string,
  { userId, sessionId, objects, signal }: HasPicksOptions,
): Promise<boolean> {
  const sets = await findPickSets(tree, run, { userId, sessionId, object: objects, signal });
  const found = new Set(sets.map((set) => set.object));
  const present = objects?.every((object) => found.has(object)) ?? sets.length > 0;
  return present && allReadable(tree, sets, signal);
}

/** Whether all sets can be read; those that cannot are reported. */
async function allReadable(
  { log }: ProjectTree,
  sets: readonly PickSet[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let readable = true;
  for (const set of sets) {
    try {
      await set.read({ signal });
    } catch (error) {
      log.reportError(set.path, error, signal);
      readable = false;
    }
  }
  return readable;
}

interface FoundPicks extends PicksIdentity {
  readonly entry: TreeEntry;
  /** False if the name alone does not state the identity. */
  readonly fromName: boolean;
}

/** The overlay precedes the static tree; within a tree, a full name precedes a short one, as after a renamed copy. */
function precedence({ entry, fromName }: FoundPicks): number {
  return (entry.root === 'overlay' ? 0 : 2) + (fromName ? 0 : 1);
}

function identityOf({ object, userId, sessionId }: PicksIdentity): string {
  return JSON.stringify([object, userId, sessionId]);
}

function identifyByName({ namesOnly }: ProjectTree, entry: TreeEntry): FoundPicks | undefined {
  const parsed = parseName('picks', entry.name);
  if (parsed !== undefined) return { ...parsed, entry, fromName: true };
  return namesOnly ? { object: stemOf(entry), userId: '', sessionId: '', entry, fromName: false } : undefined;
}

function stemOf({ name }: TreeEntry): string {
  return name.slice(0, -'.json'.length);
}

async function identifyByContent(
  tree: ProjectTree,
  entry: TreeEntry,
  signal: AbortSignal | undefined,
): Promise<FoundPicks> {
  const stem = stemOf(entry);
  try {
    const bytes = await readBytes(entry, signal);
    const options = { source: entry.path, fallbackObject: stem };
    const identity = await withTurns(picksIdentitySteps(bytes, options), signal);
    return { ...identity, entry, fromName: false };
  } catch (error) {
    tree.log.reportError(entry.path, error, signal);
    return { object: stem, userId: '', sessionId: '', entry, fromName: false };
  }
}

async function readPicks(
  tree: ProjectTree,
  { entry, fromName, object, userId, sessionId }: FoundPicks,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<PicksFile> {
  const { signal } = checkWait('entry.read', options);
  const version = await versionToReplace(tree, { entry, fromName }, signal);
  const named = { source: entry.path, identity: { object, userId, sessionId } };
  const file = await withTurns(picksFileSteps(await readBytes(entry, signal), named), signal);
  const { warnings = [] } = file;
  if (warnings.length > 0) tree.log.report({ path: entry.path, message: warnings.join('; ') });
  return { ...file, version };
}

/** Picks are written under a full name, so a file with a short name is not replaced. */
async function versionToReplace(
  tree: ProjectTree,
  { entry, fromName }: Pick<FoundPicks, 'entry' | 'fromName'>,
  signal: AbortSignal | undefined,
): Promise<string | null | undefined> {
  return fromName ? replacedVersion(tree, entry, signal) : null;
}

async function readBytes({ store, key, path }: TreeEntry, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const bytes = await store.get(key, { signal });
  if (bytes !== undefined) return bytes;
  throw new CryoetPicksError('not-found', `picks file "${path}" not found`, { path });
}

/** Options of `Run.writePicks`. */
export interface WritePicksOptions {
  /** Who found them; characters that are not valid in file names are replaced. */
  readonly userId: string;
  /** In which session; by convention, `0` means by a tool. Characters that are not valid in file names are replaced. */
  readonly sessionId: string;
  /** Objects to write a file for even if they have no pick, so that older picks are replaced. */
  readonly objects?: readonly string[] | undefined;
  /**
   * For objects whose file must not have changed, the `version` of `read()` or `origin()`; `null` for no file. If one of them is
   * another, nothing is written.
   */
  readonly ifVersion?: Readonly<Record<string, string | null | undefined>> | undefined;
  /**
   * The object that `voxelSpacing`, `trustOrientation` and `unknown` are of, whose file is written even if it has no pick; all
   * objects if absent. With these four, the options take what `read()` of a set gave: `{ ...file }`.
   */
  readonly object?: string | undefined;
  /** Voxel spacing of the tomogram that was picked, in Å. */
  readonly voxelSpacing?: number | undefined;
  /** Whether the picks' rotations are meaningful. @defaultValue true */
  readonly trustOrientation?: boolean | undefined;
  /** Unknown keys of the file, as read from a file. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
  /**
   * Files that were read, of several objects. Each is written, even without picks, and keeps its voxel spacing, its trust in
   * rotations and its unknown keys. Values of the options take precedence.
   */
  readonly files?: readonly PicksFile[] | undefined;
  /**
   * What made the picks of an object: recorded in a hidden file beside the picks, with their hash, before they are written.
   * `origin()` of a set gives it back.
   */
  readonly provenance?: Readonly<Record<string, Provenance>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the options of `Run.hasPicks` must be. */
export const hasPicksRules: RulesFor<HasPicksOptions> = {
  userId: text,
  sessionId: text,
  objects: /* @__PURE__ */ optionalList('a list of names', text),
  signal: /* @__PURE__ */ optional(abortSignal),
};

/** What the options of `Run.writePicks` must be. */
export const writePicksRules: RulesFor<WritePicksOptions> = {
  ...hasPicksRules,
  ifVersion: {
    expected: 'versions by object name',
    isValid: (value) =>
      value === undefined ||
      (isFields(value) &&
        Object.values(value).every((one) => one === undefined || one === null || typeof one === 'string')),
  },
  object: /* @__PURE__ */ optional(text),
  voxelSpacing: /* @__PURE__ */ optional(someNumber),
  trustOrientation: /* @__PURE__ */ optional(flag),
  unknown: /* @__PURE__ */ optional(record),
  provenance: {
    expected: 'what made the picks, by object name',
    isValid: (value) => value === undefined || (isFields(value) && Object.values(value).every(isFields)),
  },
  files: /* @__PURE__ */ optionalList('a list of picks files', {
    expected: 'a picks file',
    isValid: isFields,
    fields: { object: text },
  }),
};

/** Writes picks into the overlay, a file per object; everything is checked before anything is written. */
export async function writePicksOf(
  tree: ProjectTree,
  run: string,
  { picks, ifVersion = {}, signal, ...options }: WritePicksOptions & { readonly picks: readonly ParticlePick[] },
): Promise<string[]> {
  signal?.throwIfAborted();
  const userId = sanitizeName(options.userId);
  const sessionId = sanitizeName(options.sessionId);
  const { object: only, objects = [], files: read = [] } = options;
  const kept = keptOf(read);
  const groups = await byObject(tree, picks, [...objects, ...(only === undefined ? [] : [only]), ...kept.keys()]);
  checkVersionedObjects(ifVersion, groups);
  const files: (FileToWrite & { readonly object: string })[] = [];
  for (const [object, its] of groups) {
    const header = headerOf(object, options, kept.get(object));
    const file = { ...header, object, userId, sessionId, picks: its, runName: run };
    files.push({
      object,
      key: pathToWrite('picks', { run, userId, sessionId, object }),
      bytes: await withTurns(encodedSteps(picksFilePieces(file)), signal),
      ifVersion: Object.hasOwn(ifVersion, object) ? ifVersion[object] : undefined,
    });
  }
  const records = await recordsOf(tree, files, options.provenance ?? {}, signal);
  try {
    await setFiles(tree.overlay, [...records, ...files], { signal });
  } catch (error) {
    await removeIdle(tree.overlay, records);
    throw error;
  }
  for (const record of records) await dropPrevious(tree.overlay, record, signal);
  return files.map(({ key }) => locate(tree.overlay, key));
}

/** The record of a picks file, to be written before the picks. */
interface RecordToWrite extends FileToWrite {
  /** The picks that it is about. */
  readonly picks: StoreKey;
  /** What replaces it once the picks are written: it no longer describes those that were there; absent if there were none. */
  readonly settled?: Uint8Array | undefined;
}

/** The records of picks files. The first one of picks that replace others also describes those, until they are replaced. */
async function recordsOf(
  { overlay }: ProjectTree,
  files: readonly (FileToWrite & { readonly object: string })[],
  given: Readonly<Record<string, Provenance>>,
  signal: AbortSignal | undefined,
): Promise<RecordToWrite[]> {
  const records: RecordToWrite[] = [];
  for (const { object, key: picks, bytes, ifVersion } of files) {
    const provenance = Object.hasOwn(given, object) ? given[object] : undefined;
    if (provenance === undefined) continue;
    const key = recordKey(picks);
    // Who must not replace the picks of another process must not replace their record, which comes first.
    const version = ifVersion === undefined ? undefined : await overlay.version?.(key, { signal });
    const guard = ifVersion === undefined || overlay.version === undefined ? {} : { ifVersion: version ?? null };
    const previous = await recordToKeep(overlay, picks, { signal });
    const settled = await formatRecord(provenance, { bytes });
    const first = previous && (await formatRecord(provenance, { bytes, previous }));
    records.push({ key, picks, ...guard, ...(first ? { bytes: first, settled } : { bytes: settled }) });
  }
  return records;
}

/** Removes the records of picks that were not written; what cannot be removed describes picks that are not there, which is harmless. */
async function removeIdle(overlay: Store, records: readonly RecordToWrite[]): Promise<void> {
  for (const { key, picks, bytes } of records) {
    try {
      if ((await overlay.get(picks)) === undefined && isSame(await overlay.get(key), bytes)) await overlay.delete(key);
    } catch {
      return;
    }
  }
}

/** Writes a record without that of the replaced picks, unless another process has written its own since. */
async function dropPrevious(
  overlay: Store,
  { key, bytes, settled }: RecordToWrite,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (settled === undefined) return;
  const version = await overlay.version?.(key, { signal });
  if (!isSame(await overlay.get(key, { signal }), bytes)) return;
  try {
    await overlay.set(key, settled, { signal, ...(version !== undefined && { ifVersion: version }) });
  } catch (error) {
    if (!isCryoetPicksError(error, 'conflict')) throw error;
  }
}

function isSame(found: Uint8Array | undefined, bytes: Uint8Array): boolean {
  return found?.length === bytes.length && found.every((byte, i) => byte === bytes[i]);
}

/** The fields of a file beside its picks and their identity. */
type Header = Readonly<{ [Key in 'voxelSpacing' | 'trustOrientation' | 'unknown']: PicksFile[Key] }>;

/** The values of the options for the object, otherwise those of its file. */
function headerOf(object: string, options: WritePicksOptions, file: Partial<PicksFile> = {}): Header {
  const given: Partial<Header> = options.object === undefined || options.object === object ? options : {};
  return {
    voxelSpacing: given.voxelSpacing ?? file.voxelSpacing,
    trustOrientation: given.trustOrientation ?? file.trustOrientation,
    unknown: given.unknown ?? file.unknown,
  };
}

/** Files that were read, by object. */
function keptOf(files: readonly PicksFile[]): ReadonlyMap<string, PicksFile> {
  const kept = new Map(files.map((file) => [file.object, file]));
  if (kept.size === files.length) return kept;
  const twice = files.filter((file) => kept.get(file.object) !== file).map(({ object }) => object);
  throw new CryoetPicksError('invalid-option', `files has more than one file of ${listNames([...new Set(twice)])}`);
}

/** An object that is expected but not written is a mistake: its older picks would stay. */
function checkVersionedObjects(ifVersion: object, groups: ReadonlyMap<string, readonly ParticlePick[]>): void {
  const idle = Object.keys(ifVersion).filter((object) => !groups.has(object));
  if (idle.length === 0) return;
  throw new CryoetPicksError(
    'invalid-option',
    `ifVersion names ${listNames(idle)}, of which no picks are written; to write a file without picks, name it in objects`,
  );
}

/** The picks of each object, in the order of the project's objects. */
async function byObject(
  tree: ProjectTree,
  picks: readonly ParticlePick[],
  objects: readonly string[],
): Promise<ReadonlyMap<string, readonly ParticlePick[]>> {
  const groups = new Map<string, ParticlePick[]>();
  for (const object of objects) groups.set(object, []);
  const add = (pick: ParticlePick, index: number) => {
    if (!isPlaced(pick)) throw notPick(pick, `pick ${index}`);
    const group = groups.get(pick.object);
    if (group === undefined) groups.set(pick.object, [pick]);
    else group.push(pick);
  };
  await forEachRange(
    picks.length,
    (from, to) =>
      picks.slice(from, to).forEach((pick, i) => {
        add(pick, from + i);
      }),
    2 ** 14,
  );
  requireObjects(tree, [...groups.keys()], 'picks');
  const ordered = tree.objects.map(({ name }) => name).filter((name) => groups.has(name));
  return new Map(ordered.map((name) => [name, groups.get(name)!]));
}
