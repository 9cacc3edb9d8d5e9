import { monitorEventLoopDelay } from 'node:perf_hooks';

/** One timed piece of work: the median of several runs, in seconds, and all of them. */
export interface Timing {
  readonly name: string;
  readonly seconds: number;
  readonly runs: readonly number[];
  /** Seconds of processor time of a run, user and system, of all threads. */
  readonly cpu: number;
  /** Bytes that the process had resident at its peak, up to the end of this work. */
  readonly memory: number;
  /** Bytes that a plan predicted for the peak, where one did. */
  readonly predicted?: number | undefined;
  /** The event loop's longest stall in milliseconds, and how many were longer than {@link STALL}, after the warm-up. */
  readonly stall?: { readonly longest: number; readonly above: number } | undefined;
  /** What came out, as a check that both sides did the same. */
  readonly result?: unknown;
}

/** Options of {@link measure}. */
export interface MeasureOptions {
  /** @defaultValue 3 */
  readonly runs?: number | undefined;
  /** What is done once before the clock starts. @defaultValue the work itself */
  readonly warmUp?: (() => unknown) | undefined;
}

/** A stall of the event loop that a person notices, in milliseconds. */
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

/** Bytes that this process had resident at its peak. */
export function peakMemory(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** Watches the event loop; the result stops it and tells what it saw. */
async function watchStalls(): Promise<() => Promise<NonNullable<Timing['stall']>>> {
  // Measures the gaps between two ticks: a stall, and up to 5 ms more.
  const delay = monitorEventLoopDelay({ resolution: 5 });
  let longest = 0;
  let above = 0;
  const look = () => {
    longest = Math.max(longest, delay.max / 1e6);
    if (delay.max / 1e6 > STALL) above++;
    delay.reset();
  };
  delay.enable();
  // Shorter than a stall that counts, so that no look sees two of them.
  const timer = setInterval(look, STALL / 4);
  // It counts from its first tick on.
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
