import { CryoetPicksError } from '../errors.ts';
import type { ReadableStore } from './store.ts';

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
  const { fetch: send = (target, init) => fetch(target, init), headers = {} } = options;
  const server = { location, query: base.search, send, headers };
  // Loaded with the first request, so that a page that reads nothing over the network never fetches it.
  return {
    location,
    get: async (key, { signal } = {}) => (await import('./http-request.ts')).requestWhole(server, { key, signal }),
    getRange: async (key, range, { signal } = {}) =>
      (await import('./http-request.ts')).requestRange(server, { key, range, signal }),
  };
}

function parseUrl(url: string | URL): URL {
  try {
    return new URL(url, globalThis.location?.href);
  } catch (cause) {
    throw new CryoetPicksError('invalid-option', `${JSON.stringify(String(url))} is not a URL`, { cause });
  }
}
