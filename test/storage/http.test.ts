import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  contiguousVolume,
  httpStore,
  memoryStore,
  openTomogram,
  type StoreKey,
  sourceFromArray,
  writeTomogram,
} from '../../src/entry/index.ts';
import { wholeBox } from '../support/volumes.ts';

const value = Uint8Array.from({ length: 10 }, (_, i) => i);
let server: Server;
let base: string;
const seen: { url: string; headers: Record<string, unknown> }[] = [];

/** `/plain` ignores ranges, `/ranged` knows them, `/private` answers 403, `/broken` 500, `/slow` never. */
beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push({ url: request.url ?? '', headers: request.headers });
    const path = decodeURIComponent((request.url ?? '').split('?')[0]!);
    if (path.startsWith('/slow')) return;
    if (path.startsWith('/private')) return response.writeHead(403).end('<Error>AccessDenied</Error>');
    if (path.startsWith('/broken')) return response.writeHead(500, 'Oh dear').end();
    if (!path.endsWith('/a b#?%')) return response.writeHead(404).end('nothing');
    const range = path.startsWith('/ranged') ? request.headers.range : undefined;
    const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? [];
    if (range === undefined) return response.writeHead(200).end(value);
    const start = from ? Number(from) : Math.max(0, value.length - Number(to));
    const total = value.length;
    if (start >= total) return response.writeHead(416, { 'Content-Range': `bytes */${total}` }).end();
    const end = from && to ? Math.min(total, Number(to) + 1) : total;
    const label = { 'Content-Range': `bytes ${start}-${end - 1}/${total}` };
    return response.writeHead(206, label).end(value.subarray(start, end));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe.each(['plain', 'ranged'])('httpStore on a server with %s answers', (folder) => {
  it('httpStore reads a whole value, a part, the end, a part beyond the end, and an empty part', async () => {
    const store = httpStore(`${base}/${folder}/`);
    expect(await store.get('/a b#?%')).toEqual(value);
    expect(await store.getRange('/a b#?%', { offset: 2, length: 3 })).toEqual(value.slice(2, 5));
    expect(await store.getRange('/a b#?%', { offset: 8, length: 5 })).toEqual(value.slice(8));
    expect(await store.getRange('/a b#?%', { offset: 20, length: 5 })).toEqual(new Uint8Array(0));
    expect(await store.getRange('/a b#?%', { suffixLength: 3 })).toEqual(value.slice(7));
    expect(await store.getRange('/a b#?%', { offset: 2, length: 0 })).toEqual(new Uint8Array(0));
    expect(await store.getRange('/none', { offset: 2, length: 0 })).toBeUndefined();
  });
});

