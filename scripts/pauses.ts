/**
 * Measures how long the event loop waits while large work is done: reading picks files of about 200 MB, writing a million picks,
 * simulating a tomogram. For each it prints the longest delay of the event loop (`monitorEventLoopDelay`), the longest pause of the garbage
 * collector, and the longest turn without the collector, by wall or CPU time, whichever is less, since a busy machine lengthens the
 * one and other threads the other; milliseconds.
 *
 *     npm run pauses -- [--megabytes 200] [--picks 1000000] [--only read-json]
 */
import { Session } from 'node:inspector/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { newConfig, projectFromStores, type Run } from '../src/entry/copick.ts';
import { cmmFormat, decodePicks, encodePicks, picksFormat, picksFormatNames } from '../src/entry/formats.ts';
import { memoryStore, type ParticlePick } from '../src/entry/index.ts';
import { simulateTomogram } from '../src/entry/simulate.ts';
import { lossesOf } from '../src/formats/format.ts';

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
function linesOf(header: string, line: (i: number) => string): Uint8Array {
  const lines = [header];
  for (let i = 0, length = header.length; length < bytes; i++) {
    const next = line(i);
    length += next.length + 1;
    lines.push(next);
  }
  return Buffer.from(`${lines.join('\n')}\n`.trimStart());
}

const xyz = (i: number) => {
  const { x, y, z } = pickAt(i).position;
  return { x, y, z };
};
/** Text of the wanted size in the format of a name, as bytes. */
const files: Readonly<Record<string, () => Uint8Array>> = {
  csv: () =>
    linesOf('run_name,object_name,x,y,z,score', (i) => {
      const { x, y, z } = xyz(i);
      return `TS_1,ribosome,${x},${y},${z},${pickAt(i).score}`;
    }),
  submission: () =>
    linesOf('id,experiment,particle_type,x,y,z', (i) => {
      const { x, y, z } = xyz(i);
      return `${i},TS_1,ribosome,${x},${y},${z}`;
    }),
  relion5: () =>
    linesOf(
      'data_particles\n\nloop_\n_rlnTomoName #1\n_rlnCenteredCoordinateXAngst #2\n_rlnCenteredCoordinateYAngst #3\n_rlnCenteredCoordinateZAngst #4',
      (i) => {
        const { x, y, z } = xyz(i);
        return `TS_1 ${x} ${y} ${z}`;
      },
    ),
  relion4: () =>
    linesOf(
      'data_particles\n\nloop_\n_rlnTomoName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n_rlnCoordinateZ #4\n_rlnAngleRot #5\n_rlnAngleTilt #6\n_rlnAnglePsi #7',
      (i) => {
        const { x, y, z } = xyz(i);
        return `TS_1 ${x} ${y} ${z} ${i % 360} ${i % 180} ${i % 90}`;
      },
    ),
  dynamo: () =>
    linesOf('', (i) => {
      const { x, y, z } = xyz(i);
      return `${i} 1 1 0 0 0 10 20 30 0.5 0 0 0 0 0 0 0 0 0 1 0 1 0 ${x} ${y} ${z}`;
    }),
  points: () =>
    linesOf('x y z', (i) => {
      const { x, y, z } = xyz(i);
      return `${x} ${y} ${z}`;
    }),
  ndjson: () => linesOf('', (i) => JSON.stringify({ type: 'point', location: xyz(i) })),
};

/** Options that suit the format of any of these files. */
const options = { object: 'ribosome', run: 'TS_1', shape: [184, 630, 630], voxelSize: 10 } as const;

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
  losses: async () => {
    const transform = [
      [0, 1, 0, 0],
      [-1, 0, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ];
    const picks = Array.from({ length: Number(values.picks) }, (_, i) => ({ ...pickAt(i), transform }));
    return () => lossesOf([{ run: 'TS_1', picks }], { format: cmmFormat() });
  },
  ...Object.fromEntries(
    Object.entries(files).map(([name, file]) => [
      `read-${name}`,
      async () => {
        const bytes = file();
        return () => decodePicks(bytes, { format: picksFormat(name, options) });
      },
    ]),
  ),
  ...Object.fromEntries(
    picksFormatNames.map((name) => [
      `write-${name}`,
      async () => {
        const picks = Array.from({ length: Number(values.picks) }, (_, i) => pickAt(i));
        return () =>
          encodePicks([{ run: 'TS_1', picks }], { format: picksFormat(name, { ...options, runs: { 1: 'TS_1' } }) });
      },
    ]),
  ),
  simulate: async () => () => simulateTomogram({ seed: 1 }),
};

