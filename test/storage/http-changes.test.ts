import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  contiguousVolume,
  detectParticles,
  type HttpStoreOptions,
  httpStore,
  memoryStore,
  openTomogram,
  type StoreKey,
  sourceFromArray,
  writeTomogram,
} from '../../src/entry/index.ts';
import { openMrc, storeReader } from '../../src/entry/io.ts';
import { identityModel } from '../support/identity-model.ts';
import { fakeClock, type ScriptedServer, scriptedServer, serveBytes } from '../support/scripted-server.ts';

let server: ScriptedServer | undefined;
afterEach(async () => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  await server?.close();
  server = undefined;
});

/** One version of a file: its bytes and the headers that tell versions apart. */
interface Version {
  readonly bytes: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A store of a server whose n-th answer is of the n-th of these versions, the last for all further ones. */
async function changing(versions: readonly Version[], options: HttpStoreOptions = {}) {
  fakeClock();
  server = await scriptedServer((request, response, n) => {
    const { bytes, headers = {} } = versions[Math.min(n, versions.length - 1)]!;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    serveBytes(request, response, bytes);
  });
  return httpStore(`${server.url}/data`, options);
}

const bytes = (length: number, first = 0) => Uint8Array.from({ length }, (_, i) => first + i);
const [monday, friday] = ['Mon, 02 Nov 2026 10:00:00 GMT', 'Fri, 06 Nov 2026 10:00:00 GMT'];
const [part, later] = [
  { offset: 2, length: 3 },
  { offset: 5, length: 3 },
];

describe('a remote file that changes while it is read', () => {
  it.each<[string, Version, Version]>([
    ['another length', { bytes: bytes(100) }, { bytes: bytes(101, 1) }],
    ['another strong ETag', v(0, { ETag: '"a"' }), v(1, { ETag: '"b"' })],
    ['another Last-Modified', v(0, { 'Last-Modified': monday }), v(1, { 'Last-Modified': friday })],
    [
      'another ETag and Last-Modified',
      v(0, { ETag: '"a"', 'Last-Modified': monday }),
      v(1, { ETag: '"b"', 'Last-Modified': friday }),
    ],
    [
      'a weak ETag and another Last-Modified',
      v(0, { ETag: 'W/"a"', 'Last-Modified': monday }),
      v(1, { ETag: 'W/"b"', 'Last-Modified': friday }),
    ],
  ])('httpStore throws corrupt-data for a file with %s', async (_, before, after) => {
    const expected = {
      code: 'corrupt-data',
      message: expect.stringMatching(/\/data\/a has changed while it was read: its? .* now; open it again$/),
    };
    const ranged = await changing([before, after]);
    expect(await ranged.getRange('/a', part)).toEqual(before.bytes.slice(2, 5));
    await expect(ranged.getRange('/a', later)).rejects.toMatchObject(expected);
    expect(server?.requests).toHaveLength(2);
    await server?.close();
    const whole = await changing([before, after]);
    expect(await whole.get('/a')).toEqual(before.bytes);
    await expect(whole.get('/a')).rejects.toMatchObject({ ...expected, path: `${server?.url}/data/a` });
    whole.refresh?.();
    expect(await whole.get('/a')).toEqual(after.bytes);
  });

  it.each<[string, Version, Version]>([
    [
      'a strong ETag of another mirror',
      v(0, { ETag: '"a"', 'Last-Modified': monday }),
      v(0, { ETag: '"b"', 'Last-Modified': monday }),
    ],
    [
      'another time of the same ETag',
      v(0, { ETag: '"a"', 'Last-Modified': monday }),
      v(0, { ETag: '"a"', 'Last-Modified': friday }),
    ],
    ['weak ETags', v(0, { ETag: 'W/"a"' }), v(0, { ETag: 'W/"b"' })],
    ['an ETag only once', v(0, { ETag: '"a"' }), v(0, {})],
    ['the ETag of a compressed copy', v(0, { ETag: '"a"' }), v(0, { ETag: '"a-gzip"' })],
  ])('httpStore reads on with %s', async (_, before, after) => {
    const store = await changing([before, after]);
    expect(await store.getRange('/a', part)).toEqual(before.bytes.slice(2, 5));
    expect(await store.getRange('/a', later)).toEqual(after.bytes.slice(5, 8));
    expect(await store.get('/a')).toEqual(after.bytes);
  });

  it('httpStore reads a metadata file, a picks file or a record beside it again after it has changed', async () => {
    const records = ['/Picks/.a_0_ribosome.provenance', '/Picks/.me_a_0.review', '/Picks/.a_0.candidates'] as const;
    for (const key of ['/.zattrs', '/0/zarr.json', '/Picks/a_0_ribosome.json', ...records] as const) {
      const store = await changing([v(0, { ETag: '"a"' }), { bytes: bytes(50), headers: { ETag: '"b"' } }]);
      await store.get(key);
      expect(await store.get(key)).toEqual(bytes(50));
      await server?.close();
    }
  });

  it('httpStore in a page of another origin compares no length that an invisible encoding may have changed', async () => {
    vi.stubGlobal('location', new URL('https://page.example'));
    let isWhole = false;
    const fetch = async () => new Response(bytes(100), { headers: isWhole ? {} : { 'Content-Length': '60' } });
    const store = httpStore('https://bucket.example', { fetch });
    expect(await store.getRange('/a', part)).toEqual(bytes(3, 2));
    isWhole = true;
    expect(await store.get('/a')).toEqual(bytes(100));
  });

  it('httpStore sends no conditional header', async () => {
    const sent: Headers[] = [];
    const fetch = async (_: string, { headers }: RequestInit) => {
      sent.push(new Headers(headers));
      return new Response(bytes(10), { headers: { ETag: '"a"', 'Last-Modified': monday } });
    };
    const store = httpStore('https://example.org', { fetch });
    await store.get('/a');
    await store.getRange('/a', part);
    expect(sent.flatMap((headers) => [...headers.keys()])).toEqual(['range']);
  });

  it('a tomogram whose chunks are replaced between two passes throws corrupt-data instead of mixing them', async () => {
    const files = [memoryStore(), memoryStore()] as const;
    for (const [seed, store] of files.entries()) {
      const data = Float32Array.from({ length: 16 ** 3 }, (_, i) => Math.sin(i * (seed + 1)));
      const source = sourceFromArray(contiguousVolume(data, [16, 16, 16]), { voxelSize: [10, 10, 10] });
      await writeTomogram(store, source, { levels: 1, chunkShape: [8, 8, 8] });
    }
    let now = 0;
    server = await scriptedServer(async (request, response) => {
      const found = await files[now]!.get((request.url ?? '') as StoreKey);
      if (found) response.setHeader('ETag', `"${createHash('sha1').update(found).digest('hex')}"`);
      serveBytes(request, response, found);
    });
    const tomogram = await openTomogram(httpStore(server.url), { cacheBytes: 0 });
    const replaced = detectParticles(tomogram, {
      model: identityModel({ voxelSize: 10, normalization: 'none' }),
      onProgress: ({ stage }) => {
        if (stage === 'intensity') now = 1;
      },
    });
    await expect(replaced).rejects.toMatchObject({ code: 'corrupt-data' });
  });

  it('an MRC file that grows after it was opened throws corrupt-data', async () => {
    const header = new Uint8Array(1024 + 4 * 8 ** 3);
    const view = new DataView(header.buffer);
    for (const [word, value] of [8, 8, 8, 2].entries()) view.setInt32(4 * word, value, true);
    for (const [i, axis] of [1, 2, 3].entries()) view.setInt32(64 + 4 * i, axis, true);
    view.setInt32(28, 8, true);
    view.setInt32(32, 8, true);
    view.setInt32(36, 8, true);
    for (const i of [0, 1, 2]) view.setFloat32(40 + 4 * i, 80, true);
    header.set(new TextEncoder().encode('MAP '), 208);
    header.set([0x44, 0x44], 212);
    const longer = new Uint8Array(header.length + 1);
    longer.set(header);
    let file = header;
    server = await scriptedServer((request, response) => serveBytes(request, response, file));
    const volume = await openMrc(storeReader(httpStore(server.url), '/a.mrc'));
    file = longer;
    await expect(volume.read({ start: [0, 0, 0], end: [1, 1, 1] })).rejects.toMatchObject({ code: 'corrupt-data' });
  });
});

/** A hundred bytes with headers. */
function v(first: number, headers: Readonly<Record<string, string>>): Version {
  return { bytes: bytes(100, first), headers };
}

describe('bounds of answers', () => {
  const endless = (response: ServerResponse, headers: Record<string, string> = {}) => {
    response.writeHead(200, headers);
    const pump = () => {
      while (!response.destroyed && response.write(new Uint8Array(65_536)));
      if (!response.destroyed) response.once('drain', pump);
    };
    pump();
  };

  it('httpStore bounds metadata, other values and chunks, and says which option would work', async () => {
    server = await scriptedServer((_, response) => endless(response));
    const store = httpStore(server.url, { maxMetadataBytes: 1e6, maxFileBytes: 2e6 });
    await expect(store.get('/.zattrs')).rejects.toMatchObject({
      code: 'unsupported',
      option: 'maxMetadataBytes',
      message: `cannot read ${server.url}/.zattrs: it has more than 1000000 bytes; if it is right, open its store with a larger maxMetadataBytes`,
    });
    await expect(store.get('/picks.json')).rejects.toMatchObject({ code: 'unsupported', option: 'maxFileBytes' });
    await expect(store.getRange('/a', { offset: 10 })).rejects.toMatchObject({ code: 'unsupported' });
    // A server that ignores ranges would send all bytes before the part.
    await expect(store.getRange('/a', { offset: 2 ** 40, length: 5 })).rejects.toMatchObject({ code: 'unsupported' });
    await expect(store.getRange('/a', { suffixLength: 5 })).rejects.toMatchObject({ code: 'unsupported' });
    await expect(store.get('/0/0', { maxValueBytes: 1e5 })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(server.requests).toHaveLength(6);
    for (const options of [{ maxMetadataBytes: 0 }, { maxFileBytes: Number.NaN }]) {
      expect(() => httpStore('https://example.org', options)).toThrow(
        expect.objectContaining({ code: 'invalid-option', option: Object.keys(options)[0] }),
      );
    }
  });

  it('httpStore refuses by its Content-Length what is too large, before it comes', async () => {
    const fetch = async () => new Response(new ReadableStream({}), { headers: { 'Content-Length': '99999999999' } });
    const store = httpStore('https://example.org', { fetch });
    await expect(store.get('/zarr.json')).rejects.toMatchObject({ code: 'unsupported', option: 'maxMetadataBytes' });
  });

  it('a tomogram bounds the answers for its chunks by their shape, also those that are compressed on the way', async () => {
    const files = memoryStore();
    const source = sourceFromArray(contiguousVolume(new Float32Array(512), [8, 8, 8]), { voxelSize: [10, 10, 10] });
    await writeTomogram(files, source, { levels: 1 });
    server = await scriptedServer(async (request, response) => {
      const key = (request.url ?? '') as StoreKey;
      if (key.endsWith('/0/0/0')) endless(response);
      else serveBytes(request, response, await files.get(key));
    });
    const tomogram = await openTomogram(httpStore(server.url));
    await expect(tomogram.read({ start: [0, 0, 0], end: [1, 1, 1] })).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringMatching(/it has more than the 69632 bytes that its array allows for a chunk$/),
    });
  });

  it('httpStore keeps only the part of an answer that it asked for, if the server sends the whole value', async () => {
    server = await scriptedServer((_, response) => response.writeHead(200, { 'Content-Length': 100 }).end(bytes(100)));
    const store = httpStore(server.url);
    expect(await store.getRange('/a', { offset: 90, length: 5 })).toEqual(bytes(5, 90));
    expect(await store.getRange('/a', { offset: 95 })).toEqual(bytes(5, 95));
    expect(await store.getRange('/a', { suffixLength: 7 })).toEqual(bytes(7, 93));
    expect(await store.getRange('/a', { offset: 200, length: 5 })).toEqual(new Uint8Array(0));
  });
});

