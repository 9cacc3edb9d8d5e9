import { onAbort, untilAborted } from '../core/concurrency.ts';
import { CryoetPicksError, type ErrorCode } from '../core/errors.ts';

import type { ByteRange } from './store.ts';

/** Time and chance, for retries; a test brings its own. */
export interface HttpClock {
  /** In milliseconds. */
  now(): number;
  /** @throws The abort reason of `signal`, at once. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** From 0 up to, not including, 1. */
  random(): number;
}

/** One request. */
export interface HttpRequest {
  /** The URL without its query string, for messages. */
  readonly where: string;
  readonly query: string;
  /** `GET`, or `HEAD` for the length alone. */
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly range: ByteRange | undefined;
  /** The statuses that mean that nothing is there. */
  readonly absent: readonly number[];
  /** Milliseconds without a byte after which it has failed. */
  readonly timeout: number;
  readonly send: (url: string, init: RequestInit) => Promise<Response>;
  /** Whether the page that asks may not see all headers. */
  readonly isForeign: boolean;
}

/** The bytes that came: the part that was asked for, or from the start of the value at least as far as that part. */
export interface Answer {
  readonly bytes: Uint8Array;
  readonly isPart: boolean;
  /** The length of the value, where the answer tells. */
  readonly total: number | undefined;
}

/** What a request came to; an answer of `undefined` is that nothing is there. */
export type Outcome = { readonly answer: Answer | undefined } | { readonly failure: Failure };

/** Makes one request. @throws The abort reason of `signal`. */
export async function attempt(request: HttpRequest, signal: AbortSignal | undefined): Promise<Outcome> {
  const { where, query, method, headers, range, timeout, send } = request;
  const stall = stallWatch(timeout, signal);
  try {
    const asked = range ? { ...headers, Range: rangeHeader(range) } : { ...headers };
    const init: RequestInit = { method, headers: asked, signal: stall.signal };
    const response = await untilAborted(send(`${where}${query}`, init), stall.signal);
    return await receive(response, { ...request, stall });
  } catch (cause) {
    signal?.throwIfAborted();
    if (stall.isStalled()) return network(`no byte came for ${timeout / 1000} s`, cause);
    return network(redacted(reasonOf(cause), request), cause);
  } finally {
    stall.stop();
  }
}

