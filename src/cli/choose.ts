import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type ChooseRunsOptions, chosenRuns, tomogramTypeOf } from '../detect/project-runs.ts';
import type { TomogramName } from './command.ts';
import { UsageError } from './terminal.ts';

/** Options of {@link wantedRuns}. */
export interface WantedRunsOptions extends Pick<ChooseRunsOptions, 'namesOnly'> {
  /** Names or globs; without them, all runs are wanted. */
  readonly names: readonly string[] | undefined;
  readonly signal: AbortSignal;
}

/** The runs that the command line names. @throws {@link CryoetPicksError} `not-found` for a name that no run has, with those there are, and for a project without runs. */
export async function wantedRuns(
  project: Project,
  { names, namesOnly, signal }: WantedRunsOptions,
): Promise<readonly Run[]> {
  const runs = await chosenRuns(project, { runs: names, globs: true, namesOnly, signal });
  if (runs.length > 0 || names !== undefined) return runs;
  const { overlayLocation, staticStore } = project;
  const roots = [...new Set([staticStore?.location, overlayLocation])].filter((root) => root !== undefined);
  throw new CryoetPicksError(
    'not-found',
    `the project has no runs; looked in ${roots.join(' and ') || 'no folder'}: are the roots in the project file right?`,
  );
}

/** The tomograms of runs: those that are named, or the only type there is. */
export async function tomogramOf(
  runs: readonly Run[],
  name: TomogramName | undefined,
  signal: AbortSignal,
): Promise<TomogramName> {
  return { type: name?.type ?? (await tomogramTypeOf(runs, { signal })), voxelSpacing: name?.voxelSpacing };
}

/** @throws {@link UsageError} for a name that no object of the project has. */
export function requireObjects(
  { objects }: Project,
  { flag, names }: { readonly flag: string; readonly names: readonly string[] },
): void {
  const known = new Set(objects.map(({ name }) => name));
  const unknown = names.find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw new UsageError(
    `${flag} names "${unknown}", but the project has no such object; its objects are ${listNames([...known])}`,
  );
}
