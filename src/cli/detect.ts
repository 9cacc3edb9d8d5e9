import { resolve } from 'node:path';
import { pathToWrite } from '../copick/layout.ts';
import type { PickableObject } from '../copick/object.ts';
import type { Project } from '../copick/project.ts';
import { listNames } from '../copick/tree.ts';
import type { Warning } from '../core/concurrency.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import { pickProject } from '../detect/pick-project.ts';
import { detectProject } from '../detect/project.ts';
import { byObject, inShard, type RunMask } from '../detect/project-runs.ts';
import type { Shard } from '../detect/shards.ts';
import { figureFormat, figureObjects, renderFigure } from '../figure/figure.ts';
import { submissionFormat } from '../formats/csv.ts';
import { encodeRuns } from '../formats/run-by-run.ts';
import type { Model, ModelSpec } from '../inference/model.ts';
import { overlayClaims } from '../node/overlay-claims.ts';
import { counted } from '../page/counted.ts';
import type { RunPicks } from '../picks/pick.ts';
import { requireObjects, tomogramOf, wantedRuns } from './choose.ts';
import type { DetectInput, Outcome, TomogramName } from './command.ts';
import { picksKind } from './convert-write.ts';
import { dryRun } from './dry-run.ts';
import {
  type FileKind,
  fileLines,
  namesAsWritten,
  type Output,
  type OutputData,
  openCopick,
  openOutput,
  requireApart,
} from './files.ts';
import { maskOfInput } from './masks.ts';
import { maxFalseLines } from './max-false.ts';
import { preflight } from './preflight.ts';
import { runBars } from './run-bars.ts';
import { type CollectedRuns, collectRuns, type RunSummary, startsOf, type TomogramProblem } from './run-results.ts';
import { openModel } from './runtime.ts';
import { chosenShard, unusedArrayLine } from './scheduler.ts';
import {
  commandLine,
  countTable,
  describeFailure,
  describeProblem,
  type Failure,
  type Terminal,
  UsageError,
} from './terminal.ts';
import {
  type AskedThresholds,
  askedThresholds,
  submissionPicks,
  type ThresholdsDocument,
  thresholdsDocument,
  thresholdsLine,
} from './thresholds.ts';

/** The fields of `finished`, the last line of `detect --json`. */
export interface DetectDocument {
  readonly runs: readonly RunSummary[];
  /** As files have it, and the next one. */
  readonly userId: string;
  readonly sessionId: string;
  /** Paths of the files that were written; `picks` is the overlay, if any run was searched. */
  readonly picks?: string | undefined;
  readonly submission?: string | undefined;
  readonly figure?: string | undefined;
  /** Of the picks, and of the submission if there is one; `numbers` are those that were given. */
  readonly thresholds: ThresholdsDocument;
  /** Files beside the picks that could not be written. */
  readonly notWritten: readonly NotWritten[];
  /** Parts of the project that are broken and were skipped or replaced, and tomograms with missing chunks. */
  readonly problems: readonly TomogramProblem[];
  /** What looks wrong with tomograms and picks, by run; each was printed to stderr. */
  readonly warnings: readonly Warning[];
}

