import { describe, expect, it } from 'vitest';
import { memoryStore, openTomogram, type ReadableStore, type Store, type StoreKey } from '../../src/entry/index.ts';
import { withConsolidated } from '../../src/entry/io.ts';
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts';
import { wholeBox } from '../support/volumes.ts';
import { putMultiscales, putRawArray, watchedStore } from '../support/zarr-arrays.ts';

forbidUnhandledRejections();

const encode = (json: unknown) => new TextEncoder().encode(JSON.stringify(json).replaceAll('"bare NaN"', 'NaN'));
const decode = (bytes: Uint8Array | undefined) => JSON.parse(new TextDecoder().decode(bytes));
const shape = [2, 3, 4] as const;
const axes = ['z', 'y', 'x'].map((name) => ({ name, unit: 'angstrom' }));
const datasets = ['0', '1', '2'].map((path, i) => ({
  path,
  coordinateTransformations: [{ type: 'scale', scale: [10 * 2 ** i, 10 * 2 ** i, 10 * 2 ** i] }],
}));

/** A v2 image of three levels with `.zmetadata`. */
async function consolidatedV2({ only = false, change = (_: Record<string, object>): void => {} } = {}): Promise<Store> {
  const store = memoryStore();
  for (const { path } of datasets) {
    await putRawArray(store, `/${path}`, { shape, chunks: [2, 3, 2], value: ([z, y, x]) => 100 * z! + 10 * y! + x! });
  }
  await putMultiscales(store, { axes, datasets });
  await store.set('/.zgroup', encode({ zarr_format: 2 }));
  const metadata: Record<string, object> = {};
  for (const name of ['.zgroup', '.zattrs', '0/.zarray', '1/.zarray', '2/.zarray']) {
    metadata[name] = decode(await store.get(`/${name}`));
    if (only) await store.delete(`/${name}`);
  }
  change(metadata);
  await store.set('/.zmetadata', encode({ zarr_consolidated_format: 1, metadata }));
  return store;
}

/** The same in v3, with `consolidated_metadata` in the root. */
async function consolidatedV3({ only = false, change = (_: Record<string, object>): void => {} } = {}): Promise<Store> {
  const store = memoryStore();
  const metadata: Record<string, object> = {};
  for (const { path } of datasets) {
    metadata[path] = {
      zarr_format: 3,
      node_type: 'array',
      shape,
      data_type: 'uint8',
      chunk_grid: { name: 'regular', configuration: { chunk_shape: [2, 3, 4] } },
      chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
      fill_value: 7,
      codecs: [{ name: 'bytes' }],
    };
    if (!only) await store.set(`/${path}/zarr.json`, encode(metadata[path]));
    await store.set(
      `/${path}/c/0/0/0`,
      Uint8Array.from({ length: 24 }, (_, i) => i),
    );
  }
  change(metadata);
  const attributes = { ome: { version: '0.5', multiscales: [{ axes, datasets }] } };
  const consolidated_metadata = { kind: 'inline', must_understand: false, metadata };
  await store.set('/zarr.json', encode({ zarr_format: 3, node_type: 'group', attributes, consolidated_metadata }));
  return store;
}

const voxelsOf = async (store: ReadableStore) =>
  [...(await (await openTomogram(store)).read(wholeBox(shape))).data].slice(0, 24);

