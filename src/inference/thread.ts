import { CryoetPicksError, errorOf, isCryoetPicksError, type PlainError, plainError } from '../core/errors.ts';
import type { TileBatch } from './model.ts';

/**
 * What models in another thread have in common, in Node and in browsers: errors on their way, and memory that moves.
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

/** @throws {@link CryoetPicksError} `invalid-option` for tiles whose memory another call has moved away. */
export function requireOwned({ data, shape }: TileBatch): void {
  if (data.length > 0) return;
  throw new CryoetPicksError(
    'invalid-option',
    `tiles of shape ${shape.join('×')} hold no voxels: an earlier call with \`transfer\` has moved their memory away`,
    { option: 'tiles' },
  );
}

/** True if an array is all that its buffer holds, so that the buffer may be moved to another thread. */
export function ownsItsBuffer({ buffer, byteLength }: Float32Array): boolean {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
}