describe('httpStore', () => {
  it('httpStore returns undefined for the status 404', async () => {
    expect(await httpStore(`${base}/plain`).get('/none')).toBeUndefined();
  });

  it.each(['/.zattrs', '/.zgroup', '/0/.zarray', '/.zmetadata', '/0/zarr.json'] as const)(
    'httpStore returns undefined for the status 403 of %s',
    async (key) => {
      expect(await httpStore(`${base}/private`).get(key)).toBeUndefined();
    },
  );

  it.each(['/0/0/0/0', '/0/c/0/0/0', '/a b#?%', '/0/.zarray/0', '/xzarr.json'] as const)(
    'httpStore throws for the status 403 of %s, which is not a metadata file',
    async (key) => {
      const message = expect.stringMatching(/^cannot read http.*\/private\/.*: the server answered 403 Forbidden$/);
      const store = httpStore(`${base}/private`);
      await expect(store.get(key)).rejects.toMatchObject({ code: 'unavailable', message });
      await expect(store.getRange(key, { suffixLength: 1 })).rejects.toMatchObject({ code: 'unavailable', message });
    },
  );

  it('httpStore throws for chunks of an image whose token expires after it was opened, instead of reading fill values', async () => {
    const files = memoryStore();
    const volume = contiguousVolume(new Float32Array(8).fill(1), [2, 2, 2]);
    await writeTomogram(files, sourceFromArray(volume, { voxelSize: [10, 10, 10] }), { levels: 1 });
    let isExpired = false;
    const fetch = async (url: string) => {
      const bytes = await files.get(new URL(url).pathname as StoreKey);
      return new Response((bytes as Uint8Array<ArrayBuffer> | undefined) ?? null, {
        status: isExpired || !bytes ? 403 : 200,
      });
    };
    const tomogram = await openTomogram(httpStore('https://example.org/', { fetch }));
    isExpired = true;
    await expect(tomogram.read(wholeBox([2, 2, 2]))).rejects.toMatchObject({ code: 'unavailable' });
    isExpired = false;
    expect((await tomogram.read(wholeBox([2, 2, 2]))).data[0]).toBe(1);
  });

  it('httpStore throws with the address for other statuses and unreachable servers', async () => {
    await expect(httpStore(`${base}/broken`, { tries: 1 }).get('/x')).rejects.toMatchObject({
      code: 'unavailable',
      message: `cannot read ${base}/broken/x: the server answered 500 Oh dear`,
    });
    const nobody = httpStore('http://127.0.0.1:1/', { tries: 1 });
    await expect(nobody.get('/x')).rejects.toThrow('cannot read http://127.0.0.1:1/x: ');
    expect(() => httpStore('not a url')).toThrow('"not a url" is not a URL');
  });

  it('httpStore sends headers and the query string, and keeps them out of messages', async () => {
    const store = httpStore(`${base}/plain?token=secret`, { headers: { Authorization: 'Bearer secret' } });
    await store.get('/a b#?%');
    expect(seen.at(-1)?.url).toBe('/plain/a%20b%23%3F%25?token=secret');
    expect(seen.at(-1)?.headers).toMatchObject({ authorization: 'Bearer secret' });
    expect(store.location).toBe(`${base}/plain`);
    const broken = httpStore(`${base}/broken?token=secret`, { headers: { Authorization: 'Bearer secret' }, tries: 1 });
    await expect(broken.get('/x')).rejects.toThrow(/^((?!secret).)*$/);
  });

  it.each<[string, Record<string, string>]>([
    ['a name with a space', { 'X A': 'b' }],
    ['a value with a line break', { 'X-A': 'b\r\nc: d' }],
    ['a value that no byte can hold', { 'X-A': '猫' }],
  ])('httpStore refuses headers with %s before any request', (_, headers) => {
    expect(() => httpStore('https://example.org', { headers })).toThrow(
      expect.objectContaining({ code: 'invalid-option', option: 'headers' }),
    );
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'fetch: response must be a Response { status, headers, body }, found undefined'],
    ['an object without fields', {}, 'fetch: response.status must be a number, found undefined'],
    [
      'strings as pieces of a body',
      { status: 200, headers: new Headers(), body: new Blob(['a']).stream().pipeThrough(new TextDecoderStream()) },
      'fetch: a piece of response.body must be a Uint8Array, found "a"',
    ],
  ])('httpStore refuses a fetch that answers %s, at once', async (_, answer, message) => {
    let calls = 0;
    const fetch = async () => {
      calls++;
      return answer as Response;
    };
    const reading = httpStore('https://example.org', { fetch }).get('/a');
    await expect(reading).rejects.toMatchObject({ code: 'invalid-option', message });
    expect(calls).toBe(1);
  });

  it('httpStore sends its requests with the given fetch', async () => {
    const store = httpStore('https://example.org/x', { fetch: async (url) => new Response(url) });
    expect(new TextDecoder().decode(await store.get('/a'))).toBe('https://example.org/x/a');
  });

  it('httpStore rejects with the reason when aborted, before and during a request', async () => {
    const store = httpStore(`${base}/slow`);
    const before = seen.length;
    await expect(store.get('/x', { signal: AbortSignal.abort('early') })).rejects.toBe('early');
    expect(seen.length).toBe(before);
    const controller = new AbortController();
    const pending = store.get('/x', { signal: controller.signal });
    controller.abort('late');
    await expect(pending).rejects.toBe('late');
  });
});
