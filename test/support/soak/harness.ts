import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { DetectDocument, RunSummary } from '../../../src/cli/detect.ts';
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
  /** Highest resident memory in MB, and its growth from run 100 (or the first fifth) to the last; undefined where the system does not tell. */
  readonly peak?: number | undefined;
  readonly growth?: number | undefined;
}

/** Growth of the resident memory, in MB, that is more than the noise of the collector. */
const MAX_GROWTH = 100;

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
    const submission = join(folder, `${overlay}.csv`);
    const flags = ['--model', model, '--threads', '1', '--overlay', join(folder, overlay), '--submission', submission];
    return [cli, 'detect', config, ...flags, ...more];
  };

  await writeOverlay(join(folder, 'undisturbed'), runs);
  const placed = new Set((await treeOf(join(folder, 'undisturbed'))).keys());
  const started = performance.now();
  const whole = await runCli(args('undisturbed'));
  const seconds = (performance.now() - started) / 1000;
  if (whole.exitCode !== 1) problems.push(`detect ended with ${whole.exitCode}: ${whole.stderr.slice(-500)}`);
  const undisturbed = await treeOf(join(folder, 'undisturbed'));
  problems.push(...litterIn(undisturbed, placed));

  const again = await runCli(args('undisturbed', '--resume', '--json'));
  const document = JSON.parse(again.stdout.trimEnd().split('\n').at(-1)!) as DetectDocument;
  const { rows, deviations } = await compareRuns(runs, { document, stderr: whole.stderr, folder });
  problems.push(...deviations);
  problems.push(...differences(undisturbed, await treeOf(join(folder, 'undisturbed')), 'after --resume'));

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
  const finished = await runCli(args('killed', '--resume', '--json'));
  if (finished.exitCode !== 1) problems.push(`the last --resume ended with ${finished.exitCode}`);
  problems.push(...differences(undisturbed, await treeOf(join(folder, 'killed')), 'after the kills'));
  if ((await hashOf(join(folder, 'killed.csv'))) !== (await hashOf(join(folder, 'undisturbed.csv'))))
    problems.push('the submission after the kills differs from the undisturbed one');
  problems.push(...differences(before, await treeOf(join(folder, 'static')), 'in the folder of tomograms'));

  const memory = memoryOf(whole.resident, whole.peak);
  if ((memory.growth ?? 0) > MAX_GROWTH) problems.push(`the memory grew by ${memory.growth?.toFixed(0)} MB`);
  const statuses = document.runs.map(({ status }) => status);
  const failed = statuses.filter((status) => status === 'failed').length;
  return {
    rows,
    problems,
    done: statuses.length - failed,
    failed,
    seconds,
    killedAfter,
    ...memory,
  };
}

interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Resident memory in MB after each run; empty where the system does not tell. */
  readonly resident: readonly number[];
  readonly peak: number;
}

/** Runs the command line to its end; after 20 minutes it is ended. */
async function runCli(args: readonly string[]): Promise<Finished> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 1_200_000 });
  let [stdout, stderr, peak] = ['', '', 0];
  const resident: number[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    stdout += `${line}\n`;
    const memory = memoryOfProcess(child);
    if (memory === undefined) return;
    resident.push(memory.resident);
    peak = Math.max(peak, memory.peak);
  });
  const [exitCode] = await once(child, 'close');
  return { exitCode, stdout, stderr, resident, peak };
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

function memoryOfProcess({ pid }: ChildProcess): { readonly resident: number; readonly peak: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const of = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN) / 1000;
    const [resident, peak] = [of('VmRSS'), of('VmHWM')];
    return resident > 0 ? { resident, peak } : undefined;
  } catch {
    return undefined;
  }
}

/** The growth is between medians of 20 runs, from run 100, or from the first fifth of fewer runs. */
function memoryOf(resident: readonly number[], peak: number): Pick<SoakReport, 'peak' | 'growth'> {
  if (resident.length === 0) return {};
  const start = Math.min(100, Math.floor(resident.length / 5));
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
  return { peak, growth: median(resident.slice(-20)) - median(resident.slice(start, start + 20)) };
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
