import { isMainThread } from 'node:worker_threads';
import Tinypool from 'tinypool';
import { packageFile } from './package-file.ts';

/** Idle time after which a thread ends, in milliseconds. */
const IDLE_MS = 5000;

/** Waits for replies, which may never come. */
export interface Replies<Reply, Answer> {
  /** Sends a task, and waits for its reply. */
  ask(send: () => Promise<Reply>): Promise<Answer>;
  /** Called when a thread has died: what it was asked will not be answered. */
  rejectAll(): void;
}

/** Options of {@link threadPool}. */
export interface ThreadPoolOptions<Task, Reply, Answer> {
  /** Name of the built script; it exports `answer`, which takes a task. */
  readonly script: string;
  readonly maxThreads: number;
  /** Tasks that a thread is sent ahead. @defaultValue 1 */
  readonly tasksPerThread?: number | undefined;
  /** The memory of a task that is moved into the thread. @defaultValue none: all is copied */
  readonly movedWith?: ((task: Task) => ArrayBuffer[]) | undefined;
  readonly replies: Replies<Reply, Answer>;
}

/** Threads that answer tasks. */
export interface ThreadPool<Task, Answer> {
  readonly answer: (task: Task) => Promise<Answer>;
}

/**
 * Starts threads of Node when there is work for them. They keep the process alive only while they work, and end after five idle seconds.
 *
 * @returns `undefined` in a thread, in a program into which this code was bundled, and in Deno.
 */
export function threadPool<Task extends object, Reply, Answer>({
  script,
  maxThreads,
  tasksPerThread = 1,
  movedWith,
  replies,
}: ThreadPoolOptions<Task, Reply, Answer>): ThreadPool<Task, Answer> | undefined {
  // The pool's threads sleep until there is work, and then take it from their port. In Deno a port has nothing while its thread
  // sleeps, so that they slept forever in half of all runs; threads that do not sleep took 12 s to start.
  if (!isMainThread || 'Deno' in globalThis) return undefined;
  // The built script is missing if the sources run unbuilt, or were bundled into another program.
  const filename = packageFile(script);
  if (filename === undefined) return undefined;
  const pool = new Tinypool({
    filename,
    minThreads: 0,
    maxThreads,
    idleTimeout: IDLE_MS,
    concurrentTasksPerWorker: tasksPerThread,
    // If a thread inherited this option, it could not run a file.
    ...(process.execArgv.some((option) => option.startsWith('--input-type')) && { execArgv: [] }),
  });
  // Without a listener, an idle thread that dies, or one that cannot start, would end the process.
  pool.on('error', () => replies.rejectAll());
  const watched = new WeakSet<object>();
  // The pool does not notice a thread that exits without an error: it waits forever and sends it the next task.
  const watch = () => {
    for (const thread of pool.threads.filter((each) => !watched.has(each))) {
      watched.add(thread);
      // A thread that the pool itself has ended is no longer in its list.
      thread.on('exit', () => pool.threads.includes(thread) && replies.rejectAll());
    }
  };
  return {
    answer: (task) =>
      replies.ask(() => {
        const reply = pool.run(task, { name: 'answer', transferList: movedWith?.(task) });
        watch();
        return reply;
      }),
  };
}
