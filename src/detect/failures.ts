import * as v from 'valibot';
import { sanitizeName } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import { sha256Of, version } from '../copick/provenance.ts';
import { locate } from '../copick/tree.ts';
import {
  abortSignal,
  optional,
  project as projectRule,
  type RulesFor,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import { mapOrdered } from '../core/concurrency.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import { checkSchema, parseJson } from '../core/json.ts';
import { compareNames, type StoreKey, type StoreOptions } from '../storage/store.ts';

/** A run whose search failed, as it is recorded for a user and session. */
export interface RunFailure {
  readonly run: string;
  /** Code of a `CryoetPicksError`, code of the operating system (`EACCES`), or `unexpected`. */
  readonly code: string;
  readonly message: string;
  /** The file or folder that it is about, if one is known. */
  readonly path?: string | undefined;
  /**
   * How many searches of the run have failed since it was last searched with success, over all processes; 1 where the record is
   * damaged (`invalid-metadata`), since at least one has.
   */
  readonly attempt: number;
}

/** Options of {@link readFailures}. */
export interface ReadFailuresOptions {
  /** @defaultValue 'cryoet-picks' */
  readonly userId?: string | undefined;
  /** @defaultValue '0' */
  readonly sessionId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const readFailuresRules: RulesFor<ReadFailuresOptions> = {
  userId: /* @__PURE__ */ optional(text),
  sessionId: /* @__PURE__ */ optional(text),
  signal: /* @__PURE__ */ optional(abortSignal),
};

/**
 * Reads which runs of a project failed when they were searched for a user and session, sorted by name, as `detectProject` and
 * `detectRun` record it in the overlay, whichever process it was. A run that was searched with success later is not among them.
 *
 * @throws `CryoetPicksError` `unavailable` if the overlay cannot be read; `invalid-option`.
 * @example
 * ```ts
 * for (const { run, code, message, attempt } of await readFailures(project)) console.log(run, code, message, attempt);
 * ```
 */
export async function readFailures(project: Project, options: ReadFailuresOptions = {}): Promise<RunFailure[]> {
  requireArgument('readFailures', 'project', project, projectRule);
  const {
    userId = 'cryoet-picks',
    sessionId = '0',
    signal,
  } = requireOptions('readFailures', options, readFailuresRules);
  const author = { userId, sessionId };
  const folder = folderOfFailures(groupOf(author));
  const entries = (await project.overlayStore?.list(folder, { signal })) ?? [];
  const names = entries.filter(({ name, kind }) => kind === 'file' && name.endsWith(ENDING)).map(({ name }) => name);
  const found: RunFailure[] = [];
  const read = (name: string, stop: AbortSignal) =>
    readRecordAt(project, `${folder}/${name}`, { run: name.slice(0, -ENDING.length), signal: stop });
  for await (const failure of mapOrdered(names, read, { concurrency: 8, signal })) {
    if (failure === undefined) continue;
    const { searchSha256, isDamaged, ...told } = failure;
    found.push(told);
  }
  return found.sort((a, b) => compareNames(a.run, b.run));
}

/** Whose failure it is. */
interface Authored extends StoreOptions {
  readonly userId: string;
  readonly sessionId: string;
}

/** A failure, and what was searched. */
export interface RecordedFailure extends RunFailure {
  /** The hash of the options of the search, see `RunSearch.sha256`; records of before it was kept have none. */
  readonly searchSha256?: string | undefined;
  /** True if the record cannot be understood: whose search it was, and how often it failed, is unknown. */
  readonly isDamaged?: true | undefined;
}

const ENDING = '.json';

/** Bytes of the name of a run in that of its record: a file may have as many as the run, which its ending makes longer. */
const MAX_STEM = 240;

/** The name of a run as it stands in that of its record: a hash of one that is too long. */
async function stemOf(run: string): Promise<string> {
  const bytes = new TextEncoder().encode(run);
  return bytes.length <= MAX_STEM ? run : sha256Of(bytes);
}

/** A user and session as they stand in the names of files. */
export function groupOf({ userId, sessionId }: Omit<Authored, 'signal'>): string {
  return `${sanitizeName(userId)}_${sanitizeName(sessionId)}`;
}

/** The folder of the records of a user and session, hidden so that it is no part of the copick project. */
export function folderOfFailures(group: string): StoreKey {
  return `/.cryoet-picks/failures/${group}`;
}

const keyOf = async (run: string, author: Authored): Promise<StoreKey> =>
  `${folderOfFailures(groupOf(author))}/${await stemOf(run)}${ENDING}`;

const schema = v.object({
  run: v.string(),
  code: v.string(),
  message: v.string(),
  path: v.optional(v.string()),
  attempt: v.pipe(v.number(), v.integer(), v.minValue(1)),
  searchSha256: v.optional(v.string()),
});

/** Bytes of a record at most: it is read in one piece. */
const MAX_RECORD = 2 ** 20;

/** The failure of a run, whatever its options; undefined if none is recorded, or the record may not be read. */
export async function readFailure(
  project: Project,
  run: string,
  author: Authored,
): Promise<RecordedFailure | undefined> {
  const failure = await readRecordAt(project, await keyOf(run, author), { run, signal: author.signal });
  return failure && { ...failure, run };
}

/** The failure in a record; `run` is the name that the file has. */
async function readRecordAt(
  project: Project,
  key: StoreKey,
  { run, signal }: StoreOptions & Pick<RunFailure, 'run'>,
): Promise<RecordedFailure | undefined> {
  const store = project.overlayStore;
  if (store === undefined) return undefined;
  const file = locate(store, key);
  try {
    const bytes = await store.get(key, { signal, maxValueBytes: MAX_RECORD });
    if (bytes === undefined) return undefined;
    const problem = { what: `the record of its failure is damaged: ${file}`, code: 'invalid-metadata' } as const;
    const { message, path, ...failure } = checkSchema(schema, parseJson(bytes, problem), problem);
    const { put } = rootsOf(project);
    const isOwn = (await stemOf(failure.run)) === run;
    return {
      ...failure,
      run: isOwn ? failure.run : run,
      message: put(message),
      ...(path !== undefined && { path: put(path) }),
    };
  } catch (error) {
    signal?.throwIfAborted();
    if (!isCryoetPicksError(error)) throw error;
    if (error.code !== 'invalid-metadata') return undefined;
    return { run, code: error.code, message: error.message, path: file, attempt: 1, isDamaged: true };
  }
}

/** Records that a search of a run has failed, in place of its failure of before; gives the paths of both roots another name. */
export async function writeFailure(
  project: Project,
  { run, error, attempt }: { readonly run: string; readonly error: unknown; readonly attempt: number },
  author: Authored & { readonly sha256: string },
): Promise<void> {
  const { take } = rootsOf(project);
  const { code, message, path } = described(error);
  const record = {
    program: 'cryoet-picks',
    version,
    ...{ run, userId: author.userId, sessionId: author.sessionId },
    ...{ code, message: take(message), ...(path !== undefined && { path: take(path) }), attempt },
    searchSha256: author.sha256,
  };
  const bytes = new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`);
  await project.overlayStore?.set(await keyOf(run, author), bytes, { signal: author.signal });
}

/** Removes the record of a failure. */
export async function removeFailure(project: Project, run: string, author: Authored): Promise<void> {
  await project.overlayStore?.delete(await keyOf(run, author), { signal: author.signal });
}

function described(error: unknown): { readonly code: string; readonly message: string; readonly path?: string } {
  if (isCryoetPicksError(error)) return error;
  if (!(error instanceof Error)) return { code: 'unexpected', message: String(error) };
  const { code } = error as { readonly code?: unknown };
  return { code: typeof code === 'string' ? code : 'unexpected', message: error.message };
}

/**
 * The paths of the roots of a project in a text: `take` puts `<static_root>` and `<overlay_root>` in their place, `put` the other
 * way round, so that machines that see a disk at different places write the same records, and read paths of their own.
 */
function rootsOf({ overlayStore, staticStore }: Project) {
  const roots = [
    { name: '<overlay_root>', location: overlayStore?.location },
    { name: '<static_root>', location: staticStore?.location },
  ].flatMap(({ name, location = '' }) =>
    /[/\\]./.test(location) ? [{ name, path: location.replace(/\/+$/, '') }] : [],
  );
  // A root may lie in the other one.
  roots.sort((a, b) => b.path.length - a.path.length);
  return {
    take: (given: string): string => roots.reduce((text, { name, path }) => replacePath(text, path, name), given),
    put: (given: string): string => roots.reduce((text, { name, path }) => text.replaceAll(name, path), given),
  };
}

/** Replaces a path where it stands for a folder, not as the start of a longer name. */
function replacePath(text: string, path: string, name: string): string {
  const parts = text.split(path);
  return parts.reduce((before, after) => before + (/^($|[/\\\s"'`:;,)])/.test(after) ? name : path) + after);
}
