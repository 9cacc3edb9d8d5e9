import { isCryoetPicksError } from '../errors.ts';
import type { Loss } from '../picks/formats/format.ts';
import { describeLosses } from '../picks/formats/losses.ts';
import { type FormatOptions, formatNamed } from '../picks/formats/named.ts';
import type { FormatName } from '../picks/formats/names.ts';
import { type NamesByNumber, numbered } from '../picks/formats/numbered-names.ts';
import type { RunPicks } from '../picks/run-picks.ts';
import type { Outcome } from './command.ts';
import type { RunFailure } from './convert-project.ts';
import { counted } from './counts.ts';
import { describeFailure } from './failure.ts';
import { requireApart, writeWhole } from './files.ts';
import { type PlannedFile, planFiles } from './picks-files.ts';
import type { RunGrid } from './run-grids.ts';
import type { Terminal } from './terminal.ts';

/** Picks that were read, and what is known of them. */
export interface Source {
  readonly from: FormatName | 'project';
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
  readonly from: FormatName | 'project';
  readonly to: FormatName;
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
  readonly to: FormatName;
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
  const format = formatNamed(to, told);
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
