import { CryoetPicksError, type ErrorCode } from '../errors.ts';
import type { HttpClock } from './http.ts';

/** What a single request came to, where it did not bring an answer. */
export interface Failure {
  /** `network`: nothing came, or not all; `status`: the server said so; `content`: what came is not what was asked for. */
  readonly kind: 'network' | 'status' | 'content';
  readonly what: string;
  /** Whether the same request may well succeed a little later. */
  readonly mayPass: boolean;
  /** What `Retry-After` says, in milliseconds. */
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

/** Statuses that may be another the next time. */
export function mayPass(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** How often and how long requests are made again. */
export interface RetryRules {
  readonly tries: number;
  /** The same for failures of the network. */
  readonly networkTries: number;
  readonly retryFor: number;
  readonly clock: HttpClock;
}

/** Options of {@link untilAnswered}. */
export interface UntilAnsweredOptions extends RetryRules {
  /** What is read, for messages. */
  readonly where: string;
  readonly signal: AbortSignal | undefined;
}

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 16_000;

/**
 * Makes a request again until it is answered, with exponential back-off and full jitter: the n-th pause is anything from 0 to
 * 500 ms · 2^(n − 1), at most 16 s, and no less than what `Retry-After` says.
 *
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @throws The abort reason of `signal`, at once also during a pause; {@link CryoetPicksError} with the last failure.
 */
export async function untilAnswered<T>(
  attempt: (signal: AbortSignal | undefined) => Promise<{ readonly answer: T } | { readonly failure: Failure }>,
  { tries, networkTries, retryFor, clock, where, signal }: UntilAnsweredOptions,
): Promise<T> {
  const start = clock.now();
  for (let made = 1; ; made++) {
    signal?.throwIfAborted();
    const outcome = await attempt(signal);
    signal?.throwIfAborted();
    if ('answer' in outcome) return outcome.answer;
    const { failure } = outcome;
    const pause = Math.max(
      failure.retryAfter ?? 0,
      clock.random() * Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (made - 1)),
    );
    const isLast = made >= (failure.kind === 'network' ? networkTries : tries);
    if (!failure.mayPass || isLast || clock.now() + pause > start + retryFor) throw failed(where, failure, made);
    await clock.sleep(pause, signal);
  }
}

function failed(where: string, { kind, what, retryAfter, cause }: Failure, made: number): CryoetPicksError {
  const code: ErrorCode = kind === 'content' ? 'corrupt-data' : 'not-found';
  const tries = made > 1 ? ` (${made} tries)` : '';
  const later = retryAfter === undefined ? '' : `; it asks to wait ${Math.ceil(retryAfter / 1000)} s`;
  return new CryoetPicksError(code, `cannot read ${where}: ${what}${later}${tries}`, { cause });
}
