import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { vi } from 'vitest';
import { clock } from '../../src/storage/retry.ts';

/** A web server on this machine that keeps a list of requests. */
export interface ScriptedServer {
  readonly url: string;
  readonly requests: { readonly path: string; readonly range: string | undefined }[];
  close(): Promise<void>;
}

/** Starts a server that answers as told; `n` counts requests from 0. */
export async function scriptedServer(
  answer: (request: IncomingMessage, response: ServerResponse, n: number) => void,
): Promise<ScriptedServer> {
  const requests: ScriptedServer['requests'] = [];
  const server = createServer((request, response) => {
    const n = requests.length;
    requests.push({ path: decodeURIComponent((request.url ?? '').split('?')[0]!), range: request.headers.range });
    answer(request, response, n);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Answers a request for `bytes` as a web server that knows ranges does. */
export function serveBytes(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array | undefined): void {
  if (!bytes) {
    response.writeHead(404).end();
    return;
  }
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined || to === undefined) {
    response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes);
    return;
  }
  const start = from === '' ? Math.max(0, bytes.length - Number(to)) : Number(from);
  const end = from === '' || to === '' ? bytes.length : Math.min(bytes.length, Number(to) + 1);
  if (start >= bytes.length) {
    response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
    return;
  }
  const headers = { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}`, 'Content-Length': end - start };
  response.writeHead(206, headers).end(bytes.subarray(start, end));
}

/** Makes the pauses of retries take no time, with a given chance, until mocks are restored; tells the pauses. */
export function fakeClock(random = 1): { readonly pauses: number[] } {
  const pauses: number[] = [];
  let now = 0;
  vi.spyOn(clock, 'now').mockImplementation(() => now);
  vi.spyOn(clock, 'random').mockReturnValue(random);
  vi.spyOn(clock, 'sleep').mockImplementation(async (milliseconds, signal) => {
    signal?.throwIfAborted();
    pauses.push(milliseconds);
    now += milliseconds;
  });
  return { pauses };
}
