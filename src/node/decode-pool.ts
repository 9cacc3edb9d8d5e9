import { availableParallelism } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import Tinypool from 'tinypool';
import type { DecodePool, DecodeWorkersOptions } from '../ome-zarr/decode-task.ts';
import { movedWith, PendingReplies, TASKS_PER_THREAD } from '../ome-zarr/decode-task.ts';
import { packageFile } from './package-file.ts';

/** Idle time after which a thread ends, in milliseconds. */
const IDLE_MS = 5000;

/**
 * Starts threads of Node that decode chunks. They keep the process alive only while they work.
 *
 * @returns `undefined` in a thread, in a program into which this code was bundled, and in Deno.
 */
export async function openDecodePool({ count }: DecodeWorkersOptions): Promise<DecodePool | undefined> {
  // The pool's threads sleep until there is work, and then take it from their port. In Deno a port has nothing while its thread
  // sleeps, so that they slept forever in half of all runs; threads that do not sleep took 12 s to start.
  if (!isMainThread || 'Deno' in globalThis) return undefined;
  // The built script is missing if the sources run unbuilt, or were bundled into another program.
  const script = packageFile('node-decode-worker.js');
  if (script === undefined) return undefined;
  const maxThreads = count ?? defaultDecodeThreads();
  const pool = new Tinypool({
    filename: script,
    minThreads: 0,
    maxThreads,
    idleTimeout: IDLE_MS,
    concurrentTasksPerWorker: TASKS_PER_THREAD,
    // If a thread inherited this option, it could not run a file.
    ...(process.execArgv.some((option) => option.startsWith('--input-type')) && { execArgv: [] }),
  });
  const answers = new PendingReplies();
  // Without a listener, an idle thread that dies, or one that cannot start, would end the process.
  pool.on('error', () => answers.rejectAll());
  const watched = new WeakSet<object>();
  // The pool does not notice a thread that exits without an error: it waits forever and sends it the next chunk.
  const watch = () => {
    for (const thread of pool.threads.filter((each) => !watched.has(each))) {
      watched.add(thread);
      // A thread that the pool itself has ended is no longer in its list.
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

/** Default number of threads that decode chunks. */
export function defaultDecodeThreads(): number {
  return Math.min(4, availableParallelism());
}
