import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type ChooseRunsOptions, chosenRuns } from '../detect/project-runs.ts';

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
