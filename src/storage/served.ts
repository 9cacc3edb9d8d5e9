import { bytesRule, callback, optional, requireArgument, requireOptions, url as urlRule } from '../core/arguments.ts';
import { untilAborted } from '../core/concurrency.ts';
import { CryoetPicksError, errorOf, isCryoetPicksError, type PlainError } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';
import { httpStore } from './http.ts';
import { checkCall, checkVersion, type Store, type StoreEntry, type StoreKey, type WriteOptions } from './store.ts';

/**
 * The protocol between `cryoet-picks view` and its page. Below the address of the page lie, for each store that is served under a
 * name, its values, `data/NAME/KEY`, and the children of its folders as JSON, `list/NAME/KEY/index.json`. Any web server can serve
 * such files; `view` also takes values by `PUT`. Of a value that is not there it answers 204, as any other server 404: browsers show
 * each 404 as an error, and most of what a reader asks for may be absent.
 *
 * `ETag` is the version of a value, which `PUT` hands back as `If-Match`; `If-None-Match: *` stands for no value. Without a strong
 * `ETag`, as from many servers of files, a change of a value cannot be noticed. An error is an answer of the type {@link PROBLEM},
 * with the fields of a `CryoetPicksError`.
 *
 * @module
 */

/** The media type of an error (RFC 9457). */
export const PROBLEM = 'application/problem+json';

/** The largest value that can be written, in bytes. A larger one has no version. */
export const MAX_WRITTEN_BYTES: number = 2 ** 26;

/** Options of {@link servedStore}. */
export interface ServedStoreOptions {
  /** Makes the HTTP requests. @defaultValue the platform's `fetch` */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
}

/**
 * A store that `cryoet-picks view` serves, or one in the files that `view --export` wrote: it can be listed, and written where
 * the server allows it, below the overlay of a project.
 *
 * A write replaces a value of the version `ifVersion` only, and needs one, except for hidden files; of two writers at once one
 * gets `conflict`. Nothing can be deleted.
 *
 * @param url - `…/data/NAME`, as the `session.json` beside the page says.
 * @throws {@link CryoetPicksError} `invalid-option` if `url` is not such an address. From calls, what the store behind the server
 *   throws; `unavailable` and `write-failed` also if the server cannot be reached; `read-only` if it does not take values.
 * @example
 * ```ts
 * const overlay = servedStore(new URL('./data/overlay', document.baseURI));
 * const project = projectFromStores({ config, overlay });
 * ```
 */
export function servedStore(url: string | URL, options: ServedStoreOptions = {}): Store {
  requireArgument('servedStore', 'url', url, urlRule);
  requireOptions('servedStore', options, { fetch: optional(callback) });
  const { fetch: send = (target, init) => fetch(target, init) } = options;
  const throwing = async (target: string, init: RequestInit) => {
    const response = await withoutProblem(await send(target, init));
    return response.status === 204 && init.method !== 'PUT' ? new Response(null, { status: 404 }) : response;
  };
  const values = httpStore(url, { fetch: throwing });
  const lists = httpStore(listingOf(values.location), { fetch: throwing });
  const request = async (key: StoreKey, init: RequestInit, { signal }: WriteOptions) => {
    const target = `${values.location}${key.split('/').map(encodeURIComponent).join('/')}`;
    return untilAborted(throwing(target, { ...init, ...(signal && { signal }) }), signal);
  };
  /** What the server says of a value; undefined if there is no such value. */
  const head = async (key: StoreKey, wait: WriteOptions): Promise<Headers | undefined> => {
    const path = `${values.location}${key}`;
    const { status, headers } = await orUnreachable('unavailable', wait, () => request(key, { method: 'HEAD' }, wait));
    if (status === 200) return headers;
    if (status === 404) return undefined;
    throw new CryoetPicksError('unavailable', `cannot read ${path}: the server answered ${status}`, { path });
  };
  return {
    ...values,
    get: (key, wait) => orNoAnswer(() => values.get(key, wait)),
    getRange: (key, range, wait) => orNoAnswer(() => values.getRange(key, range, wait)),
    size: (key, wait) => orNoAnswer(async () => values.size?.(key, wait)),
    async list(folder, wait) {
      const { signal } = checkCall('list', folder, wait);
      const key: StoreKey = `${folder === '/' ? '' : folder}/index.json`;
      const bytes = await orNoAnswer(() => lists.get(key, { signal }));
      return bytes === undefined ? [] : entriesOf(bytes, `${lists.location}${key}`);
    },
    async set(key, value, wait = {}) {
      checkCall('set', key, wait);
      requireArgument('store.set', 'value', value, bytesRule);
      if (typeof wait.ifVersion === 'string') checkVersion(`${values.location}${key}`, wait.ifVersion);
      // It could not be deleted again. What can be written the server has said before.
      if (wait.isProbe) return;
      if (value.length > MAX_WRITTEN_BYTES) throw tooLongToWrite(`${values.location}${key}`);
      const init = { method: 'PUT', body: value as Uint8Array<ArrayBuffer>, headers: conditionOf(wait) };
      const { status } = await orUnreachable('write-failed', wait, () => request(key, init, wait));
      if (status >= 200 && status < 300) return;
      const path = `${values.location}${key}`;
      throw new CryoetPicksError('read-only', `cannot write ${path}: the server answered ${status}`, { path });
    },
    async delete(key, wait = {}) {
      checkCall('delete', key, wait);
      if (wait.isProbe) return;
      if ((await head(key, wait)) === undefined) return;
      const path = `${values.location}${key}`;
      throw new CryoetPicksError('read-only', `cannot delete ${path}: the server deletes nothing`, { path });
    },
    async version(key, wait) {
      const headers = await head(key, checkCall('version', key, wait));
      return /^"(.+)"$/.exec(headers?.get('ETag') ?? '')?.[1];
    },
  };
}

