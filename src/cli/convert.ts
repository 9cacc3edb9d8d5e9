import { findByUri } from '../copick/find.ts';
import type { PickSet } from '../copick/pick-sets.ts';
import { withoutUntrustedRotations } from '../copick/picks-file.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import { mapOrdered, type Warning } from '../core/concurrency.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import { decodeText, MAX_TEXT } from '../core/json.ts';
import { openProject } from '../entry/node.ts';
import {
  type AnyPicksFormat,
  detectPicksFormat,
  type FormatOptions,
  type PicksFormatName,
  picksFormat,
  picksFormatOfPath,
} from '../formats/by-name.ts';
import { type NamesByNumber, numbered } from '../formats/file-context.ts';
import type { ParseReports, PointsColumn, TableColumn } from '../formats/format.ts';
import { configOfCroissant } from '../node/open-project.ts';
import type { ParticlePick, RunPicks } from '../picks/pick.ts';
import { rotationOf } from '../picks/rotation.ts';
import type { Zyx } from '../space/grid.ts';
import type { CommonFlags, Outcome, TomogramName } from './command.ts';
import { objectsOf, type Source, writePicks } from './convert-write.ts';
import { isFolder, isProjectConfig, readBytes } from './files.ts';
import { checkGiven, describeGrid, formatRequirements, gridOfRun, type RunFailure, type RunGrid } from './run-grids.ts';
import { chooseSets, ownerOf, type RunSet } from './score.ts';
import { counted, describeFailure, describeProblem, type Terminal, UsageError } from './terminal.ts';

/** The arguments of `convert`. */
export interface ConvertInput extends CommonFlags {
  readonly input: string;
  readonly output: string;
  readonly from?: PicksFormatName | undefined;
  readonly to?: PicksFormatName | undefined;
  readonly voxelSize?: number | undefined;
  readonly shape?: Zyx | undefined;
  readonly run?: readonly string[] | undefined;
  readonly object?: readonly string[] | undefined;
  /** What the columns of a plain table are. */
  readonly columns?: readonly PointsColumn[] | undefined;
  /** This option and the next three are for projects. */
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly uri?: string | undefined;
  readonly tomogram?: TomogramName | undefined;
  readonly overwrite?: true | undefined;
}

/** Reads picks from a file or a project, and writes them in another format. */
export async function convert(terminal: Terminal, input: ConvertInput): Promise<Outcome> {
  const isCroissant = input.from === undefined && (await configOfCroissant(input.input)) !== undefined;
  const bytes = isCroissant ? undefined : await readBytes(input.input, { what: 'picks', signal: terminal.signal });
  // A text cannot hold more; reading such a file as text says so.
  const text = bytes === undefined || bytes.length > MAX_TEXT ? '' : new TextDecoder().decode(bytes);
  const ofProject = bytes === undefined || (input.from === undefined && isProjectConfig(text));
  return asUsageError(async () => {
    const to = input.to ?? picksFormatOfPath(input.output);
    const source = ofProject
      ? await projectSource(terminal, { ...input, to })
      : fileSource({ bytes: bytes!, text, source: input.input }, { ...input, to });
    const folder = /[/\\]$/.test(input.output) || (await isFolder(input.output));
    return writePicks(terminal, source, { ...input, to, isFolder: folder });
  });
}

async function projectSource(
  terminal: Terminal,
  input: ConvertInput & { readonly to: PicksFormatName },
): Promise<Source> {
  if (input.columns !== undefined) {
    throw new UsageError(`--columns applies to plain tables, but ${input.input} is a copick project`);
  }
  if (input.to === 'relion4' && input.voxelSize === undefined) {
    throw new UsageError(
      'RELION 4 counts in pixels of the tilt series, whose size is not known from a tomogram; give it in Å by --voxel-size',
    );
  }
  const project = await openProject(input.input, { signal: terminal.signal });
  const { runs, objects, owners, untrusted, grids, failures } = await readProjectPicks(terminal, project, input);
  const reported = failures.map(({ error }) => error.message);
  const problems = project.problems.filter(({ path }) => !reported.some((message) => message.includes(path)));
  for (const problem of problems) terminal.warn(`cryoet-picks: ${describeProblem(problem)}`);
  if (owners.length > 0) terminal.print(`picks of user/session ${owners.join(', ')}`);
  terminal.print(...gridLines(grids, describeGrid));
  const { voxelSize, shape } = input;
  const names = numbersOf(input.object ?? objects);
  const source = { from: 'project', runs, objects: names, grids, failures, options: { voxelSize, shape } } as const;
  const leftOut =
    untrusted === 0 ? [] : [`orientation: omitted, because files say not to trust it (${counted(untrusted, 'pick')})`];
  return { ...source, leftOut, warnings: [], columns: [] };
}

