import { isCryoetPicksError } from '../entry/index.ts';
import type { Live } from './live.ts';
import type { State } from './state.ts';

/** Long work, to those who do it. */
export interface Work {
  /** Aborted if it is to stop. */
  readonly signal: AbortSignal;
  /** Shows how far it is. */
  show(progress: Omit<NonNullable<State['work']>, 'since'>): void;
}

/** The place of long work and of messages: one of each at a time. */
export interface Desk {
  /** Does long work, which the bar shows. Other work stops it; other runs do not. What fails is told. */
  work(what: string, work: (work: Work) => Promise<void>): Promise<void>;
  /** Stops the work that goes on, and says so. */
  cancel(): void;
  /** Stops the work that goes on without a word. */
  stop(): void;
  /** Shows a line at the bottom; errors say what failed. */
  tell(problem: unknown): void;
}

/** Why work ended: a person stopped it. */
const CANCELLED = new Error('Cancelled.');

/** Makes the desk of a page. */
export function createDesk(live: Live): Desk {
  let working = new AbortController();
  const tell = (problem: unknown) => live.change({ message: messageOf(problem) });
  return {
    tell,
    async work(what, does) {
      working.abort();
      working = new AbortController();
      const { signal } = working;
      const since = performance.now();
      const show: Work['show'] = (progress) => signal.aborted || live.change({ work: { ...progress, since } });
      show({ what, done: 0, total: 1 });
      try {
        await does({ signal, show });
      } catch (error) {
        if (signal.reason === CANCELLED) tell(CANCELLED.message);
        else if (!signal.aborted) tell(error);
      } finally {
        // Else the bar is another's.
        if (!signal.aborted || signal.reason === CANCELLED) live.change({ work: undefined });
      }
    },
    cancel: () => working.abort(CANCELLED),
    stop: () => working.abort(),
  };
}

/** One line about what went wrong, or another message. */
function messageOf(problem: unknown): State['message'] {
  if (typeof problem === 'string') return { text: problem, isError: false };
  const text = isCryoetPicksError(problem) || problem instanceof Error ? problem.message : String(problem);
  return { text, isError: true };
}
