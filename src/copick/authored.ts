import { CryoetPicksError } from '../errors.ts';
import type { StoreKey } from '../storage/store.ts';
import { setFiles } from '../storage/versioned.ts';
import { folderOf, parseName, pathOf } from './layout.ts';
import { matchesName, type NameFilter, sanitizeName } from './names.ts';
import { needNamed } from './problems.ts';
import {
  type DeletableFile,
  type Located,
  listBoth,
  locate,
  markShadowed,
  type ProjectTree,
  placeOf,
  type TreeEntry,
  type WaitOptions,
} from './tree.ts';

/** What copick tells apart the meshes of a run by, and its filaments: of which object, by whom, in which session. */
export interface AuthoredIdentity {
  readonly object: string;
  readonly userId: string;
  /** `0` means made by a tool. */
  readonly sessionId: string;
}

/** Which meshes or filaments of a run; what is left out asks for all. Names match as given or as copick writes them. */
export interface AuthoredFilter {
  readonly object?: NameFilter;
  readonly userId?: NameFilter;
  readonly sessionId?: NameFilter;
  /** List too what the overlay hides. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Kinds of files that are called after object, user and session, and by nothing else. */
type AuthoredKind = 'mesh' | 'filaments';

const endings: { readonly [K in AuthoredKind]: string } = { mesh: '.glb', filaments: '.json' };

/** A file that was found, with its entry to read it by. */
export interface FoundFile extends AuthoredIdentity, Located, DeletableFile {
  readonly entry: TreeEntry;
}

/** The files of a kind in a run, by object, user and session. One whose name tells less is reported and passed over. */
export async function findAuthored(
  tree: ProjectTree,
  { kind, run }: { readonly kind: AuthoredKind; readonly run: string },
  { object, userId, sessionId, includeShadowed, signal }: AuthoredFilter,
): Promise<FoundFile[]> {
  const entries = await listBoth(tree, folderOf(kind, { run }), { signal });
  const found = entries
    .flatMap((entry) => toFound(tree, entry, kind))
    .filter((one) => matchesName(object, one.object))
    .filter((one) => matchesName(userId, one.userId) && matchesName(sessionId, one.sessionId));
  return markShadowed(found, { identity: identityOf, includeShadowed })
    .sort((a, b) => (identityOf(a) < identityOf(b) ? -1 : identityOf(a) > identityOf(b) ? 1 : 0))
    .map((one) => ({ ...one, ...placeOf(tree, one.entry) }));
}

function toFound(
  { log }: ProjectTree,
  entry: TreeEntry,
  kind: AuthoredKind,
): (AuthoredIdentity & { readonly entry: TreeEntry })[] {
  const { name, path } = entry;
  if (!name.endsWith(endings[kind])) return [];
  const parsed = parseName(kind, name);
  if (parsed === undefined) log.report({ path, message: `"${name}" tells no user, session and object` });
  else if (entry.kind === 'folder') log.report({ path, message: `"${name}" is a folder, expected a file` });
  else return [{ ...parsed, entry }];
  return [];
}

function identityOf({ object, userId, sessionId }: AuthoredIdentity): string {
  return JSON.stringify([object, userId, sessionId]);
}

/** The bytes of a file that was found. @throws {@link CryoetPicksError} `not-found` if it is gone. */
export async function readFound({ entry }: FoundFile, { signal }: WaitOptions): Promise<Uint8Array> {
  const bytes = await entry.store.get(entry.key, { signal });
  if (bytes !== undefined) return bytes;
  throw new CryoetPicksError('not-found', `"${entry.path}" not found`);
}

/** What is written, and as whose. */
export interface WriteAuthoredOptions extends AuthoredIdentity, WaitOptions {
  readonly bytes: Uint8Array;
  /** Replace a file that is there. Without effect where `expect` is given. @defaultValue false */
  readonly overwrite?: boolean | undefined;
  /** The token of the file that is replaced, `null` for no file. */
  readonly expect?: string | null | undefined;
}

/**
 * A name fit for files: which object's, by whom, in which session.
 *
 * @throws {@link CryoetPicksError} `not-found` for an object that the project does not have; `invalid-option` for a user or
 *   session without a usable character.
 */
export function fitIdentity(tree: ProjectTree, { object, userId, sessionId }: AuthoredIdentity): AuthoredIdentity {
  needNamed(tree.objects, object, { what: 'object' });
  return { object, userId: sanitizeName(userId), sessionId: sanitizeName(sessionId) };
}

/**
 * Writes a file into the overlay as a whole, and returns its path.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if there is one that is not to be overwritten; `conflict` if it is not the
 *   expected one; `read-only`.
 */
export async function writeAuthored(
  tree: ProjectTree,
  { kind, run }: { readonly kind: AuthoredKind; readonly run: string },
  { bytes, overwrite = false, expect, signal, ...identity }: WriteAuthoredOptions,
): Promise<string> {
  const { overlay } = tree;
  const key: StoreKey = pathOf(kind, { run, ...identity });
  const path = locate(overlay, key);
  signal?.throwIfAborted();
  if (expect !== undefined) await setFiles(overlay, [{ key, bytes, expect }], { signal });
  else if (overwrite) await overlay.set(key, bytes, { signal });
  else {
    if ((await overlay.getRange(key, { offset: 0, length: 1 }, { signal })) !== undefined) {
      throw new CryoetPicksError('invalid-option', `"${path}" is there already; set \`overwrite: true\` to replace it`);
    }
    // Another program may have made one meanwhile.
    await overlay.set(key, bytes, { signal, expect: null });
  }
  return path;
}
