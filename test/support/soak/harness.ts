import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DetectDocument } from '../../../src/cli/detect.ts';
import type { RunSummary } from '../../../src/cli/run-results.ts';
import { isHidden } from '../../../src/node/file-lock.ts';
import { Random } from '../fuzz/random.ts';
import { objects, type SoakProjectOptions, type SoakRun, writeOverlay, writeSoakProject } from './project.ts';
import { differences, hashOf, treeOf } from './tree.ts';

/** How large a soak is. */
export interface SoakOptions extends SoakProjectOptions {
  /** The script of the command line. */
  readonly cli: string;
  readonly kills: number;
}

/** What became of the runs of one kind. */
export interface SoakRow {
  readonly kind: string;
  readonly expected: string;
  readonly runs: number;
  readonly found: string;
}

/** What a soak has found. */
export interface SoakReport {
  readonly rows: readonly SoakRow[];
  /** Deviations from what must hold; empty if all is well. */
  readonly problems: readonly string[];
  readonly done: number;
  readonly failed: number;
  /** Seconds of the undisturbed detection. */
  readonly seconds: number;
  /** Runs that were finished when the process was killed, kill by kill. */
  readonly killedAfter: readonly number[];
  /** What the process of the undisturbed detection held, and of that with `--claim`; empty of fewer than 250 runs. */
  readonly held: readonly Growth[];
}

/**
 * How what a process holds grows from run 100 to the last: from the least in the first half of the samples to the least in the second.
 * A pool that some tomogram starts, and that ends when it is idle, is no growth.
 */
export interface Growth {
  readonly what: string;
  /** Of the resident memory, in kB a run. */
  readonly residentPerRun: number;
  /** Of the heap after a collection, as a share. */
  readonly heap: number;
  /** Open files and threads, in the first half and in the second; 0 where the system does not tell. */
  readonly files: readonly [number, number];
  readonly threads: readonly [number, number];
}

/** What may grow: kB a run of the resident memory, and the share of the heap. Files and threads may not. */
const MAX_RESIDENT_PER_RUN = 50;
const MAX_HEAP = 0.05;

/**
 * Detects particles in a project of many small tomograms, some of them broken, through the command line; then once more in a
 * process that is killed again and again and resumed. The network of the fixtures, which averages cells of 2³ voxels, finds what
 * was planted, and nothing else.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { folder, cli, kills, seed } = options;
  const problems: string[] = [];
  const { runs, config, model } = await writeSoakProject(options);
  const before = await treeOf(join(folder, 'static'));
  const args = (overlay: string, ...more: string[]) => {
    const flags = ['--model', model, '--threads', '1', '--overlay', join(folder, overlay)];
    return [cli, 'detect', config, ...flags, ...more];
  };
  const submission = (overlay: string) => ['--submission', join(folder, `${overlay}.csv`)];

  await writeOverlay(join(folder, 'undisturbed'), runs);
  const placed = new Set((await treeOf(join(folder, 'undisturbed'))).keys());
  const started = performance.now();
  const whole = await runCli(args('undisturbed'), join(folder, 'undisturbed.jsonl'));
  const seconds = (performance.now() - started) / 1000;
  if (whole.exitCode !== 1) problems.push(`detect ended with ${whole.exitCode}: ${whole.stderr.slice(-500)}`);
  const undisturbed = await treeOf(join(folder, 'undisturbed'));
  problems.push(...litterIn(undisturbed, placed));

  const again = await runCli(args('undisturbed', '--resume', '--json', ...submission('undisturbed')));
  const document = JSON.parse(again.stdout.trimEnd().split('\n').at(-1)!) as DetectDocument;
  const { rows, deviations } = await compareRuns(runs, { document, stderr: whole.stderr, folder });
  problems.push(...deviations);
  problems.push(...differences(undisturbed, await treeOf(join(folder, 'undisturbed')), 'after --resume'));

  await writeOverlay(join(folder, 'claimed'), runs);
  const claimed = await runCli(args('claimed', '--claim'), join(folder, 'claimed.jsonl'));
  if (claimed.exitCode !== 1) problems.push(`detect --claim ended with ${claimed.exitCode}`);
  problems.push(...differences(undisturbed, await treeOf(join(folder, 'claimed')), 'with --claim'));

  await writeOverlay(join(folder, 'killed'), runs);
  const random = new Random(seed, 'kills');
  const killedAfter: number[] = [];
  const share = Math.floor((runs.length - options.broken) / (kills + 1));
  for (let kill = 0; kill < kills; kill++) {
    const target = random.below(share + 1);
    const wait = random.next() * (target === 0 ? 1000 : 100);
    const killed = await killCli(args('killed', '--resume'), { after: target, wait });
    killedAfter.push(killed.found);
    if (killed.endedWith !== undefined)
      problems.push(`kill ${kill + 1}: detect ended by itself with ${killed.endedWith}`);
  }
  const finished = await runCli(args('killed', '--resume', '--json', ...submission('killed')));
  if (finished.exitCode !== 1) problems.push(`the last --resume ended with ${finished.exitCode}`);
  problems.push(...differences(undisturbed, await treeOf(join(folder, 'killed')), 'after the kills'));
  if ((await hashOf(join(folder, 'killed.csv'))) !== (await hashOf(join(folder, 'undisturbed.csv'))))
    problems.push('the submission after the kills differs from the undisturbed one');
  problems.push(...differences(before, await treeOf(join(folder, 'static')), 'in the folder of tomograms'));

  const held = [...growthOf('detect', whole.samples), ...growthOf('detect --claim', claimed.samples)];
  problems.push(...held.flatMap(problemsOfGrowth));
  const statuses = document.runs.map(({ status }) => status);
  const failed = statuses.filter((status) => status === 'failed').length;
  return {
    rows,
    problems,
    done: statuses.length - failed,
    failed,
    seconds,
    killedAfter,
    held,
  };
}

interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What the process held after every tenth run, if that was asked for. */
  readonly samples: readonly Sample[];
}

