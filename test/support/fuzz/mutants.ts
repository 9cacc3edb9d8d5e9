/**
 * Runs mutants of a parser in a process of their own; see `harness.ts`.
 */
import { isCryoetPicksError } from '../../../src/entry/index.ts';
import { watchAllocations } from './allocations.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import type { Target } from './targets.ts';

/** What a child says: it starts a mutant, or one has failed, or all are done. */
export type Message =
  | { readonly start: number }
  | { readonly failed: number; readonly reason: string; readonly kind: 'error' | 'slow' | 'memory' }
  | { readonly done: Readonly<Record<string, number>>; readonly slowest: number; readonly largest: number };

const LIMIT_MS = 2000;
const LIMIT_BYTES = 256 * 2 ** 20;

/**
 * Runs mutants of a parser, one after the other, and tells the parent of each before and after. Seed, first index and end
 * are the process's arguments behind the parser's name.
 */
export async function runMutants(target: Target): Promise<never> {
  const [name = '', seed = '', first = '', end = ''] = process.argv.slice(2);
  const corpus = await target.corpus();
  const allocations = watchAllocations();
  const codes: Record<string, number> = {};
  let slowest = 0;
  let largest = 0;
  const say = (message: Message) => process.send!(message);
  let stray: unknown;
  process.on('unhandledRejection', (reason) => {
    stray = reason ?? 'nothing';
  });

  function mutantOf(index: number): { readonly bytes: Uint8Array; readonly item: number } {
    const random = new Random(seed, name, index);
    const item = random.below(corpus.length);
    return { bytes: mutate(corpus[item]!, target.kind, random), item };
  }

  async function outcomeOf({ bytes, item }: ReturnType<typeof mutantOf>): Promise<string | undefined> {
    try {
      await target.run(bytes, item);
      codes.value = (codes.value ?? 0) + 1;
    } catch (error) {
      if (!isCryoetPicksError(error)) return error instanceof Error ? (error.stack ?? String(error)) : String(error);
      codes[error.code] = (codes[error.code] ?? 0) + 1;
    }
    if (Object.keys(Object.prototype).length > 0 || 'polluted' in {} || 'polluted' in [])
      return 'a prototype was changed';
    if (stray === undefined) return undefined;
    const reason = String(stray);
    stray = undefined;
    return `unhandled rejection: ${reason}`;
  }

  // The first calls compile the code, load modules and start kernels.
  for (const [item, bytes] of corpus.entries()) {
    try {
      await target.run(bytes, item);
    } catch (error) {
      if (!isCryoetPicksError(error)) throw error;
    }
  }
  globalThis.gc?.();
  let peak = process.resourceUsage().maxRSS;
  for (let index = Number(first); index < Number(end); index++) {
    say({ start: index });
    const mutant = mutantOf(index);
    peak = process.resourceUsage().maxRSS;
    allocations.reset();
    const started = performance.now();
    const reason = await outcomeOf(mutant);
    const time = performance.now() - started;
    const grown = (process.resourceUsage().maxRSS - peak) * 1024;
    const memory = Math.max(grown, allocations.bytes());
    slowest = Math.max(slowest, time);
    largest = Math.max(largest, memory);
    if (reason !== undefined) say({ failed: index, reason, kind: 'error' });
    if (time > LIMIT_MS) say({ failed: index, reason: `took ${Math.round(time)} ms`, kind: 'slow' });
    if (memory > LIMIT_BYTES)
      say({ failed: index, reason: `took ${Math.round(memory / 2 ** 20)} MiB`, kind: 'memory' });
    if (index % 50 === 0) globalThis.gc?.();
  }
  say({ done: codes, slowest, largest });
  // What waits, such as a worker, must not keep the process.
  process.disconnect();
  process.exit(0);
}
