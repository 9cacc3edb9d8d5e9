import { decodeText } from '../core/json.ts';
import { hasStaleCurve } from './filament-curve.ts';
import { type Filament, type FilamentsFile, formatFilamentsFile, parseFilamentsFile } from './filaments-file.ts';
import {
  checkWait,
  type DeletableFile,
  type Located,
  type ProjectTree,
  replacedVersion,
  type WaitOptions,
} from './tree.ts';
import {
  type FoundFile,
  findUserFiles,
  fitIdentity,
  type ObjectUserSession,
  type ObjectUserSessionFilter,
  readFound,
  writeUserFile,
} from './user-session-files.ts';

/** A filaments file of a run, found but not read. */
export interface FilamentsEntry extends ObjectUserSession, Located, DeletableFile {
  /**
   * @throws {@link CryoetPicksError} `invalid-picks` if the file cannot be understood, `not-found` if it is gone, `unavailable`
   *   if it cannot be read.
   */
  read(options?: WaitOptions): Promise<FilamentsFile>;
}

/** The filaments files of a run, sorted by object, user and session. */
export async function findFilaments(
  tree: ProjectTree,
  run: string,
  filter: ObjectUserSessionFilter = {},
): Promise<FilamentsEntry[]> {
  const found = await findUserFiles(tree, { kind: 'filaments', run }, filter);
  return found.map((file) => {
    const { entry: _, ...rest } = file;
    return { ...rest, read: async (options = {}) => readFilaments(tree, file, options) };
  });
}

async function readFilaments(tree: ProjectTree, found: FoundFile, options: WaitOptions): Promise<FilamentsFile> {
  checkWait('entry.read', options);
  const { path, object, userId, sessionId } = found;
  const version = await replacedVersion(tree, found.entry, options.signal);
  const what = `filaments file "${path}"`;
  const text = decodeText(await readFound(found, options), { what, code: 'invalid-picks', path });
  const file = parseFilamentsFile(text, { source: path, identity: { object, userId, sessionId } });
  const { warnings = [] } = file;
  if (warnings.length > 0) tree.log.report({ path, message: warnings.join('; ') });
  return { ...file, version };
}

/** Options of `Run.writeFilaments`. */
export interface WriteFilamentsOptions extends ObjectUserSession {
  /** Voxel spacing of the tomogram that was traced, in Å. */
  readonly voxelSpacing?: number | undefined;
  /** Version of the file format. @defaultValue 1 */
  readonly formatVersion?: number | undefined;
  /** Unknown keys of the file, as read from a file. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
  /** Replace any filaments of the same object, user and session. @defaultValue false */
  readonly overwrite?: boolean | undefined;
  /** Replace them if they have not changed since they were read with this `version`; `null`: if there are no filaments yet. */
  readonly ifVersion?: string | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Writes filaments into the overlay; see `Run.writeFilaments`. */
export async function writeFilamentsOf(
  tree: ProjectTree,
  run: string,
  {
    filaments,
    voxelSpacing,
    formatVersion,
    unknown,
    ...options
  }: WriteFilamentsOptions & { readonly filaments: readonly Filament[] },
): Promise<string> {
  const { overwrite, ifVersion, signal, ...given } = options;
  const identity = fitIdentity(tree, given);
  const text = formatFilamentsFile({ ...identity, filaments, runName: run, voxelSpacing, formatVersion, unknown });
  const bytes = new TextEncoder().encode(text);
  const path = await writeUserFile(
    tree,
    { kind: 'filaments', run },
    { ...identity, bytes, overwrite, ifVersion, signal },
  );
  const stale = filaments.filter(hasStaleCurve).map(({ instanceId }) => instanceId);
  if (stale.length > 0) {
    const message = `the curves of the filaments ${stale.join(', ')} no longer match their points and were not written`;
    tree.log.report({ path, message });
  }
  return path;
}
