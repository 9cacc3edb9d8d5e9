import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import {
  count,
  optional,
  positiveCount,
  project as projectRule,
  type RulesFor,
  requireArgument,
  requireOptions,
} from '../core/arguments.ts';
import { mapOrdered, type Progress, Turns, type Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { type Claims, claimsRule } from './claims.ts';
import {
  attemptRun,
  type DetectRunOptions,
  detectRunRules,
  failureOf,
  isRunDone,
  looksDone,
  type OpenSearch,
  type RunSearch,
  searchOf,
  searchOfType,
} from './detect-run.ts';
import { existingPicks, requireReplaceable } from './existing-picks.ts';
import { folderOfFailures, groupOf } from './failures.ts';
import {
  chosenRuns,
  concurrency,
  inShard,
  type ProjectRunsOptions,
  type RunResult,
  type RunStart,
  reportedIn,
  runsRules,
  tidyRun,
  tomogramTypeOf,
  workOn,
} from './project-runs.ts';
import { type Attempt, searchClaimed, searchInTurn } from './run-turns.ts';
import { requireShard } from './shards.ts';

/** How far a project is: the progress of one run, and which of how many it is. */
export interface ProjectProgress extends Progress, RunStart {}

/** Options of {@link detectProject}; those of {@link detectRun} apply to every run. */
export interface DetectProjectOptions
  extends Omit<DetectRunOptions, 'onProgress'>,
    Pick<ProjectRunsOptions, 'runs' | 'shard' | 'onStart'> {
  /**
   * How often a run that fails is searched again, after the other runs. With `claim`, over all processes, and over all searches with these
   * options: a run that has failed so often before is not searched, but yielded as `recorded`. @defaultValue 0
   */
  readonly retries?: number | undefined;
  /**
   * Shares the runs with other processes, each of which takes the next one that is free, as in `claim: overlayClaims(project)`. Runs
   * that have picks with these settings are done, as with `resume`,
   * even if another process made them. @defaultValue none: all runs are this process's
   */
  readonly claim?: Claims | undefined;
  /**
   * How many runs are worked on at once: while one has the network, the next ones are read, and the last ones written. Results then come in
   * the order in which they are done, and `prepare`, `mask` and `onProgress` are called for several runs in turn. Picks and files are
   * the same. @defaultValue 1
   */
  readonly jobs?: number | undefined;
  readonly onProgress?: ((progress: ProjectProgress) => void) | undefined;
}

const projectRules: RulesFor<DetectProjectOptions> = {
  ...detectRunRules,
  ...runsRules,
  retries: /* @__PURE__ */ optional(count),
  jobs: /* @__PURE__ */ optional(positiveCount),
  claim: /* @__PURE__ */ optional(claimsRule),
};

/**
 * Finds the particles of every run of a copick project, one after the other or `jobs` at once, and writes them into the overlay: one picks
 * file per object, an empty one where nothing was found, so that a later `resume` knows the run is done.
 *
 * Beside each picks file a hidden record says what made it: program, model and its card, threshold, distance, settings, and the
 * tomogram: type, grid, and a hash of the 32³ voxels in its middle. Picks that
 * another model or somebody else made under this user and session are not replaced unless `overwrite` is set; all runs are
 * checked for such picks first, and those that have some are yielded first, as `failed`.
 *
 * A run that fails is yielded as `failed`, once it has been tried again as often as `retries` says, and the next one is taken up.
 * With `claim`, runs that other processes do are not yielded; at the end all are done or have failed, and those whose failure
 * other processes or earlier searches with the same options have recorded are yielded last, as `recorded`. What failed is recorded in the
 * overlay, where `readFailures` finds it, until the run is searched with success. Leaving the loop stops the work. If the network fails in
 * five runs one after the other, it is not the tomograms: the work ends.
 *
 * @throws `CryoetPicksError` before any work: `not-found` if a named run is absent, `invalid-option` if no object of the
 * project is a class of the model, if there are several types of tomograms and none is named, or for any option that would fail
 * every run; `read-only` if the project has no overlay that allows writing. Later: `model-failed` if the network failed in five runs one
 * after the other; what `claim` throws; the abort reason of `signal`.
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
  const { shard, onProgress, onWarning, retries, jobs, claim, onStart, ...each } = requireOptions(
    'detectProject',
    options,
    projectRules,
  );
  if (shard !== undefined) requireShard('detectProject', shard);
  yield* searchProject(project, searchOf(project, each, 'detectProject'), options);
}

/** How the runs of a project are walked over. */
export type WalkOptions = Pick<
  DetectProjectOptions,
  | 'runs'
  | 'shard'
  | 'tomogram'
  | 'voxelSpacing'
  | 'resume'
  | 'overwrite'
  | 'retries'
  | 'jobs'
  | 'claim'
  | 'onStart'
  | 'onProgress'
  | 'onWarning'
  | 'signal'
>;

/** Searches every run of a project, as {@link detectProject} says, in whatever way. */
export async function* searchProject(
  project: Project,
  common: OpenSearch,
  options: WalkOptions,
): AsyncGenerator<RunResult, void, undefined> {
  const { onProgress, onWarning, retries = 0, jobs = 1, claim, onStart, signal } = options;
  const named = await chosenRuns(project, options);
  // Of all runs, so that every share searches tomograms of the same type.
  const search = await searchOfType(common, options.tomogram ?? (await tomogramTypeOf(named, options)));
  const runs = inShard(named, options);
  const reported = reportedIn(project);
  const assumed = new Set<string>();
  const whole = { ...search, turns: new Turns(), resume: claim !== undefined || options.resume };
  const { refused, done } = await lookOver(runs, { ...whole, isShared: claim !== undefined });
  await project.overlayStore?.tidy?.(folderOfFailures(groupOf(search)), { signal });
  for (const run of runs) if (done.has(run.name)) await tidyRun(project, run, { signal });
  for (const [run, error] of refused) yield { run, status: 'failed', error, warnings: [] };
  const left = runs.filter(({ name }) => !refused.has(name) && !done.has(name));
  /** Runs in which the network has failed since it last worked. */
  const inVain = new Set<string>();
  const attempt: Attempt = async (run, { runsLeft, triesLeft, ...held }) => {
    if (inVain.size >= MAX_IN_VAIN) throw networkFails(inVain);
    const progress = { run: run.name, runsDone: runs.length - runsLeft, runsTotal: runs.length };
    onStart?.(progress);
    return workOn(project, run, { reported, onWarning }, async (warn) => {
      const outcome = await attemptRun(project, run, {
        ...{ ...whole, ...held },
        onProgress: (one: Progress) => onProgress?.({ ...one, ...progress }),
        onWarning: notAgain(assumed, warn),
      });
      if (outcome.status === 'detected') inVain.clear();
      else if (outcome.status === 'failed' && isCryoetPicksError(outcome.error, 'model-failed')) inVain.add(run.name);
      const again = triesLeft(outcome);
      if (outcome.status === 'failed' && again > 0) warn(failedOnce(outcome.error, again));
      return outcome;
    });
  };
  const isDoneForSure = async (run: Run) => (await look(run, { ...whole, isShared: true })).isDone === true;
  if (claim === undefined) yield* searchInTurn(left, { attempt, retries, jobs, signal });
  else {
    yield* searchClaimed(left, {
      ...{ attempt, retries, jobs, signal, claims: claim },
      group: groupOf(search),
      // Picks of this user that are to be replaced look done, where only voxels tell that they are not.
      isDone: async (run) => (await looksDone(project, run, whole)) && (!options.overwrite || isDoneForSure(run)),
      isDoneForSure,
      failureOf: (run) => failureOf(project, run, whole),
      onWarning,
    });
  }
}

/** In how many runs the network may fail one after the other. */
const MAX_IN_VAIN = 5;

function networkFails(runs: ReadonlySet<string>): CryoetPicksError {
  const message =
    `the network failed in ${runs.size} runs one after the other (${listNames([...runs])}), so the others are not tried: a device, its ` +
    'memory or the network itself is at fault; search again where it works, with the option claim by one more of the option retries';
  return new CryoetPicksError('model-failed', message);
}

/** Warns of a search that failed and is tried again. */
function failedOnce(error: unknown, left: number): Warning {
  const reason = error instanceof Error ? error.message : String(error);
  const often = left === 1 ? 'once more' : `up to ${left} times more`;
  const message = `the search failed, and is tried ${often}: ${reason}`;
  return { code: 'run-tried-again', message, path: isCryoetPicksError(error) ? error.path : undefined };
}

/** Passes on warnings, those of what was assumed of an object once for all runs. */
function notAgain(assumed: Set<string>, onWarning: (warning: Warning) => void): (warning: Warning) => void {
  return (warning) => {
    const { code, message } = warning;
    if (code === 'distance-assumed' && assumed.has(message)) return;
    if (code === 'distance-assumed') assumed.add(message);
    onWarning(warning);
  };
}

interface LookOver extends RunSearch {
  /** Other processes may have worked on the runs: those that are done are looked for, too. */
  readonly isShared: boolean;
}

/** Looks at a run before any work: an error for picks that must not be replaced. */
async function look(
  run: Run,
  { isShared, ...search }: LookOver,
): Promise<{ readonly isDone?: boolean; readonly error?: unknown }> {
  try {
    if (isShared) return { isDone: await isRunDone(run, search) };
    requireReplaceable(run, await existingPicks(run, search), search);
    return {};
  } catch (error) {
    search.signal?.throwIfAborted();
    if (isCryoetPicksError(error, 'read-only')) throw error;
    // What cannot be read fails the run when its turn comes, and is recorded then.
    return isCryoetPicksError(error, 'conflict') ? { error } : {};
  }
}

/** Looks at all runs before any work: which must not be replaced, in their order and with the error of each, and which are done. */
async function lookOver(
  runs: readonly Run[],
  options: LookOver,
): Promise<{ readonly refused: ReadonlyMap<string, unknown>; readonly done: ReadonlySet<string> }> {
  const refused = new Map<string, unknown>();
  const done = new Set<string>();
  const { signal } = options;
  const lookAt = (run: Run, stop: AbortSignal) => look(run, { ...options, signal: stop });
  let index = 0;
  for await (const { isDone, error } of mapOrdered(runs, lookAt, { concurrency, signal })) {
    const { name } = runs[index++]!;
    if (error !== undefined) refused.set(name, error);
    if (isDone) done.add(name);
  }
  return { refused, done };
}
