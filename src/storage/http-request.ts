import { bytesRule, isFields, type Rule, requireArgument, someNumber } from '../core/arguments.ts';
import { onAbort, untilAborted } from '../core/concurrency.ts';
import { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
import { clock, isRetryableStatus, MAX_TIMEOUT, RequestFailure, retry, retryAfterOf } from './retry.ts';
import { type ByteRange, tooLarge, type ValueBound } from './store.ts';

/** What is needed to send a request and to receive its answer. */
export interface Exchange {
  readonly url: string;
  /** `GET`, `HEAD` for the length alone, or `POST` with a body. */
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /**
   * An exchange during which no byte arrives for this long, in milliseconds, has failed; so has one whose body brings fewer than
   * 1 kB/s over this long, or over 30 s if that is shorter. `Infinity` sets no limit.
   */
  readonly timeout: number;
  readonly send: (url: string, init: RequestInit) => Promise<Response>;
}

/** Reads the body of an answer. */
export type ReadBody = (wanted: BodyPart) => Promise<Body>;

/** Which bytes of a body are wanted. */
export interface BodyPart {
  /** Bytes before those. @defaultValue 0 */
  readonly skip?: number | undefined;
  /** The number of bytes, with those that are skipped, after which reading stops on purpose. @defaultValue Infinity */
  readonly stopAt?: number | undefined;
  /** Only the last bytes are wanted, so many. @defaultValue Infinity */
  readonly last?: number | undefined;
  /** The most bytes that may arrive of a body that is not bounded by a range, and its address for the error. */
  readonly bound: ValueBound & { readonly path: string };
}

/** What came of a body. */
export interface Body {
  /** The wanted bytes. */
  readonly bytes: Uint8Array;
  /** The number of bytes that arrived. */
  readonly received: number;
}

/**
 * Sends a request and receives its answer, which may stall or creep for a limited time only. Redirects are followed up to ten times;
 * in a page the browser follows them.
 *
 * @throws {@link RequestFailure}; what `receive` throws; the abort reason of `signal`.
 */
export async function exchange<T>(
  request: Exchange,
  signal: AbortSignal | undefined,
  receive: (response: Response, read: ReadBody) => Promise<T>,
): Promise<T> {
  const watch = transferWatch(request.timeout, signal);
  try {
    const response = await follow(request, watch.signal);
    return await receive(response, (wanted) => readBody(response, wanted, watch));
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof RequestFailure || isCryoetPicksError(cause)) throw cause;
    const reason = watch.failure() ?? redacted(reasonOf(cause), request);
    throw new RequestFailure(reason, { kind: 'network', isRetryable: true, cause });
  } finally {
    watch.stop();
  }
}

/**
 * Throws unless a `fetch` of the caller has answered as the platform's does; other implementations have a `Response` of their own.
 *
 * @throws {@link CryoetPicksError} `invalid-option`: another try would not help.
 */
export function checkResponse(response: Response): void {
  requireArgument('fetch', 'response', response, responseRule);
}

function isHeaders(value: unknown): boolean {
  return typeof (value as Partial<Headers> | null | undefined)?.get === 'function';
}

const MAX_REDIRECTS = 10;

const responseRule: Rule = {
  expected: 'a Response { status, headers, body }',
  isValid: isFields,
  fields: { status: someNumber, headers: { expected: 'Headers', isValid: isHeaders } },
};

async function follow({ url, headers, send, ...sending }: Exchange, signal: AbortSignal): Promise<Response> {
  // In a page redirects cannot be seen, let alone counted.
  const redirect = globalThis.location === undefined ? { redirect: 'manual' as const } : {};
  let [at, sent, { method, body }] = [url, headers, sending];
  for (let followed = 0; ; followed++) {
    const response = await untilAborted(
      send(at, { method, headers: sent, signal, ...(body !== undefined && { body }), ...redirect }),
      signal,
    );
    checkResponse(response);
    const next = redirectOf(response, at);
    if (next === undefined) return response;
    response.body?.cancel().catch(() => {});
    const problem =
      followed === MAX_REDIRECTS
        ? `the server redirected more than ${MAX_REDIRECTS} times`
        : /^https?:$/.test(next.protocol)
          ? undefined
          : `the server redirected to an address of ${next.protocol}`;
    if (problem !== undefined) throw new RequestFailure(problem, { kind: 'status', isRetryable: false });
    if (next.origin !== new URL(at).origin) sent = withoutCredentials(sent);
    // As `fetch` does.
    if (method === 'POST' && response.status < 304) [method, body] = ['GET', undefined];
    at = next.href;
  }
}

