import { CryoetPicksError } from '../errors.ts';
import { coalesced } from './coalesced.ts';
import type { HttpStoreOptions } from './http.ts';
import { type Answer, attempt } from './http-attempt.ts';
import { type RetryRules, untilAnswered } from './http-retry.ts';
import { platformClock } from './platform-clock.ts';
import { type ByteRange, type ReadableStore, type StoreKey, type StoreOptions, sliceRange } from './store.ts';

/** Where requests go. */
export interface ServerAddress {
  /** The folder's URL without its query string. */
  readonly location: string;
  readonly query: string;
}

/** The work of `httpStore`. */
export function serverStore({ location, query }: ServerAddress, options: HttpStoreOptions): ReadableStore {
  const { fetch: send = (url, init) => fetch(url, init), headers = {}, maxGapBytes, maxBytes, maxRequests } = options;
  const { tries = 5, retryFor = 60_000, timeout = 30_000, clock = platformClock } = options;
  for (const [name, value] of Object.entries({ tries, retryFor, timeout })) {
    if (!(value >= (name === 'retryFor' ? 0 : 1)))
      throw new CryoetPicksError('invalid-option', `${name} is ${value}, expected at least 1`);
  }
  const isForeign = isForeignTo(location);
  const ask = (key: StoreKey, range: ByteRange | undefined, signal: AbortSignal | undefined) => {
    const isMetadata = METADATA.test(key);
    const where = `${location}${key.split('/').map(encodeURIComponent).join('/')}`;
    const request = { where, query, headers, range, absent: isMetadata ? [403, 404] : [404], timeout, send, isForeign };
    // A page cannot tell a file that is absent on a foreign server without CORS from a connection that fails.
    const rules: RetryRules = {
      tries,
      networkTries: isMetadata && isForeign ? Math.min(2, tries) : tries,
      retryFor,
      clock,
    };
    return untilAnswered((within) => attempt(request, within), { ...rules, where, signal });
  };
  const plain: ReadableStore = {
    location,
    get: async (key, { signal } = {}) => (await ask(key, undefined, signal))?.bytes,
    getRange: (key, range, { signal }: StoreOptions = {}) => partOf(range, (asked) => ask(key, asked, signal)),
  };
  return coalesced(plain, { maxGapBytes, maxBytes, maxRequests });
}

const METADATA = /\/(\.z(attrs|group|array|metadata)|zarr\.json)$/;

/** True in a page, or its worker, of another origin, which sees only some headers, and nothing of answers that CORS hides. */
function isForeignTo(location: string): boolean {
  const page = globalThis.location?.origin;
  return page !== undefined && new URL(location).origin !== page;
}

async function partOf(
  range: ByteRange,
  ask: (asked: ByteRange) => Promise<Answer | undefined>,
): Promise<Uint8Array | undefined> {
  const isEmpty = ('suffixLength' in range ? range.suffixLength : range.length) === 0;
  // A range of nothing cannot be asked for; one byte tells whether the key is there.
  const answer = await ask(isEmpty ? { offset: 0, length: 1 } : range);
  if (!answer || isEmpty) return answer && new Uint8Array(0);
  return answer.isPart ? answer.bytes : sliceRange(answer.bytes, range);
}
