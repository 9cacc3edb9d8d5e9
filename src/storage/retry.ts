import pRetry from 'p-retry';
import { onAbort } from '../core/concurrency.ts';

/** The longest time that `setTimeout` takes, in milliseconds: after a longer one it fires at once. */
export const MAX_TIMEOUT: number = 2 ** 31 - 1;

/** Default clock and random source of retries; tests replace its methods. */
export const clock = {
  /** In milliseconds. */
  now: (): number => performance.now(),
  /** From 0 up to, but not including, 1. */
  random: (): number => Math.random(),
  /** Waits, at most {@link MAX_TIMEOUT}. @throws The abort reason of `signal`, at once. */
  sleep: (milliseconds: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          stopWaiting();
          resolve();
        },
        Math.min(milliseconds, MAX_TIMEOUT),
      );
      const stopWaiting = onAbort(signal, () => {
        clearTimeout(timer);
        reject(signal?.reason);
      });
    }),
};

/** Details of a {@link RequestFailure}. */
export interface RequestFailureOptions {
  /** `network`: nothing arrived, or not all of it; `status`: the server said so; `content`: it is not what was asked for. */
  readonly kind: 'network' | 'status' | 'content';
  /** Whether the same request may succeed a little later. */
  readonly isRetryable: boolean;
  /** What `Retry-After` asks to wait, in milliseconds. */
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

/** A request that failed, before it is decided whether to make it again. */
export class RequestFailure extends Error {
  readonly kind: RequestFailureOptions['kind'];
  readonly isRetryable: boolean;
  readonly retryAfter: number | undefined;

  constructor(message: string, { kind, isRetryable, retryAfter, cause }: RequestFailureOptions) {
    super(message, { cause });
    this.kind = kind;
    this.isRetryable = isRetryable;
    this.retryAfter = retryAfter;
  }
}

/** True for statuses that another try may overcome. */
export function isRetryableStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** The header `Retry-After` in milliseconds; it holds seconds, or a date. */
export function retryAfterOf({ headers }: Response): number | undefined {
  const value = headers.get('Retry-After');
  if (value === null) return undefined;
  // A date has the name of a month; "-5" would be one to the engine.
  const date = /[a-z]{3}/i.test(value) ? Date.parse(value) : Number.NaN;
  const wait = /^\s*\d+\s*$/.test(value) ? Number(value) * 1000 : date - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

/** Options of {@link retry}. */
export interface RetryOptions {
  /** The maximum number of tries after a failure of this kind. */
  readonly tries: (kind: RequestFailure['kind']) => number;
  /** The pause after the n-th try, in milliseconds; no pause is shorter than `Retry-After`. */
  readonly pause: (tried: number) => number;
  /** No try starts later than this after the first, in milliseconds. @defaultValue Infinity */
  readonly retryFor?: number | undefined;
  /** The error to throw when no further try is made. */
  readonly toError: (failure: RequestFailure, tried: number) => Error;
  readonly signal: AbortSignal | undefined;
}

/**
 * Makes a request again while it throws a {@link RequestFailure} that may pass.
 *
 * @throws The abort reason of `signal`, untouched, at once also during a pause; the error that `toError` makes of the last
 *   failure; every other error of `request`.
 */
export async function retry<T>(
  request: () => Promise<T>,
  { tries, pause, retryFor = Infinity, toError, signal }: RetryOptions,
): Promise<T> {
  const start = clock.now();
  const onFailedAttempt = async ({ error, attemptNumber: tried }: { error: unknown; attemptNumber: number }) => {
    // The library wraps a reason that is not an Error, so the signal is asked first.
    signal?.throwIfAborted();
    if (!(error instanceof RequestFailure)) throw error;
    const wait = Math.max(error.retryAfter ?? 0, pause(tried));
    const isLast = tried >= tries(error.kind) || clock.now() + wait > start + retryFor;
    if (!error.isRetryable || isLast) throw toError(error, tried);
    await clock.sleep(wait, signal);
  };
  // The pauses are made above, since only there `Retry-After` is known.
  return pRetry(request, {
    retries: Infinity,
    minTimeout: 0,
    onFailedAttempt,
    ...(signal && { signal }),
  });
}
