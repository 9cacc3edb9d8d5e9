/** One timed piece of work: the median of several runs, in seconds, and all of them. */
export interface Timing {
  readonly name: string;
  readonly seconds: number;
  readonly runs: readonly number[];
  /** What came out, as a check that both sides did the same. */
  readonly result?: unknown;
}

/** Times work after one run to warm up, and prints it as a line of JSON for `bench/run.ts`. */
export async function measure(
  name: string,
  work: () => unknown,
  { runs = 3 }: { readonly runs?: number } = {},
): Promise<void> {
  let result = await work();
  const seconds: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    result = await work();
    seconds.push((performance.now() - start) / 1000);
  }
  const timing: Timing = { name, seconds: median(seconds), runs: seconds, result };
  process.stdout.write(`${JSON.stringify(timing)}\n`);
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
