import { afterEach, describe, expect, it, vi } from 'vitest';
import { type ByteRange, type HttpStoreOptions, httpStore } from '../../src/entry/index.ts';
import { clock as retryClock } from '../../src/storage/retry.ts';
import { fakeClock, type ScriptedServer, scriptedServer, serveBytes } from '../support/scripted-server.ts';

const value = Uint8Array.from({ length: 100 }, (_, i) => i);
const range: ByteRange = { offset: 10, length: 5 };
let server: ScriptedServer | undefined;
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  await server?.close();
  server = undefined;
});

/** A store whose n-th request is answered by the n-th of these, the last for all further ones. */
async function scripted(
  answers: readonly (Parameters<typeof scriptedServer>[0] | 'right')[],
  options: HttpStoreOptions = {},
) {
  const clock = fakeClock();
  server = await scriptedServer((request, response, n) => {
    const answer = answers[Math.min(n, answers.length - 1)]!;
    if (answer === 'right') serveBytes(request, response, value);
    else answer(request, response, n);
  });
  return { store: httpStore(`${server.url}/data`, options), clock, requests: server.requests };
}

const status =
  (code: number, headers: Record<string, string> = {}) =>
  (...[, response]: Parameters<Parameters<typeof scriptedServer>[0]>) =>
    void response.writeHead(code, headers).end('sorry');

