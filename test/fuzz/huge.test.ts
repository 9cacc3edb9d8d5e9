import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { picksFormat } from '../../src/entry/formats.ts';
import { memoryStore, openTomogram } from '../../src/entry/index.ts';
import { openMrc, openTiffStack } from '../../src/entry/io.ts';
import { bytesReader } from '../../src/storage/random-access.ts';
import { watchAllocations } from '../support/fuzz/allocations.ts';

const encoder = new TextEncoder();
const json = (value: object) => encoder.encode(JSON.stringify(value));
const corner = { start: [0, 0, 0], end: [1, 1, 1] } as const;

let watch: ReturnType<typeof watchAllocations>;
beforeEach(() => {
  watch = watchAllocations();
});
afterEach(() => watch.restore());

const v2 = (fields: object) =>
  memoryStore([
    [
      '/0/.zarray',
      json({
        zarr_format: 2,
        shape: [10_000, 10_000, 10_000],
        chunks: [10_000, 10_000, 10_000],
        dtype: '|u1',
        compressor: null,
        filters: null,
        fill_value: 0,
        order: 'C',
        dimension_separator: '/',
        ...fields,
      }),
    ],
    ['/0/0/0/0', new Uint8Array(64)],
  ]);

const v3 = memoryStore([
  [
    '/zarr.json',
    json({
      zarr_format: 3,
      node_type: 'array',
      shape: [10_000, 10_000, 10_000],
      data_type: 'uint8',
      chunk_grid: { name: 'regular', configuration: { chunk_shape: [10_000, 10_000, 10_000] } },
      chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
      fill_value: 0,
      codecs: [{ name: 'bytes', configuration: { endian: 'little' } }],
    }),
  ],
]);

/** A blosc buffer that says that it holds 2 GiB less a byte; the array promises 1 MB. */
function blosc(): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  bytes.set([2, 1, 0x21, 1]);
  view.setUint32(4, 2 ** 31 - 1, true);
  view.setUint32(8, 2 ** 31 - 1, true);
  view.setUint32(12, 64, true);
  return bytes;
}

async function openBlosc(): Promise<unknown> {
  const store = v2({
    shape: [100, 100, 100],
    chunks: [100, 100, 100],
    compressor: { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1, blocksize: 0 },
  });
  await store.set('/0/0/0/0', blosc());
  return (await openTomogram(store, { fallbackVoxelSize: 10 })).read(corner);
}

/** The header of an MRC file of 10,000 voxels along each axis, and one section more than there is. */
function mrc(): Uint8Array {
  const bytes = new Uint8Array(2048);
  const view = new DataView(bytes.buffer);
  for (const at of [0, 4, 8, 28, 32, 36]) view.setInt32(at, 10_000, true);
  view.setInt32(12, 2, true);
  for (const at of [40, 44, 48]) view.setFloat32(at, 100_000, true);
  for (const [i, at] of [64, 68, 72].entries()) view.setInt32(at, i + 1, true);
  bytes.set(encoder.encode('MAP '), 208);
  bytes.set([0x44, 0x44], 212);
  return bytes;
}

/** A TIFF file of one page of a million by a million pixels, in one strip. */
function tiff(): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  bytes.set(encoder.encode('II*'));
  view.setUint32(4, 8, true);
  const tags: [number, number, number][] = [
    [256, 4, 1_000_000],
    [257, 4, 1_000_000],
    [258, 3, 8],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 200],
    [277, 3, 1],
    [278, 4, 1_000_000],
    [279, 4, 100],
  ];
  view.setUint16(8, tags.length, true);
  for (const [i, [tag, type, value]] of tags.entries()) {
    view.setUint16(10 + 12 * i, tag, true);
    view.setUint16(12 + 12 * i, type, true);
    view.setUint32(14 + 12 * i, 1, true);
    view.setUint32(18 + 12 * i, value, true);
  }
  return bytes;
}

/** An EM file of 20 rows by 10,000 by 5,000,000. */
function em(): Uint8Array {
  const bytes = new Uint8Array(512 + 80);
  const view = new DataView(bytes.buffer);
  bytes.set([6, 0, 0, 5]);
  for (const [i, extent] of [20, 10_000, 5_000_000].entries()) view.setInt32(4 + 4 * i, extent, true);
  return bytes;
}

/** An IMOD model that says that it has two thousand million points. */
function imod(): Uint8Array {
  const picks = [{ object: 'a', position: { x: 1, y: 2, z: 3 }, score: 1 }];
  const options = { voxelSize: 10, shape: [9, 9, 9], object: 'a', run: 'r' } as const;
  const bytes = (picksFormat('imod', options).format([{ run: 'r', picks }]) as Uint8Array).slice();
  const at = Buffer.from(bytes).indexOf('CONT');
  new DataView(bytes.buffer).setInt32(at + 4, 2_000_000_000);
  return bytes;
}

describe('a header that claims 10^12 voxels, or as much as it can', () => {
  const voxelSize: [number, number, number] = [10, 10, 10];

  it.each<[string, () => Promise<unknown>, string]>([
    ['.zarray', async () => openTomogram(v2({}), { fallbackVoxelSize: 10 }), 'unsupported'],
    ['zarr.json', async () => openTomogram(v3, { fallbackVoxelSize: 10 }), 'unsupported'],
    ['blosc', openBlosc, 'corrupt-data'],
    ['MRC', async () => openMrc(bytesReader(mrc())), 'corrupt-data'],
    ['TIFF', async () => (await openTiffStack(tiff(), { voxelSize })).read(corner), 'corrupt-data'],
    [
      'EM',
      async () => picksFormat('tom', { voxelSize: 10, object: 'a', run: 'r' }).parse(em() as never, 'x.em'),
      'invalid-picks',
    ],
    [
      'IMOD',
      async () => picksFormat('imod', { voxelSize: 10, object: 'a', run: 'r' }).parse(imod() as never, 'x.mod'),
      'invalid-picks',
    ],
  ])('a header that claims 10^12 voxels is refused without an allocation: %s', async (_, open, code) => {
    watch.reset();
    await expect(open()).rejects.toMatchObject({ name: 'CryoetPicksError', code });
    expect(watch.bytes()).toBeLessThan(4_000_000);
  });

  it('an image of 10^12 voxels with small chunks is read: a corner takes no more than a chunk', async () => {
    const store = v2({ chunks: [4, 4, 4] });
    const tomogram = await openTomogram(store, { fallbackVoxelSize: 10 });
    watch.reset();
    const last = { start: [9999, 9999, 9999], end: [10_000, 10_000, 10_000] } as const;
    expect([...(await tomogram.read(last)).data]).toEqual([0]);
    expect(watch.bytes()).toBeLessThan(4_000_000);
  });
});
