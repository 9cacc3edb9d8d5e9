import { abortSignal, flag, optional, type RulesFor, text } from '../core/arguments.ts';
import { CryoetPicksError, type ErrorCode } from '../core/errors.ts';
import type { StoreKey } from '../storage/store.ts';
import { authoredFilter, folderOf, type NameFilter, parseName, pathToWrite, sanitizeName } from './layout.ts';
import {
  checkWait,
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

/** What identifies a mesh or a filaments file within a run: its object, user and session. */
export interface ObjectUserSession {
  readonly object: string;
  readonly userId: string;
  /** By convention, `0` means made by a tool. */
  readonly sessionId: string;
}

/** Selects meshes or filaments of a run; an omitted field matches all. Names match as given or as copick writes them. */
export interface ObjectUserSessionFilter {
  readonly object?: NameFilter;
  readonly userId?: NameFilter;
  readonly sessionId?: NameFilter;
  /** Also list what the overlay hides. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The kinds of files that are named after object, user and session, and nothing else. */
type AuthoredKind = 'mesh' | 'filaments';

const endings: { readonly [K in AuthoredKind]: string } = { mesh: '.glb', filaments: '.json' };

/** A file that was found, with the tree entry to read it from. */
export interface FoundFile extends ObjectUserSession, Located, DeletableFile {
  readonly entry: TreeEntry;
}

/**
 * The files of a kind in a run, sorted by object, user and session. A file whose name lacks one of them is reported and
 * skipped.
 */
export async function findUserFiles(
  tree: ProjectTree,
  { kind, run }: { readonly kind: AuthoredKind; readonly run: string },
  { object, userId, sessionId, includeShadowed, signal }: ObjectUserSessionFilter,
): Promise<FoundFile[]> {
  const entries = await listBoth(tree, folderOf(kind, { run }), { signal });
  const found = entries
    .flatMap((entry) => toFound(tree, entry, kind))
    .filter(authoredFilter({ object, userId, sessionId }));
  return markShadowed(found, { identity: identityOf, includeShadowed }).map((one) => {
    return { ...one, ...locationOf(tree, one.entry) };
  });
}

function toFound(
  { log }: ProjectTree,
  entry: TreeEntry,
  kind: AuthoredKind,
): (ObjectUserSession & { readonly entry: TreeEntry })[] {
  const { name, path } = entry;
  if (!name.endsWith(endings[kind])) return [];
  const parsed = parseName(kind, name);
  if (parsed === undefined) log.report({ path, message: `the name "${name}" lacks a user, session or object` });
  else if (entry.kind === 'folder') log.report({ path, message: `"${name}" is a folder, expected a file` });
  else return [{ ...parsed, entry }];
  return [];
}

function identityOf({ object, userId, sessionId }: ObjectUserSession): string {
  return JSON.stringify([object, userId, sessionId]);
}

/** The bytes of a file that was found. @throws {@link CryoetPicksError} `not-found` if it is gone. */
export async function readFound({ entry }: FoundFile, options: WaitOptions): Promise<Uint8Array> {
  const { signal } = checkWait('entry.read', options);
  const bytes = await entry.store.get(entry.key, { signal });
  if (bytes !== undefined) return bytes;
  throw new CryoetPicksError('not-found', `"${entry.path}" not found`, { path: entry.path });
}

/** What the options must be that name and write a file. */
export const writeFileRules: RulesFor<WriteMeshOptions> = {
  object: text,
  userId: text,
  sessionId: text,
  overwrite: /* @__PURE__ */ optional(flag),
  ifVersion: {
    expected: 'a version that was read, or null for no file',
    isValid: (value) => value === undefined || value === null || typeof value === 'string',
  },
  signal: /* @__PURE__ */ optional(abortSignal),
};

/** What {@link writeFileOf} writes, and under which identity. */
export interface WriteUserFileOptions extends ObjectUserSession, WaitOptions {
  readonly bytes: Uint8Array;
  /** Replace an existing file. Ignored if `ifVersion` is given. @defaultValue false */
  readonly overwrite?: boolean | undefined;
  /** The token of the file that is replaced, `null` for no file. */
  readonly ifVersion?: string | null | undefined;
}

/**
 * The identity of a file, with names as copick writes them.
 *
 * @throws {@link CryoetPicksError} `not-found` for an object that the project does not have; `invalid-option` for a user or
 *   session without a valid character.
 */
export function fitIdentity(tree: ProjectTree, { object, userId, sessionId }: ObjectUserSession): ObjectUserSession {
  needNamed(tree.objects, object, { what: 'object' });
  return { object, userId: sanitizeName(userId), sessionId: sanitizeName(sessionId) };
}

/**
 * Writes a whole file into the overlay, and returns its path.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the file exists and `overwrite` is not set; `conflict` if it is not the
 *   expected version; `read-only` or `write-failed` if the overlay cannot be written.
 */
export async function writeUserFile(
  tree: ProjectTree,
  { kind, run }: { readonly kind: AuthoredKind; readonly run: string },
  { bytes, overwrite = false, ifVersion, signal, ...identity }: WriteUserFileOptions,
): Promise<string> {
  const { overlay } = tree;
  const key: StoreKey = pathToWrite(kind, { run, ...identity });
  const path = locate(overlay, key);
  signal?.throwIfAborted();
  if (ifVersion !== undefined) await setFiles(overlay, [{ key, bytes, ifVersion }], { signal });
  else if (overwrite) await overlay.set(key, bytes, { signal });
  else {
    if ((await overlay.getRange(key, { offset: 0, length: 1 }, { signal })) !== undefined) {
      throw new CryoetPicksError('invalid-option', `"${path}" already exists; set \`overwrite: true\` to replace it`);
    }
    // Another program may have created one meanwhile.
    await overlay.set(key, bytes, { signal, ifVersion: null });
  }
  return path;
}

/** A mesh of a run, found but not read. */
export interface MeshEntry extends ObjectUserSession, Located, DeletableFile {
  /**
   * Reads the bytes of the binary glTF file (GLB), whose vertices are in Å.
   *
   * @throws {@link CryoetPicksError} `corrupt-data` if it is not a GLB file or is truncated; `unsupported` for glTF
   *   other than version 2; `not-found` if it is gone.
   */
  read(options?: WaitOptions): Promise<Uint8Array>;
  /**
   * What it is now, to hand back as `ifVersion`: a token, `null` where writing makes a new file, undefined where the overlay keeps
   * no versions. Ask before `read`, so that what others write in between is a conflict and not a loss.
   */
  version(options?: WaitOptions): Promise<string | null | undefined>;
}

/** The meshes of a run, sorted by object, user and session. */
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
      version: async (options = {}) => replacedVersion(tree, entry, checkWait('entry.version', options).signal),
    };
  });
}

/** Options of `Run.writeMesh`. */
export interface WriteMeshOptions extends ObjectUserSession {
  /** Replace any mesh of the same object, user and session. @defaultValue false */
  readonly overwrite?: boolean | undefined;
  /** Replace it if it is still of this `version`; `null`: write if there is no such file. */
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

/** Checks the header of a GLB file, not its content. */
function checkGlb(bytes: Uint8Array, { what, code }: { readonly what: string; readonly code: ErrorCode }): void {
  const refuse = (wrong: string, as: ErrorCode = code) => new CryoetPicksError(as, `${what} ${wrong}`);
  if (bytes.length < headerLength) throw refuse(`has ${bytes.length} bytes, fewer than a GLB header's ${headerLength}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic) throw refuse('is not a GLB file: it does not start with "glTF"');
  const version = view.getUint32(4, true);
  if (version !== 2) throw refuse(`is of glTF version ${version}, expected 2`, 'unsupported');
  const length = view.getUint32(8, true);
  if (length !== bytes.length) throw refuse(`has ${bytes.length} bytes, but its header says ${length}`);
}
