import type { VolumeSource } from '../entry/index.ts';
import type { OpenRun, TomogramChoice } from './collection.ts';
import type { SetReview } from './set-review.ts';
import type { State } from './state.ts';

/** What goes on in a run while it is open; the next of its kind stops it, and so does the next run. */
export type Task = 'run' | 'tomogram' | 'set' | 'truth' | 'other' | 'segmentation';

/** A tomogram with its levels, finest first. */
export interface OpenTomogram {
  readonly choice: TomogramChoice;
  readonly sources: readonly VolumeSource[];
}

/**
 * The stay in one run: all that was opened of it, and the tasks that go on there. The next run replaces it as a whole, so that nothing
 * of the run before can be seen. A save is no task: it has its own copy of what it writes, and goes on to its end.
 */
export interface Visit {
  /** Absent until it is open, and for one that could not be opened. */
  run: OpenRun | undefined;
  /** Absent until it is open, and for one that could not be opened. */
  tomogram: OpenTomogram | undefined;
  /** The set under review, as it was read; absent without one. */
  review: SetReview | undefined;
  /** The thresholds at which sets of this run were left, by label. */
  readonly thresholds: Map<string | undefined, State['thresholds']>;
  /** Whether the slices show a place of this run already, which other tomograms of it then show too. */
  isPlaced: boolean;
  /** Begins a task, and stops the one before of its kind. The signal is aborted when it is stopped. */
  begin(task: Task): AbortSignal;
  stop(task: Task): void;
  /** Stops all tasks. */
  end(): void;
}

/** Begins a stay. */
export function createVisit(): Visit {
  const tasks = new Map<Task, AbortController>();
  return {
    run: undefined,
    tomogram: undefined,
    review: undefined,
    thresholds: new Map(),
    isPlaced: false,
    begin(task) {
      tasks.get(task)?.abort();
      const controller = new AbortController();
      tasks.set(task, controller);
      return controller.signal;
    },
    stop: (task) => tasks.get(task)?.abort(),
    end() {
      for (const controller of tasks.values()) controller.abort();
    },
  };
}
