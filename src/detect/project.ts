import { formatSpacing, pathToWrite, sanitizeName } from '../copick/layout.ts';
import type { PickSet } from '../copick/pick-sets.ts';
import type { Project } from '../copick/project.ts';
import { differences, type PicksOrigin, type Provenance } from '../copick/provenance.ts';
import type { Run } from '../copick/run.ts';
import {
  anything,
  callback,
  flag,
  optional,
  optionalList,
  positiveLength,
  project as projectRule,
  quotedNames,
  type RulesFor,
  record,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import { mapOrdered, type Progress, type Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { planTiles } from '../tiles/plan.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { ChosenObjects } from './choose-objects.ts';
import { checkDetectOptions, type DetectOptions, detectParticles, detectRules } from './particles.ts';
import { recordOfModel, recordOfTomogram, recordsOf } from './picks-record.ts';

/** How far a project is: the progress of one run, and which of how many it is. */
export interface ProjectProgress extends Progress {
  readonly run: string;
  /** Runs finished before this one. */
  readonly runsDone: number;
  readonly runsTotal: number;
}

/** Options of {@link detectProject}; those of {@link detectParticles} apply to every run. */
export interface DetectProjectOptions extends Omit<DetectOptions, 'onProgress'> {
  /**
   * Objects to look for. If given, only their picks count and are replaced; otherwise all picks of the user and session count.
   * @defaultValue every object of the project that the model knows
   */
  readonly objects?: DetectOptions['objects'];
  /** Type of the tomograms to search, such as `wbp`. @defaultValue the only type there is; of several, `denoised` */
  readonly tomogram?: string | undefined;
  /** In Å, as the folder says. @defaultValue the only one that has such a tomogram */
  readonly voxelSpacing?: number | undefined;
  /** Names of the runs to work on, in this order, each once. @defaultValue all runs */
  readonly runs?: readonly string[] | undefined;
  /** Under whose name picks are written. @defaultValue 'cryoet-picks' */
  readonly userId?: string | undefined;
  /** @defaultValue '0', copick's mark of picks that a tool made */
  readonly sessionId?: string | undefined;
  /**
   * Reads the picks of runs that this user and session already have of every object, instead of finding them again. A run whose
   * picks were made with other settings fails, unless `overwrite` is set. @defaultValue false
   */
  readonly resume?: boolean | undefined;
  /**
   * Replaces picks of this user and session that another model or somebody else made, or with `resume` the same model with other
   * settings. Without it, a run that has such picks fails before any work. @defaultValue false
   */
  readonly overwrite?: boolean | undefined;
  /** Looks at each tomogram before it is searched, or wraps it: `(tomogram) => resampled(tomogram, 10)`. */
  readonly prepare?: ((tomogram: VolumeSource, run: Run) => VolumeSource | Promise<VolumeSource>) | undefined;
  /** What `prepare` does, such as `{ inverted: true }`; recorded with the picks as `settings`, and compared by `resume`. */
  readonly settings?: Readonly<Record<string, string | number | boolean | null>> | undefined;
  readonly onProgress?: ((progress: ProjectProgress) => void) | undefined;
}

const projectRules: RulesFor<DetectProjectOptions> = {
  ...detectRules,
  objects: /* @__PURE__ */ optionalList('a list of objects { name }'),
  tomogram: anything,
  voxelSpacing: /* @__PURE__ */ optional(positiveLength),
  runs: /* @__PURE__ */ optional({ expected: 'a list of run names', isValid: Array.isArray, items: text }),
  userId: /* @__PURE__ */ optional(text),
  sessionId: /* @__PURE__ */ optional(text),
  resume: /* @__PURE__ */ optional(flag),
  overwrite: /* @__PURE__ */ optional(flag),
  prepare: /* @__PURE__ */ optional(callback),
  settings: /* @__PURE__ */ optional(record),
};

/** The result of one run. */
export type RunResult = (
  | { readonly run: string; readonly status: 'detected' | 'skipped'; readonly picks: readonly ParticlePick[] }
  | { readonly run: string; readonly status: 'failed'; readonly error: unknown }
) & {
  /** What looked wrong while the run was worked on: its tomogram, and files of the project that were passed over. */
  readonly warnings: readonly Warning[];
};

type Outcome =
  | Omit<Extract<RunResult, { picks: unknown }>, 'warnings'>
  | Omit<Extract<RunResult, { error: unknown }>, 'warnings'>;

/**
 * Finds the particles of every run of a copick project, one after the other, and writes them into the overlay: one picks
 * file per object, an empty one where nothing was found, so that a later `resume` knows the run is done.
 *
 * Beside each picks file a hidden record says what made it: program, model and its card, threshold, distance, settings, and the
 * tomogram: type, grid, and a hash of the 32³ voxels in its middle. Picks that
 * another model or somebody else made under this user and session are not replaced unless `overwrite` is set; all runs are
 * checked for such picks first, and those that have some are yielded first, as `failed`.
 *
 * A run that fails is yielded as `failed` and the next one is taken up. Leaving the loop stops the work.
 *
 * @throws `CryoetPicksError` before any work: `not-found` if a named run is absent, `invalid-option` if no object of the
 * project is a class of the model, if there are several types of tomograms and none is named, or for any option that would fail
 * every run; `read-only` if the project has no overlay that allows writing. Later: the abort reason of `signal`.
 *
 * @example
 * ```ts
 * for await (const result of detectProject(project, { tomogram: 'denoised', model, resume: true })) {
 *   console.log(result.run, result.status);
 * }
 * ```
 */
export async function* detectProject(
  project: Project,
  options: DetectProjectOptions,
): AsyncGenerator<RunResult, void, undefined> {
  requireArgument('detectProject', 'project', project, projectRule);
  requireOptions('detectProject', options, projectRules);
  const { signal, userId = 'cryoet-picks', sessionId = '0' } = options;
  const objects = options.objects ?? project.objects;
  const chosen = checkProjectOptions({ ...options, objects, userId, sessionId });
  const runs = await chosenRuns(project, options);
  const tomogram = options.tomogram ?? (await tomogramTypeOf(runs, options));
  const reported = new Set(project.problems.map(({ path }) => path));
  const checks: RunCheck = {
    ...options,
    userId,
    sessionId,
    tomogram,
    chosen,
    isRestricted: options.objects !== undefined,
  };
  const refused = await refusals(runs, checks);
  for (const [run, error] of refused) yield { run, status: 'failed', error, warnings: [] };
  for (const [runsDone, run] of runs.entries()) {
    if (refused.has(run.name)) continue;
    signal?.throwIfAborted();
    const progress = { run: run.name, runsDone, runsTotal: runs.length };
    const warnings: Warning[] = [];
    const onWarning = (warning: Warning) => {
      const ofRun = { ...warning, run: run.name };
      warnings.push(ofRun);
      options.onWarning?.(ofRun);
    };
    const result = await resultOf(run, {
      ...checks,
      objects,
      onProgress: (one) => options.onProgress?.({ ...one, ...progress }),
      onWarning,
    });
    for (const { path, message, run: owner } of project.problems) {
      if (reported.has(path) || owner !== run.name) continue;
      reported.add(path);
      onWarning({ code: 'file-passed-over', message, path });
    }
    yield { ...result, warnings };
  }
}

interface Authored {
  readonly userId: string;
  readonly sessionId: string;
}

/** Checks the options that would fail every run alike. */
function checkProjectOptions(
  options: Omit<DetectProjectOptions, 'onProgress' | 'userId' | 'sessionId'> & Authored,
): ChosenObjects {
  const { userId, sessionId, voxelSpacing, tomogram } = options;
  const chosen = checkDetectOptions(options, 'detectProject');
  const { spec } = options.model;
  // Tile and overlap must fit each other whatever the shape of a volume.
  planTiles(spec.tile, spec, { overlap: options.overlap });
  const names = { userId: sanitizeName(userId), sessionId: sanitizeName(sessionId) };
  for (const object of chosen.classes) pathToWrite('picks', { run: 'run', ...names, object });
  if (voxelSpacing !== undefined) formatSpacing(voxelSpacing);
  if (tomogram !== undefined && (typeof tomogram !== 'string' || tomogram === '')) {
    throw new CryoetPicksError(
      'invalid-option',
      `tomogram is ${showJson(tomogram)}, expected the type of the tomograms, such as 'denoised'`,
      { option: 'tomogram' },
    );
  }
  return chosen;
}

async function chosenRuns(project: Project, { runs, signal }: DetectProjectOptions): Promise<readonly Run[]> {
  const all = await project.runs({ signal });
  if (runs === undefined) return all;
  const byName = new Map(all.map((run) => [run.name, run]));
  const names = [...new Set(runs)];
  const missing = names.find((name) => !byName.has(name));
  // Throws, and says which there are.
  if (missing !== undefined) await project.run(missing, { signal });
  return names.map((name) => byName.get(name)!);
}

/** How many runs are looked at at once before the work. */
const concurrency = 8;

/**
 * The type of tomograms to search if none is named: the only one there is, or `denoised`; without any tomogram each run says so.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if there are several others.
 */
export async function tomogramTypeOf(
  runs: readonly Run[],
  { voxelSpacing, signal }: Pick<DetectProjectOptions, 'voxelSpacing' | 'signal'>,
): Promise<string> {
  const typesOf = async (run: Run, stop: AbortSignal) => {
    try {
      return (await run.tomograms({ voxelSpacing, signal: stop })).map(({ type }) => type);
    } catch {
      // The run fails later, and says why.
      stop.throwIfAborted();
      return [];
    }
  };
  const types = new Set<string>();
  for await (const found of mapOrdered(runs, typesOf, { concurrency, signal }))
    for (const type of found) types.add(type);
  if (types.size === 0 || types.has('denoised')) return 'denoised';
  const available = [...types].sort();
  if (available.length === 1) return available[0]!;
  throw new CryoetPicksError(
    'invalid-option',
    `the runs have tomograms of several types; choose one of ${quotedNames(available)}`,
    { option: 'tomogram', available },
  );
}

interface RunCheck extends Omit<DetectProjectOptions, 'onProgress' | 'tomogram' | 'userId' | 'sessionId'>, Authored {
  readonly tomogram: string;
  readonly chosen: ChosenObjects;
  /** Whether only the picks of the chosen objects count. */
  readonly isRestricted: boolean;
}

/** The runs whose picks must not be replaced, with the error of each, in the order of the runs. */
async function refusals(runs: readonly Run[], check: RunCheck): Promise<ReadonlyMap<string, unknown>> {
  const refused = new Map<string, unknown>();
  const refusal = async (run: Run, stop: AbortSignal): Promise<unknown> => {
    try {
      requireReplaceable(run, await existing(run, { ...check, signal: stop }), check);
      return undefined;
    } catch (error) {
      stop.throwIfAborted();
      if (isCryoetPicksError(error, 'read-only')) throw error;
      return error;
    }
  };
  const { signal } = check;
  let index = 0;
  for await (const error of mapOrdered(runs, refusal, { concurrency, signal })) {
    const { name } = runs[index++]!;
    if (error !== undefined) refused.set(name, error);
  }
  return refused;
}

/** Picks that a run has of this user and session, and what made them. */
interface ExistingPicks {
  readonly set: PickSet;
  readonly origin: PicksOrigin;
}

async function existing(
  run: Run,
  { userId, sessionId, chosen, isRestricted, signal }: RunCheck,
): Promise<ExistingPicks[]> {
  const object = isRestricted ? chosen.classes : undefined;
  const found: ExistingPicks[] = [];
  for (const set of await run.pickSets({ userId, sessionId, object, signal })) {
    const origin = await set.origin({ signal });
    if (origin !== undefined) found.push({ set, origin });
  }
  return found;
}

/** @throws {@link CryoetPicksError} `conflict` for picks that another model or somebody else made. */
function requireReplaceable(run: Run, found: readonly ExistingPicks[], check: RunCheck): void {
  const { model, chosen, overwrite } = check;
  if (overwrite) return;
  for (const { set, origin } of found) {
    const reason = whoseElse(origin, check);
    if (reason === undefined) continue;
    if (chosen.classes.includes(set.object)) throw refusalOf(run, set, reason);
    const objects = quotedNames(chosen.classes);
    throw refusalOf(
      run,
      set,
      reason,
      `"${model.spec.name}" does not look for them, and would add its own picks to theirs: choose another user or session, ` +
        `or restrict the objects to ${objects}; overwrite does the same, and leaves these picks as they are`,
    );
  }
}

/** Whose picks they are, if not those of this model and author. */
function whoseElse({ provenance }: PicksOrigin, { model, userId, sessionId }: RunCheck): string | undefined {
  if (provenance === undefined) return 'were not written by a detection of this program, or were changed since';
  const others = differences(provenance.model, recordOfModel(model), 'model');
  if (others.length > 0) {
    const { name } = (provenance.model ?? {}) as { readonly name?: unknown };
    return name === model.spec.name
      ? `were found by another model of the name "${name}": ${others.join(', ')}`
      : `were found by the model ${showJson(name)}, not by "${model.spec.name}"`;
  }
  if (provenance.userId === userId && provenance.sessionId === sessionId) return undefined;
  const author = `user ${showJson(provenance.userId)}, session ${showJson(provenance.sessionId)}`;
  return `were written as those of ${author}, whose files have the same names`;
}

function refusalOf(
  { name }: Run,
  { object, userId, sessionId, path }: PickSet,
  reason: string,
  remedy = 'set overwrite to replace them, or choose another user or session',
): CryoetPicksError {
  return new CryoetPicksError(
    'conflict',
    `picks of "${object}" by user "${userId}", session "${sessionId}" in run "${name}" ${reason}: ${path}; ${remedy}`,
    { path, option: 'overwrite' },
  );
}

type RunOptions = RunCheck & Required<Pick<DetectOptions, 'objects' | 'onProgress'>>;

/** Detects one run; only an abort and a project that is read-only end the whole project, any other failure only the run. */
async function resultOf(run: Run, options: RunOptions): Promise<Outcome> {
  try {
    return await detectRun(run, options);
  } catch (error) {
    if (options.signal?.aborted || isCryoetPicksError(error, 'read-only')) throw error;
    return { run: run.name, status: 'failed', error: await withPath(error, run, options) };
  }
}

/** An error with the path of the run's tomogram, if it names no path itself. */
async function withPath(error: unknown, run: Run, { tomogram, voxelSpacing, signal }: RunOptions): Promise<unknown> {
  if (!isCryoetPicksError(error) || error.path !== undefined) return error;
  // What cannot be listed has no path to tell.
  const entries = await run.tomograms({ type: tomogram, voxelSpacing, signal }).catch(() => []);
  signal?.throwIfAborted();
  const path = entries[0]?.path;
  if (path === undefined || error.message.includes(path)) return error;
  const { code, message, option, available } = error;
  return new CryoetPicksError(code, `${path}: ${message}`, { option, available, path, cause: error });
}

async function detectRun(run: Run, options: RunOptions): Promise<Outcome> {
  const { tomogram, voxelSpacing, userId, sessionId, chosen, resume = false, signal } = options;
  const objects = chosen.classes;
  const before = await existing(run, options);
  if (!resume) await run.requireWritable({ signal });
  const source = await run.tomogram(tomogram, { voxelSpacing, signal });
  const provenance = recordsOf({ ...options, tomogram: await recordOfTomogram(source, tomogram, { signal }) });
  if (resume) {
    if (isDone(run, before, { ...options, provenance })) {
      const picks = await run.picks({ userId, sessionId, object: objects, signal });
      return { run: run.name, status: 'skipped', picks: byObject(picks, objects) };
    }
    await run.requireWritable({ signal });
  }
  const picks = await detectParticles((await options.prepare?.(source, run)) ?? source, options);
  const now = await existing(run, options);
  requireSame(run, before, now);
  const ifVersion = versionsOf(now, objects);
  await run.writePicks(picks, { userId, sessionId, objects, provenance, ifVersion, signal });
  return { run: run.name, status: 'detected', picks: byObject(picks, objects) };
}

/** The versions of picks files, by object, which another process must not have replaced when they are written. */
function versionsOf(
  found: readonly ExistingPicks[],
  objects: readonly string[],
): Readonly<Record<string, string | null | undefined>> {
  const versionOf = (object: string) => {
    const one = found.find(({ set }) => set.object === object);
    return one === undefined ? null : one.origin.version;
  };
  return Object.fromEntries(objects.map((object) => [object, versionOf(object)]));
}

/** Picks in the order of their objects, as files hold them, so that a resumed run gives them in the order of the first one. */
function byObject(picks: readonly ParticlePick[], objects: readonly string[]): ParticlePick[] {
  const groups = new Map<string, ParticlePick[]>(objects.map((object) => [object, []]));
  for (const pick of picks) groups.get(pick.object)?.push(pick);
  return [...groups.values()].flat();
}

/**
 * Whether a run has picks of every object, made just so.
 *
 * @throws {@link CryoetPicksError} `conflict` for picks that were made otherwise, unless they may be replaced.
 */
function isDone(
  run: Run,
  before: readonly ExistingPicks[],
  { chosen, overwrite, provenance }: RunOptions & { readonly provenance: Readonly<Record<string, Provenance>> },
): boolean {
  let done = 0;
  for (const { set, origin } of before) {
    if (!Object.hasOwn(provenance, set.object)) continue;
    const others = differences(origin.provenance, provenance[set.object]!);
    if (others.length === 0) done++;
    else if (!overwrite) throw refusalOf(run, set, `were made otherwise: ${others.join(', ')}`);
  }
  return done === chosen.classes.length;
}

/** @throws {@link CryoetPicksError} `conflict` if picks were written while the run was searched. */
function requireSame(run: Run, before: readonly ExistingPicks[], now: readonly ExistingPicks[]): void {
  const known = new Map(before.map(({ set, origin }) => [set.path, origin.sha256]));
  const changed = now.find(({ set, origin }) => known.get(set.path) !== origin.sha256);
  if (changed !== undefined) throw refusalOf(run, changed.set, 'were written while the run was searched');
}