describe('httpStore makes a request again after', () => {
  it.each([408, 425, 429, 500, 502, 503, 504, 507])(
    'httpStore makes a request again after the status %i',
    async (code) => {
      const { store, clock, requests } = await scripted([status(code), status(code), 'right']);
      expect(await store.get('/a')).toEqual(value);
      expect(requests).toHaveLength(3);
      expect(clock.pauses).toEqual([500, 1000]);
    },
  );

  it('httpStore makes a request again after a connection that breaks, before the answer and within it', async () => {
    const { store, requests } = await scripted([
      (_, response) => response.destroy(),
      (_, response) => {
        response.writeHead(200, { 'Content-Length': 100 });
        response.write(value.subarray(0, 10), () => response.destroy());
      },
      'right',
    ]);
    expect(await store.get('/a')).toEqual(value);
    expect(requests).toHaveLength(3);
  });

  it('httpStore makes a request again after a server that stops sending', async () => {
    const { store, requests } = await scripted(
      [
        () => {},
        (_, response) => {
          response.writeHead(200, { 'Content-Length': 100 });
          response.write(value.subarray(0, 10));
        },
        'right',
      ],
      { timeout: 60 },
    );
    expect(await store.get('/a')).toEqual(value);
    // On a busy machine the right answer may come too late once, too.
    expect(requests.length).toBeGreaterThanOrEqual(3);
  });

  it('httpStore makes a request again after an answer shorter than its Content-Length, if fetch passes it on', async () => {
    let n = 0;
    const fetch = async () =>
      new Response(n++ < 2 ? value.slice(0, 99) : value, { status: 200, headers: { 'Content-Length': '100' } });
    fakeClock();
    const store = httpStore('https://example.org', { fetch });
    expect(await store.get('/a')).toEqual(value);
    expect(n).toBe(3);
    const short = async () => new Response(value.slice(0, 99), { headers: { 'Content-Length': '100' } });
    await expect(httpStore('https://example.org', { fetch: short }).get('/a')).rejects.toMatchObject({
      code: 'corrupt-data',
      message: 'cannot read https://example.org/a: 99 bytes came of the 100 that the server promised (5 tries)',
    });
  });

  it.each<[string, Record<string, string>, Uint8Array]>([
    ['an earlier part', { 'Content-Range': 'bytes 0-4/100' }, value.slice(0, 5)],
    ['a longer part', { 'Content-Range': 'bytes 10-20/100' }, value.slice(10, 21)],
    ['a shorter part', { 'Content-Range': 'bytes 10-12/100' }, value.slice(10, 13)],
    ['a part of unknown length that is shorter', { 'Content-Range': 'bytes 10-12/*' }, value.slice(10, 13)],
    ['fewer bytes than it says', { 'Content-Range': 'bytes 10-14/100' }, value.slice(10, 13)],
    ['more bytes than it says', { 'Content-Range': 'bytes 10-14/100' }, value.slice(10, 16)],
    ['nonsense', { 'Content-Range': 'lines 1-2' }, value.slice(10, 15)],
    ['too much without a label', {}, value.slice(10, 16)],
    ['of the right length without a label', {}, value.slice(20, 25)],
  ])('httpStore makes a request again after a part that is %s', async (_, headers, bytes) => {
    const wrong = status206(headers, bytes);
    const { store, requests } = await scripted([wrong, 'right']);
    expect(await store.getRange('/a', range)).toEqual(value.slice(10, 15));
    expect(requests).toHaveLength(2);
    await server?.close();
    const never = await scripted([wrong], { tries: 3 });
    await expect(never.store.getRange('/a', range)).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringMatching(/^cannot read http.*\/data\/a: .* \(3 tries\)$/),
    });
  });

  it.each<[string, Record<string, string>]>([
    ['of a shorter file', { 'Content-Range': 'bytes 90-98/100' }],
    ['too long', { 'Content-Range': 'bytes 90-99/*' }],
  ])('httpStore makes a request again after an end that is %s', async (_, headers) => {
    const { store, requests } = await scripted([status206(headers, value.slice(90)), 'right']);
    expect(await store.getRange('/a', { suffixLength: 5 })).toEqual(value.slice(95));
    expect(requests).toHaveLength(2);
  });

  it('httpStore makes a request again after the status 416 without the size of the value, which S3 names in the body', async () => {
    const size = '<Error><ActualObjectSize>100</ActualObjectSize></Error>';
    for (const [body, offset, count] of [
      ['', 10, 2],
      [size, 10, 2],
      [size, 200, 1],
    ] as const) {
      const { store, requests } = await scripted([(_, response) => void response.writeHead(416).end(body), 'right']);
      expect(await store.getRange('/a', { offset, length: 5 })).toEqual(value.slice(offset, offset + 5));
      expect(requests).toHaveLength(count);
      await server?.close();
    }
  });

  it('httpStore takes a part without a label in a page of another origin, which may not see the label', async () => {
    vi.stubGlobal('location', { origin: 'https://page.example', href: 'https://page.example/' });
    const { store, requests } = await scripted([status206({}, value.slice(10, 15))]);
    expect(await store.getRange('/a', range)).toEqual(value.slice(10, 15));
    expect(requests).toHaveLength(1);
  });

  it('httpStore makes a request again after the status 416 for a part that must exist, and a part instead of the whole value', async () => {
    const beyond = await scripted([status(416, { 'Content-Range': 'bytes */100' }), 'right']);
    expect(await beyond.store.getRange('/a', range)).toEqual(value.slice(10, 15));
    expect(beyond.requests).toHaveLength(2);
    await server?.close();
    const part = await scripted([status206({ 'Content-Range': 'bytes 0-4/100' }, value.slice(0, 5)), 'right']);
    expect(await part.store.get('/a')).toEqual(value);
  });
});

const status206 =
  (headers: Record<string, string>, bytes: Uint8Array) =>
  (...[, response]: Parameters<Parameters<typeof scriptedServer>[0]>) =>
    void response.writeHead(206, { ...headers, 'Content-Length': bytes.length }).end(bytes);

