import { formatSpacing, pathToWrite, sanitizeName } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import type { Provenance } from '../copick/provenance.ts';
import type { Run } from '../copick/run.ts';
import { formatUri } from '../copick/uri.ts';
import {
  abortSignal,
  callback,
  flag,
  isFields,
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
import type { Model } from '../inference/model.ts';
import { type Candidates, type Mask, picksFromCandidates } from '../picks/candidates.ts';
import type { ParticlePick } from '../picks/pick.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { planTiles } from '../tiles/plan.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { type CandidateLimits, calibrationOf, detectCandidates, floorsOf, limitRules } from './candidates.ts';
import type { ChosenObjects } from './choose-objects.ts';
import { existingPicks, isDone, requireReplaceable, unchangedVersions, type Wanted } from './existing-picks.ts';
import { type ChosenThreshold, type Shares, thresholdsWithin } from './max-false.ts';
import { checkDetectOptions, type DetectOptions, detectRules } from './particles.ts';
import { recordOfCandidates, recordOfModel, recordOfTomogram, recordsOf } from './picks-record.ts';
import { requireShard, type Shard, shardOf, shardRule } from './shards.ts';

/** How far a project is: the progress of one run, and which of how many it is. */
export interface ProjectProgress extends Progress {
  readonly run: string;
  /** Runs finished before this one. */
  readonly runsDone: number;
  readonly runsTotal: number;
}

/** Which runs of a project are worked on, and whose picks they get. */
export interface ProjectRunsOptions {
  /** Type of the tomograms to search, such as `wbp`. @defaultValue the only type there is; of several, `denoised` */
  readonly tomogram?: string | undefined;
  /** In Å, as the folder says. @defaultValue the only one that has such a tomogram */
  readonly voxelSpacing?: number | undefined;
  /** Names of the runs to work on, in this order, each once. @defaultValue all runs */
  readonly runs?: readonly string[] | undefined;
  /** Works on one share of these runs, in the order of their names; see {@link shardOf}. @defaultValue on all of them */
  readonly shard?: Shard | undefined;
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
  /** Where picks of each run may lie. @defaultValue everywhere */
  readonly mask?: RunMask | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A mask that may differ between runs. */
export interface RunMask {
  /** Makes the mask of a run, or several that must all agree, given the grid of its tomogram. */
  readonly of: (run: Run, grid: VoxelGrid) => Mask | readonly Mask[] | Promise<Mask | readonly Mask[]>;
  /** What the mask is, such as `{ inside: 'lamella', margin: 100 }`; recorded with the picks as `mask`, and compared by `resume`. */
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
}

/** Options of {@link detectProject}; those of {@link detectParticles} and {@link detectCandidates} apply to every run. */
export interface DetectProjectOptions
  extends Omit<DetectOptions, 'onProgress' | 'mask'>,
    CandidateLimits,
    ProjectRunsOptions {
  /**
   * Objects to look for. If given, only their picks count and are replaced; otherwise all picks of the user and session count.
   * @defaultValue every object of the project that the model knows
   */
  readonly objects?: DetectOptions['objects'];
  /**
   * Writes candidates beside the picks of a run, so that `pickProject` can pick again. If false, those of an earlier search are
   * deleted, since they are not those of the new picks. @defaultValue true
   */
  readonly keepCandidates?: boolean | undefined;
  /** Looks at each tomogram before it is searched, or wraps it: `(tomogram) => resampled(tomogram, 10)`. */
  readonly prepare?: ((tomogram: VolumeSource, run: Run) => VolumeSource | Promise<VolumeSource>) | undefined;
  /** What `prepare` does, such as `{ inverted: true }`; recorded with the picks as `settings`, and compared by `resume`. */
  readonly settings?: Readonly<Record<string, string | number | boolean | null>> | undefined;
  readonly onProgress?: ((progress: ProjectProgress) => void) | undefined;
}

/** What the options that choose runs must be. */
export const runsRules: RulesFor<ProjectRunsOptions> = {
  tomogram: {
    expected: "the type of the tomograms, such as 'denoised'",
    isValid: (value) => value === undefined || (typeof value === 'string' && value !== ''),
  },
  voxelSpacing: /* @__PURE__ */ optional(positiveLength),
  runs: /* @__PURE__ */ optional({ expected: 'a list of run names', isValid: Array.isArray, items: text }),
  shard: /* @__PURE__ */ optional(shardRule),
  userId: /* @__PURE__ */ optional(text),
  sessionId: /* @__PURE__ */ optional(text),
  resume: /* @__PURE__ */ optional(flag),
  overwrite: /* @__PURE__ */ optional(flag),
  mask: {
    expected: 'a mask of runs { of, settings }',
    isValid: (value) => value === undefined || isFields(value),
    fields: { of: callback, settings: record },
  },
  signal: /* @__PURE__ */ optional(abortSignal),
};

const projectRules: RulesFor<DetectProjectOptions> = {
  ...detectRules,
  ...limitRules,
  ...runsRules,
  objects: /* @__PURE__ */ optionalList('a list of objects { name }'),
  keepCandidates: /* @__PURE__ */ optional(flag),
  prepare: /* @__PURE__ */ optional(callback),
  settings: /* @__PURE__ */ optional(record),
};

/** The result of one run. */
export type RunResult = (
  | {
      readonly run: string;
      readonly status: 'detected' | 'skipped';
      readonly picks: readonly ParticlePick[];
      /** The objects that were looked for, those without picks too. */
      readonly objects: readonly string[];
      /** Of a run that was detected with `maxFalse`: the thresholds that it chose, by object, and the estimates at them. */
      readonly maxFalse?: Readonly<Record<string, ChosenThreshold>> | undefined;
    }
  | { readonly run: string; readonly status: 'failed'; readonly error: unknown }
) & {
  /** What looked wrong while the run was worked on: its tomogram, and files of the project that were passed over. */
  readonly warnings: readonly Warning[];
};

/** A result without its warnings. */
export type Outcome =
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
  const { userId = 'cryoet-picks', sessionId = '0', shard } = options;
  if (shard !== undefined) requireShard('detectProject', shard);
  const objects = options.objects ?? project.objects;
  const chosen = checkProjectOptions({ ...options, objects, userId, sessionId });
  const named = await chosenRuns(project, options);
  // Of all runs, so that every share searches tomograms of the same type.
  const tomogram = options.tomogram ?? (await tomogramTypeOf(named, options));
  const runs = inShard(named, options);
  const checks: RunCheck = {
    ...options,
    userId,
    sessionId,
    tomogram,
    chosen,
    shares: chosen.shares,
    calibration: calibrationOf(options.model.spec, chosen.classes, options),
    classes: chosen.classes,
    model: recordOfModel(options.model),
    network: options.model,
    isRestricted: options.objects !== undefined,
  };
  const reported = reportedIn(project);
  const refused = await refusals(runs, checks);
  for (const [run, error] of refused) yield { run, status: 'failed', error, warnings: [] };
  const left = runs.filter(({ name }) => !refused.has(name));
  const indices = new Map(runs.map(({ name }, index) => [name, index]));
  yield* eachRun(project, left, { ...options, reported }, (run, onWarning) => {
    const progress = { run: run.name, runsDone: indices.get(run.name)!, runsTotal: runs.length };
    const onProgress = (one: Progress) => options.onProgress?.({ ...one, ...progress });
    return resultOf(run, { ...checks, objects, onProgress, onWarning });
  });
}

/** The paths of the problems that a project has reported so far. */
export function reportedIn({ problems }: Project): Set<string> {
  return new Set(problems.map(({ path }) => path));
}

interface EachRunOptions {
  /** Problems that are not warned of again. */
  readonly reported: Set<string>;
  readonly signal?: AbortSignal | undefined;
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/** Works on runs one after the other, and collects what is warned of. */
export async function* eachRun(
  project: Project,
  runs: readonly Run[],
  { signal, reported, ...options }: EachRunOptions,
  work: (run: Run, onWarning: (warning: Warning) => void) => Promise<Outcome>,
): AsyncGenerator<RunResult, void, undefined> {
  for (const run of runs) {
    signal?.throwIfAborted();
    const warnings: Warning[] = [];
    const onWarning = (warning: Warning) => {
      const ofRun = { ...warning, run: run.name };
      warnings.push(ofRun);
      options.onWarning?.(ofRun);
    };
    const result = await work(run, onWarning);
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
): ReturnType<typeof checkDetectOptions> {
  const { userId, sessionId, voxelSpacing } = options;
  const chosen = checkDetectOptions({ ...options, mask: undefined }, 'detectProject');
  const { spec } = options.model;
  // Tile and overlap must fit each other whatever the shape of a volume.
  planTiles(spec.tile, spec, { overlap: options.overlap });
  if (options.keepCandidates !== false) floorsOf(spec, chosen.thresholds, options);
  const names = { userId: sanitizeName(userId), sessionId: sanitizeName(sessionId) };
  for (const object of chosen.classes) pathToWrite('picks', { run: 'run', ...names, object });
  if (voxelSpacing !== undefined) formatSpacing(voxelSpacing);
  return chosen;
}

/** The runs to work on. @throws {@link CryoetPicksError} `not-found` if one that is named is absent. */
export async function chosenRuns(project: Project, { runs, signal }: ProjectRunsOptions): Promise<readonly Run[]> {
  const all = await project.runs({ signal });
  if (runs === undefined) return all;
  const byName = new Map(all.map((run) => [run.name, run]));
  const names = [...new Set(runs)];
  const missing = names.find((name) => !byName.has(name));
  // Throws, and says which there are.
  if (missing !== undefined) await project.run(missing, { signal });
  return names.map((name) => byName.get(name)!);
}

/** The runs of one share, in the order of their names; all runs without one. */
export function inShard(runs: readonly Run[], { shard }: Pick<ProjectRunsOptions, 'shard'>): readonly Run[] {
  if (shard === undefined) return runs;
  const byName = new Map(runs.map((run) => [run.name, run]));
  return shardOf([...byName.keys()], shard).map((name) => byName.get(name)!);
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

interface RunCheck
  extends Omit<DetectProjectOptions, 'onProgress' | 'tomogram' | 'userId' | 'sessionId' | 'model'>,
    Wanted {
  readonly tomogram: string;
  readonly chosen: ChosenObjects;
  readonly shares: Shares;
  readonly calibration: Candidates['calibration'];
  readonly network: Model;
  /** The record of the network. */
  readonly model: Provenance;
}

/** The runs whose picks must not be replaced, with the error of each, in the order of the runs. */
async function refusals(runs: readonly Run[], check: RunCheck): Promise<ReadonlyMap<string, unknown>> {
  const refused = new Map<string, unknown>();
  const refusal = async (run: Run, stop: AbortSignal): Promise<unknown> => {
    try {
      requireReplaceable(run, await existingPicks(run, { ...check, signal: stop }), check);
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
  const { tomogram, voxelSpacing, userId, sessionId, classes: objects, resume = false, signal } = options;
  const before = await existingPicks(run, options);
  if (!resume) await run.requireWritable({ signal });
  const source = await run.tomogram(tomogram, { voxelSpacing, signal });
  const recorded = { ...options, tomogram: await recordOfTomogram(source, tomogram, { signal }) };
  const provenance = recordsOf({ ...recorded, mask: options.mask?.settings });
  if (resume) {
    if (isDone(run, before, { ...options, provenance })) {
      const picks = await run.picks({ userId, sessionId, object: objects, signal });
      return { run: run.name, status: 'skipped', picks: byObject(picks, objects), objects };
    }
    await run.requireWritable({ signal });
  }
  const prepared = (await options.prepare?.(source, run)) ?? source;
  const { grid } = prepared;
  const mask = await options.mask?.of(run, grid);
  const candidates = await detectCandidates(prepared, {
    ...options,
    model: options.network,
    ...(options.keepCandidates === false && {
      floors: options.maxFalse === undefined ? options.chosen.thresholds : undefined,
      candidatesPerObject: undefined,
    }),
  });
  const { shares, acrossObjects, max, onWarning } = options;
  const { thresholds, maxFalse } = thresholdsWithin(candidates, { shares, mask, onWarning });
  const picks = picksFromCandidates(candidates, { thresholds, mask, acrossObjects, max, onWarning });
  const ifVersion = await unchangedVersions(run, before, options);
  if (options.keepCandidates === false) await run.deleteCandidates({ userId, sessionId, signal });
  else {
    const [entry] = await run.tomograms({ type: tomogram, voxelSpacing, signal });
    const tomogramUri = formatUri('tomogram', { type: tomogram, voxelSpacing: entry?.voxelSpacing ?? voxelSpacing! });
    const madeBy = await recordOfCandidates({ ...recorded, spec: options.network.spec, tomogramUri });
    const keepOthers = options.isRestricted;
    await run.writeCandidates(candidates, { userId, sessionId, provenance: madeBy, keepOthers, onWarning, signal });
  }
  await run.writePicks(picks, { userId, sessionId, objects, provenance, ifVersion, signal });
  return { run: run.name, status: 'detected', picks: byObject(picks, objects), objects, maxFalse };
}

/** Picks in the order of their objects, as files hold them, so that a resumed run gives them in the order of the first one. */
export function byObject(picks: readonly ParticlePick[], objects: readonly string[]): ParticlePick[] {
  const groups = new Map<string, ParticlePick[]>(objects.map((object) => [object, []]));
  for (const pick of picks) groups.get(pick.object)?.push(pick);
  return [...groups.values()].flat();
}
