import { formatSpacing, sanitizeName } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import type { Progress, Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { planTiles } from '../tiles/plan.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { chooseObjects } from './choose-objects.ts';
import { checkDetectOptions, type DetectOptions, detectParticles } from './particles.ts';

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

/** The result of one run. */
export type RunResult = (
  | { readonly run: string; readonly status: 'detected' | 'skipped'; readonly picks: readonly ParticlePick[] }
  | { readonly run: string; readonly status: 'failed'; readonly error: unknown }
) & {
  /** What looked wrong while the run was worked on: its tomogram, and files of the project that were passed over. */
  readonly warnings: readonly Warning[];
};

type Outcome =
  | Omit<Extract<RunResult, { picks: unknown }>, 'warnings'>
  | Omit<Extract<RunResult, { error: unknown }>, 'warnings'>;

/**
 * Finds the particles of every run of a copick project, one after the other, and writes them into the overlay: one picks
 * file per object, an empty one where nothing was found, so that a later `resume` knows the run is done.
 *
 * A run that fails is yielded as `failed` and the next one is taken up. Leaving the loop stops the work.
 *
 * @throws `CryoetPicksError` before any work: `not-found` if a named run is absent, `invalid-option` if no object of the
 * project is a class of the model, or for any option that would fail every run. Later: `read-only` if the overlay does
 * not allow writing; the abort reason of `signal`. `write-failed`, such as a full disk, fails only the run.
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
  yield* detectRuns(project, options);
}

const defaults = { userId: 'cryoet-picks', sessionId: '0' };

/** The work of `detectProject`. */
async function* detectRuns(
  project: Project,
  options: DetectProjectOptions,
): AsyncGenerator<RunResult, void, undefined> {
  const { objects = project.objects, signal } = options;
  checkProjectOptions({ ...options, objects });
  const runs = await chosenRuns(project, options);
  await requireType(runs, options);
  for (const [runsDone, run] of runs.entries()) {
    signal?.throwIfAborted();
    const progress = { run: run.name, runsDone, runsTotal: runs.length };
    const warnings: Warning[] = [];
    const onWarning = (warning: Warning) => {
      const ofRun = { ...warning, run: run.name };
      warnings.push(ofRun);
      options.onWarning?.(ofRun);
    };
    const known = new Set(project.problems.map(({ path }) => path));
    const result = await resultOf(run, {
      ...options,
      objects,
      onProgress: (one) => options.onProgress?.({ ...one, ...progress }),
      onWarning,
    });
    for (const { path, message } of project.problems) {
      if (!known.has(path)) onWarning({ code: 'file-passed-over', message, path });
    }
    yield { ...result, warnings };
  }
}

/** Checks the options that would fail every run alike. */
function checkProjectOptions(options: Omit<DetectProjectOptions, 'onProgress'>): void {
  const { userId = defaults.userId, sessionId = defaults.sessionId, voxelSpacing } = options;
  checkDetectOptions(options);
  const { spec } = options.model;
  // Tile and overlap must fit each other whatever the shape of a volume.
  planTiles(spec.tile, spec, { overlap: options.overlap });
  for (const name of [userId, sessionId]) sanitizeName(name);
  if (voxelSpacing !== undefined) formatSpacing(voxelSpacing);
}

async function chosenRuns(project: Project, { runs, signal }: DetectProjectOptions): Promise<readonly Run[]> {
  if (runs === undefined) return project.runs({ signal });
  return Promise.all([...new Set(runs)].map((name) => project.run(name, { signal })));
}

/** @throws {@link CryoetPicksError} `invalid-option` or `not-found` for a tomogram type that is missing. */
async function requireType(runs: readonly Run[], { tomogram, signal }: DetectProjectOptions): Promise<void> {
  if (typeof tomogram === 'string' && tomogram !== '') return;
  // The first run says which types there are.
  await runs[0]?.tomogram(tomogram, { signal });
  throw new CryoetPicksError('invalid-option', "give the tomograms' type as `tomogram`");
}

type RunOptions = Omit<DetectProjectOptions, 'onProgress'> & Required<Pick<DetectOptions, 'objects' | 'onProgress'>>;

/** Detects one run; an abort and a read-only overlay end the whole project, any other failure only the run. */
async function resultOf(run: Run, options: RunOptions): Promise<Outcome> {
  try {
    return await detectRun(run, options);
  } catch (error) {
    if (options.signal?.aborted || isCryoetPicksError(error, 'read-only')) throw error;
    return { run: run.name, status: 'failed', error };
  }
}

async function detectRun(run: Run, options: RunOptions): Promise<Outcome> {
  const {
    tomogram,
    voxelSpacing,
    userId = defaults.userId,
    sessionId = defaults.sessionId,
    resume = false,
    model,
    signal,
  } = options;
  const objects = chooseObjects(model.spec, options.objects).classes;
  if (resume && (await run.hasPicks({ userId, sessionId, objects, signal }))) {
    const picks = await run.picks({ userId, sessionId, object: objects, signal });
    return { run: run.name, status: 'skipped', picks };
  }
  await run.requireWritable({ signal });
  const source = await run.tomogram(tomogram, { voxelSpacing, signal });
  const picks = await detectParticles((await options.prepare?.(source, run)) ?? source, options);
  await run.writePicks(picks, { userId, sessionId, objects, signal });
  return { run: run.name, status: 'detected', picks };
}
