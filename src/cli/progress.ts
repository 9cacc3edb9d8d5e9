import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { mapOrdered } from '../core/concurrency.ts';
import { folderOfClaims } from '../detect/claims.ts';
import { groupOf, type RunFailure, readFailures } from '../detect/failures.ts';
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
 * Prints how far a project is that others are working on, by the names of files alone: no tomogram and no picks are opened, so that ten
 * thousand runs take seconds. `gather` looks into the files.
 *
 * A run is done if it has a picks file of every object that any run has one of.
 */
export async function progressOf(
  terminal: Terminal,
  project: Project,
  { userId = 'cryoet-picks', sessionId = '0', runs }: ProgressOptions,
): Promise<Outcome> {
  const { signal } = terminal;
  const author = { userId, sessionId };
  const counts: number[] = [];
  const objects = new Set<string>();
  const list = async (run: Run, stop: AbortSignal) => {
    const sets = await run.pickSets({ ...author, signal: stop });
    for (const { object } of sets) objects.add(object);
    return sets.length;
  };
  for await (const count of mapOrdered(runs, list, { concurrency: CONCURRENCY, signal })) counts.push(count);
  const failures = new Map((await readFailures(project, { ...author, signal })).map((one) => [one.run, one]));
  const claims = await claimedRuns(project, { ...author, signal });
  const left = runs.map(({ name }) => name).filter((_, i) => counts[i] === 0 || counts[i]! < objects.size);
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
