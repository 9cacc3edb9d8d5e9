import * as v from 'valibot';
import { onAbort } from '../../core/concurrency.ts';
import { CryoetPicksError } from '../../core/errors.ts';
import { checkSchema } from '../../core/json.ts';
import { readBody } from '../../storage/http-request.ts';
import { clock, isRetryableStatus, MAX_TIMEOUT, RequestFailure, retry, retryAfterOf } from '../../storage/retry.ts';

/** A GraphQL server, and how to send requests to it. */
export interface GraphqlServer {
  readonly endpoint: string;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly headers: Readonly<Record<string, string>>;
  /** How long an answer may take, in milliseconds. */
  readonly timeout: number;
}

/** One query for a GraphQL server. */
export interface GraphqlRequest {
  readonly document: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** The maximum number of tries while the failure may pass. */
  readonly attempts: number;
  readonly signal: AbortSignal | undefined;
}

type Data = Readonly<Record<string, unknown>>;

/** What a server answers: data, or a failure that lasted for all tries; a smaller query may succeed. */
export type GraphqlAnswer = { readonly data: Data } | { readonly failure: RequestFailure };

/** Maximum size of an answer, in bytes. */
const MAX_ANSWER = 2 ** 26;

/** A longer `Retry-After` is not followed. */
const MAX_RETRY_AFTER = 120_000;

/**
 * Sends a query to a GraphQL server, again with growing pauses while the server is overloaded or out of reach: the statuses 408,
 * 425, 429 and 5xx, a time-out, a broken connection, and errors that GraphQL reports from within a field, such as a time-out
 * of its database.
 *
 * @throws {@link CryoetPicksError} `unavailable` for other statuses; `unsupported` where the server rejects the query;
 *   `invalid-metadata` where the answer is not GraphQL. The abort reason of the signal, untouched.
 */
export async function askGraphql(server: GraphqlServer, request: GraphqlRequest): Promise<GraphqlAnswer> {
  try {
    const data = await retry(() => askOnce(server, request), {
      tries: () => request.attempts,
      pause: (tried) => Math.min(1000 * 2 ** (tried - 1) + 1000 * clock.random(), 30_000),
      toError: (failure) => failure,
      signal: request.signal,
    });
    return { data };
  } catch (error) {
    if (error instanceof RequestFailure) return { failure: error };
    throw error;
  }
}

/** The error to throw for a failure where nothing more can be tried. */
export function failureError({ endpoint }: Pick<GraphqlServer, 'endpoint'>, failure: RequestFailure): Error {
  const path = withoutQuery(endpoint);
  const { message, cause } = failure;
  return new CryoetPicksError('unavailable', `cannot read ${path}: ${message}`, { cause, path });
}

async function askOnce(server: GraphqlServer, request: GraphqlRequest): Promise<Data> {
  const { signal } = request;
  signal?.throwIfAborted();
  const controller = new AbortController();
  const stopWaiting = onAbort(signal, () => controller.abort(signal?.reason));
  // A timer that is set for longer fires at once.
  const isTimed = server.timeout <= MAX_TIMEOUT;
  const timer = isTimed ? setTimeout(() => controller.abort(), server.timeout) : undefined;
  try {
    return await receive(server, request, controller.signal);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof CryoetPicksError || cause instanceof RequestFailure) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = controller.signal.aborted
      ? `no answer within ${server.timeout / 1000} s`
      : `${reason}${originHint()}`;
    throw new RequestFailure(message, { kind: 'network', isRetryable: true, cause });
  } finally {
    clearTimeout(timer);
    stopWaiting();
  }
}

async function receive(
  { endpoint, fetch, headers }: GraphqlServer,
  { document, variables }: GraphqlRequest,
  signal: AbortSignal,
): Promise<Data> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { Accept: 'application/json', 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ query: document, variables }),
    signal,
  });
  const { status } = response;
  if (isRetryableStatus(status)) {
    response.body?.cancel().catch(() => {});
    const asked = retryAfterOf(response) ?? 0;
    const retryAfter = asked <= MAX_RETRY_AFTER ? asked : undefined;
    throw new RequestFailure(`the server answered ${status}`, { kind: 'status', isRetryable: true, retryAfter });
  }
  const path = withoutQuery(endpoint);
  const { bytes } = await readBody(response, { bound: { bytes: MAX_ANSWER, option: 'maxMetadataBytes', path } });
  return dataOf(new TextDecoder().decode(bytes), { status, what: `the answer of ${path}` });
}

const answerSchema = v.looseObject({
  data: v.nullish(v.record(v.string(), v.unknown())),
  errors: v.nullish(v.array(v.looseObject({ message: v.string(), path: v.nullish(v.array(v.unknown())) }))),
});

function dataOf(text: string, { status, what }: { readonly status: number; readonly what: string }): Data {
  const json = parse(text);
  if (status !== 200 && (json as { errors?: unknown } | undefined)?.errors === undefined) {
    throw new CryoetPicksError('unavailable', `${what} has the status ${status}, expected 200`);
  }
  if (json === undefined) throw new CryoetPicksError('invalid-metadata', `${what} is not JSON`);
  const { data, errors } = checkSchema(answerSchema, json, { what, code: 'invalid-metadata' });
  if (errors && errors.length > 0) {
    const reason = errors.map(({ message }) => message).join('; ');
    // Only an error within a field has a path; without one the server rejects the query itself.
    if (errors.every(({ path }) => path && path.length > 0)) {
      throw new RequestFailure(reason, { kind: 'content', isRetryable: true });
    }
    throw new CryoetPicksError('unsupported', `${what} rejects the query: ${reason}`);
  }
  if (!data) throw new CryoetPicksError('invalid-metadata', `${what} holds neither data nor errors`);
  return data;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A page cannot see why a request failed, nor whether the server allows its origin. */
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
