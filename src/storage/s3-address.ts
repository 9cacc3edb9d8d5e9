import { CryoetPicksError } from '../core/errors.ts';

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
      { option: 'region' },
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

/** What gives an account away, in the options that s3fs and its client take. */
const credentials = [
  'key',
  'secret',
  'token',
  'username',
  'password',
  'profile',
  'aws_access_key_id',
  'aws_secret_access_key',
  'aws_session_token',
];

/**
 * Where a bucket lies, from the options that copick hands to s3fs: `endpoint_url` and `region_name`, at the top or in
 * `client_kwargs`, and the `addressing_style` in `config_kwargs`. No value of these options is ever shown.
 *
 * @param what - The place of the options, for messages: `config "copick.json": static_fs_args`.
 * @throws {@link CryoetPicksError} `unsupported` for options with credentials: only public buckets can be read.
 */
export function s3OptionsOf(fsArgs: unknown, what: string): S3AddressOptions {
  const args = recordOf(fsArgs);
  const client = recordOf(args.client_kwargs);
  const { addressing_style: style } = recordOf(recordOf(args.config_kwargs).s3);
  const given = credentials.filter((name) => isSet(args[name]) || isSet(client[name]));
  if (given.length > 0 && args.anon !== true) {
    throw new CryoetPicksError(
      'unsupported',
      `${what} holds credentials (${given.join(', ')}), but only public buckets can be read here; where the bucket is public, ` +
        'set "anon": true instead, otherwise copy the data to a disk',
    );
  }
  if (args.requester_pays === true) {
    throw new CryoetPicksError(
      'unsupported',
      `${what} asks that the requester pays, which takes an account; only public buckets can be read here`,
    );
  }
  const endpoint = textOf(args.endpoint_url) ?? textOf(client.endpoint_url);
  const region = textOf(client.region_name) ?? textOf(args.region_name);
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(style === 'virtual' || style === 'path' ? { addressing: style } : {}),
  };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}
