import * as v from 'valibot';
import { onAbort } from '../../core/concurrency.ts';
import { CryoetPicksError } from '../../core/errors.ts';
import { checkSchema } from '../../core/json.ts';
import type { HttpClock } from '../../storage/http-request.ts';
import { mayPass } from '../../storage/http-request.ts';

/** A GraphQL server, and how to ask it. */
export interface GraphqlServer {
  readonly endpoint: string;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds until an answer counts as not coming. */
  readonly timeout: number;
  /** Pauses between attempts, at random, so that many clients do not come back at the same moment. */
  readonly clock: HttpClock;
}

/** One question to a GraphQL server. */
export interface GraphqlRequest {
  readonly document: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** How often to ask while the trouble may pass. */
  readonly attempts: number;
  readonly signal: AbortSignal | undefined;
}

/** Trouble that may pass, or that a smaller question may not meet. */
export interface Trouble {
  readonly reason: string;
  readonly cause?: unknown;
  /** What the server asks to wait, in milliseconds. */
  readonly wait?: number | undefined;
}

/** What a server answers: data, or trouble that lasted for all attempts. */
export type GraphqlAnswer = { readonly data: Readonly<Record<string, unknown>> } | { readonly trouble: Trouble };

/**
 * Asks a GraphQL server, again with growing pauses while it is overloaded or out of reach: the statuses 408, 425, 429 and
 * 5xx, a time-out, a broken connection, and errors that GraphQL reports from within a field, as a database time-out is.
 *
 * @throws {@link CryoetPicksError} `unavailable` for other statuses; `unsupported` where the server refuses the question;
 *   `invalid-metadata` where the answer is not GraphQL. The abort reason of the signal, untouched.
 */
export async function askGraphql(server: GraphqlServer, request: GraphqlRequest): Promise<GraphqlAnswer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await askOnce(server, request);
    if ('data' in answer || attempt >= request.attempts) return answer;
    const pause = Math.min(1000 * 2 ** (attempt - 1) + 1000 * server.clock.random(), 30_000);
    await server.clock.sleep(Math.max(pause, answer.trouble.wait ?? 0), request.signal);
  }
}

/** The error that trouble becomes where nothing more can be tried. */
export function troubleError({ endpoint }: Pick<GraphqlServer, 'endpoint'>, { reason, cause }: Trouble): Error {
  const path = withoutQuery(endpoint);
  return new CryoetPicksError('unavailable', `cannot read ${path}: ${reason}`, { cause, path });
}

async function askOnce(server: GraphqlServer, request: GraphqlRequest): Promise<GraphqlAnswer> {
  const { signal } = request;
  signal?.throwIfAborted();
  const controller = new AbortController();
  const stopWaiting = onAbort(signal, () => controller.abort(signal?.reason));
  const timer = setTimeout(() => controller.abort(), server.timeout);
  try {
    return await receive(server, request, controller.signal);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof CryoetPicksError) throw cause;
    if (controller.signal.aborted) return { trouble: { reason: `no answer within ${server.timeout / 1000} s`, cause } };
    const reason = cause instanceof Error ? cause.message : String(cause);
    return { trouble: { reason: `${reason}${originHint()}`, cause } };
  } finally {
    clearTimeout(timer);
    stopWaiting();
  }
}

async function receive(
  { endpoint, fetch, headers }: GraphqlServer,
  { document, variables }: GraphqlRequest,
  signal: AbortSignal,
): Promise<GraphqlAnswer> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { Accept: 'application/json', 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ query: document, variables }),
    signal,
  });
  const { status } = response;
  if (mayPass(status)) {
    // Nobody reads the rest, and nobody waits for it to be given up.
    response.body?.cancel().catch(() => {});
    return { trouble: { reason: `the server answered ${status}`, wait: retryAfter(response) } };
  }
  const text = await response.text();
  return understand(text, { status, what: `the answer of ${withoutQuery(endpoint)}` });
}

const answerSchema = v.looseObject({
  data: v.nullish(v.record(v.string(), v.unknown())),
  errors: v.nullish(v.array(v.looseObject({ message: v.string(), path: v.nullish(v.array(v.unknown())) }))),
});

function understand(text: string, { status, what }: { readonly status: number; readonly what: string }): GraphqlAnswer {
  const json = parse(text);
  if (status !== 200 && (json as { errors?: unknown } | undefined)?.errors === undefined) {
    throw new CryoetPicksError('unavailable', `${what} has the status ${status}, expected 200`);
  }
  if (json === undefined) throw new CryoetPicksError('invalid-metadata', `${what} is not JSON`);
  const { data, errors } = checkSchema(answerSchema, json, { what, code: 'invalid-metadata' });
  if (errors && errors.length > 0) {
    const reason = errors.map(({ message }) => message).join('; ');
    // Only what goes wrong while a field is worked out has a path; without one the question itself is refused.
    if (errors.every(({ path }) => path && path.length > 0)) return { trouble: { reason } };
    throw new CryoetPicksError('unsupported', `${what} refuses the question: ${reason}`);
  }
  if (!data) throw new CryoetPicksError('invalid-metadata', `${what} holds neither data nor errors`);
  return { data };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function retryAfter({ headers }: Response): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return seconds > 0 && seconds <= 120 ? seconds * 1000 : undefined;
}

/** Browsers tell a page neither why a request failed nor that its origin was refused. */
function originHint(): string {
  const origin = globalThis.location?.origin;
  if (origin === undefined) return '';
  return (
    `. The portal answers pages of few origins, and ${origin} may not be among them: ` +
    'give a `fetch` or an `endpoint` that goes through your own server, or read the portal in Node'
  );
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '');
}
