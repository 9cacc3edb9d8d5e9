import { afterEach, describe, expect, it, vi } from 'vitest';
import { httpStore, memoryStore, openTomogram, type Store, type StoreKey } from '../../src/entry/index.ts';
import { withConsolidated } from '../../src/entry/io.ts';
import { fakeClock } from '../support/scripted-server.ts';
import { putMultiscales, putRawArray } from '../support/zarr-arrays.ts';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});
const encode = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));
const datasets = [{ path: '0', coordinateTransformations: [{ type: 'scale', scale: [10, 10, 10] }] }];
const multiscales = [{ axes: ['z', 'y', 'x'].map((name) => ({ name, unit: 'angstrom' })), datasets }];

async function imageV3(): Promise<Store> {
  const store = memoryStore();
  const attributes = { ome: { version: '0.5', multiscales } };
  await store.set('/zarr.json', encode({ zarr_format: 3, node_type: 'group', attributes }));
  const array = {
    zarr_format: 3,
    node_type: 'array',
    shape: [1, 1, 2],
    data_type: 'uint8',
    chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, 1, 2] } },
    chunk_key_encoding: { name: 'default' },
    fill_value: 0,
    codecs: ['bytes'],
  };
  await store.set('/0/zarr.json', encode(array));
  await store.set('/0/c/0/0/0', Uint8Array.of(3, 4));
  return store;
}

async function imageV2(): Promise<Store> {
  const store = memoryStore();
  await putRawArray(store, '/0', { shape: [1, 1, 2], chunks: [1, 1, 2], value: ([, , x]) => 3 + x! });
  await putMultiscales(store, { axes: multiscales[0]!.axes, datasets });
  return store;
}

/** A page's view of a server that allows it to see what is there, and nothing else. */
function foreignPage(files: Store, { isDown = (): boolean => false } = {}) {
  vi.stubGlobal('location', new URL('https://page.example'));
  const asked: string[] = [];
  const fetch = async (url: string) => {
    const key = new URL(url).pathname as StoreKey;
    asked.push(key);
    const bytes = await files.get(key);
    if (!bytes || isDown()) throw new TypeError('Failed to fetch');
    return new Response(bytes as Uint8Array<ArrayBuffer>);
  };
  fakeClock();
  return { asked, store: httpStore('https://bucket.example', { fetch }) };
}

const box = { start: [0, 0, 0], end: [1, 1, 2] } as const;

describe.each([
  ['v2', imageV2, 2],
  ['v3', imageV3, 3],
] as const)('a page that sees a failed connection where a file of an image %s is absent', (_, make, zarrFormat) => {
  it('openTomogram opens the image', async () => {
    const { store } = foreignPage(await make());
    const tomogram = await openTomogram(store);
    expect([...(await tomogram.read(box)).data]).toEqual([3, 4]);
  });

  it('openTomogram requests no absent file if the format is given', async () => {
    const { store, asked } = foreignPage(await make());
    await openTomogram(store, { zarrFormat });
    expect(asked).toEqual(zarrFormat === 2 ? ['/.zattrs', '/0/.zarray'] : ['/zarr.json', '/0/zarr.json']);
  });

  it('withConsolidated opens an image that has no consolidated metadata', async () => {
    const { store } = foreignPage(await make());
    const tomogram = await openTomogram(withConsolidated(store));
    expect([...(await tomogram.read(box)).data]).toEqual([3, 4]);
  });

  it('openTomogram throws the connection error if nothing is found', async () => {
    const { store } = foreignPage(await make(), { isDown: () => true });
    await expect(openTomogram(store)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(
        /^cannot read https:\/\/bucket\.example\/\.zattrs: Failed to fetch \(2 tries\); .*CORS/,
      ),
    });
  });

  it('read does not take a failed chunk for absent', async () => {
    const files = await make();
    const { store } = foreignPage(files);
    const tomogram = await openTomogram(store);
    await files.delete(zarrFormat === 2 ? '/0/0' : '/0/c');
    await expect(tomogram.read(box)).rejects.toThrow('Failed to fetch (5 tries)');
  });
});

it('openTomogram throws if only the other format exists', async () => {
  await expect(openTomogram(await imageV2(), { zarrFormat: 3 })).rejects.toMatchObject({ code: 'invalid-metadata' });
  await expect(openTomogram(await imageV3(), { zarrFormat: 2 })).rejects.toMatchObject({ code: 'invalid-metadata' });
  await expect(openTomogram(await imageV3(), { zarrFormat: 4 as 3 })).rejects.toMatchObject({ code: 'invalid-option' });
});
