/**
 * Measures how long the event loop waits while large work is done: reading picks files of about 200 MB, writing a million picks,
 * simulating a tomogram. For each it prints the longest delay of the event loop (`monitorEventLoopDelay`), the longest pause of the garbage
 * collector, and the largest CPU time of the process between two turns, which a busy machine does not lengthen; milliseconds.
 *
 *     npm run pauses -- [--megabytes 200] [--picks 1000000] [--only read-json]
 */
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { newConfig, projectFromStores, type Run } from '../src/entry/copick.ts';
import { csvFormat, ndjsonFormat, parsePicks, relion5Format } from '../src/entry/formats.ts';
import { memoryStore, type ParticlePick } from '../src/entry/index.ts';
import { simulateTomogram } from '../src/entry/simulate.ts';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '200' },
    picks: { type: 'string', default: '1000000' },
    only: { type: 'string' },
  },
});
const bytes = Number(values.megabytes) * 1e6;

/** Different numbers with many digits, as files have them. */
const place = (i: number, step: number) => ((i * step) % 630_000) / 97;
const pickAt = (i: number): ParticlePick => ({
  object: 'ribosome',
  position: { x: place(i, 7919), y: place(i, 104_729), z: place(i, 1_299_709) },
  score: (i % 1000) / 1000,
});

/** Lines up to the wanted size, after a header. */
function linesOf(header: string, line: (i: number) => string): string {
  const lines = [header];
  for (let i = 0, length = header.length; length < bytes; i++) {
    const next = line(i);
    length += next.length + 1;
    lines.push(next);
  }
  return `${lines.join('\n')}\n`;
}

const xyz = (i: number) => {
  const { x, y, z } = pickAt(i).position;
  return { x, y, z };
};
const texts: Readonly<Record<string, () => string>> = {
  csv: () =>
    linesOf('run_name,object_name,x,y,z,score', (i) => {
      const { x, y, z } = xyz(i);
      return `TS_1,ribosome,${x},${y},${z},${pickAt(i).score}`;
    }),
  star: () =>
    linesOf(
      'data_particles\n\nloop_\n_rlnTomoName #1\n_rlnCenteredCoordinateXAngst #2\n_rlnCenteredCoordinateYAngst #3\n_rlnCenteredCoordinateZAngst #4',
      (i) => {
        const { x, y, z } = xyz(i);
        return `TS_1 ${x} ${y} ${z}`;
      },
    ),
  ndjson: () => linesOf('', (i) => JSON.stringify({ type: 'point', location: xyz(i) })).trimStart(),
};

async function newRun(): Promise<Run> {
  const config = newConfig({ overlayRoot: 'overlay', objects: [{ name: 'ribosome' }] });
  return projectFromStores({ config, overlay: memoryStore() }).createRun('TS_1');
}
const author = { userId: 'me', sessionId: '1' };

/** Each prepares its input and returns the work. */
const jobs: Readonly<Record<string, () => Promise<() => unknown>>> = {
  'read-json': async () => {
    const run = await newRun();
    // A point of copick takes some 300 bytes.
    const picks = Array.from({ length: Math.ceil(bytes / 300) }, (_, i) => pickAt(i));
    await run.writePicks(picks, author);
    return () => run.picks();
  },
  'write-picks': async () => {
    const run = await newRun();
    const picks = Array.from({ length: Number(values.picks) }, (_, i) => pickAt(i));
    return () => run.writePicks(picks, author);
  },
  'read-csv': async () => {
    const text = texts.csv!();
    return () => parsePicks(text, { format: csvFormat() });
  },
  'read-star': async () => {
    const text = texts.star!();
    const format = relion5Format({ object: 'ribosome', shape: [184, 630, 630], voxelSize: 10 });
    return () => parsePicks(text, { format });
  },
  'read-ndjson': async () => {
    const text = texts.ndjson!();
    return () => parsePicks(text, { format: ndjsonFormat({ run: 'TS_1', object: 'ribosome', voxelSize: 10 }) });
  },
  simulate: async () => () => simulateTomogram({ seed: 1 }),
};

interface Pauses {
  readonly job: string;
  readonly seconds: string;
  readonly delay: string;
  readonly collector: string;
  readonly turn: string;
}

async function measure(job: string, work: () => unknown): Promise<Pauses> {
  let collector = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collector = Math.max(collector, duration);
  });
  observer.observe({ entryTypes: ['gc'] });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let turn = 0;
  let running = true;
  let last = process.cpuUsage();
  const next = () => {
    const { user, system } = process.cpuUsage(last);
    last = process.cpuUsage();
    turn = Math.max(turn, (user + system) / 1000);
    if (running) setImmediate(next);
  };
  delay.enable();
  setImmediate(next);
  await new Promise((resolve) => setTimeout(resolve, 50));
  delay.reset();
  // The first delay after a reset is not counted.
  await new Promise((resolve) => setTimeout(resolve, 50));
  turn = 0;
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  // What blocked to the end shows in the turns after.
  await new Promise((resolve) => setTimeout(resolve, 100));
  running = false;
  delay.disable();
  observer.disconnect();
  const shown = (milliseconds: number) => milliseconds.toFixed(0);
  return {
    job,
    seconds: seconds.toFixed(1),
    delay: shown(delay.max / 1e6),
    collector: shown(collector),
    turn: shown(turn),
  };
}

const rows: Pauses[] = [];
for (const [job, prepare] of Object.entries(jobs)) {
  if (values.only !== undefined && values.only !== job) continue;
  rows.push(await measure(job, await prepare()));
}
console.table(rows);