describe('httpStore makes no second request after', () => {
  it.each([400, 401, 403, 405, 410, 422, 304, 204])(
    'httpStore makes no second request after the status %i',
    async (code) => {
      const { store, clock, requests } = await scripted([status(code)]);
      await expect(store.get('/a')).rejects.toMatchObject({ code: 'unavailable' });
      expect(requests).toHaveLength(1);
      expect(clock.pauses).toEqual([]);
    },
  );

  it('httpStore makes no second request after the status 404, a part beyond the end, a suffix longer than the file, and a part that ends early', async () => {
    const { store, requests } = await scripted(['right']);
    expect(await store.getRange('/a', { offset: 200, length: 5 })).toEqual(new Uint8Array(0));
    expect(await store.getRange('/a', { suffixLength: 500 })).toEqual(value);
    expect(await store.getRange('/a', { offset: 98, length: 5 })).toEqual(value.slice(98));
    expect(requests).toHaveLength(3);
    await server?.close();
    const absent = await scripted([status(404)]);
    expect(await absent.store.get('/a')).toBeUndefined();
    expect(absent.requests).toHaveLength(1);
  });

  it('httpStore makes no second request after a compressed body, which is longer than its Content-Length', async () => {
    const headers = { 'Content-Length': '20', 'Content-Encoding': 'gzip' };
    const fetch = vi.fn(async () => new Response(value, { headers }));
    expect(await httpStore('https://example.org', { fetch }).get('/a')).toEqual(value);
    expect(fetch).toHaveBeenCalledTimes(1);
  });
});

describe('pauses between requests', () => {
  it('pauses between requests grow up to a maximum, and start at 0 by chance', async () => {
    const { store, clock, requests } = await scripted([status(503)], { tries: 9, retryFor: 1e6 });
    await expect(store.get('/a')).rejects.toMatchObject({
      code: 'unavailable',
      message: `cannot read ${server?.url}/data/a: the server answered 503 Service Unavailable (9 tries)`,
    });
    expect(clock.pauses).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 16_000, 16_000]);
    expect(requests).toHaveLength(9);
    const hasty = fakeClock(0);
    await expect(httpStore(`${server?.url}/data`).get('/a')).rejects.toThrow('(5 tries)');
    expect(hasty.pauses).toEqual([0, 0, 0, 0]);
  });

  it('pauses between requests are no shorter than Retry-After, in seconds or as a date', async () => {
    const inTen = new Date(Date.now() + 10_000).toUTCString();
    const { store, clock } = await scripted([
      status(429, { 'Retry-After': '7' }),
      status(503, { 'Retry-After': inTen }),
      status(503, { 'Retry-After': 'soon' }),
      'right',
    ]);
    expect(await store.get('/a')).toEqual(value);
    expect(clock.pauses[0]).toBe(7000);
    expect(clock.pauses[1]).toBeGreaterThan(7000);
    expect(clock.pauses[1]).toBeLessThanOrEqual(10_000);
    expect(clock.pauses[2]).toBe(2000);
  });

  it('pauses between requests ignore a Retry-After that is no time, or over, and messages do not name it', async () => {
    const over = new Date(Date.now() - 10_000).toUTCString();
    for (const asked of ['-5', '5 Nov', over]) {
      const { store, clock } = await scripted([status(429, { 'Retry-After': asked })], { tries: 2 });
      await expect(store.get('/a')).rejects.toThrow(/the server answered 429 Too Many Requests \(2 tries\)$/);
      expect(clock.pauses).toEqual([500]);
      await server?.close();
    }
  });

  it('pauses between requests are not cut short if Retry-After is longer than a timer can wait', async () => {
    const signal = AbortSignal.timeout(50);
    await expect(retryClock.sleep(2 ** 40, signal)).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('pauses between requests end when the time is over, at once if the server asks for more than is left', async () => {
    const slow = await scripted([status(503)], { tries: 100, retryFor: 4000 });
    await expect(slow.store.get('/a')).rejects.toThrow('503 Service Unavailable (4 tries)');
    expect(slow.clock.pauses).toEqual([500, 1000, 2000]);
    await server?.close();
    const long = await scripted([status(429, { 'Retry-After': '3600' })]);
    await expect(long.store.get('/a')).rejects.toThrow(
      'the server answered 429 Too Many Requests; it asks to wait 3600 s',
    );
    expect(long.requests).toHaveLength(1);
  });

  it('pauses between requests end at once when aborted, with the reason and without another request', async () => {
    const controller = new AbortController();
    let isAsleep: () => void = () => {};
    const asleep = new Promise<void>((resolve) => {
      isAsleep = resolve;
    });
    const { sleep } = retryClock;
    const { store, requests } = await scripted([status(503)]);
    vi.spyOn(retryClock, 'sleep').mockImplementation((_, signal) => {
      isAsleep();
      return sleep(3_600_000, signal);
    });
    const pending = store.get('/a', { signal: controller.signal });
    await asleep;
    controller.abort('enough');
    await expect(pending).rejects.toBe('enough');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(requests).toHaveLength(1);
  });

  it('pauses between requests pass in real time, and end at once when aborted', async () => {
    await expect(retryClock.sleep(1)).resolves.toBeUndefined();
    await expect(retryClock.sleep(1e6, AbortSignal.abort('no'))).rejects.toBe('no');
    expect(retryClock.random()).toBeLessThan(1);
    expect(retryClock.now()).toBeGreaterThan(0);
  });
});