/** Detects particles in a project and writes them to its overlay, a submission and a figure. */
export async function detect(terminal: Terminal, input: DetectInput): Promise<Outcome> {
  const { signal } = terminal;
  const { userId = 'cryoet-picks', sessionId = '0', fromCandidates = false } = input;
  if (fromCandidates) refuseSearch(input);
  refuseOutputs(input);
  const asked = await askedThresholds(input);
  const project = await openOnlyProject(input, terminal);
  requireObjects(project, {
    flag: input.thresholds ? '--thresholds' : '--threshold',
    names: Object.keys(asked.numbers),
  });
  requireObjects(project, { flag: '--object', names: input.object ?? [] });
  const written = namesAsWritten({ userId, sessionId });
  pathToWrite('picks', { run: 'run', object: 'object', ...written.names });
  for (const { message } of written.warnings) terminal.warn(`cryoet-picks: ${message}`);
  const shard = shardFor(terminal, input);
  const onWarning = (message: string) => terminal.warn(`cryoet-picks: ${message}`);
  const mask = await maskOfInput(input, { project, onWarning, signal });
  if (input.dryRun) return dryRun(terminal, { ...input, shard, project, mask });
  await requireApart({ 'the project file': input.config, '--submission': input.submission, '--figure': input.figure });
  const outputs = await openOutputs(terminal, input);
  const runs = await wantedRuns(project, { names: input.run, signal });
  const names = input.run === undefined ? undefined : runs.map(({ name }) => name);
  const tomogram =
    fromCandidates && input.figure === undefined ? input.tomogram : await tomogramOf(runs, input.tomogram, signal);
  const keepPicksOf = input.figure === undefined ? 0 : 1;
  const common = { ...input, asked, userId, sessionId, run: names, shard, project, mask, keepPicksOf };
  const search = async () => {
    if (fromCandidates) return pickRuns(terminal, common);
    const model = await openModel(terminal, input);
    const detecting = async () => {
      requireProbabilities(asked.numbers, model.spec);
      if (input.object === undefined) warnOfUnsearched(terminal, { objects: project.objects, spec: model.spec });
      return detectRuns(terminal, { ...common, tomogram: tomogram!, model });
    };
    return detecting().finally(() => model.dispose());
  };
  const detected = await search();
  const { summaries, found } = detected;
  const isSearched = summaries.some(({ status }) => status !== 'failed');
  const results = { ...common, tomogram, found, summaries, isSearched, outputs };
  const { files, notWritten } = await writeResults(terminal, results);
  const problems = project.problems.map(({ path, message }) => ({ path, message }));
  for (const problem of problems) terminal.warn(`cryoet-picks: ${describeProblem(problem)}`);
  const failed = summaries.filter(({ status }) => status === 'failed').length;
  const total = inShard(runs, { shard }).length;
  const isStopped = input.failFast === true && failed > 0;
  const thresholds = thresholdsDocument(asked, input);
  terminal.print('', ...closingLines({ summaries, files, failed, total, isStopped, asked }));
  const document: DetectDocument = {
    runs: summaries,
    ...written.names,
    ...files,
    thresholds,
    notWritten,
    problems: [...problems, ...detected.problems],
    warnings: [...written.warnings, ...detected.warnings],
  };
  return { json: document, failed: failed > 0 || notWritten.length > 0 };
}

/** Opens a project, once it is clear that the options are for one. */
async function openOnlyProject(input: DetectInput, terminal: Terminal): Promise<Project> {
  const { config, overlay } = input;
  const misplaced = (['out', 'to', 'voxelSize'] as const).find((option) => input[option] !== undefined);
  const flag = misplaced === 'voxelSize' ? '--voxel-size' : `--${misplaced}`;
  let project: Project;
  try {
    project = await openCopick(terminal, config, { overlay });
  } catch (error) {
    if (misplaced === undefined || !isCryoetPicksError(error, 'invalid-config')) throw error;
    throw new UsageError(
      `${flag} applies to a single volume, and ${config} is not named like one: expected .mrc, .rec, .map or .ccp4 (also .gz), ` +
        '.tif, .zarr, .ozx or .zarr.zip, or a folder with an OME-Zarr image',
    );
  }
  if (misplaced === undefined) return project;
  throw new UsageError(`${flag} applies to a single volume; picks of a project go to its overlay, and to --submission`);
}

/** The options of a search, which candidates have behind them. */
const ofSearches = {
  model: '--model',
  threads: '--threads',
  memory: '--memory',
  resample: '--resample',
  invert: '--invert',
  allowMissingChunks: '--allow-missing-chunks',
  dryRun: '--dry-run',
  candidates: '--candidates',
  jobs: '--jobs',
  retries: '--retries',
  claim: '--claim',
} as const;

