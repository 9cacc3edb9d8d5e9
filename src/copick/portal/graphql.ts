import * as v from 'valibot';
import { CryoetPicksError } from '../../core/errors.ts';
import { checkSchema, decodeText } from '../../core/json.ts';
import { withoutSecrets } from '../../storage/address.ts';
import { exchange, type ReadBody } from '../../storage/http-request.ts';
import { clock, isRetryableStatus, RequestFailure, retry, retryAfterOf } from '../../storage/retry.ts';

/** A GraphQL server, and how to send requests to it. */
export interface GraphqlServer {
  readonly endpoint: string;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly headers: Readonly<Record<string, string>>;
  /** As of `httpStore`, in milliseconds. */
  readonly timeout: number;
  /** Maximum size of an answer. */
  readonly maxBytes: number;
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
  const path = withoutSecrets(endpoint);
  const { message, cause } = failure;
  return new CryoetPicksError('unavailable', `cannot read ${path}: ${message}`, { cause, path });
}

async function askOnce(server: GraphqlServer, { document, variables, signal }: GraphqlRequest): Promise<Data> {
  const { endpoint: url, fetch: send, timeout } = server;
  const headers = { Accept: 'application/json', 'Content-Type': 'application/json', ...server.headers };
  const body = JSON.stringify({ query: document, variables });
  signal?.throwIfAborted();
  try {
    return await exchange({ url, method: 'POST', headers, body, timeout, send }, signal, (response, read) =>
      receive(response, read, server),
    );
  } catch (error) {
    if (!(error instanceof RequestFailure && error.kind === 'network')) throw error;
    throw new RequestFailure(`${error.message}${originHint()}`, error);
  }
}

async function receive(response: Response, read: ReadBody, { endpoint, maxBytes }: GraphqlServer): Promise<Data> {
  const { status } = response;
  if (isRetryableStatus(status)) {
    response.body?.cancel().catch(() => {});
    const asked = retryAfterOf(response) ?? 0;
    const retryAfter = asked <= MAX_RETRY_AFTER ? asked : undefined;
    throw new RequestFailure(`the server answered ${status}`, { kind: 'status', isRetryable: true, retryAfter });
  }
  const path = withoutSecrets(endpoint);
  const { bytes } = await read({ bound: { bytes: maxBytes, option: 'maxMetadataBytes', path } });
  return dataOf(bytes, { status, what: `the answer of ${path}` });
}

const answerSchema = v.looseObject({
  data: v.nullish(v.record(v.string(), v.unknown())),
  errors: v.nullish(v.array(v.looseObject({ message: v.string(), path: v.nullish(v.array(v.unknown())) }))),
});

function dataOf(bytes: Uint8Array, { status, what }: { readonly status: number; readonly what: string }): Data {
  const json = parse(bytes);
  if (status !== 200 && (json as { errors?: unknown } | undefined)?.errors === undefined) {
    throw new CryoetPicksError('unavailable', `${what} has the status ${status}, expected 200`);
  }
  if (json === undefined) throw new CryoetPicksError('invalid-metadata', `${what} is not JSON in UTF-8`);
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

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeText(bytes, { what: 'the answer', code: 'invalid-metadata' }));
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
