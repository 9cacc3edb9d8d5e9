import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import { showJson } from '../json.ts';
import { compareNames } from './children.ts';
import { refusalOf } from './http-attempt.ts';
import { type Failure, type RetryRules, untilAnswered } from './http-retry.ts';
import type { BucketAddress } from './s3-address.ts';
import { childText, type Element, parseXml } from './s3-xml.ts';
import { checkKey, type StoreEntry, type StoreKey } from './store.ts';

/** A bucket, and how it is asked. */
export interface Bucket {
  readonly address: BucketAddress;
  readonly send: (url: string, init: RequestInit) => Promise<Response>;
  readonly headers: Readonly<Record<string, string>>;
  readonly rules: RetryRules;
}

interface ListRequest {
  readonly folder: StoreKey;
  readonly signal: AbortSignal | undefined;
}

/** The direct children of a folder, page by page. */
export async function listBucket(bucket: Bucket, { folder, signal }: ListRequest): Promise<readonly StoreEntry[]> {
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
        `${whereOf(bucket, prefix)}: the server lists the same page again and again`,
      );
    }
    if (token !== undefined) tokens.add(token);
  }
  return [...kinds].map(([name, kind]) => ({ name, kind })).sort((a, b) => compareNames(a.name, b.name));
}

/** Names that no key of a store can have are passed over, as is the empty one that marks the folder itself. */
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
  /** The token of the next page, if there is one. */
  readonly next: string | undefined;
}

async function listPage(bucket: Bucket, request: PageRequest): Promise<Page> {
  const { address, send, headers, rules } = bucket;
  const { prefix, token, signal } = request;
  const where = whereOf(bucket, prefix);
  const query = Object.entries({
    'list-type': '2',
    delimiter: '/',
    'encoding-type': 'url',
    prefix,
    ...(token === undefined ? {} : { 'continuation-token': token }),
  }).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  const attempt = async (within: AbortSignal | undefined): Promise<{ answer: string } | { failure: Failure }> => {
    try {
      const response = await send(`${address.endpoint}/?${query.join('&')}`, { headers, signal: within ?? null });
      const text = await response.text();
      if (response.status === 200) return { answer: text };
      const cause = refusal(bucket, { where, response, text });
      return { failure: { ...refusalOf(response), cause } };
    } catch (cause) {
      within?.throwIfAborted();
      const what = cause instanceof Error ? cause.message : String(cause);
      const error = new CryoetPicksError('not-found', `cannot list ${where}: ${what}`, { cause });
      return { failure: { kind: 'network', what, mayPass: true, cause: error } };
    }
  };
  try {
    return parsePage(await untilAnswered(attempt, { ...rules, where, signal }), { where, prefix });
  } catch (error) {
    // What the server said is the cause of what retrying made of it.
    if (isCryoetPicksError(error) && isCryoetPicksError(error.cause)) throw error.cause;
    throw error;
  }
}

function whereOf({ address }: Bucket, prefix: string): string {
  return `${address.location.replace(/\/+$/, '')}/${prefix.slice(address.prefix.length)}`;
}

function parsePage(text: string, { where, prefix }: { readonly where: string; readonly prefix: string }): Page {
  const { ListBucketResult: result } = parseXml(text);
  if (result === undefined) {
    throw new CryoetPicksError(
      'unsupported',
      `cannot list ${where}: the server does not answer as a bucket does (ListObjectsV2), so its folders are unknown`,
    );
  }
  const isEncoded = childText(result, 'EncodingType') === 'url';
  const keysOf = (list: string, name: string) =>
    (typeof result === 'string' ? [] : ((result[list] ?? []) as readonly Element[]))
      .map((element) => decodeKey(childText(element, name) ?? '', isEncoded, where))
      .filter((key) => key.startsWith(prefix));
  const next = childText(result, 'NextContinuationToken') || undefined;
  if (childText(result, 'IsTruncated')?.trim() === 'true' && next === undefined) {
    throw new CryoetPicksError(
      'unsupported',
      `cannot list ${where}: the server gives a first page, but no way to the next`,
    );
  }
  const isLast = childText(result, 'IsTruncated')?.trim() !== 'true';
  return {
    files: keysOf('Contents', 'Key'),
    folders: keysOf('CommonPrefixes', 'Prefix'),
    next: isLast ? undefined : next,
  };
}

/** Servers encode keys as forms do, with a plus for a space. */
function decodeKey(key: string, isEncoded: boolean, where: string): string {
  if (!isEncoded) return key;
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch (cause) {
    const found = `the key ${showJson(key)} is not encoded as the server says`;
    throw new CryoetPicksError('unsupported', `cannot list ${where}: ${found}`, { cause });
  }
}

interface Refused {
  readonly where: string;
  readonly response: Response;
  readonly text: string;
}

/** What an answer other than a listing means, and what would work. */
function refusal({ address }: Bucket, { where, response, text }: Refused): CryoetPicksError {
  const { Error: error } = parseXml(text);
  const code = childText(error, 'Code') ?? '';
  const { bucket } = address;
  const elsewhere = `bucket "${bucket}" lies in another region${regionOf(response, error)}`;
  const reasons: Readonly<Record<string, string>> = {
    NoSuchBucket: `there is no bucket "${bucket}"`,
    AccessDenied: `bucket "${bucket}" may not be listed by everyone; only public buckets can be read here, without credentials`,
    AllAccessDisabled: `bucket "${bucket}" is closed`,
    PermanentRedirect: elsewhere,
    TemporaryRedirect: elsewhere,
    AuthorizationHeaderMalformed: elsewhere,
    IllegalLocationConstraintException: elsewhere,
  };
  const { status, statusText } = response;
  const answer = [status, statusText, /^\w+$/.test(code) ? code : ''].filter(Boolean).join(' ');
  const reason = Object.hasOwn(reasons, code) ? `${reasons[code]} (${answer})` : `the server answered ${answer}`;
  return new CryoetPicksError('not-found', `cannot list ${where}: ${reason}`);
}

/** The region that the server names, in its header or in the host it sends to. */
function regionOf(response: Response, error: Element | undefined): string {
  const host = childText(error, 'Endpoint') ?? '';
  const found =
    response.headers.get('x-amz-bucket-region') ??
    childText(error, 'Region') ??
    /(?:^|\.)s3[.-](?:dualstack\.)?([a-z0-9-]+)\.amazonaws\.com/.exec(host)?.[1];
  return found && /^[a-z0-9-]+$/.test(found)
    ? `, "${found}"; name it as region_name or \`region\``
    : '; name the right one';
}
