import { inspect } from 'node:util';
import type { Problem } from '../copick/problems.ts';
import { isCryoetPicksError } from '../errors.ts';

/** Wrong usage that only shows once the work has begun, such as an option that names an unknown object; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An error as machines read it. */
export interface Failure {
  /** Code of a `CryoetPicksError`, code of the operating system (`EACCES`), `usage` or `unexpected`. */
  readonly code: string;
  /** One line. */
  readonly message: string;
}

const systemReasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the disk',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is a file, not a directory',
  EISDIR: 'it is a directory',
  EEXIST: 'it exists already',
};

/** Says in one line what went wrong. */
export function describeFailure(error: unknown): Failure {
  if (isCryoetPicksError(error)) return { code: error.code, message: oneLine(error.message) };
  if (error instanceof UsageError) return { code: 'usage', message: oneLine(error.message) };
  if (!(error instanceof Error)) return { code: 'unexpected', message: oneLine(String(error)) };
  if ('code' in error && typeof error.code === 'string' && error.code in systemReasons) {
    const path = 'path' in error && typeof error.path === 'string' ? ` ${error.path}` : '';
    return { code: error.code, message: `cannot access${path}: ${systemReasons[error.code]}` };
  }
  const message = `unexpected ${error.name}: ${oneLine(error.message)} (--verbose shows where)`;
  return { code: 'unexpected', message };
}

/** Says in one line what is wrong in a project, and where. */
export function describeProblem({ path, message }: Problem): string {
  return oneLine(message.includes(path) ? message : `${path}: ${message}`);
}

/** Everything known about an error, for `--verbose`: stack, properties, causes. */
export function detailsOf(error: unknown): string {
  return inspect(error, { depth: 6 });
}

function oneLine(message: string): string {
  return message.trim().replace(/\s*\n\s*/g, ' ');
}
