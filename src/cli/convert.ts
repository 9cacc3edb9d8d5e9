import { findByUri } from '../copick/find.ts';
import type { PickSet } from '../copick/pick-sets.ts';
import { withoutUntrustedRotations } from '../copick/picks-file.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import { chosen } from '../detect/project-runs.ts';
import { formatRequirements, type PicksFormatName } from '../formats/by-name.ts';
import { type NamesByNumber, numbered } from '../formats/file-context.ts';
import { configOfCroissant } from '../node/open-project.ts';
import { counted } from '../page/counted.ts';
import type { ParticlePick, RunPicks } from '../picks/pick.ts';
import { rotationOf } from '../picks/rotation.ts';
import type { CommonFlags, Outcome, TomogramName } from './command.ts';
import { objectsOf, type Source, writePicks } from './convert-write.ts';
import { isFolder, isProjectConfig, openCopick, readBytes } from './files.ts';
import { formatToWrite, openPicksFile, type PicksFileInput, unusedVoxelSize } from './picks-file.ts';
import {
  chooseSets,
  collectFailures,
  ownerOf,
  type RunFailure,
  type RunSet,
  setsOfRuns,
  tried,
} from './project-picks.ts';
import { gridLines, neededGrid, type RunGrid } from './run-grids.ts';
import { describeFailure, describeProblem, type Terminal, UsageError } from './terminal.ts';

