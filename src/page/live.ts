import { type Action, emptyState, reduce, type State } from './state.ts';

/** The state of the page, and who is told when a part of it changes. */
export interface Live {
  readonly state: State;
  dispatch(action: Action): void;
  /** Short for the action `change`. */
  change(changes: Partial<State>): void;
  /**
   * Calls `react` now, and with the next frame whenever one of some parts has changed; however many actions come between two
   * frames, it is called once.
   */
  watch(parts: readonly (keyof State)[], react: (state: State) => void): void;
}

/** Holds the state of a page. */
export function createLive(): Live {
  let state = emptyState;
  const watchers = new Set<() => void>();
  let isWaiting = false;
  const tell = () => {
    isWaiting = false;
    for (const look of watchers) look();
  };
  const dispatch = (action: Action) => {
    const next = reduce(state, action);
    if (next === state) return;
    state = next;
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(tell);
  };
  return {
    get state() {
      return state;
    },
    dispatch,
    change: (changes) => dispatch({ type: 'change', changes }),
    watch(parts, react) {
      let seen = state;
      react(state);
      watchers.add(() => {
        const before = seen;
        seen = state;
        if (parts.some((part) => !Object.is(before[part], state[part]))) react(state);
      });
    },
  };
}
