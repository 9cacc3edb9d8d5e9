import {
  bound,
  callback,
  isFields,
  optional,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  url as urlRule,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type CoalesceOptions, coalesced, coalesceRules } from './coalesce.ts';
import { type Answer, type RetryRules, requestOnce, untilAnswered } from './http-request.ts';
import {
  type ByteRange,
  boundRules,
  checkCall,
  checkRange,
  type GetOptions,
  METADATA,
  type ReadableStore,
  type StoreKey,
  type ValueBounds,
  valueBounds,
} from './store.ts';

/** Options of {@link httpStore}. */
export interface HttpStoreOptions extends CoalesceOptions, ValueBounds {
  /** Makes the requests. @defaultValue the platform's `fetch` */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Sent with each request; never part of messages. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The maximum number of tries of a request. @defaultValue 5 */
  readonly tries?: number | undefined;
  /** No try starts later than this after the first, in milliseconds. @defaultValue 60 000 */
  readonly retryFor?: number | undefined;
  /**
   * A try during which no byte arrives for this long, in milliseconds, has failed; so has one that brings fewer than 1 kB/s over
   * this long, or over 30 s if that is shorter. A steady transfer may take any time; `Infinity` sets no limit at all.
   * @defaultValue 30 000
   */
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
 * merged and bounded as by `coalesced` of `cryoet-picks/io`, whose options apply here too. Redirects are followed, ten at most.
 *
 * A file that changes while it is read throws `corrupt-data`: if its length differs from that of an earlier answer, or if all of
 * its strong `ETag` and `Last-Modified` that both answers have do. Metadata files of Zarr, `.json` files and hidden files (records of
 * this library beside picks) are read whole in one answer, so they may change. The store sends no conditional requests: across
 * origins they would need a preflight.
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
  requireArgument('httpStore', 'url', url, urlRule);
  requireOptions('httpStore', options, httpRules);
  const base = parseUrl(url);
  const location = `${base.origin}${base.pathname}`.replace(/\/+$/, '');
  const versions = new KnownVersions();
  const store = serverStore({ location, query: base.search, versions }, options);
  return {
    location,
    get: async (key, wait) => store.get(key, checkCall('get', key, wait)),
    getRange: async (key, range, wait) => store.getRange(key, checkRange(range), checkCall('getRange', key, wait)),
    size: async (key, wait) => store.size?.(key, checkCall('size', key, wait)),
    refresh: () => versions.clear(),
  };
}

const atLeastOne: Rule = { expected: 'a number ≥ 1', isValid: (value) => typeof value === 'number' && value >= 1 };

/** What the options of stores on the web must be; their bounds are checked where they apply. */
export const httpRules: RulesFor<HttpStoreOptions> = {
  fetch: /* @__PURE__ */ optional(callback),
  headers: {
    expected: 'header values by name, as HTTP allows them: no space in a name, no line break in a value',
    isValid: (value) => value === undefined || (isFields(value) && Object.entries(value).every(isHeader)),
  },
  tries: /* @__PURE__ */ optional(atLeastOne),
  retryFor: /* @__PURE__ */ optional(bound),
  timeout: /* @__PURE__ */ optional(atLeastOne),
  ...coalesceRules,
  ...boundRules,
};

function isHeader([name, value]: readonly [string, unknown]): boolean {
  if (typeof value !== 'string') return false;
  try {
    new Headers([[name, value]]);
    return true;
  } catch {
    return false;
  }
}

function parseUrl(url: string | URL): URL {
  try {
    return new URL(url, globalThis.location?.href);
  } catch (cause) {
    throw new CryoetPicksError('invalid-option', `${JSON.stringify(String(url))} is not a URL`, { cause });
  }
}

/** A folder on a server. */
interface ServerFolder {
  /** The folder's URL without its query string. */
  readonly location: string;
  readonly query: string;
  readonly versions: KnownVersions;
}

const CORS_HINT =
  'a page may read another server only if the answers allow that (CORS: Access-Control-Allow-Origin), and cannot see whether they do';

