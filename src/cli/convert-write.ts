import { basename, join } from 'node:path';
import { listNames } from '../copick/tree.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { type FormatOptions, type PicksFormatName, picksFormat } from '../formats/by-name.ts';
import { type NamesByNumber, numbered } from '../formats/file-context.ts';
import { describeLosses, type Loss } from '../formats/format.ts';
import type { RunPicks } from '../picks/pick.ts';
import type { Zyx } from '../space/zyx.ts';
import type { Outcome } from './command.ts';
import { requireApart, writeWhole } from './files.ts';
import type { RunFailure } from './run-grids.ts';
import { describeGrid, formatRequirements, isSameVoxelSize, type RunGrid } from './run-grids.ts';
import { counted, describeFailure, type Terminal, UsageError } from './terminal.ts';

/** Picks that were read, and what is known of them. */
export interface Source {
  readonly from: PicksFormatName | 'project';
  readonly runs: readonly RunPicks[];
  /** Class numbers. */
  readonly objects: NamesByNumber;
  readonly grids: ReadonlyMap<string, RunGrid>;
  readonly failures: readonly RunFailure[];
  /** What formats were told. */
  readonly options: FormatOptions;
  /** What the source holds and picks do not: a line each. */
  readonly leftOut: readonly string[];
}

/** What `convert --json` prints. */
export interface ConvertDocument {
  readonly from: PicksFormatName | 'project';
  readonly to: PicksFormatName;
  /** Runs and picks that were written. */
  readonly runs: number;
  readonly picks: number;
  /** What the new file does not hold. */
  readonly losses: readonly string[];
  /** What was written where the output is a folder. */
  readonly files?: readonly string[] | undefined;
  /** The tomograms of a project that told voxel size and shape, by run. */
  readonly tomograms?: Readonly<Record<string, RunGrid>> | undefined;
  /** Runs of a project that could not be converted. */
  readonly failed?: readonly RunFailure[] | undefined;
}

/** Where {@link writePicks} writes to. */
export interface Destination {
  /** Where the picks come from: no file to write to. */
  readonly input: string;
  readonly output: string;
  readonly isFolder: boolean;
  readonly to: PicksFormatName;
  readonly verbose?: true | undefined;
}

/**
 * Writes picks, each file whole. A run that fails is told: a file of all runs is then not written at all; a folder gets the
 * files of the others.
 */
export async function writePicks(terminal: Terminal, source: Source, destination: Destination): Promise<Outcome> {
  const { from, runs, objects, options, grids } = source;
  const { to, output, isFolder } = destination;
  const names = numbered(new Set(runs.map((one) => one.run)));
  const told = { ...options, objects, runs: names };
  // What would be a part of a file is not even made.
  const isPart = !isFolder && source.failures.length > 0;
  const plan = isPart ? [] : planFiles({ runs, to, output, isFolder, options: told, grids });
  const { written, failures } = formatted(plan, source);
  const failed = new Set(failures.map(({ run }) => run));
  for (const { run, error } of failures) terminal.warn(`cryoet-picks: run "${run}" failed: ${error.message}`);
  const isWhole = isFolder || failures.length === 0;
  const files = isWhole ? written.filter(({ run }) => run === undefined || !failed.has(run)) : [];
  for (const { path } of files) await requireApart({ 'the input': destination.input, 'the output': path });
  for (const { path, data } of files) await writeWhole(path, { data, signal: terminal.signal });
  const kept = isWhole ? runs.filter(({ run }) => !failed.has(run)) : [];
  const picks = kept.reduce((sum, one) => sum + one.picks.length, 0);
  const format = picksFormat(to, told);
  const losses = [...source.leftOut, ...describeLosses(kept, { format })];
  if (files.length > 0) {
    const where = isFolder ? `${output} (${counted(files.length, 'file')})` : output;
    terminal.print(`${counted(picks, 'pick')} of ${counted(kept.length, 'run')}, ${from} to ${to}: ${where}`);
    terminal.print(...notes(format.losses, { losses, objects, names, verbose: destination.verbose }));
  }
  if (failures.length > 0) {
    terminal.print(`${counted(failed.size, 'run')} failed${files.length === 0 ? '; nothing was written' : ''}`);
  }
  const document: ConvertDocument = {
    ...{ from, to, runs: kept.length, picks, losses },
    ...(isFolder && { files: files.map(({ path }) => path) }),
    ...(from === 'project' && { tomograms: Object.fromEntries(grids), failed: failures }),
  };
  return { json: document, failed: failures.length > 0 };
}

interface Notes {
  readonly losses: readonly string[];
  readonly objects: NamesByNumber;
  readonly names: NamesByNumber;
  readonly verbose?: true | undefined;
}

/** What is lost, and which number became which name; or that something is. */
function notes(possible: readonly Loss[], { losses, objects, names, verbose }: Notes): string[] {
  if (!verbose) return losses.length > 0 ? ['not all of it has a place there; --verbose tells what'] : [];
  const parts = new Set(possible.map(({ part }) => part));
  const classes = parts.has('object') ? numberLines('class', objects) : [];
  return [...losses, ...classes, ...(parts.has('run') ? numberLines('tomogram', names) : [])];
}