/** Where an answer redirects to. */
function redirectOf({ status, headers }: Response, from: string): URL | undefined {
  const location = headers.get('Location');
  if (![301, 302, 303, 307, 308].includes(status) || location === null) return undefined;
  try {
    return new URL(location, from);
  } catch {
    return undefined;
  }
}

/** Another server must not see the credentials of this one: as `fetch` does. */
function withoutCredentials(headers: Exchange['headers']): Exchange['headers'] {
  const isSecret = (name: string) => /^(authorization|cookie|proxy-authorization)$/i.test(name);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !isSecret(name)));
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // Node says "fetch failed", and why one level below.
  const inner = cause.cause;
  return inner instanceof Error && inner.message !== '' ? `${cause.message} (${inner.message})` : cause.message;
}

/** A message of the platform without the secrets of the request: its query string and headers. */
function redacted(reason: string, { url, headers }: Exchange): string {
  const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
  const secrets = [query, query.slice(1), ...Object.values(headers)].filter((secret) => secret.length > 0);
  return secrets.reduce((text, secret) => text.replaceAll(secret, '…'), reason);
}

/** Bytes per second below which a transfer counts as failed, and the longest time, in milliseconds, that it is given for them. */
const [MIN_RATE, RATE_WINDOW] = [1000, 30_000];

interface TransferWatch {
  /** Fires with the caller's signal, and when nothing, or too little, has arrived for too long. */
  readonly signal: AbortSignal;
  /** Why it has fired, other than by the caller's signal. */
  readonly failure: () => string | undefined;
  /** To be called before waiting for bytes, with the number of those that came since the last call. */
  readonly reset: (bytes: number) => void;
  readonly stop: () => void;
}

function transferWatch(timeout: number, signal: AbortSignal | undefined): TransferWatch {
  const controller = new AbortController();
  const stopWaiting = onAbort(signal, () => controller.abort(signal?.reason));
  let failure: string | undefined;
  const fail = (reason: string) => {
    failure = reason;
    controller.abort(new Error(reason));
  };
  // A timer that is set for longer fires at once.
  const isTimed = timeout <= MAX_TIMEOUT;
  const onStall = () => fail(`no byte came for ${timeout / 1000} s`);
  let stall = isTimed ? setTimeout(onStall, timeout) : undefined;
  const window = Math.min(timeout, RATE_WINDOW);
  let inWindow = 0;
  let rate: ReturnType<typeof setInterval> | undefined;
  const onWindow = () => {
    if (inWindow < (MIN_RATE * window) / 1000)
      fail(`fewer than ${MIN_RATE} bytes a second came over ${window / 1000} s`);
    inWindow = 0;
  };
  return {
    signal: controller.signal,
    failure: () => failure,
    reset: (bytes) => {
      if (!isTimed) return;
      clearTimeout(stall);
      stall = setTimeout(onStall, timeout);
      inWindow += bytes;
      // The time until the first byte is the server's, not the line's.
      if (bytes > 0) rate ??= setInterval(onWindow, window);
    },
    stop: () => {
      clearTimeout(stall);
      clearInterval(rate);
      stopWaiting();
    },
  };
}