/** The error for a value that is too large to be written. */
export function tooLongToWrite(path: string): CryoetPicksError {
  const message = `cannot write ${path}: it has more than the ${MAX_WRITTEN_BYTES} bytes that a value may have`;
  return new CryoetPicksError('write-failed', message, { path });
}

/** `…/list/NAME` of `…/data/NAME`. */
function listingOf(location: string): string {
  const [, above, name] = /^(.*)\/data\/([^/]+)$/.exec(location) ?? [];
  if (name !== undefined) return `${above}/list/${name}`;
  throw new CryoetPicksError(
    'invalid-option',
    `servedStore: url is ${JSON.stringify(location)}, expected an address that ends in /data/NAME, as session.json says`,
    { option: 'url' },
  );
}

/** The answer, unless it is an error with its reason. @throws That {@link CryoetPicksError}. */
async function withoutProblem(response: Response): Promise<Response> {
  if (response.ok || response.headers.get('Content-Type') !== PROBLEM) return response;
  throw errorOf((await response.json()) as PlainError);
}

const NO_ANSWER = 'the server does not answer: is `cryoet-picks view` still running?';

/** What is read, with {@link NO_ANSWER} in place of an address if all tries to reach the server have failed. */
async function orNoAnswer<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    // `fetch` rejects with a TypeError if nobody answers.
    if (!isCryoetPicksError(error, 'unavailable') || !(error.cause instanceof TypeError)) throw error;
    throw new CryoetPicksError('unavailable', NO_ANSWER, { cause: error });
  }
}

/** The answer. @throws {@link CryoetPicksError} of a code if none comes. */
async function orUnreachable(
  code: 'unavailable' | 'write-failed',
  { signal }: WriteOptions,
  ask: () => Promise<Response>,
): Promise<Response> {
  try {
    return await ask();
  } catch (cause) {
    signal?.throwIfAborted();
    if (isCryoetPicksError(cause)) throw cause;
    throw new CryoetPicksError(code, NO_ANSWER, { cause });
  }
}

/** The condition on which a value is written. */
function conditionOf({ ifVersion }: WriteOptions): Record<string, string> {
  if (ifVersion === undefined) return {};
  if (ifVersion === null) return { 'If-None-Match': '*' };
  return { 'If-Match': `"${ifVersion}"` };
}

function entriesOf(bytes: Uint8Array, what: string): StoreEntry[] {
  const json = parseJson(bytes, { what, code: 'corrupt-data', path: what });
  if (Array.isArray(json) && json.every(isEntry)) return json.map(({ name, kind }) => ({ name, kind }));
  throw new CryoetPicksError('corrupt-data', `${what} is not a listing: expected [{ "name", "kind" }]`, { path: what });
}

function isEntry(value: unknown): value is StoreEntry {
  const { name, kind } = Object(value) as Partial<StoreEntry>;
  return typeof name === 'string' && !name.includes('/') && (kind === 'file' || kind === 'folder');
}
