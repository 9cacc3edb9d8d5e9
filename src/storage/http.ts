import { CryoetPicksError } from '../errors.ts';
import { type ByteRange, checkKey, type ReadableStore, type StoreKey, type StoreOptions, sliceRange } from './store.ts';

/** Options of {@link httpStore}. */
export interface HttpStoreOptions {
  /** Makes the requests. @defaultValue the platform's `fetch` */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Sent with each request; never shown in messages. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * A folder on a web server, or a public bucket, as a read-only store that cannot be listed.
 *
 * Status 404 means absent. So does 403 for a metadata file of Zarr (`.zattrs`, `.zgroup`, `.zarray`, `.zmetadata`, `zarr.json`),
 * since S3 answers it for keys that are not there where listing is not allowed, and a reader looks for either. For every
 * other key 403 is an error: a chunk whose access has expired must not be read as one that was never written. An image with
 * chunks left out therefore needs a bucket that answers 404. A server that ignores `Range` is served by cutting the part
 * out of the whole.
 *
 * @param url - The folder; a query string stays at the end of each request and is not shown in messages.
 * @throws {@link CryoetPicksError} `invalid-option` for a URL that is none; from reads, `not-found` for other statuses and for
 * a server that cannot be reached.
 * @example
 * ```ts
 * const tomogram = await openTomogram(httpStore('https://example.org/TS_5_4/denoised.zarr'));
 * ```
 */
export function httpStore(url: string | URL, options: HttpStoreOptions = {}): ReadableStore {
  const base = parseUrl(url);
  const location = `${base.origin}${base.pathname}`.replace(/\/+$/, '');
  const { fetch: request = (target, init) => fetch(target, init), headers = {} } = options;
  const send = async (key: StoreKey, extra: Record<string, string>, signal?: AbortSignal) => {
    signal?.throwIfAborted();
    const path = checkKey(key).split('/').map(encodeURIComponent).join('/');
    const where = `${location}${path}`;
    const response = () =>
      request(`${where}${base.search}`, { headers: { ...headers, ...extra }, signal: signal ?? null });
    return receive(response, { where, absent: METADATA.test(key) ? [403, 404] : [404], signal });
  };
  return {
    location,
    async get(key: StoreKey, { signal }: StoreOptions = {}) {
      return (await send(key, {}, signal))?.bytes;
    },
    async getRange(key: StoreKey, range: ByteRange, { signal }: StoreOptions = {}) {
      const isEmpty = ('suffixLength' in range ? range.suffixLength : range.length) === 0;
      // A range of nothing cannot be asked for; one byte tells whether the key is there.
      const asked = isEmpty ? { offset: 0, length: 1 } : range;
      const answer = await send(key, { Range: rangeHeader(asked) }, signal);
      if (!answer || isEmpty) return answer && new Uint8Array(0);
      return answer.isPart ? answer.bytes : sliceRange(answer.bytes, range);
    },
  };
}

const METADATA = /\/(\.z(attrs|group|array|metadata)|zarr\.json)$/;

function parseUrl(url: string | URL): URL {
  try {
    return new URL(url, globalThis.location?.href);
  } catch (cause) {
    throw new CryoetPicksError('invalid-option', `${JSON.stringify(String(url))} is not a URL`, { cause });
  }
}

function rangeHeader(range: ByteRange): string {
  if ('suffixLength' in range) return `bytes=-${range.suffixLength}`;
  return `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

interface Answer {
  readonly bytes: Uint8Array;
  readonly isPart: boolean;
}

interface ReceiveOptions {
  /** What is read, for messages. */
  readonly where: string;
  /** The statuses that mean that nothing is there. */
  readonly absent: readonly number[];
  readonly signal: AbortSignal | undefined;
}

async function receive(
  request: () => Promise<Response>,
  { where, absent, signal }: ReceiveOptions,
): Promise<Answer | undefined> {
  try {
    const response = await request();
    if (absent.includes(response.status)) {
      await response.body?.cancel();
      return undefined;
    }
    // The range lies wholly beyond the end.
    if (response.status === 416) return { bytes: new Uint8Array(0), isPart: true };
    if (response.status !== 200 && response.status !== 206) {
      await response.body?.cancel();
      throw new CryoetPicksError('not-found', `cannot read ${where}: the server answered ${describe(response)}`);
    }
    return { bytes: new Uint8Array(await response.arrayBuffer()), isPart: response.status === 206 };
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof CryoetPicksError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('not-found', `cannot read ${where}: ${reason}`, { cause });
  }
}

function describe({ status, statusText }: Response): string {
  return statusText ? `${status} ${statusText}` : `${status}`;
}
