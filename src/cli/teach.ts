import { basename, resolve } from 'node:path';
import { sanitizeName } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import type { Progress, Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { computeFeatures } from '../detect/features.ts';
import { featuresOf } from '../inference/feature-model.ts';
import type { Model, ModelSpec } from '../inference/model.ts';
import { readNetwork } from '../node/load-model.ts';
import { counted } from '../page/counted.ts';
import { coarseGrid } from '../space/grid.ts';
import { addHead } from '../teach/add-head.ts';
import type { TomogramFeatures } from '../teach/feature-map.ts';
import type { Learned } from '../teach/learn.ts';
import { lessonsOf } from '../teach/lesson.ts';
import { type Taught, teach } from '../teach/teach.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { requireObjects, tomogramOf, wantedRuns } from './choose.ts';
import type { CommonFlags, DetectInput, Outcome, Owner } from './command.ts';
import { forecastRuns } from './dry-run.ts';
import { fileLines, openCopick, requireApart } from './files.ts';
import { cardBeside, type ModelOutput, openModelOutput } from './model-files.ts';
import { preflight } from './preflight.ts';
import { runBars } from './run-bars.ts';
import { openModel } from './runtime.ts';
import { commandLine, describeProblem, formatTable, type Terminal, UsageError } from './terminal.ts';
import { type ToldPicks, toldPicks } from './told-picks.ts';

/** The arguments of `teach`. */
export interface TeachInput
  extends CommonFlags,
    Pick<
      DetectInput,
      | 'config'
      | 'run'
      | 'tomogram'
      | 'model'
      | 'overlay'
      | 'overwrite'
      | 'resample'
      | 'invert'
      | 'threads'
      | 'memory'
      | 'dryRun'
    > {
  readonly object: readonly string[];
  readonly picks: Owner;
  readonly rejects?: Owner | undefined;
  /** Path of the network that is written. */
  readonly out: string;
  /** Of each object, in Å. @defaultValue those of the project */
  readonly radius?: number | undefined;
  /** Leave out the objects of the network. */
  readonly objectsOnly?: true | undefined;
}

/** The fields of `finished`, the last line of `teach --json`. */
interface TeachDocument {
  readonly objects: readonly Omit<Learned, 'head'>[];
  /** Those with picks. */
  readonly runs: readonly string[];
  /** Paths of the files that were written, absolute. */
  readonly out: string;
  readonly card: string;
  /** The command that finds the objects. */
  readonly next: string;
  readonly warnings: readonly Warning[];
}

/** Teaches a network new objects by the picks of a project, and writes it with its card. */
export async function teachObjects(terminal: Terminal, input: TeachInput): Promise<Outcome> {
  const { signal } = terminal;
  const { config, object: objects, out, overwrite, model: path, threads, overlay } = input;
  await requireApart({ 'the project file': config, '--model': path, '--out': out });
  await requireApart({ 'the project file': config, 'the card of --out': cardBeside(out) });
  const output = input.dryRun ? undefined : await openModelOutput(terminal, out, { overwrite });
  const project = await openCopick(terminal, config, { overlay });
  requireObjects(project, { flag: '--object', names: objects });
  const radius = radiiOf(project, input);
  const runs = await wantedRuns(project, { names: input.run, signal });
  const told = await toldPicks(project, { ...input, objects, runs, signal });
  for (const problem of project.problems) terminal.warn(`cryoet-picks: ${describeProblem(problem)}`);
  terminal.print(...toldLines(told, objects), '');
  const network = await readNetwork(path, { signal });
  const model = await openModel(terminal, { model: path, threads });
  return teachModel(terminal, { ...input, project, told, radius, network, model, output }).finally(() =>
    model.dispose(),
  );
}

interface TeachModelInput extends Omit<TeachInput, 'model' | 'radius'> {
  readonly project: Project;
  readonly told: ToldPicks;
  /** The bytes of its file. */
  readonly network: Uint8Array;
  readonly model: Model;
  readonly radius: Readonly<Record<string, number>>;
  /** Absent if nothing is to be written. */
  readonly output: ModelOutput | undefined;
}

/** Checks all that can be, computes the features, and learns. */
async function teachModel(terminal: Terminal, input: TeachModelInput): Promise<Outcome> {
  const { told, radius, model, out, output, memory } = input;
  const { signal } = terminal;
  const warnings: Warning[] = [];
  const warn = (warning: Warning) => {
    warnings.push(warning);
    terminal.warn(`cryoet-picks: ${warning.run === undefined ? '' : `run "${warning.run}": `}${warning.message}`);
  };
  told.warnings.forEach(warn);
  requireNew(model.spec, input);
  const featureModel = featuresOf(model);
  const tomogram = await tomogramOf(told.runs, input.tomogram, signal);
  const { prepare, afterwards } = preflight(terminal, { ...input, spec: model.spec, tomogram, warn });
  const tomograms: RunTomogram[] = [];
  for (const run of told.runs) {
    const opened = await run.tomogram(tomogram.type, { voxelSpacing: tomogram.voxelSpacing, signal });
    tomograms.push({ run: run.name, source: await prepare(opened, run) });
  }
  requireLessons(tomograms, input);
  if (output === undefined) {
    // What is odd about the tomograms was said just now.
    const quiet: Terminal = { ...terminal, warn: () => {} };
    const run = tomograms.map((one) => one.run);
    const document = await forecastRuns(quiet, { ...input, model: featureModel, tomogram, run, keepsFeatures: true });
    return { json: document, failed: document.runs.some((one) => 'error' in one) };
  }
  const features = await featuresOfRuns(terminal, tomograms, { model, memory, warn });
  for (const { run } of tomograms) afterwards(run);
  const { picks, rejects } = told;
  const keepKnown = input.objectsOnly !== true;
  const taught = await teach(features, picks, { rejects, radius, keepKnown, signal, onWarning: warn });
  await output.write(await addHead(input.network, taught), taught.spec);
  const files = { out: resolve(out), card: resolve(cardBeside(out)) };
  const next = nextCommand(input);
  terminal.print(...taughtLines(taught), '', ...fileLines(files), `next        ${next}`);
  const document: TeachDocument = {
    objects: taught.objects.map(({ head, ...learned }) => learned),
    runs: tomograms.map(({ run }) => run),
    ...files,
    next,
    warnings,
  };
  return { json: document };
}

/** The radius of each object in Å. @throws {@link UsageError} if nobody says one. */
function radiiOf({ objects }: Project, { object: names, radius }: TeachInput): Record<string, number> {
  return Object.fromEntries(
    names.map((name) => {
      const own = radius ?? objects.find((one) => one.name === name)?.radius;
      if (own !== undefined && own > 0) return [name, own];
      throw new UsageError(`the project says no radius of "${name}"; give it by --radius, in Å`);
    }),
  );
}

/** @throws {@link UsageError} for an object that the network finds, unless it is left out. */
function requireNew(
  { classes, name }: ModelSpec,
  { object, objectsOnly }: Pick<TeachInput, 'object' | 'objectsOnly'>,
): void {
  const known = object.find((one) => classes.includes(one));
  if (known === undefined || objectsOnly) return;
  throw new UsageError(
    `--object names "${known}", which model "${name}" finds already; to teach it anew, add --objects-only, which leaves out all objects of the model`,
  );
}

/** The tomogram of a run. */
interface RunTomogram {
  readonly run: string;
  readonly source: VolumeSource;
}

/** Throws what {@link teach} would throw for the picks, before features are computed for minutes. */
function requireLessons(tomograms: readonly RunTomogram[], { told, radius, model: { spec } }: TeachModelInput): void {
  const places = tomograms.map(({ run, source: { grid } }): TomogramFeatures => {
    const cells = coarseGrid(grid, spec.outputStride);
    return { run, grid: cells, voxelSize: grid.voxelSize, spec, featureCount: 1, blocks: [] };
  });
  lessonsOf(places, told.picks, { rejects: told.rejects, radiusOf: (object) => radius[object]! });
}

interface FeatureOptions extends Pick<DetectInput, 'memory'> {
  readonly model: Model;
  readonly warn: (warning: Warning) => void;
}

/** Computes the features of all runs, with a progress bar and a line for each. */
async function featuresOfRuns(
  terminal: Terminal,
  tomograms: readonly RunTomogram[],
  { model, memory, warn }: FeatureOptions,
): Promise<TomogramFeatures[]> {
  const { signal } = terminal;
  const bars = runBars(terminal);
  const features: TomogramFeatures[] = [];
  try {
    for (const [runsDone, { run, source }] of tomograms.entries()) {
      const at = { run, runsDone, runsTotal: tomograms.length };
      const onProgress = (progress: Progress) => bars.update({ ...at, ...progress });
      const onWarning = (warning: Warning) => warn({ ...warning, run });
      terminal.event({ event: 'started', ...at });
      const started = performance.now();
      try {
        features.push(await computeFeatures(source, { model, run, memory, signal, onProgress, onWarning }));
      } catch (error) {
        throw ofRun(run, error);
      }
      bars.finish(run);
      const seconds = Math.round((performance.now() - started) / 100) / 10;
      terminal.event({ event: 'done', run, seconds });
      terminal.print(`${run}  features, ${seconds.toFixed(1)} s`);
    }
  } finally {
    bars.stop();
  }
  return features;
}

/** An error with the name of its run. */
function ofRun(run: string, error: unknown): unknown {
  if (!isCryoetPicksError(error) || error.message.includes(`"${run}"`)) return error;
  const { code, message, path, option } = error;
  return new CryoetPicksError(code, `run "${run}": ${message}`, { cause: error, path, option });
}

/** How many picks and rejects there are of each object. */
function toldLines({ picks, rejects, runs }: ToldPicks, objects: readonly string[]): string[] {
  const of = (all: ToldPicks['picks'], object: string) =>
    all.reduce((sum, one) => sum + one.picks.filter((pick) => pick.object === object).length, 0);
  return objects.map((object) => {
    const rejected = of(rejects, object);
    const more = rejected === 0 ? '' : ` and ${counted(rejected, 'reject')}`;
    return `${object}: ${counted(of(picks, object), 'pick')}${more}, in ${counted(runs.length, 'run')}`;
  });
}

/** What was learned, and what to look at next. */
function taughtLines({ objects }: Taught): string[] {
  const learned = formatTable({
    header: ['object', 'picks', 'rejects', 'particles', 'threshold', 'for the competition'],
    rows: objects.map(({ object, picks, rejects, rejectsDropped, particles, thresholds }) => [
      object,
      picks,
      rejectsDropped ? 'left out' : rejects,
      `about ${particles}`,
      Number(thresholds.balanced.toPrecision(2)),
      Number(thresholds.competition.toPrecision(2)),
    ]),
  });
  const curve = formatTable({
    header: ['object', 'picks', 'F1 expected'],
    rows: objects.flatMap(({ object, curve: points }) =>
      points.map(({ picks, score }) => [object, picks, score.toFixed(2)]),
    ),
  });
  const unsure = objects.flatMap(({ object, unsure: runs, thresholds: { balanced } }) =>
    runs
      .flatMap(({ run, picks }) => picks.map(({ position: { x, y, z }, score }) => ({ run, object, x, y, z, score })))
      .sort((a, b) => Math.abs(a.score - balanced) - Math.abs(b.score - balanced)),
  );
  const next = formatTable({
    header: ['look at next', 'object', 'x Å', 'y Å', 'z Å', 'score'],
    rows: unsure.map(({ run, object, x, y, z, score }) => [
      ...[run, object],
      ...[x, y, z].map((length) => Math.round(length)),
      score.toFixed(2),
    ]),
  });
  return ['', ...learned, '', ...curve, ...(unsure.length === 0 ? [] : ['', ...next])];
}

/** The command that finds the objects, in a session of its own: picks of another model would be in the way. */
function nextCommand({
  config,
  object,
  out,
  tomogram,
  overlay,
  resample,
  invert,
}: Omit<TeachInput, 'model' | 'radius'>): string {
  const session = sanitizeName(basename(out).replace(/\.onnx$/i, ''));
  return commandLine([
    ...['detect', config, '--model', out, '--session-id', session],
    ...(tomogram === undefined ? [] : ['--tomogram', [tomogram.type, tomogram.voxelSpacing ?? []].flat().join('@')]),
    ...(overlay === undefined ? [] : ['--overlay', overlay]),
    ...(resample ? ['--resample'] : []),
    ...(invert ? ['--invert'] : []),
    '--object',
    ...object,
  ]);
}
