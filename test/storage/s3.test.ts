import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { memoryStore, type StoreKey } from '../../src/entry/index.ts';
import { s3Store } from '../../src/entry/io.ts';
import { bucketAddress } from '../../src/storage/s3-address.ts';
import { joinKey } from '../../src/storage/store.ts';
import { s3Error, s3Server } from '../support/s3-server.ts';
import '../support/seed.ts';
import { fakeClock } from '../support/scripted-server.ts';

describe('bucketAddress', () => {
  it.each([
    ['s3://bucket/a/b', {}, 'https://bucket.s3.amazonaws.com', 'a/b/', 's3://bucket/a/b'],
    ['s3a://bucket', {}, 'https://bucket.s3.amazonaws.com', '', 's3://bucket'],
    ['s3://bucket/a/', { region: 'eu-west-1' }, 'https://bucket.s3.eu-west-1.amazonaws.com', 'a/', 's3://bucket/a'],
    [
      's3://my.bucket/a',
      { region: 'eu-west-1' },
      'https://s3.eu-west-1.amazonaws.com/my.bucket',
      'a/',
      's3://my.bucket/a',
    ],
    ['s3://my_Bucket/a', {}, 'https://s3.amazonaws.com/my_Bucket', 'a/', 's3://my_Bucket/a'],
    ['s3://bkt-1/100% a?#/x', {}, 'https://bkt-1.s3.amazonaws.com', '100% a?#/x/', 's3://bkt-1/100% a?#/x'],
    ['s3://bucket/a', { endpoint: 'http://localhost:9000/' }, 'http://localhost:9000/bucket', 'a/', 's3://bucket/a'],
    [
      's3://bucket/a',
      { endpoint: 'https://objects.lab.org/s3', addressing: 'virtual' },
      'https://bucket.objects.lab.org/s3',
      'a/',
      's3://bucket/a',
    ],
    ['s3://bucket/a', { addressing: 'path' }, 'https://s3.amazonaws.com/bucket', 'a/', 's3://bucket/a'],
    ['https://bucket.s3.us-west-2.amazonaws.com/a%20b/c', {}, 'https://bucket.s3.us-west-2.amazonaws.com', 'a b/c/'],
    ['https://my.bucket.s3-us-west-2.amazonaws.com/', {}, 'https://my.bucket.s3-us-west-2.amazonaws.com', ''],
    ['https://s3.us-west-2.amazonaws.com/my.bucket/a', {}, 'https://s3.us-west-2.amazonaws.com/my.bucket', 'a/'],
    ['https://s3.amazonaws.com/bucket', {}, 'https://s3.amazonaws.com/bucket', ''],
    ['https://minio.lab.org:9000/bucket/a', {}, 'https://minio.lab.org:9000/bucket', 'a/'],
    ['https://data.lab.org/a', { addressing: 'virtual' }, 'https://data.lab.org', 'a/'],
  ] as const)('bucketAddress: %s with %j', (url, options, endpoint, prefix, location?: string) => {
    expect(bucketAddress(url, options)).toMatchObject({
      endpoint,
      prefix,
      location: location ?? url.replace(/\/$/, ''),
    });
  });

  it.each([
    ['s3://', {}],
    ['s3:///a', {}],
    ['s3://bucket/a/../b', {}],
    ['s3://key:secret@bucket/a', {}],
    ['https://user:secret@host/bucket', {}],
    ['https://host/', {}],
    ['ftp://host/bucket', {}],
    ['nothing secret', {}],
    ['s3://bucket/a', { region: 'x.evil.org/' }],
    ['s3://bucket/a', { endpoint: 'secret' }],
  ])('bucketAddress throws for %s with %j, and shows no secret', (url, options) => {
    expect(() => bucketAddress(url, options)).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.not.stringContaining('secret') }),
    );
  });
});

const endpoint = 'https://bkt.s3.amazonaws.com';
const names = (entries: readonly { name: string; kind: string }[]) =>
  entries.map(({ name, kind }) => `${kind} ${name}`);

afterEach(() => vi.restoreAllMocks());

