import { CryoetPicksError, type ErrorCode } from '../errors.ts';
import {
  type AuthoredFilter,
  type AuthoredIdentity,
  findAuthored,
  fitIdentity,
  readFound,
  writeAuthored,
} from './authored.ts';
import { type DeletableFile, type Located, type ProjectTree, replacedVersion, type WaitOptions } from './tree.ts';

/** A mesh of a run, found but not read. */
export interface MeshEntry extends AuthoredIdentity, Located, DeletableFile {
  /**
   * Reads it: a binary glTF file (GLB), whose vertices are in Å, as it is.
   *
   * @throws {@link CryoetPicksError} `corrupt-data` if it is no GLB file or lacks its end; `unsupported` for glTF
   *   other than version 2; `not-found` if it is gone.
   */
  read(options?: WaitOptions): Promise<Uint8Array>;
  /**
   * What it is now, to hand back as `expect`: a token, `null` where writing makes a new file, undefined where the overlay keeps
   * no versions. Ask before `read`, so that what others write in between is a conflict and not a loss.
   */
  version(options?: WaitOptions): Promise<string | null | undefined>;
}

/** The meshes of a run, by object, user and session. */
export async function findMeshes(tree: ProjectTree, run: string, filter: AuthoredFilter = {}): Promise<MeshEntry[]> {
  const found = await findAuthored(tree, { kind: 'mesh', run }, filter);
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
export interface WriteMeshOptions extends AuthoredIdentity {
  /** Replace a mesh of the same object, user and session, whatever it is. @defaultValue false */
  readonly overwrite?: boolean | undefined;
  /** Replace it if it is still of this `version`; `null`: write if there is none. */
  readonly expect?: string | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Writes a mesh into the overlay; see `Run.writeMesh`. */
export async function writeMeshOf(
  tree: ProjectTree,
  run: string,
  { bytes, overwrite, expect, signal, ...identity }: WriteMeshOptions & { readonly bytes: Uint8Array },
): Promise<string> {
  checkGlb(bytes, { what: `the mesh of "${identity.object}"`, code: 'invalid-option' });
  const fit = fitIdentity(tree, identity);
  return writeAuthored(tree, { kind: 'mesh', run }, { ...fit, bytes, overwrite, expect, signal });
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