/** What a process held after some runs, as `probe.mjs` writes it. */
interface Sample {
  readonly runs: number;
  /** Bytes. */
  readonly resident: number;
  readonly heap: number;
  readonly files?: number | undefined;
  readonly threads?: number | undefined;
}

/** Runs the command line to its end; after 20 minutes it is ended. What it holds on the way is written to a file. */
async function runCli(args: readonly string[], samples?: string): Promise<Finished> {
  const probe = fileURLToPath(new URL('probe.mjs', import.meta.url));
  // What V8 compiles while it runs would count as heap.
  const probed = samples === undefined ? [] : ['--expose-gc', '--no-opt', '--no-sparkplug', '--import', probe];
  const child = spawn(process.execPath, [...probed, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 1_200_000,
    env: { ...process.env, SOAK_PROBE: JSON.stringify({ file: samples, every: 10 }) },
  });
  let [stdout, stderr] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const [exitCode] = await once(child, 'close');
  const lines =
    samples === undefined ? [] : (await readFile(samples, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  return { exitCode, stdout, stderr, samples: lines.map((line) => JSON.parse(line) as Sample) };
}

interface KillAt {
  /** Runs to finish first. */
  readonly after: number;
  /** Then ms to wait. */
  readonly wait: number;
}

/** Kills the command line at a moment; gives how many runs it had searched, and its exit code if it ended before. */
async function killCli(
  args: readonly string[],
  { after, wait }: KillAt,
): Promise<{ found: number; endedWith?: number }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: 1_200_000 });
  const ended = once(child, 'close');
  let found = 0;
  const reached = new Promise<void>((resolve) => {
    if (after === 0) resolve();
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (/picks?, [\d.]+ s$/.test(line) && ++found >= after) resolve();
    });
  });
  await Promise.race([reached, ended]);
  await Promise.race([delay(wait), ended]);
  child.kill('SIGKILL');
  const [code, signal] = await ended;
  return signal === 'SIGKILL' ? { found } : { found, endedWith: code };
}

