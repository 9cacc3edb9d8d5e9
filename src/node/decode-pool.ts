import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import Tinypool from 'tinypool';
import type { DecodePool, DecodeWorkersOptions } from '../ome-zarr/decode-task.ts';
import { movedWith, PendingReplies, TASKS_PER_THREAD } from '../ome-zarr/decode-task.ts';

/** How long a thread waits for work before it ends, in milliseconds. */
const IDLE_MS = 5000;

/** Threads of Node that decode chunks; they keep the process alive only while they work. */
export async function openDecodePool({ count }: DecodeWorkersOptions): Promise<DecodePool | undefined> {
  const script = fileURLToPath(new URL('./node-decode-worker.js', import.meta.url));
  // There is no built script where the sources run as they are, or were bundled into another program.
  if (!isMainThread || !existsSync(script)) return undefined;
  const maxThreads = count ?? defaultDecodeThreads();
  const pool = new Tinypool({
    filename: script,
    minThreads: 0,
    maxThreads,
    idleTimeout: IDLE_MS,
    concurrentTasksPerWorker: TASKS_PER_THREAD,
    // Inherited, it would forbid to run a file.
    ...(process.execArgv.some((option) => option.startsWith('--input-type')) && { execArgv: [] }),
  });
  const answers = new PendingReplies();
  // A thread that dies without work, as one does that cannot start, would end the process if nobody listened.
  pool.on('error', () => answers.rejectAll());
  const watched = new WeakSet<object>();
  // The pool waits for ever for one that exits without an error, and gives it the next chunk.
  const watch = () => {
    for (const thread of pool.threads.filter((each) => !watched.has(each))) {
      watched.add(thread);
      // One that the pool has ended itself is no longer among its threads.
      thread.on('exit', () => pool.threads.includes(thread) && answers.rejectAll());
    }
  };
  return {
    decode: (task) =>
      answers.ask(() => {
        const reply = pool.run(task, { name: 'answer', transferList: movedWith(task) });
        watch();
        return reply;
      }),
  };
}

/** How many threads decode chunks, where nobody says otherwise. */
export function defaultDecodeThreads(): number {
  return Math.min(4, availableParallelism());
}