/** The arguments of `convert`. */
export interface ConvertInput extends CommonFlags, PicksFileInput {
  readonly output: string;
  readonly to?: PicksFormatName | undefined;
  readonly run?: readonly string[] | undefined;
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
  const ofProject = bytes === undefined || (input.from === undefined && isProjectConfig(bytes));
  return asUsageError(async () => {
    const to = formatToWrite(input.output, input.to);
    const source = ofProject
      ? await projectSource(terminal, { ...input, to })
      : await fileSource(terminal, bytes!, { ...input, to });
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
  const project = await openCopick(terminal, input.input);
  const { runs, objects, owners, untrusted, grids, failures } = await readProjectPicks(terminal, project, input);
  const reported = failures.map(({ error }) => error.message);
  const problems = project.problems.filter(({ path }) => !reported.some((message) => message.includes(path)));
  for (const problem of problems) terminal.warn(`cryoet-picks: ${describeProblem(problem)}`);
  if (owners.length > 0) terminal.print(`picks of user/session ${owners.join(', ')}`);
  terminal.print(...gridLines(grids));
  const { voxelSize, shape } = input;
  const names = numbersOf(input.object ?? objects);
  const source = { from: 'project', runs, objects: names, grids, failures, options: { voxelSize, shape } } as const;
  const leftOut =
    untrusted === 0 ? [] : [`orientation: omitted, because files say not to trust it (${counted(untrusted, 'pick')})`];
  return { ...source, leftOut, warnings: [], columns: [] };
}

/** The picks of a file, with the options of its format. */
async function fileSource(
  { signal }: Terminal,
  bytes: Uint8Array,
  input: ConvertInput & { readonly to: PicksFormatName },
): Promise<Source> {
  const { voxelSize, shape, run = [], object = [], to } = input;
  const misplaced = (['userId', 'sessionId', 'uri', 'tomogram'] as const).find((option) => input[option] !== undefined);
  if (misplaced !== undefined) {
    const flag = misplaced.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(`--${flag} applies to copick projects, but ${input.input} is a picks file`);
  }
  const [onlyRun, onlyObject] = [run, object].map((names) => (names.length === 1 ? names[0] : undefined));
  const file = openPicksFile(input, { bytes, run: onlyRun, signal });
  const { from } = file;
  const { runs: all, warnings, columns } = await file.read();
  const [first, ...others] = all;
  // The only tomogram of a file that numbers them is the run that is named.
  const isNamed = first !== undefined && others.length === 0 && onlyRun !== undefined;
  const named = isNamed && formatRequirements[from].numbersRuns ? [{ ...first, run: onlyRun }] : all;
  const runs = await selected(named, input);
  return {
    ...{ from, runs, grids: new Map(), failures: [], leftOut: await file.leftOut(), columns },
    objects: file.objects ?? numbered(new Set(objectsOf(runs))),
    options: { voxelSize, shape, run: onlyRun, object: onlyObject },
    warnings: [...warnings, ...unusedVoxelSize(input, { from, to })],
  };
}

function numbersOf(names: readonly string[]): NamesByNumber {
  return Object.fromEntries(names.map((name, index) => [index + 1, name]));
}

/** The picks of the runs and objects given by options, or all. */
async function selected(runs: readonly RunPicks[], { run, object, input }: ConvertInput): Promise<RunPicks[]> {
  const some = await chosenPicks(runs, { names: run, input });
  if (object === undefined) return some;
  const objects = new Set(object);
  const kept = some.map((one) => ({ ...one, picks: one.picks.filter((pick) => objects.has(pick.object)) }));
  if (some.length === 0 || kept.some(({ picks }) => picks.length > 0))
    return kept.filter(({ picks }) => picks.length > 0);
  const known = new Set(some.flatMap(({ picks }) => picks.map((pick) => pick.object)));
  throw new UsageError(`${input} has no object "${object.join('", "')}"; there are ${listNames([...known])}`);
}

/** The picks of the runs that are named, in the order of the file; a file without picks has all runs, and none. */
async function chosenPicks(
  runs: readonly RunPicks[],
  { names, input }: { readonly names: readonly string[] | undefined; readonly input: string },
): Promise<RunPicks[]> {
  if (runs.length === 0) return [];
  const named = runs.map((one) => ({ ...one, name: one.run }));
  const wanted = new Set(await chosen(named, { globs: true, names, missing: noRun(input, named) }));
  return named.filter((one) => wanted.has(one)).map(({ run, picks }) => ({ run, picks }));
}

/** Throws for a run that an input does not have. */
function noRun(input: string, all: readonly { readonly name: string }[]): (name: string) => never {
  return (name) => {
    throw new UsageError(`${input} has no run "${name}"; there are ${listNames(all.map((one) => one.name))}`);
  };
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
  const all = await project.runs({ signal });
  const wanted = new Set(await chosen(all, { globs: true, names: input.run, missing: noRun(input.input, all) }));
  const ofProject = all.filter((one) => wanted.has(one));
  const failures = collectFailures(terminal);
  const bar = terminal.startBar('reading');
  try {
    const list = (run: Run, stop: AbortSignal) => setsOf(run, input, stop);
    const listed = await setsOfRuns(project, { runs: ofProject, list, failures, signal });
    const sets = select(listed, project, input);
    const byRun = new Map<string, PickSet[]>();
    for (const { run, set } of sets) {
      const group = byRun.get(run);
      if (group === undefined) byRun.set(run, [set]);
      else group.push(set);
    }
    const withPicks = ofProject.filter(({ name }) => byRun.has(name));
    const runs: RunPicks[] = [];
    const grids = new Map<string, RunGrid>();
    let untrusted = 0;
    const read = (one: Run, stop: AbortSignal) => readRun(one, { sets: byRun.get(one.name)!, input, signal: stop });
    for await (const { run, result } of tried(withPicks, read, signal)) {
      bar.update({ stage: 'runs', done: runs.length, total: withPicks.length });
      if ('error' in result) {
        failures.add(run.name, result.error);
        continue;
      }
      const { picks, grid } = result.value;
      untrusted += result.value.untrusted;
      runs.push({ run: run.name, picks });
      if (grid !== undefined) grids.set(run.name, grid);
    }
    const objects = [...new Set(sets.map(({ set }) => set.object))];
    return { runs, objects, owners: [...new Set(sets.map(ownerOf))], untrusted, grids, failures: failures.all };
  } finally {
    bar.stop();
  }
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
    const chosen = chooseSets(sets, input, { what: 'project', userId, sessionId, usualUsers: ['cryoet-picks'], flags });
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
  return { picks, untrusted, grid: await neededGrid(run, { ...input, signal }) };
}

function hasRotation({ transform }: ParticlePick): boolean {
  return rotationOf(transform) !== undefined;
}