function growthOf(what: string, all: readonly Sample[]): Growth[] {
  const samples = all.filter(({ runs }) => runs >= 100);
  if (samples.length < 14) return [];
  const middle = Math.floor(samples.length / 2);
  const least = (some: readonly Sample[], field: keyof Sample) => Math.min(...some.map((one) => one[field] ?? 0));
  const halves = (field: keyof Sample) =>
    [least(samples.slice(0, middle), field), least(samples.slice(middle), field)] as const;
  const [resident, heap] = [halves('resident'), halves('heap')];
  return [
    {
      what,
      residentPerRun: (resident[1] - resident[0]) / 1000 / (samples[middle]!.runs - samples[0]!.runs),
      heap: heap[1] / heap[0] - 1,
      files: halves('files'),
      threads: halves('threads'),
    },
  ];
}

function problemsOfGrowth({ what, residentPerRun, heap, files, threads }: Growth): string[] {
  const problems: string[] = [];
  if (residentPerRun > MAX_RESIDENT_PER_RUN)
    problems.push(`${what}: the memory grew by ${residentPerRun.toFixed(0)} kB a run`);
  if (heap > MAX_HEAP) problems.push(`${what}: the heap grew by ${(100 * heap).toFixed(1)} %`);
  for (const [name, range] of [
    ['open files', files],
    ['threads', threads],
  ] as const)
    if (range[1] > range[0]) problems.push(`${what}: from ${range.join(' to ')} ${name}`);
  return problems;
}

interface Outcomes {
  readonly document: DetectDocument;
  readonly stderr: string;
  readonly folder: string;
}

/** Compares what became of each run with what follows from its kind. */
async function compareRuns(
  runs: readonly SoakRun[],
  { document, stderr, folder }: Outcomes,
): Promise<{ rows: SoakRow[]; deviations: string[] }> {
  const deviations: string[] = [];
  const byName = new Map(document.runs.map((one) => [one.run, one]));
  const lines = stderr.split('\n');
  const rows = new Map<string, SoakRow>();
  for (const run of runs) {
    const { name, kind } = run;
    const expected = kind?.expected ?? 'done';
    const said = lines.filter((line) => line.includes(name));
    const found = outcomeOf(byName.get(name), said);
    const label = kind?.name ?? 'a sound tomogram';
    rows.set(label, { kind: label, expected, runs: (rows.get(label)?.runs ?? 0) + 1, found });
    const wrong = (text: string) => deviations.push(`${name}, ${label}: ${text}`);
    if (found !== expected) wrong(`expected ${expected}, found ${found}: ${said.join(' ') || 'nothing was said'}`);
    const failed = byName.get(name)?.status === 'failed';
    if (failed && !kind?.hasNoPath && !said.some((line) => line.includes(`ExperimentRuns/${name}`)))
      wrong(`is told without its path: ${said.join(' ')}`);
    if (failed || kind?.losesPicks) continue;
    for (const object of objects) {
      const picks = await picksIn(
        join(folder, 'undisturbed', 'ExperimentRuns', name, 'Picks', `cryoet-picks_0_${object}.json`),
      );
      if (picks.join(' ') !== run.planted.join(' '))
        wrong(`${picks.length} picks of ${object} are not the ${run.planted.length} that were planted`);
    }
  }
  if (document.runs.length !== runs.length) deviations.push(`${document.runs.length} runs were told of ${runs.length}`);
  return { rows: [...rows.values()], deviations };
}

function outcomeOf(summary: RunSummary | undefined, said: readonly string[]): string {
  if (summary === undefined) return 'nothing';
  if (summary.status === 'failed') return summary.error?.code ?? 'no code';
  if (summary.status !== 'skipped') return `${summary.status} again`;
  return said.length > 0 ? 'warned' : 'done';
}

async function picksIn(path: string): Promise<string[]> {
  const { points } = JSON.parse(await readFile(path, 'utf8'));
  const places = points.map(({ location }: { location: { x: number; y: number; z: number } }) =>
    [location.z, location.y, location.x].join(),
  );
  return places.sort();
}

/** Empty folders and temporary files, but for those that were placed there. */
function litterIn(tree: ReadonlyMap<string, string>, placed: ReadonlySet<string>): string[] {
  return [...tree].flatMap(([path, content]) => {
    if (placed.has(path)) return [];
    if (content === 'empty folder') return [`${path} is an empty folder`];
    return path.split('/').some(isHidden) ? [`${path} is a temporary file`] : [];
  });
}
