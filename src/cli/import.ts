import { basename } from 'node:path';
import { pathToWrite, sanitizeName } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { checkPicks } from '../detect/check-tomogram.ts';
import { chosen } from '../detect/project-runs.ts';
import { isUnknownVoxelSize } from '../detect/voxel-size.ts';
import { type FormatOptions, formatRequirements, type PicksFormatName } from '../formats/by-name.ts';
import type { TableColumn } from '../formats/format.ts';
import { counted } from '../page/counted.ts';
import type { ParticlePick, RunPicks } from '../picks/pick.ts';
import { formatZyx, sizesAgree } from '../space/grid.ts';
import type { CommonFlags, Outcome, TomogramName } from './command.ts';
import { isProjectConfig, openCopick, readBytes } from './files.ts';
import { describeColumns, openPicksFile, type PicksFileInput, type PicksRead, unusedVoxelSize } from './picks-file.ts';
import { collectFailures, type Failures, type RunFailure, warnOfFailures } from './project-picks.ts';
import { checkGiven, gridLines, gridOfRun, knownVoxelSize, type RunGrid, type RunGridOptions } from './run-grids.ts';
import { countByObject, countTable, describeFailure, type Terminal, UsageError } from './terminal.ts';

/** The arguments of `import`. */
export interface ImportInput extends CommonFlags, PicksFileInput {
  readonly config: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly run?: readonly string[] | undefined;
  /** Names of the project's runs by those of the file. */
  readonly rename?: Readonly<Record<string, string>> | undefined;
  readonly tomogram?: TomogramName | undefined;
  readonly overwrite?: true | undefined;
}

/** What `import --json` prints. */
interface ImportDocument {
  readonly from: PicksFormatName;
  readonly userId: string;
  readonly sessionId: string;
  /** Numbers of picks that were written, and the files. */
  readonly runs: readonly {
    readonly run: string;
    readonly picks: Readonly<Record<string, number>>;
    readonly files: readonly string[];
  }[];
  readonly failed: readonly RunFailure[];
  /** What the file has and the project does not get. */
  readonly losses: readonly string[];
  readonly warnings: readonly Warning[];
  /** What the columns of a table were taken for. */
  readonly columns?: readonly TableColumn[] | undefined;
  /** The tomograms that voxel size and shape were taken from, by run. */
  readonly tomograms: Readonly<Record<string, RunGrid>>;
}

/** Writes the picks of a file into the runs of a project that it names; a run that fails is reported, the others are written. */
export async function importPicks(terminal: Terminal, input: ImportInput): Promise<Outcome> {
  const { signal } = terminal;
  const author = { userId: sanitizeName(input.userId), sessionId: sanitizeName(input.sessionId) };
  pathToWrite('picks', { run: 'run', ...author, object: 'object' });
  const project = await openCopick(terminal, input.config);
  const bytes = await readBytes(input.input, { what: 'picks', signal });
  if (isProjectConfig(bytes)) throw new UsageError(`${input.input} is the config of a project; expected a picks file`);
  const runs = await project.runs({ signal });
  const file = await fileReader(input, bytes, { runs, signal });
  const assigned = await assign(file, { input, runs });
  const failures = collectFailures(terminal);
  const found = await file.picksOf(assigned, failures);
  requireObjects(found, { project, input });
  if (!input.overwrite) for (const { run, picks } of found) await requireNew(run, { ...author, picks, signal });
  const written: ImportDocument['runs'][number][] = [];
  for (const { run, picks } of found) {
    try {
      const files = await run.writePicks(picks, { ...author, signal });
      written.push({ run: run.name, picks: countByObject(picks), files });
    } catch (error) {
      failures.add(run.name, error);
    }
  }
  const { warnings, columns } = file.reports();
  const grids = new Map(found.flatMap(({ run, grid }) => (grid === undefined ? [] : [[run.name, grid]])));
  const losses = await file.leftOut();
  warnOfFailures(terminal, failures.all);
  for (const { message } of warnings) terminal.warn(`cryoet-picks: ${message}`);
  terminal.print(...gridLines(grids));
  terminal.print(...countTable('picks', { runs: written.map(({ run, picks }) => ({ run, counts: picks })) }));
  const { userId, sessionId } = author;
  terminal.print('', `${counted(written.length, 'run')} of ${input.config}, user ${userId}, session ${sessionId}`);
  if (input.verbose && columns.length > 0) terminal.print(describeColumns(columns));
  if (input.verbose) terminal.print(...losses);
  else if (losses.length > 0) terminal.print('the file has more than is imported; --verbose lists what is left out');
  const document: ImportDocument = {
    ...{ from: file.from, ...author, runs: written, failed: failures.all, losses, warnings },
    ...(columns.length > 0 && { columns }),
    tomograms: Object.fromEntries(grids),
  };
  return { json: document, failed: failures.all.length > 0 };
}

