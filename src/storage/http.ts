import { CryoetPicksError } from '../core/errors.ts';
import { type CoalesceOptions, coalesced } from './coalesce.ts';
import { type Answer, type RetryRules, requestOnce, untilAnswered } from './http-request.ts';
import { type ByteRange, checkKey, type ReadableStore, type StoreKey, sliceRange } from './store.ts';

/** Options of {@link httpStore}. */
export interface HttpStoreOptions extends CoalesceOptions {
  /** Makes the requests. @defaultValue the platform's `fetch` */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Sent with each request; never part of messages. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The maximum number of tries of a request. @defaultValue 5 */
  readonly tries?: number | undefined;
  /** No try starts later than this after the first, in milliseconds. @defaultValue 60 000 */
  readonly retryFor?: number | undefined;
  /** A try during which no byte arrives for this long, in milliseconds, has failed. @defaultValue 30 000 */
  readonly timeout?: number | undefined;
}

/**
 * A folder on a web server, or a public bucket, as a read-only store that cannot be listed.
 *
 * Status 404 means absent. So does 403 for a metadata file of Zarr (`.zattrs`, `.zgroup`, `.zarray`, `.zmetadata`, `zarr.json`),
 * because S3 answers 403 for absent keys of buckets that may not be listed. For every other key 403 is an error: a chunk whose
 * access has expired must not be read as one that was never written. An image with missing chunks therefore needs a bucket
 * that answers 404. If a server ignores `Range`, the part is cut out of the whole value.
 *
 * A request is made again, after a random pause that grows, if the connection fails or stalls, for the statuses 408, 425, 429
 * and 5xx (after at least `Retry-After`), and if the answer is incomplete or another part than was asked for. Requests are
 * merged and bounded as by `coalesced` of `cryoet-picks/io`, whose options apply here too.
 *
 * @param url - The folder; a query string is sent with each request and is not part of messages.
 * @throws {@link CryoetPicksError} `invalid-option` if `url` is not a URL; from reads, `unavailable` for other statuses and for
 * a server that cannot be reached (in a page, `not-found` for a metadata file of another origin, which may just be absent),
 * `corrupt-data` if every answer was incomplete or another part.
 * @example
 * ```ts
 * const tomogram = await openTomogram(httpStore('https://example.org/TS_5_4/denoised.zarr'));
 * ```
 */
export function httpStore(url: string | URL, options: HttpStoreOptions = {}): ReadableStore {
  const base = parseUrl(url);
  const location = `${base.origin}${base.pathname}`.replace(/\/+$/, '');
  const store = serverStore({ location, query: base.search }, options);
  return {
    location,
    get: async (key, wait) => store.get(checkKey(key), wait),
    getRange: async (key, range, wait) => store.getRange(checkKey(key), range, wait),
    size: async (key, wait) => store.size?.(checkKey(key), wait),
  };
}

function parseUrl(url: string | URL): URL {
  try {
    return new URL(url, globalThis.location?.href);
  } catch (cause) {
    throw new CryoetPicksError('invalid-option', `${JSON.stringify(String(url))} is not a URL`, { cause });
  }
}

/** The address of a folder. */
export interface ServerAddress {
  /** The folder's URL without its query string. */
  readonly location: string;
  readonly query: string;
}

/** The store of a folder, whose keys are not checked. */
function serverStore({ location, query }: ServerAddress, options: HttpStoreOptions): ReadableStore {
  const { fetch: send = (url, init) => fetch(url, init), headers = {}, maxGapBytes, maxBytes, maxRequests } = options;
  const { tries = 5, retryFor = 60_000, timeout = 30_000 } = options;
  for (const [name, value] of Object.entries({ tries, retryFor, timeout })) {
    if (!(value >= (name === 'retryFor' ? 0 : 1)))
      throw new CryoetPicksError(
        'invalid-option',
        `${name} is ${value}, expected at least ${name === 'retryFor' ? 0 : 1}`,
        { option: name },
      );
  }
  const isForeign = isForeignTo(location);
  const ask = (key: StoreKey, range: ByteRange | undefined, signal: AbortSignal | undefined, method = 'GET') => {
    const isMetadata = METADATA.test(key);
    const where = `${location}${key.split('/').map(encodeURIComponent).join('/')}`;
    const request = {
      where,
      method,
      query,
      headers,
      range,
      absent: isMetadata ? [403, 404] : [404],
      timeout,
      send,
      isForeign,
    };
    // On another server without CORS, a page cannot tell a file that is absent from a connection that fails.
    const mayBeAbsent = isMetadata && isForeign;
    const rules: RetryRules = {
      tries,
      networkTries: mayBeAbsent ? Math.min(2, tries) : tries,
      networkCode: mayBeAbsent ? 'not-found' : 'unavailable',
      retryFor,
    };
    return untilAnswered(() => requestOnce(request, signal), { ...rules, where, signal });
  };
  const plain: ReadableStore = {
    location,
    get: async (key, { signal } = {}) => (await ask(key, undefined, signal))?.bytes,
    getRange: (key, range, { signal } = {}) => partOf(range, (asked) => ask(key, asked, signal)),
    size: async (key, { signal } = {}) => {
      const answer = await ask(key, { offset: 0, length: 1 }, signal);
      // From a server of another origin a page may not read the total length of a part, but that of the whole value.
      return answer && (answer.total ?? (await ask(key, undefined, signal, 'HEAD'))?.total);
    },
  };
  return coalesced(plain, { maxGapBytes, maxBytes, maxRequests });
}

const METADATA = /\/(\.z(attrs|group|array|metadata)|zarr\.json)$/;

/** True in a page, or its worker, of another origin than the server: it can read only some headers, and no answer that CORS hides. */
function isForeignTo(location: string): boolean {
  const page = globalThis.location?.origin;
  return page !== undefined && new URL(location).origin !== page;
}

async function partOf(
  range: ByteRange,
  ask: (asked: ByteRange) => Promise<Answer | undefined>,
): Promise<Uint8Array | undefined> {
  const isEmpty = ('suffixLength' in range ? range.suffixLength : range.length) === 0;
  // An empty range cannot be requested; one byte shows whether the key exists.
  const answer = await ask(isEmpty ? { offset: 0, length: 1 } : range);
  if (!answer || isEmpty) return answer && new Uint8Array(0);
  return answer.isPart ? answer.bytes : sliceRange(answer.bytes, range);
}
