// Measures the page of `view` of the built package in Chromium without a GPU: how soon it shows, how it answers the wheel, its memory.
//
//   npm run build && npm run bench:page -- [--rounds 3] [--reopen 50] [--json OUT.json]
//   npm run bench:page -- --large                 a volume of 512×1024×1024 voxels instead
//   npm run bench:page -- --open CONFIG_OR_VOLUME
//   npm run bench:page -- --detect                also turns the wheel while the page detects, on the CPU
//
// The data, two simulated runs of 184×630×630 voxels, are made at first in bench/data/page, or in the folder of --data.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';
import { chromiumPath } from '../test/support/chromium.ts';
import { median } from './measure.ts';
import { largeVolume, simulatedProject } from './page-data.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const cli = join(checkout, 'dist/cli.js');

/** Wheel steps in each plane. */
const STEPS = 100;
const PLANES = ['xy', 'xz', 'zy'] as const;

/** What one visit of the page showed; times in milliseconds, memory in bytes. */
interface Visit {
  /** The one-minute load of the machine before it. */
  readonly load: number;
  /** From the start of navigation until the main slice shows voxels all over. */
  readonly firstSlice: number;
  /** Until the last voxel is read. */
  readonly fullLevel: number;
  /** From each turn of the wheel to the end of the frame that draws it. */
  readonly steps: Readonly<Record<(typeof PLANES)[number], readonly number[]>>;
  /** Tasks of the page's thread above 50 ms: while it loads, and while the wheel turns. */
  readonly loadTasks: readonly number[];
  readonly stepTasks: readonly number[];
  /** Proportional set size of renderer and GPU process: the largest of four a second while it loads, and after the wheel turned. */
  readonly peakMemory: Memory;
  readonly memory: Memory;
  /** Seconds of processor time of renderer and GPU process until the full level. */
  readonly cpu: number;
  /** Bytes that the server sent until then. */
  readonly bytes: number;
  /** With `--detect`: the wheel's times and the page's tasks above 50 ms while a detection goes on. */
  readonly detecting?: { readonly steps: readonly number[]; readonly tasks: readonly number[] };
  /** Memory after each tenth opening of another run, garbage collected, with `--reopen`. */
  readonly reopened?: readonly Memory[];
}

interface Memory {
  readonly renderer: number;
  readonly gpu: number;
}

/** `view` of the built package, in a process of its own. */
async function startView(path: string): Promise<{ readonly address: string; readonly child: ChildProcess }> {
  const child = spawn(process.execPath, [cli, 'view', path, '--no-open'], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout! })) {
    const address = /http:\S+/.exec(line)?.[0];
    if (address !== undefined) return { address, child };
  }
  throw new Error(`view ${path} has ended`);
}

