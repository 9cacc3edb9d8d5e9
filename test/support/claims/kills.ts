import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseConfig, projectFromStores } from '../../../src/entry/copick.ts';
import { detectProject, openTomogram, subStore, writeTomogram } from '../../../src/entry/index.ts';
import { directoryStore, overlayClaims } from '../../../src/entry/node.ts';
import { Random } from '../fuzz/random.ts';
import { fakeModel, fakeSpec } from '../identity-model.ts';
import { startScript } from '../script-process.ts';
import { filesBelow } from '../simulated-project.ts';
import { noise, sourceOf } from '../volumes.ts';
import { configText, type WorkerOptions, writeRuns } from './project.ts';

/** How to kill. */
export interface ClaimKillOptions {
  /** An empty folder. */
  readonly folder: string;
  readonly runs: number;
  readonly processes: number;
  /** How often a process is killed, and how often one is stopped beyond its lease and woken. */
  readonly kills: number;
  readonly stops: number;
  /** Milliseconds that the network takes for a run. */
  readonly sleep: number;
  readonly seed: number;
}

/** What became of a project that processes share which are killed and stopped. */
export interface ClaimKillReport {
  /** Deviations from what must hold; empty if all is well. */
  readonly problems: string[];
  /** Searches that were begun, and runs. */
  readonly searches: number;
  readonly runs: number;
  readonly kills: number;
  readonly stops: number;
  readonly seconds: number;
}

const worker = new URL('./worker.ts', import.meta.url);
const lease = 2;

/**
 * The least number of runs for so many kills and stops: each comes at a search that it is planned for, and while the last ones come there
 * must be work left for all processes.
 */
export function leastRuns({
  kills,
  stops,
  processes,
}: Pick<ClaimKillOptions, 'kills' | 'stops' | 'processes'>): number {
  return 4 * (kills + stops + processes);
}

/**
 * Searches a project in one undisturbed process, and in several that share it and are killed and stopped at random moments, and
 * compares what both have written, byte by byte.
 *
 * @throws If there are fewer runs than {@link leastRuns}.
 */
export async function killClaimers(options: ClaimKillOptions): Promise<ClaimKillReport> {
  const { folder, processes, kills, stops, sleep, seed } = options;
  const least = leastRuns(options);
  if (options.runs < least) throw new Error(`${kills} kills and ${stops} stops take at least ${least} runs`);
  const names = await writeRuns(folder, options.runs);
  const [whole, shared] = [join(folder, 'whole'), join(folder, 'shared')];
  await ended(await start({ folder, overlay: whole, sleep: 0 }));
  const random = new Random(seed, 'claims');
  const plan = plannedBlows(random, options);
  const report = { searches: 0, kills: 0, stops: 0 };
  const problems: string[] = [];
  const started = performance.now();
  const killed = new Set<ChildProcess>();
  const aimedAt = new Set<ChildProcess>();
  const isRunning = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;
  const strike = async (child: ChildProcess, { isKill, after }: Blow) => {
    aimedAt.add(child);
    // In the middle of a search, or of what comes before the next one.
    await delay(after * 2 * sleep);
    if (!isRunning(child)) return;
    if (isKill) {
      report.kills++;
      killed.add(child);
      child.kill('SIGKILL');
      return;
    }
    report.stops++;
    child.kill('SIGSTOP');
    await delay(2000 * lease);
    child.kill('SIGCONT');
    aimedAt.delete(child);
  };
  // Every other process searches two runs at once.
  const open = async (place: number) => {
    const child = await start({ folder, overlay: shared, sleep, jobs: 1 + (place % 2), lease });
    child.on('message', (message: { begins?: number }) => {
      if (message.begins === undefined) return;
      report.searches++;
      const isDue = plan.length > 0 && plan[0]!.search <= report.searches;
      if (isDue && !aimedAt.has(child)) void strike(child, plan.shift()!);
    });
    return child;
  };
  // One that is killed is started again.
  const keepOpen = async (place: number) => {
    let child: ChildProcess;
    do {
      child = await open(place);
      await ended(child);
    } while (killed.has(child));
  };
  await Promise.all(Array.from({ length: processes }, (_, place) => keepOpen(place)));
  const last = await open(0);
  const code = await ended(last);
  if (code !== 0) problems.push(`the last process ended with ${code}`);
  if (report.kills < kills) problems.push(`only ${report.kills} of ${kills} kills: all was done before`);
  if (report.stops < stops) problems.push(`only ${report.stops} of ${stops} stops: all was done before`);
  problems.push(...(await differencesOf(whole, shared)));
  return { ...report, problems, runs: names.length, seconds: (performance.now() - started) / 1000 };
}

/** A kill or a stop. */
interface Blow {
  readonly isKill: boolean;
  /** The search, counted over all processes, that it comes at. */
  readonly search: number;
  /** How long after its beginning it comes, as a share of the longest time. */
  readonly after: number;
}

/** Kills and stops in the order in which they come. Each run is searched at least once, so that all of them do. */
function plannedBlows(random: Random, options: ClaimKillOptions): Blow[] {
  const { runs, kills, stops, processes } = options;
  const searches = Array.from({ length: runs - 4 * processes }, (_, i) => i + 1);
  const kinds = Array.from({ length: kills + stops }, (_, i) => i < kills);
  return kinds
    .map((isKill): Blow => {
      const [search] = searches.splice(random.below(searches.length), 1);
      return { isKill, search: search!, after: random.next() };
    })
    .sort((a, b) => a.search - b.search);
}

