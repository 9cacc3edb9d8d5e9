import { type Profiler, Session } from 'node:inspector/promises';
import { setImmediate } from 'node:timers/promises';

/** What V8 counted of one script in one thread. */
export interface ScriptRuns {
  /** The script's URL. */
  readonly url: string;
  readonly functions: readonly FunctionRuns[];
}

/** A function that ran, by where its text begins in the script. */
export interface FunctionRuns {
  readonly name: string;
  readonly offset: number;
}

/** Waits for the reply of a worker thread. */
interface Waiting {
  readonly worker: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Options of {@link ThreadsCoverage.during}. */
export interface DuringOptions {
  /**
   * Gives the threads of a pool something to do; done before and after the work, until all of them had something.
   *
   * A thread that sleeps between two tasks hears of nothing: it begins to count as it wakes for a task of the work, and hands its
   * counts over as it wakes for this one, before it does anything.
   */
  readonly wake?: (() => Promise<void>) | undefined;
}

/** Counts the functions that run in this thread and in all worker threads, by V8's precise coverage. */
export class ThreadsCoverage {
  readonly #session = new Session();
  /** Inspector sessions of the worker threads that are alive. */
  readonly #workers = new Set<string>();
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  private constructor() {}

  /** Attaches to this thread; worker threads are attached as they start, without being held up. */
  static async open(): Promise<ThreadsCoverage> {
    const coverage = new ThreadsCoverage();
    await coverage.#open();
    return coverage;
  }

  async #open(): Promise<void> {
    this.#session.connect();
    this.#session.on('NodeWorker.attachedToWorker', ({ params }) => this.#workers.add(params.sessionId));
    this.#session.on('NodeWorker.detachedFromWorker', ({ params: { sessionId } }) => {
      this.#workers.delete(sessionId);
      for (const { worker, reject } of this.#waiting.values()) {
        if (worker === sessionId) reject(new Error('a thread ended before it replied'));
      }
    });
    this.#session.on('NodeWorker.receivedMessageFromWorker', ({ params: { message } }) => {
      const { id, result } = JSON.parse(message) as { readonly id?: number; readonly result?: unknown };
      if (id !== undefined) this.#waiting.get(id)?.resolve(result);
    });
    await this.#session.post('Profiler.enable');
    await this.#session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  }

  /** Worker threads that are alive. */
  get threads(): number {
    return this.#workers.size;
  }

  /** Counts what runs during `work`, in all threads; it must start none. */
  async during(work: () => Promise<void>, { wake = async () => {} }: DuringOptions = {}): Promise<ScriptRuns[]> {
    const enabled = new Map<string, Promise<unknown>>();
    do {
      for (const worker of this.#workers) enabled.set(worker, this.#ask(worker, 'Profiler.enable'));
      await wake();
      await this.#answered([...enabled.values()], wake);
    } while ([...this.#workers].some((worker) => !enabled.has(worker)));
    const workers = [...this.#workers];
    const parameters = { callCount: true, detailed: false };
    const started = workers.map((worker) => this.#ask(worker, 'Profiler.startPreciseCoverage', parameters));
    await this.#session.post('Profiler.startPreciseCoverage', parameters);
    await work();
    if (this.threads !== workers.length) throw new Error('a thread started or ended meanwhile');
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    await this.#session.post('Profiler.stopPreciseCoverage');
    const taken = workers.map((worker) => this.#ask(worker, 'Profiler.takePreciseCoverage'));
    const stopped = workers.map((worker) => this.#ask(worker, 'Profiler.stopPreciseCoverage'));
    await this.#answered([...started, ...taken, ...stopped], wake);
    const replies = (await Promise.all(taken)) as Profiler.TakePreciseCoverageReturnType[];
    return [{ result }, ...replies].flatMap((reply) => reply.result.map(functionsThatRan));
  }

  /** Waits for the replies of threads, and wakes them until they reply. */
  async #answered(replies: readonly Promise<unknown>[], wake: () => Promise<void>): Promise<void> {
    let waiting = true;
    const all = Promise.all(replies).finally(() => {
      waiting = false;
    });
    while (waiting) {
      await wake();
      // Replies arrive between two pieces of work.
      await setImmediate();
    }
    await all;
  }

  close(): void {
    this.#session.disconnect();
  }

  #ask(worker: string, method: string, params?: object): Promise<unknown> {
    const id = ++this.#lastId;
    const reply = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { worker, resolve, reject });
    });
    const message = JSON.stringify({ id, method, params });
    void this.#session.post('NodeWorker.sendMessageToWorker', { sessionId: worker, message });
    return reply.finally(() => this.#waiting.delete(id));
  }
}

/** Leaves out what did not run, and the body of the module itself, which begins at 0. */
function functionsThatRan({ url, functions }: Profiler.ScriptCoverage): ScriptRuns {
  const ran = functions.flatMap(({ functionName, ranges: [range] }) =>
    range!.count > 0 && range!.startOffset > 0 ? [{ name: functionName, offset: range!.startOffset }] : [],
  );
  return { url, functions: ran };
}
