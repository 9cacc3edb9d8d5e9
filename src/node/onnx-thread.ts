import { Worker } from 'node:worker_threads';
import { BufferPool } from '../core/buffer-pool.ts';
import { onAbort, untilAborted } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  type DisposableModel,
  disposable,
  type ModelSpec,
  ownsItsBuffer,
  requireOwned,
  requireScoreCall,
  type ScoreBatch,
  type ScoreCallOptions,
  type TileBatch,
} from '../inference/model.ts';
import type { OnnxOptions } from '../inference/onnx.ts';
import { receivedError } from '../inference/thread.ts';
import type { WorkerReply, WorkerRequest, WorkerStart } from './onnx-worker.ts';

/** Calls that are sent to the thread before the first of them is answered. */
const CALLS_AHEAD = 2;

/**
 * Loads an ONNX network in a thread of its own, with onnxruntime-node: `onnxModel` with the same checks and messages, but
 * this thread stays free while it computes.
 *
 * An aborted call rejects at once; the runtime finishes a batch it has begun in the background, and the next call waits for
 * it. Two calls are sent ahead, so that the runtime never waits for this thread. The thread keeps the process alive only while it
 * computes or a call waits for it.
 *
 * @param script - The path of the built `onnx-worker.js`.
 * @throws {@link CryoetPicksError} as `onnxModel`; later also `model-failed` if the thread dies or the model was disposed.
 */
export async function threadModel(script: string, file: Uint8Array, options: OnnxOptions): Promise<DisposableModel> {
  options.signal?.throwIfAborted();
  const thread = new SessionThread(script, file, options);
  let featureCount: number | undefined;
  try {
    ({ featureCount } = await thread.opened(options.signal));
  } catch (error) {
    // After an abort it is still opening, which need not be awaited.
    void thread.close();
    throw error;
  }
  return disposable({
    spec: options.spec,
    featureCount,
    callsAtOnce: CALLS_AHEAD,
    score: (tiles, call) => thread.score(tiles, call),
    dispose: () => thread.close(),
  });
}

/** A question that waits for its reply. */
interface Asker {
  readonly resolve: (reply: WorkerReply) => void;
  readonly reject: (error: Error) => void;
}

/** A session of onnxruntime-node in a thread, and the calls that wait for it. */
class SessionThread {
  readonly #worker: Worker;
  readonly #spec: ModelSpec;
  readonly #busy: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  readonly #exited: Promise<void>;
  readonly #opened: Promise<Extract<WorkerReply, { featureCount: unknown }>>;
  #featureCount: number | undefined;
  /** The last calls that were sent ahead: each promise settles when every call up to its own was answered; none rejects. */
  #last: Promise<unknown>[] = [];
  /** In the order in which they asked, which is that of the replies. */
  readonly #askers: Asker[] = [];
  readonly #tileMemory = new BufferPool(CALLS_AHEAD);
  readonly #scoreMemory = new BufferPool(CALLS_AHEAD + 1);
  #died: CryoetPicksError | undefined;
  #closed: Promise<void> | undefined;

