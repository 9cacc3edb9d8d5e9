import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  memoryStore,
  openTomogram,
  type Store,
  type StoreKey,
  toFloat32,
  type VolumeSource,
  writeTomogram,
  type Zyx,
} from '../../../src/entry/index.ts';
import { directoryStore } from '../../../src/entry/node.ts';
import { voxelCount } from '../../../src/space/grid.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { noise, sourceOf, wholeBox } from '../../support/volumes.ts';
import { forEachIndex } from '../../support/zarr-arrays.ts';

const geometry = { voxelSize: [10, 11.5, 13.48], origin: { x: 100.25, y: -20, z: 3 } } as const;

const placed = (shape: Zyx, data: Float32Array = noise(shape, 1)) => sourceOf(data, shape, geometry);

async function readLevel(store: Store, level: number): Promise<Float32Array> {
  const tomogram = await openTomogram(store, { level });
  return toFloat32(await tomogram.read(wholeBox(tomogram.grid.shape))).data;
}

/** Means over 2×2×2 voxels, of those that exist; straight from the definition. */
function halved(data: Float32Array, shape: Zyx): { data: Float32Array; shape: Zyx } {
  const half = shape.map((n) => Math.ceil(n / 2)) as unknown as Zyx;
  const sums = new Float64Array(voxelCount(half));
  const counts = new Float64Array(voxelCount(half));
  let n = 0;
  forEachIndex(shape, ([z, y, x]) => {
    const cell = ((z! >> 1) * half[1] + (y! >> 1)) * half[2] + (x! >> 1);
    sums[cell]! += data[n++]!;
    counts[cell]!++;
  });
  return { data: Float32Array.from(sums, (sum, i) => sum / counts[i]!), shape: half };
}

async function keysOf(store: Store, folder: StoreKey = '/'): Promise<string[]> {
  const keys: string[] = [];
  for (const { name, kind } of await store.list(folder)) {
    const key: StoreKey = `${folder === '/' ? '' : folder}/${name}` as StoreKey;
    if (kind === 'file') keys.push(key);
    else keys.push(...(await keysOf(store, key)));
  }
  return keys;
}

