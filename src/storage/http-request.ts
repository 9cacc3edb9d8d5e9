import { CryoetPicksError } from '../errors.ts';
import { type ByteRange, checkKey, type StoreKey, sliceRange } from './store.ts';

/** Where requests go, and how. */
export interface Server {
  /** The folder's URL without its query string. */
  readonly location: string;
  readonly query: string;
  readonly send: (url: string, init: RequestInit) => Promise<Response>;
  readonly headers: Readonly<Record<string, string>>;
}

interface WholeRequest {
  readonly key: StoreKey;
  readonly signal: AbortSignal | undefined;
}

interface RangeRequest extends WholeRequest {
  readonly range: ByteRange;
}

/** The bytes of a key; nothing where it is absent. */
export async function requestWhole(server: Server, { key, signal }: WholeRequest): Promise<Uint8Array | undefined> {
  return (await answerOf(server, { key, headers: {}, signal }))?.bytes;
}

/** A part of the bytes of a key, whether or not the server understands ranges; nothing where it is absent. */
export async function requestRange(
  server: Server,
  { key, range, signal }: RangeRequest,
): Promise<Uint8Array | undefined> {
  const isEmpty = ('suffixLength' in range ? range.suffixLength : range.length) === 0;
  // A range of nothing cannot be asked for; one byte tells whether the key is there.
  const asked = isEmpty ? { offset: 0, length: 1 } : range;
  const answer = await answerOf(server, { key, headers: { Range: rangeHeader(asked) }, signal });
  if (!answer || isEmpty) return answer && new Uint8Array(0);
  return answer.isPart ? answer.bytes : sliceRange(answer.bytes, range);
}

const METADATA = /\/(\.z(attrs|group|array|metadata)|zarr\.json)$/;

async function answerOf(
  { location, query, send, headers }: Server,
  { key, headers: extra, signal }: WholeRequest & { readonly headers: Readonly<Record<string, string>> },
): Promise<Answer | undefined> {
  signal?.throwIfAborted();
  const where = `${location}${checkKey(key).split('/').map(encodeURIComponent).join('/')}`;
  const request = () => send(`${where}${query}`, { headers: { ...headers, ...extra }, signal: signal ?? null });
  return receive(request, { where, absent: METADATA.test(key) ? [403, 404] : [404], signal });
}

function rangeHeader(range: ByteRange): string {
  if ('suffixLength' in range) return `bytes=-${range.suffixLength}`;
  return `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

interface Answer {
  readonly bytes: Uint8Array;
  readonly isPart: boolean;
}

interface ReceiveOptions {
  /** What is read, for messages. */
  readonly where: string;
  /** The statuses that mean that nothing is there. */
  readonly absent: readonly number[];
  readonly signal: AbortSignal | undefined;
}

async function receive(
  request: () => Promise<Response>,
  { where, absent, signal }: ReceiveOptions,
): Promise<Answer | undefined> {
  try {
    const response = await request();
    if (absent.includes(response.status)) {
      await response.body?.cancel();
      return undefined;
    }
    // The range lies wholly beyond the end.
    if (response.status === 416) return { bytes: new Uint8Array(0), isPart: true };
    if (response.status !== 200 && response.status !== 206) {
      await response.body?.cancel();
      throw new CryoetPicksError('not-found', `cannot read ${where}: the server answered ${describe(response)}`);
    }
    return { bytes: new Uint8Array(await response.arrayBuffer()), isPart: response.status === 206 };
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof CryoetPicksError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('not-found', `cannot read ${where}: ${reason}`, { cause });
  }
}

function describe({ status, statusText }: Response): string {
  return statusText ? `${status} ${statusText}` : `${status}`;
}