/** @throws {@link UsageError} for an option of a search beside `--from-candidates`. */
function refuseSearch(input: DetectInput): void {
  for (const [option, flag] of Object.entries(ofSearches)) {
    const value = input[option as keyof DetectInput];
    if (value === undefined) continue;
    const given = value === false ? flag.replace('--', '--no-') : flag;
    throw new UsageError(`${given} applies to a search; --from-candidates picks from what an earlier search has found`);
  }
}

/** @throws {@link UsageError} for an output of all runs where this process has only some, and for a lease of nothing. */
function refuseOutputs(input: DetectInput): void {
  const { config, claim, shard, lease, submission, candidates } = input;
  if (submission !== undefined && candidates === false) {
    throw new UsageError(
      '--submission is made of the candidates, which --no-candidates does not keep; leave out one of them',
    );
  }
  if (lease !== undefined && claim === undefined) throw new UsageError('--lease is that of --claim; give both');
  if (claim === undefined && shard === undefined) return;
  const output = (['submission', 'figure', 'out'] as const).find((name) => input[name] !== undefined);
  if (output === undefined) return;
  const shared = claim === undefined ? '--shard' : '--claim';
  const option = output === 'out' ? '--out picks.star' : '--submission submission.csv';
  throw new UsageError(
    `--${output} would hold only the runs that this process searches with ${shared}; leave it out, and when all are done: ` +
      commandLine(['gather', config, ...option.split(' ')]),
  );
}

/** The share that `--shard` asks for; where nothing divides the runs, a line says that a job array does the same in each task. */
function shardFor(terminal: Terminal, { shard, claim }: DetectInput): Shard | undefined {
  if (shard !== undefined) return chosenShard(shard, process.env);
  const unused = claim === undefined ? unusedArrayLine(process.env) : undefined;
  if (unused !== undefined) terminal.warn(`cryoet-picks: ${unused}`);
  return undefined;
}

/** Options of {@link detectRuns}. */
export interface DetectRunsOptions
  extends Pick<
    DetectInput,
    | 'run'
    | 'object'
    | 'resume'
    | 'overwrite'
    | 'resample'
    | 'invert'
    | 'allowMissingChunks'
    | 'memory'
    | 'candidates'
    | 'maxFalse'
    | 'max'
    | 'acrossObjects'
    | 'claim'
    | 'lease'
    | 'jobs'
    | 'retries'
    | 'failFast'
  > {
  readonly project: Project;
  readonly model: Model;
  /** @defaultValue none */
  readonly asked?: AskedThresholds | undefined;
  readonly shard?: Shard | undefined;
  readonly mask?: RunMask | undefined;
  readonly tomogram: TomogramName;
  readonly userId: string;
  readonly sessionId: string;
  /** Of how many runs the picks are kept: those of thousands fill the memory. @defaultValue all */
  readonly keepPicksOf?: number | undefined;
}

/** Result of {@link detectRuns}. */
export interface DetectedRuns extends CollectedRuns {
  readonly warnings: readonly Warning[];
}

/** Runs the detection with a progress bar per run and a line per finished run; a run that fails is printed to stderr, and the others go on. */
export async function detectRuns(
  terminal: Terminal,
  {
    project,
    model,
    run: runs,
    object,
    tomogram,
    asked,
    resample,
    invert,
    candidates,
    failFast,
    claim,
    lease,
    keepPicksOf,
    ...options
  }: DetectRunsOptions,
): Promise<DetectedRuns> {
  const warnings: Warning[] = [];
  const warn = (warning: Warning) => {
    warnings.push(warning);
    terminal.warn(`cryoet-picks: run "${warning.run}": ${warning.message}`);
  };
  const { prepare, afterwards } = preflight(terminal, { spec: model.spec, tomogram, resample, invert, warn });
  const bars = runBars(terminal, { jobs: options.jobs });
  const starts = startsOf(terminal);
  const results = detectProject(project, {
    ...options,
    model,
    runs,
    objects: objectsOf(project, object),
    tomogram: tomogram.type,
    voxelSpacing: tomogram.voxelSpacing,
    claim: claim && overlayClaims(project, { lease }),
    thresholds: asked?.set ?? asked?.numbers,
    keepCandidates: candidates !== false,
    candidatesPerObject: candidates === false ? undefined : candidates,
    prepare,
    settings: { resampled: resample === true, inverted: invert === true },
    signal: terminal.signal,
    onProgress: bars.update,
    onStart: starts.onStart,
    // `afterwards` counts missing chunks, of resampled tomograms too, and files that were passed over are problems.
    onWarning: (warning) => {
      if (ofSearch.has(warning.code)) warn(warning);
    },
  });
  return { ...(await collectRuns(terminal, results, { bars, starts, afterwards, failFast, keepPicksOf })), warnings };
}