/** The formats that count in Å, whatever the voxel size. */
const inAngstrom: readonly PicksFormatName[] = ['csv', 'submission', 'copick', 'cmm'];

/** The picks of a file, with the options of its format. */
function fileSource(content: Content, input: ConvertInput & { readonly to: PicksFormatName }): Source {
  const { voxelSize, shape, run = [], object = [], to } = input;
  const misplaced = (['userId', 'sessionId', 'uri', 'tomogram'] as const).find((option) => input[option] !== undefined);
  if (misplaced !== undefined) {
    const flag = misplaced.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(`--${flag} applies to copick projects, but ${input.input} is a picks file`);
  }
  const from = input.from ?? (input.columns === undefined ? detectPicksFormat(input.input, content.text) : 'points');
  if (input.columns !== undefined && from !== 'points') {
    throw new UsageError(`--columns applies to plain tables (--from points), but the format is ${from}`);
  }
  const [onlyRun, onlyObject] = [run, object].map((names) => (names.length === 1 ? names[0] : undefined));
  const options: FormatOptions = { voxelSize, shape, run: onlyRun, object: onlyObject };
  const given = object.length > 1 ? numbersOf(object) : undefined;
  const format = picksFormat(from, { ...options, objects: given, columns: input.columns });
  const warnings: Warning[] = [];
  const columns: TableColumn[] = [];
  const reports = {
    onWarning: (warning: Warning) => void warnings.push(warning),
    onColumns: (read: readonly TableColumn[]) => void columns.push(...read),
  };
  const runs = chosen(read(format, content, reports), input);
  if (voxelSize !== undefined && inAngstrom.includes(from) && inAngstrom.includes(to)) {
    const advice = 'if its numbers are voxels, name it by --from points';
    const message = `${input.input} (${from}) counts in Å, and so does ${to}: --voxel-size is not used; ${advice}`;
    warnings.push({ code: 'voxel-size-unused', message, path: input.input });
  }
  const objects = given ?? numbered(new Set(objectsOf(runs)));
  const source = { from, runs, objects, grids: new Map(), failures: [], options };
  return { ...source, leftOut: leftOut(format, content), warnings, columns };
}

interface Content {
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly source: string;
}

function read(format: AnyPicksFormat, { bytes, text, source }: Content, reports: ParseReports): RunPicks[] {
  if (format.content === 'bytes') return format.parse(bytes, source, reports);
  const isRead = bytes.length <= MAX_TEXT;
  return format.parse(isRead ? text : decodeText(bytes, { what: source, code: 'invalid-picks' }), source, reports);
}

/** What the file contains that picks cannot hold. */
function leftOut(format: AnyPicksFormat, { bytes, text, source }: Content): readonly string[] {
  return (format.content === 'bytes' ? format.leftOut?.(bytes, source) : format.leftOut?.(text, source)) ?? [];
}

function numbersOf(names: readonly string[]): NamesByNumber {
  return Object.fromEntries(names.map((name, index) => [index + 1, name]));
}

