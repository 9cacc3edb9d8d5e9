import { onAbort } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  type ByteRange,
  isListable,
  type ListableStore,
  type ReadableStore,
  type StoreKey,
  type StoreOptions,
} from './store.ts';

/** Options of {@link coalesced}. */
export interface CoalesceOptions {
  /**
   * Parts of a value that lie no further apart than this many bytes are read in one request; 0 merges those that touch.
   * @defaultValue 512 KiB, which takes about as long to send as a request of its own
   */
  readonly maxGapBytes?: number | undefined;
  /** Bytes that a merged request has at most; a single part may be larger. @defaultValue 16 MiB */
  readonly maxBytes?: number | undefined;
  /** Requests under way at a time. @defaultValue 8 */
  readonly maxRequests?: number | undefined;
}

/**
 * The same store with fewer requests: parts of one value that are asked for at the same time and lie close together, such as
 * the chunks of a shard, are read as one; what several ask for at once is read once; no more than so many requests are
 * under way, the rest wait in the order in which they came.
 *
 * Who aborts leaves alone; a request is aborted when all who wait for it have left. Failures are not kept. Nothing else is
 * kept either: what has been answered is read again when it is asked for again. `httpStore` has this built in.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for options that are no numbers above or at least 0.
 * @example
 * ```ts
 * const tomogram = await openTomogram(coalesced(s3Store('s3://bucket/denoised.zarr'), { maxRequests: 16 }));
 * ```
 */
export function coalesced<S extends ReadableStore>(
  store: S,
  { maxGapBytes = 512 * 2 ** 10, maxBytes = 16 * 2 ** 20, maxRequests = 8 }: CoalesceOptions = {},
): S extends ListableStore ? ListableStore : ReadableStore {
  for (const [name, value, least] of [
    ['maxGapBytes', maxGapBytes, 0],
    ['maxBytes', maxBytes, 1],
    ['maxRequests', maxRequests, 1],
  ] as const) {
    if (!(value >= least))
      throw new CryoetPicksError('invalid-option', `${name} is ${value}, expected at least ${least}`, { option: name });
  }
  const queue = new RequestQueue(store, { maxGapBytes, maxBytes, maxRequests });
  const reading: ReadableStore = {
    location: store.location,
    get: (key, options) => queue.read({ key }, options),
    getRange: (key, range, options) => queue.read({ key, range }, options),
  };
  const whole: ReadableStore = store;
  if (whole.size) reading.size = whole.size.bind(whole);
  const merged = isListable(whole) ? { ...reading, list: whole.list.bind(whole) } : reading;
  return merged as S extends ListableStore ? ListableStore : ReadableStore;
}

/** What is asked for: a value, or a part of it. */
export interface Asked {
  readonly key: StoreKey;
  readonly range?: ByteRange | undefined;
}

type Bytes = Uint8Array | undefined;

/** One caller who waits. */
interface Waiter extends Asked {
  readonly resolve: (bytes: Bytes) => void;
  readonly reject: (error: unknown) => void;
}

/** A request under way, and who waits for it. */
interface Flight extends Asked {
  readonly controller: AbortController;
  readonly waiters: Set<Waiter>;
}

/** A part from an offset. */
interface Span {
  readonly offset: number;
  readonly length: number;
}

/** Reads of one store: merged, shared and bounded in number; the work of `coalesced`. */
class RequestQueue {
  readonly #store: ReadableStore;
  readonly #limits: Required<{ [K in keyof CoalesceOptions]: number }>;
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiter>();
  readonly #flights = new Set<Flight>();
  #running = 0;
  #isDue = false;

  constructor(store: ReadableStore, limits: Required<{ [K in keyof CoalesceOptions]: number }>) {
    this.#store = store;
    this.#limits = limits;
  }

  /** The bytes that are asked for. @throws The abort reason of `signal`, at once; what the store throws. */
  read(asked: Asked, { signal }: StoreOptions = {}): Promise<Bytes> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise<Bytes>((resolve, reject) => {
      const waiter: Waiter = {
        ...asked,
        resolve: (bytes) => {
          stopWaiting();
          resolve(bytes);
        },
        reject: (error) => {
          stopWaiting();
          reject(error);
        },
      };
      const stopWaiting = onAbort(signal, () => {
        this.#leave(waiter, signal?.reason);
        reject(signal?.reason);
      });
      const flight = [...this.#flights].find((one) => covers(one, waiter));
      if (flight) flight.waiters.add(waiter);
      else {
        this.#waiting.add(waiter);
        this.#startSoon();
      }
    });
  }

