import { CryoetPicksError } from '../../core/errors.ts';
import { decodedSegment } from '../../storage/address.ts';
import { httpStore } from '../../storage/http.ts';
import { type S3StoreOptions, s3Store } from '../../storage/s3.ts';
import type { ReadableStore, StoreKey } from '../../storage/store.ts';

/** Access to local folders, which exists in Node only. */
export interface LocalFolders {
  /** The `file:` URL of a path, without a trailing slash. */
  readonly urlOf: (path: string) => string;
  /** The folder at a `file:` URL. */
  readonly open: (url: string) => ReadableStore;
}

/** How the files of a Croissant are requested. */
export interface CroissantAccess {
  /** Makes the requests. @defaultValue the platform's `fetch` */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Sent to the servers of the Croissant and of `baseUrl` only; never shown in messages. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The server of `s3://` addresses, if not Amazon. */
  readonly s3?: Pick<S3StoreOptions, 'endpoint' | 'region' | 'addressing'> | undefined;
  /** Access to local folders; without it, addresses of local files are an error. */
  readonly local?: LocalFolders | undefined;
}

const isWeb = (url: string) => /^(https?|s3a?):\/\//i.test(url);
const isLocal = (url: string) => /^file:/i.test(url);
const isS3 = (url: string) => /^s3a?:/i.test(url);

/** The folder at a URL, as a store. `trusted` are the URLs whose servers may receive the headers. */
export function openFolder(url: string, access: CroissantAccess, trusted: readonly string[]): ReadableStore {
  const { fetch, headers, s3 = {}, local } = access;
  if (isS3(url)) return s3Store(url, { ...s3, fetch });
  if (isLocal(url) && local !== undefined) return local.open(url);
  const { origin } = new URL(url);
  const mayKnow = trusted.some((one) => /^https?:/i.test(one) && new URL(one).origin === origin);
  return httpStore(url, { fetch, headers: mayKnow ? headers : undefined });
}

/** A file, as its folder and its key in that folder. */
export interface FileAddress {
  readonly folder: string;
  readonly key: StoreKey;
}

/** Splits the URL of a file into the URL of its folder and its name. */
export function splitUrl(url: string): FileAddress {
  const query = isS3(url) ? '' : (/\?.*$/s.exec(url)?.[0] ?? '');
  const path = url.slice(0, url.length - query.length);
  const cut = path.lastIndexOf('/');
  const name = path.slice(cut + 1);
  return { folder: `${path.slice(0, cut)}${query}`, key: `/${isS3(url) ? name : decodedSegment(name)}` };
}

/**
 * The URL of a file or folder below another. Segments are plain names, not yet encoded; a query of the base stays at the end.
 */
export function joinUrl(base: string, segments: readonly string[]): string {
  const query = isS3(base) ? '' : (/\?.*$/s.exec(base)?.[0] ?? '');
  const path = base.slice(0, base.length - query.length).replace(/\/+$/, '');
  return `${[path, ...(isS3(base) ? segments : segments.map(encodeURIComponent))].join('/')}${query}`;
}

/**
 * The URL of an absolute address: a URL, or a local path if there is access to local folders.
 *
 * @throws {@link CryoetPicksError} `unsupported` for other schemes, and for local files without access to them;
 *   `invalid-metadata` for an address that is not a URL.
 */
export function absoluteUrl(address: string, { local }: CroissantAccess, what: string): string {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(address)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === 'file' || scheme === 'local') {
    if (local !== undefined) return local.urlOf(address);
    throw new CryoetPicksError('unsupported', `${what} is a local path, which a Croissant on the web cannot use`);
  }
  if (!isWeb(address)) {
    throw new CryoetPicksError('unsupported', `${what} lies on "${scheme}:", expected https:// or s3://`);
  }
  if (isS3(address)) return address.replace(/\/+$/, '');
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || url.username !== '' || url.password !== '') {
    throw new CryoetPicksError('invalid-metadata', `${what} is not a URL, or contains a user`);
  }
  url.hash = '';
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}${url.search}`;
}

/** Options of {@link resolveCell}. */
export interface ResolveCellOptions {
  /** The base of relative addresses. */
  readonly base: string;
  readonly access: CroissantAccess;
}

/**
 * The URL in a cell of a table, relative to the base or absolute.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` for a cell that leaves the base by `..` or names a local file outside it.
 */
export function resolveCell(cell: string, { base, access }: ResolveCellOptions): string {
  const isPath = /^([/\\]|[a-z]:|(?:file|local):)/i.test(cell);
  if (isPath) {
    const url = isLocal(base) && access.local !== undefined ? access.local.urlOf(cell) : undefined;
    if (url?.startsWith(`${base}/`)) return url;
    throw new CryoetPicksError(
      'invalid-metadata',
      'its url is the path of a local file outside the data of the Croissant',
    );
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(cell)) return absoluteUrl(cell, access, 'its url');
  const segments = cell.replace(/\/+$/, '').split('/');
  if (segments.some((one) => one === '' || one === '.' || one === '..' || one.includes('\\') || one.includes('\0'))) {
    throw new CryoetPicksError(
      'invalid-metadata',
      'its url is not a plain path: it contains "..", ".", "\\" or an empty name',
    );
  }
  return joinUrl(base, segments);
}