describe('a slow server', () => {
  /** Sends `count` pieces of `size` bytes, one per `pause` milliseconds, of a value of `count × size` bytes. */
  function dripping(size: number, pause: number, count: number): Response {
    let sent = 0;
    let timer: ReturnType<typeof setInterval>;
    const body = new ReadableStream({
      start(controller) {
        timer = setInterval(() => {
          controller.enqueue(new Uint8Array(size));
          if (++sent < count) return;
          clearInterval(timer);
          controller.close();
        }, pause);
      },
      cancel: () => clearInterval(timer),
    });
    return new Response(body, { headers: { 'Content-Length': String(size * count) } });
  }

  /** Awaits a result in a time that passes as fast as it is used up, however busy the machine is. */
  async function inFastTime<T>(work: () => Promise<T>): Promise<T> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    try {
      const result = work();
      await Promise.allSettled([result, vi.advanceTimersByTimeAsync(5000)]);
      return await result;
    } finally {
      vi.useRealTimers();
    }
  }

  it('httpStore gives up a try that brings fewer than 1 kB/s, though bytes keep coming', async () => {
    fakeClock();
    const drip = async () => dripping(1, 50, 1000);
    const onceSlow = vi.fn(async () => new Response(bytes(10))).mockImplementationOnce(drip);
    const patient = httpStore('https://example.org', { fetch: onceSlow, timeout: 400 });
    expect(await inFastTime(() => patient.get('/a'))).toEqual(bytes(10));
    expect(onceSlow).toHaveBeenCalledTimes(2);
    const hasty = httpStore('https://example.org', { fetch: drip, timeout: 400, tries: 1 });
    await expect(inFastTime(() => hasty.get('/a'))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/: fewer than 1000 bytes a second came over 0\.4 s$/),
    });
  });

  it('httpStore lets a steady transfer take longer than its timeout', async () => {
    const steady = async () => dripping(500, 50, 20);
    const store = httpStore('https://example.org', { fetch: steady, timeout: 300, tries: 1 });
    expect(await inFastTime(() => store.get('/a'))).toHaveLength(10_000);
  });

  it.each([Infinity, 2 ** 40])('httpStore waits for any time with the timeout %d', async (timeout) => {
    server = await scriptedServer((request, response) => {
      setTimeout(() => serveBytes(request, response, bytes(10)), 100);
    });
    expect(await httpStore(server.url, { timeout, tries: 1 }).get('/a')).toEqual(bytes(10));
  });
});

