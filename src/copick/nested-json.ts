import { CryoetPicksError, type ErrorCode } from '../errors.ts';

/**
 * Runs what writes JSON. Keys that this library does not know are kept as they were read, and the engine reads deeper nesting
 * than it writes.
 *
 * @throws {@link CryoetPicksError} of the given code, where a value is nested too deeply to be written.
 */
export function writeNested(write: () => string, what: string, code: ErrorCode): string {
  try {
    return write();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CryoetPicksError(code, `${what} holds an unknown key whose value is nested too deeply to be written`, {
      cause,
    });
  }
}
