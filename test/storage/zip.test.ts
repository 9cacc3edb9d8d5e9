import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 as crcOfNode } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { crc32 } from '../../src/codecs/checksum.ts';
import {
  httpStore,
  memoryStore,
  openTomogram,
  type ReadableStore,
  type StoreKey,
  toFloat32,
  writeTomogram,
} from '../../src/entry/index.ts';
import { storeReader, zipStore } from '../../src/entry/io.ts';
import { openStore } from '../../src/entry/node.ts';
import { blobReader, bytesReader } from '../../src/storage/random-access.ts';
import { type ScriptedServer, scriptedServer, serveBytes } from '../support/scripted-server.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { sourceOf, wholeBox } from '../support/volumes.ts';
import { type ZipTestEntry, type ZipTestOptions, zipBytes } from '../support/zip-bytes.ts';

const text = (value: string) => new TextEncoder().encode(value);
const content = Uint8Array.from({ length: 1000 }, (_, i) => (i * i) % 251);
const storeOf = (entries: readonly ZipTestEntry[], options?: ZipTestOptions) =>
  zipStore(bytesReader(zipBytes(entries, options), { location: 'test.zip' }));
let server: ScriptedServer | undefined;
afterEach(() => {
  vi.unstubAllGlobals();
  return server?.close();
});

describe('crc32', () => {
  it('crc32 equals the reference for any bytes at any offset', () => {
    expect(crc32(text('123456789'))).toBe(0xcbf43926);
    const property = fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(8), (bytes, skip) => {
      if (crcOfNode) expect(crc32(bytes.subarray(skip))).toBe(crcOfNode(bytes.subarray(skip)));
    });
    fc.assert(property);
  });
});

