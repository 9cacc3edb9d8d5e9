import { XMLParser, XMLValidator } from 'fast-xml-parser';
import {
  oneOf,
  optional,
  type RulesFor,
  requireArgument,
  requireOptions,
  text,
  url as urlRule,
} from '../core/arguments.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { decodeText, showJson } from '../core/json.ts';
import { type HttpStoreOptions, httpRules, httpStore } from './http.ts';
import { exchange, type RetryRules, statusFailure, untilAnswered } from './http-request.ts';
import type { RequestFailure } from './retry.ts';
import { type BucketAddress, bucketAddress, type S3AddressOptions } from './s3-address.ts';
import {
  checkCall,
  checkKey,
  compareNames,
  type ListableStore,
  type StoreEntry,
  type StoreKey,
  type ValueBound,
  valueBounds,
} from './store.ts';

/** Options of {@link s3Store}. */
export interface S3StoreOptions extends HttpStoreOptions, S3AddressOptions {}

/**
 * A folder of a public bucket as a read-only store that can be listed: of Amazon's S3, or of any server that supports
 * ListObjectsV2, over HTTP and without credentials.
 *
 * Slashes in keys separate folders. Values are read, and requests made again, as by {@link httpStore}. An `https://` URL of a host
 * other than Amazon's is read as `https://host/bucket/folder`; with `addressing: 'virtual'` the whole host is the bucket.
 *
 * @param url - `s3://bucket/folder`, or the `https://` URL of the folder.
 * @throws {@link CryoetPicksError} `invalid-option` if the URL has no bucket name; from listing, `not-found` where there is no
 *   such bucket; `unavailable` where it lies in another region, the public may not list it, or the server cannot be reached;
 *   `unsupported` where the server does not answer as a bucket does.
 * @example
 * ```ts
 * const store = s3Store('s3://cryoet-data-portal-public/10440', { region: 'us-west-2' });
 * for (const { name, kind } of await store.list('/')) console.log(kind, name);
 * ```
 */
export function s3Store(url: string | URL, options: S3StoreOptions = {}): ListableStore {
  requireArgument('s3Store', 'url', url, urlRule);
  requireOptions('s3Store', options, { ...httpRules, ...s3Rules });
  const address = bucketAddress(url, options);
  const { fetch: send = (target, init) => fetch(target, init), headers = {} } = options;
  const folder = address.prefix.split('/').map(encodeURIComponent).join('/');
  const { get, getRange, refresh } = httpStore(`${address.endpoint}/${folder}${address.query}`, {
    ...options,
    fetch: send,
    headers,
  });
  const { tries = 5, retryFor = 60_000, timeout = 30_000 } = options;
  // A host that does not exist shows on the first or second try.
  const rules = { tries, networkTries: Math.min(2, tries), retryFor };
  // A page of a listing is bounded as metadata are.
  const bound = valueBounds(options)('/zarr.json');
  return {
    location: address.location,
    get,
    getRange,
    ...(refresh && { refresh }),
    list: async (key, wait) => {
      const { signal } = checkCall('list', key, wait);
      return listBucket({ address, send, headers, timeout, bound, rules }, { folder: key, signal });
    },
  };
}

/** What the options of buckets must be. */
export const s3Rules: RulesFor<S3AddressOptions> = {
  addressing: /* @__PURE__ */ oneOf('path', 'virtual', undefined),
  endpoint: /* @__PURE__ */ optional(text),
  region: /* @__PURE__ */ optional(text),
};

/** A bucket, and how to send requests to it. */
export interface Bucket {
  readonly address: BucketAddress;
  readonly send: (url: string, init: RequestInit) => Promise<Response>;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeout: number;
  /** The maximum size of a page of a listing. */
  readonly bound: ValueBound;
  readonly rules: RetryRules;
}

interface ListRequest {
  readonly folder: StoreKey;
  readonly signal: AbortSignal | undefined;
}

