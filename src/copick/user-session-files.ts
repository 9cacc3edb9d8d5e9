import { CryoetPicksError, type ErrorCode } from '../core/errors.ts';
import type { StoreKey } from '../storage/store.ts';
import { folderOf, matchesName, type NameFilter, parseName, pathOf, sanitizeName } from './layout.ts';
import {
  type DeletableFile,
  type Located,
  listBoth,
  locate,
  locationOf,
  markShadowed,
  needNamed,
  type ProjectTree,
  replacedVersion,
  setFiles,
  type TreeEntry,
  type WaitOptions,
} from './tree.ts';

/** What copick tells apart the meshes of a run by, and its filaments: of which object, by whom, in which session. */
export interface ObjectUserSession {
  readonly object: string;
  readonly userId: string;
  /** `0` means made by a tool. */
  readonly sessionId: string;
}

/** Which meshes or filaments of a run; what is left out asks for all. Names match as given or as copick writes them. */
export interface ObjectUserSessionFilter {
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
export interface FoundFile extends ObjectUserSession, Located, DeletableFile {
  readonly entry: TreeEntry;
}

/** The files of a kind in a run, by object, user and session. One whose name tells less is reported and passed over. */
export async function findUserFiles(
  tree: ProjectTree,
  { kind, run }: { readonly kind: AuthoredKind; readonly run: string },
  { object, userId, sessionId, includeShadowed, signal }: ObjectUserSessionFilter,
): Promise<FoundFile[]> {
  const entries = await listBoth(tree, folderOf(kind, { run }), { signal });
  const found = entries
    .flatMap((entry) => toFound(tree, entry, kind))
    .filter((one) => matchesName(object, one.object))
    .filter((one) => matchesName(userId, one.userId) && matchesName(sessionId, one.sessionId));
  return markShadowed(found, { identity: identityOf, includeShadowed })
    .sort((a, b) => (identityOf(a) < identityOf(b) ? -1 : identityOf(a) > identityOf(b) ? 1 : 0))
    .map((one) => ({ ...one, ...locationOf(tree, one.entry) }));
}

function toFound(
  { log }: ProjectTree,
  entry: TreeEntry,
  kind: AuthoredKind,
): (ObjectUserSession & { readonly entry: TreeEntry })[] {
  const { name, path } = entry;
  if (!name.endsWith(endings[kind])) return [];
  const parsed = parseName(kind, name);
  if (parsed === undefined) log.report({ path, message: `"${name}" tells no user, session and object` });
  else if (entry.kind === 'folder') log.report({ path, message: `"${name}" is a folder, expected a file` });
  else return [{ ...parsed, entry }];
  return [];
}

function identityOf({ object, userId, sessionId }: ObjectUserSession): string {
  return JSON.stringify([object, userId, sessionId]);
}

/** The bytes of a file that was found. @throws {@link CryoetPicksError} `not-found` if it is gone. */
export async function readFound({ entry }: FoundFile, { signal }: WaitOptions): Promise<Uint8Array> {
  const bytes = await entry.store.get(entry.key, { signal });
  if (bytes !== undefined) return bytes;
  throw new CryoetPicksError('not-found', `"${entry.path}" not found`, { path: entry.path });
}

/** What is written, and as whose. */
export interface WriteUserFileOptions extends ObjectUserSession, WaitOptions {
  readonly bytes: Uint8Array;
  /** Replace a file that is there. Without effect where `ifVersion` is given. @defaultValue false */
  readonly overwrite?: boolean | undefined;
  /** The token of the file that is replaced, `null` for no file. */
  readonly ifVersion?: string | null | undefined;
}

/**
 * A name fit for files: which object's, by whom, in which session.
 *
 * @throws {@link CryoetPicksError} `not-found` for an object that the project does not have; `invalid-option` for a user or
 *   session without a usable character.
 */
export function fitIdentity(tree: ProjectTree, { object, userId, sessionId }: ObjectUserSession): ObjectUserSession {
  needNamed(tree.objects, object, { what: 'object' });
  return { object, userId: sanitizeName(userId), sessionId: sanitizeName(sessionId) };
}

/**
 * Writes a file into the overlay as a whole, and returns its path.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if there is one that is not to be overwritten; `conflict` if it is not the
 *   expected one; `read-only`.
 */
export async function writeUserFile(
  tree: ProjectTree,
  { kind, run }: { readonly kind: AuthoredKind; readonly run: string },
  { bytes, overwrite = false, ifVersion, signal, ...identity }: WriteUserFileOptions,
): Promise<string> {
  const { overlay } = tree;
  const key: StoreKey = pathOf(kind, { run, ...identity });
  const path = locate(overlay, key);
  signal?.throwIfAborted();
  if (ifVersion !== undefined) await setFiles(overlay, [{ key, bytes, ifVersion }], { signal });
  else if (overwrite) await overlay.set(key, bytes, { signal });
  else {
    if ((await overlay.getRange(key, { offset: 0, length: 1 }, { signal })) !== undefined) {
      throw new CryoetPicksError('invalid-option', `"${path}" is there already; set \`overwrite: true\` to replace it`);
    }
    // Another program may have made one meanwhile.
    await overlay.set(key, bytes, { signal, ifVersion: null });
  }
  return path;
}

/** A mesh of a run, found but not read. */
export interface MeshEntry extends ObjectUserSession, Located, DeletableFile {
  /**
   * Reads it: a binary glTF file (GLB), whose vertices are in Å, as it is.
   *
   * @throws {@link CryoetPicksError} `corrupt-data` if it is no GLB file or lacks its end; `unsupported` for glTF
   *   other than version 2; `not-found` if it is gone.
   */
  read(options?: WaitOptions): Promise<Uint8Array>;
  /**
   * What it is now, to hand back as `ifVersion`: a token, `null` where writing makes a new file, undefined where the overlay keeps
   * no versions. Ask before `read`, so that what others write in between is a conflict and not a loss.
   */
  version(options?: WaitOptions): Promise<string | null | undefined>;
}

/** The meshes of a run, by object, user and session. */
export async function findMeshes(
  tree: ProjectTree,
  run: string,
  filter: ObjectUserSessionFilter = {},
): Promise<MeshEntry[]> {
  const found = await findUserFiles(tree, { kind: 'mesh', run }, filter);
  return found.map((file) => {
    const { entry, ...mesh } = file;
    return {
      ...mesh,
      async read(options = {}) {
        const bytes = await readFound(file, options);
        checkGlb(bytes, { what: `mesh "${mesh.path}"`, code: 'corrupt-data' });
        return bytes;
      },
      version: ({ signal } = {}) => replacedVersion(tree, entry, signal),
    };
  });
}

/** Options of `Run.writeMesh`. */
export interface WriteMeshOptions extends ObjectUserSession {
  /** Replace a mesh of the same object, user and session, whatever it is. @defaultValue false */
  readonly overwrite?: boolean | undefined;
  /** Replace it if it is still of this `version`; `null`: write if there is none. */
  readonly ifVersion?: string | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Writes a mesh into the overlay; see `Run.writeMesh`. */
export async function writeMeshOf(
  tree: ProjectTree,
  run: string,
  { bytes, overwrite, ifVersion, signal, ...identity }: WriteMeshOptions & { readonly bytes: Uint8Array },
): Promise<string> {
  checkGlb(bytes, { what: `the mesh of "${identity.object}"`, code: 'invalid-option' });
  const fit = fitIdentity(tree, identity);
  return writeUserFile(tree, { kind: 'mesh', run }, { ...fit, bytes, overwrite, ifVersion, signal });
}

const headerLength = 12;
/** The four letters `glTF`, little-endian. */
const magic = 0x46546c67;

/** Checks the header of a GLB file; the content is not looked at. */
function checkGlb(bytes: Uint8Array, { what, code }: { readonly what: string; readonly code: ErrorCode }): void {
  const refuse = (wrong: string, as: ErrorCode = code) => new CryoetPicksError(as, `${what} ${wrong}`);
  if (bytes.length < headerLength) throw refuse(`has ${bytes.length} bytes, fewer than a GLB header's ${headerLength}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic) throw refuse('is no GLB file: it does not start with "glTF"');
  const version = view.getUint32(4, true);
  if (version !== 2) throw refuse(`is of glTF version ${version}, expected 2`, 'unsupported');
  const length = view.getUint32(8, true);
  if (length !== bytes.length) throw refuse(`has ${bytes.length} bytes where its header promises ${length}`);
}