describe('zipStore', () => {
  const kinds: [string, Partial<ZipTestEntry>, ZipTestOptions][] = [
    ['stored', {}, {}],
    ['deflated', { method: 8 }, {}],
    ['stored, sizes after the data', { descriptor: true }, {}],
    ['deflated, sizes after the data', { method: 8, descriptor: true }, {}],
    ['stored, ZIP64', {}, { zip64: true }],
    ['deflated, ZIP64', { method: 8 }, { zip64: true }],
    ['aligned by padding', { padding: 64 }, {}],
    ['aligned by much padding', { padding: 5000 }, {}],
    ['after a program that unpacks it', {}, { before: new Uint8Array(3000).fill(7) }],
    ['with a comment', {}, { comment: '{"ome":{"version":"0.5"}}' }],
  ];

  it.each(kinds)('zipStore reads entries: %s', async (_, entry, options) => {
    const store = storeOf(
      [
        { name: '.zattrs', data: text('{}'), ...entry },
        { name: '0/0/0/0', data: content, ...entry },
        { name: '0/0/0/1', data: new Uint8Array(0), ...entry },
        { name: '0/0/1/', data: new Uint8Array(0) },
      ],
      options,
    );
    expect(await store.get('/0/0/0/0')).toEqual(content);
    expect(await store.get('/.zattrs')).toEqual(text('{}'));
    expect(await store.get('/0/0/0/1')).toEqual(new Uint8Array(0));
    expect(await store.get('/0/0/0/2')).toBeUndefined();
    expect(await store.get('/0/0/1')).toBeUndefined();
    expect(await store.list('/')).toEqual([
      { name: '.zattrs', kind: 'file' },
      { name: '0', kind: 'folder' },
    ]);
    expect(await store.list('/0/0/0')).toEqual([
      { name: '0', kind: 'file' },
      { name: '1', kind: 'file' },
    ]);
    expect(await store.list('/none')).toEqual([]);
  });

  it.each(kinds)('zipStore reads the same parts as a store in memory: %s', async (_, entry, options) => {
    const store = storeOf([{ name: 'zarr.json', data: content, ...entry }], options);
    const plain = memoryStore([['/zarr.json', content]]);
    const range = fc.oneof(
      fc.record({ offset: fc.nat(1100), length: fc.nat(1100) }),
      fc.record({ suffixLength: fc.nat(1100) }),
    );
    const property = fc.asyncProperty(range, async (part) => {
      expect(await store.getRange('/zarr.json', part)).toEqual(await plain.getRange('/zarr.json', part));
    });
    await fc.assert(property, { numRuns: 40 });
    expect(await store.getRange('/none', { offset: 0, length: 1 })).toBeUndefined();
  });

  it('zipStore finds the image in the only folder of the file, or in the given one', async () => {
    const image = { name: 'image.zarr/.zattrs', data: text('{}') };
    const junk = { name: '__MACOSX/._image.zarr', data: text('x') };
    expect(await storeOf([image, junk]).get('/.zattrs')).toEqual(text('{}'));
    const two = [image, { name: 'other.zarr/.zattrs', data: text('[]') }];
    expect(await storeOf(two).get('/.zattrs')).toBeUndefined();
    expect(await storeOf(two).get('/image.zarr/.zattrs')).toEqual(text('{}'));
    const other = zipStore(bytesReader(zipBytes(two)), { folder: 'other.zarr' });
    expect(await other.get('/.zattrs')).toEqual(text('[]'));
    const array = [
      { name: '0/.zarray', data: text('{}') },
      { name: '.zgroup', data: text('{}') },
    ];
    expect(await storeOf(array).get('/0/.zarray')).toEqual(text('{}'));
  });

  it('zipStore reads the last of several entries of one name, as zarr-python does', async () => {
    const name = 'zarr.json';
    const store = storeOf([
      { name, data: text('old') },
      { name, data: text('new') },
    ]);
    expect(await store.get('/zarr.json')).toEqual(text('new'));
  });

  it.each<[string, Partial<ZipTestEntry>, string]>([
    ['an encrypted entry', { flags: 1 }, 'it is encrypted'],
    ['a link', { mode: 0o120777 }, 'it is a symbolic link'],
    ['another compression', { method: 14 }, 'its compression method is 14, expected 0 (stored) or 8 (deflated)'],
  ])('zipStore throws for %s, and reads the other entries', async (_, entry, reason) => {
    const store = storeOf([
      { name: 'zarr.json', data: content, ...entry },
      { name: 'c/0', data: content },
    ]);
    const refusal = { code: 'unsupported', message: `cannot read /zarr.json of test.zip: ${reason}` };
    await expect(store.get('/zarr.json')).rejects.toMatchObject(refusal);
    await expect(store.getRange('/zarr.json', { offset: 0, length: 1 })).rejects.toMatchObject(refusal);
    expect(await store.get('/c/0')).toEqual(content);
  });

  it.each<[string, Partial<ZipTestEntry>]>([
    ['a checksum that is another', { crc: 1 }],
    ['a checksum that is another, deflated', { crc: 1, method: 8 }],
    ['a length that is another', { claimedBytes: 999 }],
    ['a length that is another, deflated', { claimedBytes: 999, method: 8 }],
    ['a claim of 4 GB', { claimedBytes: 2 ** 32 - 2, method: 8 }],
  ])('zipStore throws for %s', async (_, entry) => {
    const store = storeOf([{ name: 'zarr.json', data: content, ...entry }]);
    await expect(store.get('/zarr.json')).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringMatching(/^\/zarr\.json of test\.zip is damaged: /),
    });
  });

  it.each(['../evil', 'a/../../evil', '/etc/passwd', 'C:/evil', '..\\evil', 'a//b', 'a/./b', 'a\0b'])(
    'zipStore throws for a file with an entry named %j',
    async (name) => {
      const store = storeOf([
        { name: '.zattrs', data: text('{}') },
        { name, data: text('x') },
      ]);
      await expect(store.get('/.zattrs')).rejects.toMatchObject({
        code: 'corrupt-data',
        message: expect.stringContaining('cannot read test.zip as a zip file: '),
      });
      await expect(store.list('/')).rejects.toMatchObject({ code: 'corrupt-data' });
    },
  );

  it('zipStore returns a value or throws a CryoetPicksError for any damage', async () => {
    const whole = zipBytes([
      { name: 'zarr.json', data: content },
      { name: 'c/0', data: content, method: 8 },
    ]);
    const damage = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255), end: fc.nat(whole.length) });
    const property = fc.asyncProperty(damage, fc.boolean(), async ({ at, byte, end }, isCut) => {
      const bytes = isCut ? whole.slice(0, end) : whole.slice();
      if (!isCut) bytes[at] = byte;
      const store = zipStore(bytesReader(bytes));
      for (const key of ['/zarr.json', '/c/0'] as const) {
        const outcome = await store.get(key).catch((error: unknown) => error);
        if (outcome instanceof Uint8Array) expect(outcome).toEqual(content);
        else if (outcome !== undefined) expect(outcome).toMatchObject({ name: 'CryoetPicksError' });
      }
    });
    await fc.assert(property, { numRuns: 400 });
  });

  it('zipStore throws `unavailable` for bytes that cannot be read, such as a file that changed after it was dropped on a page', async () => {
    const gone = new Blob([Uint8Array.from(zipBytes([{ name: '.zattrs', data: text('{}') }]))]);
    const cause = new DOMException('The requested file could not be read', 'NotReadableError');
    gone.slice = () => Object.assign(new Blob(), { arrayBuffer: () => Promise.reject(cause) });
    await expect(zipStore(blobReader(gone)).get('/.zattrs')).rejects.toMatchObject({
      code: 'unavailable',
      message: 'cannot read blob: The requested file could not be read',
      path: 'blob',
      cause,
    });
  });

  it.each([new Uint8Array(0), text('not a zip file at all'), new Uint8Array(70_000)])(
    'zipStore throws for bytes that are not a zip file',
    async (bytes) => {
      await expect(zipStore(bytesReader(bytes)).get('/.zattrs')).rejects.toMatchObject({ code: 'corrupt-data' });
    },
  );

  it('zipStore reads the directory again after a failure, and obeys signals', async () => {
    const reader = bytesReader(zipBytes([{ name: 'zarr.json', data: content }]));
    let isDown = true;
    const store = zipStore({
      ...reader,
      read: async (...args) => {
        if (isDown) throw new Error('down');
        return reader.read(...args);
      },
    });
    await expect(store.get('/zarr.json')).rejects.toThrow('down');
    isDown = false;
    expect(await store.get('/zarr.json')).toEqual(content);
    const signal = AbortSignal.abort('no');
    await expect(store.get('/zarr.json', { signal })).rejects.toBe('no');
    await expect(store.getRange('/zarr.json', { suffixLength: 1 }, { signal })).rejects.toBe('no');
    await expect(store.list('/', { signal })).rejects.toBe('no');
  });

  it('zipStore rejects at once when aborted while the directory is read', async () => {
    const controller = new AbortController();
    const store = zipStore({ location: 'slow.zip', size: 100, read: () => new Promise(() => {}) });
    const pending = [
      store.get('/a', { signal: controller.signal }),
      store.getRange('/a', { suffixLength: 1 }, { signal: controller.signal }),
      store.list('/', { signal: controller.signal }),
    ];
    controller.abort('enough');
    const settled = await Promise.allSettled(pending);
    expect(settled.map((one) => one.status === 'rejected' && one.reason)).toEqual(['enough', 'enough', 'enough']);
  });

  it('zipStore throws for a source of unknown size', async () => {
    const { location, get, getRange } = memoryStore([['/a.zip', zipBytes([])]]);
    const sizeless: ReadableStore = { location, get, getRange };
    await expect(zipStore(storeReader(sizeless, '/a.zip')).get('/x')).rejects.toMatchObject({ code: 'unsupported' });
  });
});

