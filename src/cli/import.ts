import { basename } from 'node:path';
import { pathToWrite, sanitizeName } from '../copick/layout.ts';
import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { openProject } from '../entry/node.ts';
import { detectPicksFormat, type FormatOptions, type PicksFormatName, picksFormat } from '../formats/by-name.ts';
import type { PointsColumn } from '../formats/format.ts';
import type { ParticlePick, RunPicks } from '../picks/pick.ts';
import { formatZyx, type Zyx } from '../space/grid.ts';
import { chosen } from './choose.ts';
import type { CommonFlags, Outcome, TomogramName } from './command.ts';
import { isProjectConfig, readBytes } from './files.ts';
import { gridOfRun, type RunFailure } from './run-grids.ts';
import { countByObject, counted, countTable, describeFailure, type Terminal, UsageError } from './terminal.ts';

/** The arguments of `import`. */
export interface ImportInput extends CommonFlags {
  readonly input: string;
  readonly config: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly from?: PicksFormatName | undefined;
  readonly columns?: readonly PointsColumn[] | undefined;
  readonly run?: readonly string[] | undefined;
  /** Names of the project's runs by those of the file. */
  readonly rename?: Readonly<Record<string, string>> | undefined;
  readonly object?: readonly string[] | undefined;
  readonly voxelSize?: number | undefined;
  readonly shape?: Zyx | undefined;
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
  readonly warnings: readonly Warning[];
}

/** Writes the picks of a file into the runs of a project that it names. */
export async function importPicks(terminal: Terminal, input: ImportInput): Promise<Outcome> {
  const { signal } = terminal;
  const { userId, sessionId } = input;
  const author = { userId: sanitizeName(userId), sessionId: sanitizeName(sessionId) };
  pathToWrite('picks', { run: 'run', ...author, object: 'object' });
  const project = await openProject(input.config, { signal });
  const bytes = await readBytes(input.input, { what: 'picks', signal });
  if (isProjectConfig(bytes)) throw new UsageError(`${input.input} is the config of a project; expected a picks file`);
  const runs = await project.runs({ signal });
  const file = fileReader(input, bytes, { runs });
  const assigned = await assign(file.names(), { input, runs });
  const found: { readonly run: Run; readonly picks: readonly ParticlePick[] }[] = [];
  for (const [name, run] of assigned) found.push({ run, picks: await file.picksOf(name, run, signal) });
  const known = new Set(project.objects.map((object) => object.name));
  const unknown = found.flatMap(({ picks }) => picks).find(({ object }) => !known.has(object));
  if (unknown !== undefined) {
    throw new UsageError(
      `${input.input} has picks of "${unknown.object}", but the objects of the project are ${listNames([...known])}; ` +
        'name the object by --object, or add it to the project',
    );
  }
  if (!input.overwrite) for (const { run, picks } of found) await requireNew(run, { ...author, picks, signal });
  const written: ImportDocument['runs'][number][] = [];
  const failed: RunFailure[] = [];
  for (const { run, picks } of found) {
    try {
      const files = await run.writePicks(picks, { ...author, signal });
      written.push({ run: run.name, picks: countByObject(picks), files });
    } catch (error) {
      signal.throwIfAborted();
      failed.push({ run: run.name, error: describeFailure(error) });
      terminal.warn(`cryoet-picks: run "${run.name}" failed: ${describeFailure(error).message}`);
    }
  }
  for (const { message } of file.warnings) terminal.warn(`cryoet-picks: ${input.input}: ${message}`);
  terminal.print(...countTable('picks', { runs: written.map(({ run, picks }) => ({ run, counts: picks })) }));
  terminal.print('', `${counted(written.length, 'run')} of ${input.config}, user ${userId}, session ${sessionId}`);
  const document: ImportDocument = { from: file.from, ...author, runs: written, failed, warnings: file.warnings };
  return { json: document, failed: failed.length > 0 };
}

interface PicksReader {
  readonly from: PicksFormatName;
  readonly warnings: readonly Warning[];
  /** The names of the runs in the file. */
  names(): string[];
  /** The picks of one of them, on the grid of the project's run if the file counts in voxels. */
  picksOf(name: string, run: Run, signal: AbortSignal): Promise<readonly ParticlePick[]>;
}

