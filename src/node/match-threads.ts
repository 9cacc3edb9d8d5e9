import { optional, positiveCount, type RulesFor, requireOptions } from '../core/arguments.ts';
import { MAX_THREADS } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { MatchThreads } from '../match/threads.ts';
import { usualThreads } from './processors.ts';
import { type Replies, threadPool } from './thread-pool.ts';

/** Options of {@link matchThreads}. */
export interface MatchThreadsOptions {
  /**
   * How many threads search, that of the caller too.
   * @defaultValue the processors that the scheduler gives this process; without a scheduler, all
   */
  readonly threads?: number | undefined;
}

const threadsRules: RulesFor<MatchThreadsOptions> = { threads: /* @__PURE__ */ optional(positiveCount) };

/**
 * Threads of Node for `matchTemplate` and `matchCandidates`. They start with the first search, keep the process alive only while they
 * work, and end after five idle seconds. Where none can be started, in a program into which this code was bundled, the caller's thread
 * searches alone.
 *
 * @throws {@link CryoetPicksError} `invalid-option`; later, `unavailable` from the search whose thread dies.
 *
 * @example
 * ```ts
 * const candidates = await matchCandidates(tomogram, map, { object: 'ribosome', radius: 140, threads: matchThreads() });
 * ```
 */
export function matchThreads(options: MatchThreadsOptions = {}): MatchThreads {
  const { threads = usualThreads(process.env) } = requireOptions('matchThreads', options, threadsRules);
  const count = Math.min(threads, MAX_THREADS) - 1;
  const pool =
    count === 0
      ? undefined
      : threadPool({ script: 'node-match-worker.js', maxThreads: count, replies: repliesOrDeath() });
  if (pool === undefined) return { count: 0, run: () => Promise.reject(died()) };
  return { count, run: pool.answer };
}

/** Rejects what a thread that has died was asked; other threads answer what is asked later. */
function repliesOrDeath(): Replies<unknown, unknown> {
  const waiting = new Set<() => void>();
  return {
    ask: (send) =>
      new Promise((resolve, reject) => {
        const fail = () => reject(died());
        waiting.add(fail);
        send()
          .then(resolve, reject)
          .finally(() => waiting.delete(fail));
      }),
    rejectAll() {
      for (const fail of waiting) fail();
    },
  };
}

function died(): CryoetPicksError {
  return new CryoetPicksError('unavailable', 'a thread of the search has ended; search again, with fewer threads');
}