/** The store of a folder, whose keys are not checked. */
function serverStore({ location, query, versions }: ServerFolder, options: HttpStoreOptions): ReadableStore {
  const { fetch: send = (url, init) => fetch(url, init), headers = {}, maxGapBytes, maxBytes, maxRequests } = options;
  const { tries = 5, retryFor = 60_000, timeout = 30_000 } = options;
  const boundOf = valueBounds(options);
  const isForeign = isForeignTo(location);
  const ask = async (key: StoreKey, range: ByteRange | undefined, wait: GetOptions, method = 'GET') => {
    const { signal } = wait;
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
      bound: boundOf(key, wait),
      isForeign,
    };
    // On another server without CORS, a page cannot tell a file that is absent from a connection that fails.
    const mayBeAbsent = isMetadata && isForeign;
    const rules: RetryRules = {
      tries,
      networkTries: mayBeAbsent ? Math.min(2, tries) : tries,
      networkCode: mayBeAbsent ? 'not-found' : 'unavailable',
      networkHint: isForeign ? CORS_HINT : undefined,
      retryFor,
    };
    const answer = await untilAnswered(() => requestOnce(request, signal), { ...rules, where, signal });
    if (answer && method === 'GET') versions.check(key, answer, where);
    return answer;
  };
  const plain: ReadableStore = {
    location,
    get: async (key, wait = {}) => (await ask(key, undefined, wait))?.bytes,
    getRange: (key, range, wait = {}) => partOf(range, (asked) => ask(key, asked, wait)),
    size: async (key, wait = {}) => {
      const answer = await ask(key, { offset: 0, length: 1 }, wait);
      // From a server of another origin a page may not read the total length of a part, but that of the whole value.
      return answer && (answer.total ?? (await ask(key, undefined, wait, 'HEAD'))?.total);
    },
  };
  return coalesced(plain, { maxGapBytes, maxBytes, maxRequests });
}

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
  return answer && isEmpty ? new Uint8Array(0) : answer?.bytes;
}

/** What an answer says about the version of a value. */
type Version = Pick<Answer, 'total' | 'etag' | 'modified'>;

/** Keys whose versions are remembered; beyond them the oldest are forgotten. */
const MAX_KNOWN = 100_000;

/** Values of which each answer is whole. */
const READ_WHOLE = /(\/\.[^/]*|\.json)$/;

/** The versions of the values that were read, by which a value that changes between two reads is noticed. */
class KnownVersions {
  readonly #known = new Map<StoreKey, Version>();

  clear(): void {
    this.#known.clear();
  }

  /** Compares an answer with the earlier ones for its key. @throws {@link CryoetPicksError} `corrupt-data` if the value has changed. */
  check(key: StoreKey, { total, etag, modified }: Version, path: string): void {
    if (READ_WHOLE.test(key)) return;
    const known = this.#known.get(key);
    const change = known && changeOf(known, { total, etag, modified });
    if (change !== undefined) {
      const message = `${path} has changed while it was read: ${change}; open it again`;
      throw new CryoetPicksError('corrupt-data', message, { path });
    }
    this.#known.delete(key);
    this.#known.set(key, {
      total: known?.total ?? total,
      etag: known?.etag ?? etag,
      modified: known?.modified ?? modified,
    });
    if (this.#known.size > MAX_KNOWN) this.#known.delete(this.#known.keys().next().value!);
  }
}

/** What tells two versions apart. Mirrors may differ in one validator for the same file, but hardly in all. */
function changeOf(known: Version, now: Version): string | undefined {
  if (known.total !== undefined && now.total !== undefined && known.total !== now.total)
    return `it had ${known.total} bytes and has ${now.total} now`;
  const both = (['etag', 'modified'] as const).filter((name) => known[name] !== undefined && now[name] !== undefined);
  if (both.length === 0 || both.some((name) => known[name] === now[name])) return undefined;
  const names = { etag: 'ETag', modified: 'Last-Modified' } as const;
  return both.map((name) => `its ${names[name]} was ${known[name]} and is ${now[name]} now`).join(', ');
}
