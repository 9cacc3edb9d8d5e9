import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CryoetPicksError, type ErrorCode, isCryoetPicksError, plainError } from '../core/errors.ts';
import { MAX_WRITTEN_BYTES, PROBLEM, tooLongToWrite } from '../storage/served.ts';
import {
  type ByteRange,
  checkVersion,
  type ListableStore,
  type ReadableStore,
  type Store,
  type StoreKey,
  spanOf,
} from '../storage/store.ts';
import { isEqual, isInside, isStillThere, keyOf, namesBelow, RECORD, type RootFolder } from './request-path.ts';

/** A store that is served under a name. */
export interface ServedStore {
  readonly store: ListableStore;
  /** The store again, if values are taken for it. */
  readonly writable?: Store | undefined;
  /** The folder that holds all of it, links resolved; a value that a link places elsewhere is refused. */
  readonly folder?: string | undefined;
  /** The folder of the store as it was at the start: while it is gone, calls are `unavailable`. If absent, it need not be there. */
  readonly root?: RootFolder | undefined;
  /** The only key that is served, of a single file. */
  readonly only?: StoreKey | undefined;
}

/** What a server serves. */
export interface ServedSite {
  /** Stores with data, by name: `data/NAME/…` and `list/NAME/…`. */
  readonly data: ReadonlyMap<string, ServedStore>;
  /** Folders of files without folders, by name; those of `''` lie at the top. A single file goes before its folder. */
  readonly files: ReadonlyMap<string, ReadableStore>;
}

/** Options of {@link serveStores}. */
export interface ServeOptions {
  /** The only port to try. @defaultValue 7313, the next free one if it is taken */
  readonly port?: number | undefined;
  /** Milliseconds that a request may take to arrive, with its body. @defaultValue 60,000 */
  readonly patience?: number | undefined;
}

/** A server that runs. */
export interface StoreServer {
  /** The address of the page, with the token: anyone who has it can read and write. */
  readonly address: string;
  /**
   * An address that leads to the page once, within two minutes. A browser that is started by a command line gets this one, since all
   * users of the machine can see command lines.
   */
  ticket(): string;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

/** Connections at once, and those of them that have not shown the token. */
const [MAX_CONNECTIONS, MAX_STRANGERS] = [1024, 512];

/** The port that is tried first, and how many are. */
const [FIRST_PORT, PORTS] = [7313, 20];

/**
 * Serves stores and the files of a page on this machine only, 127.0.0.1, below a random token.
 *
 * Nothing is answered but 404 without the token, and 403 to a request for another host (which a name that was bound to this machine
 * leads to) or of another origin. Only the methods GET, HEAD and PUT are known. A value is written if the store is `writable`, under
 * the condition of its version: see `storage/served.ts` for the protocol.
 *
 * @throws {@link CryoetPicksError} `unavailable` if the port is taken.
 */
export async function serveStores(
  site: ServedSite,
  { port, patience = 60_000 }: ServeOptions = {},
): Promise<StoreServer> {
  const token = randomBytes(16).toString('base64url');
  const tickets = new Tickets();
  const uploads = { count: 0 };
  const strangers = new Strangers();
  const server = createServer({
    maxHeaderSize: 2 ** 14,
    headersTimeout: Math.min(10_000, patience),
    requestTimeout: patience,
    connectionsCheckingInterval: patience / 10,
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket) => strangers.add(socket));
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void answer({ request, response, site, token, tickets, uploads, strangers });
  });
  await listen(server, port);
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address: `${base}/${token}/`,
    ticket: () => `${base}/open/${tickets.add()}`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, port: number | undefined): Promise<void> {
  const next = Array.from({ length: PORTS }, (_, i) => FIRST_PORT + i);
  // Port 0 stands for any that is free.
  for (const tried of port === undefined ? [...next, 0] : [port]) {
    try {
      server.listen(tried, '127.0.0.1');
      await once(server, 'listening');
      return;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE' && port === undefined) continue;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new CryoetPicksError('unavailable', `cannot serve on port ${tried}: ${reason}; choose another port`, {
        cause,
        option: 'port',
      });
    }
  }
}

/** Connections that have not shown the token: beyond {@link MAX_STRANGERS} the oldest ends, so that none lock the page out. */
class Strangers {
  readonly #sockets = new Set<Socket>();

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.delete(socket));
    const [oldest] = this.#sockets;
    if (this.#sockets.size > MAX_STRANGERS) oldest?.destroy();
  }

  delete(socket: Socket): void {
    this.#sockets.delete(socket);
  }
}