describe.each([
  ['v2', consolidatedV2],
  ['v3', consolidatedV3],
] as const)('withConsolidated over Zarr %s', (version, make) => {
  const name = version === 'v2' ? '0/.zarray' : '0';
  const key: StoreKey = version === 'v2' ? '/0/.zarray' : '/0/zarr.json';

  it('withConsolidated opens an image with two requests, and verifies the metadata with the first chunk', async () => {
    const store = watchedStore(await make());
    const tomogram = await openTomogram(withConsolidated(store));
    expect(tomogram.levels.map(({ path }) => path)).toEqual(['0', '1', '2']);
    const asked = [...new Set(store.reads)].sort();
    expect(asked.filter((one) => !/^\/\.z|^\/zarr/.test(one))).toEqual([]);
    store.reads = [];
    await Promise.all([tomogram.read(wholeBox(shape)), tomogram.read({ start: [0, 0, 0], end: [1, 1, 1] })]);
    const verified = version === 'v2' ? ['/.zattrs', '/0/.zarray'] : ['/0/zarr.json'];
    expect(store.reads.filter((one) => /\.z|zarr/.test(one)).sort()).toEqual(verified);
    expect(await voxelsOf(withConsolidated(await make()))).toEqual(await voxelsOf(await make()));
  });

  it('withConsolidated reads a store that has only consolidated metadata', async () => {
    const store = await make({ only: true });
    expect(await voxelsOf(withConsolidated(store))).toEqual(await voxelsOf(await make()));
    await expect(openTomogram(store)).rejects.toThrow('withConsolidated');
  });

  it('withConsolidated reads unlisted files from the store', async () => {
    const store = await make({ change: (metadata) => void delete metadata[name] });
    expect(await voxelsOf(withConsolidated(store))).toEqual(await voxelsOf(await make()));
  });

  it('withConsolidated throws if the metadata files differ from the consolidated metadata', async () => {
    const change = (metadata: Record<string, object>) => {
      metadata[name] = { ...metadata[name], fill_value: 1 };
    };
    const store = await make({ change });
    const tomogram = await openTomogram(withConsolidated(store));
    await expect(tomogram.read(wholeBox(shape))).rejects.toMatchObject({
      code: 'invalid-metadata',
      message: `the consolidated metadata of memory are stale: ${key} differs; open the store without withConsolidated`,
    });
    expect((await voxelsOf(withConsolidated(store, { verify: false }))).length).toBe(24);
    await store.delete(key);
    expect((await tomogram.read(wholeBox(shape))).shape).toEqual(shape);
  });

  it('withConsolidated accepts another order of keys, and a bare NaN', async () => {
    const change = (metadata: Record<string, object>) => {
      metadata[name] = Object.fromEntries(Object.entries(metadata[name]!).reverse());
    };
    expect(await voxelsOf(withConsolidated(await make({ change })))).toEqual(await voxelsOf(await make()));
  });

  it.each([[1], ['text'], null].map((metadata) => ({ metadata })))(
    'withConsolidated reports metadata that are %j',
    async (broken) => {
      const store = await make();
      if (version === 'v2') await store.set('/.zmetadata', encode(broken));
      else
        await store.set(
          '/zarr.json',
          encode({ ...decode(await store.get('/zarr.json')), consolidated_metadata: broken }),
        );
      await expect(openTomogram(withConsolidated(store))).rejects.toMatchObject({
        code: 'invalid-metadata',
        message: expect.stringContaining('open the store without withConsolidated to ignore them'),
      });
    },
  );

  it('withConsolidated follows signals, keeps no failure, and stays listable', async () => {
    const store = await make();
    let isDown = true;
    const get: Store['get'] = async (...args) => {
      if (isDown) throw new Error('down');
      return store.get(...args);
    };
    const wrapped = withConsolidated({ ...store, get });
    await expect(wrapped.get(key)).rejects.toThrow('down');
    isDown = false;
    expect(decode(await wrapped.get(key))).toMatchObject({ shape: [2, 3, 4] });
    await expect(wrapped.get(key, { signal: AbortSignal.abort('no') })).rejects.toBe('no');
    expect(await wrapped.list('/')).toEqual(await store.list('/'));
  });
});

it('withConsolidated keeps a bare NaN, which Python writes, as a fill value', async () => {
  const store = await consolidatedV2({
    only: true,
    change: (metadata) => {
      metadata['0/.zarray'] = { ...metadata['0/.zarray'], fill_value: 'bare NaN' };
    },
  });
  await store.delete('/0/0/0/0');
  await store.delete('/0/0/0/1');
  expect((await voxelsOf(withConsolidated(store)))[0]).toBeNaN();
});

it('withConsolidated reads the plain store if nothing is consolidated', async () => {
  const store = await consolidatedV2();
  await store.delete('/.zmetadata');
  expect(await voxelsOf(withConsolidated(store))).toEqual(await voxelsOf(store));
});