  constructor(script: string, file: Uint8Array, { spec, device, executionProviders, threads }: OnnxOptions) {
    this.#spec = spec;
    // The file is copied once, then moved: a Buffer may share its memory with others. The card goes as far as JSON holds it.
    const card = JSON.parse(JSON.stringify(spec));
    const start: WorkerStart = {
      file: new Uint8Array(file),
      spec: card,
      device,
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
    this.#worker.on('message', (reply: WorkerReply) => this.#askers.shift()?.resolve(reply));
    // A message that does not arrive would leave its asker waiting, and all replies after it to the wrong askers.
    this.#worker.on('messageerror', (error) =>
      this.#die(`got a message that does not arrive: ${error.message}`, error),
    );
    this.#worker.on('error', (error) => this.#die(`died: ${error.message}`, error));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#die(`ended with exit code ${code}`);
        resolve();
      });
    });
    this.#opened = this.#next(async () => {
      const reply = (await this.#reply()) as Extract<WorkerReply, { featureCount: unknown }>;
      this.#featureCount = reply.featureCount;
      return reply;
    }, 1);
  }

  opened(signal: AbortSignal | undefined): Promise<Extract<WorkerReply, { featureCount: unknown }>> {
    return untilAborted(this.#opened, signal);
  }

  /** Moves the tiles' memory to the thread when their turn comes: their own if they were given away, else that of a copy. */
  async score(tiles: TileBatch, options: ScoreCallOptions = {}): Promise<ScoreBatch> {
    const { signal, transfer = false, output } = requireScoreCall(tiles, options);
    signal?.throwIfAborted();
    const aborted = new Int32Array(new SharedArrayBuffer(4));
    const stopWaiting = onAbort(signal, () => Atomics.store(aborted, 0, 1));
    const scored = this.#next(async () => {
      signal?.throwIfAborted();
      if (this.#closed) throw new CryoetPicksError('model-failed', `model "${this.#spec.name}" was disposed`);
      requireOwned(tiles);
      const data = transfer && ownsItsBuffer(tiles.data) ? tiles.data : this.#copyOf(tiles.data);
      const { classes, outputStride: stride } = this.#spec;
      const channels = output === 'features' ? (this.#featureCount ?? 0) : classes.length;
      const into = this.#scoreMemory.take((channels * data.length) / stride ** 3);
      const request = { tiles: { data, shape: tiles.shape }, output, into, aborted };
      const buffers = [data, ...(into ? [into] : [])].map(({ buffer }) => buffer as ArrayBuffer);
      const reply = (await this.#ask(request, buffers)) as Extract<WorkerReply, { scores: unknown }>;
      const scores = { ...reply.scores, release: this.#scoreMemory.releaseOf(reply.scores.data) };
      if (transfer) return { ...scores, tiles: reply.tiles };
      this.#tileMemory.put(reply.tiles);
      return scores;
    }, CALLS_AHEAD).finally(stopWaiting);
    return untilAborted(scored, signal);
  }

  #copyOf(data: Float32Array): Float32Array {
    const copy = this.#tileMemory.take(data.length) ?? new Float32Array(data.length);
    copy.set(data);
    return copy;
  }

  /** Lets the runtime finish what is under way, releases the session and ends the thread. */
  close(): Promise<void> {
    this.#closed ??= this.#release();
    return this.#closed;
  }

  async #release(): Promise<void> {
    // If no session was opened, the thread ends without being asked.
    await this.#next(() => this.#opened.then(() => this.#ask(null)), 1).catch(() => {});
    this.#worker.ref();
    await this.#exited;
  }

  /** Does work when fewer than `ahead` pieces before it are not done; the process stays alive until the last of it is. */
  #next<T>(work: () => Promise<T>, ahead: number): Promise<T> {
    this.#worker.ref();
    const before = this.#last.at(-ahead) ?? Promise.resolve();
    const result = before.then(work);
    // Without their values: a chain of results would never be freed.
    const settled = Promise.allSettled([this.#last.at(-1), result]).then(() => {});
    this.#last = [...this.#last, settled].slice(-CALLS_AHEAD);
    void settled.then(() => {
      if (this.#last.at(-1) === settled) this.#worker.unref();
    });
    return result;
  }

  #ask(request: WorkerRequest, transfer: ArrayBuffer[] = []): Promise<WorkerReply> {
    if (this.#died) throw this.#died;
    Atomics.add(this.#busy, 0, 1);
    try {
      this.#worker.postMessage(request, transfer);
    } catch (error) {
      Atomics.sub(this.#busy, 0, 1);
      throw error;
    }
    return this.#reply();
  }

  async #reply(): Promise<WorkerReply> {
    const reply = await new Promise<WorkerReply>((resolve, reject) => {
      this.#askers.push({ resolve, reject });
    });
    if ('error' in reply) {
      if (reply.into) this.#scoreMemory.put(reply.into);
      throw receivedError(reply.error);
    }
    return reply;
  }

  #die(how: string, cause?: unknown): void {
    unwatch(this.#busy);
    this.#died ??= new CryoetPicksError('model-failed', `the thread of model "${this.#spec.name}" ${how}`, { cause });
    for (const { reject } of this.#askers.splice(0)) reject(this.#died);
  }
}

/**
 * Number of pending replies per thread. Node ends threads when the process exits, and onnxruntime-node aborts the process if it
 * is computing then.
 */
const watched = new Set<Int32Array<SharedArrayBuffer>>();

/** Lets the process exit only when this count is 0; the thread that lowers it notifies. */
function watch(busy: Int32Array<SharedArrayBuffer>): void {
  if (watched.size === 0) process.on('exit', awaitWatched);
  watched.add(busy);
}

/** Forgets a count. */
function unwatch(busy: Int32Array<SharedArrayBuffer>): void {
  watched.delete(busy);
  if (watched.size === 0) process.off('exit', awaitWatched);
}

function awaitWatched(): void {
  for (const busy of watched) {
    for (let owed = Atomics.load(busy, 0); owed > 0; owed = Atomics.load(busy, 0)) {
      if (Atomics.wait(busy, 0, owed, 60_000) === 'timed-out') break;
    }
  }
}