/** Addresses that lead to the page once. */
class Tickets {
  readonly #until = new Map<string, number>();

  add(): string {
    const ticket = randomBytes(16).toString('base64url');
    this.#until.set(ticket, performance.now() + 120_000);
    return ticket;
  }

  /** Takes a ticket back; false if no such ticket was given. */
  take(given: string): boolean {
    const ticket = [...this.#until.keys()].find((one) => isEqual(one, given));
    const until = ticket === undefined ? 0 : this.#until.get(ticket)!;
    if (ticket !== undefined) this.#until.delete(ticket);
    return performance.now() < until;
  }
}

/** What every answer says: nothing from elsewhere, no code from strings, no frame around it, and pages of their own process. */
const headers = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; " +
    "img-src 'self' blob: data:; connect-src 'self' https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  // Data of others does not stay in the browser.
  'Cache-Control': 'no-store',
} as const;

/** A request, and what is needed to answer it. */
interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly site: ServedSite;
  readonly token: string;
  readonly tickets: Tickets;
  /** Bodies that are being received. */
  readonly uploads: { count: number };
  readonly strangers: Strangers;
}

async function answer(call: Call): Promise<void> {
  const { response } = call;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    await route(call, gone.signal);
  } catch (error) {
    // The other side has left, or the answer has begun and can only be broken off.
    if (gone.signal.aborted || response.headersSent) response.destroy();
    else sendError(call, error);
  }
}

async function route(call: Call, signal: AbortSignal): Promise<void> {
  const { request, response, site, token, tickets } = call;
  if (!isLocalHost(request)) return send(response, 403);
  const ticket = /^\/open\/([\w-]+)$/.exec(request.url ?? '')?.[1];
  if (ticket !== undefined && request.method === 'GET' && tickets.take(ticket)) {
    return send(response, 303, { Location: `/${token}/` });
  }
  const names = namesBelow(token, request.url);
  if (names === undefined) return send(response, 404);
  call.strangers.delete(request.socket);
  if (!isOwnOrigin(request, { isPage: names.length === 1 && names[0] === '' })) return send(response, 403);
  if (!['GET', 'HEAD', 'PUT'].includes(request.method ?? '')) return send(response, 405, { Allow: 'GET, HEAD, PUT' });
  const [kind = '', name = '', ...rest] = names;
  const served = site.data.get(name);
  if (kind === 'data' && served) return answerValue(call, { served, names: rest, signal });
  if (request.method === 'PUT')
    return sendError(call, new CryoetPicksError('read-only', 'nothing can be written here'));
  if (kind === 'list' && served) return answerList(call, { served, names: rest, signal });
  return answerFile(call, { names, signal });
}

/** Any port, so that a tunnel to another machine works; a name that an attacker bound to 127.0.0.1 is another name. */
function isLocalHost({ headers: { host } }: IncomingMessage): boolean {
  return /^(?:127\.0\.0\.1|localhost)(?::\d{1,5})?$/.test(host ?? '');
}

/** Whether a request comes from the page itself or from no page; the page may also be opened by a link. */
function isOwnOrigin({ headers, method }: IncomingMessage, { isPage }: { readonly isPage: boolean }): boolean {
  const { host, origin, 'sec-fetch-site': site, 'sec-fetch-mode': mode } = headers;
  if (origin !== undefined && origin !== `http://${host}`) return false;
  if (site === undefined || site === 'same-origin' || site === 'none') return true;
  return isPage && mode === 'navigate' && method === 'GET';
}

function send(response: ServerResponse, status: number, fields: Record<string, string> = {}, body?: Uint8Array): void {
  begin(response, status, { ...fields, 'Content-Length': body?.length ?? 0 });
  response.end(body);
}

/** Begins an answer. A body that nobody has read would hold the connection, which then ends with the answer. */
function begin(response: ServerResponse, status: number, fields: Readonly<Record<string, string | number>>): void {
  const { headers, readableEnded } = response.req;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  response.writeHead(status, { ...fields, ...(hasBody && !readableEnded && { Connection: 'close' }) });
}

/** The statuses of errors; the client goes by the code. */
const statuses: Readonly<Partial<Record<ErrorCode, number>>> = {
  'not-found': 404,
  'read-only': 403,
  'invalid-option': 400,
  conflict: 412,
  unavailable: 503,
  'write-failed': 507,
};

function sendError({ request, response }: Pick<Call, 'request' | 'response'>, error: unknown, status?: number): void {
  const problem = isCryoetPicksError(error)
    ? plainError(error)
    : { code: 'unavailable' as const, message: error instanceof Error ? error.message : String(error) };
  const isHead = request.method === 'HEAD';
  const body = isHead ? undefined : new TextEncoder().encode(JSON.stringify(problem));
  send(response, status ?? statuses[problem.code] ?? 422, isHead ? {} : { 'Content-Type': PROBLEM }, body);
}

