import { startScript } from '../script-process.ts';
import type { Ending } from './cases.ts';

/** A call that ended, and how. */
export interface EndedCall extends Ending {
  readonly subject: string;
  /** What was wrong; two things of a pair. */
  readonly wrong: readonly string[];
}

/** What the process of the calls says. */
export type Message =
  | { readonly total: number }
  | { readonly start: number; readonly name: string }
  | ({ readonly ended: number } & EndedCall)
  | { readonly done: true };

/** Which calls to make. */
export interface MisuseOptions {
  /** Chooses the share and the pairs. */
  readonly seed: number;
  /** Part of all single mistakes. @defaultValue 1 */
  readonly share?: number;
  /** Number of calls with two mistakes. @defaultValue 0 */
  readonly pairs?: number;
  /** Only this function. */
  readonly only?: string | undefined;
  /** After so long without a word, in ms, a call hangs. @defaultValue 10,000 */
  readonly patience?: number;
}

const child = new URL('./child.ts', import.meta.url);

/** Makes the calls in a process that is watched: where it hangs or dies, that call has failed, and another process goes on behind it. */
export async function misuse(options: MisuseOptions): Promise<EndedCall[]> {
  const ended: EndedCall[] = [];
  for (let next = 0, total = 1; next < total; ) {
    const part = await runChild(options, next, (call) => ended.push(call));
    if (part.total === 0) throw new Error(`the calls cannot start: ${part.died}`);
    if (part.died !== undefined) {
      const [subject = '', ...wrong] = part.name.split(': ');
      ended.push({ subject, wrong: [wrong.join(': ')], kind: 'raw', detail: part.died });
    }
    total = part.total;
    next = part.died === undefined ? total : part.last + 1;
  }
  return ended;
}

interface Part {
  readonly total: number;
  readonly last: number;
  readonly name: string;
  readonly died: string | undefined;
}

async function runChild(
  { seed, share = 1, pairs = 0, only = '', patience = 10_000 }: MisuseOptions,
  first: number,
  onEnded: (call: EndedCall) => void,
): Promise<Part> {
  const args = [seed, share, pairs, first, only].map(String);
  const process = await startScript(child, args, {
    node: ['--max-old-space-size=1024'],
    stdio: ['ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  process.stderr!.on('data', (text) => {
    stderr = (stderr + text).slice(-2000);
  });
  const part = { total: 0, last: first - 1, name: '' };
  let hangs = false;
  let done = false;
  const bark = () => {
    hangs = true;
    process.kill('SIGKILL');
  };
  // Starting takes longer.
  let watchdog = setTimeout(bark, 90_000);
  process.on('message', (message: Message) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(bark, patience);
    if ('total' in message) part.total = message.total;
    else if ('start' in message) Object.assign(part, { last: message.start, name: message.name });
    else if ('ended' in message) onEnded(message);
    else done = true;
  });
  return new Promise((resolve, reject) => {
    process.once('error', reject);
    process.once('close', (code, signal) => {
      clearTimeout(watchdog);
      const how = hangs ? `hung for ${patience} ms` : `died with ${signal ?? code}: ${stderr}`;
      resolve({ ...part, died: done ? undefined : how });
    });
  });
}