interface Pauses {
  readonly job: string;
  readonly seconds: string;
  /** CPU seconds of the process. */
  readonly cpu: string;
  readonly delay: string;
  readonly collector: string;
  readonly turn: string;
}

/** From one turn of the event loop to the next: times in milliseconds, CPU time of all threads. */
interface Turn {
  readonly start: number;
  readonly end: number;
  readonly cpu: number;
}

/** A stretch of time, in milliseconds. */
interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** The milliseconds of a turn outside the collector; a machine that does other work meanwhile counts by the CPU time. */
function ownTime({ start, end, cpu }: Turn, collected: readonly Stretch[]): number {
  const within = collected.map((one) => Math.max(0, Math.min(end, one.end) - Math.max(start, one.start)));
  return Math.min(cpu, end - start - within.reduce((sum, duration) => sum + duration, 0));
}

/**
 * When the collector ran, as the profiler of V8 samples it each millisecond: the performance entries of Node leave out the steps of
 * incremental marking, which may take 100 ms.
 */
async function watchCollector(): Promise<() => Promise<Stretch[]>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 1000 });
  await session.post('Profiler.start');
  return async () => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame.functionName]));
    // The profiler's clock is that of `hrtime`, in microseconds.
    const offset = performance.now() - Number(process.hrtime.bigint()) / 1e6;
    const stretches: Stretch[] = [];
    let time = profile.startTime / 1000 + offset;
    const { samples = [], timeDeltas = [] } = profile;
    for (const [i, sample] of samples.entries()) {
      time += timeDeltas[i]! / 1000;
      // A sample holds until the next one.
      const end = time + (timeDeltas[i + 1] ?? 0) / 1000;
      if (names.get(sample) !== '(garbage collector)') continue;
      if (stretches.at(-1)?.end === time) stretches.splice(-1, 1, { start: stretches.at(-1)!.start, end });
      else stretches.push({ start: time, end });
    }
    return stretches;
  };
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function measure(job: string, work: () => unknown): Promise<Pauses> {
  const collectorTimes = await watchCollector();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const turns: Turn[] = [];
  let running = true;
  let last = { time: performance.now(), cpu: process.cpuUsage() };
  const next = () => {
    const now = { time: performance.now(), cpu: process.cpuUsage() };
    const cpu = (now.cpu.user - last.cpu.user + now.cpu.system - last.cpu.system) / 1000;
    if (now.time - last.time > 10) turns.push({ start: last.time, end: now.time, cpu });
    last = now;
    if (running) setImmediate(next);
  };
  // What was prepared is of no generation that the collector looks at often.
  collect();
  collect();
  delay.enable();
  setImmediate(next);
  await new Promise((resolve) => setTimeout(resolve, 50));
  delay.reset();
  // The first delay after a reset is not counted.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const started = performance.now();
  const before = process.cpuUsage();
  await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  // What blocked to the end shows in the turns after.
  await new Promise((resolve) => setTimeout(resolve, 100));
  running = false;
  delay.disable();
  const collected = await collectorTimes();
  const shown = (milliseconds: number) => milliseconds.toFixed(0);
  return {
    job,
    seconds: seconds.toFixed(1),
    cpu: ((user + system) / 1e6).toFixed(1),
    delay: shown(delay.max / 1e6),
    collector: shown(Math.max(0, ...collected.map(({ start, end }) => end - start))),
    turn: shown(Math.max(0, ...turns.filter(({ end }) => end > started).map((turn) => ownTime(turn, collected)))),
  };
}

const rows: Pauses[] = [];
for (const [job, prepare] of Object.entries(jobs)) {
  if (values.only !== undefined && values.only !== job) continue;
  rows.push(await measure(job, await prepare()));
}
console.table(rows);