/** What of a store is asked for. */
interface Asked {
  readonly served: ServedStore;
  readonly names: readonly string[];
  readonly signal: AbortSignal;
}

async function answerValue(call: Call, { served, names, signal }: Asked): Promise<void> {
  const { request, response } = call;
  const key = keyOf(names);
  if (key === undefined || (served.only !== undefined && key !== served.only)) return send(response, 404);
  await requireThere(served);
  await requireInside(served, key);
  if (request.method === 'PUT') return takeValue(call, { served, key });
  return sendValue(call, { store: served.store, key, type: 'application/octet-stream', absent: 204, signal });
}

/** @throws {@link CryoetPicksError} `unavailable` for a store whose folder is gone: a write would make another one in its place. */
async function requireThere({ root }: ServedStore): Promise<void> {
  if (root === undefined || (await isStillThere(root))) return;
  throw new CryoetPicksError(
    'unavailable',
    `the folder ${root.path} is gone, or another one is in its place; put or mount it there again, and repeat`,
    { path: root.path },
  );
}

/** @throws {@link CryoetPicksError} `unavailable` for a value or folder outside of the folder of its store. */
async function requireInside({ store, folder }: ServedStore, key: StoreKey): Promise<void> {
  const path = store.pathOf?.(key);
  if (folder === undefined || path === undefined || (await isInside(folder, path))) return;
  throw new CryoetPicksError(
    'unavailable',
    `${key} is, or lies behind, a link out of the folder that is shown, and is not followed; ` +
      'start npx cryoet-picks view with --follow-links if you trust it',
    { path: key },
  );
}

async function answerList(call: Call, { served, names, signal }: Asked): Promise<void> {
  const { response } = call;
  const key = names.at(-1) === 'index.json' && served.only === undefined ? keyOf(names.slice(0, -1)) : undefined;
  if (key === undefined) return send(response, 404);
  await requireThere(served);
  await requireInside(served, key);
  const entries = await served.store.list(key, { signal });
  const shown = entries.filter(({ name }) => keyOf([name]) !== undefined);
  const body = new TextEncoder().encode(JSON.stringify(shown));
  send(response, 200, { 'Content-Type': types.json! }, call.request.method === 'HEAD' ? undefined : body);
}

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  json: 'application/json',
  svg: 'image/svg+xml',
  wasm: 'application/wasm',
};

async function answerFile(call: Call, { names, signal }: Pick<Asked, 'names' | 'signal'>): Promise<void> {
  const name = names.length === 1 && names[0] === '' ? 'index.html' : names.at(-1)!;
  const { files } = call.site;
  const store = files.get(names.join('/')) ?? files.get(names.slice(0, -1).join('/'));
  const key = name === '' ? undefined : keyOf([name]);
  const type = types[/\.(\w+)$/.exec(name)?.[1] ?? ''] ?? 'application/octet-stream';
  if (store === undefined || key === undefined) return send(call.response, 404);
  await sendValue(call, { store, key, type, absent: 404, signal });
}

/** A value to send. */
interface SentValue {
  readonly store: ReadableStore & Partial<Pick<Store, 'version'>>;
  readonly key: StoreKey;
  readonly type: string;
  /** The status where there is no such value. */
  readonly absent: 204 | 404;
  readonly signal: AbortSignal;
}

/** Bytes that are in memory at once of a value that is sent in pieces. */
const PIECE = 2 ** 22;