/** Reads the body of an answer. @throws {@link CryoetPicksError} if it is larger than its bound; what the connection throws. */
async function readBody(
  response: Response,
  { skip = 0, stopAt = Infinity, last = Infinity, bound }: BodyPart,
  watch: TransferWatch,
): Promise<Body> {
  // A part is as long as it was asked for; a server that ignores ranges sends all that lies before it, too.
  const mostBytes = response.status === 206 && stopAt < Infinity ? Infinity : bound.bytes;
  // The length of an encoded body is another one than its header says.
  const promised = isEncoded(response) ? 0 : Number(response.headers.get('Content-Length') ?? 0);
  if (Math.min(promised, stopAt) > mostBytes) throw tooLarge(bound.path, bound);
  const reader = response.body?.getReader();
  if (!reader) return { bytes: new Uint8Array(0), received: 0 };
  const pieces: Uint8Array[] = [];
  let [received, kept] = [0, 0];
  try {
    watch.reset(0);
    while (received < stopAt) {
      const { done, value } = await untilAborted(reader.read(), watch.signal);
      if (done) break;
      requireArgument('fetch', 'a piece of response.body', value, bytesRule);
      watch.reset(value.length);
      const wanted = value.subarray(Math.min(value.length, Math.max(0, skip - received)));
      received += value.length;
      if (wanted.length > 0) pieces.push(wanted);
      kept += wanted.length;
      while (pieces.length > 1 && kept - pieces[0]!.length >= last) kept -= pieces.shift()!.length;
      if (Math.min(received, stopAt) > mostBytes) throw tooLarge(bound.path, bound);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  const bytes = joined(pieces, kept);
  return { bytes: bytes.subarray(Math.max(0, bytes.length - last), stopAt - skip), received };
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** One request for a value, or a part of it. */
export interface HttpRequest extends Omit<Exchange, 'url'> {
  /** The URL without its query string, for messages. */
  readonly where: string;
  readonly query: string;
  readonly range: ByteRange | undefined;
  /** The statuses that mean that the value is absent. */
  readonly absent: readonly number[];
  /** The largest value that may be read whole. */
  readonly bound: ValueBound;
  /** Whether the code runs in a page of another origin, which may not see all headers. */
  readonly isForeign: boolean;
}

/** The bytes that arrived: the part that was asked for, or the whole value. */
export interface Answer {
  readonly bytes: Uint8Array;
  /** The length of the value, where the answer says it. */
  readonly total: number | undefined;
  /** What tells versions of the value apart: a strong `ETag`, `Last-Modified`; only what a page may see. */
  readonly etag: string | undefined;
  readonly modified: string | undefined;
}

/**
 * Makes one request.
 *
 * @returns `undefined` if the value is absent.
 * @throws {@link RequestFailure}; {@link CryoetPicksError} if the value is too large; the abort reason of `signal`.
 */
export function requestOnce(request: HttpRequest, signal: AbortSignal | undefined): Promise<Answer | undefined> {
  const { where, query, headers, range } = request;
  const asked = range ? { ...headers, Range: rangeHeader(range) } : { ...headers };
  return exchange({ ...request, url: `${where}${query}`, headers: asked }, signal, (response, read) =>
    receive(response, request, read),
  );
}

function rangeHeader(range: ByteRange): string {
  if ('suffixLength' in range) return `bytes=-${range.suffixLength}`;
  return `bytes=${range.offset}-${range.length === undefined ? '' : range.offset + range.length - 1}`;
}

async function receive(
  response: Response,
  { where: path, method, range, absent, bound, isForeign }: HttpRequest,
  read: ReadBody,
): Promise<Answer | undefined> {
  const { status } = response;
  if (status !== 200 && status !== 206) {
    // The rest of the answer is not needed, unless it names the size of the value.
    if (status !== 416) response.body?.cancel().catch(() => {});
    if (absent.includes(status)) return undefined;
    if (status !== 416 || !range) throw statusFailure(response);
  }
  const total = totalOf(response);
  const empty = { bytes: new Uint8Array(0), received: 0 };
  if (method === 'HEAD') return { ...empty, total, etag: undefined, modified: undefined };
  const wanted = { ...wantedOf(range, status === 206), bound: { ...bound, path } };
  const unsatisfied =
    status === 416 && range ? await checkUnsatisfied(response, { range, isForeign, read }) : undefined;
  const body = status === 416 ? empty : await read(wanted);
  const problem = unsatisfied ?? problemOf(response, { ...body, range, stopAt: wanted.stopAt, isForeign });
  if (problem !== undefined) throw new RequestFailure(problem, { kind: 'content', isRetryable: true });
  const isWhole = status === 200 && body.received < wanted.stopAt;
  // A page of another origin does not see whether the promised length is that of an encoded body.
  const stated = isForeign && status === 200 ? undefined : total;
  return { bytes: body.bytes, total: isWhole ? body.received : stated, ...validatorsOf(response) };
}

function isEncoded({ headers }: Response): boolean {
  return (headers.get('Content-Encoding') ?? 'identity') !== 'identity';
}

function totalOf(response: Response): number | undefined {
  const { status, headers } = response;
  const label = headers.get('Content-Range');
  const found =
    status === 200 ? (isEncoded(response) ? null : headers.get('Content-Length')) : /\/(\d+)$/.exec(label ?? '')?.[1];
  return found ? Number(found) : undefined;
}

/** A weak `ETag` is equal for values that differ. Servers add the encoding to that of a body that they compress. */
function validatorsOf({ status, headers }: Response): Pick<Answer, 'etag' | 'modified'> {
  if (status === 416) return { etag: undefined, modified: undefined };
  const etag = /^"(.*?)(?:[-;](?:gzip|br|deflate|zstd))?"$/.exec(headers.get('ETag')?.trim() ?? '')?.[1];
  return { etag, modified: headers.get('Last-Modified')?.trim() };
}

/**
 * The bytes to read. Of a whole value, none after the part that is wanted; of a part, one more than was asked for, which shows that
 * the part is wrong.
 */
function wantedOf(
  range: ByteRange | undefined,
  isPart: boolean,
): Omit<BodyPart, 'bound'> & { readonly stopAt: number } {
  if (!range) return { stopAt: Infinity };
  if ('suffixLength' in range) {
    return isPart ? { stopAt: 1 + range.suffixLength } : { stopAt: Infinity, last: range.suffixLength };
  }
  const { offset, length = Infinity } = range;
  return isPart ? { stopAt: 1 + length } : { skip: offset, stopAt: offset + length };
}

/** The failure for a status other than success. */
export function statusFailure(response: Response, cause?: unknown): RequestFailure {
  const { status, statusText } = response;
  return new RequestFailure(`the server answered ${statusText ? `${status} ${statusText}` : status}`, {
    kind: 'status',
    isRetryable: isRetryableStatus(status),
    retryAfter: retryAfterOf(response),
    cause,
  });
}

/** An answer with status 200 or 206. */
interface Received {
  readonly bytes: Uint8Array;
  /** The number of bytes that arrived, with those that were skipped. */
  readonly received: number;
  readonly range: ByteRange | undefined;
  /** The number of bytes after which reading stops on purpose. */
  readonly stopAt: number;
  /** Whether the code runs in a page of another origin, which may not see all headers. */
  readonly isForeign: boolean;
}

/** What is wrong with an answer; `undefined` if it is complete and is what was asked for. */
function problemOf(response: Response, received: Received): string | undefined {
  const { status, headers } = response;
  const { bytes, range, isForeign } = received;
  const part = headers.get('Content-Range');
  if (status === 416) return undefined;
  if (status === 200) return checkLength(response, received);
  if (!range) return `the server answered a part, ${part ?? '206'}, where the whole was asked for`;
  const short = checkLength(response, received);
  if (short !== undefined || part !== null) return short ?? checkPart(part!, { bytes, range });
  return isForeign
    ? checkUnlabelled(bytes, range)
    : 'the server answered a part without Content-Range, which says which';
}

/** An encoded body has another length than the header says, and a page of another origin does not see the encoding. */
function checkLength(response: Response, { received, stopAt, isForeign }: Received): string | undefined {
  const promised = Number(response.headers.get('Content-Length') ?? Number.NaN);
  if (isForeign || isEncoded(response) || received >= stopAt || Number.isNaN(promised)) return undefined;
  if (received === promised) return undefined;
  return `${received} bytes came of the ${promised} that the server promised`;
}

/** A page cannot read `Content-Range` of a server of another origin that does not expose the header. */
function checkUnlabelled(bytes: Uint8Array, range: ByteRange): string | undefined {
  const asked = 'suffixLength' in range ? range.suffixLength : (range.length ?? Infinity);
  return bytes.length > asked ? `${bytes.length} bytes came where ${asked} were asked for` : undefined;
}

function checkPart(
  part: string,
  { bytes, range }: { readonly bytes: Uint8Array; readonly range: ByteRange },
): string | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(part);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  const total = match?.[3] === undefined || match[3] === '*' ? undefined : Number(match[3]);
  const { from, to } = expectedPart(range, total);
  const isEnd = total !== undefined && last === total - 1;
  const startsRight = from === undefined || first === from;
  const endsRight = to === undefined || last === to || (isEnd && last < to);
  const isTooLong = 'suffixLength' in range && last - first + 1 > range.suffixLength;
  if (!match || !startsRight || !endsRight || isTooLong) {
    return `the server answered another part, ${JSON.stringify(part)}, than the ${describe(range)} asked for`;
  }
  return bytes.length === last - first + 1
    ? undefined
    : `${bytes.length} bytes came of the part ${JSON.stringify(part)}`;
}

/** The first and last byte of a part, as far as they can be known. */
function expectedPart(range: ByteRange, total: number | undefined) {
  if ('offset' in range) {
    const end = range.length === undefined ? total : range.offset + range.length;
    return { from: range.offset, to: end === undefined ? undefined : end - 1 };
  }
  if (total === undefined) return { from: undefined, to: undefined };
  return { from: Math.max(0, total - range.suffixLength), to: total - 1 };
}

function describe(range: ByteRange): string {
  if ('suffixLength' in range) return `last ${range.suffixLength} bytes`;
  return rangeHeader(range).replace('=', ' ');
}

/** A 416, which says that a part is beyond the end of the value. */
interface Unsatisfied extends Pick<HttpRequest, 'isForeign'> {
  readonly range: ByteRange;
  readonly read: ReadBody;
}

/** The size of the value, which a 416 names in a header, or as S3 does in its body, must confirm that the part is beyond its end. */
async function checkUnsatisfied(
  response: Response,
  { range, isForeign, read }: Unsatisfied,
): Promise<string | undefined> {
  const label = /^bytes \*\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '')?.[1];
  // Only digits are looked for, so bytes that are not UTF-8 do not matter.
  const text = label ?? new TextDecoder().decode((await read(ERROR_BODY)).bytes);
  const found = label ?? /<ActualObjectSize>(\d+)<\/ActualObjectSize>/.exec(text)?.[1];
  if (label !== undefined) response.body?.cancel().catch(() => {});
  if (found === undefined) return isForeign ? undefined : `the server answered 416 without the size of the value`;
  const isThere = 'suffixLength' in range ? Number(found) > 0 : range.offset < Number(found);
  return isThere ? `the server answered that it has no ${describe(range)} of ${found}` : undefined;
}

/** As much of the body of an error as is looked at. */
const ERROR_BODY: BodyPart = { stopAt: 10_000, bound: { bytes: 10_000, path: '' } };

/** How often and how long requests are made again. */
export interface RetryRules {
  readonly tries: number;
  /** The same for failures of the network. */
  readonly networkTries: number;
  /** The code of a failure of the network. @defaultValue 'unavailable' */
  readonly networkCode?: ErrorCode | undefined;
  /** What else may be the reason of a failure of the network, for the end of the message. */
  readonly networkHint?: string | undefined;
  /** No try starts later than this after the first, in milliseconds. */
  readonly retryFor: number;
}

/** Options of {@link untilAnswered}. */
export interface UntilAnsweredOptions extends RetryRules {
  /** What is read, for messages. */
  readonly where: string;
  /** The error to throw when no further try is made. @defaultValue a `CryoetPicksError` with the last failure */
  readonly toError?: ((failure: RequestFailure, tried: number) => Error) | undefined;
  readonly signal: AbortSignal | undefined;
}

const FIRST_PAUSE = 500;
const MAX_PAUSE = 16_000;

/**
 * Makes a request again until it is answered, with exponential back-off and full jitter: the n-th pause is anything from 0 to
 * 500 ms · 2^(n − 1), at most 16 s, and no less than `Retry-After`.
 *
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @throws The abort reason of `signal`, at once also during a pause; {@link CryoetPicksError} with the last failure.
 */
export async function untilAnswered<T>(
  request: () => Promise<T>,
  {
    tries,
    networkTries,
    networkCode = 'unavailable',
    networkHint,
    retryFor,
    where,
    toError,
    signal,
  }: UntilAnsweredOptions,
): Promise<T> {
  const codes = { content: 'corrupt-data', status: 'unavailable', network: networkCode } as const;
  return retry(request, {
    tries: (kind) => (kind === 'network' ? networkTries : tries),
    pause: (tried) => clock.random() * Math.min(MAX_PAUSE, FIRST_PAUSE * 2 ** (tried - 1)),
    retryFor,
    toError:
      toError ??
      ((failure, tried) => {
        const hint = failure.kind === 'network' ? networkHint : undefined;
        return readError(where, failure, { code: codes[failure.kind], tried, hint });
      }),
    signal,
  });
}

function readError(
  where: string,
  { message, retryAfter, cause }: RequestFailure,
  { code, tried, hint }: { readonly code: ErrorCode; readonly tried: number; readonly hint: string | undefined },
): CryoetPicksError {
  const tries = tried > 1 ? ` (${tried} tries)` : '';
  const later = retryAfter ? `; it asks to wait ${Math.ceil(retryAfter / 1000)} s` : '';
  const also = hint === undefined ? '' : `; ${hint}`;
  return new CryoetPicksError(code, `cannot read ${where}: ${message}${later}${tries}${also}`, { cause, path: where });
}
