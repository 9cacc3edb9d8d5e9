import { errorOf, isCryoetPicksError, type PlainError, plainError } from '../core/errors.ts';

/**
 * Errors on their way from another thread, in Node and in browsers.
 *
 * @module
 */

/** An error on its way from the thread. */
export interface SentError {
  /** A string if it is not an error of this library. */
  readonly error: PlainError | string;
  readonly cause: string | undefined;
}

/** An error as plain data, which can be sent to another thread. */
export function sentError(error: unknown): SentError {
  const cause = error instanceof Error ? error.cause : undefined;
  return {
    error: isCryoetPicksError(error) ? plainError(error) : messageOf(error),
    cause: cause === undefined ? undefined : messageOf(cause),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Makes an error of what was sent. */
export function receivedError({ error, cause }: SentError): Error {
  const origin = cause === undefined ? undefined : new Error(cause);
  if (typeof error !== 'string') return errorOf(error, origin);
  return origin ? new Error(error, { cause: origin }) : new Error(error);
}
