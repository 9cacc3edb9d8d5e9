import { mapOrdered } from '../async.ts';
import { findByUri } from '../copick/find.ts';
import type { PickSet } from '../copick/pick-sets.ts';
import { listNames } from '../copick/problems.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import type { FormatName } from '../picks/formats/names.ts';
import type { Pick } from '../picks/pick.ts';
import type { RunPicks } from '../picks/run-picks.ts';
import type { ConvertInput } from './convert.ts';
import { counted } from './counts.ts';
import { describeFailure, type Failure, UsageError } from './failure.ts';
import { formatNeeds } from './format-needs.ts';
import { chooseSets, ownerOf, type RunSet } from './positions.ts';
import { checkGiven, gridOfRun, type RunGrid } from './run-grids.ts';
import type { Terminal } from './terminal.ts';

/** A run that could not be converted. */
export interface RunFailure {
  readonly run: string;
  readonly error: Failure;
}

/** The picks of a project that were asked for. */
export interface ProjectPicks {
  readonly runs: readonly RunPicks[];
  /** What they are of, in the order of the project. */
  readonly objects: readonly string[];
  /** Whose they are: `user/session`. */
  readonly owners: readonly string[];
  /** The tomograms of the runs, where the format needs to know them. */
  readonly grids: ReadonlyMap<string, RunGrid>;
  readonly failures: readonly RunFailure[];
}

type Input = ConvertInput & { readonly to: FormatName };

/** Reads the picks of some runs, objects, a user and session; a run that fails is told and hides no other. */
export async function readProjectPicks(terminal: Terminal, project: Project, input: Input): Promise<ProjectPicks> {
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
      else listed.push(...result.value.map((set) => ({ run: run.name, set })));
    }
    const sets = select(listed, project, input);
    const withPicks = chosen.filter(({ name }) => sets.some(({ run }) => run === name));
    const runs: RunPicks[] = [];
    const grids = new Map<string, RunGrid>();
    const read = (one: Run, stop: AbortSignal) => readRun(one, { sets, input, signal: stop });
    for await (const { run, result } of tried(withPicks, read, signal)) {
      bar.update({ stage: 'runs', done: runs.length, total: withPicks.length });
      if ('error' in result) {
        fail(run.name, result.error);
        continue;
      }
      const { picks, grid } = result.value;
      runs.push({ run: run.name, picks });
      if (grid !== undefined) grids.set(run.name, grid);
    }
    const objects = [...new Set(sets.map(({ set }) => set.object))];
    return { runs, objects, owners: [...new Set(sets.map(ownerOf))], grids, failures };
  } finally {
    bar.stop();
  }
}

type Tried<T> = { readonly run: Run; readonly result: { readonly value: T } | { readonly error: unknown } };

/** What comes of each run, in their order: a value, or why there is none. */
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
  const missing = names?.find((name) => all.every((run) => run.name !== name));
  if (missing !== undefined) {
    throw new UsageError(`${input} has no run "${missing}"; there are ${listNames(all.map(({ name }) => name))}`);
  }
  return all.filter(({ name }) => names?.includes(name) ?? true);
}

async function setsOf(run: Run, { uri, object }: Input, signal: AbortSignal): Promise<PickSet[]> {
  if (uri === undefined) return run.pickSets({ object, signal });
  const found = await findByUri([run], { kind: 'picks', uri, signal });
  return found.filter((set) => object?.includes(set.object) ?? true);
}

/** The sets of one user and session; those of a URI as it says, if of each object there are one user's. */
function select(sets: readonly RunSet[], project: Project, { input, uri, object, userId, sessionId }: Input): RunSet[] {
  const known = new Set([...sets.map(({ set }) => set.object), ...project.objects.map(({ name }) => name)]);
  const stranger = object?.find((name) => !known.has(name));
  if (stranger !== undefined) {
    throw new UsageError(`${input} has no object "${stranger}"; there are ${listNames([...known])}`);
  }
  if (uri === undefined) {
    const flags = '--user-id and --session-id';
    const chosen = chooseSets(sets, input, { what: 'project', userId, sessionId, usualUser: 'cryoet-picks', flags });
    return byObject(chosen, project);
  }
  if (sets.length === 0) throw new UsageError(`${input} has no picks that "${uri}" asks for`);
  const owners = new Map<string, string>();
  for (const one of sets) {
    const what = `picks of ${one.set.object} in run "${one.run}"`;
    const before = owners.get(what);
    if (before !== undefined) {
      throw new UsageError(
        `"${uri}" asks for the ${what} of ${before} and of ${ownerOf(one)}; let it name one of them`,
      );
    }
    owners.set(what, ownerOf(one));
  }
  return byObject(sets, project);
}

/** In the order of the project's objects, which their numbers in a file follow. */
function byObject(sets: readonly RunSet[], { objects }: Project): RunSet[] {
  const places = new Map(objects.map(({ name }, index) => [name, index]));
  const placeOf = ({ set }: RunSet) => places.get(set.object) ?? objects.length;
  return [...sets].sort((a, b) => placeOf(a) - placeOf(b));
}

interface ReadRunOptions {
  readonly sets: readonly RunSet[];
  readonly input: Input;
  readonly signal: AbortSignal;
}

async function readRun(
  run: Run,
  { sets, input, signal }: ReadRunOptions,
): Promise<{ picks: Pick[]; grid: RunGrid | undefined }> {
  const picks: Pick[] = [];
  for (const { set } of sets.filter((one) => one.run === run.name)) {
    for (const pick of (await set.read({ signal })).picks) picks.push(pick);
  }
  const { tomogram: need } = formatNeeds[input.to];
  const { voxelSize, shape, tomogram } = input;
  const isNeeded = voxelSize === undefined || (need === 'voxelSizeAndShape' && shape === undefined);
  if (need === undefined || !isNeeded) return { picks, grid: undefined };
  const grid = await gridOfRun(run, { tomogram, signal });
  checkGiven(grid, { voxelSize, shape });
  return { picks, grid };
}

/** Which tomograms told voxel size and shape, a line for those that are alike. */
export function gridLines(grids: ReadonlyMap<string, RunGrid>, describe: (grid: RunGrid) => string): string[] {
  const runs = new Map<string, number>();
  for (const grid of grids.values()) runs.set(describe(grid), (runs.get(describe(grid)) ?? 0) + 1);
  return [...runs].map(([what, count]) => `voxels as in ${what} (${counted(count, 'run')})`);
}