/** The direct children of a folder, page by page. */
async function listBucket(bucket: Bucket, { folder, signal }: ListRequest): Promise<readonly StoreEntry[]> {
  const prefix = `${bucket.address.prefix}${checkKey(folder) === '/' ? '' : `${folder.slice(1)}/`}`;
  const kinds = new Map<string, StoreEntry['kind']>();
  const tokens = new Set<string>();
  for (let token: string | undefined, more = true; more; ) {
    const page = await listPage(bucket, { prefix, token, signal });
    for (const key of page.files) addChild(kinds, key.slice(prefix.length), 'file');
    for (const key of page.folders) addChild(kinds, key.slice(prefix.length, -1), 'folder');
    token = page.next;
    more = token !== undefined;
    if (token !== undefined && tokens.has(token)) {
      throw new CryoetPicksError(
        'unsupported',
        `cannot list ${whereOf(bucket, prefix)}: the server repeats the same page`,
      );
    }
    if (token !== undefined) tokens.add(token);
  }
  return [...kinds].map(([name, kind]) => ({ name, kind })).sort((a, b) => compareNames(a.name, b.name));
}

/** Ignores names that a key of a store cannot have, and the empty one, which is the folder itself. */
function addChild(kinds: Map<string, StoreEntry['kind']>, name: string, kind: StoreEntry['kind']): void {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) return;
  kinds.set(name, kind);
}

interface PageRequest {
  readonly prefix: string;
  readonly token: string | undefined;
  readonly signal: AbortSignal | undefined;
}

interface Page {
  readonly files: readonly string[];
  readonly folders: readonly string[];
  /** The token of the next page, if any. */
  readonly next: string | undefined;
}

async function listPage(bucket: Bucket, request: PageRequest): Promise<Page> {
  const { address, bound, rules } = bucket;
  const { prefix, token, signal } = request;
  const where = whereOf(bucket, prefix);
  const query = Object.entries({
    'list-type': '2',
    delimiter: '/',
    'encoding-type': 'url',
    prefix,
    ...(token === undefined ? {} : { 'continuation-token': token }),
  }).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  const sent = { ...bucket, url: `${address.endpoint}/?${query.join('&')}`, method: 'GET' };
  const list = () =>
    exchange(sent, signal, async (response, read) => {
      const { bytes } = await read({ bound: { ...bound, path: where } });
      if (response.status === 200) return bytes;
      // Words for people, so bytes that are not UTF-8 do not matter.
      const text = new TextDecoder().decode(bytes);
      throw statusFailure(response, listingError(bucket, { where, response, text }));
    });
  const toError = ({ message, cause }: RequestFailure) =>
    isCryoetPicksError(cause)
      ? cause
      : new CryoetPicksError('unavailable', `cannot list ${where}: ${message}`, { cause, path: where });
  const bytes = await untilAnswered(list, { ...rules, where, toError, signal });
  const text = decodeText(bytes, { what: `the list of ${where}`, code: 'unsupported', path: where });
  return parsePage(text, { where, prefix });
}

function whereOf({ address }: Bucket, prefix: string): string {
  return `${address.location.replace(/\/+$/, '')}/${prefix.slice(address.prefix.length)}`;
}

function parsePage(text: string, { where, prefix }: { readonly where: string; readonly prefix: string }): Page {
  const { ListBucketResult: result } = parseXml(text);
  if (result === undefined) {
    throw new CryoetPicksError(
      'unsupported',
      `cannot list ${where}: the server does not answer as a bucket does (ListObjectsV2)`,
    );
  }
  const isEncoded = childText(result, 'EncodingType') === 'url';
  const keysOf = (list: string, name: string) =>
    (typeof result === 'string' ? [] : ((result[list] ?? []) as readonly Element[]))
      .map((element) => decodeKey(childText(element, name) ?? '', isEncoded, where))
      .filter((key) => key.startsWith(prefix));
  const next = childText(result, 'NextContinuationToken') || undefined;
  if (childText(result, 'IsTruncated')?.trim() === 'true' && next === undefined) {
    throw new CryoetPicksError('unsupported', `cannot list ${where}: the first page has no token for the next one`);
  }
  const isLast = childText(result, 'IsTruncated')?.trim() !== 'true';
  return {
    files: keysOf('Contents', 'Key'),
    folders: keysOf('CommonPrefixes', 'Prefix'),
    next: isLast ? undefined : next,
  };
}

