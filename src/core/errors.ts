/**
 * What a {@link CryoetPicksError} reports; a caller can act on each code.
 *
 * - `not-found`: a file, run, tomogram, voxel spacing or level does not exist.
 * - `unavailable`: a server or file could not be read: no connection, a time-out, a refusal, a fault of the disk.
 * - `write-failed`: the file system failed to write: no permission, no space, a file in the way.
 * - `read-only`: the project, or the store that was opened, does not allow writing.
 * - `conflict`: a file to be written or deleted has changed since it was read, or has appeared since it was found absent.
 * - `invalid-config`: a copick project config that cannot be understood.
 * - `invalid-metadata`: Zarr or OME metadata, or a model card, that is missing, broken or contradictory.
 * - `invalid-option`: an argument that cannot work.
 * - `invalid-picks`: a picks file or a pick that cannot be understood.
 * - `invalid-submission`: a submission or truth table that cannot be understood or scored.
 * - `unsupported`: well-formed input of a kind that this library does not handle.
 * - `corrupt-data`: bytes that do not decode to what the metadata promise.
 * - `model-failed`: a model that could not be loaded, does not fit its card, or failed on a tile.
 */
export type ErrorCode =
  | 'not-found'
  | 'unavailable'
  | 'write-failed'
  | 'read-only'
  | 'conflict'
  | 'invalid-config'
  | 'invalid-metadata'
  | 'invalid-option'
  | 'invalid-picks'
  | 'invalid-submission'
  | 'unsupported'
  | 'corrupt-data'
  | 'model-failed';

/** What a {@link CryoetPicksError} carries beside its code, message and cause. */
interface ErrorFields {
  /** The name of the option that is missing or wrong, as the function takes it: `voxelSize`. */
  readonly option?: string | undefined;
  /** The file or key that could not be read or written. */
  readonly path?: string | undefined;
  /** The names that do exist, where one was not found. */
  readonly available?: readonly string[] | undefined;
}

export interface ErrorDetails extends ErrorFields {
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/** Maximum length of a message, and of a value in it, in characters. */
const [MAX_MESSAGE, MAX_VALUE] = [2000, 200];

/** A text without its middle, if it is longer than `length`; the end of a message says what would work. */
function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  const head = Math.ceil((length - 1) * 0.6);
  // No half of a character outside the basic plane is left.
  const start = text.slice(0, head).replace(/[\ud800-\udbff]$/, '');
  const end = text.slice(text.length - (length - 1 - head)).replace(/^[\udc00-\udfff]/, '');
  return `${start}…${end}`;
}

/** A message of bounded length, with bounded values: what stands between double quotes, and what has no space in it. */
function bounded(message: string): string {
  if (message.length <= MAX_VALUE) return message;
  // Values are looked for in a text of bounded length only.
  return shortened(
    shortened(message, 50 * MAX_MESSAGE)
      .replace(/"[^"\\]*(?:\\.[^"\\]*)*"/gs, (quoted) => `"${shortened(quoted.slice(1, -1), MAX_VALUE - 2)}"`)
      .replace(/\S{201,}/g, (word) => shortened(word, MAX_VALUE)),
    MAX_MESSAGE,
  );
}

/**
 * The only error class of this library. Tell errors apart by `code`; `cause` keeps the original error.
 *
 * The message says what failed, what was found, and what was expected or is available, with units, in at most 2,000 characters; a
 * value in it of more than 200 loses its middle. `option`, `path` and `available` hold parts of it for programs, whole, where they
 * apply.
 */
export class CryoetPicksError extends Error {
  override readonly name = 'CryoetPicksError';
  readonly code: ErrorCode;
  /** The name of the option that is missing or wrong. */
  declare readonly option?: string;
  /** The file or key that could not be read or written. */
  declare readonly path?: string;
  /** The names that do exist, where one was not found. */
  declare readonly available?: readonly string[];

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    // Of anything else an error must not be made of another error.
    super(
      bounded(typeof message === 'string' ? message : `a ${typeof message} in place of a message`),
      Object(details),
    );
    this.code = code;
    const { option, path, available } = details ?? {};
    // Absent rather than undefined, so that an error shows only the fields that apply to it.
    if (option !== undefined) this.option = option;
    if (path !== undefined) this.path = path;
    if (available !== undefined) this.available = available;
  }
}

/**
 * Whether a caught value is a {@link CryoetPicksError}, optionally of one code.
 *
 * Compares the name rather than the class, so that errors of a second installed copy of this library are recognised too.
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

/** An error as plain data, without its cause, for a message to another thread. */
export interface PlainError extends ErrorFields {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Copies an error to plain data; {@link errorOf} makes an error of it again. */
export function plainError({ code, message, option, path, available }: CryoetPicksError): PlainError {
  return { code, message, option, path, available };
}

/** Makes an error of plain data. */
export function errorOf({ code, message, ...fields }: PlainError, cause?: unknown): CryoetPicksError {
  return new CryoetPicksError(code, message, cause === undefined ? fields : { ...fields, cause });
}

/** An error with the code and fields of another one, which is its cause, and its own message. */
export function withMessage(error: CryoetPicksError, message: string): CryoetPicksError {
  return errorOf({ ...plainError(error), message }, error);
}
