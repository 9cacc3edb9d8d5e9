import { onAbort, untilAborted } from '../core/concurrency.ts';
import { CryoetPicksError, type ErrorCode } from '../core/errors.ts';

import { clock, isRetryableStatus, RequestFailure, retry, retryAfterOf } from './retry.ts';
import type { ByteRange } from './store.ts';

/** One request. */
export interface HttpRequest {
  /** The URL without its query string, for messages. */
  readonly where: string;
  readonly query: string;
  /** `GET`, or `HEAD` for the length alone. */
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly range: ByteRange | undefined;
  /** The statuses that mean that the value is absent. */
  readonly absent: readonly number[];
  /** A request during which no byte arrives for this long, in milliseconds, has failed. */
  readonly timeout: number;
  readonly send: (url: string, init: RequestInit) => Promise<Response>;
  /** Whether the code runs in a page of another origin, which may not see all headers. */
  readonly isForeign: boolean;
}

/** The bytes that arrived: the part that was asked for, or the value from its start to at least the end of that part. */
export interface Answer {
  readonly bytes: Uint8Array;
  readonly isPart: boolean;
  /** The length of the value, where the answer says it. */
  readonly total: number | undefined;
}

/**
 * Makes one request.
 *
 * @returns `undefined` if the value is absent.
 * @throws {@link RequestFailure}; the abort reason of `signal`.
 */
export async function requestOnce(request: HttpRequest, signal: AbortSignal | undefined): Promise<Answer | undefined> {
  const { where, query, method, headers, range, timeout, send } = request;
  const stall = stallWatch(timeout, signal);
  try {
    const asked = range ? { ...headers, Range: rangeHeader(range) } : { ...headers };
    const init: RequestInit = { method, headers: asked, signal: stall.signal };
    const response = await untilAborted(send(`${where}${query}`, init), stall.signal);
    return await receive(response, { ...request, stall });
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof RequestFailure) throw cause;
    const reason = stall.isStalled() ? `no byte came for ${timeout / 1000} s` : redacted(reasonOf(cause), request);
    throw new RequestFailure(reason, { kind: 'network', isRetryable: true, cause });
  } finally {
    stall.stop();
  }
}

