import type { Run } from '../copick/run.ts';
import { mergeStreams, onAbort, type Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { compareNames } from '../storage/store.ts';
import type { Claim, Claims } from './claims.ts';
import type { RunFailure } from './failures.ts';
import type { FailedRun, Outcome, RunResult } from './project-runs.ts';

/** Searches a run once. */
export type Attempt = (run: Run, options: AttemptOptions) => Promise<RunResult>;

/** Options of an {@link Attempt}. */
interface AttemptOptions {
  /** Runs that are not finished, this one too. */
  readonly runsLeft: number;
  /** How often the run is tried again after this outcome. */
  readonly triesLeft: (outcome: Outcome) => number;
  /** How often this process has searched the run in vain. */
  readonly failures: number;
  readonly signal?: AbortSignal | undefined;
  /** See `RunSearch.requireHeld`. */
  readonly requireHeld?: (() => Promise<void>) | undefined;
}

interface TurnOptions {
  readonly attempt: Attempt;
  readonly retries: number;
  /** How many runs are searched at once. */
  readonly jobs: number;
  readonly signal?: AbortSignal | undefined;
}

const isConflict = (outcome: Outcome) => outcome.status === 'failed' && isCryoetPicksError(outcome.error, 'conflict');

/** Picks that are in the way are there the next time, too. */
const mayHeal = (outcome: Outcome) => outcome.status === 'failed' && !isConflict(outcome);

/** Searches runs as they come, `jobs` at once; those that fail once more after the others, as often as `retries` says. */
export function searchInTurn(
  runs: readonly Run[],
  { attempt, retries, jobs, signal }: TurnOptions,
): AsyncGenerator<RunResult, void, undefined> {
  const waiting = runs.map((run) => ({ run, tries: 0, earlier: noWarnings }));
  let runsLeft = runs.length;
  async function* searchNext(stop: AbortSignal): AsyncGenerator<RunResult, void, undefined> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      stop.throwIfAborted();
      const { run, tries, earlier } = next;
      const triesLeft = (outcome: Outcome) => (mayHeal(outcome) ? retries - tries : 0);
      const result = await attempt(run, { runsLeft, triesLeft, failures: tries, signal: stop });
      const warnings = [...earlier, ...result.warnings];
      if (triesLeft(result) > 0) waiting.push({ run, tries: tries + 1, earlier: warnings });
      else {
        runsLeft--;
        yield { ...result, warnings };
      }
    }
  }
  return mergeStreams(searchNext, { count: Math.min(jobs, runs.length), signal });
}

const noWarnings: readonly Warning[] = [];

