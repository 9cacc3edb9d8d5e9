import { nameFilter } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import type { Warning } from '../core/concurrency.ts';
import { counted } from '../page/counted.ts';
import type { RunPicks } from '../picks/pick.ts';
import type { Owner } from './command.ts';
import { ownerOf, type RunSet, setsOfRuns } from './project-picks.ts';
import { UsageError } from './terminal.ts';

/** What somebody tells about objects: where they are, and where they are not. */
export interface ToldPicks {
  /** The runs with picks. */
  readonly runs: readonly Run[];
  readonly picks: readonly RunPicks[];
  /** In the same runs. */
  readonly rejects: readonly RunPicks[];
  readonly warnings: readonly Warning[];
}

/** Options of {@link toldPicks}. */
export interface ToldPicksOptions {
  readonly runs: readonly Run[];
  /** Names of objects. */
  readonly objects: readonly string[];
  readonly picks: Owner;
  readonly rejects?: Owner | undefined;
  readonly signal: AbortSignal;
}

/**
 * Reads the picks of objects in all runs, and what was rejected in the runs with picks.
 *
 * @throws {@link UsageError} for an object of which the owner has no picks, or no rejects of any, naming those who have; what a picks file
 *   that cannot be read fails with.
 */
export async function toldPicks(
  project: Project,
  { runs: all, objects, picks: owner, rejects: rejecting, signal }: ToldPicksOptions,
): Promise<ToldPicks> {
  const sets = await setsOfRuns(project, {
    runs: all,
    list: (run, stop) => run.pickSets({ object: objects, signal: stop }),
    failures: { all: [], has: () => false, add: refuse },
    signal,
  });
  const own = await readSets(sets, owner, signal);
  for (const object of objects) {
    if (!own.some(({ picks }) => picks.some((pick) => pick.object === object))) {
      throw nothingOf(sets, { flag: '--picks', owner, objects: [object] });
    }
  }
  const rejected = rejecting === undefined ? [] : await readSets(sets, rejecting, signal);
  if (rejecting !== undefined && rejected.length === 0) {
    throw nothingOf(sets, { flag: '--rejects', owner: rejecting, objects });
  }
  const names = new Set(own.map(({ run }) => run));
  const elsewhere = rejected.filter(({ run }) => !names.has(run)).map(({ run }) => run);
  const message =
    `the rejects of ${counted(elsewhere.length, 'run')} without picks are left out: ${listNames(elsewhere)}; ` +
    'rejects teach in the runs that are picked';
  return {
    runs: all.filter(({ name }) => names.has(name)),
    picks: own,
    rejects: rejected.filter(({ run }) => names.has(run)),
    warnings: elsewhere.length === 0 ? [] : [{ code: 'rejects-left-out', message }],
  };
}

/** What cannot be read may be what was to be learned. */
function refuse(_: string, error: unknown): never {
  throw error;
}

/** The picks of an owner by run; runs without any are left out. */
async function readSets(
  sets: readonly RunSet[],
  { userId, sessionId }: Owner,
  signal: AbortSignal,
): Promise<RunPicks[]> {
  const [isUser, isSession] = [nameFilter(userId), nameFilter(sessionId)];
  const byRun = new Map<string, RunPicks>();
  for (const { run, set } of sets) {
    if (!isUser(set.userId) || !isSession(set.sessionId)) continue;
    const { picks } = await set.read({ signal });
    if (picks.length > 0) byRun.set(run, { run, picks: [...(byRun.get(run)?.picks ?? []), ...picks] });
  }
  return [...byRun.values()];
}

interface Missing {
  readonly flag: string;
  readonly owner: Owner;
  readonly objects: readonly string[];
}

/** Says that an owner has no picks of objects, and who has. */
function nothingOf(sets: readonly RunSet[], { flag, owner, objects }: Missing): UsageError {
  const owners = [...new Set(sets.filter(({ set }) => objects.includes(set.object)).map(ownerOf))].sort();
  const others =
    owners.length === 0
      ? 'nobody has any; pick some with "npx cryoet-picks view", or "import" them'
      : `there are some of ${listNames(owners)}`;
  const asked = `${flag} ${owner.userId}/${owner.sessionId}`;
  return new UsageError(`${asked}: there are no picks of ${listNames(objects)} by this user and session; ${others}`);
}
