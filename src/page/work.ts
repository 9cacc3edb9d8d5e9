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
  /** What goes on; undefined without work. */
  readonly busy: string | undefined;
  /** Does long work, which the bar shows, unless other work goes on, which is told. Other runs do not stop it. What fails is told. */
  work(what: string, work: (work: Work) => Promise<void>): Promise<void>;
  /** Stops the work that goes on, and says so. */
  cancel(): void;
  /** Stops the work that goes on without a word. */
  stop(): void;
  /** Shows lines at the bottom, one for each; errors say what failed. Nothing to tell leaves what shows. */
  tell(...problems: readonly unknown[]): void;
}

/** The name of the work while what was told is learned: nothing is saved before all candidates have come. */
export const TEACHING = 'Teaching';

/** Why other work cannot begin. */
export function goesOn(busy: string): string {
  return `${busy} goes on: wait until it has ended, or cancel it.`;
}

/** Why work ended: a person stopped it. */
const CANCELLED = new Error('Cancelled.');

/** Makes the desk of a page. */
export function createDesk(live: Live): Desk {
  let current: { readonly what: string; readonly working: AbortController } | undefined;
  const tell = (...problems: readonly unknown[]) => {
    const messages = problems.map(messageOf);
    if (messages.length === 0) return;
    const text = messages.map((message) => message.text).join('\n');
    live.change({ message: { text, isError: messages.some(({ isError }) => isError) } });
  };
  return {
    tell,
    get busy() {
      return current?.what;
    },
    async work(what, does) {
      if (current) return tell(goesOn(current.what));
      const working = new AbortController();
      const own = { what, working };
      current = own;
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
        if (current === own) current = undefined;
      }
    },
    cancel: () => current?.working.abort(CANCELLED),
    stop() {
      current?.working.abort();
      current = undefined;
    },
  };
}

/** One line about what went wrong, or another message. */
function messageOf(problem: unknown): NonNullable<State['message']> {
  if (typeof problem === 'string') return { text: problem, isError: false };
  const text = isCryoetPicksError(problem) || problem instanceof Error ? problem.message : String(problem);
  return { text, isError: true };
}