  #leave(waiter: Waiter, reason: unknown): void {
    this.#waiting.delete(waiter);
    for (const flight of this.#flights) {
      if (!flight.waiters.delete(waiter) || flight.waiters.size > 0) continue;
      this.#flights.delete(flight);
      flight.controller.abort(reason);
    }
  }

  /** Starts requests when all that is asked for in this turn of the event loop is known. */
  #startSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => {
      this.#isDue = false;
      this.#start();
    });
  }

  #start(): void {
    while (this.#running < this.#limits.maxRequests) {
      const [first] = this.#waiting;
      if (!first) return;
      const { range, waiters } = this.#gather(first);
      for (const waiter of waiters) this.#waiting.delete(waiter);
      const flight: Flight = { key: first.key, range, waiters: new Set(waiters), controller: new AbortController() };
      this.#flights.add(flight);
      this.#running++;
      void this.#fly(flight);
    }
  }

  async #fly(flight: Flight): Promise<void> {
    const { key, range, waiters, controller } = flight;
    const { signal } = controller;
    try {
      const bytes = await (range ? this.#store.getRange(key, range, { signal }) : this.#store.get(key, { signal }));
      for (const waiter of waiters) waiter.resolve(bytes && part(bytes, flight, waiter));
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
    } finally {
      this.#flights.delete(flight);
      this.#running--;
      this.#start();
    }
  }

  /** Who else is served by a request that grows around what the first asks for. */
  #gather(first: Waiter): { readonly range: ByteRange | undefined; readonly waiters: readonly Waiter[] } {
    const others = [...this.#waiting].filter(({ key }) => key === first.key);
    const { range } = first;
    if (!range || 'suffixLength' in range) return { range, waiters: others.filter((one) => isSame(one.range, range)) };
    const near = others.flatMap((waiter) => {
      const other = waiter.range;
      return other && 'offset' in other ? [{ waiter, ...other }] : [];
    });
    const merged = grow(range, near, this.#limits);
    return { range: merged, waiters: near.filter((one) => isInside(one, merged)).map(({ waiter }) => waiter) };
  }
}

interface GrowLimits {
  readonly maxGapBytes: number;
  readonly maxBytes: number;
}

/** The first span and all that lie close to it or to one another, nearest first, as far as the size allows. */
function grow(first: Span, others: readonly Span[], { maxGapBytes, maxBytes }: GrowLimits): Span {
  let [start, end] = [first.offset, first.offset + first.length];
  const sorted = [...others].sort((a, b) => a.offset - b.offset);
  const tryOne = ({ offset, length }: Span) => {
    const isNear = offset <= end + maxGapBytes && offset + length >= start - maxGapBytes;
    const [low, high] = [Math.min(start, offset), Math.max(end, offset + length)];
    if (isNear && high - low <= maxBytes) [start, end] = [low, high];
  };
  for (const span of sorted) if (span.offset >= first.offset) tryOne(span);
  for (const span of sorted.reverse()) if (span.offset < first.offset) tryOne(span);
  return { offset: start, length: end - start };
}

function isSame(a: ByteRange | undefined, b: ByteRange | undefined): boolean {
  if (!a || !b) return a === b;
  if ('suffixLength' in a) return 'suffixLength' in b && a.suffixLength === b.suffixLength;
  return 'offset' in b && a.offset === b.offset && a.length === b.length;
}

function isInside(inner: Span, outer: Span): boolean {
  return inner.offset >= outer.offset && inner.offset + inner.length <= outer.offset + outer.length;
}

/** Whether what a request under way brings holds what is asked for. */
function covers(flight: Flight, { key, range }: Asked): boolean {
  if (flight.key !== key) return false;
  if (isSame(flight.range, range)) return true;
  const outer = flight.range;
  return outer !== undefined && range !== undefined && 'offset' in outer && 'offset' in range && isInside(range, outer);
}

/** What one of those who wait asked for. A part is copied, so that it keeps no more than itself in memory. */
function part(bytes: Uint8Array, flight: Flight, { range }: Asked): Uint8Array {
  if (isSame(flight.range, range) || !range || !flight.range) return bytes;
  if ('suffixLength' in range || 'suffixLength' in flight.range) return bytes;
  const from = range.offset - flight.range.offset;
  return bytes.slice(from, from + range.length);
}
