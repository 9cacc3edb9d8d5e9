import {
  optional,
  type RulesFor,
  readableStore,
  requireArgument,
  requireOptions,
  someNumber,
} from '../core/arguments.ts';
import { onAbort } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  type ByteRange,
  checkCall,
  checkRange,
  type GetOptions,
  isListable,
  type ListableStore,
  type ReadableStore,
  type StoreKey,
} from './store.ts';

/** Options of {@link coalesced}. */
export interface CoalesceOptions {
  /**
   * Parts of a value that are no further apart than this many bytes are read in one request; 0 merges parts that touch.
   * @defaultValue 512 KiB, which takes about as long to send as a separate request
   */
  readonly maxGapBytes?: number | undefined;
  /** Maximum size of a merged request, in bytes; a single part may be larger. @defaultValue 16 MiB */
  readonly maxBytes?: number | undefined;
  /** Maximum number of requests at a time. @defaultValue 8 */
  readonly maxRequests?: number | undefined;
}

/**
 * Wraps a store so that it makes fewer requests: parts of one value that are asked for at the same time and are close together,
 * such as the chunks of a shard, are read in one request; callers that ask for the same bytes share a request; the number of
 * requests at a time is bounded, and the others wait in the order of the calls.
 *
 * Aborting affects only the caller; the shared request is aborted once every caller has aborted. Neither answers nor errors are
 * cached. `httpStore` has this built in.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for options that are too small or not numbers.
 * @example
 * ```ts
 * const tomogram = await openTomogram(coalesced(s3Store('s3://bucket/denoised.zarr'), { maxRequests: 16 }));
 * ```
 */
export function coalesced<S extends ReadableStore>(
  store: S,
  options: CoalesceOptions = {},
): S extends ListableStore ? ListableStore : ReadableStore {
  requireArgument('coalesced', 'store', store, readableStore);
  const {
    maxGapBytes = 512 * 2 ** 10,
    maxBytes = 16 * 2 ** 20,
    maxRequests = 8,
  } = requireOptions('coalesced', options, coalesceRules);
  for (const [name, value, minimum] of [
    ['maxGapBytes', maxGapBytes, 0],
    ['maxBytes', maxBytes, 1],
    ['maxRequests', maxRequests, 1],
  ] as const) {
    if (!(value >= minimum))
      throw new CryoetPicksError('invalid-option', `${name} is ${value}, expected at least ${minimum}`, {
        option: name,
      });
  }
  const queue = new RequestQueue(store, { maxGapBytes, maxBytes, maxRequests });
  const reading: ReadableStore = {
    location: store.location,
    get: async (key, options) => queue.read({ key }, checkCall('get', key, options)),
    getRange: async (key, range, options) =>
      queue.read({ key, range: checkRange(range) }, checkCall('getRange', key, options)),
  };
  const whole: ReadableStore = store;
  if (whole.size) reading.size = whole.size.bind(whole);
  const merged = isListable(whole) ? { ...reading, list: whole.list.bind(whole) } : reading;
  return merged as S extends ListableStore ? ListableStore : ReadableStore;
}

/** What the options must be; {@link coalesced} checks their minimum. */
export const coalesceRules: RulesFor<CoalesceOptions> = {
  maxGapBytes: /* @__PURE__ */ optional(someNumber),
  maxBytes: /* @__PURE__ */ optional(someNumber),
  maxRequests: /* @__PURE__ */ optional(someNumber),
};

/** A value, or a part of it. */
interface Asked {
  readonly key: StoreKey;
  readonly range?: ByteRange | undefined;
}

/** Whether a range has a length, from an offset. */
function isSpan(range: ByteRange | undefined): range is Span {
  return range !== undefined && 'offset' in range && range.length !== undefined;
}

type Bytes = Uint8Array | undefined;

/** A call that waits. */
interface Waiter extends Asked, Pick<GetOptions, 'maxValueBytes'> {
  readonly resolve: (bytes: Bytes) => void;
  readonly reject: (error: unknown) => void;
}

/** A request that was sent, and the calls that wait for it. */
interface Flight extends Asked, Pick<GetOptions, 'maxValueBytes'> {
  readonly controller: AbortController;
  readonly waiters: Set<Waiter>;
}

/** A part of a value. */
interface Span {
  readonly offset: number;
  readonly length: number;
}

/** The reads of one store: merged, shared and bounded in number. */
class RequestQueue {
  readonly #store: ReadableStore;
  readonly #limits: Required<{ [K in keyof CoalesceOptions]: number }>;
  /** In the order of the calls. */
  readonly #waiting = new Set<Waiter>();
  readonly #flights = new Set<Flight>();
  #running = 0;
  #isDue = false;

  constructor(store: ReadableStore, limits: Required<{ [K in keyof CoalesceOptions]: number }>) {
    this.#store = store;
    this.#limits = limits;
  }

  /** Reads bytes. @throws The abort reason of `signal`, at once; what the store throws. */
  read(asked: Asked, { signal, maxValueBytes }: GetOptions = {}): Promise<Bytes> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise<Bytes>((resolve, reject) => {
      const waiter: Waiter = {
        ...asked,
        maxValueBytes,
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

  /** Sends requests once all calls of this turn of the event loop are known. */
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
      const { key, maxValueBytes } = first;
      const flight = { key, range, maxValueBytes, waiters: new Set(waiters), controller: new AbortController() };
      this.#flights.add(flight);
      this.#running++;
      void this.#fly(flight);
    }
  }

  async #fly(flight: Flight): Promise<void> {
    const { key, range, maxValueBytes, waiters, controller } = flight;
    const { signal } = controller;
    try {
      const get = () => this.#store.get(key, { signal, maxValueBytes });
      const bytes = await (range ? this.#store.getRange(key, range, { signal }) : get());
      for (const waiter of waiters) waiter.resolve(bytes && part(bytes, flight, waiter));
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
    } finally {
      this.#flights.delete(flight);
      this.#running--;
      this.#start();
    }
  }

  /** The request for the first call, grown to serve others, and the calls that it serves. */
  #gather(first: Waiter): { readonly range: ByteRange | undefined; readonly waiters: readonly Waiter[] } {
    const others = [...this.#waiting].filter(({ key }) => key === first.key);
    const { range } = first;
    if (!isSpan(range)) return { range, waiters: others.filter((one) => isSame(one.range, range)) };
    const near = others.flatMap((waiter) => (isSpan(waiter.range) ? [{ waiter, ...waiter.range }] : []));
    const merged = grow(range, near, this.#limits);
    return { range: merged, waiters: near.filter((one) => isInside(one, merged)).map(({ waiter }) => waiter) };
  }
}

interface GrowLimits {
  readonly maxGapBytes: number;
  readonly maxBytes: number;
}

/** The first span joined with all that are close to it or to one another, nearest first, up to the maximum size. */
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

/** Whether the answer of a request that was sent contains what is asked for. */
function covers(flight: Flight, { key, range }: Asked): boolean {
  if (flight.key !== key) return false;
  if (isSame(flight.range, range)) return true;
  const outer = flight.range;
  return isSpan(outer) && isSpan(range) && isInside(range, outer);
}

/** The bytes for one call. A part is copied, so that the rest of the answer can be freed. */
function part(bytes: Uint8Array, flight: Flight, { range }: Asked): Uint8Array {
  if (isSame(flight.range, range) || !isSpan(range) || !isSpan(flight.range)) return bytes;
  const from = range.offset - flight.range.offset;
  return bytes.slice(from, from + range.length);
}