/** The picks of the runs and objects given by options, or all. */
function chosen(runs: readonly RunPicks[], { run, object, input }: ConvertInput): RunPicks[] {
  const wanted = run && new Set(run);
  const some = runs.filter((one) => wanted?.has(one.run) ?? true);
  const found = new Set(some.map((one) => one.run));
  const missing = run?.find((name) => !found.has(name));
  if (missing !== undefined && runs.length > 0) {
    throw new UsageError(`${input} has no run "${missing}"; there are ${listNames(runs.map((one) => one.run))}`);
  }
  if (object === undefined) return some;
  const objects = new Set(object);
  const kept = some.map((one) => ({ ...one, picks: one.picks.filter((pick) => objects.has(pick.object)) }));
  if (some.length === 0 || kept.some(({ picks }) => picks.length > 0))
    return kept.filter(({ picks }) => picks.length > 0);
  const known = new Set(some.flatMap(({ picks }) => picks.map((pick) => pick.object)));
  throw new UsageError(`${input} has no object "${object.join('", "')}"; there are ${listNames([...known])}`);
}

/** Turns `invalid-option` into wrong usage: a format lacks an option of the command line. */
async function asUsageError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isCryoetPicksError(error, 'invalid-option')) throw error;
    throw new UsageError(describeFailure(error).message, { cause: error });
  }
}

/** The selected picks of a project. */
export interface ProjectPicks {
  readonly runs: readonly RunPicks[];
  /** The objects of the picks, in the order of the project. */
  readonly objects: readonly string[];
  /** Their users and sessions, as `user/session`. */
  readonly owners: readonly string[];
  /** How many picks lost a rotation that their file says not to trust. */
  readonly untrusted: number;
  /** The tomograms of the runs, if the format needs them. */
  readonly grids: ReadonlyMap<string, RunGrid>;
  readonly failures: readonly RunFailure[];
}

type Input = ConvertInput & { readonly to: PicksFormatName };

/** Reads the picks of some runs, objects, a user and session; a run that fails is reported, and the others are read. */
async function readProjectPicks(terminal: Terminal, project: Project, input: Input): Promise<ProjectPicks> {
  const { signal } = terminal;
  const chosen = await runsOf(project, input, signal);
  const failures: RunFailure[] = [];
  const fail = (run: string, error: unknown) => {
    signal.throwIfAborted();
    if (error instanceof UsageError) throw error;
    failures.push({ run, error: describeFailure(error) });
  };
  const listed: RunSet[] = [];
  const bar = terminal.startBar('reading');
  try {
    for await (const { run, result } of tried(chosen, (one, stop) => setsOf(one, input, stop), signal)) {
      if ('error' in result) fail(run.name, result.error);
      else for (const set of result.value) listed.push({ run: run.name, set });
    }
    const sets = select(listed, project, input);
    const byRun = new Map<string, PickSet[]>();
    for (const { run, set } of sets) {
      const group = byRun.get(run);
      if (group === undefined) byRun.set(run, [set]);
      else group.push(set);
    }
    const withPicks = chosen.filter(({ name }) => byRun.has(name));
    const runs: RunPicks[] = [];
    const grids = new Map<string, RunGrid>();
    let untrusted = 0;
    const read = (one: Run, stop: AbortSignal) => readRun(one, { sets: byRun.get(one.name)!, input, signal: stop });
    for await (const { run, result } of tried(withPicks, read, signal)) {
      bar.update({ stage: 'runs', done: runs.length, total: withPicks.length });
      if ('error' in result) {
        fail(run.name, result.error);
        continue;
      }
      const { picks, grid } = result.value;
      untrusted += result.value.untrusted;
      runs.push({ run: run.name, picks });
      if (grid !== undefined) grids.set(run.name, grid);
    }
    const objects = [...new Set(sets.map(({ set }) => set.object))];
    return { runs, objects, owners: [...new Set(sets.map(ownerOf))], untrusted, grids, failures };
  } finally {
    bar.stop();
  }
}

type Tried<T> = { readonly run: Run; readonly result: { readonly value: T } | { readonly error: unknown } };