/** Runs in the page before its own code: notes long tasks, the first slice, and the time from each turn of the wheel to its picture. */
function probe(): void {
  const notes = { tasks: [] as number[], firstSlice: 0, steps: [] as number[] };
  Object.assign(globalThis, { notes });
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) notes.tasks.push(duration);
  }).observe({ type: 'longtask', buffered: true });
  const { port1, port2 } = new MessageChannel();
  let turnedAt = 0;
  port1.onmessage = () => notes.steps.push(performance.now() - turnedAt);
  addEventListener(
    'wheel',
    ({ timeStamp }) => {
      turnedAt = timeStamp;
      // A message posted in a frame arrives after it was drawn.
      requestAnimationFrame(() => port2.postMessage(undefined));
    },
    { capture: true },
  );
  const small = new OffscreenCanvas(8, 8).getContext('2d', { willReadFrequently: true })!;
  const showsVoxels = (canvas: HTMLCanvasElement, left: number, top: number) => {
    small.drawImage(canvas, canvas.width * left, canvas.height * top, 8, 8, 0, 0, 8, 8);
    return new Set(small.getImageData(0, 0, 8, 8).data).size > 4;
  };
  const look = () => {
    const canvas = document.querySelector<HTMLCanvasElement>('.slice-xy canvas');
    const places = [0.4, 0.45, 0.55, 0.6];
    const isThere = canvas && canvas.width > 0 && places.every((place) => showsVoxels(canvas, place, place));
    if (isThere) notes.firstSlice = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** The notes of {@link probe}. */
function notesOf(tab: Page): Promise<{ tasks: number[]; firstSlice: number; steps: number[] }> {
  return tab.evaluate('({ ...notes })');
}

const processMemory = (pid: number): number => {
  const [, kilobytes] = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
  return Number(kilobytes ?? 0) * 1024;
};

/** Renderer and GPU process: their memory now, and the seconds of processor time they have had. */
async function usageOf(processes: CDPSession): Promise<Memory & { readonly cpu: number }> {
  const { processInfo } = await processes.send('SystemInfo.getProcessInfo');
  // Chromium keeps a second renderer in reserve, which shows nothing.
  const largest = (type: string, measure: (one: (typeof processInfo)[number]) => number) =>
    Math.max(...processInfo.filter((one) => one.type === type).map(measure));
  const memory = (type: string) => largest(type, ({ id }) => processMemory(id));
  const cpu = (type: string) => largest(type, ({ cpuTime }) => cpuTime);
  return { renderer: memory('renderer'), gpu: memory('GPU'), cpu: cpu('renderer') + cpu('GPU') };
}

const total = ({ renderer, gpu }: Memory): number => renderer + gpu;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until all voxels are read. @returns The time of the page, and the largest memory until then. */
async function fullLevel(tab: Page, processes: CDPSession): Promise<{ readonly at: number; readonly peak: Memory }> {
  let peak: Memory = { renderer: 0, gpu: 0 };
  for (const end = performance.now() + 120_000; performance.now() < end; await pause(250)) {
    const memory = await usageOf(processes);
    if (total(memory) > total(peak)) peak = memory;
    const at = await tab.evaluate<number>(
      `notes.firstSlice > 0 && document.querySelector('.work').hidden ? performance.now() : 0`,
    );
    if (at > 0) return { at, peak };
  }
  throw new Error('the page has not read all voxels within two minutes');
}

/** Turns the wheel over a slice, a plane of voxels at a time, there and back. */
async function turnWheel(tab: Page, plane: string): Promise<number[]> {
  const before = (await notesOf(tab)).steps.length;
  await tab.hover(`.slice-${plane} canvas`);
  for (let step = 0; step < STEPS; step++) {
    await tab.mouse.wheel(0, step < STEPS / 2 ? 50 : -50);
    await tab.waitForTimeout(20);
  }
  return (await notesOf(tab)).steps.slice(before);
}

/** Starts a detection, and turns the wheel over all planes once its tiles are under way. */
async function turnWhileDetecting(tab: Page): Promise<NonNullable<Visit['detecting']>> {
  await tab.keyboard.press('d');
  await tab.locator('dialog[open]').getByRole('button', { name: 'Detect' }).click();
  await tab.locator('.work', { hasText: /Detecting.*[1-9]/ }).waitFor({ timeout: 120_000 });
  const before = (await notesOf(tab)).tasks.length;
  const steps = [...(await turnWheel(tab, 'xy')), ...(await turnWheel(tab, 'xz')), ...(await turnWheel(tab, 'zy'))];
  if (await tab.locator('.work').isHidden()) throw new Error('the detection had ended before the wheel had');
  return { steps, tasks: (await notesOf(tab)).tasks.slice(before) };
}

/** Opens one run after the other, each until its voxels are read. @returns The memory after each tenth, without garbage. */
async function openRuns(tab: Page, processes: CDPSession, count: number): Promise<Memory[]> {
  const found: Memory[] = [];
  const collector = await tab.context().newCDPSession(tab);
  for (let i = 1; i <= count; i++) {
    await tab.getByRole('button', { name: i % 2 === 1 ? 'Next run' : 'Previous run' }).click();
    await tab.locator('.work').waitFor({ state: 'visible' });
    await fullLevel(tab, processes);
    if (i % 10 !== 0) continue;
    await collector.send('HeapProfiler.collectGarbage');
    found.push(await settledMemory(processes));
  }
  return found;
}

async function settledMemory(processes: CDPSession): Promise<Memory> {
  await pause(3000);
  const { renderer, gpu } = await usageOf(processes);
  return { renderer, gpu };
}

const bytesWritten = ({ pid }: ChildProcess): number =>
  Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0);

