import { sanitizeName } from '../copick/names.ts';
import type { Project } from '../copick/project.ts';
import { detectProject, type RunResult } from '../detect-project.ts';
import type { Model } from '../inference/model.ts';
import { openProject } from '../node.ts';
import type { RunPicks } from '../picks/run-picks.ts';
import type { TomogramName } from './arguments.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { countByObject, counted, countTable, sumOf } from './counts.ts';
import { requireProbabilities, warnOfUnsearched } from './detect-objects.ts';
import { type ResultFiles, writeResults } from './detect-results.ts';
import { foresee } from './dry-run.ts';
import { describeFailure, describeProblem, type Failure, UsageError } from './failure.ts';
import { requireApart, requireDestination } from './files.ts';
import { lookingOver, type TomogramProblem } from './look-over.ts';
import { openModel } from './runtime.ts';
import { runBar, type Terminal } from './terminal.ts';

/** What `detect` was asked for. */
export interface DetectInput extends CommonFlags {
  readonly config: string;
  readonly run?: readonly string[] | undefined;
  readonly tomogram: TomogramName;
  readonly model?: string | undefined;
  readonly userId: string;
  readonly sessionId: string;
  readonly submission?: string | undefined;
  readonly figure?: string | undefined;
  readonly resume?: true | undefined;
  readonly resample?: true | undefined;
  readonly dryRun?: true | undefined;
  readonly threshold?: Readonly<Record<string, number>> | undefined;
  readonly threads?: number | undefined;
}

/** What `detect --json` prints. */
export interface DetectDocument {
  readonly runs: readonly RunSummary[];
  readonly userId: string;
  readonly sessionId: string;
  /** Paths of what was written; `picks` is the overlay, if any run was done. */
  readonly picks?: string | undefined;
  readonly submission?: string | undefined;
  readonly figure?: string | undefined;
  /** What in the project is broken and was passed over, or replaced; tomograms of which chunks are missing. */
  readonly problems: readonly TomogramProblem[];
}

/** What became of a run; a count of picks per object, or why it failed. */
export interface RunSummary {
  readonly run: string;
  readonly status: 'detected' | 'skipped' | 'failed';
  readonly picks?: Readonly<Record<string, number>> | undefined;
  readonly seconds: number;
  readonly error?: Failure | undefined;
}

/** Finds particles in a project and writes them to its overlay, a submission and a figure. */
export async function detect(terminal: Terminal, input: DetectInput): Promise<Outcome> {
  const { signal } = terminal;
  const project = await openProject(input.config, { signal });
  requireObjects(project, Object.keys(input.threshold ?? {}));
  // Refuses names that no file could have, before any work.
  for (const name of [input.userId, input.sessionId]) sanitizeName(name);
  if (input.dryRun) return foresee(terminal, { ...input, project });
  await requireApart({ 'the project file': input.config, '--submission': input.submission, '--figure': input.figure });
  for (const path of [input.submission, input.figure]) {
    if (path !== undefined) await requireDestination(path, { signal });
  }
  const model = await openModel({ model: input.model, threads: input.threads, signal });
  const search = async () => {
    requireProbabilities(input.threshold ?? {}, model.spec);
    warnOfUnsearched(terminal, { objects: project.objects, spec: model.spec });
    return detectRuns(terminal, { ...input, project, model });
  };
  const detected = await search().finally(() => model.dispose());
  const { summaries, found } = detected;
  const files = await writeResults(terminal, { ...input, project, found });
  const problems = project.problems.map(({ path, message }) => ({ path, message }));
  for (const problem of problems) terminal.warn(`cryoet-picks: ${describeProblem(problem)}`);
  const failed = summaries.filter(({ status }) => status === 'failed').length;
  terminal.print('', ...closingLines({ summaries, files, failed }));
  const document: DetectDocument = {
    runs: summaries,
    userId: input.userId,
    sessionId: input.sessionId,
    ...files,
    problems: [...problems, ...detected.problems],
  };
  return { json: document, failed: failed > 0 };
}

/** Options of {@link detectRuns}. */
export interface DetectRunsOptions
  extends globalThis.Pick<
    DetectInput,
    'run' | 'tomogram' | 'userId' | 'sessionId' | 'resume' | 'resample' | 'threshold'
  > {
  readonly project: Project;
  readonly model: Model;
}

/** What {@link detectRuns} did. */
export interface DetectedRuns {
  readonly summaries: readonly RunSummary[];
  readonly found: readonly RunPicks[];
  /** What showed while tomograms were read, and was warned of. */
  readonly problems: readonly TomogramProblem[];
}

/** Runs the detection with a bar per run and a line per finished run; failures go to stderr and do not stop the rest. */
export async function detectRuns(
  terminal: Terminal,
  { project, model, run: runs, tomogram, threshold: thresholds, resample, ...options }: DetectRunsOptions,
): Promise<DetectedRuns> {
  const summaries: RunSummary[] = [];
  const found: RunPicks[] = [];
  const problems: TomogramProblem[] = [];
  const { prepare, afterwards } = lookingOver(terminal, { spec: model.spec, tomogram, resample });
  const bar = runBar(terminal);
  let started = performance.now();
  try {
    for await (const result of detectProject(project, {
      ...options,
      model,
      runs,
      tomogram: tomogram.type,
      voxelSpacing: tomogram.voxelSpacing,
      thresholds,
      prepare,
      signal: terminal.signal,
      onProgress: bar.update,
    })) {
      bar.stop();
      problems.push(...afterwards(result.run));
      const summary = summarize(result, (performance.now() - started) / 1000);
      started = performance.now();
      summaries.push(summary);
      if (result.status !== 'failed') found.push({ run: result.run, picks: result.picks });
      if (summary.error === undefined) terminal.print(runLine(summary));
      else terminal.warn(`cryoet-picks: run "${summary.run}" failed: ${summary.error.message}`);
    }
  } finally {
    bar.stop();
  }
  return { summaries, found, problems };
}

function summarize(result: RunResult, seconds: number): RunSummary {
  const { run, status } = result;
  const rounded = Math.round(seconds * 10) / 10;
  if (status === 'failed') return { run, status, seconds: rounded, error: describeFailure(result.error) };
  return { run, status, picks: countByObject(result.picks), seconds: rounded };
}

function runLine({ run, status, picks = {}, seconds }: RunSummary): string {
  return `${run}  ${counted(sumOf(picks), 'pick')}, ${status === 'skipped' ? 'there already' : `${seconds.toFixed(1)} s`}`;
}

function requireObjects({ objects }: Project, names: readonly string[]): void {
  const known = objects.map(({ name }) => name);
  const stranger = names.find((name) => !known.includes(name));
  if (stranger === undefined) return;
  throw new UsageError(
    `--threshold names "${stranger}", which is no object of the project; it has ${known.join(', ')}`,
  );
}

interface Closing {
  readonly summaries: readonly RunSummary[];
  readonly files: ResultFiles;
  readonly failed: number;
}

function closingLines({ summaries, files, failed }: Closing): string[] {
  const runs = summaries.flatMap(({ run, picks }) => (picks === undefined ? [] : [{ run, counts: picks }]));
  const lines = runs.length === 0 ? [] : [...countTable('picks', { runs }), ''];
  lines.push(
    ...Object.entries(files).flatMap(([what, path]) => (path === undefined ? [] : [`${what.padEnd(12)}${path}`])),
  );
  if (failed > 0) lines.push(`${failed} of ${counted(summaries.length, 'run')} failed`);
  return lines;
}
