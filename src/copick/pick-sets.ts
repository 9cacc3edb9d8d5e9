import { CryoetPicksError } from '../errors.ts';
import type { Pick } from '../picks/pick.ts';
import { folderOf, parseName } from './layout.ts';
import { matchesName, type NameFilter } from './names.ts';
import { type PicksFile, type PicksIdentity, parsePicksFile, parsePicksIdentity } from './picks.ts';
import {
  type DeletableFile,
  type Located,
  listBoth,
  markShadowed,
  type ProjectTree,
  placeOf,
  replacedVersion,
  type TreeEntry,
} from './tree.ts';
import { trustedPicks } from './trusted-picks.ts';

/** A picks file of a run, found but not read. User and session are empty where neither name nor content tells them. */
export interface PickSet extends PicksIdentity, Located, DeletableFile {
  /** @throws {@link CryoetPicksError} `invalid-picks` if the file cannot be understood, `not-found` if it cannot be read. */
  read(options?: { readonly signal?: AbortSignal | undefined }): Promise<PicksFile>;
}

/** Which picks of a run; what is left out asks for all. Names match as given or as copick writes them. */
export interface PicksFilter {
  readonly object?: NameFilter;
  readonly userId?: NameFilter;
  readonly sessionId?: NameFilter;
  /** List too what the overlay, or a file with a fuller name, hides. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The picks files of a run, by object, user and session. */
export async function findPickSets(
  tree: ProjectTree,
  run: string,
  { object, userId, sessionId, includeShadowed, signal }: PicksFilter = {},
): Promise<PickSet[]> {
  const entries = await listBoth(tree, folderOf('picks', { run }), { signal });
  const found: FoundPicks[] = [];
  for (const entry of entries) {
    if (!entry.name.endsWith('.json')) continue;
    if (entry.kind === 'file') found.push(await identify(tree, entry, signal));
    else tree.log.report({ path: entry.path, message: `"${entry.name}" is a folder, expected a picks file` });
  }
  const chosen = found
    .filter((one) => matchesName(object, one.object))
    .filter((one) => matchesName(userId, one.userId) && matchesName(sessionId, one.sessionId))
    .sort((a, b) => precedence(a) - precedence(b));
  return markShadowed(chosen, { identity: identityOf, includeShadowed })
    .sort((a, b) => (identityOf(a) < identityOf(b) ? -1 : identityOf(a) > identityOf(b) ? 1 : 0))
    .map(({ entry, fromName, ...one }) => ({
      ...one,
      ...placeOf(tree, entry),
      read: (options = {}) => readPicks(tree, { ...one, entry, fromName }, options),
    }));
}

/**
 * All picks of the sets that a filter asks for, without the rotations of files that say not to trust them. A set that cannot be read is reported and hides nothing of the others.
 *
 * @throws The first error, if there are sets but none can be read.
 */
export async function readAllPicks(tree: ProjectTree, run: string, filter: PicksFilter): Promise<Pick[]> {
  const { signal } = filter;
  const sets = await findPickSets(tree, run, filter);
  const picks: Pick[] = [];
  const errors: unknown[] = [];
  for (const set of sets) {
    try {
      for (const pick of trustedPicks(await set.read({ signal }))) picks.push(pick);
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
  /** Every one of these must have a file that can be read; if absent, there must be one, and all can be read. */
  readonly objects?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Tells whether a user has picks of a session; see `Run.hasPicks`. */
export async function hasPicksOf(
  tree: ProjectTree,
  run: string,
  { userId, sessionId, objects, signal }: HasPicksOptions,
): Promise<boolean> {
  const sets = await findPickSets(tree, run, { userId, sessionId, object: objects, signal });
  const present = objects?.every((object) => sets.some((set) => set.object === object)) ?? sets.length > 0;
  return present && allReadable(tree, sets, signal);
}

/** Tells whether all sets can be read; those that cannot are reported. */
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
  /** False where the name alone does not tell the identity. */
  readonly fromName: boolean;
}

/** The overlay lies before the static tree; within one, a full name before a short one, as after a renamed copy. */
function precedence({ entry, fromName }: FoundPicks): number {
  return (entry.root === 'overlay' ? 0 : 2) + (fromName ? 0 : 1);
}

function identityOf({ object, userId, sessionId }: PicksIdentity): string {
  return JSON.stringify([object, userId, sessionId]);
}

async function identify(tree: ProjectTree, entry: TreeEntry, signal: AbortSignal | undefined): Promise<FoundPicks> {
  const parsed = parseName('picks', entry.name);
  if (parsed !== undefined) return { ...parsed, entry, fromName: true };
  const stem = entry.name.slice(0, -'.json'.length);
  try {
    const text = await readText(entry, signal);
    const identity = parsePicksIdentity(text, { source: entry.path, fallbackObject: stem });
    return { ...identity, entry, fromName: false };
  } catch (error) {
    tree.log.reportError(entry.path, error, signal);
    return { object: stem, userId: '', sessionId: '', entry, fromName: false };
  }
}

async function readPicks(
  tree: ProjectTree,
  { entry, fromName, object, userId, sessionId }: FoundPicks,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<PicksFile> {
  // Picks are written under a full name, which a short one is not.
  const version = fromName ? await replacedVersion(tree, entry, signal) : null;
  const text = await readText(entry, signal);
  const file = parsePicksFile(text, { source: entry.path, identity: { object, userId, sessionId } });
  const { warnings = [] } = file;
  if (warnings.length > 0) tree.log.report({ path: entry.path, message: warnings.join('; ') });
  return { ...file, version };
}

async function readText({ store, key, path }: TreeEntry, signal: AbortSignal | undefined): Promise<string> {
  const bytes = await store.get(key, { signal });
  if (bytes === undefined) throw new CryoetPicksError('not-found', `picks file "${path}" not found`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CryoetPicksError('invalid-picks', `picks file "${path}" is not UTF-8 text`, { cause });
  }
}
