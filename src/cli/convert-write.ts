import { basename, join } from 'node:path';
import { listNames } from '../copick/tree.ts';
import { type Warning, withTurns } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { jsonSteps } from '../core/json-parser.ts';
import {
  type AnyPicksFormat,
  type FormatOptions,
  formatRequirements,
  type PicksFormatName,
  picksFormat,
} from '../formats/by-name.ts';
import { type NamesByNumber, numbered, requireOneVoxelSize } from '../formats/file-context.ts';
import { decodePicks, encodePicks, lossesOf, type TableColumn } from '../formats/format.ts';
import { counted } from '../page/counted.ts';
import type { ParticlePick, RunPicks } from '../picks/pick.ts';
import type { Zyx } from '../space/grid.ts';
import type { Outcome } from './command.ts';
import { type FileKind, openOutput, requireApart } from './files.ts';
import { describeColumns } from './picks-file.ts';
import { type RunFailure, warnOfFailures } from './project-picks.ts';
import type { RunGrid } from './run-grids.ts';
import { describeFailure, type Terminal } from './terminal.ts';

/** Picks that were read, and what is known about them. */
export interface Source {
  readonly from: PicksFormatName | 'project';
  readonly runs: readonly RunPicks[];
  /** Class numbers. */
  readonly objects: NamesByNumber;
  readonly grids: ReadonlyMap<string, RunGrid>;
  readonly failures: readonly RunFailure[];
  /** The options of the formats. */
  readonly options: FormatOptions;
  /** What the source contains that picks cannot hold: a line each. */
  readonly leftOut: readonly string[];
  /** What looked wrong while the source was read. */
  readonly warnings: readonly Warning[];
  /** What the columns of a plain table were taken for; empty for other sources. */
  readonly columns: readonly TableColumn[];
}

/** What `convert --json` prints. */
export interface ConvertDocument {
  readonly from: PicksFormatName | 'project';
  readonly to: PicksFormatName;
  /** Numbers of runs and picks that were written. */
  readonly runs: number;
  readonly picks: number;
  /** What the new file cannot hold. */
  readonly losses: readonly string[];
  /** Which class number stands for which object, where the format has numbers. */
  readonly classes?: NamesByNumber | undefined;
  readonly warnings: readonly Warning[];
  /** What the columns of a plain table were taken for. */
  readonly columns?: readonly TableColumn[] | undefined;
  /** The files that were written, if the output is a folder. */
  readonly files?: readonly string[] | undefined;
  /** The tomograms that voxel size and shape were taken from, by run of the project. */
  readonly tomograms?: Readonly<Record<string, RunGrid>> | undefined;
  /** Runs of a project that could not be converted. */
  readonly failed?: readonly RunFailure[] | undefined;
}

/** The destination of {@link writePicks}. */
export interface Destination {
  /** Path of the input, which must not be overwritten. */
  readonly input: string;
  readonly output: string;
  readonly isFolder: boolean;
  readonly to: PicksFormatName;
  readonly overwrite?: true | undefined;
  readonly verbose?: true | undefined;
}

/**
 * Writes picks, each file atomically. If a run fails, it is reported, and a file of all runs is not written; a folder gets the
 * files of the other runs.
 */
export async function writePicks(terminal: Terminal, source: Source, destination: Destination): Promise<Outcome> {
  const { from, runs, objects, options, grids, warnings, columns } = source;
  const { to, output, isFolder } = destination;
  for (const { message } of warnings) terminal.warn(`cryoet-picks: ${message}`);
  const names = numbered(new Set(runs.map((one) => one.run)));
  const formatOptions = { ...options, objects, runs: names };
  const isPart = !isFolder && source.failures.length > 0;
  const plan = isPart ? [] : planFiles({ runs, to, output, isFolder, options: formatOptions, grids });
  const { written, failures } = await formatted(plan, { ...source, signal: terminal.signal });
  const failed = new Set(failures.map(({ run }) => run));
  warnOfFailures(terminal, failures);
  const isWhole = isFolder || failures.length === 0;
  const files = isWhole ? written.filter(({ run }) => run === undefined || !failed.has(run)) : [];
  for (const { path } of files) await requireApart({ 'the input': destination.input, 'the output': path });
  const kind = picksKind(to);
  const outputs = [];
  for (const { path } of files)
    outputs.push(await openOutput(terminal, path, { kind, overwrite: destination.overwrite }));
  for (const [index, { data }] of files.entries()) await outputs[index]!.write(data);
  const kept = isWhole ? runs.filter(({ run }) => !failed.has(run)) : [];
  const picks = kept.reduce((sum, one) => sum + one.picks.length, 0);
  const format = picksFormat(to, formatOptions);
  const classes = classesOf(to, objects);
  const losses = [...source.leftOut, ...(await lossesOf(kept, { format, signal: terminal.signal }))];
  if (files.length > 0) {
    const where = isFolder ? `${output} (${counted(files.length, 'file')})` : output;
    terminal.print(`${counted(picks, 'pick')} of ${counted(kept.length, 'run')}, ${from} to ${to}: ${where}`);
    if (destination.verbose && columns.length > 0) terminal.print(describeColumns(columns));
    terminal.print(...notes(to, { losses, classes, names, verbose: destination.verbose }));
  }
  if (failures.length > 0) {
    terminal.print(`${counted(failed.size, 'run')} failed${files.length === 0 ? '; nothing was written' : ''}`);
  }
  const document: ConvertDocument = {
    ...{ from, to, runs: kept.length, picks, losses, warnings },
    ...(classes && { classes }),
    ...(columns.length > 0 && { columns }),
    ...(isFolder && { files: files.map(({ path }) => path) }),
    ...(from === 'project' && { tomograms: Object.fromEntries(grids), failed: failures }),
  };
  return { json: document, failed: failures.length > 0 };
}

