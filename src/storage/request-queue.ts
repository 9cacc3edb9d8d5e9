import { onAbort } from './abort.ts';
import type { CoalesceOptions } from './coalesced.ts';
import type { ByteRange, ReadableStore, StoreKey, StoreOptions } from './store.ts';

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
export class RequestQueue {
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
