import { CryoetPicksError } from './errors.ts';

/** How far a long call has come: `total` is constant within a stage, `done` never falls and ends at `total`. */
export interface Progress {
  readonly stage: 'intensity' | 'tiles' | 'picks' | 'rotations';
  readonly done: number;
  readonly total: number;
}

/** Something that looks wrong, although the work goes on. */
export interface Warning {
  /** What kind of trouble it is, such as `chunks-missing`. */
  readonly code: string;
  /** What is wrong, with numbers. */
  readonly message: string;
  /** The file or folder that it is about. */
  readonly path?: string | undefined;
  /** The run of a project that it is about. */
  readonly run?: string | undefined;
  /** How much of the volume it is about, from 0 to 1: the share of the chunks that are missing. */
  readonly share?: number | undefined;
}

/** Options of {@link mapOrdered}. */
export interface MapOptions {
  /** How many calls may be under way or finished and not yet asked for. @defaultValue 2 */
  readonly concurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Calls an async function for each item, a bounded number of them ahead of the consumer, and yields the results in the
 * order of the items.
 *
 * While the consumer works on one result, up to `concurrency` further calls run. The first failure, in the order of the
 * items, ends the stream. When it ends early, by a failure, an abort or a consumer that leaves the loop, the signal that
 * each call was given is aborted, no further call starts, and the calls under way have settled before the loop is left.
 *
 * @throws The abort reason of `signal`, untouched; what `fn` throws; `invalid-option` for a concurrency below 1.
 *
 * @example
 * ```ts
 * const urls = ['https://example.org/a', 'https://example.org/b'];
 * for await (const { status } of mapOrdered(urls, (url, signal) => fetch(url, { signal }))) console.log(status);
 * ```
 */
export async function* mapOrdered<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  fn: (item: T, signal: AbortSignal) => Promise<R>,
  { concurrency = 2, signal }: MapOptions = {},
): AsyncGenerator<R, void, undefined> {
  if (!(concurrency >= 1)) {
    throw new CryoetPicksError('invalid-option', `concurrency must be at least 1, found ${concurrency}`);
  }
  const pending: Promise<R>[] = [];
  const leaving = new AbortController();
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const readAhead = async () => {
    while (pending.length < concurrency) {
      signal?.throwIfAborted();
      const { value, done } = await iterator.next();
      if (done) return;
      const result = callAsync(fn, value, leaving.signal);
      // A failure is thrown when its turn comes; until then it must not count as unhandled.
      result.catch(() => {});
      pending.push(result);
    }
  };
  const stopWaiting = onAbort(signal, () => leaving.abort(signal?.reason));
  try {
    await readAhead();
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      const result = await next;
      await readAhead();
      yield result;
    }
  } finally {
    stopWaiting();
    leaving.abort();
    await iterator.return?.();
    await Promise.allSettled(pending);
  }
}

/** Options of {@link mergeStreams}. */
export interface MergeOptions {
  /** How many streams are opened. */
  readonly count: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens several streams and yields what they give as it comes. A stream goes on to its next value when the consumer comes back from the
 * last one.
 *
 * When it ends early, by a failure, an abort or a consumer that leaves the loop, the signal that each stream was opened with is aborted,
 * and all of them have ended before the loop is left.
 *
 * @throws The abort reason of `signal`, untouched, if a stream does; what a stream throws.
 */
export async function* mergeStreams<T>(
  open: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
  { count, signal }: MergeOptions,
): AsyncGenerator<T, void, undefined> {
  const leaving = new AbortController();
  const stopWaiting = onAbort(signal, () => leaving.abort(signal?.reason));
  const streams = Array.from({ length: count }, () => open(leaving.signal));
  const next = async (stream: (typeof streams)[number]) => ({ stream, result: await stream.next() });
  const pending = new Map<(typeof streams)[number], ReturnType<typeof next>>();
  const ask = (stream: (typeof streams)[number]) => {
    // To the end of the map, so that no stream waits for all others.
    pending.delete(stream);
    const asked = next(stream);
    // A failure is thrown by the race; those behind it must not count as unhandled.
    asked.catch(() => {});
    pending.set(stream, asked);
  };
  try {
    for (const stream of streams) ask(stream);
    while (pending.size > 0) {
      const { stream, result } = await Promise.race(pending.values());
      if (result.done) {
        pending.delete(stream);
        continue;
      }
      yield result.value;
      ask(stream);
    }
  } finally {
    stopWaiting();
    leaving.abort();
    await Promise.allSettled(streams.map((stream) => stream.return()));
  }
}

/** Lets pieces of work have something for themselves, one after the other, in the order in which they ask for it. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /**
   * Waits until all that asked before have had their turn.
   *
   * @returns A function that ends the turn.
   * @throws The abort reason of `signal`; the turn is then over.
   */
  async take(signal: AbortSignal | undefined): Promise<() => void> {
    const before = this.#last;
    let end = () => {};
    const turn = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#last = before.then(() => turn);
    try {
      await untilAborted(before, signal);
      return end;
    } catch (error) {
      end();
      throw error;
    }
  }
}

/** Turns what `fn` throws before its first `await` into a rejection, so that it keeps its turn. */
async function callAsync<T, R>(
  fn: (item: T, signal: AbortSignal) => Promise<R>,
  item: T,
  signal: AbortSignal,
): Promise<R> {
  return fn(item, signal);
}