/** Options of {@link searchClaimed}. */
interface ClaimedOptions extends TurnOptions {
  readonly claims: Claims;
  readonly group: string;
  /** Whether another process has done a run. */
  readonly isDone: (run: Run) => Promise<boolean>;
  /** The same, by the picks themselves. */
  readonly isDoneForSure: (run: Run) => Promise<boolean>;
  readonly failureOf: (run: Run) => Promise<RunFailure | undefined>;
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * Searches runs as they can be claimed, `jobs` at once, until each is done or has failed, here or in another process. A run that fails is searched
 * again by whichever process claims it next, as often as `retries` says, over all processes.
 *
 * @throws What the claims throw, once the runs that are claimed are done.
 */
export async function* searchClaimed(
  runs: readonly Run[],
  { attempt, retries, jobs, claims, group, isDone, isDoneForSure, failureOf, onWarning, signal }: ClaimedOptions,
): AsyncGenerator<RunResult, void, undefined> {
  /** Runs that may still be open; one that fails goes to the end. */
  const open = new Map(runs.map((run) => [run.name, run]));
  /** Of them, those that this process searches now. */
  const searched = new Set<string>();
  /** Of runs that have failed as often as they may, in whichever process. */
  const failures = new Map<string, RunFailure>();
  /** How often this process has searched runs in vain: a failure that cannot be recorded counts, too. */
  const tried = new Map<string, number>();
  const triesLeft = (outcome: Outcome) =>
    mayHeal(outcome) ? retries + 1 - ((outcome as FailedRun).attempt ?? retries + 1) : 0;
  /** What the records of failures say of a run; `settled` once it is finished, or has failed as often as it may. */
  const stateOf = async (name: string): Promise<'settled' | 'failed' | 'untried'> => {
    const run = open.get(name);
    if (run === undefined) return 'settled';
    const failure = await failureOf(run);
    if (failure === undefined) return 'untried';
    if (failure.attempt <= retries) return 'failed';
    open.delete(name);
    failures.set(name, failure);
    return 'settled';
  };
  const isOpen = async (name: string): Promise<boolean> => {
    const run = open.get(name);
    const state = await stateOf(name);
    // A search that failed may have replaced the records of picks, and not all picks.
    if (run === undefined || state !== 'untried') return state === 'failed';
    // What cannot be looked at is searched, so that it is a failure of that run alone.
    const isOver = await isDone(run).catch(() => false);
    signal?.throwIfAborted();
    if (isOver) open.delete(name);
    return !isOver;
  };
  const told = new Set<string>();
  let blocked: { readonly error: unknown } | undefined;
  async function* searchNext(stop: AbortSignal): AsyncGenerator<RunResult, void, undefined> {
    const names = () => [...open.keys()].filter((name) => !searched.has(name));
    const next = async () => {
      try {
        return await claims.next(names(), { group, isOpen, onWarning, signal: stop });
      } catch (error) {
        stop.throwIfAborted();
        // The other jobs end what they have begun.
        blocked ??= { error };
        return undefined;
      }
    };
    for (let claim = await next(); claim !== undefined; claim = await next()) {
      const { name } = claim;
      const run = open.get(name);
      searched.add(name);
      const result = await whileHeld(claim, stop, async (held) => {
        // Of a claim that was taken over it was not asked.
        if (run === undefined || (await stateOf(name)) === 'settled') return undefined;
        const known = { runsLeft: open.size, triesLeft, failures: tried.get(name) ?? 0 };
        const outcome = await attempt(run, { ...known, ...held });
        if (outcome.status === 'failed') tried.set(name, outcome.attempt ?? known.failures);
        // Before the claim is given back, which another job may see.
        open.delete(name);
        return outcome;
      }).finally(() => searched.delete(name));
      if (run === undefined || result === undefined) continue;
      // A process that had lost the claim, and did not know, was faster.
      if (isConflict(result) && (await isDoneForSure(run))) continue;
      if (triesLeft(result) > 0) open.set(name, run);
      else if (result.status !== 'skipped') {
        told.add(name);
        yield result;
      }
    }
  }
  // One more look, where all runs are done, removes what killed processes have left.
  yield* mergeStreams(searchNext, { count: Math.max(1, Math.min(jobs, runs.length)), signal });
  // What failed here may have been seen to fail before it was told.
  const failedElsewhere = [...failures.values()].filter(({ run }) => !told.has(run));
  for (const failure of failedElsewhere.sort((a, b) => compareNames(a.run, b.run))) {
    const { run, attempt } = failure;
    yield { run, status: 'failed', error: errorOfRecord(failure), attempt, recorded: true, warnings: [] };
  }
  if (blocked !== undefined) throw blocked.error;
}

/** Does work as long as a claim is held, and gives it back; undefined if it was lost meanwhile. */
async function whileHeld<T>(
  claim: Claim,
  signal: AbortSignal | undefined,
  work: (options: { readonly signal: AbortSignal; readonly requireHeld: () => Promise<void> }) => Promise<T>,
): Promise<T | undefined> {
  const stop = new AbortController();
  const waits = [signal, claim.signal].map((one) => onAbort(one, () => stop.abort(one!.reason)));
  const requireHeld = async () => {
    if (await claim.isHeld()) return;
    const message = `another process has taken over the claim on "${claim.name}"`;
    if (!stop.signal.aborted) stop.abort(new CryoetPicksError('conflict', message));
    stop.signal.throwIfAborted();
  };
  try {
    return await work({ signal: stop.signal, requireHeld });
  } catch (error) {
    signal?.throwIfAborted();
    if (!stop.signal.aborted) throw error;
    return undefined;
  } finally {
    for (const stopWaiting of waits) stopWaiting();
    await claim.release();
  }
}

/** An error with the code that was recorded, which may be one of the system. */
function errorOfRecord({ code, message, path }: RunFailure): Error {
  return Object.assign(new CryoetPicksError('unavailable', message, { path }), { code });
}