/** Codes of what a search itself warns of; what looks wrong with a tomogram is told before. */
const ofSearch: ReadonlySet<string> = new Set([
  'voxels-not-finite',
  'voxel-size-not-taught',
  'mask-removes-all',
  'candidates-replaced',
  'false-picks-unknown',
  'run-tried-again',
  'failure-not-recorded',
  'claim-not-writable',
]);

/** Options of {@link pickRuns}. */
type PickRunsOptions = Omit<DetectRunsOptions, 'model' | 'tomogram'> & { readonly tomogram?: TomogramName | undefined };

/** Picks from stored candidates, as {@link detectRuns} detects. */
async function pickRuns(
  terminal: Terminal,
  { project, run: runs, object, tomogram, asked, failFast, keepPicksOf, ...options }: PickRunsOptions,
): Promise<DetectedRuns> {
  const { userId, sessionId, shard, resume, overwrite, maxFalse, max, acrossObjects, mask } = options;
  const warnings: Warning[] = [];
  const starts = startsOf(terminal);
  const results = pickProject(project, {
    onStart: starts.onStart,
    ...{ userId, sessionId, shard, resume, overwrite, maxFalse, max, acrossObjects, mask, runs },
    thresholds: asked?.set ?? asked?.numbers,
    objects: objectsOf(project, object),
    tomogram: tomogram?.type,
    voxelSpacing: tomogram?.voxelSpacing,
    signal: terminal.signal,
    onWarning: (warning) => {
      if (warning.code === 'file-passed-over') return;
      warnings.push(warning);
      terminal.warn(`cryoet-picks: run "${warning.run}": ${warning.message}`);
    },
  });
  const collecting = { bars: runBars(terminal), starts, afterwards: () => [], failFast, keepPicksOf };
  return { ...(await collectRuns(terminal, results, collecting)), warnings };
}

/** The objects of a project that are named; undefined for all. */
function objectsOf({ objects }: Project, names: readonly string[] | undefined): PickableObject[] | undefined {
  const wanted = new Set(names);
  return names && objects.filter(({ name }) => wanted.has(name));
}

interface Closing {
  readonly summaries: readonly RunSummary[];
  readonly files: ResultFiles;
  readonly failed: number;
  /** How many runs there were to search. */
  readonly total: number;
  /** Whether `--fail-fast` has ended the work. */
  readonly isStopped: boolean;
  readonly asked: AskedThresholds;
}

function closingLines({ summaries, files, failed, total, isStopped, asked }: Closing): string[] {
  const runs = summaries.flatMap(({ run, picks }) => (picks === undefined ? [] : [{ run, counts: picks }]));
  const lines = runs.length === 0 ? [] : [...countTable('picks', { runs }), '', ...maxFalseLines(summaries)];
  lines.push(...fileLines({ ...files }));
  if (runs.length > 0) lines.push(thresholdsLine(asked, files));
  const untold = total - summaries.length;
  if (untold > 0 && !isStopped) lines.push(`${counted(untold, 'run')} done before, or by other processes`);
  if (failed > 0) lines.push(`${failed} of ${counted(total, 'run')} failed`);
  if (untold > 0 && isStopped) lines.push(`${counted(untold, 'run')} not looked at after the failure (--fail-fast)`);
  const recorded = summaries.filter((one) => one.recorded);
  if (recorded.length > 0) {
    const retries = Math.max(...recorded.map(({ attempt = 1 }) => attempt));
    const many = recorded.length === failed ? 'they' : `${recorded.length} of them`;
    lines.push(`${many} failed before, or in other processes; --retries ${retries} tries them again`);
  }
  return lines;
}

