import { type HttpStoreOptions, httpStore } from './http.ts';
import { platformClock } from './platform-clock.ts';
import { bucketAddress, type S3AddressOptions } from './s3-address.ts';
import type { ListableStore } from './store.ts';

export type { S3Addressing, S3AddressOptions } from './s3-address.ts';

/** Options of {@link s3Store}. */
export interface S3StoreOptions extends HttpStoreOptions, S3AddressOptions {}

/**
 * A folder of a public bucket as a read-only store that can be listed: Amazon's S3, or any server that speaks its
 * ListObjectsV2, over HTTP and without credentials.
 *
 * Folders are what slashes in keys make of them. Values are read, and failures that may pass tried again, as {@link httpStore} does. An `https://` URL of another
 * host than Amazon's is taken for `https://host/bucket/folder`; with `addressing: 'virtual'` the whole host is the bucket.
 *
 * @param url - `s3://bucket/folder`, or the `https://` URL of the folder.
 * @throws {@link CryoetPicksError} `invalid-option` for a URL that names no bucket; from listing, `not-found` where there is no
 *   such bucket, it lies in another region, it may not be listed by all, or the server cannot be reached; `unsupported` where
 *   the server answers otherwise than a bucket does.
 * @example
 * ```ts
 * const store = s3Store('s3://cryoet-data-portal-public/10440', { region: 'us-west-2' });
 * for (const { name, kind } of await store.list('/')) console.log(kind, name);
 * ```
 */
export function s3Store(url: string | URL, options: S3StoreOptions = {}): ListableStore {
  const address = bucketAddress(url, options);
  const { fetch: send = (target, init) => fetch(target, init), headers = {} } = options;
  const folder = address.prefix.split('/').map(encodeURIComponent).join('/');
  const { get, getRange } = httpStore(`${address.endpoint}/${folder}${address.query}`, {
    ...options,
    fetch: send,
    headers,
  });
  const { tries = 5, retryFor = 60_000, clock = platformClock } = options;
  // A host that is not there shows at once, or on the second try.
  const rules = { tries, networkTries: Math.min(2, tries), retryFor, clock };
  return {
    location: address.location,
    get,
    getRange,
    list: async (key, { signal } = {}) =>
      (await import('./s3-listing.ts')).listBucket({ address, send, headers, rules }, { folder: key, signal }),
  };
}
