import fc from 'fast-check';
import Blosc from 'numcodecs/blosc';
import LZ4 from 'numcodecs/lz4';
import Zstd from 'numcodecs/zstd';
import { describe, expect, it } from 'vitest';
import { registerCheckedCodecs } from '../../src/codecs/registry.ts';
import { memoryStore, type StoreKey } from '../../src/entry/index.ts';
import type { ArrayFiles } from '../../src/ome-zarr/array.ts';
import { directReader, openArray, zarritaReader } from '../../src/ome-zarr/array.ts';
import { describeArray } from '../../src/ome-zarr/array-metadata.ts';
import type { ChunkMemory } from '../../src/ome-zarr/chunk-memory.ts';
import { forEachIndex } from '../support/zarr-arrays.ts';

registerCheckedCodecs();

/** numcodecs.js shuffles elements of four bytes, whatever the type of the array. */
const compressors: readonly { readonly id: string; readonly [option: string]: unknown }[] = [
  ...['lz4', 'lz4hc', 'zstd', 'zlib'].flatMap((cname) =>
    [0, 1, 2].map((shuffle) => ({ id: 'blosc', cname, clevel: 5, shuffle, blocksize: 0, typesize: 4 })),
  ),
  { id: 'zstd', level: 3 },
  { id: 'lz4', acceleration: 1 },
];

const dtypes = ['|b1', '|i1', '|u1', '<i2', '<u2', '<i4', '<u4', '<i8', '<u8', '<f2', '<f4', '<f8'] as const;

const arrays = fc.integer({ min: 1, max: 4 }).chain((rank) =>
  fc.record({
    shape: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: rank, maxLength: rank }),
    chunks: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: rank, maxLength: rank }),
    dtype: fc.constantFrom(...dtypes),
    compressor: fc.constantFrom(...compressors),
    bytes: fc.infiniteStream(fc.nat(3)),
  }),
);

async function encode(config: { readonly id: string }, bytes: Uint8Array): Promise<Uint8Array> {
  const Codec = { blosc: Blosc, zstd: Zstd, lz4: LZ4 }[config.id]!;
  return (Codec as unknown as { fromConfig(config: object): { encode(b: Uint8Array): Promise<Uint8Array> } })
    .fromConfig(config)
    .encode(bytes);
}

/** Memory of every length, full of what was there before; what is given back is overwritten at once. */
const usedMemory: ChunkMemory = {
  take: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes + 128), 64, bytes).fill(0xaa),
  give: ({ buffer, byteOffset, byteLength }) => void new Uint8Array(buffer, byteOffset, byteLength).fill(0x55),
  forget: () => {},
};

describe('directReader', () => {
  it('directReader reads what zarrita reads, of every type, codec and shape, and only the part inside the array', async () => {
    const property = fc.asyncProperty(arrays, async ({ shape, chunks, dtype, compressor, bytes }) => {
      const document = { zarr_format: 2, shape, chunks, dtype, order: 'C', compressor, filters: null, fill_value: 0 };
      const description = describeArray(document, 2, 'test');
      const store = memoryStore();
      const grid = shape.map((extent, axis) => Math.ceil(extent / chunks[axis]!));
      const indexes: number[][] = [];
      forEachIndex(grid, (at) => indexes.push([...at]));
      const count = chunks.reduce((product, extent) => product * extent, description.itemBytes);
      for (const at of indexes) {
        const chunk = Uint8Array.from({ length: count }, () => bytes.next().value as number);
        await store.set(`/${at.join('.')}`, new Uint8Array(await encode(compressor, chunk)));
      }
      const files: ArrayFiles = { description, store, shards: undefined };
      const direct = directReader(files);
      expect(direct).toBeDefined();
      const read = await zarritaReader(files);
      for (const at of indexes) {
        const expected = (await read(at))!;
        for (const memory of [undefined, usedMemory]) {
          const found = (await direct!(at, { memory }))!;
          expect(found.data.constructor).toBe(expected.data.constructor);
          const inside = shape.map((extent, axis) => Math.min(chunks[axis]!, extent - at[axis]! * chunks[axis]!));
          forEachIndex(inside, (index) => {
            const place = (stride: readonly number[]) => index.reduce((sum, n, axis) => sum + n * stride[axis]!, 0);
            expect(found.data[place(found.stride)]).toEqual(expected.data[place(expected.stride)]);
          });
        }
      }
    });
    await fc.assert(property, { numRuns: 150 });
  });

  it.each([
    ['an uncompressed array', { compressor: null }],
    ['columns first', { order: 'F' }],
    ['big-endian numbers', { dtype: '>f4' }],
    ['a filter', { filters: [{ id: 'shuffle', elementsize: 4 }] }],
    ['gzip', { compressor: { id: 'gzip', level: 1 } }],
    ['blosclz', { compressor: { id: 'blosc', cname: 'blosclz', clevel: 5, shuffle: 1 } }],
  ])('directReader leaves %s to zarrita', (_, fields) => {
    const compressor = { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1 };
    const document = {
      zarr_format: 2,
      shape: [8],
      chunks: [8],
      dtype: '<f4',
      order: 'C',
      compressor,
      filters: null,
      fill_value: 0,
      ...fields,
    };
    const description = describeArray(document, 2, 'test');
    expect(directReader({ description, store: memoryStore(), shards: undefined })).toBeUndefined();
  });

  it('directReader requests a chunk from the store once, present or absent', async () => {
    const store = memoryStore();
    const asked: StoreKey[] = [];
    const counting = {
      ...store,
      get: (key: StoreKey) => {
        asked.push(key);
        return store.get(key);
      },
    };
    const compressor = { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1 };
    const document = {
      zarr_format: 2,
      shape: [600_000],
      chunks: [300_000],
      dtype: '<f4',
      order: 'C',
      compressor,
      filters: null,
      fill_value: 0,
    };
    await store.set('/a/.zarray', new TextEncoder().encode(JSON.stringify(document)));
    const plain = Float32Array.from({ length: 300_000 }, (_, i) => Math.sin(i));
    await store.set('/a/0', new Uint8Array(await encode(compressor, new Uint8Array(plain.buffer))));
    const array = (await openArray(counting, '/a'))!;
    asked.length = 0;
    expect((await array.readChunk([0]))!.data).toEqual(plain);
    expect(await array.readChunk([1])).toBeUndefined();
    expect(asked.filter((key) => key !== '/a/.zarray')).toEqual(['/a/0', '/a/1']);
  });

  it('directReader gives memory back if a chunk is damaged', async () => {
    const compressor = { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1 };
    const fields = { shape: [8], chunks: [8], dtype: '<f4', order: 'C', filters: null, fill_value: 0 };
    const description = describeArray({ zarr_format: 2, compressor, ...fields }, 2, 'test');
    const store = memoryStore();
    const bytes = new Uint8Array(await encode({ ...compressor, shuffle: 0 } as never, new Uint8Array(32)));
    bytes[bytes.length - 1]! ^= 0xff;
    bytes[20]! ^= 0xff;
    await store.set('/0', bytes);
    const out: Uint8Array[] = [];
    const memory: ChunkMemory = {
      take: (length) => {
        out.push(new Uint8Array(new SharedArrayBuffer(length)));
        return out[0];
      },
      give: (piece) => expect(out.splice(0)).toEqual([piece]),
      forget: () => {},
    };
    await expect(directReader({ description, store, shards: undefined })!([0], { memory })).rejects.toThrow();
    expect(out).toEqual([]);
  });
});
