import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as zarr from 'zarrita';
import {
  contiguousVolume,
  memoryStore,
  openTomogram,
  type Store,
  type StoreKey,
  sourceFromArray,
  type WritableDtype,
  type WriteTomogramOptions,
  writeTomogram,
  type Zyx,
} from '../../../src/entry/index.ts';
import { openChannels, writeChannels } from '../../../src/entry/io.ts';
import { voxelCount } from '../../../src/space/grid.ts';
import { keysOf } from '../../support/store-keys.ts';
import { listOf } from '../../support/volume-values.ts';
import { sourceOf, wholeBox } from '../../support/volumes.ts';
import { forEachIndex } from '../../support/zarr-arrays.ts';

const geometry = { voxelSize: [10, 11.5, 13.48], origin: { x: 100.25, y: -20, z: 3 } } as const;
const FORMATS = ['zarr2', 'zarr3'] as const;

/** Numbers of each type, its extremes among them. */
const NUMBERS: Readonly<Record<WritableDtype, readonly number[]>> = {
  float32: [0, -0, 1.5, -2.25, 3.4028234663852886e38, 1.401298464324817e-45, Infinity, Number.NaN],
  float16: [0, -0, 0.5, -2.25, 65504, 2 ** -24, -Infinity, 1 / 1024, Number.NaN],
  uint8: [0, 1, 128, 255],
  uint16: [0, 1, 32768, 65535],
  uint32: [0, 1, 2 ** 24 + 1, 2 ** 31, 2 ** 32 - 1],
  uint64: [0, 1, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER],
  int8: [0, -128, 127, -1],
  int16: [0, -32768, 32767, -1],
  int32: [0, -(2 ** 31), 2 ** 31 - 1, 2 ** 24 + 1],
  int64: [0, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, -1],
};
const TYPES = Object.keys(NUMBERS) as WritableDtype[];

const extent = (max: number) => fc.integer({ min: 1, max });
const triple = (max: number): fc.Arbitrary<Zyx> => fc.tuple(extent(max), extent(max), extent(max));
const image = fc
  .record({ shape: triple(20), chunkShape: triple(12), dtype: fc.constantFrom(...TYPES), levels: extent(4) })
  .chain((one) =>
    fc.record({
      ...(Object.fromEntries(Object.entries(one).map(([key, value]) => [key, fc.constant(value)])) as {
        [K in keyof typeof one]: fc.Arbitrary<(typeof one)[K]>;
      }),
      format: fc.constantFrom(...FORMATS),
      seed: fc.nat(),
    }),
  );

/** Voxels in runs, so that some chunks hold nothing but zeros. */
function voxelsOf(shape: Zyx, dtype: WritableDtype, seed: number): Float64Array {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const known = NUMBERS[dtype];
  const out = new Float64Array(voxelCount(shape));
  for (let at = 0; at < out.length; ) {
    const value = next() < 0.4 ? 0 : known[Math.floor(next() * known.length)]!;
    const end = at + 1 + Math.floor(next() ** 3 * out.length);
    out.fill(value, at, end);
    at = end;
  }
  return out;
}

/** The first voxel of each cell. */
function halved(data: Float64Array, shape: Zyx): { data: Float64Array; shape: Zyx } {
  const half = shape.map((n) => Math.ceil(n / 2)) as unknown as Zyx;
  const out = new Float64Array(voxelCount(half));
  let n = 0;
  forEachIndex(half, ([z, y, x]) => {
    out[n++] = data[(2 * z! * shape[1] + 2 * y!) * shape[2] + 2 * x!]!;
  });
  return { data: out, shape: half };
}

