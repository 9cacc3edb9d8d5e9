import { CryoetPicksError } from '../errors.ts';

/** How a server is told the bucket: by its host name, or by the first part of the path. */
export type S3Addressing = 'virtual' | 'path';

/** What decides where the requests for a bucket go. */
export interface S3AddressOptions {
  /** URL of a server that is not Amazon's: `http://localhost:9000`. */
  readonly endpoint?: string | undefined;
  /** Amazon's region that the bucket lies in, as `eu-central-1`. */
  readonly region?: string | undefined;
  /**
   * How the server is told the bucket.
   * @defaultValue for Amazon, by host name where the bucket's name allows; otherwise by path
   */
  readonly addressing?: S3Addressing | undefined;
}

/** A folder of a bucket. */
export interface BucketAddress {
  readonly bucket: string;
  /** Where the bucket is listed, without a slash at the end. */
  readonly endpoint: string;
  /** What all keys of the folder start with: empty, or with a slash at the end. */
  readonly prefix: string;
  /** For messages. */
  readonly location: string;
  /** Sent with each request for a value: the query string of a URL that has one. */
  readonly query: string;
}

/**
 * Finds out where a folder of a bucket is listed and read.
 *
 * @param url - `s3://bucket/folder`, or the `https://` URL of the folder.
 * @throws {@link CryoetPicksError} `invalid-option` for a URL that names no bucket.
 */
export function bucketAddress(url: string | URL, options: S3AddressOptions = {}): BucketAddress {
  const text = String(url);
  const named = /^s3a?:\/\/([^/?#]*)(.*)$/is.exec(text);
  // The path of an s3 URL is a key as it is: neither encoded, nor with a query.
  if (named) return fromName(named[1]!, named[2]!.split('/').filter(Boolean), options);
  const web = parseUrl(text);
  const parts = web.pathname.split('/').filter(Boolean).map(decoded);
  const amazon = /^(?:(.+)\.)?s3[.-](?:dualstack\.)?(?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?$/.exec(web.hostname);
  const addressing = amazon ? (amazon[1] === undefined ? 'path' : 'virtual') : (options.addressing ?? 'path');
  const [first, ...rest] = parts;
  if (addressing === 'path' && first === undefined) {
    throw new CryoetPicksError('invalid-option', `${web.origin} names no bucket: expected its name after the host`);
  }
  const inPath = addressing === 'path';
  return {
    bucket: inPath ? first! : (amazon?.[1] ?? web.hostname),
    endpoint: inPath ? `${web.origin}/${encodeURIComponent(first!)}` : web.origin,
    prefix: prefixOf(inPath ? rest : parts),
    location: `${web.origin}${web.pathname}`.replace(/\/+$/, ''),
    query: web.search,
  };
}

function fromName(bucket: string, parts: readonly string[], options: S3AddressOptions): BucketAddress {
  const { endpoint, region } = options;
  // A name with dots fits no certificate of the form *.s3.amazonaws.com.
  const byHost = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(bucket);
  const { addressing = endpoint === undefined && byHost ? 'virtual' : 'path' } = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(bucket)) {
    const found = bucket.includes('@') ? 'it holds an @' : `found ${JSON.stringify(bucket)}`;
    throw new CryoetPicksError('invalid-option', `not the name of a bucket: ${found}; expected s3://bucket/folder`);
  }
  if (region !== undefined && !/^[a-z0-9-]+$/.test(region)) {
    throw new CryoetPicksError(
      'invalid-option',
      `${JSON.stringify(region)} is not a region; expected, say, "us-west-2"`,
    );
  }
  const server =
    endpoint === undefined
      ? new URL(`https://s3.${region === undefined ? '' : `${region}.`}amazonaws.com`)
      : parseUrl(endpoint);
  const base = server.pathname.replace(/\/+$/, '');
  const host = addressing === 'virtual' ? `${bucket}.${server.host}` : server.host;
  return {
    bucket,
    endpoint: `${server.protocol}//${host}${base}${addressing === 'path' ? `/${bucket}` : ''}`,
    prefix: prefixOf(parts),
    location: `s3://${[bucket, ...parts].join('/')}`,
    query: '',
  };
}

function prefixOf(parts: readonly string[]): string {
  if (parts.some((part) => part === '.' || part === '..' || part.includes('\0'))) {
    throw new CryoetPicksError('invalid-option', 'a folder of a bucket cannot be reached through "." or ".."');
  }
  return parts.map((part) => `${part}/`).join('');
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url;
  // What is no URL may hold anything, and is not shown.
  throw new CryoetPicksError(
    'invalid-option',
    'not the URL of a bucket: expected s3://, https:// or http://, without a user',
  );
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
