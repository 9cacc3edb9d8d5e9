import { type Remote, wrap } from 'comlink';
import type { ChunkReply, ChunkTask } from './ome-zarr/chunk-task.ts';
import type { DecodePool, DecodeWorkersOptions } from './ome-zarr/decode-pool.ts';
import type { ChunkThread } from './web-decode-worker.ts';

/** How long a thread may take to load its script, in milliseconds. */
const START_MS = 10_000;

/** A worker and what is known of it. */
interface Thread {
  readonly worker: Worker;
  readonly remote: Remote<ChunkThread>;
  /** Rejects when the worker dies. */
  readonly died: Promise<never>;
  tasks: number;
}

/**
 * Web Workers that decode chunks; nothing where the page cannot start them: its bundler left the script behind, or its
 * Content-Security-Policy forbids it.
 */
export async function openDecodePool({ count, script }: DecodeWorkersOptions): Promise<DecodePool | undefined> {
  if (typeof Worker === 'undefined') return undefined;
  const wanted = count ?? Math.min(4, navigator.hardwareConcurrency ?? 2);
  const threads = Array.from({ length: wanted }, () => startThread(script));
  const close = async () => {
    for (const { worker } of threads) worker.terminate();
  };
  try {
    await Promise.all(threads.map(({ remote, died }) => Promise.race([remote.isReady(), died, tooLate()])));
  } catch {
    await close();
    return undefined;
  }
  return { decode: (task) => decodeIn(threads, task), close };
}

function startThread(script: string | URL | undefined): Thread {
  // Written out, so that bundlers see it and bring the script along.
  const worker = script
    ? new Worker(script, { type: 'module' })
    : new Worker(new URL('./decode-worker.js', import.meta.url), { type: 'module' });
  const died = new Promise<never>((_, reject) => {
    worker.addEventListener('error', (event) => reject(new Error(event.message)), { once: true });
  });
  // Whoever waits for the thread sees it; if nobody does, it does not matter.
  died.catch(() => {});
  return { worker, remote: wrap<ChunkThread>(worker), died, tasks: 0 };
}

function tooLate(): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => reject(new Error('too late')), START_MS));
}

async function decodeIn(threads: readonly Thread[], task: ChunkTask): Promise<ChunkReply> {
  const thread = threads.reduce((a, b) => (b.tasks < a.tasks ? b : a));
  thread.tasks++;
  try {
    return (await Promise.race([thread.remote.answer(task), thread.died])) as ChunkReply;
  } catch {
    // The thread is gone; the bytes are still here.
    return 'refused';
  } finally {
    thread.tasks--;
  }
}