/** Seconds from the first search that begins to the last result of processes that share a project. */
export async function scaling({
  folder,
  runs,
  processes,
  sleep,
}: Pick<ClaimKillOptions, 'folder' | 'runs' | 'processes' | 'sleep'>): Promise<number> {
  await writeRuns(folder, runs, { broken: false });
  const times: number[] = [];
  const children = await Promise.all(
    Array.from({ length: processes }, () => start({ folder, overlay: join(folder, 'overlay'), sleep, lease: 300 })),
  );
  for (const child of children) {
    child.on('message', ({ begins, ends }: { begins?: number; ends?: number }) => {
      times.push(begins ?? ends ?? Date.now());
    });
  }
  for (const child of children) await ended(child);
  return (Math.max(...times) - Math.min(...times)) / 1000;
}

/** Milliseconds that a claim takes, the search for the next free run included, while a process goes through all runs. */
export async function claimCost({ folder, runs }: Pick<ClaimKillOptions, 'folder' | 'runs'>): Promise<number> {
  const names = Array.from({ length: runs }, (_, i) => `TS_${String(i).padStart(4, '0')}`);
  const overlay = directoryStore(join(folder, 'overlay'), { durable: false });
  const project = projectFromStores({ config: parseConfig(configText, { source: 'copick.json' }), overlay });
  const claims = overlayClaims(project);
  const open = new Set(names);
  // As detectProject asks: has it failed, is it done?
  const isOpen = async (name: string) => {
    await overlay.get(`/.cryoet-picks/failures/me_1/${name}.json`);
    await overlay.list(`/ExperimentRuns/${name}/Picks`);
    return true;
  };
  let spent = 0;
  for (;;) {
    const started = performance.now();
    const claim = await claims.next([...open], { group: 'me_1', isOpen });
    if (claim === undefined) return spent / runs;
    open.delete(claim.name);
    await claim.release();
    spent += performance.now() - started;
  }
}

/** Milliseconds per run that a search takes beside reading and network: by the clock, and of the processors. */
export interface RunOverhead {
  readonly wall: number;
  readonly cpu: number;
}

/**
 * What a search of tomograms of 32×64×64 voxels takes beside reading them twice, as the search does, with a network that gives zeros at
 * once: checks, intensity, plan, peaks, candidates, picks, records, and writing, without waiting for the disk.
 */
export async function runOverhead({ folder, runs }: Pick<ClaimKillOptions, 'folder' | 'runs'>): Promise<RunOverhead> {
  const images = directoryStore(join(folder, 'static'), { durable: false });
  const names = Array.from({ length: runs }, (_, i) => `TS_${String(i).padStart(4, '0')}`);
  const shape = [32, 64, 64] as const;
  const imageOf = (name: string) => subStore(images, `/ExperimentRuns/${name}/VoxelSpacing10.000/denoised.zarr`);
  for (const [i, name] of names.entries())
    await writeTomogram(imageOf(name), sourceOf(noise(shape, i), shape), { levels: 1 });
  const project = projectFromStores({
    config: parseConfig(configText, { source: 'copick.json' }),
    static: images,
    overlay: directoryStore(join(folder, 'overlay'), { durable: false }),
  });
  const spec = fakeSpec({
    tile: shape,
    classes: ['ribosome', null],
    thresholds: { ribosome: 2 },
    minDistances: { ribosome: 30 },
  });
  const model = fakeModel(spec, (voxels) => new Float32Array(2 * voxels.length));
  let least: RunOverhead = { wall: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY };
  for (let first = 0; first < runs; first += BATCH) {
    const batch = names.slice(first, first + BATCH);
    const searched = await spent(async () => {
      for await (const { run, status } of detectProject(project, { tomogram: 'denoised', model, runs: batch }))
        if (status !== 'detected') throw new Error(`${run} is ${status}`);
    });
    const read = await spent(async () => {
      for (const name of batch) {
        const tomogram = await openTomogram(imageOf(name));
        for (let pass = 0; pass < 2; pass++) await tomogram.read({ start: [0, 0, 0], end: shape });
      }
    });
    least = {
      wall: Math.min(least.wall, (searched.wall - read.wall) / batch.length),
      cpu: Math.min(least.cpu, (searched.cpu - read.cpu) / batch.length),
    };
  }
  return least;
}

/** Runs that are measured together: of several batches the one counts that was disturbed least, by the compiler or by other programs. */
const BATCH = 50;

/** Milliseconds of a piece of work. */
async function spent(work: () => Promise<void>): Promise<RunOverhead> {
  const [started, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wall: performance.now() - started, cpu: (user + system) / 1000 };
}

async function start(options: WorkerOptions): Promise<ChildProcess> {
  return startScript(worker, [JSON.stringify(options)]);
}

/** The exit code, or the signal that ended it. */
async function ended(child: ChildProcess): Promise<number | string> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode ?? child.signalCode!;
}

/** Files that only one folder has, or that differ. */
async function differencesOf(a: string, b: string): Promise<string[]> {
  const [inA, inB] = [new Set(await filesBelow(a)), new Set(await filesBelow(b))];
  const problems: string[] = [];
  for (const path of new Set([...inA, ...inB])) {
    if (!inA.has(path)) problems.push(`${path} is left over`);
    else if (!inB.has(path)) problems.push(`${path} is missing`);
    else if (!(await readFile(join(a, path))).equals(await readFile(join(b, path)))) problems.push(`${path} differs`);
  }
  return problems;
}