describe('httpStore in a page of another origin', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('httpStore in a page of another origin tries twice, not five times, for metadata whose absence it cannot see', async () => {
    vi.stubGlobal('location', new URL('https://page.example'));
    const fetch = async () => {
      throw new TypeError('Failed to fetch');
    };
    fakeClock();
    const store = httpStore('https://bucket.example', { fetch });
    await expect(store.get('/.zattrs')).rejects.toThrow('Failed to fetch (2 tries)');
    await expect(store.get('/0/0')).rejects.toThrow('Failed to fetch (5 tries)');
    const own = httpStore('https://page.example/x', { fetch });
    await expect(own.get('/.zattrs')).rejects.toThrow('Failed to fetch (5 tries)');
  });

  it('httpStore in a page of another origin ignores a Content-Length that an invisible encoding has changed', async () => {
    vi.stubGlobal('location', new URL('https://page.example'));
    const fetch = async () => new Response(value, { headers: { 'Content-Length': '120' } });
    expect(await httpStore('https://bucket.example', { fetch }).get('/a')).toEqual(value);
  });
});

describe('a server that answers a range with the whole value', () => {
  it('httpStore reads a whole value, which a server sends for a range, no further than the end of the part', async () => {
    let sent = 0;
    const { store } = await scripted([
      (_, response) => {
        response.writeHead(200, { 'Content-Length': 2 ** 40 });
        const pump = () => {
          while (!response.destroyed && response.write(new Uint8Array(65_536).fill(sent++ % 256)));
          if (!response.destroyed) response.once('drain', pump);
        };
        pump();
      },
    ]);
    const bytes = await store.getRange('/a', { offset: 65_530, length: 12 });
    expect([...(bytes ?? [])]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
  });
});

it('httpStore removes query string and headers from the messages of fetch', async () => {
  const fetch = async (url: string, init: RequestInit) => {
    throw new TypeError(`cannot send ${url} with ${(init.headers as Record<string, string>).Authorization}`);
  };
  const options = { fetch, headers: { Authorization: 'Bearer secret' }, tries: 1 };
  await expect(httpStore('https://example.org/x?sig=secret2', options).get('/a')).rejects.toThrow(
    /^cannot read https:\/\/example\.org\/x\/a: cannot send https:\/\/example\.org\/x\/a… with …$/,
  );
});

it.each([{ tries: 0 }, { timeout: 0 }, { retryFor: -1 }, { maxRequests: 0 }, { maxBytes: 0 }, { maxGapBytes: -1 }])(
  'httpStore throws at once if given the options %j',
  (options) => {
    expect(() => httpStore('https://example.org', options)).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    );
  },
);