/** The picks of a run. */
interface RunToWrite {
  readonly run: Run;
  readonly picks: readonly ParticlePick[];
  /** The tomogram that voxel size and shape were taken from, if any was needed. */
  readonly grid: RunGrid | undefined;
}

interface ObjectsOptions {
  readonly project: Project;
  readonly input: ImportInput;
}

/** @throws {@link UsageError} for an object that the project does not have. */
function requireObjects(found: readonly RunToWrite[], { project, input }: ObjectsOptions): void {
  const known = new Set(project.objects.map((object) => object.name));
  for (const { picks } of found) {
    const unknown = picks.find(({ object }) => !known.has(object));
    if (unknown === undefined) continue;
    throw new UsageError(
      `${input.input} has picks of "${unknown.object}", but the objects of the project are ${listNames([...known])}; ` +
        'name the object by --object, or add it to the project',
    );
  }
}

interface PicksReader {
  readonly from: PicksFormatName;
  /** The names of the runs in the file. */
  readonly names: readonly string[];
  /** The run of the project that the arguments, or the file's name, give for a file that names none. */
  readonly only: string | undefined;
  /** The picks of runs by their names in the file, on the grids of the project's runs if the file counts in voxels. */
  picksOf(assigned: ReadonlyMap<string, Run>, failures: Failures): Promise<RunToWrite[]>;
  /** What was seen so far. */
  reports(): Omit<PicksRead, 'runs'>;
  leftOut(): Promise<readonly string[]>;
}

interface ReaderOptions {
  readonly runs: readonly Run[];
  readonly signal: AbortSignal;
}

/**
 * Reads the picks of a file; voxel size and shape come from the file, the options, or the project, in this order. If they come from the
 * project, the file is read twice, however many tomograms there are: for the names of its runs, and on their grids.
 *
 * @throws {@link UsageError} if the file lacks what the options could give, but for a grid.
 */