/** Objects of a project, and the model to detect them. */
export interface ObjectsOfModel {
  readonly objects: readonly PickableObject[];
  readonly spec: ModelSpec;
}

/** Warns, in one line, about particles of the project that the model has no class for, if it has classes for others. */
function warnOfUnsearched(terminal: Terminal, { objects, spec }: ObjectsOfModel): void {
  const classes = new Set(spec.classes.filter((name) => name !== null));
  const particles = new Set(objects.filter(({ isParticle }) => isParticle).map(({ name }) => name));
  const unsearched = [...particles].filter((name) => !classes.has(name));
  // If the model has none of the classes, the detection itself throws.
  if (unsearched.length === 0 || unsearched.length === particles.size) return;
  const unused = [...classes].filter((name) => !particles.has(name));
  const others = unused.length === 0 ? '' : `; its classes ${listNames(unused)} are not particles of the project`;
  terminal.warn(
    `cryoet-picks: model "${spec.name}" has no class for ${listNames(unsearched)}, so these are not detected${others}`,
  );
}

/**
 * Throws unless all thresholds are probabilities, for a model whose scores are.
 *
 * @throws {@link UsageError} naming the first that is not.
 */
function requireProbabilities(
  thresholds: Readonly<Record<string, number>>,
  { name: model, activation }: ModelSpec,
): void {
  if (activation === 'none') return;
  const outside = Object.entries(thresholds).find(([, value]) => !(value >= 0 && value <= 1));
  if (outside === undefined) return;
  throw new UsageError(
    `--threshold ${outside.join('=')}: the scores of model "${model}" are probabilities (${activation}), between 0 and 1`,
  );
}

/** Paths of the files that were written, absolute; `picks` is the overlay, if any run was searched. */
interface ResultFiles {
  readonly picks?: string | undefined;
  readonly submission?: string | undefined;
  readonly figure?: string | undefined;
}

/** A file that could not be written. */
export interface NotWritten {
  readonly path: string;
  readonly error: Failure;
}

/** The files that `--submission` and `--figure` name. */
export interface Outputs {
  readonly submission?: Output | undefined;
  readonly figure?: Output | undefined;
}

/** Opens the files of `--submission` and `--figure`, so that one that cannot be written shows before any work. */
export async function openOutputs(
  terminal: Terminal,
  { submission, figure, overwrite }: Pick<DetectInput, 'submission' | 'figure' | 'overwrite'>,
): Promise<Outputs> {
  const kind = figure === undefined ? undefined : figureKind(figure);
  return {
    submission:
      submission === undefined
        ? undefined
        : await openOutput(terminal, submission, { kind: picksKind('submission'), overwrite }),
    figure: kind === undefined ? undefined : await openOutput(terminal, figure!, { kind, overwrite }),
  };
}

/** Figures of the format that a path names. @throws {@link UsageError} if it names none. */
function figureKind(path: string): FileKind {
  let format: ReturnType<typeof figureFormat>;
  try {
    format = figureFormat(path);
  } catch (cause) {
    if (isCryoetPicksError(cause, 'invalid-option')) throw new UsageError(`--figure: ${cause.message}`);
    throw cause;
  }
  const start = {
    png: /^\u0089PNG\r\n/,
    svg: /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?(?:<!DOCTYPE[^>]*>\s*)?<svg[\s>]/s,
  };
  return {
    name: `a figure (${format.toUpperCase()})`,
    holds: (bytes) => start[format].test(Buffer.from(bytes.subarray(0, 4096)).toString('latin1')),
  };
}

