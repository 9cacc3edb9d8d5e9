import { basename } from 'node:path';
import { pathToWrite, sanitizeName } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { checkPicks } from '../detect/check-tomogram.ts';
import { isUnknownVoxelSize } from '../detect/voxel-size.ts';
import { type FormatOptions, formatRequirements, type PicksFormatName } from '../formats/by-name.ts';
import type { TableColumn } from '../formats/format.ts';
import type { ParticlePick, RunPicks } from '../picks/pick.ts';
import { formatZyx, sizesAgree } from '../space/grid.ts';
import { chosen } from './choose.ts';
import type { CommonFlags, Outcome, TomogramName } from './command.ts';
import { isProjectConfig, openCopick, readBytes } from './files.ts';
import { describeColumns, openPicksFile, type PicksFileInput, type PicksRead, unusedVoxelSize } from './picks-file.ts';
import { collectFailures, type RunFailure, warnOfFailures } from './project-picks.ts';
import { checkGiven, gridLines, gridOfRun, knownVoxelSize, type RunGrid, type RunGridOptions } from './run-grids.ts';
import { countByObject, counted, countTable, describeFailure, type Terminal, UsageError } from './terminal.ts';

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
  const file = fileReader(input, bytes, { runs });
  const assigned = await assign(file, { input, runs });
  const failures = collectFailures(terminal);
  const found: RunToWrite[] = [];
  for (const [name, run] of assigned) {
    try {
      found.push({ run, ...(await file.picksOf(name, run, signal)) });
    } catch (error) {
      failures.add(run.name, error);
    }
  }
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
  const losses = file.leftOut();
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
  names(): string[];
  /** The run of the project that the arguments, or the file's name, give for a file that names none. */
  readonly only: string | undefined;
  /** The picks of one of them, on the grid of the project's run if the file counts in voxels. */
  picksOf(name: string, run: Run, signal: AbortSignal): Promise<Omit<RunToWrite, 'run'>>;
  /** What was seen so far. */
  reports(): Omit<PicksRead, 'runs'>;
  leftOut(): readonly string[];
}

/** Reads the picks of a file; voxel size and shape come from the file, the options, or the project, in this order. */
function fileReader(input: ImportInput, bytes: Uint8Array, { runs }: { readonly runs: readonly Run[] }): PicksReader {
  const { voxelSize, shape } = input;
  const stem = basename(input.input).replace(/\.[^.]+$/, '');
  const only = input.run?.length === 1 ? input.run[0] : runs.some(({ name }) => name === stem) ? stem : undefined;
  const file = openPicksFile(input, { bytes, run: only });
  const { from } = file;
  const warnings = new Map<string, Warning>();
  const warn = (warning: Warning) => void warnings.set(warning.message, warning);
  for (const warning of unusedVoxelSize(input, { from, to: 'copick' })) warn(warning);
  let columns: PicksRead['columns'] = [];
  const onGrids = new Map<string, ReadonlyMap<string, RunPicks>>();
  const picksByRun = (grid: FormatOptions): ReadonlyMap<string, RunPicks> => {
    const key = JSON.stringify(grid);
    const before = onGrids.get(key);
    if (before !== undefined) return before;
    const read = file.read(grid);
    read.warnings.forEach(warn);
    columns = read.columns;
    const byRun = new Map(read.runs.map((one) => [one.run, one]));
    onGrids.set(key, byRun);
    return byRun;
  };
  let needsGrid = false;
  return {
    from,
    only,
    reports: () => ({ warnings: [...warnings.values()], columns }),
    leftOut: () => file.leftOut(),
    names() {
      try {
        return [...picksByRun({}).keys()];
      } catch (error) {
        if (!isCryoetPicksError(error, 'invalid-option')) throw error;
        const isGrid = error.option === 'shape' || error.option === 'voxelSize';
        // RELION 4 counts in pixels of the tilt series, whose size is not that of a tomogram, unless it counts in fractions.
        const isOther = from === 'relion4' && error.option === 'voxelSize';
        if (!isGrid || isOther) throw new UsageError(describeFailure(error).message, { cause: error });
        needsGrid = true;
      }
      return file.read({ voxelSize: voxelSize ?? 1, shape: shape ?? [1, 1, 1] }).runs.map(({ run }) => run);
    },
    async picksOf(name, run, signal) {
      if (needsGrid) {
        const grid = await gridOfRun(run, { tomogram: input.tomogram, signal });
        checkGiven(grid, { voxelSize, shape });
        const size = voxelSize ?? knownVoxelSize(grid, run.name);
        const picks = picksByRun({ voxelSize: size, shape: shape ?? grid.shape }).get(name)?.picks ?? [];
        picksWarnings(run, { grid, picks }).forEach(warn);
        return { picks, grid };
      }
      const picks = picksByRun({}).get(name)?.picks ?? [];
      const grid = await gridIfAny(run, { tomogram: input.tomogram, signal });
      if (grid === undefined) return { picks, grid };
      const isUnused = [...warnings.values()].some(({ code }) => code === 'voxel-size-unused');
      const countsVoxels = formatRequirements[from].tomogram !== undefined && !isUnused;
      if (
        countsVoxels &&
        voxelSize !== undefined &&
        !isUnknownVoxelSize(grid) &&
        !sizesAgree(grid.voxelSize, voxelSize)
      ) {
        const message =
          `--voxel-size is ${voxelSize} Å, ${grid.tomogram} of run "${run.name}" has ${formatZyx(grid.voxelSize)} Å ` +
          `(z×y×x); ${voxelSize} Å is used`;
        warn({ code: 'voxel-size-differs', message, path: input.input });
      }
      picksWarnings(run, { grid, picks }).forEach(warn);
      return { picks, grid: undefined };
    },
  };
}

/** The grid of a tomogram of a run, to compare with; undefined if there is none, or if its grid is unknown. */
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
  const names = file.names();
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
