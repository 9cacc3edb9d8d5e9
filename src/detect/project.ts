import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import {
  count,
  optional,
  project as projectRule,
  type RulesFor,
  requireArgument,
  requireOptions,
} from '../core/arguments.ts';
import { mapOrdered, type Progress, type Warning } from '../core/concurrency.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import { attemptRun, type DetectRunOptions, detectRunRules, type RunSearch, searchOf } from './detect-run.ts';
import { existingPicks, requireReplaceable } from './existing-picks.ts';
import {
  chosenRuns,
  concurrency,
  inShard,
  type Outcome,
  type ProjectRunsOptions,
  type RunResult,
  reportedIn,
  runsRules,
  tomogramTypeOf,
  workOn,
} from './project-runs.ts';
import { requireShard } from './shards.ts';

/** How far a project is: the progress of one run, and which of how many it is. */
export interface ProjectProgress extends Progress {
  readonly run: string;
  /** Runs finished before this one. */
  readonly runsDone: number;
  readonly runsTotal: number;
}

/** Options of {@link detectProject}; those of {@link detectRun} apply to every run. */
export interface DetectProjectOptions
  extends Omit<DetectRunOptions, 'onProgress'>,
    Pick<ProjectRunsOptions, 'runs' | 'shard'> {
  /** How often a run that fails is searched again, after the other runs. @defaultValue 0 */
  readonly retries?: number | undefined;
  readonly onProgress?: ((progress: ProjectProgress) => void) | undefined;
}

const projectRules: RulesFor<DetectProjectOptions> = {
  ...detectRunRules,
  ...runsRules,
  retries: /* @__PURE__ */ optional(count),
};

/**
 * Finds the particles of every run of a copick project, one after the other, and writes them into the overlay: one picks
 * file per object, an empty one where nothing was found, so that a later `resume` knows the run is done.
 *
 * Beside each picks file a hidden record says what made it: program, model and its card, threshold, distance, settings, and the
 * tomogram: type, grid, and a hash of the 32³ voxels in its middle. Picks that
 * another model or somebody else made under this user and session are not replaced unless `overwrite` is set; all runs are
 * checked for such picks first, and those that have some are yielded first, as `failed`.
 *
 * A run that fails is yielded as `failed`, once it has been tried again as often as `retries` says, and the next one is taken up.
 * What failed is recorded in the overlay, where `readFailures` finds it, until the run is searched with success. Leaving the loop
 * stops the work.
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
  const {
    shard,
    onProgress,
    onWarning,
    retries = 0,
    signal,
    ...each
  } = requireOptions('detectProject', options, projectRules);
  if (shard !== undefined) requireShard('detectProject', shard);
  const search = searchOf(project, { ...each, signal }, 'detectProject');
  const named = await chosenRuns(project, options);
  // Of all runs, so that every share searches tomograms of the same type.
  const tomogram = options.tomogram ?? (await tomogramTypeOf(named, options));
  const runs = inShard(named, options);
  const reported = reportedIn(project);
  const assumed = new Set<string>();
  const refused = await refusals(runs, { ...search, tomogram });
  for (const [run, error] of refused) yield { run, status: 'failed', error, warnings: [] };
  const waiting = runs.filter(({ name }) => !refused.has(name)).map((run) => ({ run, tries: 0, earlier: noWarnings }));
  let runsDone = refused.size;
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    signal?.throwIfAborted();
    const { run, tries, earlier } = next;
    const progress = { run: run.name, runsDone, runsTotal: runs.length };
    const result = await workOn(project, run, { reported, onWarning }, async (warn) => {
      const outcome = await attemptRun(project, run, {
        ...search,
        tomogram,
        onProgress: (one: Progress) => onProgress?.({ ...one, ...progress }),
        onWarning: notAgain(assumed, warn),
      });
      if (isTriedAgain(outcome, { tries, retries })) warn(failedOnce(outcome, retries - tries));
      return outcome;
    });
    const warnings = [...earlier, ...result.warnings];
    if (isTriedAgain(result, { tries, retries })) waiting.push({ run, tries: tries + 1, earlier: warnings });
    else {
      runsDone++;
      yield { ...result, warnings };
    }
  }
}

const noWarnings: readonly Warning[] = [];

/** Whether a run is searched again. Picks that are in the way are there the next time, too. */
function isTriedAgain(
  outcome: Outcome,
  { tries, retries }: { readonly tries: number; readonly retries: number },
): outcome is Extract<Outcome, { status: 'failed' }> {
  return outcome.status === 'failed' && tries < retries && !isCryoetPicksError(outcome.error, 'conflict');
}

/** Warns of a search that failed and is tried again. */
function failedOnce({ error }: Extract<Outcome, { status: 'failed' }>, left: number): Warning {
  const reason = error instanceof Error ? error.message : String(error);
  const message = `the search failed, and is tried again up to ${left === 1 ? 'once' : `${left} times`}: ${reason}`;
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

/** The runs whose picks must not be replaced, with the error of each, in the order of the runs. */
async function refusals(runs: readonly Run[], search: RunSearch): Promise<ReadonlyMap<string, unknown>> {
  const refused = new Map<string, unknown>();
  const refusal = async (run: Run, stop: AbortSignal): Promise<unknown> => {
    try {
      requireReplaceable(run, await existingPicks(run, { ...search, signal: stop }), search);
      return undefined;
    } catch (error) {
      stop.throwIfAborted();
      if (isCryoetPicksError(error, 'read-only')) throw error;
      return error;
    }
  };
  const { signal } = search;
  let index = 0;
  for await (const error of mapOrdered(runs, refusal, { concurrency, signal })) {
    const { name } = runs[index++]!;
    if (error !== undefined) refused.set(name, error);
  }
  return refused;
}
