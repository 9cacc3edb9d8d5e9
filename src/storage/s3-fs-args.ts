import { CryoetPicksError } from '../errors.ts';
import type { S3AddressOptions } from './s3-address.ts';

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
