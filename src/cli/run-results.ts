import { isCryoetPicksError } from '../core/errors.ts';
import type { ChosenThreshold } from '../detect/max-false.ts';
import type { RunResult, RunStart } from '../detect/project-runs.ts';
import { counted } from '../page/counted.ts';
import type { RunPicks } from '../picks/pick.ts';
import type { DetectInput } from './command.ts';
import type { RunBars } from './run-bars.ts';
import {
  countByObject,
  describeFailure,
  type Failure,
  failedRun,
  sumOf,
  type Terminal,
  type TerminalEvent,
} from './terminal.ts';

/** The result of a run: picks per object, or why it failed. */
export interface RunSummary {
  readonly run: string;
  readonly status: 'detected' | 'skipped' | 'failed';
  /** Of all objects that were looked for. */
  readonly picks?: Readonly<Record<string, number>> | undefined;
  /** With `--max-false`, of a run that was searched: the thresholds that it chose, by object, and the estimates at them. */
  readonly maxFalse?: Readonly<Record<string, ChosenThreshold>> | undefined;
  readonly seconds: number;
  readonly error?: Failure | undefined;
  /** Of a run that failed: how many searches of it have failed, over all processes. */
  readonly attempt?: number | undefined;
  /** True of a run that failed in an earlier search or in another process, and was not searched now. */
  readonly recorded?: true | undefined;
}

/** Something wrong with a tomogram, and its path. */
export interface TomogramProblem {
  readonly path: string;
  readonly message: string;
}

/** Reports the runs that start, and keeps the time of each start. */
export function startsOf(terminal: Terminal) {
  const started = new Map<string, number>();
  return {
    onStart: (start: RunStart): void => {
      started.set(start.run, performance.now());
      terminal.event({ event: 'started', ...start });
    },
    /** 0 for a run that was refused before any work. */
    secondsSince: (run: string): number => (performance.now() - (started.get(run) ?? performance.now())) / 1000,
  };
}

/** Options of {@link collectRuns}. */
export interface CollectOptions extends Pick<DetectInput, 'failFast'> {
  readonly bars: RunBars;
  readonly starts: ReturnType<typeof startsOf>;
  /** What else is told of the tomogram of a run, once it was searched. */
  readonly afterwards: (run: string) => readonly TomogramProblem[];
  /** Of how many runs the picks are kept: those of thousands fill the memory. @defaultValue all */
  readonly keepPicksOf?: number | undefined;
}

/** Result of {@link collectRuns}. */
export interface CollectedRuns {
  readonly summaries: readonly RunSummary[];
  /** The picks of the first runs, as many as `keepPicksOf` says. */
  readonly found: readonly RunPicks[];
  /** Tomograms with missing chunks; each was printed as a warning. */
  readonly problems: readonly TomogramProblem[];
}

/** Waits for the results of runs, with a line for each. */
export async function collectRuns(
  terminal: Terminal,
  results: AsyncIterable<RunResult>,
  { bars, starts, afterwards, failFast, keepPicksOf = Number.POSITIVE_INFINITY }: CollectOptions,
): Promise<CollectedRuns> {
  const summaries: RunSummary[] = [];
  const found: RunPicks[] = [];
  const problems: TomogramProblem[] = [];
  try {
    for await (const result of results) {
      bars.finish(result.run);
      problems.push(...afterwards(result.run));
      const summary = summarize(result, starts.secondsSince(result.run));
      summaries.push(summary);
      terminal.event(eventOf(summary, result.status === 'failed' ? result.error : undefined));
      if (result.status !== 'failed' && found.length < keepPicksOf)
        found.push({ run: result.run, picks: result.picks });
      if (summary.error === undefined) terminal.print(runLine(summary));
      else terminal.warn(failureLine(summary, summary.error));
      if (failFast && summary.error !== undefined) break;
    }
  } finally {
    bars.stop();
  }
  return { summaries, found, problems };
}

/** The event of a run that is finished; `cause` is why it failed. */
export function eventOf(
  { run, status, picks, error, seconds, attempt, recorded }: RunSummary,
  cause?: unknown,
): TerminalEvent {
  if (error === undefined) return { event: 'done', run, status, picks, seconds };
  const path = isCryoetPicksError(cause) ? cause.path : undefined;
  return { event: 'failed', run, ...error, path, attempt, recorded, seconds };
}

function summarize(result: RunResult, seconds: number): RunSummary {
  const { run, status } = result;
  const rounded = Math.round(seconds * 10) / 10;
  if (status === 'failed') {
    const { error, attempt, recorded } = result;
    const failure = { run, status, seconds: rounded, error: describeFailure(error) };
    return { ...failure, ...(attempt !== undefined && { attempt }), ...(recorded && { recorded }) };
  }
  const { picks, objects, maxFalse } = result;
  return { run, status, picks: countByObject(picks, objects), ...(maxFalse && { maxFalse }), seconds: rounded };
}

function runLine({ run, status, picks = {}, seconds }: RunSummary): string {
  return `${run}  ${counted(sumOf(picks), 'pick')}, ${status === 'skipped' ? 'skipped' : `${seconds.toFixed(1)} s`}`;
}

/** The line of a run that failed; of one that was not searched now, also what searches it again. */
function failureLine({ run, attempt = 1, recorded }: RunSummary, { message }: Failure): string {
  if (!recorded) return failedRun(run, message);
  const before = `failed before, or in another process (${counted(attempt, 'attempt')})`;
  return `${failedRun(run, message).replace('failed', before)}; --retries ${attempt} tries it again`;
}
