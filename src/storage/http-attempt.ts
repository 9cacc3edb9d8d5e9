import { onAbort, untilAborted } from './abort.ts';
import { checkAnswer } from './http-answer.ts';
import { type Failure, mayPass } from './http-retry.ts';
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