/** Reads the picks of a file; voxel size and shape come from the file, the options, or the project, in this order. */
function fileReader(input: ImportInput, bytes: Uint8Array, { runs }: { readonly runs: readonly Run[] }): PicksReader {
  const { voxelSize, shape, object = [], rename = {}, columns } = input;
  const text = new TextDecoder().decode(bytes);
  const from = input.from ?? (columns === undefined ? detectPicksFormat(input.input, text) : 'points');
  const stem = basename(input.input).replace(/\.[^.]+$/, '');
  const only = input.run?.length === 1 ? input.run[0] : runs.some(({ name }) => name === stem) ? stem : undefined;
  const options: FormatOptions & { readonly columns?: readonly PointsColumn[] | undefined } = {
    ...{ voxelSize, shape, columns, runs: rename, run: only },
    object: object.length === 1 ? object[0] : undefined,
    objects: object.length > 1 ? Object.fromEntries(object.map((name, index) => [index + 1, name])) : undefined,
  };
  const warnings: Warning[] = [];
  const parse = (more: FormatOptions, onWarning?: (warning: Warning) => void): RunPicks[] => {
    const format = picksFormat(from, { ...options, ...more });
    const reports = { onWarning };
    return format.content === 'bytes'
      ? format.parse(bytes, input.input, reports)
      : format.parse(text, input.input, reports);
  };
  const onGrids = new Map<string, ReadonlyMap<string, RunPicks>>();
  const picksByRun = (grid: FormatOptions): ReadonlyMap<string, RunPicks> => {
    const key = JSON.stringify(grid);
    const before = onGrids.get(key);
    if (before !== undefined) return before;
    const report = onGrids.size === 0 ? (warning: Warning) => void warnings.push(warning) : undefined;
    const byRun = new Map(parse(grid, report).map((one) => [one.run, one]));
    onGrids.set(key, byRun);
    return byRun;
  };
  let needsGrid = false;
  return {
    from,
    warnings,
    names() {
      try {
        return [...picksByRun({}).keys()];
      } catch (error) {
        if (!isCryoetPicksError(error, 'invalid-option')) throw error;
        // RELION 4 counts in pixels of the tilt series, whose size is not that of a tomogram.
        if (from === 'relion4') throw new UsageError(describeFailure(error).message, { cause: error });
        needsGrid = true;
      }
      try {
        return parse({ voxelSize: voxelSize ?? 1, shape: shape ?? [1, 1, 1] }).map(({ run }) => run);
      } catch (error) {
        if (!isCryoetPicksError(error, 'invalid-option')) throw error;
        throw new UsageError(describeFailure(error).message, { cause: error });
      }
    },
    async picksOf(name, run, signal) {
      if (!needsGrid) return picksByRun({}).get(name)?.picks ?? [];
      const grid = await gridOfRun(run, { tomogram: input.tomogram, signal });
      const [length] = grid.voxelSize;
      if (voxelSize !== undefined && Math.abs(voxelSize / length - 1) > 0.01) {
        throw new UsageError(
          `--voxel-size ${voxelSize} is not that of ${grid.tomogram} of run "${run.name}", ${formatZyx(grid.voxelSize)} Å; ` +
            'leave it out, or select another tomogram by --tomogram',
        );
      }
      return picksByRun({ voxelSize: voxelSize ?? grid.voxelSize, shape: shape ?? grid.shape }).get(name)?.picks ?? [];
    },
  };
}

interface Assignment {
  readonly input: ImportInput;
  readonly runs: readonly Run[];
}

/** The project's runs by the names that the file has for them; of several, those that `--run` selects. */
async function assign(names: readonly string[], { input, runs }: Assignment): Promise<ReadonlyMap<string, Run>> {
  const { rename = {}, run: wanted, input: path, config } = input;
  const missing = (name: string): never => {
    const available = listNames(runs.map((run) => run.name));
    const hint = Object.hasOwn(rename, name) ? '' : `; name it by --rename ${name}=RUN`;
    throw new UsageError(`run "${name}" of ${path} is not in ${config}, whose runs are ${available}${hint}`);
  };
  const byName = new Map(runs.map((run) => [run.name, run]));
  const targetOf = (name: string) => (Object.hasOwn(rename, name) ? rename[name]! : name);
  const inFile = names.map((name) => ({ name: targetOf(name), from: name }));
  const some = await chosen(inFile, {
    names: wanted,
    missing: (name) => {
      throw new UsageError(`${path} has no run "${name}"; it has ${listNames(names)}`);
    },
  });
  const assigned = new Map<string, Run>();
  for (const { name, from } of some) assigned.set(from, byName.get(name) ?? missing(name === from ? name : from));
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
