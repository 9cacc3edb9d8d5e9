import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';

/** An answer as the server would give it, before a fault changes it. */
export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The value that is asked for; `undefined` if it is absent. */
  readonly value: Uint8Array | undefined;
  /** The pass over the voxels: 0 while the image is opened, then 1 and 2. */
  readonly pass: number;
  /** How often this value was asked for before. */
  readonly before: number;
  /** Whether it is a file of metadata, a listing or the directory of a zip file. */
  readonly isMetadata: boolean;
  /** Another value of the same length and kind. */
  readonly other: Uint8Array;
  /** Answers as a web server does that knows ranges. */
  readonly right: (value?: Uint8Array, headers?: Readonly<Record<string, string>>) => void;
}

/** A fault of a server. */
export interface Fault {
  readonly name: string;
  readonly answer: (asked: Asked) => void;
  /** Nothing on the wire tells that the answer is wrong, or a writer may have meant it: then the voxels may be wrong. */
  readonly isUntellable?: true;
}

const status =
  (code: number, headers: Record<string, string> = {}, text = '') =>
  ({ response }: Asked) =>
    void response.writeHead(code, headers).end(text);

/** A fault of the chunks only. */
const ofChunks =
  (answer: Fault['answer']): Fault['answer'] =>
  (asked) =>
    asked.isMetadata ? asked.right() : answer(asked);

/** A fault of the first answer for each value only. */
const once =
  (answer: Fault['answer']): Fault['answer'] =>
  (asked) =>
    asked.before === 0 ? answer(asked) : asked.right();

/** A fault of chunks of the second pass. */
const later = (answer: Fault['answer']): Fault['answer'] =>
  ofChunks((asked) => (asked.pass < 2 ? asked.right() : answer(asked)));

/** A fault of values that exist. */
const ofValues =
  (answer: (asked: Asked & { readonly value: Uint8Array }) => void): Fault['answer'] =>
  (asked) =>
    asked.value === undefined ? asked.right() : answer(asked as Asked & { readonly value: Uint8Array });

/** Answers with other headers than those of the part that is asked for. */
const part = (headers: (from: number, to: number, total: number) => Record<string, string>): Fault['answer'] =>
  ofChunks(
    ofValues(({ request, response, value }) => {
      const [from, to] = rangeOf(request, value.length);
      response.writeHead(206, headers(from, to, value.length)).end(value.subarray(from, to));
    }),
  );

function rangeOf(request: IncomingMessage, length: number): [from: number, to: number] {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (first === '') return last === '' ? [0, length] : [Math.max(0, length - Number(last)), length];
  return [Math.min(length, Number(first)), last === '' ? length : Math.min(length, Number(last) + 1)];
}

/** Sends a body without its end. */
const pump = (response: ServerResponse, piece: Uint8Array, pause = 0): void => {
  const next = () => {
    if (response.destroyed) return;
    const isRoom = response.write(piece);
    if (pause > 0) setTimeout(next, pause);
    else if (isRoom) setImmediate(next);
    else response.once('drain', next);
  };
  next();
};

const flipped = (value: Uint8Array, at: number): Uint8Array => {
  const copy = value.slice();
  copy[Math.min(copy.length - 1, Math.floor(at * copy.length))]! ^= 0x10;
  return copy;
};

const page = '<!DOCTYPE html><html><body>not here</body></html>';
const [monday, friday] = ['Mon, 02 Nov 2026 10:00:00 GMT', 'Fri, 06 Nov 2026 10:00:00 GMT'];

const statuses = [400, 401, 402, 403, 405, 406, 407, 408, 409, 410, 412, 413, 414, 418, 421, 422, 425, 429, 431, 451];
const faults5xx = [500, 501, 502, 503, 504, 507, 511, 520, 599];