function rangeHeader(range: ByteRange): string {
  if ('suffixLength' in range) return `bytes=-${range.suffixLength}`;
  return `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // Node says "fetch failed", and why one level below.
  const inner = cause.cause;
  return inner instanceof Error && inner.message !== '' ? `${cause.message} (${inner.message})` : cause.message;
}

/** A message of the platform without the secrets of the request: its query string and headers. */
function redacted(reason: string, { query, headers }: HttpRequest): string {
  const secrets = [query, query.slice(1), ...Object.values(headers)].filter((secret) => secret.length > 0);
  return secrets.reduce((text, secret) => text.replaceAll(secret, '…'), reason);
}

interface StallWatch {
  /** Fires with the caller's signal, and when nothing has arrived for too long. */
  readonly signal: AbortSignal;
  readonly isStalled: () => boolean;
  /** To be called when something arrives. */
  readonly reset: () => void;
  readonly stop: () => void;
}

function stallWatch(timeout: number, signal: AbortSignal | undefined): StallWatch {
  const controller = new AbortController();
  let stalled = false;
  const fire = () => {
    stalled = true;
    controller.abort(new Error('stalled'));
  };
  let timer = setTimeout(fire, timeout);
  const stopWaiting = onAbort(signal, () => controller.abort(signal?.reason));
  return {
    signal: controller.signal,
    isStalled: () => stalled,
    reset: () => {
      clearTimeout(timer);
      timer = setTimeout(fire, timeout);
    },
    stop: () => {
      clearTimeout(timer);
      stopWaiting();
    },
  };
}

async function receive(
  response: Response,
  { method, range, absent, isForeign, stall }: HttpRequest & { readonly stall: StallWatch },
): Promise<Answer | undefined> {
  const { status } = response;
  if (status !== 200 && status !== 206) {
    // The rest of the answer is not needed.
    response.body?.cancel().catch(() => {});
    if (absent.includes(status)) return undefined;
    if (status !== 416 || !range) throw statusFailure(response);
  }
  const isPart = status !== 200;
  const total = totalOf(response);
  if (method === 'HEAD') return { bytes: new Uint8Array(0), isPart, total };
  const enough = enoughOf(range, isPart);
  const bytes = status === 416 ? new Uint8Array(0) : await readBody(response, { enough, stall });
  const problem = problemOf(response, { bytes, range, enough, isForeign });
  if (problem !== undefined) throw new RequestFailure(problem, { kind: 'content', isRetryable: true });
  return { bytes, isPart, total };
}

function totalOf({ status, headers }: Response): number | undefined {
  const isEncoded = (headers.get('Content-Encoding') ?? 'identity') !== 'identity';
  const label = headers.get('Content-Range');
  const found = status === 200 ? (isEncoded ? null : headers.get('Content-Length')) : /\/(\d+)$/.exec(label ?? '')?.[1];
  return found ? Number(found) : undefined;
}

/**
 * The number of bytes to read. Of a whole value, none after the part that is wanted; of a part, one more than was asked for,
 * which shows that the part is wrong.
 */
function enoughOf(range: ByteRange | undefined, isPart: boolean): number {
  if (!range) return Infinity;
  if (isPart) return 1 + ('offset' in range ? range.length : range.suffixLength);
  return 'offset' in range ? range.offset + range.length : Infinity;
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

async function readBody(
  response: Response,
  { enough, stall }: { readonly enough: number; readonly stall: StallWatch },
): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array(0);
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    while (length < enough) {
      stall.reset();
      const { done, value } = await untilAborted(reader.read(), stall.signal);
      if (done) break;
      pieces.push(value);
      length += value.length;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  return joined(pieces, length);
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

/** An answer with status 200, 206 or 416. */
interface Received {
  readonly bytes: Uint8Array;
  readonly range: ByteRange | undefined;
  /** The number of bytes after which reading stops on purpose. */
  readonly enough: number;
  /** Whether the code runs in a page of another origin, which may not see all headers. */
  readonly isForeign: boolean;
}

/** What is wrong with an answer; `undefined` if it is complete and is what was asked for. */
function problemOf({ status, headers }: Response, received: Received): string | undefined {
  const { bytes, range } = received;
  const part = headers.get('Content-Range');
  if (status === 416) return range && checkUnsatisfied(part, range);
  if (status === 200) return checkLength(headers, received);
  if (!range) return `the server answered a part, ${part ?? '206'}, where the whole was asked for`;
  const short = checkLength(headers, received);
  return short ?? (part === null ? checkUnlabelled(bytes, range) : checkPart(part, { bytes, range }));
}

/** An encoded body has another length than the header says, and a page of another origin does not see the encoding. */
function checkLength(headers: Headers, { bytes, enough, isForeign }: Received): string | undefined {
  const promised = Number(headers.get('Content-Length') ?? Number.NaN);
  const isEncoded = (headers.get('Content-Encoding') ?? 'identity') !== 'identity';
  if (isForeign || isEncoded || bytes.length >= enough || Number.isNaN(promised)) return undefined;
  if (bytes.length === promised) return undefined;
  return `${bytes.length} bytes came of the ${promised} that the server promised`;
}

/** A page cannot read `Content-Range` of a server of another origin that does not expose the header. */
function checkUnlabelled(bytes: Uint8Array, range: ByteRange): string | undefined {
  const asked = 'suffixLength' in range ? range.suffixLength : range.length;
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
  if ('offset' in range) return { from: range.offset, to: range.offset + range.length - 1 };
  if (total === undefined) return { from: undefined, to: undefined };
  return { from: Math.max(0, total - range.suffixLength), to: total - 1 };
}

function describe(range: ByteRange): string {
  if ('suffixLength' in range) return `last ${range.suffixLength} bytes`;
  return `bytes ${range.offset}-${range.offset + range.length - 1}`;
}

/** 416 says that the part is beyond the end, which the total length in the answer must confirm. */
function checkUnsatisfied(part: string | null, range: ByteRange): string | undefined {
  const total = Number(/^bytes \*\/(\d+)$/.exec(part ?? '')?.[1] ?? Number.NaN);
  const isThere = 'suffixLength' in range ? total > 0 : range.offset < total;
  return isThere ? `the server answered that it has no ${describe(range)} of ${total}` : undefined;
}

/** How often and how long requests are made again. */
export interface RetryRules {
  readonly tries: number;
  /** The same for failures of the network. */
  readonly networkTries: number;
  /** The code of a failure of the network. @defaultValue 'unavailable' */
  readonly networkCode?: ErrorCode | undefined;
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
  { tries, networkTries, networkCode = 'unavailable', retryFor, where, toError, signal }: UntilAnsweredOptions,
): Promise<T> {
  const codes = { content: 'corrupt-data', status: 'unavailable', network: networkCode } as const;
  return retry(request, {
    tries: (kind) => (kind === 'network' ? networkTries : tries),
    pause: (tried) => clock.random() * Math.min(MAX_PAUSE, FIRST_PAUSE * 2 ** (tried - 1)),
    retryFor,
    toError: toError ?? ((failure, tried) => readError(where, failure, { code: codes[failure.kind], tried })),
    signal,
  });
}

function readError(
  where: string,
  { message, retryAfter, cause }: RequestFailure,
  { code, tried }: { readonly code: ErrorCode; readonly tried: number },
): CryoetPicksError {
  const tries = tried > 1 ? ` (${tried} tries)` : '';
  const later = retryAfter === undefined ? '' : `; it asks to wait ${Math.ceil(retryAfter / 1000)} s`;
  return new CryoetPicksError(code, `cannot read ${where}: ${message}${later}${tries}`, { cause, path: where });
}