/** Servers encode keys as in forms, with a plus for a space. */
function decodeKey(key: string, isEncoded: boolean, where: string): string {
  if (!isEncoded) return key;
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch (cause) {
    const found = `the key ${showJson(key)} is not encoded, although the server says so`;
    throw new CryoetPicksError('unsupported', `cannot list ${where}: ${found}`, { cause });
  }
}

interface Refused {
  readonly where: string;
  readonly response: Response;
  readonly text: string;
}

/** The error for an answer other than a listing: what it means, and what would work. */
function listingError({ address }: Bucket, { where, response, text }: Refused): CryoetPicksError {
  const { Error: error } = parseXml(text);
  const code = childText(error, 'Code') ?? '';
  const { bucket } = address;
  const elsewhere = `bucket "${bucket}" is in another region${regionOf(response, error)}`;
  const reasons: Readonly<Record<string, string>> = {
    NoSuchBucket: `there is no bucket "${bucket}"`,
    AccessDenied: `bucket "${bucket}" may not be listed by the public; only public buckets can be read here, without credentials`,
    AllAccessDisabled: `bucket "${bucket}" is closed`,
    PermanentRedirect: elsewhere,
    TemporaryRedirect: elsewhere,
    AuthorizationHeaderMalformed: elsewhere,
    IllegalLocationConstraintException: elsewhere,
  };
  const { status, statusText } = response;
  const answer = [status, statusText, /^\w+$/.test(code) ? code : ''].filter(Boolean).join(' ');
  const reason = Object.hasOwn(reasons, code) ? `${reasons[code]} (${answer})` : `the server answered ${answer}`;
  const isAbsent = code === 'NoSuchBucket' || status === 404;
  return new CryoetPicksError(isAbsent ? 'not-found' : 'unavailable', `cannot list ${where}: ${reason}`, {
    path: where,
  });
}

/** The region in the answer: in a header, an element, or the host to send requests to. */
function regionOf(response: Response, error: Element | undefined): string {
  const host = childText(error, 'Endpoint') ?? '';
  const found =
    response.headers.get('x-amz-bucket-region') ??
    childText(error, 'Region') ??
    /(?:^|\.)s3[.-](?:dualstack\.)?([a-z0-9-]+)\.amazonaws\.com/.exec(host)?.[1];
  return found && /^[a-z0-9-]+$/.test(found)
    ? `, "${found}"; give it as region_name or \`region\``
    : '; give the right one';
}

/** An element of the answer: text, or elements by name; elements that may repeat are lists. */
type Element = string | { readonly [name: string]: Element | readonly Element[] | undefined };

const parser = {
  parseTagValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  isArray: (name: string) => name === 'Contents' || name === 'CommonPrefixes',
};

/** The root element of the answer, if it is XML without a DOCTYPE, whose entities could grow without bounds. */
function parseXml(text: string): Readonly<Record<string, Element | undefined>> {
  if (/<!DOCTYPE/i.test(text) || XMLValidator.validate(text) !== true) return {};
  try {
    return new XMLParser(parser).parse(text) as Record<string, Element>;
  } catch {
    return {};
  }
}

/** The text of a child element, if there is one. */
function childText(element: Element | undefined, name: string): string | undefined {
  const child = typeof element === 'object' && Object.hasOwn(element, name) ? element[name] : undefined;
  return typeof child === 'string' ? child : undefined;
}