describe('s3Store', () => {
  const values = {
    'p/a.txt': 'A',
    'p/a b+c&<>é/x': 'X',
    'p/100%25/y': 'Y',
    'p/folder/': '',
    'p/folder/z': 'Z',
    'p/001': 'one',
    'p/both': 'file',
    'p/both/in': 'folder',
    'p//empty': 'no name',
    'p/../up': 'no name either',
    'px/other': 'O',
    'q/r': 'R',
  };

  it.each([
    ['one page', 1000, false],
    ['pages of one', 1, false],
    ['pages of two, keys not encoded', 2, true],
  ])('s3Store lists folders and files by name: %s', async (_, pageSize, plainKeys) => {
    const server = s3Server({ endpoint, values, pageSize, plainKeys });
    const store = s3Store('s3://bkt/p', server);
    expect(names(await store.list('/'))).toEqual([
      'file 001',
      'folder 100%25',
      'folder a b+c&<>é',
      'file a.txt',
      'folder both',
      'folder folder',
    ]);
    expect(names(await store.list('/folder'))).toEqual(['file z']);
    expect(names(await store.list('/a b+c&<>é'))).toEqual(['file x']);
    expect(await store.list('/nothing')).toEqual([]);
  });

  it('s3Store reads values and parts of them, with keys that need encoding', async () => {
    const store = s3Store('s3://bkt/p', s3Server({ endpoint, values }));
    const text = async (key: StoreKey) => new TextDecoder().decode(await store.get(key));
    expect(await text('/a b+c&<>é/x')).toBe('X');
    expect(await text('/100%25/y')).toBe('Y');
    expect(await store.get('/nothing')).toBeUndefined();
    expect(await store.getRange('/001', { offset: 1, length: 2 })).toEqual(new TextEncoder().encode('ne'));
  });

  it('s3Store stops waiting for a listing that stalls before or within the answer, after its timeout', async () => {
    const silent = () => new Promise<Response>(() => {});
    const halting = async () => new Response(new ReadableStream({ start: (body) => body.enqueue(Uint8Array.of(60)) }));
    for (const fetch of [silent, halting]) {
      const store = s3Store('s3://bkt/p', { fetch, timeout: 50, tries: 1 });
      await expect(store.list('/')).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('cannot list s3://bkt/p'),
      });
    }
  });

  it('s3Store encodes a prefix that needs it', async () => {
    const store = s3Store('s3://bkt/p/a b+c&<>é', s3Server({ endpoint, values }));
    expect(names(await store.list('/'))).toEqual(['file x']);
    expect(new TextDecoder().decode(await store.get('/x'))).toBe('X');
  });

  it('s3Store lists the same as a store in memory, for any keys', async () => {
    const segment = fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }).filter((name) => {
      const isPlain = name !== '.' && name !== '..' && !/[/\0\ud800-\udfff\ufffe\uffff]/.test(name);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 cannot hold them, even encoded in a fake's query
      return isPlain && !/[\u0000-\u001f]/.test(name);
    });
    const keys = fc.uniqueArray(fc.array(segment, { minLength: 1, maxLength: 3 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(keys, fc.integer({ min: 1, max: 4 }), async (paths, pageSize) => {
        const all = paths.map((path) => path.join('/'));
        const values = Object.fromEntries(all.map((key) => [key, 'v']));
        const store = s3Store('s3://bkt', s3Server({ endpoint, values, pageSize }));
        const memory = memoryStore(all.map((key) => [joinKey(key), new Uint8Array(1)]));
        // A file and a folder of one name are a folder here, since the folder can be seen into.
        const isBoth = (name: string, folder: string) => all.some((key) => key.startsWith(`${folder}${name}/`));
        for (const folder of new Set(['', ...paths.map(([first]) => first!)])) {
          const expected = (await memory.list(joinKey(folder))).map(({ name, kind }) => ({
            name,
            kind: isBoth(name, folder === '' ? '' : `${folder}/`) ? 'folder' : kind,
          }));
          expect(await store.list(joinKey(folder))).toEqual(expected);
        }
      }),
    );
  });

  it.each([
    ['NoSuchBucket', s3Error(404, 'NoSuchBucket'), /s3:\/\/bkt\/p\/: there is no bucket "bkt" \(404 NoSuchBucket\)/],
    [
      'AccessDenied',
      s3Error(403, 'AccessDenied'),
      /may not be listed by the public; only public buckets .*AccessDenied/,
    ],
    [
      'PermanentRedirect with an endpoint',
      s3Error(301, 'PermanentRedirect', '<Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint>'),
      /is in another region, "eu-west-1"; give it as region_name/,
    ],
    [
      'PermanentRedirect with a header',
      s3Error(301, 'PermanentRedirect', '', { 'x-amz-bucket-region': 'us-west-2' }),
      /another region, "us-west-2"/,
    ],
    ['PermanentRedirect without either', s3Error(301, 'PermanentRedirect'), /another region; give the right one/],
    ['another error', s3Error(503, 'SlowDown'), /the server answered 503 SlowDown/],
    ['an error page', new Response('<html>', { status: 502, statusText: 'Bad' }), /the server answered 502 Bad$/],
  ])('s3Store throws with the reason and a remedy for %s', async (_, answer, message) => {
    fakeClock();
    const store = s3Store('s3://bkt/p', { fetch: async () => answer.clone() });
    await expect(store.list('/')).rejects.toMatchObject({
      code: answer.status === 404 ? 'not-found' : 'unavailable',
      message: expect.stringMatching(message),
    });
  });

  it.each([
    ['a page of a web server', '<!doctype html><html><body>Index of /</body></html>'],
    ['no XML', '{"a": 1}'],
    ['other XML', '<Other/>'],
    ['nothing', ''],
    ['entities', '<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult>&b;</ListBucketResult>'],
  ])('s3Store throws for an answer that is not a listing: %s', async (_, text) => {
    const store = s3Store('https://host/b/p', { fetch: async () => new Response(text) });
    await expect(store.list('/')).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/does not answer as a bucket does/),
    });
  });

  it.each([
    ['gives no token for the next page', '<IsTruncated>true</IsTruncated>', /no token for the next/],
    [
      'repeats a page',
      '<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>',
      /repeats the same page/,
    ],
  ])('s3Store neither loops nor stops early if a server %s', async (_, xml, message) => {
    const text = `<ListBucketResult>${xml}</ListBucketResult>`;
    const store = s3Store('s3://bkt', { fetch: async () => new Response(text) });
    await expect(store.list('/')).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(message),
    });
  });

  it('s3Store lists nothing in an empty folder', async () => {
    const store = s3Store('s3://bkt', { fetch: async () => new Response('<ListBucketResult/>') });
    expect(await store.list('/')).toEqual([]);
  });

  it('s3Store stops listing when aborted, and throws the reason untouched', async () => {
    const controller = new AbortController();
    const server = s3Server({ endpoint, values, pageSize: 1 });
    const store = s3Store('s3://bkt/p', {
      fetch: async (url, init) => {
        const answer = await server.fetch(url, init);
        if (server.requests.length === 2) controller.abort('enough');
        return answer;
      },
    });
    await expect(store.list('/', { signal: controller.signal })).rejects.toBe('enough');
    expect(server.requests).toHaveLength(2);
  });

  it('s3Store repeats a listing after statuses that may pass, with growing pauses, and gives up at once after others', async () => {
    const clock = fakeClock();
    const page = '<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>';
    const busy = [s3Error(503, 'SlowDown'), s3Error(500, 'InternalError'), new Response(page)];
    const store = s3Store('s3://bkt', { fetch: async () => busy.shift()! });
    expect(await store.list('/')).toEqual([{ name: 'a', kind: 'file' }]);
    expect(clock.pauses).toEqual([500, 1000]);
    const closed = [s3Error(403, 'AccessDenied'), new Response(page)];
    const refused = s3Store('s3://bkt', { fetch: async () => closed.shift()! });
    await expect(refused.list('/')).rejects.toMatchObject({ code: 'unavailable' });
    expect(closed).toHaveLength(1);
  });

  it('s3Store sends headers, and keeps them and the query string out of messages', async () => {
    fakeClock();
    const seen: unknown[] = [];
    const store = s3Store('https://host/b/p?sig=hunter2', {
      headers: { authorization: 'hunter2' },
      fetch: async (_, init) => {
        seen.push(init.headers);
        throw new Error('no route');
      },
    });
    const error = await store.list('/').catch((caught: Error) => caught);
    expect(error).toMatchObject({ code: 'unavailable', message: 'cannot list https://host/b/p/: no route' });
    expect(store.location).toBe('https://host/b/p');
    expect(seen).toEqual([{ authorization: 'hunter2' }, { authorization: 'hunter2' }]);
  });
});