function rangeHeader(range: ByteRange): string {
  if ('suffixLength' in range) return `bytes=-${range.suffixLength}`;
  return `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

function network(what: string, cause: unknown): Outcome {
  return { failure: { kind: 'network', what, mayPass: true, cause } };
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // Node says "fetch failed", and why one level below.
  const inner = cause.cause;
  return inner instanceof Error && inner.message !== '' ? `${cause.message} (${inner.message})` : cause.message;
}

/** A message of others, without what of the request is nobody's business. */
function redacted(reason: string, { query, headers }: HttpRequest): string {
  const secrets = [query, query.slice(1), ...Object.values(headers)].filter((secret) => secret.length > 0);
  return secrets.reduce((text, secret) => text.replaceAll(secret, '…'), reason);
}

interface StallWatch {
  /** Fires with the caller's signal, and when nothing has come for too long. */
  readonly signal: AbortSignal;
  readonly isStalled: () => boolean;
  /** Something came. */
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
): Promise<Outcome> {
  const { status } = response;
  if (status !== 200 && status !== 206) {
    // Nobody waits for the rest of such an answer.
    response.body?.cancel().catch(() => {});
    if (absent.includes(status)) return { answer: undefined };
    if (status !== 416 || !range) return { failure: refusalOf(response) };
  }
  const isPart = status !== 200;
  const total = totalOf(response);
  if (method === 'HEAD') return { answer: { bytes: new Uint8Array(0), isPart, total } };
  const enough = enoughOf(range, isPart);
  const bytes = status === 416 ? new Uint8Array(0) : await readBody(response, { enough, stall });
  const what = checkAnswer(response, { bytes, range, enough, isForeign });
  if (what !== undefined) return { failure: { kind: 'content', what, mayPass: true } };
  return { answer: { bytes, isPart, total } };
}

function totalOf({ status, headers }: Response): number | undefined {
  const isEncoded = (headers.get('Content-Encoding') ?? 'identity') !== 'identity';
  const label = headers.get('Content-Range');
  const found = status === 200 ? (isEncoded ? null : headers.get('Content-Length')) : /\/(\d+)$/.exec(label ?? '')?.[1];
  return found ? Number(found) : undefined;
}

/**
 * How many bytes are waited for: of a whole, none beyond the part that is wanted; of a part, one more than that, which tells that
 * it is wrong.
 */
function enoughOf(range: ByteRange | undefined, isPart: boolean): number {
  if (!range) return Infinity;
  if (isPart) return 1 + ('offset' in range ? range.length : range.suffixLength);
  return 'offset' in range ? range.offset + range.length : Infinity;
}

/** What a status that is no answer means. */
export function refusalOf({ status, statusText, headers }: Response): Failure {
  const what = `the server answered ${statusText ? `${status} ${statusText}` : status}`;
  return { kind: 'status', what, mayPass: mayPass(status), retryAfter: waitOf(headers.get('Retry-After')) };
}

/** `Retry-After` in milliseconds: seconds, or a date. */
function waitOf(value: string | null): number | undefined {
  if (value === null) return undefined;
  const wait = /^\s*\d+\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
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

/** What is known of an answer with status 200, 206 or 416. */
export interface Received {
  readonly bytes: Uint8Array;
  readonly range: ByteRange | undefined;
  /** Where reading stopped on purpose. */
  readonly enough: number;
  /** Whether the page that asks may not see all headers. */
  readonly isForeign: boolean;
}

/** What is wrong with an answer; `undefined` for one that is whole and is what was asked for. */
function checkAnswer({ status, headers }: Response, received: Received): string | undefined {
  const { bytes, range } = received;
  const part = headers.get('Content-Range');
  if (status === 416) return range && checkUnsatisfied(part, range);
  if (status === 200) return checkLength(headers, received);
  if (!range) return `the server answered a part, ${part ?? '206'}, where the whole was asked for`;
  const short = checkLength(headers, received);
  return short ?? (part === null ? checkUnlabelled(bytes, range) : checkPart(part, { bytes, range }));
}

/** An encoded body is of another length than the header says, and a foreign page does not see that it was encoded. */
function checkLength(headers: Headers, { bytes, enough, isForeign }: Received): string | undefined {
  const promised = Number(headers.get('Content-Length') ?? Number.NaN);
  const isEncoded = (headers.get('Content-Encoding') ?? 'identity') !== 'identity';
  if (isForeign || isEncoded || bytes.length >= enough || Number.isNaN(promised)) return undefined;
  if (bytes.length === promised) return undefined;
  return `${bytes.length} bytes came of the ${promised} that the server promised`;
}

/** A page sees no `Content-Range` of a foreign server that does not expose it. */
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

/** 416 says that the part lies beyond the end, which the total that comes with it must bear out. */
function checkUnsatisfied(part: string | null, range: ByteRange): string | undefined {
  const total = Number(/^bytes \*\/(\d+)$/.exec(part ?? '')?.[1] ?? Number.NaN);
  const isThere = 'suffixLength' in range ? total > 0 : range.offset < total;
  return isThere ? `the server answered that it has no ${describe(range)} of ${total}` : undefined;
}

/** What a single request came to, where it did not bring an answer. */
export interface Failure {
  /** `network`: nothing came, or not all; `status`: the server said so; `content`: what came is not what was asked for. */
  readonly kind: 'network' | 'status' | 'content';
  readonly what: string;
  /** Whether the same request may well succeed a little later. */
  readonly mayPass: boolean;
  /** What `Retry-After` says, in milliseconds. */
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

/** Statuses that may be another the next time. */
export function mayPass(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** How often and how long requests are made again. */
export interface RetryRules {
  readonly tries: number;
  /** The same for failures of the network. */
  readonly networkTries: number;
  /** The code of a failure of the network. @defaultValue 'unavailable' */
  readonly networkCode?: ErrorCode | undefined;
  readonly retryFor: number;
  readonly clock: HttpClock;
}

/** Options of {@link untilAnswered}. */
export interface UntilAnsweredOptions extends RetryRules {
  /** What is read, for messages. */
  readonly where: string;
  readonly signal: AbortSignal | undefined;
}

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 16_000;

/**
 * Makes a request again until it is answered, with exponential back-off and full jitter: the n-th pause is anything from 0 to
 * 500 ms · 2^(n − 1), at most 16 s, and no less than what `Retry-After` says.
 *
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @throws The abort reason of `signal`, at once also during a pause; {@link CryoetPicksError} with the last failure.
 */
export async function untilAnswered<T>(
  attempt: (signal: AbortSignal | undefined) => Promise<{ readonly answer: T } | { readonly failure: Failure }>,
  { tries, networkTries, networkCode = 'unavailable', retryFor, clock, where, signal }: UntilAnsweredOptions,
): Promise<T> {
  const start = clock.now();
  for (let made = 1; ; made++) {
    signal?.throwIfAborted();
    const outcome = await attempt(signal);
    signal?.throwIfAborted();
    if ('answer' in outcome) return outcome.answer;
    const { failure } = outcome;
    const pause = Math.max(
      failure.retryAfter ?? 0,
      clock.random() * Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (made - 1)),
    );
    const isLast = made >= (failure.kind === 'network' ? networkTries : tries);
    if (!failure.mayPass || isLast || clock.now() + pause > start + retryFor) {
      const codes = { content: 'corrupt-data', status: 'unavailable', network: networkCode } as const;
      throw failed(where, failure, { code: codes[failure.kind], made });
    }
    await clock.sleep(pause, signal);
  }
}

function failed(
  where: string,
  { what, retryAfter, cause }: Failure,
  { code, made }: { readonly code: ErrorCode; readonly made: number },
): CryoetPicksError {
  const tries = made > 1 ? ` (${made} tries)` : '';
  const later = retryAfter === undefined ? '' : `; it asks to wait ${Math.ceil(retryAfter / 1000)} s`;
  return new CryoetPicksError(code, `cannot read ${where}: ${what}${later}${tries}`, { cause, path: where });
}

/** The clock and the chance of the platform. */
export const platformClock: HttpClock = {
  now: () => performance.now(),
  random: () => Math.random(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        stopWaiting();
        resolve();
      }, milliseconds);
      const stopWaiting = onAbort(signal, () => {
        clearTimeout(timer);
        reject(signal?.reason);
      });
    }),
};
