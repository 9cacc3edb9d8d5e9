import { type Remote, wrap } from 'comlink';
import type { ChunkReply, ChunkTask } from './ome-zarr/chunk-task.ts';
import type { DecodePool, DecodeWorkersOptions } from './ome-zarr/decode-pool.ts';
import { Refusable } from './ome-zarr/refusable.ts';
import type { ChunkThread } from './web-decode-worker.ts';

/** How long a thread may take to load its script, in milliseconds. */
const START_MS = 10_000;

/** A worker, and how many chunks it has been given and not given back. */
interface Thread {
  readonly worker: Worker;
  readonly remote: Remote<ChunkThread>;
  readonly answers: Refusable;
  chunks: number;
}

/**
 * Web Workers that decode chunks; nothing where the page cannot start them: its bundler left the script behind, or its
 * Content-Security-Policy forbids it.
 */
export async function openDecodePool({ count, script }: DecodeWorkersOptions): Promise<DecodePool | undefined> {
  if (typeof Worker === 'undefined') return undefined;
  const threads = new Set<Thread>();
  const end = (thread: Thread) => {
    threads.delete(thread);
    thread.answers.goAway();
    thread.worker.terminate();
  };
  for (let i = 0; i < (count ?? Math.min(4, navigator.hardwareConcurrency ?? 2)); i++)
    threads.add(startThread(script, end));
  await Promise.all([...threads].map((thread) => untilReady(thread, end)));
  if (threads.size === 0) return undefined;
  return {
    decode: (task) => decodeIn(threads, task),
    async close() {
      threads.forEach(end);
    },
  };
}

function startThread(script: string | URL | undefined, end: (thread: Thread) => void): Thread {
  // Written out, so that bundlers see it and bring the script along.
  const worker = script
    ? new Worker(script, { type: 'module' })
    : new Worker(new URL('./decode-worker.js', import.meta.url), { type: 'module' });
  const thread: Thread = { worker, remote: wrap<ChunkThread>(worker), answers: new Refusable(), chunks: 0 };
  for (const event of ['error', 'messageerror']) worker.addEventListener(event, () => end(thread));
  return thread;
}

/** Waits until a thread answers; one that does not is ended. */
async function untilReady(thread: Thread, end: (thread: Thread) => void): Promise<void> {
  const timer = setTimeout(() => end(thread), START_MS);
  await thread.answers.ask(() => thread.remote.ping());
  clearTimeout(timer);
}

async function decodeIn(threads: ReadonlySet<Thread>, task: ChunkTask): Promise<ChunkReply> {
  const [first, ...others] = threads;
  // All are gone; the bytes are still here.
  if (!first) return 'refused';
  const thread = others.reduce((a, b) => (b.chunks < a.chunks ? b : a), first);
  thread.chunks++;
  const reply = await thread.answers.ask(() => thread.remote.answer(task) as Promise<ChunkReply>);
  thread.chunks--;
  return reply;
}