/** The faults, by what the server does. */
export const faults: readonly Fault[] = [
  { name: 'no fault', answer: ({ right }) => right() },
  ...[...statuses, ...faults5xx].map((code) => ({ name: `status ${code} for chunks`, answer: ofChunks(status(code)) })),
  ...[408, 425, 429, 500, 503].map((code) => ({
    name: `status ${code} once for each value`,
    answer: once(status(code)),
  })),
  { name: 'status 403 for everything', answer: status(403) },
  { name: 'status 404 for everything', answer: status(404) },
  { name: 'status 503 for metadata', answer: (asked) => (asked.isMetadata ? status(503)(asked) : asked.right()) },
  { name: 'status 404 for all chunks', answer: ofChunks(status(404)), isUntellable: true },
  { name: 'status 404 for chunks of the second pass', answer: later(status(404)) },
  { name: 'status 404 for everything in the second pass', answer: (a) => (a.pass < 2 ? a.right() : status(404)(a)) },
  { name: 'status 403 for chunks of the second pass', answer: later(status(403)) },
  { name: 'chunks that appear in the second pass', answer: ofChunks((a) => (a.pass < 2 ? status(404)(a) : a.right())) },
  { name: 'status 204', answer: ofChunks(status(204)) },
  { name: 'status 304', answer: ofChunks(status(304)) },
  { name: 'status 416 for every part', answer: ofChunks(status(416, { 'Content-Range': 'bytes */9999999' })) },
  { name: 'status 429 with a long Retry-After', answer: ofChunks(status(429, { 'Retry-After': '86400' })) },
  { name: 'a page with status 200 for chunks', answer: ofChunks(status(200, { 'Content-Type': 'text/html' }, page)) },
  {
    name: 'a page with status 200 for absent files',
    answer: (a) => (a.value ? a.right() : status(200, {}, page)(a)),
  },
  { name: 'an empty body', answer: ofChunks(status(200)) },
  { name: 'an empty body for metadata', answer: (a) => (a.isMetadata ? status(200)(a) : a.right()) },
  {
    name: 'a body that ends early',
    answer: ofChunks(
      ofValues(({ response, value }) => {
        response.writeHead(200, { 'Content-Length': value.length });
        response.write(value.subarray(0, value.length / 2), () => response.destroy());
      }),
    ),
  },
  {
    name: 'a body that ends early without a length',
    answer: ofChunks(
      ofValues(({ response, value }) => {
        response.writeHead(200, { Connection: 'close', 'Transfer-Encoding': 'identity' });
        response.end(value.subarray(0, value.length / 2));
      }),
    ),
  },
  {
    name: 'a shorter body, complete by its length',
    answer: ofChunks(ofValues((a) => a.right(a.value.subarray(0, -7)))),
  },
  {
    name: 'a longer body',
    answer: ofChunks(ofValues((a) => a.right(Uint8Array.from([...a.value, ...new Uint8Array(9)])))),
  },
  { name: 'a body of zeros', answer: ofChunks(ofValues((a) => a.right(new Uint8Array(a.value.length)))) },
  {
    name: 'a body of noise',
    answer: ofChunks(ofValues((a) => a.right(a.value.map((_, i) => (i * 2_654_435_761) >>> 13)))),
  },
  { name: 'a flipped bit in the header of a chunk', answer: ofChunks(ofValues((a) => a.right(flipped(a.value, 0)))) },
  {
    name: 'a flipped bit in the middle',
    answer: ofChunks(ofValues((a) => a.right(flipped(a.value, 0.5)))),
    isUntellable: true,
  },
  { name: 'another chunk', answer: ofChunks(ofValues((a) => a.right(a.other))), isUntellable: true },
  {
    name: 'another chunk in the second pass, without validators',
    answer: later(ofValues((a) => a.right(a.other))),
    isUntellable: true,
  },
  ...[
    ['ETag', { ETag: '"a"' }, { ETag: '"b"' }],
    ['Last-Modified', { 'Last-Modified': monday }, { 'Last-Modified': friday }],
    ['ETag and Last-Modified', { ETag: '"a"', 'Last-Modified': monday }, { ETag: '"b"', 'Last-Modified': friday }],
  ].map(([name, first, second]) => ({
    name: `another chunk in the second pass, with another ${name as string}`,
    answer: ofChunks(
      ofValues((a) =>
        a.pass < 2
          ? a.right(a.value, first as Record<string, string>)
          : a.right(a.other, second as Record<string, string>),
      ),
    ),
  })),
  {
    name: 'a file that is longer in the second pass',
    answer: later(ofValues((a) => a.right(Uint8Array.from([...a.value, 0])))),
  },
  {
    name: 'another strong ETag for every answer, of the same Last-Modified',
    answer: (a) => a.right(a.value, { ETag: `"${a.pass}-${a.before}"`, 'Last-Modified': monday }),
  },
  {
    name: 'another weak ETag for every answer',
    answer: (a) => a.right(a.value, { ETag: `W/"${a.pass}-${a.before}"` }),
  },
  {
    name: 'gzip on the way',
    answer: ofValues(({ response, value }) =>
      response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(value)),
    ),
  },
  {
    name: 'a body that is labelled gzip and is not',
    answer: ofChunks(
      ofValues(({ response, value }) => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(value)),
    ),
  },
  {
    name: 'a gzip body of a gigabyte',
    answer: ({ response }) => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(bomb()),
  },
  { name: 'a body without an end', answer: ({ response }) => pump(response.writeHead(200), new Uint8Array(65_536)) },
  {
    name: 'a Content-Length of a terabyte',
    answer: ({ response }) => pump(response.writeHead(200, { 'Content-Length': 2 ** 40 }), new Uint8Array(65_536)),
  },
  { name: 'no answer', answer: ofChunks(() => {}) },
  { name: 'no answer at all', answer: () => {} },
  { name: 'no answer, once for each value', answer: once(() => {}) },
  { name: 'headers without a body', answer: ofChunks(({ response }) => response.writeHead(200).flushHeaders()) },
  {
    name: 'a body that stops',
    answer: ofChunks(
      ofValues(({ response, value }) => {
        response.writeHead(200, { 'Content-Length': value.length });
        response.write(value.subarray(0, 10));
      }),
    ),
  },
  { name: 'a byte every 100 ms', answer: ({ response }) => pump(response.writeHead(200), new Uint8Array(1), 100) },
  { name: 'a connection that is reset', answer: ofChunks(({ response }) => response.destroy()) },
  { name: 'a connection that is reset once for each value', answer: once(({ response }) => response.destroy()) },
  { name: 'an answer that is not HTTP', answer: ofChunks(({ response }) => response.socket?.end('hello\r\n\r\n')) },
  {
    name: 'a range that is ignored',
    answer: ofValues(({ response, value }) => response.writeHead(200, { 'Content-Length': value.length }).end(value)),
  },
  { name: 'a part without a label', answer: part(() => ({})) },
  { name: 'a part labelled with nonsense', answer: part(() => ({ 'Content-Range': 'pages 1-2' })) },
  { name: 'a part of unknown total', answer: part((from, to) => ({ 'Content-Range': `bytes ${from}-${to - 1}/*` })) },
  {
    name: 'a part labelled with another total each time',
    answer: part((from, to, total) => ({
      'Content-Range': `bytes ${from}-${to - 1}/${total + 1 + Math.floor(Math.random() * 1e6)}`,
    })),
  },
  {
    name: 'a part from one byte later',
    answer: part((from, to, total) => ({ 'Content-Range': `bytes ${from + 1}-${to}/${total + 1}` })),
  },
  {
    name: 'parts as multipart/byteranges',
    answer: part(() => ({ 'Content-Type': 'multipart/byteranges; boundary=x' })),
  },
  {
    name: 'a redirect without an end',
    answer: ({ request, response }) => void response.writeHead(302, { Location: request.url ?? '/' }).end(),
  },
  {
    name: 'a redirect to the same server, once for each value',
    answer: once(({ request, response }) => void response.writeHead(307, { Location: request.url ?? '/' }).end()),
  },
  { name: 'a redirect to a file', answer: ofChunks(status(302, { Location: 'file:///etc/passwd' })) },
  { name: 'a redirect to nowhere', answer: ofChunks(status(302, { Location: 'http://127.0.0.1:1/' })) },
  { name: 'a redirect to nonsense', answer: ofChunks(status(302, { Location: 'http://[' })) },
  { name: 'a redirect without an address', answer: ofChunks(status(301)) },
  {
    name: 'metadata without an end',
    answer: (a) => (a.isMetadata ? pump(a.response.writeHead(200), new Uint8Array(65_536).fill(32)) : a.right()),
  },
  {
    name: 'metadata cut in half',
    answer: ofValues((a) => (a.isMetadata ? a.right(a.value.subarray(0, a.value.length / 2)) : a.right())),
  },
  { name: 'metadata of a page', answer: (a) => (a.isMetadata ? status(200, {}, page)(a) : a.right()) },
  {
    name: 'metadata nested a million deep',
    answer: (a) => (a.isMetadata ? status(200, {}, '['.repeat(1e6))(a) : a.right()),
  },
  {
    name: 'metadata with a number of 10⁶ digits',
    answer: (a) => (a.isMetadata ? status(200, {}, `{"zarr_format": ${'7'.repeat(1e6)}}`)(a) : a.right()),
  },
];

let packed: Uint8Array | undefined;

/** A gigabyte of zeros in a megabyte of gzip. */
function bomb(): Uint8Array {
  if (packed) return packed;
  const member = gzipSync(new Uint8Array(2 ** 26));
  packed = new Uint8Array(16 * member.length);
  for (let i = 0; i < 16; i++) packed.set(member, i * member.length);
  return packed;
}
