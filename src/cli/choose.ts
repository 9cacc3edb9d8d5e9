import type { Project } from '../copick/project.ts';
import type { Run, RunsOptions } from '../copick/run.ts';
import { globMatcher } from '../copick/uri.ts';
import { CryoetPicksError } from '../core/errors.ts';

/** Options of {@link chosen}. */
export interface ChooseOptions {
  /** Names or globs; without them, all are chosen. */
  readonly names: readonly string[] | undefined;
  /** Throws for a name that nothing has. */
  readonly missing: (name: string) => Promise<never> | never;
}

/**
 * Chooses things by name: each name is first taken as it is, and only if nothing has it as a glob (`TS_*`), since names may
 * hold the characters of globs. In the order of the names, each thing once.
 */
export async function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  { names, missing }: ChooseOptions,
): Promise<T[]> {
  if (names === undefined) return [...all];
  const byName = new Map(all.map((one) => [one.name, one]));
  const found = new Set<T>();
  for (const name of new Set(names)) {
    const exact = byName.get(name);
    const matches = exact === undefined ? globMatcher(name) : undefined;
    const some = exact === undefined ? all.filter((one) => matches!(one.name)) : [exact];
    if (some.length === 0) await missing(name);
    for (const one of some) found.add(one);
  }
  return [...found];
}

/** Options of {@link chosenRuns}. */
export interface ChooseRunsOptions extends Pick<RunsOptions, 'namesOnly'> {
  readonly names: readonly string[] | undefined;
  readonly signal: AbortSignal;
}

/** The runs of a project that are named. @throws {@link CryoetPicksError} `not-found` for a name that no run has, with those there are, and for a project without runs. */
export async function chosenRuns(project: Project, { names, namesOnly, signal }: ChooseRunsOptions): Promise<Run[]> {
  const missing = async (name: string): Promise<never> => {
    await project.run(name, { signal });
    throw new Error(`run "${name}" appeared meanwhile; start again`);
  };
  const runs = await project.runs({ namesOnly, signal });
  if (runs.length === 0 && names === undefined) {
    const { overlayLocation, staticStore } = project;
    const roots = [...new Set([staticStore?.location, overlayLocation])].filter((root) => root !== undefined);
    throw new CryoetPicksError(
      'not-found',
      `the project has no runs; looked in ${roots.join(' and ') || 'no folder'}: are the roots in the project file right?`,
    );
  }
  return chosen(runs, { names, missing });
}