/** Numbers that are worked on in one piece: a few milliseconds. */
const RANGE: number = 2 ** 19;

/**
 * Does work on consecutive ranges of indices, and yields to the event loop between them ({@link eventLoopTurn}).
 *
 * @param step - Length of a range.
 */
export async function forEachRange(
  length: number,
  work: (from: number, to: number) => void,
  step: number = RANGE,
): Promise<void> {
  for (let from = 0; from < length; from += step) {
    work(from, Math.min(length, from + step));
    await eventLoopTurn();
  }
}

/** Work in pieces of a few milliseconds at most, with a pause after each, and its result. */
export type Steps<T> = Generator<unknown, T, undefined>;

/**
 * Does work in pieces, and yields to the event loop between them ({@link eventLoopTurn}).
 *
 * @throws The abort reason of `signal`, at the next pause.
 */
export async function withTurns<T>(steps: Steps<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await eventLoopTurn();
    signal?.throwIfAborted();
  }
}

/** Does work in pieces without a pause between them. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Milliseconds of work after which the event loop gets a turn; where threads share the cores, it comes several times as late. */
const TURN = 5;

// Captured now: a test that replaces it later would stop all work.
const { setImmediate } = globalThis as { readonly setImmediate?: (resume: () => void) => unknown };

let lastTurn = 0;
let turning: Promise<void> | undefined;

/**
 * Yields to the event loop if 5 ms have passed since it last did; await it between pieces of work. Promises that resolve at
 * once never let timers, input and drawing run, so without it no button could abort work that waits for nothing. All work of
 * the thread shares one clock.
 */
export async function eventLoopTurn(): Promise<void> {
  // A clock that was replaced for a while may have been ahead.
  if (Math.abs(performance.now() - lastTurn) < TURN) return;
  turning ??= new Promise<void>((resolve) => later(resolve)).then(() => {
    lastTurn = performance.now();
    turning = undefined;
  });
  await turning;
}

/** After whatever waits now. In browsers by a message: a timer would wait for 4 ms, and in a hidden tab for a second and more. */
function later(resume: () => void): void {
  if (setImmediate) {
    setImmediate(resume);
    return;
  }
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    resume();
  };
  port2.postMessage(undefined);
}

/** The callbacks of a signal, and the one listener that calls them. */
interface Watched {
  readonly waiting: Set<() => void>;
  readonly callAll: () => void;
}

const watched = new WeakMap<AbortSignal, Watched>();

/**
 * Calls back when a signal fires, at once if it has. A signal gets one listener for all callbacks: Node prints a warning from eleven
 * listeners on. The listener is removed with the last callback.
 *
 * @returns A function that stops waiting.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (!signal) return () => {};
  if (signal.aborted) {
    callback();
    return () => {};
  }
  const { waiting, callAll } = watched.get(signal) ?? watch(signal);
  waiting.add(callback);
  return () => {
    if (!waiting.delete(callback) || waiting.size > 0) return;
    signal.removeEventListener('abort', callAll);
    watched.delete(signal);
  };
}

function watch(signal: AbortSignal): Watched {
  const waiting = new Set<() => void>();
  const callAll = () => {
    for (const callback of waiting) callback();
  };
  const watch = { waiting, callAll };
  watched.set(signal, watch);
  signal.addEventListener('abort', callAll, { once: true });
  return watch;
}

/** The promise, or the abort reason as soon as the signal fires; the promise's result is then ignored. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const stopWaiting = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(stopWaiting);
  });
}

interface Loading<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
  settled: boolean;
}

/**
 * A value that is loaded when it is first asked for, once for all callers.
 *
 * Each caller waits with a signal of its own: an abort ends its wait, and loading goes on while another caller waits. It stops when
 * the last one has left. A failure reaches all that wait and is not kept, so that the next call tries again.
 */
export class Shared<T> {
  private loading: Loading<T> | undefined;

  constructor(private readonly load: (signal: AbortSignal) => Promise<T>) {}

  /** @throws What loading throws, or the abort reason of `signal`. */
  async get(signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted();
    this.loading ??= this.start();
    const loading = this.loading;
    loading.waiting++;
    try {
      return await untilAborted(loading.promise, signal);
    } finally {
      loading.waiting--;
      if (loading.waiting === 0 && !loading.settled) {
        if (this.loading === loading) this.loading = undefined;
        loading.controller.abort();
      }
    }
  }

  private start(): Loading<T> {
    const controller = new AbortController();
    const loading: Loading<T> = { promise: this.load(controller.signal), controller, waiting: 0, settled: false };
    loading.promise.then(
      () => {
        loading.settled = true;
      },
      () => {
        loading.settled = true;
        if (this.loading === loading) this.loading = undefined;
      },
    );
    return loading;
  }
}

/** Creates a value on the first call and keeps it; `undefined` from then on if it cannot be created. */
export function madeOnce<T>(make: () => T | undefined): () => T | undefined {
  let made: T | false | undefined;
  return () => {
    made ??= make() ?? false;
    return made || undefined;
  };
}

/**
 * The largest number of threads that may be asked for: as many as the largest machines have, since each takes memory. The same
 * on all machines and hosts, some of which do not say how many cores there are.
 */
export const MAX_THREADS = 1024;
