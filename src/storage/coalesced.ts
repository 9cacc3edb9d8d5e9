import { CryoetPicksError } from '../errors.ts';
import { RequestQueue } from './request-queue.ts';
import { isListable, type ListableStore, type ReadableStore } from './store.ts';

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
 * const tomogram = await openTomogram(coalesced(myBucketStore, { maxRequests: 16 }));
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
      throw new CryoetPicksError('invalid-option', `${name} is ${value}, expected at least ${least}`);
  }
  const queue = new RequestQueue(store, { maxGapBytes, maxBytes, maxRequests });
  const reading: ReadableStore = {
    location: store.location,
    get: (key, options) => queue.read({ key }, options),
    getRange: (key, range, options) => queue.read({ key, range }, options),
  };
  const whole: ReadableStore = store;
  const merged = isListable(whole) ? { ...reading, list: whole.list.bind(whole) } : reading;
  return merged as S extends ListableStore ? ListableStore : ReadableStore;
}
