import { CryoetPicksError } from '../errors.ts';

/** Something in a project that is broken or odd and was passed over. */
export interface Problem {
  /** Where it lies. */
  readonly path: string;
  readonly message: string;
  /** The error behind it, if there was one. */
  readonly cause?: unknown;
}

/** Keeps the problems met while a project is used, one per path, and tells each once. */
export class ProblemLog {
  private readonly byPath = new Map<string, Problem>();

  constructor(private readonly onProblem?: ((problem: Problem) => void) | undefined) {}

  get problems(): readonly Problem[] {
    return [...this.byPath.values()];
  }

  report(problem: Problem): void {
    if (this.byPath.has(problem.path)) return;
    this.byPath.set(problem.path, problem);
    this.onProblem?.(problem);
  }

  /** Forgets what was reported; what is met again is told again. */
  forget(): void {
    this.byPath.clear();
  }

  /** Reports a caught error, unless the signal was aborted: then the abort reason goes on. */
  reportError(path: string, cause: unknown, signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.report({ path, message: cause instanceof Error ? cause.message : String(cause), cause });
  }
}

/** Names as a message lists them: quoted, the first twenty. */
export function listNames(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const shown = names.slice(0, 20).map((name) => JSON.stringify(name));
  return shown.join(', ') + (names.length > 20 ? ` and ${names.length - 20} more` : '');
}

/** What {@link needNamed} looks for, and in which project. */
export interface NeedNamedOptions {
  readonly what: 'run' | 'object';
  /** Where the project comes from, if known. */
  readonly source?: string | undefined;
}

/**
 * The one of a name.
 *
 * @throws {@link CryoetPicksError} `not-found`, listing those that are there.
 */
export function needNamed<T extends { readonly name: string }>(
  all: readonly T[],
  name: string,
  { what, source }: NeedNamedOptions,
): T {
  const found = all.find((one) => one.name === name);
  if (found !== undefined) return found;
  const available = listNames(all.map((one) => one.name));
  const place = source === undefined ? 'the project' : `project "${source}"`;
  throw new CryoetPicksError('not-found', `${what} "${name}" not found in ${place}; available: ${available}`);
}
