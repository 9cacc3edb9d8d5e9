import type { Bar, BarProgress } from './live-bars.ts';
import type { Terminal } from './terminal.ts';

/** Progress of work on many runs. */
export interface RunProgress extends BarProgress {
  readonly run: string;
  /** Runs finished before this one was taken up. */
  readonly runsDone: number;
  readonly runsTotal: number;
}

/** The progress bars of many runs. */
export interface RunBars {
  update(progress: RunProgress): void;
  /** Erases the bar of a run, if it has one, and counts the run. */
  finish(run: string): void;
  /** Erases all bars. */
  stop(): void;
}

interface RunBar {
  readonly bar: Bar;
  /** How much of its tiles is scored, from 0 to 1. */
  share: number;
}

/** A progress bar for all runs, with the time left, and below it one for each run that is worked on: at most `jobs`. */
export function runBars(terminal: Terminal, { jobs = 1 }: { readonly jobs?: number | undefined } = {}): RunBars {
  /** The one that was updated longest ago comes first. */
  const active = new Map<string, RunBar>();
  let all: Bar | undefined;
  let finished = 0;
  let first: { readonly finished: number; readonly at: number } | undefined;
  const close = (run: string) => {
    active.get(run)?.bar.stop();
    active.delete(run);
  };
  const open = (run: string): RunBar => {
    // A run that is to be tried again, or was lost to another process, is not finished, and no longer worked on.
    while (active.size >= jobs) close(active.keys().next().value!);
    return { bar: terminal.startBar(run), share: 0 };
  };
  const updateAll = (total: number) => {
    if (total <= 1 || first === undefined) return;
    const worked = finished + [...active.values()].reduce((sum, { share }) => sum + share, 0);
    const sofar = worked - first.finished;
    const seconds = (performance.now() - first.at) / 1000;
    const secondsLeft = sofar > 0 ? (seconds / sofar) * (total - worked) : undefined;
    all?.update({ stage: 'runs', done: finished, total, secondsLeft });
  };
  return {
    update(progress) {
      const { run, runsDone, runsTotal, stage, done, total } = progress;
      finished = Math.max(finished, runsDone);
      // Runs that were skipped before took no time.
      first ??= { finished, at: performance.now() };
      all ??= terminal.startBar('all');
      const one = active.get(run) ?? open(run);
      active.delete(run);
      active.set(run, one);
      one.share = stage === 'tiles' ? done / total : 0;
      one.bar.update(progress);
      updateAll(runsTotal);
    },
    finish(run) {
      finished++;
      close(run);
    },
    stop() {
      for (const run of [...active.keys()]) close(run);
      all?.stop();
      all = undefined;
    },
  };
}
