import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { mapOrdered } from '../core/concurrency.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import { folderOfClaims } from '../detect/claims.ts';
import { groupOf, type RunFailure, readFailures } from '../detect/failures.ts';
import { type LookedRun, lookAtRun, particlesOf, Ways } from '../detect/run-ways.ts';
import { counted } from '../page/counted.ts';
import type { Outcome } from './command.ts';
import { failureOf, type Terminal } from './terminal.ts';

/** What `info --progress --json` prints. */
interface ProgressDocument {
  readonly userId: string;
  readonly sessionId: string;
  /** How many runs there are. */
  readonly expected: number;
  /** Names of runs; each run is in one of the four lists. */
  readonly done: readonly string[];
  readonly claimed: readonly string[];
  readonly failed: readonly RunFailure[];
  readonly missing: readonly string[];
}

/** Options of {@link progressOf}. */
export interface ProgressOptions {
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly runs: readonly Run[];
}

/** How many runs are listed at once. */
const CONCURRENCY = 32;

/** How many names are printed; `--json` has all. */
const MAX_TOLD = 10;

/**
 * Prints how far a project is that others are working on, by the names of files: no tomogram is opened, and of runs that have picks of
 * the same objects one is looked into, so that ten thousand runs take seconds. `gather`, which has the same rule of what is done, looks
 * into all of them.
 */
export async function progressOf(
  terminal: Terminal,
  project: Project,
  { userId = 'cryoet-picks', sessionId = '0', runs }: ProgressOptions,
): Promise<Outcome> {
  const { signal } = terminal;
  const author = { userId, sessionId };
  const left = await unfinishedRuns(project, runs, { ...author, signal });
  const failures = new Map((await readFailures(project, { ...author, signal })).map((one) => [one.run, one]));
  const claims = await claimedRuns(project, { ...author, signal });
  const isLeft = new Set(left);
  const document: ProgressDocument = {
    ...author,
    expected: runs.length,
    done: runs.map(({ name }) => name).filter((name) => !isLeft.has(name)),
    claimed: left.filter((name) => claims.has(name)),
    failed: left.flatMap((name) => (claims.has(name) ? [] : (failures.get(name) ?? []))),
    missing: left.filter((name) => !claims.has(name) && !failures.has(name)),
  };
  terminal.print(...progressLines(document));
  return { json: document };
}

/** The names of runs that are not done, if all that have picks of the same objects were searched alike. */
async function unfinishedRuns(
  { objects }: Project,
  runs: readonly Run[],
  { signal, ...author }: { readonly userId: string; readonly sessionId: string; readonly signal: AbortSignal },
): Promise<string[]> {
  const particles = particlesOf(objects);
  const looks = new Map<string, Promise<LookedRun>>();
  const lookAt = async (run: Run, stop: AbortSignal) => {
    const sets = await run.pickSets({ ...author, signal: stop });
    const key = JSON.stringify(sets.map(({ object }) => object));
    const look =
      looks.get(key) ??
      lookAtRun(run, { ...author, particles, signal: stop }).catch((error: unknown): LookedRun => {
        signal.throwIfAborted();
        if (!isCryoetPicksError(error)) throw error;
        // What cannot be read is known by its name; gather says what is wrong.
        const records = Object.fromEntries(sets.map(({ object }) => [object, undefined]));
        return { records, looked: [], hasCandidates: false, voxelSize: undefined };
      });
    looks.set(key, look);
    return look;
  };
  const ways = new Ways();
  let index = 0;
  for await (const looked of mapOrdered(runs, lookAt, { concurrency: CONCURRENCY, signal }))
    ways.add(runs[index++]!.name, looked);
  ways.usual();
  return runs.map(({ name }) => name).filter((name) => ways.compare(name).lacks.length > 0);
}

/** The names of runs that processes hold, or held when they died; see `detect --claim`. */
export async function claimedRuns(
  { overlayStore }: Project,
  { userId, sessionId, signal }: { readonly userId: string; readonly sessionId: string; readonly signal: AbortSignal },
): Promise<ReadonlySet<string>> {
  const folder = folderOfClaims(groupOf({ userId, sessionId }));
  const entries = (await overlayStore?.list(folder, { signal })) ?? [];
  return new Set(entries.map(({ name }) => name));
}

function progressLines({ expected, done, claimed, failed, missing }: ProgressDocument): string[] {
  const counts = `${done.length} done, ${claimed.length} claimed, ${failed.length} failed, ${missing.length} missing`;
  const attempts = (attempt: number) => (attempt > 1 ? `, ${attempt} attempts` : '');
  return [
    `${counted(expected, 'run')}: ${counts}`,
    ...told(claimed, (name) => `  claimed  ${name}`),
    ...told(
      failed,
      ({ run, code, message, attempt }) => `  failed   ${run}  ${code}${attempts(attempt)}: ${failureOf(run, message)}`,
    ),
  ];
}

function told<T>(items: readonly T[], lineOf: (item: T) => string): string[] {
  const more = items.length - MAX_TOLD;
  return [...items.slice(0, MAX_TOLD).map(lineOf), ...(more > 0 ? [`  and ${more} more`] : [])];
}