/** The result of each run, in order: a value or an error. */
function tried<T>(
  runs: readonly Run[],
  work: (run: Run, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): AsyncGenerator<Tried<T>, void, undefined> {
  return mapOrdered(
    runs,
    async (run, stop): Promise<Tried<T>> => {
      try {
        return { run, result: { value: await work(run, stop) } };
      } catch (error) {
        stop.throwIfAborted();
        return { run, result: { error } };
      }
    },
    { concurrency: 4, signal },
  );
}

async function runsOf(project: Project, { input, run: names }: Input, signal: AbortSignal): Promise<Run[]> {
  const all = await project.runs({ signal });
  if (names === undefined) return all;
  const wanted = new Set(names);
  const found = all.filter(({ name }) => wanted.has(name));
  const there = new Set(found.map(({ name }) => name));
  const missing = names.find((name) => !there.has(name));
  if (missing === undefined) return found;
  throw new UsageError(`${input} has no run "${missing}"; there are ${listNames(all.map(({ name }) => name))}`);
}

async function setsOf(run: Run, { uri, object }: Input, signal: AbortSignal): Promise<PickSet[]> {
  if (uri === undefined) return run.pickSets({ object, signal });
  const found = await findByUri([run], { kind: 'picks', uri, signal });
  return found.filter((set) => object?.includes(set.object) ?? true);
}

/** The sets of one user and session, or those that a URI selects, if it selects one per object and run. */
function select(sets: readonly RunSet[], project: Project, { input, uri, object, userId, sessionId }: Input): RunSet[] {
  const known = new Set([...sets.map(({ set }) => set.object), ...project.objects.map(({ name }) => name)]);
  const unknown = object?.find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new UsageError(`${input} has no object "${unknown}"; there are ${listNames([...known])}`);
  }
  if (uri === undefined) {
    const flags = '--user-id and --session-id';
    const chosen = chooseSets(sets, input, { what: 'project', userId, sessionId, usualUser: 'cryoet-picks', flags });
    return byObject(chosen, project);
  }
  if (sets.length === 0) throw new UsageError(`${input} has no picks that match "${uri}"`);
  const owners = new Map<string, string>();
  for (const one of sets) {
    const what = `picks of ${one.set.object} in run "${one.run}"`;
    const before = owners.get(what);
    if (before !== undefined) {
      throw new UsageError(`"${uri}" matches the ${what} of ${before} and of ${ownerOf(one)}; name one of them`);
    }
    owners.set(what, ownerOf(one));
  }
  return byObject(sets, project);
}

/** In the order of the project's objects, which gives them their class numbers in a file. */
function byObject(sets: readonly RunSet[], { objects }: Project): RunSet[] {
  const places = new Map(objects.map(({ name }, index) => [name, index]));
  const placeOf = ({ set }: RunSet) => places.get(set.object) ?? objects.length;
  return [...sets].sort((a, b) => placeOf(a) - placeOf(b));
}

interface ReadRunOptions {
  readonly sets: readonly PickSet[];
  readonly input: Input;
  readonly signal: AbortSignal;
}

/** The picks of a run. */
interface RunRead {
  readonly picks: ParticlePick[];
  /** How many of them had a rotation that their file says not to trust, and have none now. */
  readonly untrusted: number;
  readonly grid: RunGrid | undefined;
}

async function readRun(run: Run, { sets, input, signal }: ReadRunOptions): Promise<RunRead> {
  const picks: ParticlePick[] = [];
  let untrusted = 0;
  for (const set of sets) {
    const file = await set.read({ signal });
    for (const pick of withoutUntrustedRotations(file)) picks.push(pick);
    if (file.trustOrientation === false) untrusted += file.picks.filter(hasRotation).length;
  }
  const { tomogram: need } = formatRequirements[input.to];
  const { voxelSize, shape, tomogram } = input;
  const isNeeded = voxelSize === undefined || (need === 'voxelSizeAndShape' && shape === undefined);
  if (need === undefined || !isNeeded) return { picks, untrusted, grid: undefined };
  const grid = await gridOfRun(run, { tomogram, signal });
  checkGiven(grid, { voxelSize, shape });
  return { picks, untrusted, grid };
}

function hasRotation({ transform }: ParticlePick): boolean {
  return rotationOf(transform) !== undefined;
}

/** The tomograms that voxel size and shape were taken from, one line for all that are alike. */
function gridLines(grids: ReadonlyMap<string, RunGrid>, describe: (grid: RunGrid) => string): string[] {
  const runs = new Map<string, number>();
  for (const grid of grids.values()) runs.set(describe(grid), (runs.get(describe(grid)) ?? 0) + 1);
  return [...runs].map(([what, count]) => `voxels as in ${what} (${counted(count, 'run')})`);
}