/** Picks files of a format: those that it can read. */
export function picksKind(name: PicksFormatName): FileKind {
  // What a file may lack is not asked for here: its only run and object, or names for their numbers.
  const names = Object.fromEntries(Array.from({ length: 1000 }, (_, number) => [number, `name ${number}`]));
  const formats = [{ run: 'run' }, { runs: names }].flatMap((runs) =>
    [{ object: 'object' }, { objects: names }].map((objects) =>
      picksFormat(name, { voxelSize: 1, shape: [1, 1, 1], ...runs, ...objects }),
    ),
  );
  return {
    name: `a picks file (${formats[0]!.name})`,
    async holds(bytes) {
      for (const format of formats) if (await isReadable(bytes, { name, format })) return true;
      return false;
    },
  };
}

async function isReadable(
  bytes: Uint8Array,
  { name, format }: { readonly name: PicksFormatName; readonly format: AnyPicksFormat },
): Promise<boolean> {
  try {
    const runs = await decodePicks(bytes, { format, source: name });
    if (format.content === 'bytes') return runs.length > 0;
    // A picks file of copick may lack almost everything.
    return name !== 'copick' || (await hasPoints(bytes));
  } catch {
    return false;
  }
}

async function hasPoints(bytes: Uint8Array): Promise<boolean> {
  const list = { key: 'points', take: () => 'more' as const };
  const json = await withTurns(jsonSteps(bytes, { what: 'picks file', code: 'invalid-picks', list }));
  return Array.isArray((json as { readonly points?: unknown }).points);
}

/** Which class number stands for which object in a file; undefined if the format names objects, or the file has no classes. */
export function classesOf(to: PicksFormatName, objects: NamesByNumber): NamesByNumber | undefined {
  return formatRequirements[to].numbersObjects && Object.keys(objects).length > 0 ? objects : undefined;
}

/** The line that says which class number is which object; none where numbers are the names. */
export function classLines(classes: NamesByNumber | undefined): string[] {
  const named = namedNumbers(classes ?? {});
  return named.length === 0 ? [] : [`classes: ${named.join(', ')}`];
}

interface Notes {
  readonly losses: readonly string[];
  readonly classes: NamesByNumber | undefined;
  readonly names: NamesByNumber;
  readonly verbose?: true | undefined;
}

/** The class numbers; with `--verbose`, also what the format cannot hold and the numbers of runs, else whether anything is lost. */
function notes(to: PicksFormatName, { losses, classes, names, verbose }: Notes): string[] {
  if (!verbose) {
    const hint = losses.length > 0 ? ['the format cannot hold everything; --verbose lists what is lost'] : [];
    return [...hint, ...classLines(classes)];
  }
  const runs = formatRequirements[to].numbersRuns ? namedNumbers(names).map((line) => `tomogram ${line}`) : [];
  return [...losses, ...classLines(classes), ...runs];
}

/** `1 is ribosome`, for each number that is not the name itself. */
function namedNumbers(names: NamesByNumber): string[] {
  return Object.entries(names).flatMap(([number, name]) => (number === name ? [] : [`${number} is ${name}`]));
}

interface Formatted {
  readonly written: readonly (Pick<PlannedFile, 'path' | 'run'> & { readonly data: Uint8Array })[];
  readonly failures: readonly RunFailure[];
}

/** The content of all files. A pick that the format cannot represent fails its run; a missing option fails the whole command. */
async function formatted(
  plan: readonly PlannedFile[],
  { failures, from, signal }: Source & { readonly signal: AbortSignal },
): Promise<Formatted> {
  const written = [];
  const failed = new Map(failures.map((one) => [one.run, one]));
  for (const { path, run, format } of plan) {
    try {
      written.push({ path, run, data: await format(signal) });
    } catch (error) {
      const isOfRun = run !== undefined && from === 'project' && isCryoetPicksError(error, 'invalid-picks');
      if (!isOfRun) throw error;
      if (!failed.has(run)) failed.set(run, { run, error: describeFailure(error) });
    }
  }
  return { written, failures: [...failed.values()] };
}

