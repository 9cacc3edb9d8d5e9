import { formatSpacing, sanitizeName } from './copick/names.ts';
import type { Project } from './copick/project.ts';
import type { Run } from './copick/run.ts';
import { type DetectOptions, detectParticles } from './detect.ts';
import { checkDetectOptions, wantedObjects } from './detect-options.ts';
import type { DetectProjectOptions, RunResult } from './detect-project.ts';
import { CryoetPicksError, isCryoetPicksError } from './errors.ts';

const defaults = { userId: 'cryoet-picks', sessionId: '0' };

/** The work of `detectProject`. */
export async function* detectRuns(
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
    yield await resultOf(run, {
      ...options,
      objects,
      onProgress: (one) => options.onProgress?.({ ...one, ...progress }),
    });
  }
}

/** Refuses what would fail every run alike. */
function checkProjectOptions(options: Omit<DetectProjectOptions, 'onProgress'>): void {
  const { userId = defaults.userId, sessionId = defaults.sessionId, voxelSpacing } = options;
  checkDetectOptions(options);
  for (const name of [userId, sessionId]) sanitizeName(name);
  if (voxelSpacing !== undefined) formatSpacing(voxelSpacing);
}

async function chosenRuns(project: Project, { runs, signal }: DetectProjectOptions): Promise<readonly Run[]> {
  if (runs === undefined) return project.runs({ signal });
  return Promise.all([...new Set(runs)].map((name) => project.run(name, { signal })));
}

/** Refuses a type of tomogram that is none. */
async function requireType(runs: readonly Run[], { tomogram, signal }: DetectProjectOptions): Promise<void> {
  if (typeof tomogram === 'string' && tomogram !== '') return;
  // The first run says which types there are.
  await runs[0]?.tomogram(tomogram, { signal });
  throw new CryoetPicksError('invalid-option', "give the tomograms' type as `tomogram`");
}

type RunOptions = Omit<DetectProjectOptions, 'onProgress'> &
  Required<globalThis.Pick<DetectOptions, 'objects' | 'onProgress'>>;

/** Detects one run; an abort and an overlay that refuses writing end the whole project, any other failure only the run. */
async function resultOf(run: Run, options: RunOptions): Promise<RunResult> {
  try {
    return await detectRun(run, options);
  } catch (error) {
    if (options.signal?.aborted || isCryoetPicksError(error, 'read-only')) throw error;
    return { run: run.name, status: 'failed', error };
  }
}

async function detectRun(run: Run, options: RunOptions): Promise<RunResult> {
  const {
    tomogram,
    voxelSpacing,
    userId = defaults.userId,
    sessionId = defaults.sessionId,
    resume = false,
    model,
    signal,
  } = options;
  const objects = wantedObjects(model.spec, options).map(({ name }) => name);
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