/** What zarrita alone finds, without any of the reading code of this library. */
async function zarritaValues(store: Store, path: string, format: 'zarr2' | 'zarr3'): Promise<number[]> {
  const root = zarr.root({
    get: (key: StoreKey) => store.get(key),
    getRange: (key: StoreKey, range: Parameters<Store['getRange']>[1]) => store.getRange(key, range),
  });
  const open = format === 'zarr2' ? zarr.open.v2 : zarr.open.v3;
  const array = await open(root.resolve(path), { kind: 'array' });
  const { data, shape, stride } = await zarr.get(array as zarr.Array<'float32', zarr.Readable>);
  const out: number[] = [];
  forEachIndex(shape, (index) => out.push(Number(data[index.reduce((sum, n, i) => sum + n * stride[i]!, 0)])));
  return out;
}

describe('what is written', () => {
  it('a written volume is read back bit for bit: any shape, chunks, type, format, levels', async () => {
    const property = fc.asyncProperty(image, async ({ shape, chunkShape, dtype, levels, format, seed }) => {
      const store = memoryStore();
      const data = voxelsOf(shape, dtype, seed);
      await writeTomogram(store, sourceOf(data, shape, geometry), {
        chunkShape,
        dtype,
        levels,
        format,
        coarse: 'first',
      });
      let level = { data, shape };
      for (let n = 0; n < levels; n++) {
        const tomogram = await openTomogram(store, { level: n });
        expect(tomogram.grid.shape).toEqual(level.shape);
        expect(tomogram.levels[n]!.dtype).toBe(dtype);
        expect(listOf(await tomogram.read(wholeBox(level.shape), { exact: true }))).toEqual([...level.data]);
        // zarrita cannot read float16 on engines without Float16Array.
        if (dtype !== 'float16') expect(await zarritaValues(store, String(n), format)).toEqual([...level.data]);
        level = halved(level.data, level.shape);
      }
      expect((await openTomogram(store)).grid).toEqual({ shape, ...geometry });
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it('written channels are read back one by one, with their names', async () => {
    const property = fc.asyncProperty(
      image,
      extent(4),
      fc.constantFrom('c', 'feature'),
      async ({ shape, chunkShape, dtype, levels, format, seed }, count, axis) => {
        const store = memoryStore();
        const channels = Array.from({ length: count }, (_, i) => voxelsOf(shape, dtype, seed + i));
        const names = channels.map((_, i) => `channel ${i}`);
        const sources = channels.map((data) => sourceOf(data, shape, geometry));
        await writeChannels(store, sources, { chunkShape, dtype, levels, format, axis, names, coarse: 'first' });
        const found = await openChannels(store);
        expect(found.map(({ channel }) => channel)).toEqual(names.map((name, index) => ({ index, axis, name })));
        for (const [i, channel] of found.entries()) {
          expect(channel.grid).toEqual({ shape, ...geometry });
          expect(listOf(await channel.read(wholeBox(shape), { exact: true }))).toEqual([...channels[i]!]);
        }
        if (dtype === 'float16') return;
        expect(await zarritaValues(store, '0', format)).toEqual(channels.flatMap((data) => [...data]));
      },
    );
    await fc.assert(property, { numRuns: 30 });
  });

  it.each(FORMATS)(
    'writeTomogram rounds in %s the means of types that cannot hold them, and places them where all means lie',
    async (format) => {
      const shape: Zyx = [5, 6, 7];
      const data = Float64Array.from({ length: 210 }, (_, i) => ((i * 37) % 211) - 105);
      const exact = memoryStore();
      await writeTomogram(exact, sourceOf(data, shape, geometry), { levels: 2 });
      const means = await levelOf(exact, 1);
      for (const dtype of ['int8', 'int32', 'float16'] as const) {
        const store = memoryStore();
        await writeTomogram(store, sourceOf(data, shape, geometry), { levels: 2, dtype, coarse: 'mean', format });
        const found = await levelOf(store, 1);
        const step = dtype === 'float16' ? 2 ** -4 : 0.5;
        expect(found.every((v, i) => Math.abs(v - means[i]!) <= step)).toBe(true);
        expect((await openTomogram(store, { level: 1 })).grid).toEqual((await openTomogram(exact, { level: 1 })).grid);
      }
    },
  );

  it.each(FORMATS)('writeTomogram places every level of %s', async (format) => {
    const store = memoryStore();
    await writeTomogram(store, sourceOf(new Float64Array(512), [8, 8, 8], geometry), { format });
    const { levels } = await openTomogram(store);
    expect(levels.map(({ voxelSize }) => voxelSize)).toEqual([1, 2, 4].map((k) => [10 * k, 11.5 * k, 13.48 * k]));
    for (const [i, shift] of [0, 0.5, 1.5].entries()) {
      expect(levels[i]!.origin.x).toBeCloseTo(100.25 + shift * 13.48, 9);
      expect(levels[i]!.origin.y).toBeCloseTo(-20 + shift * 11.5, 9);
      expect(levels[i]!.origin.z).toBeCloseTo(3 + shift * 10, 9);
    }
  });

  it.each(FORMATS.flatMap((format) => TYPES.map((dtype) => [format, dtype] as const)))(
    'writeTomogram throws in %s for what %s cannot hold, and leaves nothing',
    async (format, dtype) => {
      const known = NUMBERS[dtype].filter(Number.isFinite);
      if (dtype === 'float32') return;
      const isWhole = !dtype.startsWith('float');
      const bad = isWhole ? [2 * Math.max(...known) + 2, 2 * Math.min(...known) - 2, 0.5, Number.NaN] : [65520, -1e30];
      for (const value of bad) {
        const store = memoryStore();
        const data = new Float64Array(27).fill(value, 13, 14);
        await expect(
          writeTomogram(store, sourceOf(data, [3, 3, 3], geometry), { dtype, format }),
        ).rejects.toMatchObject({
          code: 'invalid-option',
          message: expect.stringMatching(/^cannot write \S+, in the box from \(0, 0, 0\) to \(3, 3, 3\), as /),
        });
        expect(await keysOf(store)).toEqual([]);
      }
    },
  );
});

async function levelOf(store: Store, level: number): Promise<number[]> {
  const tomogram = await openTomogram(store, { level });
  return listOf(await tomogram.read(wholeBox(tomogram.grid.shape), { exact: true }));
}

describe('zarr2', () => {
  const shape: Zyx = [21, 34, 45];
  const floats = Float32Array.from({ length: voxelCount(shape) }, (_, i) => Math.fround(((i * 7919) % 1013) / 64 - 3));
  const labels = floats.map((v) => Math.floor(Math.abs(v) * 4));
  const placed = { voxelSize: [10.012444, 11, 12], origin: { x: 1, y: -2, z: 3.5 } } as const;

  // Digests of what version 0.1.0 wrote.
  it.each<[string, Float32Array, WriteTomogramOptions]>([
    ['b71b4b5d1388e3f959823f2c1aaaf381a4235c9edf6b184d088a14dbed3bd05a', floats, {}],
    [
      '699410f55181b69f759890bc3d8bfdf8a28841dba6b8a837a7111eda1689411b',
      floats,
      { levels: 4, chunkShape: [8, 16, 20], name: 'wbp' },
    ],
    ['a534238cd39145c90ae5a0594fb534ffb75576546e49a039e58448c59f4bbbea', labels, { dtype: 'uint8' }],
    [
      '868e55de33341a9f360f8c42f43c89f64d037e3882d940d7d1f38127826aae42',
      labels,
      { dtype: 'uint16', levels: 2, chunkShape: [10, 10, 10] },
    ],
  ])('zarr2 files are byte for byte as in earlier versions: %s', async (digest, data, options) => {
    const store = memoryStore();
    await writeTomogram(store, sourceFromArray(contiguousVolume(data, shape), placed), options);
    const hash = createHash('sha256');
    for (const key of await keysOf(store)) hash.update(key).update((await store.get(key))!);
    expect(hash.digest('hex')).toBe(digest);
  });
});