async function fileReader(
  input: ImportInput,
  bytes: Uint8Array,
  { runs, signal }: ReaderOptions,
): Promise<PicksReader> {
  const { voxelSize, shape } = input;
  const stem = basename(input.input).replace(/\.[^.]+$/, '');
  const only = input.run?.length === 1 ? input.run[0] : runs.some(({ name }) => name === stem) ? stem : undefined;
  const file = openPicksFile(input, { bytes, run: only, signal });
  const { from } = file;
  const warnings = new Map<string, Warning>();
  const warn = (warning: Warning) => void warnings.set(warning.message, warning);
  for (const warning of unusedVoxelSize(input, { from, to: 'copick' })) warn(warning);
  let columns: PicksRead['columns'] = [];
  const read = async (options: FormatOptions): Promise<ReadonlyMap<string, RunPicks>> => {
    const found = await file.read(options);
    found.warnings.forEach(warn);
    columns = found.columns;
    return new Map(found.runs.map((one) => [one.run, one]));
  };
  const withoutGrid = await unlessGridIsMissing(() => read({}), from);
  // The positions of this reading mean nothing, and neither do its warnings.
  const unplaced = withoutGrid
    ? [...withoutGrid.values()]
    : (await file.read({ voxelSize: voxelSize ?? 1, shape: shape ?? [1, 1, 1] })).runs;
  return {
    from,
    only,
    names: unplaced.map(({ run }) => run),
    reports: () => ({ warnings: [...warnings.values()], columns }),
    leftOut: () => file.leftOut(),
    async picksOf(assigned, failures) {
      const grids = new Map<string, RunGrid>();
      if (withoutGrid === undefined) {
        for (const [name, run] of assigned) {
          try {
            grids.set(name, await gridToRead(run, { tomogram: input.tomogram, voxelSize, shape, signal }));
          } catch (error) {
            failures.add(run.name, error);
          }
        }
      }
      const byRun = withoutGrid ?? (grids.size === 0 ? new Map() : await read(onGrids(grids, { voxelSize, shape })));
      const found: RunToWrite[] = [];
      for (const [name, run] of assigned) {
        if (failures.has(run.name)) continue;
        const picks = byRun.get(name)?.picks ?? [];
        const grid = grids.get(name) ?? (await gridIfAny(run, { tomogram: input.tomogram, signal }));
        if (grid !== undefined && withoutGrid !== undefined) otherVoxelSize(run, grid).forEach(warn);
        if (grid !== undefined) picksWarnings(run, { grid, picks }).forEach(warn);
        found.push({ run, picks, grid: grids.get(name) });
      }
      return found;
    },
  };

  /** Warns of a voxel size that is not that of the tomogram. */
  function otherVoxelSize(run: Run, grid: RunGrid): Warning[] {
    const isUnused = [...warnings.values()].some(({ code }) => code === 'voxel-size-unused');
    const isUsed = formatRequirements[from].tomogram !== undefined && !isUnused && voxelSize !== undefined;
    if (!isUsed || isUnknownVoxelSize(grid) || sizesAgree(grid.voxelSize, voxelSize)) return [];
    const message =
      `--voxel-size is ${voxelSize} Å, ${grid.tomogram} of run "${run.name}" has ${formatZyx(grid.voxelSize)} Å ` +
      `(z×y×x); ${voxelSize} Å is used`;
    return [{ code: 'voxel-size-differs', message, path: input.input }];
  }
}

/** The result of reading; undefined if it needs a voxel size or a shape. */
async function unlessGridIsMissing<T>(read: () => Promise<T>, from: PicksFormatName): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isCryoetPicksError(error, 'invalid-option')) throw error;
    const isGrid = error.option === 'shape' || error.option === 'voxelSize';
    // RELION 4 counts in pixels of the tilt series, whose size is not that of a tomogram, unless it counts in fractions.
    const isOther = from === 'relion4' && error.option === 'voxelSize';
    if (isGrid && !isOther) return undefined;
    throw new UsageError(describeFailure(error).message, { cause: error });
  }
}

type GivenGrid = Pick<ImportInput, 'voxelSize' | 'shape'>;

/** The grid of a tomogram of a run that can be read by: it agrees with what is given, and its voxel size is known or given. */
async function gridToRead(run: Run, { voxelSize, shape, ...options }: RunGridOptions & GivenGrid): Promise<RunGrid> {
  const grid = await gridOfRun(run, options);
  checkGiven(grid, { voxelSize, shape });
  if (voxelSize === undefined) knownVoxelSize(grid, run.name);
  return grid;
}

/** Voxel sizes and shapes by run. Runs that are not wanted are read on the grid of one that is. */
function onGrids(grids: ReadonlyMap<string, RunGrid>, { voxelSize, shape }: GivenGrid): FormatOptions {
  const [first] = [...grids.values()];
  return {
    voxelSize: voxelSize ?? first!.voxelSize,
    shape: shape ?? first!.shape,
    ...(voxelSize === undefined && {
      voxelSizes: Object.fromEntries([...grids].map(([name, grid]) => [name, grid.voxelSize])),
    }),
    ...(shape === undefined && { shapes: Object.fromEntries([...grids].map(([name, grid]) => [name, grid.shape])) }),
  };
}