async function sendValue({ request, response }: Call, { store, key, type, absent, signal }: SentValue): Promise<void> {
  const size = await store.size?.(key, { signal });
  if (request.method === 'HEAD') {
    const isVersioned = store.version !== undefined && size !== undefined && size <= MAX_WRITTEN_BYTES;
    const version = isVersioned ? await store.version!(key, { signal }) : undefined;
    if (size === undefined && (await store.getRange(key, { offset: 0, length: 1 }, { signal })) === undefined)
      return send(response, absent);
    begin(response, 200, {
      'Content-Type': type,
      ...(size !== undefined && { 'Content-Length': size, 'Accept-Ranges': 'bytes' }),
      ...(version !== undefined && { ETag: `"${version}"` }),
    });
    response.end();
    return;
  }
  const range = rangeOf(request.headers.range);
  if (size === undefined) {
    // A store on the web, which names no sizes; or there is no such value.
    const bytes = await (range ? store.getRange(key, range, { signal }) : store.get(key, { signal }));
    if (bytes === undefined) return send(response, absent);
    if (!range || 'suffixLength' in range) return send(response, 200, { 'Content-Type': type }, bytes);
    if (bytes.length === 0) return send(response, 416, { 'Content-Range': 'bytes */*' });
    const part = `bytes ${range.offset}-${range.offset + bytes.length - 1}/*`;
    return send(response, 206, { 'Content-Type': type, 'Content-Range': part }, bytes);
  }
  const { offset, length } = range ? spanOf(range, size) : { offset: 0, length: size };
  if (range && length === 0) return send(response, 416, { 'Content-Range': `bytes */${size}` });
  begin(response, range ? 206 : 200, {
    'Content-Type': type,
    'Content-Length': length,
    'Accept-Ranges': 'bytes',
    ...(range && { 'Content-Range': `bytes ${offset}-${offset + length - 1}/${size}` }),
  });
  await pipeline(Readable.from(piecesOf(store, { key, offset, length, signal })), response);
}

/** The range of a header; undefined for one that is not understood, and for several, where the whole is sent as HTTP allows. */
function rangeOf(header: string | undefined): ByteRange | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === '') return last === '' ? undefined : { suffixLength: Number(last) };
  if (last === '') return { offset: Number(first) };
  return Number(last) < Number(first) ? undefined : { offset: Number(first), length: Number(last) - Number(first) + 1 };
}

interface Part {
  readonly key: StoreKey;
  readonly offset: number;
  readonly length: number;
  readonly signal: AbortSignal;
}

/** @throws {@link CryoetPicksError} `corrupt-data` for a value that got shorter meanwhile, which breaks the answer off. */
async function* piecesOf(store: ReadableStore, { key, offset, length, signal }: Part): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < length; ) {
    const range = { offset: offset + done, length: Math.min(PIECE, length - done) };
    const piece = await store.getRange(key, range, { signal });
    if (piece === undefined || piece.length !== range.length) {
      throw new CryoetPicksError('corrupt-data', `${key} has changed while it was sent`);
    }
    done += piece.length;
    yield piece;
  }
}

/** Bodies that are received at once: each may take {@link MAX_WRITTEN_BYTES} of memory. */
const MAX_UPLOADS = 4;

async function takeValue(
  call: Call,
  { served: { writable }, key }: { readonly served: ServedStore; readonly key: StoreKey },
): Promise<void> {
  const { request, response, uploads } = call;
  const refuse = (code: ErrorCode, message: string, status?: number) => {
    sendError(call, new CryoetPicksError(code, `cannot write ${key}: ${message}`, { path: key }), status);
  };
  if (writable === undefined) return refuse('read-only', 'only the overlay of a project can be written');
  const condition = conditionOf(request, key);
  if (condition === undefined) {
    return refuse('invalid-option', 'expected If-Match with the ETag that was read, or If-None-Match: *', 428);
  }
  if (Number(request.headers['content-length'] ?? 0) > MAX_WRITTEN_BYTES)
    return sendError(call, tooLongToWrite(key), 413);
  if (uploads.count >= MAX_UPLOADS) return refuse('unavailable', `${MAX_UPLOADS} other values are being written`, 503);
  uploads.count++;
  try {
    const bytes = await bodyOf(request);
    if (bytes === undefined) return sendError(call, tooLongToWrite(key), 413);
    // Not given up when the other side leaves now: it has sent everything.
    await writable.set(key, bytes, condition);
  } finally {
    uploads.count--;
  }
  send(response, 204);
}

/** The condition of a write; undefined without one, except for records, which describe the file beside them. */
function conditionOf({ headers }: IncomingMessage, key: StoreKey): { ifVersion?: string | null } | undefined {
  const { 'if-match': match, 'if-none-match': none } = headers;
  if (match === undefined && none === '*') return { ifVersion: null };
  const version = none === undefined ? /^"([^"]+)"$/.exec(match ?? '')?.[1] : undefined;
  if (version === undefined) {
    const isRecord = RECORD.test(key.slice(key.lastIndexOf('/') + 1));
    return isRecord && match === undefined && none === undefined ? {} : undefined;
  }
  checkVersion(key, version);
  return { ifVersion: version };
}

/** The body of a request; undefined if it is too large, and its rest is then not read. */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    length += piece.length;
    if (length > MAX_WRITTEN_BYTES) return undefined;
    pieces.push(piece);
  }
  const { buffer, byteOffset } = Buffer.concat(pieces, length);
  return new Uint8Array(buffer, byteOffset, length);
}