async function visit(
  browser: Browser,
  path: string,
  { reopen, detect }: { readonly reopen: number; readonly detect: boolean },
): Promise<Visit> {
  const [load] = loadavg();
  const processes = await browser.newBrowserCDPSession();
  const { address, child } = await startView(path);
  try {
    const tab = await browser.newPage({ viewport: { width: 1280, height: 720 } });
    tab.on('pageerror', (error) => console.error(error));
    // Tsx names functions by a helper that the page does not have.
    await tab.addInitScript('globalThis.__name = (value) => value');
    await tab.addInitScript(probe);
    const [written, before] = [bytesWritten(child), await usageOf(processes)];
    await tab.goto(address);
    const { at, peak } = await fullLevel(tab, processes);
    const cpu = (await usageOf(processes)).cpu - before.cpu;
    const bytes = bytesWritten(child) - written;
    const { firstSlice, tasks: loadTasks } = await notesOf(tab);
    await pause(1000);
    const steps = { xy: await turnWheel(tab, 'xy'), xz: await turnWheel(tab, 'xz'), zy: await turnWheel(tab, 'zy') };
    const { tasks } = await notesOf(tab);
    const found: Visit = {
      load: load!,
      firstSlice,
      fullLevel: at,
      steps,
      loadTasks,
      stepTasks: tasks.slice(loadTasks.length),
      peakMemory: peak,
      memory: await settledMemory(processes),
      cpu,
      bytes,
    };
    return {
      ...found,
      ...(detect && { detecting: await turnWhileDetecting(tab) }),
      ...(reopen > 0 && { reopened: await openRuns(tab, processes, reopen) }),
    };
  } finally {
    child.kill('SIGINT');
    await once(child, 'exit');
  }
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
const shown = (memory: Memory) =>
  `${megabytes(total(memory))} (${megabytes(memory.renderer)} renderer, ${megabytes(memory.gpu)} GPU process)`;

function print(visits: readonly Visit[]): void {
  const middle = (of: (visit: Visit) => number) => median(visits.map(of));
  const row = (name: string, text: string) => console.log(name.padEnd(34), text);
  row('load before', visits.map(({ load }) => load.toFixed(1)).join(', '));
  row('first slice', `${(middle(({ firstSlice }) => firstSlice) / 1000).toFixed(2)} s`);
  row('all voxels', `${(middle((one) => one.fullLevel) / 1000).toFixed(2)} s`);
  row('processor time until then', `${middle(({ cpu }) => cpu).toFixed(2)} s`);
  row('sent until then', megabytes(middle(({ bytes }) => bytes)));
  const rowOfSteps = (name: string, steps: readonly number[]) => {
    const sorted = steps.toSorted((a, b) => a - b);
    const [p50, p95, most] = [0.5, 0.95, 1].map((p) => sorted[Math.ceil(p * sorted.length) - 1]?.toFixed(0));
    row(name, `median ${p50}, 95 % below ${p95}, maximum ${most} ms (${sorted.length} steps)`);
  };
  for (const plane of PLANES)
    rowOfSteps(
      `next slice of ${plane}`,
      visits.flatMap(({ steps }) => steps[plane]),
    );
  const detecting = visits.flatMap((one) => one.detecting ?? []);
  if (detecting.length > 0)
    rowOfSteps(
      'next slice during detection',
      detecting.flatMap(({ steps }) => steps),
    );
  for (const [name, of] of [
    ['while it loads', (visit: Visit) => visit.loadTasks],
    ['while the wheel turns', (visit: Visit) => visit.stepTasks],
    ['during detection', (visit: Visit) => visit.detecting?.tasks ?? []],
  ] as const) {
    const tasks = visits.flatMap(of).sort((a, b) => b - a);
    row(`tasks above 50 ms ${name}`, tasks.map((duration) => duration.toFixed(0)).join(', ') || 'none');
  }
  const largest = visits.toSorted((a, b) => total(b.memory) - total(a.memory))[0]!;
  row('memory while viewing', shown(largest.memory));
  row(
    'largest while it loads',
    shown(visits.toSorted((a, b) => total(b.peakMemory) - total(a.peakMemory))[0]!.peakMemory),
  );
  for (const [i, memory] of (visits[0]?.reopened ?? []).entries())
    row(`after ${10 * (i + 1)} other runs`, shown(memory));
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    reopen: { type: 'string', default: '0' },
    data: { type: 'string', default: join(checkout, 'bench/data/page') },
    open: { type: 'string' },
    large: { type: 'boolean', default: false },
    detect: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
if (chromiumPath === undefined) throw new Error('Chromium is not installed; CHROMIUM_PATH names one elsewhere');
const path = values.open ?? (values.large ? await largeVolume(values.data) : simulatedProject(values.data, cli));
const visits: Visit[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    visits.push(await visit(browser, path, { reopen: round === 0 ? Number(values.reopen) : 0, detect: values.detect }));
  } finally {
    await browser.close();
  }
}
print(visits);
if (values.json) writeFileSync(values.json, `${JSON.stringify(visits, null, 2)}\n`);