/** The grid of a tomogram of a run, to compare with; undefined if there is no such tomogram, or its grid is unknown. */
async function gridIfAny(run: Run, options: RunGridOptions): Promise<RunGrid | undefined> {
  try {
    return await gridOfRun(run, options);
  } catch {
    options.signal.throwIfAborted();
    return undefined;
  }
}

/** Warns of picks that do not fit the tomogram, such as those in voxels instead of Å. */
function picksWarnings(run: Run, { grid, picks }: Pick<RunToWrite, 'picks'> & { readonly grid: RunGrid }): Warning[] {
  if (isUnknownVoxelSize(grid)) return [];
  return checkPicks(
    grid,
    picks.map(({ position }) => position),
  ).map(({ code, message }) => ({ code, message: `run "${run.name}": ${message}`, run: run.name }));
}

interface Assignment {
  readonly input: ImportInput;
  readonly runs: readonly Run[];
}

/** The project's runs by the names that the file has for them; of several, those that `--run` selects. */
async function assign(file: PicksReader, { input, runs }: Assignment): Promise<ReadonlyMap<string, Run>> {
  const { rename = {}, run: wanted, input: path, config } = input;
  const { names } = file;
  const unused = Object.keys(rename).find((name) => !names.includes(name));
  if (unused !== undefined) {
    throw new UsageError(
      `--rename ${unused}=${rename[unused]}: ${path} has no run "${unused}"; it has ${listNames(names)}`,
    );
  }
  const byName = new Map(runs.map((run) => [run.name, run]));
  const missing = (name: string, from: string): never => {
    const available = listNames(runs.map((run) => run.name));
    const hint = name === from && !Object.hasOwn(rename, from) ? `; name it by --rename ${from}=RUN` : '';
    throw new UsageError(`run "${from}" of ${path} is not in ${config}, whose runs are ${available}${hint}`);
  };
  // A file of one tomogram with a number is of the run that is named, by --run or by the name of the file.
  const isNumbered = formatRequirements[file.from].numbersRuns && names.length === 1;
  const unnamed = (name: string) =>
    isNumbered && file.only !== undefined && (wanted !== undefined || !byName.has(name)) ? file.only : name;
  const targets = names.map((from) => ({ name: Object.hasOwn(rename, from) ? rename[from]! : unnamed(from), from }));
  const some = await chosen(targets, {
    globs: true,
    names: wanted,
    missing: (name) => {
      throw new UsageError(`${path} has no run "${name}"; it has ${listNames(targets.map((target) => target.name))}`);
    },
  });
  const assigned = new Map<string, Run>();
  for (const { name, from } of some) assigned.set(from, byName.get(name) ?? missing(name, from));
  const last = new Map([...assigned].map(([from, run]) => [run, from]));
  const [, twice] = [...assigned].find(([from, run]) => last.get(run) !== from) ?? [];
  if (twice !== undefined)
    throw new UsageError(`several runs of ${path} would become run "${twice.name}"; check --rename`);
  return assigned;
}

interface NewPicks {
  readonly userId: string;
  readonly sessionId: string;
  readonly picks: readonly ParticlePick[];
  readonly signal: AbortSignal;
}

/** @throws {@link CryoetPicksError} `conflict` if the run has picks of this user and session of one of the objects. */
async function requireNew(run: Run, { picks, ...author }: NewPicks): Promise<void> {
  const object = [...new Set(picks.map((pick) => pick.object))];
  const [set] = object.length === 0 ? [] : await run.pickSets({ ...author, object });
  if (set === undefined) return;
  throw new CryoetPicksError(
    'conflict',
    `run "${run.name}" has picks of "${set.object}" by user "${set.userId}", session "${set.sessionId}" already: ${set.path}; ` +
      'nothing is written; choose another user or session, or replace them',
    { path: set.path, option: 'overwrite' },
  );
}
