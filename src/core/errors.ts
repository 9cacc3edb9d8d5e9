/**
 * What kind of trouble a {@link CryoetPicksError} reports; a caller can act on each of them.
 *
 * - `not-found`: a file, run, tomogram, voxel spacing or level that is not there.
 * - `invalid-config`: a copick project config that cannot be understood.
 * - `invalid-metadata`: Zarr or OME metadata, or a model card, that is missing, broken or contradictory.
 * - `invalid-option`: an argument of the caller that cannot work.
 * - `invalid-picks`: a picks file or a pick that cannot be understood.
 * - `invalid-submission`: a submission or truth table that cannot be understood or scored.
 * - `unsupported`: well-formed input of a kind this library does not handle.
 * - `corrupt-data`: bytes that do not decode to what the metadata promises.
 * - `read-only`: a write to a place that cannot be written.
 * - `conflict`: a write of what another program has changed since it was read, or made since it was found absent.
 * - `model-failed`: a model that could not be loaded, does not fit its card, or failed on a tile.
 */
export type ErrorCode =
  | 'not-found'
  | 'invalid-config'
  | 'invalid-metadata'
  | 'invalid-option'
  | 'invalid-picks'
  | 'invalid-submission'
  | 'unsupported'
  | 'corrupt-data'
  | 'read-only'
  | 'conflict'
  | 'model-failed';

/**
 * The only error class of this library. Tell errors apart by `code`; `cause` keeps the origin.
 *
 * The message says what failed, what was found, and what was expected or is available, with units.
 */
export class CryoetPicksError extends Error {
  override readonly name = 'CryoetPicksError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Tells whether a caught value is a {@link CryoetPicksError}, optionally of one code.
 *
 * Compares the name rather than the class, so errors of a second installed copy of this library are recognised too.
 *
 * @example
 * ```ts
 * try {
 *   await project.run('TS_5_4');
 * } catch (error) {
 *   if (!isCryoetPicksError(error, 'not-found')) throw error;
 * }
 * ```
 */
export function isCryoetPicksError(error: unknown, code?: ErrorCode): error is CryoetPicksError {
  return (
    error instanceof Error &&
    error.name === 'CryoetPicksError' &&
    'code' in error &&
    (code === undefined || error.code === code)
  );
}
