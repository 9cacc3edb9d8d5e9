import { type Remote, transfer, wrap } from 'comlink';
import type { DecodePool, DecodeWorkersOptions } from '../ome-zarr/decode-task.ts';
import { type ChunkReply, type ChunkTask, movedWith, PendingReplies } from '../ome-zarr/decode-task.ts';
import type { ChunkThread } from './decode-worker.ts';

/**
 * Seconds after which a thread that owes a reply is considered dead, since no event reports a worker that closed itself. They are
 * counted one by one, so that threads survive when the machine sleeps.
 */
const PATIENCE_S = 10;

/** A worker, and the number of replies it owes. */
interface Thread {
  readonly worker: Worker;
  readonly remote: Remote<ChunkThread>;
  readonly answers: PendingReplies;
  owed: number;
  /** Seconds since its last reply while it owes one, and the timer that counts them. */
  silent: number;
  clock?: ReturnType<typeof setInterval>;
}

/**
 * Starts Web Workers that decode chunks. Returns `undefined` if the page cannot start them, because its bundler did not include the
 * script or its Content-Security-Policy forbids it.
 */
export async function openDecodePool({ count, script }: DecodeWorkersOptions): Promise<DecodePool | undefined> {
  if (typeof Worker === 'undefined') return undefined;
  const threads = new Set<Thread>();
  const end = (thread: Thread) => {
    threads.delete(thread);
    clearInterval(thread.clock);
    thread.answers.rejectAll();
    thread.worker.terminate();
  };
  for (let i = 0; i < (count ?? Math.min(4, navigator.hardwareConcurrency ?? 2)); i++)
    threads.add(startThread(script, end));
  await Promise.all([...threads].map((thread) => ask(thread, () => thread.remote.ping(), end)));
  if (threads.size === 0) return undefined;
  return { decode: (task) => decodeIn(threads, task, end) };
}

function startThread(script: string | URL | undefined, end: (thread: Thread) => void): Thread {
  // Written out in this form so that bundlers find the script and include it.
  const worker = script
    ? new Worker(script, { type: 'module' })
    : new Worker(new URL('./decode-worker.js', import.meta.url), { type: 'module' });
  const thread: Thread = {
    worker,
    remote: wrap<ChunkThread>(worker),
    answers: new PendingReplies(),
    owed: 0,
    silent: 0,
  };
  for (const event of ['error', 'messageerror']) worker.addEventListener(event, () => end(thread));
  return thread;
}

/** Sends a request to a thread, and ends the thread if it stops replying. */
async function ask(
  thread: Thread,
  question: () => Promise<ChunkReply>,
  end: (thread: Thread) => void,
): Promise<ChunkReply | 'gone'> {
  if (thread.owed++ === 0) {
    thread.silent = 0;
    thread.clock = setInterval(() => ++thread.silent >= PATIENCE_S && end(thread), 1000);
  }
  const reply = await thread.answers.ask(question);
  thread.silent = 0;
  if (--thread.owed === 0) clearInterval(thread.clock);
  return reply;
}

async function decodeIn(
  threads: ReadonlySet<Thread>,
  task: ChunkTask,
  end: (thread: Thread) => void,
): Promise<ChunkReply | 'gone'> {
  const [first, ...others] = threads;
  // All threads have ended, and the bytes were not moved.
  if (!first) return 'refused';
  const thread = others.reduce((a, b) => (b.owed < a.owed ? b : a), first);
  return ask(thread, () => thread.remote.answer(transfer(task, movedWith(task))) as Promise<ChunkReply>, end);
}