interface Formatted {
  readonly written: readonly (Pick<PlannedFile, 'path' | 'run'> & { readonly data: Uint8Array | string })[];
  readonly failures: readonly RunFailure[];
}

/** The content of all files; what a run cannot be written as is its failure, what a format was not told is nobody's. */
function formatted(plan: readonly PlannedFile[], { failures, from }: Source): Formatted {
  const written = [];
  const all = [...failures];
  for (const { path, run, format } of plan) {
    try {
      written.push({ path, run, data: format() });
    } catch (error) {
      const isOfRun = run !== undefined && from === 'project' && isCryoetPicksError(error, 'invalid-picks');
      if (!isOfRun) throw error;
      if (all.every((one) => one.run !== run)) all.push({ run, error: describeFailure(error) });
    }
  }
  return { written, failures: all };
}

/** Which number means which name, where there are several. */
function numberLines(what: string, names: NamesByNumber): string[] {
  const entries = Object.entries(names).filter(([number, name]) => number !== name);
  return entries.length < 2 ? [] : entries.map(([number, name]) => `${what} ${number} is ${name}`);
}

/** What {@link planFiles} makes files of. */
export interface FilesPlan {
  readonly runs: readonly RunPicks[];
  readonly to: PicksFormatName;
  readonly output: string;
  /** True where `output` is a folder, which gets a file for each run. */
  readonly isFolder: boolean;
  /** What the format was told. */
  readonly options: FormatOptions;
  /** Tomograms by run, which tell what `options` do not. */
  readonly grids: ReadonlyMap<string, RunGrid>;
}

/** A file that is to be written. */
interface PlannedFile {
  readonly path: string;
  readonly run?: string | undefined;
  /** Its content, as the format writes it. */
  format(): Uint8Array | string;
}

/**
 * Which files picks go into: one, or in a folder one for each run, and for each object where the format holds one.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for several runs or objects in a file of one, and for names that cannot be of
 *   files.
 */
function planFiles(plan: FilesPlan): PlannedFile[] {
  const { runs, to, output, isFolder } = plan;
  if (!isFolder) {
    requireRoom(plan);
    return [{ path: output, format: () => formatPart(runs, plan) }];
  }
  const { extension, oneObject } = formatRequirements[to];
  const files = runs.flatMap((one): PlannedFile[] => {
    const { run } = one;
    const file = (name: string, part: RunPicks): PlannedFile => ({
      path: join(output, fileName(`${name}.${extension}`)),
      run,
      format: () => formatPart([part], plan),
    });
    if (oneObject !== true) return one.picks.length === 0 ? [] : [file(run, one)];
    return objectsOf([one]).map((object) =>
      file(`${run}_${object}`, { run, picks: one.picks.filter((pick) => pick.object === object) }),
    );
  });
  const twice = files.find(({ path }, index) => files.findIndex((other) => other.path === path) !== index);
  if (twice === undefined) return files;
  throw new CryoetPicksError(
    'invalid-picks',
    `two files would be called ${basename(twice.path)}; convert their runs or objects one by one`,
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
        `name one by --${part}, or a folder to write several files to: ${output.replace(/\.[^./\\]+$/, '')}/`,
    );
  };
  if (oneRun && names.length > 1) throw refuse('run', names);
  if (oneObject && objects.length > 1) throw refuse('object', objects);
}

function fileName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a NUL is what no file name may hold
  if (!/[/\\\u0000]/.test(name)) return name;
  throw new CryoetPicksError('invalid-picks', `no file can be called ${JSON.stringify(name)}`);
}

function formatPart(runs: readonly RunPicks[], { to, options, grids }: FilesPlan): Uint8Array | string {
  const found = runs.flatMap(({ run }) => grids.get(run) ?? []);
  const run = runs.length === 1 ? runs[0]!.run : options.run;
  const shapes = Object.fromEntries(runs.flatMap((one) => shapeOf(one.run, grids)));
  const voxelSize = options.voxelSize ?? onlyVoxelSize(found);
  // The shape of a file of one run; where a file holds several, that of each.
  const shape = options.shape ?? (found.length === 1 ? found[0]!.shape : undefined);
  const all = { ...options, run, voxelSize, shape, ...(options.shape === undefined && { shapes }) };
  const format = picksFormat(to, all);
  return format.format(runs);
}

function shapeOf(run: string, grids: ReadonlyMap<string, RunGrid>): [string, Zyx][] {
  const grid = grids.get(run);
  return grid === undefined ? [] : [[run, grid.shape]];
}

function onlyVoxelSize(grids: readonly RunGrid[]): Zyx | undefined {
  const [first] = grids;
  const other = grids.find(({ voxelSize }) => !isSameVoxelSize(voxelSize, first!.voxelSize));
  if (other === undefined) return first?.voxelSize;
  throw new UsageError(
    `runs have tomograms of different voxel sizes (${describeGrid(first!)}; ${describeGrid(other)}), and one file ` +
      'counts in one; name one by --tomogram, or a folder to write a file for each run to',
  );
}
