import { nameFilter } from '../copick/layout.ts';
import type { PickSet } from '../copick/pick-sets.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { unreadRuns } from '../copick/tree.ts';
import { mapOrdered } from '../core/concurrency.ts';
import { describeFailure, type Failure, failedRun, type Terminal, UsageError } from './terminal.ts';

/** A run that a part of the work failed for. */
export interface RunFailure {
  readonly run: string;
  readonly error: Failure;
}

/** The failures of runs, each told once. */
export interface Failures {
  readonly all: readonly RunFailure[];
  /** Notes what failed a run, the first time. @throws The error, if it is wrong usage, or the command was stopped. */
  add(run: string, error: unknown): void;
  has(run: string): boolean;
}

/** Collects the runs that fail, while the work goes on with the others. */
export function collectFailures({ signal }: Terminal): Failures {
  const byRun = new Map<string, RunFailure>();
  return {
    get all() {
      return [...byRun.values()];
    },
    add(run, error) {
      signal.throwIfAborted();
      if (error instanceof UsageError) throw error;
      if (!byRun.has(run)) byRun.set(run, { run, error: describeFailure(error) });
    },
    has: (run) => byRun.has(run),
  };
}

/** Says on stderr which runs failed, and why. */
export function warnOfFailures(terminal: Terminal, failures: readonly RunFailure[]): void {
  for (const { run, error } of failures) terminal.warn(failedRun(run, error.message));
}

type Tried<T> = { readonly run: Run; readonly result: { readonly value: T } | { readonly error: unknown } };

/** The result of each run, in order: a value or an error. */
export function tried<T>(
  runs: readonly Run[],
  work: (run: Run, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): AsyncGenerator<Tried<T>, void, undefined> {
  return mapOrdered(
    runs,
    async (run, stop): Promise<Tried<T>> => {
      try {
        return { run, result: { value: await work(run, stop) } };
      } catch (error) {
        stop.throwIfAborted();
        return { run, result: { error } };
      }
    },
    { concurrency: 4, signal },
  );
}

/** A picks file and its run. */
export interface RunSet {
  readonly run: string;
  readonly set: PickSet;
}

/** Options of {@link setsOfRuns}. */
export interface SetsOptions {
  readonly runs: readonly Run[];
  /** Lists picks files of a run; all of them, if absent. */
  readonly list?: ((run: Run, signal: AbortSignal) => Promise<readonly PickSet[]>) | undefined;
  readonly failures: Failures;
  readonly signal: AbortSignal;
}

/**
 * The picks files of runs. A run has failed if a folder or file of it cannot be read, although the project, which lists what it can,
 * only counts that among its problems: what lies there is not absent. A file that can be read but is damaged fails when it is opened.
 *
 * @throws What the list of runs of one of the project's roots fails with.
 */
export async function setsOfRuns(
  project: Project,
  { runs, list = (run, signal) => run.pickSets({ signal }), failures, signal }: SetsOptions,
): Promise<RunSet[]> {
  const sets: RunSet[] = [];
  for await (const { run, result } of tried(runs, list, signal)) {
    if ('error' in result) failures.add(run.name, result.error);
    else for (const set of result.value) sets.push({ run: run.name, set });
  }
  const listed = new Set<string | undefined>(runs.map(({ name }) => name));
  for (const [run, cause] of unreadRuns(project.problems)) {
    // Without its list of runs, a root may have more of them.
    if (run === undefined) throw cause;
    if (listed.has(run)) failures.add(run, cause);
  }
  return sets.filter(({ run }) => !failures.has(run));
}

/** Options of {@link chooseSets}. */
export interface ChooseSetsOptions {
  /** What the picks are, for messages: `truth`. */
  readonly what: string;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** The users of whom the first that has picks is taken if a project has those of several users and none is given. */
  readonly usualUsers: readonly string[];
  /** The options of the command line that select user and session, for messages. */
  readonly flags: string;
}

/** The sets of one user and session: those given, else those of a usual user, else the only ones there are. */
export function chooseSets(sets: readonly RunSet[], path: string, options: ChooseSetsOptions): readonly RunSet[] {
  const { what, userId, sessionId, usualUsers, flags } = options;
  const [isUser, isSession] = [nameFilter(userId), nameFilter(sessionId)];
  const named = sets.filter(({ set }) => isUser(set.userId) && isSession(set.sessionId));
  const usualUser = usualUsers.find((user) => named.some(({ set }) => set.userId === user));
  const usual = userId === undefined ? named.filter(({ set }) => set.userId === usualUser) : [];
  const chosen = usual.length > 0 ? usual : named;
  const owners = new Set(chosen.map(ownerOf));
  if (owners.size === 1) return chosen;
  const available = [...new Set(sets.map(ownerOf))].join(', ') || 'none';
  const found = owners.size === 0 ? 'no picks' : `picks of ${owners.size} users or sessions`;
  throw new UsageError(`${what} ${path}: ${found} found; give ${flags} to choose; available: ${available}`);
}

/** The owner of a set, as `user/session`. */
export function ownerOf({ set: { userId, sessionId } }: RunSet): string {
  return `${userId || '(no user)'}/${sessionId || '(no session)'}`;
}