describe('an image in a zip file', () => {
  const voxels = Float32Array.from({ length: 16 ** 3 }, (_, i) => i);
  const source = sourceOf(voxels, [16, 16, 16]);

  async function imageBytes(method: number): Promise<Uint8Array> {
    const files = memoryStore();
    await writeTomogram(files, source, { levels: 1, chunkShape: [8, 8, 8] });
    const entries: ZipTestEntry[] = [];
    const walk = async (folder: StoreKey) => {
      for (const { name, kind } of await files.list(folder)) {
        const key = `${folder === '/' ? '' : folder}/${name}` as StoreKey;
        if (kind === 'folder') await walk(key);
        else entries.push({ name: key.slice(1), data: (await files.get(key))!, method });
      }
    };
    await walk('/');
    return zipBytes(entries);
  }

  const readAll = async (store: ReadableStore) => {
    const tomogram = await openTomogram(store);
    return toFloat32(await tomogram.read(wholeBox([16, 16, 16]))).data;
  };

  it.each([0, 8])('an image in a zip file is read from a blob, compression method %i', async (method) => {
    const blob = new Blob([(await imageBytes(method)) as Uint8Array<ArrayBuffer>]);
    expect(await readAll(zipStore(blob))).toEqual(voxels);
  });

  it('an image in a zip file is read over HTTP by ranges, from a server that supports them', async () => {
    const bytes = await imageBytes(0);
    server = await scriptedServer((request, response) =>
      serveBytes(request, response, request.url === '/data/a%20b.ozx?x=1' ? bytes : undefined),
    );
    expect(await readAll(zipStore(new URL(`${server.url}/data/a b.ozx?x=1`)))).toEqual(voxels);
    // The size, the end of the file, its directory, .zattrs, .zarray, and the eight chunks in one.
    expect(server.requests.length).toBeLessThanOrEqual(8);
    expect(server.requests.every(({ range }) => range !== undefined)).toBe(true);
  });

  it('an image in a zip file is read from a server that hides the total length of a part, after a HEAD request', async () => {
    const bytes = await imageBytes(0);
    const methods: (string | undefined)[] = [];
    server = await scriptedServer((request, response) => {
      methods.push(request.method);
      response.setHeader = () => response;
      serveBytes(request, response, bytes);
    });
    const fetch = async (url: string, init: RequestInit) => {
      const answer = await globalThis.fetch(url, init);
      const headers = new Headers(answer.headers);
      headers.delete('Content-Range');
      return new Response(init.method === 'HEAD' ? null : answer.body, { status: answer.status, headers });
    };
    vi.stubGlobal('location', { origin: 'https://page.example', href: 'https://page.example/' });
    const store = httpStore(server.url, { fetch });
    expect(await readAll(zipStore(storeReader(store, '/a.zip')))).toEqual(voxels);
    expect(methods.filter((method) => method === 'HEAD')).toHaveLength(1);
  });

  it('an image in a zip file is not found if the file is not on the server', async () => {
    server = await scriptedServer((request, response) => serveBytes(request, response, undefined));
    await expect(openTomogram(zipStore(new URL(`${server.url}/a.zip`)))).rejects.toMatchObject({ code: 'not-found' });
  });

  it('an image in a zip file is opened from a path, as a folder is', async () => {
    await withTempDir(async (folder) => {
      writeFileSync(join(folder, 'a.ozx'), await imageBytes(8));
      expect(await readAll(await openStore(join(folder, 'a.ozx')))).toEqual(voxels);
      expect((await openStore(folder)).location).toBe(folder);
      await expect(openStore(join(folder, 'none.zip'))).rejects.toMatchObject({ code: 'not-found' });
    });
  });
});