describe('redirects', () => {
  it('httpStore follows ten redirects and no eleventh', async () => {
    server = await scriptedServer((request, response) => {
      const [, count] = /^\/(\d+)\//.exec(request.url ?? '')!;
      if (Number(count) === 0) serveBytes(request, response, bytes(10));
      else response.writeHead(302, { Location: `/${Number(count) - 1}/a` }).end();
    });
    expect(await httpStore(`${server.url}/10`).getRange('/a', part)).toEqual(bytes(3, 2));
    await expect(httpStore(`${server.url}/11`).get('/a')).rejects.toMatchObject({
      code: 'unavailable',
      message: `cannot read ${server.url}/11/a: the server redirected more than 10 times`,
    });
  });

  it('httpStore sends credentials to no other server, and follows to no other protocol', async () => {
    const seen: (string | undefined)[] = [];
    const other = await scriptedServer((request, response) => {
      seen.push(request.headers.authorization, request.headers['x-key'] as string);
      serveBytes(request, response, bytes(10));
    });
    server = await scriptedServer((request, response) => {
      const to = request.url === '/b' ? 'file:///etc/passwd' : `${other.url}/a`;
      response.writeHead(307, { Location: to }).end();
    });
    const store = httpStore(server.url, { headers: { Authorization: 'Bearer secret', 'X-Key': 'kept' } });
    expect(await store.get('/a')).toEqual(bytes(10));
    expect(seen).toEqual([undefined, 'kept']);
    await expect(store.get('/b')).rejects.toThrow('the server redirected to an address of file:');
    await other.close();
  });

  it('httpStore leaves redirects to the browser in a page', async () => {
    vi.stubGlobal('location', new URL('https://page.example'));
    const fetch = vi.fn(async (_: string, init: RequestInit) => new Response(String(init.redirect)));
    const answer = await httpStore('https://page.example', { fetch }).get('/a');
    expect(new TextDecoder().decode(answer)).toBe('undefined');
  });
});

it('httpStore says in a page of another origin that the server may not allow it', async () => {
  vi.stubGlobal('location', new URL('https://page.example'));
  fakeClock();
  const fetch = async () => {
    throw new TypeError('Failed to fetch');
  };
  const hint =
    /Failed to fetch \(\d tries\); a page may read another server only if .* \(CORS: Access-Control-Allow-Origin\)/;
  await expect(httpStore('https://bucket.example', { fetch }).get('/0/0')).rejects.toThrow(hint);
  await expect(openTomogram(httpStore('https://bucket.example', { fetch }))).rejects.toThrow(hint);
  await expect(httpStore('https://page.example/x', { fetch }).get('/0/0')).rejects.toThrow(
    /Failed to fetch \(5 tries\)$/,
  );
});
