import { startScript } from '../script-process.ts';
import type { Message } from './mutants.ts';

/** An input on which a parser failed, or took too much. */
export interface Failure {
  readonly parser: string;
  readonly index: number;
  readonly reason: string;
}

/** What became of the mutants of one parser. */
export interface FuzzReport {
  readonly parser: string;
  readonly count: number;
  /** How many gave a value, or an error, by code. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** The slowest mutant, in ms. */
  readonly slowest: number;
  /** The most memory that one took, in MiB. */
  readonly largest: number;
  readonly failures: readonly Failure[];
}

/** What to fuzz. */
export interface FuzzOptions {
  readonly parser: string;
  readonly seed: number;
  /** Index of the first mutant. */
  readonly first: number;
  readonly count: number;
  /** The process that runs the mutants. @defaultValue that of the library's parsers */
  readonly script?: URL;
  /** After so long without a word, in ms, a process hangs; slower ones are told by themselves. @defaultValue 10,000 */
  readonly patience?: number;
}

const child = new URL('./child.ts', import.meta.url);

/**
 * Runs mutants of a parser in a process with little memory, which is watched: where it hangs or dies, the mutant is noted and
 * another process goes on behind it. What took too long or too much is tried once more by itself, before it counts.
 */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { parser, seed, first, count, script = child, patience = 10_000 } = options;
  const run = { parser, seed, script, patience };
  const started = performance.now();
  const end = first + count;
  const outcomes: Record<string, number> = {};
  const failures: Failure[] = [];
  const suspects: number[] = [];
  const most = { slowest: 0, largest: 0 };
  for (let next = first; next < end; ) {
    const part = await runChild({ ...run, first: next, end });
    if (part.last < 0) throw new Error(`${parser} cannot start: ${part.died}`);
    for (const { failed, reason, kind } of part.failed) {
      if (kind === 'error') failures.push({ parser, index: failed, reason });
      else suspects.push(failed);
    }
    for (const [code, n] of Object.entries(part.done?.done ?? {})) outcomes[code] = (outcomes[code] ?? 0) + n;
    most.slowest = Math.max(most.slowest, part.done?.slowest ?? 0);
    most.largest = Math.max(most.largest, part.done?.largest ?? 0);
    if (part.died !== undefined) suspects.push(part.last);
    next = part.died === undefined ? end : part.last + 1;
  }
  for (const index of suspects) {
    const { died, failed } = await runChild({ ...run, first: index, end: index + 1 });
    const reasons = [...failed.map(({ reason }) => reason), ...(died === undefined ? [] : [died])];
    if (reasons.length > 0) failures.push({ parser, index, reason: reasons.join('; ') });
  }
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  const rounded = { slowest: Math.round(most.slowest), largest: Math.round(most.largest / 2 ** 20) };
  return { parser, count, outcomes, seconds, ...rounded, failures };
}

interface Part {
  readonly failed: readonly Extract<Message, { failed: number }>[];
  readonly done: Extract<Message, { done: object }> | undefined;
  /** The last mutant that was begun. */
  readonly last: number;
  /** How the process ended, if not by itself. */
  readonly died: string | undefined;
}

interface ChildOptions {
  readonly parser: string;
  readonly seed: number;
  readonly first: number;
  readonly end: number;
  readonly script: URL;
  readonly patience: number;
}

async function runChild({ parser, seed, first, end, script, patience }: ChildOptions): Promise<Part> {
  const child = await startScript(script, [parser, String(seed), String(first), String(end)], {
    node: ['--expose-gc', '--max-old-space-size=256'],
    stdio: ['ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr!.on('data', (text) => {
    stderr = (stderr + text).slice(-2000);
  });
  const failed: Extract<Message, { failed: number }>[] = [];
  let done: Part['done'];
  let last = -1;
  let hangs = false;
  const bark = () => {
    hangs = true;
    child.kill('SIGKILL');
  };
  // Starting takes longer.
  let watchdog = setTimeout(bark, 60_000);
  child.on('message', (message: Message) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(bark, patience);
    if ('start' in message) last = message.start;
    else if ('failed' in message) failed.push(message);
    else done = message;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(watchdog);
      const how = hangs ? `hung for ${patience} ms` : `died with ${signal ?? code}: ${stderr}`;
      resolve({ failed, done, last, died: done ? undefined : how });
    });
  });
}