/** Options of {@link planFiles}. */
export interface FilesPlan {
  readonly runs: readonly RunPicks[];
  readonly to: PicksFormatName;
  readonly output: string;
  /** True if `output` is a folder, which gets a file for each run. */
  readonly isFolder: boolean;
  /** The options of the format. */
  readonly options: FormatOptions;
  /** Tomograms by run, for voxel size and shape if `options` have none. */
  readonly grids: ReadonlyMap<string, RunGrid>;
}

/** A file to write. */
export interface PlannedFile {
  readonly path: string;
  readonly run?: string | undefined;
  /** Writes the content in the format. */
  format(signal: AbortSignal): Promise<Uint8Array>;
}

/**
 * The files to write: one, or in a folder one per run, and per object if a file of the format holds only one.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for several runs or objects in a file that holds one, and for names that files
 *   cannot have.
 */
export function planFiles(plan: FilesPlan): PlannedFile[] {
  const { runs, to, output, isFolder } = plan;
  if (!isFolder) {
    requireRoom(plan);
    return [{ path: output, format: (signal) => formatPart(runs, plan, signal) }];
  }
  const { extension, oneObject } = formatRequirements[to];
  const files = runs.flatMap((one): PlannedFile[] => {
    const { run } = one;
    const file = (name: string, part: RunPicks): PlannedFile => ({
      path: join(output, fileName(`${name}.${extension}`)),
      run,
      format: (signal) => formatPart([part], plan, signal),
    });
    if (oneObject !== true) return one.picks.length === 0 ? [] : [file(run, one)];
    const byObject = new Map<string, ParticlePick[]>();
    for (const pick of one.picks) {
      const group = byObject.get(pick.object);
      if (group === undefined) byObject.set(pick.object, [pick]);
      else group.push(pick);
    }
    return [...byObject].map(([object, picks]) => file(`${run}_${object}`, { run, picks }));
  });
  const last = new Map(files.map((file) => [file.path, file]));
  const twice = files.find((file) => last.get(file.path) !== file);
  if (twice === undefined) return files;
  throw new CryoetPicksError(
    'invalid-picks',
    `two files would be named ${basename(twice.path)}; convert their runs or objects one by one`,
  );
}

/** The objects of picks, in order of first appearance. */
export function objectsOf(runs: readonly RunPicks[]): string[] {
  return [...new Set(runs.flatMap(({ picks }) => picks.map(({ object }) => object)))];
}

function requireRoom({ runs, to, output }: FilesPlan): void {
  const { oneRun, oneObject } = formatRequirements[to];
  const names = runs.filter(({ picks }) => picks.length > 0).map(({ run }) => run);
  const objects = objectsOf(runs);
  const refuse = (part: 'run' | 'object', found: readonly string[]) => {
    return new CryoetPicksError(
      'invalid-picks',
      `${picksFormat(to).name} holds one ${part} per file; found ${found.length}: ${listNames(found)}; ` +
        `select one by --${part}, or write several files to a folder: ${output.replace(/\.[^./\\]+$/, '')}/`,
    );
  };
  if (oneRun && names.length > 1) throw refuse('run', names);
  if (oneObject && objects.length > 1) throw refuse('object', objects);
}

function fileName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a NUL is what no file name may hold
  if (!/[/\\\u0000]/.test(name)) return name;
  throw new CryoetPicksError('invalid-picks', `a file cannot be named ${JSON.stringify(name)}`);
}

async function formatPart(runs: readonly RunPicks[], plan: FilesPlan, signal: AbortSignal): Promise<Uint8Array> {
  return encodePicks(runs, { format: formatFor(runs, plan), signal });
}

/** The format of a file of some runs, with voxel sizes and shapes of their tomograms. */
export function formatFor(
  runs: readonly Pick<RunPicks, 'run'>[],
  { to, options, grids }: Pick<FilesPlan, 'to' | 'options' | 'grids'>,
): AnyPicksFormat {
  const found = runs.flatMap(({ run }) => grids.get(run) ?? []);
  const run = runs.length === 1 ? runs[0]!.run : options.run;
  const shapes = Object.fromEntries(runs.flatMap((one) => partOf(one.run, grids, ({ shape }) => shape)));
  const sizes = Object.fromEntries(runs.flatMap((one) => partOf(one.run, grids, ({ voxelSize }) => voxelSize)));
  const voxelSize = options.voxelSize ?? requireOneVoxelSize(sizes, { remedy });
  // A file of one run takes `shape`; a file of several runs takes `shapes`.
  const shape = options.shape ?? (found.length === 1 ? found[0]!.shape : undefined);
  const all = { ...options, run, voxelSize, shape, ...(options.shape === undefined && { shapes }) };
  return picksFormat(to, all);
}

const remedy = 'select one by --tomogram, or write a file per run to a folder';

/** A part of the grid of a run, by its name. */
function partOf(
  run: string,
  grids: ReadonlyMap<string, RunGrid>,
  part: (grid: RunGrid) => Zyx,
): [run: string, part: Zyx][] {
  const grid = grids.get(run);
  return grid === undefined ? [] : [[run, part(grid)]];
}
