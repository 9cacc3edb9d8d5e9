import type { Progress } from './async.ts';
import type { Project } from './copick/project.ts';
import type { Run } from './copick/run.ts';
import type { DetectOptions } from './detect.ts';
import type { Pick } from './picks/pick.ts';
import type { VolumeSource } from './volume/volume.ts';

/** How far a project is: the progress of one run, and which of how many it is. */
export interface ProjectProgress extends Progress {
  readonly run: string;
  /** Runs finished before this one. */
  readonly runsDone: number;
  readonly runsTotal: number;
}

/** Options of {@link detectProject}; those of {@link detectParticles} apply to every run. */
export interface DetectProjectOptions extends Omit<DetectOptions, 'onProgress'> {
  /** Type of the tomograms to search, such as `denoised`. */
  readonly tomogram: string;
  /** In Å, as the folder says. @defaultValue the only one that has such a tomogram */
  readonly voxelSpacing?: number | undefined;
  /** Names of the runs to work on, in this order, each once. @defaultValue all runs */
  readonly runs?: readonly string[] | undefined;
  /** Under whose name picks are written. @defaultValue 'cryoet-picks' */
  readonly userId?: string | undefined;
  /** @defaultValue '0', copick's mark of picks that a tool made */
  readonly sessionId?: string | undefined;
  /**
   * Reads the picks of runs that this user and session already have of every object, instead of finding them again. A run
   * with a file that cannot be read is detected anew. @defaultValue false
   */
  readonly resume?: boolean | undefined;
  /** Looks at each tomogram before it is searched, or wraps it: `(tomogram) => resampled(tomogram, 10)`. */
  readonly prepare?: ((tomogram: VolumeSource, run: Run) => VolumeSource | Promise<VolumeSource>) | undefined;
  readonly onProgress?: ((progress: ProjectProgress) => void) | undefined;
}

/** What became of one run. */
export type RunResult =
  | { readonly run: string; readonly status: 'detected' | 'skipped'; readonly picks: readonly Pick[] }
  | { readonly run: string; readonly status: 'failed'; readonly error: unknown };

/**
 * Finds the particles of every run of a copick project, one after the other, and writes them into the overlay: one picks
 * file per object, an empty one where nothing was found, so that a later `resume` knows the run is done.
 *
 * A run that fails is yielded as `failed` and the next one is taken up. Leaving the loop stops the work.
 *
 * @throws `CryoetPicksError` before any work: `not-found` if a named run is absent, `invalid-option` if no object of the
 * project is a class of the model, or for any option that would fail every run. Later: `read-only` if the overlay cannot be
 * written; the abort reason of `signal`.
 *
 * @example
 * ```ts
 * for await (const result of detectProject(project, { tomogram: 'denoised', model, resume: true })) {
 *   console.log(result.run, result.status);
 * }
 * ```
 */
export async function* detectProject(
  project: Project,
  options: DetectProjectOptions,
): AsyncGenerator<RunResult, void, undefined> {
  // Loaded with the first project, so that a page that works on single tomograms never fetches it.
  const { detectRuns } = await import('./detect-runs.ts');
  yield* detectRuns(project, options);
}