describe('writeTomogram', () => {
  it('openTomogram reads back bit for bit what writeTomogram wrote: any shape, chunk shape and level count', async () => {
    const extent = (max: number) => fc.integer({ min: 1, max });
    const property = fc.asyncProperty(
      fc.tuple(extent(9), extent(9), extent(9)),
      fc.tuple(extent(10), extent(5), extent(4)),
      fc.integer({ min: 1, max: 4 }),
      async (shape, chunkShape, levels) => {
        const store = memoryStore();
        const data = noise(shape, 1);
        await writeTomogram(store, placed(shape, data), { chunkShape, levels });
        expect(await readLevel(store, 0)).toEqual(data);
        expect((await openTomogram(store)).grid).toEqual({ shape, ...geometry });
        let finer: { data: Float32Array; shape: Zyx } = { data, shape };
        for (let level = 1; level < levels; level++) {
          finer = halved(finer.data, finer.shape);
          const found = await readLevel(store, level);
          expect(found).toHaveLength(finer.data.length);
          expect(found.every((v, i) => Math.abs(v - finer.data[i]!) <= 1e-6)).toBe(true);
        }
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  it('writeTomogram places each level so that a coarse voxel has the centre of the voxels that it averages', async () => {
    const store = memoryStore();
    await writeTomogram(store, placed([8, 8, 8]));
    const { levels } = await openTomogram(store);
    expect(levels.map(({ shape }) => shape)).toEqual([
      [8, 8, 8],
      [4, 4, 4],
      [2, 2, 2],
    ]);
    expect(levels.map(({ voxelSize }) => voxelSize)).toEqual([
      [10, 11.5, 13.48],
      [20, 23, 26.96],
      [40, 46, 53.92],
    ]);
    for (const [i, shift] of [0, 0.5, 1.5].entries()) {
      expect(levels[i]!.origin.x).toBeCloseTo(100.25 + shift * 13.48, 9);
      expect(levels[i]!.origin.y).toBeCloseTo(-20 + shift * 11.5, 9);
      expect(levels[i]!.origin.z).toBeCloseTo(3 + shift * 10, 9);
    }
  });

  it('writeTomogram does not darken the edge of an odd extent: the pyramid of a constant is constant', async () => {
    const store = memoryStore();
    await writeTomogram(store, placed([5, 7, 9], new Float32Array(5 * 7 * 9).fill(3)), { levels: 4 });
    for (const level of [1, 2, 3]) expect(new Set(await readLevel(store, level))).toEqual(new Set([3]));
  });

  it('writeTomogram writes what copick 1 expects: OME-Zarr 0.4, Zarr v2, blosc-lz4, "/" between chunk indices', async () => {
    const store = memoryStore();
    await writeTomogram(store, placed([3, 4, 5]), { levels: 1, chunkShape: [2, 128, 128] });
    expect(await keysOf(store)).toEqual(['/.zattrs', '/.zgroup', '/0/.zarray', '/0/0/0/0', '/0/1/0/0']);
    const json = async (key: StoreKey) => JSON.parse(new TextDecoder().decode((await store.get(key))!));
    expect(await json('/.zgroup')).toEqual({ zarr_format: 2 });
    expect(await json('/0/.zarray')).toEqual({
      zarr_format: 2,
      shape: [3, 4, 5],
      chunks: [2, 4, 5],
      dtype: '<f4',
      compressor: { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1, blocksize: 0 },
      fill_value: 0,
      filters: null,
      order: 'C',
      dimension_separator: '/',
    });
    const axis = (name: string) => ({ name, type: 'space', unit: 'angstrom' });
    const coordinateTransformations = [
      { type: 'scale', scale: [10, 11.5, 13.48] },
      { type: 'translation', translation: [3, -20, 100.25] },
    ];
    expect(await json('/.zattrs')).toEqual({
      multiscales: [
        {
          version: '0.4',
          name: '/',
          axes: ['z', 'y', 'x'].map(axis),
          datasets: [{ path: '0', coordinateTransformations }],
          metadata: {},
        },
      ],
    });
  });

  it('writeTomogram reads every voxel of the source once, at most a chunk at a time', async () => {
    const shape: Zyx = [9, 10, 11];
    const inner = placed(shape);
    let voxels = 0;
    let most = 0;
    const source: VolumeSource = {
      grid: inner.grid,
      read(box, options) {
        const count = voxelCount(box.end.map((end, i) => end - box.start[i]!) as unknown as Zyx);
        voxels += count;
        most = Math.max(most, count);
        return inner.read(box, options);
      },
    };
    await writeTomogram(memoryStore(), source, { chunkShape: [4, 4, 4] });
    expect(voxels).toBe(voxelCount(shape));
    expect(most).toBe(64);
  });

  it('writeTomogram reports progress that rises to the total', async () => {
    const seen: number[] = [];
    await writeTomogram(memoryStore(), placed([9, 4, 4]), {
      chunkShape: [4, 4, 4],
      levels: 2,
      onProgress: ({ stage, done, total }) => {
        expect([stage, total]).toEqual(['write', 5]);
        seen.push(done);
      },
    });
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it.each([
    ['uint8', 255, 256],
    ['uint16', 65535, 65536],
  ] as const)(
    'writeTomogram writes labels as %s, one level, and throws for labels that do not fit',
    async (dtype, most, tooMuch) => {
      const labels = Float32Array.from({ length: 27 }, (_, i) => (i * most) % (most + 1));
      labels[26] = most;
      const store = memoryStore();
      await writeTomogram(store, placed([3, 3, 3], labels), { dtype });
      expect(await readLevel(store, 0)).toEqual(labels);
      expect((await openTomogram(store)).levels).toMatchObject([{ dtype, shape: [3, 3, 3] }]);
      for (const bad of [tooMuch, -1, 0.5, Number.NaN]) {
        const broken = memoryStore();
        const writing = writeTomogram(broken, placed([3, 3, 3], labels.with(13, bad)), { dtype });
        await expect(writing).rejects.toThrow(
          `cannot write ${bad}, in the box from (0, 0, 0) to (3, 3, 3), as ${dtype}`,
        );
        expect(await keysOf(broken)).toEqual([]);
      }
    },
  );

  it('writeTomogram keeps labels in coarser levels: the first voxel of each cell, at its position', async () => {
    const labels = Float32Array.from({ length: 125 }, (_, i) => i);
    const store = memoryStore();
    await writeTomogram(store, placed([5, 5, 5], labels), { dtype: 'uint8', levels: 2, chunkShape: [3, 3, 3] });
    const expected: number[] = [];
    forEachIndex([3, 3, 3], ([z, y, x]) => expected.push((2 * z! * 5 + 2 * y!) * 5 + 2 * x!));
    expect([...(await readLevel(store, 1))]).toEqual(expected);
    expect((await openTomogram(store, { level: 1 })).grid.origin).toEqual(geometry.origin);
  });

  it('writeTomogram overwrites an image only if told to, and then leaves nothing of the old one', async () => {
    const store = memoryStore();
    await writeTomogram(store, placed([9, 9, 9]), { chunkShape: [2, 2, 2] });
    await expect(writeTomogram(store, placed([3, 3, 3]))).rejects.toMatchObject({
      code: 'invalid-option',
      message: 'memory already contains /.zattrs; choose another folder or overwrite',
    });
    await writeTomogram(store, placed([3, 3, 3]), { overwrite: true, levels: 1 });
    expect(await keysOf(store)).toEqual(['/.zattrs', '/.zgroup', '/0/.zarray', '/0/0/0/0']);
  });

  it.each(['/0/.zarray', '/0/zarr.json'] as const)(
    'writeTomogram throws instead of overwriting a bare array, %s',
    async (key) => {
      const store = memoryStore([[key, new Uint8Array(1)]]);
      await expect(writeTomogram(store, placed([3, 3, 3]))).rejects.toThrow(`memory already contains ${key}`);
      expect(await keysOf(store)).toEqual([key]);
    },
  );

  it.each([
    [{ levels: 0 }, 'levels is 0, expected a whole number from 1 to 20'],
    [{ levels: 1.5 }, 'levels is 1.5'],
    [{ chunkShape: [0, 1, 1] as Zyx }, 'chunkShape is [0, 1, 1]'],
  ])('writeTomogram throws for %j', async (options, message) => {
    await expect(writeTomogram(memoryStore(), placed([2, 2, 2]), options)).rejects.toThrow(message);
  });

  const o = { x: 0, y: 0, z: 0 };
  it.each<[string, object, object, string]>([
    ['a voxel size of NaN', { voxelSize: [10, Number.NaN, 10] }, {}, 'found [10, NaN, 10]'],
    ['a voxel size of 0', { voxelSize: [0, 10, 10] }, {}, 'found [0, 10, 10]'],
    ['a negative voxel size', { voxelSize: [10, 10, -1] }, {}, 'found [10, 10, -1]'],
    ['an infinite voxel size', { voxelSize: [Infinity, 10, 10] }, {}, 'found [Infinity, 10, 10]'],
    ['a voxel size without end', { voxelSize: [1e308, 10, 10] }, {}, 'voxelSize of level 1 is Infinity×20×20 Å'],
    [
      'an origin of NaN',
      { origin: { ...o, y: Number.NaN } },
      {},
      'origin of the volume is x 0, y NaN, z 0 Å, expected',
    ],
    ['an infinite origin', { origin: { ...o, z: -Infinity } }, {}, 'origin of the volume is x 0, y 0, z -Infinity Å'],
    ['an unknown type', {}, { dtype: 'bool' }, 'dtype is "bool", expected one of float32, '],
    ['a type that every object knows', {}, { dtype: 'toString' }, 'dtype is "toString", expected one of'],
    [
      'a chunk too large to be read',
      { shape: [1024, 1024, 1024] },
      { chunkShape: [999, 999, 999] },
      'takes 3988011996 by',
    ],
  ])('writeTomogram throws for %s before it writes or deletes anything', async (_, grid, options, message) => {
    const store = memoryStore();
    await writeTomogram(store, placed([2, 2, 2]), { levels: 1 });
    const before = await keysOf(store);
    const inner = placed([2, 2, 2]);
    const source = { ...inner, grid: { ...inner.grid, ...grid } };
    await expect(writeTomogram(store, source, { ...options, overwrite: true })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(message),
    });
    expect(await keysOf(store)).toEqual(before);
  });

  it('writeTomogram throws for an empty volume', async () => {
    await expect(writeTomogram(memoryStore(), placed([0, 2, 2]))).rejects.toThrow('shape of the volume is [0, 2, 2]');
  });
});

describe('a write that does not end well', () => {
  /** A store whose nth write fails. */
  function failingStore(n: number): Store & { readonly trouble: Error } {
    const trouble = new Error('no space');
    const inner = memoryStore();
    let writes = 0;
    return {
      ...inner,
      trouble,
      set: async (key, value, options) => {
        if (++writes === n) throw trouble;
        return inner.set(key, value, options);
      },
    };
  }

  it.each([1, 2, 4, 6, 7, 8, 9, 10, 11])('writeTomogram leaves nothing when write %i of 11 fails', async (n) => {
    const store = failingStore(n);
    await expect(writeTomogram(store, placed([4, 4, 4]), { chunkShape: [2, 2, 4] })).rejects.toBe(store.trouble);
    expect(await keysOf(store)).toEqual([]);
  });

  it('writeTomogram keeps other files in the store when it fails', async () => {
    const store = memoryStore([['/notes.txt', new Uint8Array(1)]]);
    const source = { ...placed([4, 4, 4]), read: () => Promise.reject(new Error('lost')) };
    await expect(writeTomogram(store, source)).rejects.toThrow('lost');
    expect(await keysOf(store)).toEqual(['/notes.txt']);
  });

  it('writeTomogram leaves nothing when the source fails', async () => {
    const store = memoryStore();
    const inner = placed([4, 4, 4]);
    const trouble = new Error('lost');
    const source: VolumeSource = {
      grid: inner.grid,
      read: async (box, options) => (box.start[0] > 0 ? Promise.reject(trouble) : inner.read(box, options)),
    };
    await expect(writeTomogram(store, source, { chunkShape: [2, 2, 2] })).rejects.toBe(trouble);
    expect(await keysOf(store)).toEqual([]);
  });

  it.each([0, 1, 3, 5])(
    'writeTomogram rejects with the reason and leaves no file or folder when aborted after %i chunks',
    async (n) => {
      const folder = await tempDir();
      await mkdir(join(folder, 'other'));
      const controller = new AbortController();
      const reason = new Error('stop');
      let reads = 0;
      const inner = placed([4, 40, 40]);
      const source: VolumeSource = {
        grid: inner.grid,
        read: (box, options) => {
          reads++;
          return inner.read(box, options);
        },
      };
      if (n === 0) controller.abort(reason);
      const writing = writeTomogram(directoryStore(join(folder, 'x.zarr')), source, {
        chunkShape: [2, 20, 40],
        signal: controller.signal,
        onProgress: ({ done }) => done === n && controller.abort(reason),
      });
      await expect(writing).rejects.toBe(reason);
      expect(reads).toBeLessThanOrEqual(n + 1);
      expect(await readdir(folder)).toEqual(['other']);
      expect(await readdir(join(folder, 'other'))).toEqual([]);
    },
  );
});
