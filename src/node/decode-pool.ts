import { availableParallelism } from 'node:os';
import type { DecodePool, DecodeWorkersOptions } from '../ome-zarr/decode-task.ts';
import { movedWith, PendingReplies, TASKS_PER_THREAD } from '../ome-zarr/decode-task.ts';
import { threadPool } from './thread-pool.ts';

/**
 * Starts threads of Node that decode chunks. They keep the process alive only while they work.
 *
 * @returns `undefined` in a thread, in a program into which this code was bundled, and in Deno.
 */
export async function openDecodePool({ count }: DecodeWorkersOptions): Promise<DecodePool | undefined> {
  const pool = threadPool({
    script: 'node-decode-worker.js',
    maxThreads: count ?? defaultDecodeThreads(),
    tasksPerThread: TASKS_PER_THREAD,
    movedWith,
    replies: new PendingReplies(),
  });
  return pool && { decode: pool.answer };
}

/** Default number of threads that decode chunks. */
export function defaultDecodeThreads(): number {
  return Math.min(4, availableParallelism());
}
