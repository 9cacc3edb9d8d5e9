import { monitorEventLoopDelay } from 'node:perf_hooks';

/** One timed piece of work: all runs in seconds, and their median. */
export interface Timing {
  readonly name: string;
  readonly seconds: number;
  readonly runs: readonly number[];
  /** Seconds of processor time of a run, user and system, of all threads. */
  readonly cpu: number;
  /** Peak resident memory of the process in bytes, from its start to the end of this work. */
  readonly memory: number;
  /** Peak memory in bytes that a plan predicted; absent without a plan. */
  readonly predicted?: number | undefined;
  /** The event loop's longest stall in milliseconds, and how many were longer than {@link STALL}, after the warm-up. */
  readonly stall?: { readonly longest: number; readonly above: number } | undefined;
  /** The result, to check that both sides computed the same. */
  readonly result?: unknown;
}

/** Options of {@link measure}. */
export interface MeasureOptions {
  /** @defaultValue 3 */
  readonly runs?: number | undefined;
  /** Runs once before the clock starts. @defaultValue the work itself */
  readonly warmUp?: (() => unknown) | undefined;
}

/** The shortest stall of the event loop that a person notices, in milliseconds. */
export const STALL = 50;

/** Times work after one run to warm up, and prints it as a line of JSON for `bench/run.ts`. */
export async function measure(
  name: string,
  work: () => unknown,
  { runs = 3, warmUp = work }: MeasureOptions = {},
): Promise<void> {
  await warmUp();
  const seconds: number[] = [];
  let result: unknown;
  const endStalls = await watchStalls();
  const { user, system } = process.cpuUsage();
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    result = await work();
    seconds.push((performance.now() - start) / 1000);
  }
  const used = process.cpuUsage({ user, system });
  const stall = await endStalls();
  print({
    name,
    seconds: median(seconds),
    runs: seconds,
    cpu: (used.user + used.system) / 1e6 / runs,
    memory: peakMemory(),
    stall,
    result,
  });
}

/** Prints a timing as a line of JSON for `bench/run.ts`. */
export function print(timing: Timing): void {
  process.stdout.write(`${JSON.stringify(timing)}\n`);
}

/** Peak resident memory of this process in bytes. */
export function peakMemory(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** Watches the event loop; the returned function stops watching and returns the stalls. */
async function watchStalls(): Promise<() => Promise<NonNullable<Timing['stall']>>> {
  // Measures the time between two ticks, which is up to 5 ms longer than the stall between them.
  const delay = monitorEventLoopDelay({ resolution: 5 });
  let longest = 0;
  let above = 0;
  const look = () => {
    longest = Math.max(longest, delay.max / 1e6);
    if (delay.max / 1e6 > STALL) above++;
    delay.reset();
  };
  delay.enable();
  // Shorter than a stall that counts, so that no interval contains two of them.
  const timer = setInterval(look, STALL / 4);
  // The monitor needs one tick before it measures.
  await pause(STALL);
  return async () => {
    await pause(STALL);
    clearInterval(timer);
    delay.disable();
    return { longest, above };
  };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
