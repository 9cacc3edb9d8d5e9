import { CryoetPicksError } from '../errors.ts';
import type { CoalesceOptions } from './coalesced.ts';
import { checkKey, type ReadableStore } from './store.ts';

/** Time and chance, for retries; a test brings its own. */
export interface HttpClock {
  /** In milliseconds. */
  now(): number;
  /** @throws The abort reason of `signal`, at once. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** From 0 up to, not including, 1. */
  random(): number;
}

/** Options of {@link httpStore}. */
export interface HttpStoreOptions extends CoalesceOptions {
  /** Makes the requests. @defaultValue the platform's `fetch` */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Sent with each request; never shown in messages. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** How often a request is made at most. @defaultValue 5 */
  readonly tries?: number | undefined;
  /** No try starts later than this after the first, in milliseconds. @defaultValue 60 000 */
  readonly retryFor?: number | undefined;
  /** A try during which no byte arrives for this long, in milliseconds, has failed. @defaultValue 30 000 */
  readonly timeout?: number | undefined;
  /** @defaultValue that of the platform */
  readonly clock?: HttpClock | undefined;
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
 * What may pass is tried again, after a pause that grows at random: a connection that fails or stalls, the statuses 408, 425,
 * 429 and 5xx (`Retry-After` is heeded), an answer that is cut short, or is another part than the one asked for. Requests are
 * merged and bounded as by `coalesced` of `cryoet-picks/volumes`, whose options hold here too.
 *
 * @param url - The folder; a query string stays at the end of each request and is not shown in messages.
 * @throws {@link CryoetPicksError} `invalid-option` for a URL that is none; from reads, `not-found` for other statuses and for
 * a server that cannot be reached, `corrupt-data` where every answer was cut short or another part.
 * @example
 * ```ts
 * const tomogram = await openTomogram(httpStore('https://example.org/TS_5_4/denoised.zarr'));
 * ```
 */
export function httpStore(url: string | URL, options: HttpStoreOptions = {}): ReadableStore {
  const base = parseUrl(url);
  const location = `${base.origin}${base.pathname}`.replace(/\/+$/, '');
  let store: Promise<ReadableStore> | undefined;
  // Loaded with the first request, so that a page that reads nothing over the network never fetches it.
  const load = async () => {
    store ??= import('./http-server.ts').then(({ serverStore }) =>
      serverStore({ location, query: base.search }, options),
    );
    return store;
  };
  return {
    location,
    get: async (key, wait) => (await load()).get(checkKey(key), wait),
    getRange: async (key, range, wait) => (await load()).getRange(checkKey(key), range, wait),
  };
}

function parseUrl(url: string | URL): URL {
  try {
    return new URL(url, globalThis.location?.href);
  } catch (cause) {
    throw new CryoetPicksError('invalid-option', `${JSON.stringify(String(url))} is not a URL`, { cause });
  }
}
