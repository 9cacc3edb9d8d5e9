import { CryoetPicksError } from '../core/errors.ts';
import { decodedSegment } from './address.ts';

/** How requests name the bucket: by host name, or by the first part of the path. */
export type S3Addressing = 'virtual' | 'path';

/** Options that decide the address of a bucket. */
export interface S3AddressOptions {
  /** URL of a server other than Amazon's: `http://localhost:9000`. */
  readonly endpoint?: string | undefined;
  /** Amazon's region of the bucket, such as `eu-central-1`. */
  readonly region?: string | undefined;
  /**
   * How requests name the bucket.
   * @defaultValue for Amazon by host name, if the bucket's name allows it; otherwise by path
   */
  readonly addressing?: S3Addressing | undefined;
}

/** A folder of a bucket. */
export interface BucketAddress {
  readonly bucket: string;
  /** The URL to list the bucket at, without a slash at the end. */
  readonly endpoint: string;
  /** The prefix of all keys of the folder: empty, or with a slash at the end. */
  readonly prefix: string;
  /** For messages. */
  readonly location: string;
  /** The query string of the URL, sent with each request for a value. */
  readonly query: string;
}

/**
 * The address at which a folder of a bucket is listed and read.
 *
 * @param url - `s3://bucket/folder`, or the `https://` URL of the folder.
 * @throws {@link CryoetPicksError} `invalid-option` if the URL has no bucket name.
 */
export function bucketAddress(url: string | URL, options: S3AddressOptions = {}): BucketAddress {
  const text = String(url);
  const named = /^s3a?:\/\/([^/?#]*)(.*)$/is.exec(text);
  // The path of an s3 URL is a plain key: it is not percent-encoded and has no query string.
  if (named) return fromName(named[1]!, named[2]!.split('/').filter(Boolean), options);
  const web = parseUrl(text);
  const parts = web.pathname.split('/').filter(Boolean).map(decodedSegment);
  const amazon = /^(?:(.+)\.)?s3[.-](?:dualstack\.)?(?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?$/.exec(web.hostname);
  const addressing = amazon ? (amazon[1] === undefined ? 'path' : 'virtual') : (options.addressing ?? 'path');
  const [first, ...rest] = parts;
  if (addressing === 'path' && first === undefined) {
    throw new CryoetPicksError('invalid-option', `${web.origin} has no bucket name; expected one after the host`);
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
  // A name with dots does not match the certificate for *.s3.amazonaws.com.
  const byHost = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(bucket);
  const { addressing = endpoint === undefined && byHost ? 'virtual' : 'path' } = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(bucket)) {
    const found = bucket.includes('@') ? 'it contains an @' : `found ${JSON.stringify(bucket)}`;
    throw new CryoetPicksError('invalid-option', `not a bucket name: ${found}; expected s3://bucket/folder`);
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
    throw new CryoetPicksError('invalid-option', 'the path of a folder in a bucket cannot contain "." or ".."');
  }
  return parts.map((part) => `${part}/`).join('');
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url;
  // The text is not shown: what is not a URL may contain a secret.
  throw new CryoetPicksError(
    'invalid-option',
    'not the URL of a bucket: expected s3://, https:// or http://, without a user',
  );
}

/** Options of s3fs and its client that contain credentials. */
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
 * The address options of a bucket from those that copick passes to s3fs: `endpoint_url` and `region_name`, at the top or in
 * `client_kwargs`, and the `addressing_style` in `config_kwargs`. Their values are never part of messages.
 *
 * @param what - The name of the options, for messages: `config "copick.json": static_fs_args`.
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
      `${what} contains credentials (${given.join(', ')}), but only public buckets can be read here; if the bucket is public, ` +
        'set "anon": true instead, otherwise copy the data to a disk',
    );
  }
  if (args.requester_pays === true) {
    throw new CryoetPicksError(
      'unsupported',
      `${what} sets requester_pays, which needs an account; only public buckets can be read here`,
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