/** Options of {@link submissionRuns}. */
export interface SubmissionRunsOptions extends Pick<DetectRunsOptions, 'acrossObjects' | 'max' | 'mask'> {
  readonly project: Project;
  readonly userId: string;
  readonly sessionId: string;
  readonly asked: AskedThresholds;
  /** Those that failed have no picks. */
  readonly summaries: readonly RunSummary[];
}

/** The picks of a submission, made of the candidates that the runs have kept, one run in memory at a time. */
export async function* submissionRuns(
  terminal: Terminal,
  { project, userId, sessionId, summaries, mask, ...how }: SubmissionRunsOptions,
): AsyncGenerator<RunPicks> {
  const { signal } = terminal;
  for (const { run: name, picks } of summaries) {
    if (picks === undefined) continue;
    const run = await project.run(name, { signal });
    const expected = { userId, sessionId };
    const { candidates } = await run.readCandidates({ userId, sessionId, expected, signal });
    const objects = Object.keys(picks);
    const found = submissionPicks(candidates, { ...how, objects, mask: await mask?.of(run, candidates.grid) });
    yield { run: name, picks: byObject(found, objects) };
  }
}

/** Options of {@link writeResults}. */
export interface ResultsOptions extends SubmissionRunsOptions {
  /** Needed for a figure. */
  readonly tomogram?: TomogramName | undefined;
  /** The first run, if a figure is wanted. */
  readonly found: readonly RunPicks[];
  /** Whether the overlay has picks of any run. */
  readonly isSearched: boolean;
  readonly outputs: Outputs;
}

/** Writes the submission and the figure, if they are wanted. A failure of one is reported, and the other is still written. */
async function writeResults(
  terminal: Terminal,
  { found, isSearched, tomogram, outputs, ...submitted }: ResultsOptions,
): Promise<{ readonly files: ResultFiles; readonly notWritten: readonly NotWritten[] }> {
  const { signal } = terminal;
  const { project } = submitted;
  const notWritten: NotWritten[] = [];
  const [first] = found;
  const write = async (output: Output | undefined, make: () => OutputData | Promise<OutputData>) => {
    if (output === undefined) return undefined;
    const { path } = output;
    try {
      await output.write(await make());
      return path === '-' ? path : resolve(path);
    } catch (error) {
      signal.throwIfAborted();
      const failure = describeFailure(error);
      terminal.warn(`cryoet-picks: ${path} is not written: ${failure.message}`);
      notWritten.push({ path, error: failure });
      return undefined;
    }
  };
  const submission = await write(outputs.submission, () =>
    encodeRuns(submissionRuns(terminal, submitted), {
      formatOf: (_, rows) => submissionFormat({ firstId: rows }),
      signal,
    }),
  );
  const figure = await write(first && outputs.figure, () =>
    figureOf(project, { found: first!, tomogram: tomogram!, figure: outputs.figure!.path, signal }),
  );
  const picks = isSearched ? project.overlayLocation : undefined;
  const files = { ...(picks && { picks }), ...(submission && { submission }), ...(figure && { figure }) };
  return { files, notWritten };
}

interface FigureOptions {
  readonly found: RunPicks;
  readonly tomogram: TomogramName;
  readonly figure: string;
  readonly signal: AbortSignal;
}

/** The figure of a run. */
async function figureOf(project: Project, { found, tomogram, figure, signal }: FigureOptions): Promise<Uint8Array> {
  const run = await project.run(found.run, { signal });
  const { type, voxelSpacing } = tomogram;
  return renderFigure(await run.tomogram(type, { voxelSpacing, signal }), {
    picks: found.picks,
    objects: figureObjects(project.objects),
    title: `${found.run}, ${type}`,
    format: figureFormat(figure),
    signal,
  });
}
