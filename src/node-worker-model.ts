import { Worker } from 'node:worker_threads';
import { CryoetPicksError } from './errors.ts';
import type { Model, ScoreBatch, TileBatch } from './inference/model.ts';
import type { OnnxOptions } from './inference/onnx.ts';
import type { WorkerError, WorkerReply, WorkerRequest, WorkerStart } from './onnx-worker.ts';

/**
 * Loads an ONNX network in a thread of its own, with onnxruntime-node: `onnxModel` with the same checks and messages, but
 * this thread stays free while it computes.
 *
 * An aborted call rejects at once; the runtime finishes that batch in the background, and the next call waits for it.
 * The thread keeps the process alive only while it computes or somebody waits for it.
 *
 * @param script - The built `onnx-worker.js`.
 * @throws {@link CryoetPicksError} as `onnxModel`; later also `model-failed` if the thread dies or the model was disposed.
 */
export async function workerModel(script: URL, file: Uint8Array, options: OnnxOptions): Promise<Model> {
  options.signal?.throwIfAborted();
  const thread = new SessionThread(script, file, options);
  try {
    await thread.opened(options.signal);
  } catch (error) {
    // After an abort it is still opening; nobody has to wait for that.
    void thread.close();
    throw error;
  }
  return {
    spec: options.spec,
    score: (tiles, { signal } = {}) => thread.score(tiles, signal),
    dispose: () => thread.close(),
  };
}

/** What waits for the next reply. */
interface Asker {
  readonly resolve: (reply: WorkerReply) => void;
  readonly reject: (error: Error) => void;
}

/** A session in a thread, and the calls that wait for it. */
class SessionThread {
  readonly #worker: Worker;
  readonly #name: string;
  readonly #busy: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  readonly #exited: Promise<void>;
  readonly #opened: Promise<unknown>;
  /** Settles when everything asked so far is answered; never rejects. */
  #last: Promise<unknown> = Promise.resolve();
  /** At most one: the next request is sent when the one before it is answered. */
  #asker: Asker | undefined;
  #died: CryoetPicksError | undefined;
  #closed: Promise<void> | undefined;

  constructor(script: URL, file: Uint8Array, { spec, executionProviders, threads }: OnnxOptions) {
    this.#name = spec.name;
    // The file is copied once, then moved: a Buffer may share its memory with others. Of the card goes what JSON can say.
    const card = JSON.parse(JSON.stringify(spec));
    const start: WorkerStart = {
      file: new Uint8Array(file),
      spec: card,
      executionProviders,
      threads,
      busy: this.#busy,
    };
    this.#worker = new Worker(script, {
      workerData: start,
      transferList: [start.file.buffer],
      // Inherited, it would forbid to run a file.
      ...(process.execArgv.some((option) => option.startsWith('--input-type')) && { execArgv: [] }),
    });
    watch(this.#busy);
    this.#worker.on('message', (reply: WorkerReply) => this.#asker?.resolve(reply));
    this.#worker.on('error', (error) => this.#die(`died: ${error.message}`, error));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#die(`ended with exit code ${code}`);
        resolve();
      });
    });
    this.#opened = this.#next(() => this.#reply());
  }

  opened(signal: AbortSignal | undefined): Promise<unknown> {
    return orAbort(this.#opened, signal);
  }

  async score({ data, shape }: TileBatch, signal: AbortSignal | undefined): Promise<ScoreBatch> {
    signal?.throwIfAborted();
    const scores = this.#next(async () => {
      signal?.throwIfAborted();
      if (this.#closed) throw new CryoetPicksError('model-failed', `model "${this.#name}" was disposed`);
      // Copied, since the caller goes on using them, then moved.
      const copy = data.slice();
      const reply = await this.#ask({ data: copy, shape }, [copy.buffer]);
      return (reply as Extract<WorkerReply, { scores: unknown }>).scores;
    });
    return orAbort(scores, signal);
  }

  /** Lets the runtime finish what is under way, releases the session and ends the thread. */
  close(): Promise<void> {
    this.#closed ??= this.#release();
    return this.#closed;
  }

  async #release(): Promise<void> {
    // Where no session was opened the thread ends by itself.
    await this.#next(() => this.#opened.then(() => this.#ask(null))).catch(() => {});
    this.#worker.ref();
    await this.#exited;
  }

  /** Does work when the work before it is done; the process stays alive until the last of it is. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    this.#worker.ref();
    const result = this.#last.then(work);
    const settled = result.then(
      () => {},
      () => {},
    );
    this.#last = settled;
    void settled.then(() => {
      if (this.#last === settled) this.#worker.unref();
    });
    return result;
  }

  #ask(request: WorkerRequest, transfer: ArrayBuffer[] = []): Promise<WorkerReply> {
    if (this.#died) throw this.#died;
    Atomics.store(this.#busy, 0, 1);
    try {
      this.#worker.postMessage(request, transfer);
    } catch (error) {
      Atomics.store(this.#busy, 0, 0);
      throw error;
    }
    return this.#reply();
  }

  async #reply(): Promise<WorkerReply> {
    const reply = await new Promise<WorkerReply>((resolve, reject) => {
      this.#asker = { resolve, reject };
    });
    if ('error' in reply) throw errorOf(reply.error);
    return reply;
  }

  #die(how: string, cause?: unknown): void {
    unwatch(this.#busy);
    this.#died ??= new CryoetPicksError('model-failed', `the thread of model "${this.#name}" ${how}`, { cause });
    this.#asker?.reject(this.#died);
  }
}

function errorOf({ code, message, cause }: WorkerError): Error {
  const options = cause === undefined ? {} : { cause: new Error(cause) };
  return code === undefined ? new Error(message, options) : new CryoetPicksError(code, message, options);
}

/** The work's result, or the abort reason as soon as there is one. */
function orAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const settled = () => signal.removeEventListener('abort', onAbort);
    work.then(resolve, reject).then(settled);
  });
}

/** Threads that live. Node ends threads when the process exits, and onnxruntime-node aborts the process if it is at work. */
const watched = new Set<Int32Array<SharedArrayBuffer>>();

function watch(busy: Int32Array<SharedArrayBuffer>): void {
  if (watched.size === 0) process.on('exit', awaitWatched);
  watched.add(busy);
}

function unwatch(busy: Int32Array<SharedArrayBuffer>): void {
  watched.delete(busy);
  if (watched.size === 0) process.off('exit', awaitWatched);
}

function awaitWatched(): void {
  for (const busy of watched) Atomics.wait(busy, 0, 1, 60_000);
}
