import { availableParallelism } from 'node:os';

/** How many threads decode chunks, where nobody says otherwise. */
export function defaultDecodeThreads(): number {
  return Math.min(4, availableParallelism());
}
