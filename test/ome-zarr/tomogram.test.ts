import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  type Box,
  measureIntensity,
  memoryStore,
  openTomogram,
  type ReadableStore,
  type Store,
  type StoreKey,
  toFloat32,
  toPhysical,
  type VolumeSource,
  type Zyx,
} from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { copickFixture } from '../support/copick-fixture.ts';
import { wholeBox } from '../support/volumes.ts';
import { forEachIndex, putMultiscales, putRawArray, watchedStore } from '../support/zarr-arrays.ts';

const value = ([z, y, x]: readonly number[]) => 10_000 * z! + 100 * y! + x!;
const shape: Zyx = [6, 9, 11];
const axes = (...names: string[]) => names.map((name) => ({ name, unit: 'angstrom' }));
const scaled = (...scale: number[]) => [{ type: 'scale', scale }];

async function plainStore(chunks: Zyx = [2, 4, 5]): Promise<Store> {
  const store = memoryStore();
  await putRawArray(store, '/0', { shape, chunks, value });
  await putMultiscales(store, {
    axes: axes('z', 'y', 'x'),
    datasets: [{ path: '0', coordinateTransformations: scaled(1, 2, 3) }],
  });
  return store;
}

function expectedIn({ start, end }: Box, of = value): number[] {
  const out: number[] = [];
  const extent = start.map((from, i) => end[i]! - from);
  forEachIndex(extent, (index) => out.push(of(index.map((n, i) => n + start[i]!))));
  return out;
}

async function readBox(source: VolumeSource, box: Box, signal?: AbortSignal): Promise<number[]> {
  return [...toFloat32(await source.read(box, { signal })).data];
}

describe('reading boxes', () => {
  const range = (length: number) =>
    fc.tuple(fc.nat(length), fc.nat(length)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  const boxes = fc
    .tuple(range(6), range(9), range(11))
    .map(([z, y, x]): Box => ({ start: [z[0], y[0], x[0]], end: [z[1], y[1], x[1]] }));
  const chunkShapes = fc.tuple(
    fc.integer({ min: 1, max: 8 }),
    fc.integer({ min: 1, max: 10 }),
    fc.integer({ min: 1, max: 13 }),
  );

  it('read returns the same voxels for any box, chunk shape and cache', async () => {
    const property = fc.asyncProperty(
      chunkShapes,
      fc.array(boxes, { minLength: 1, maxLength: 6 }),
      fc.constantFrom(0, 300, 1e6),
      async (chunks, list, cacheBytes) => {
        const tomogram = await openTomogram(await plainStore(chunks), { cacheBytes });
        const found = await Promise.all(list.map((box) => readBox(tomogram, box)));
        expect(found).toEqual(list.map((box) => expectedIn(box)));
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  it('read fills out, lends a view of a single chunk, and otherwise returns memory of its own', async () => {
    const tomogram = await openTomogram(await plainStore());
    const inOneChunk: Box = { start: [2, 4, 5], end: [4, 8, 9] };
    const lent = await tomogram.read(inOneChunk, { lend: true });
    expect(lent.stride).toEqual([20, 5, 1]);
    expect([...toFloat32(lent).data]).toEqual(expectedIn(inOneChunk));
    expect(lent.release).toBeTypeOf('function');
    lent.release?.();
    const out = new Float32Array(expectedIn(inOneChunk).length);
    expect((await tomogram.read(inOneChunk, { out, lend: true })).data).toBe(out);
    expect([...out]).toEqual(expectedIn(inOneChunk));
    for (const volume of [await tomogram.read(inOneChunk), await tomogram.read(wholeBox(shape), { lend: true })]) {
      expect(volume.release).toBeUndefined();
    }
    await expect(tomogram.read(inOneChunk, { out: new Float32Array(3) })).rejects.toMatchObject({
      code: 'invalid-option',
    });
  });

  it('read writes nothing to out after it was aborted', async () => {
    const tomogram = await openTomogram(await plainStore([1, 2, 2]));
    const controller = new AbortController();
    const out = new Float32Array(expectedIn(wholeBox(shape)).length);
    const reading = tomogram.read(wholeBox(shape), { out, signal: controller.signal });
    controller.abort('enough');
    await expect(reading).rejects.toBe('enough');
    out.fill(Number.NaN);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(out.every(Number.isNaN)).toBe(true);
  });

  it('read fetches only the chunks that overlap the box, each once while it is kept', async () => {
    const store = watchedStore(await plainStore());
    const tomogram = await openTomogram(store);
    store.reads = [];
    const box: Box = { start: [1, 3, 4], end: [3, 5, 5] };
    expect(await readBox(tomogram, box)).toEqual(expectedIn(box));
    expect(store.reads.sort()).toEqual(['/0/0/0/0', '/0/0/1/0', '/0/1/0/0', '/0/1/1/0']);
    await readBox(tomogram, box);
    await readBox(tomogram, { start: [0, 0, 0], end: [4, 8, 5] });
    expect(store.reads).toHaveLength(4);
  });

  it('a sweep of overlapping tiles decodes each chunk once', async () => {
    const store = watchedStore(await plainStore());
    const tomogram = await openTomogram(store);
    store.reads = [];
    for (let x = 0; x <= 6; x++)
      await Promise.all([0, 3, 5].map((y) => tomogram.read({ start: [0, y, x], end: [6, y + 4, x + 5] })));
    expect(store.reads).toHaveLength(3 * 3 * 3);
    expect(new Set(store.reads).size).toBe(27);
  });

  it('read fetches chunks again without a cache, and shares pending ones', async () => {
    const store = watchedStore(await plainStore());
    const tomogram = await openTomogram(store, { cacheBytes: 0 });
    store.reads = [];
    const box: Box = { start: [0, 0, 0], end: [1, 1, 1] };
    await Promise.all([tomogram.read(box), tomogram.read(box), tomogram.read(box)]);
    expect(store.reads).toEqual(['/0/0/0/0']);
    await tomogram.read(box);
    expect(store.reads).toEqual(['/0/0/0/0', '/0/0/0/0']);
  });

  it('read fetches at most sixteen chunks at a time', async () => {
    const store = watchedStore(await plainStore([1, 1, 11]));
    const tomogram = await openTomogram(store);
    store.reads = [];
    let open: (value?: unknown) => void = () => {};
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const pending = Promise.all([readBox(tomogram, wholeBox(shape)), readBox(tomogram, wholeBox(shape))]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(store.reads).toHaveLength(16);
    open();
    expect(await pending).toEqual([expectedIn(wholeBox(shape)), expectedIn(wholeBox(shape))]);
  });

  it.each<[string, Box]>([
    ['sticks out', { start: [0, 0, 0], end: [6, 9, 12] }],
    ['starts below 0', { start: [-1, 0, 0], end: [6, 9, 11] }],
    ['is inside out', { start: [3, 0, 0], end: [2, 9, 11] }],
    ['is fractional', { start: [0.5, 0, 0], end: [2, 9, 11] }],
    ['is not a number', { start: [Number.NaN, 0, 0], end: [2, 9, 11] }],
  ])('read throws for a box that %s', async (_, box) => {
    const tomogram = await openTomogram(await plainStore());
    await expect(tomogram.read(box)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(/^box from .* array \/0 of memory, 6×9×11 voxels/),
    });
  });

  it('read of an empty box makes no request', async () => {
    const store = watchedStore(await plainStore());
    const tomogram = await openTomogram(store);
    store.reads = [];
    expect(await tomogram.read({ start: [2, 3, 4], end: [2, 9, 11] })).toMatchObject({ shape: [0, 6, 7] });
    expect(store.reads).toEqual([]);
  });
});

describe('aborting', () => {
  async function pendingRead(chunks: Zyx) {
    const store = watchedStore(await plainStore(chunks));
    const tomogram = await openTomogram(store);
    store.reads = [];
    let open: (value?: unknown) => void = () => {};
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    return { store, tomogram, open: () => open() };
  }

  const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

  it('an aborted read rejects with the reason and starts no request afterwards', async () => {
    const { store, tomogram, open } = await pendingRead([1, 1, 11]);
    const controller = new AbortController();
    const reason = new Error('enough');
    const pending = readBox(tomogram, wholeBox(shape), controller.signal);
    await settle();
    const started = store.reads.length;
    expect(started).toBe(16);
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
    open();
    await settle();
    expect(store.reads).toHaveLength(started);
    await expect(tomogram.read(wholeBox(shape), { signal: controller.signal })).rejects.toBe(reason);
    expect(store.reads).toHaveLength(started);
  });

  it('an aborted read does not disturb another reader of the same chunk', async () => {
    const { store, tomogram, open } = await pendingRead([6, 9, 11]);
    const controller = new AbortController();
    const first = readBox(tomogram, wholeBox(shape), controller.signal);
    const second = readBox(tomogram, wholeBox(shape));
    await settle();
    controller.abort('first gives up');
    await expect(first).rejects.toBe('first gives up');
    open();
    expect(await second).toEqual(expectedIn(wholeBox(shape)));
    expect(store.reads).toEqual(['/0/0/0/0']);
  });

  it('an aborted read leaves the tomogram usable', async () => {
    const { tomogram, open } = await pendingRead([1, 1, 11]);
    const controller = new AbortController();
    const pending = readBox(tomogram, wholeBox(shape), controller.signal);
    controller.abort('stop');
    await expect(pending).rejects.toBe('stop');
    open();
    expect(await readBox(tomogram, wholeBox(shape))).toEqual(expectedIn(wholeBox(shape)));
  });

  it('any number of reads may share a signal without a warning', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    const { tomogram, open } = await pendingRead([6, 9, 11]);
    const { signal } = new AbortController();
    const pending = Promise.all(Array.from({ length: 40 }, () => readBox(tomogram, wholeBox(shape), signal)));
    open();
    await pending;
    await settle();
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });

  it('openTomogram rejects with the abort reason', async () => {
    await expect(openTomogram(await plainStore(), { signal: AbortSignal.abort('no') })).rejects.toBe('no');
  });

  it('a failing chunk fails the read and stops the others', async () => {
    const store = await plainStore([1, 1, 11]);
    await store.set('/0/0/2/0', new Uint8Array(3));
    const watched = watchedStore(store);
    const tomogram = await openTomogram(watched);
    watched.reads = [];
    await expect(tomogram.read(wholeBox(shape))).rejects.toMatchObject({ code: 'corrupt-data' });
    await settle();
    // Of 54 chunks.
    expect(watched.reads.length).toBeLessThan(36);
  });
});

describe('axes', () => {
  it.each([
    ['z', 'y', 'x'],
    ['x', 'y', 'z'],
    ['y', 'z', 'x'],
    ['c', 'z', 'y', 'x'],
    ['t', 'c', 'x', 'z', 'y'],
    ['z', 'y', 'x', 'c'],
  ])('openTomogram finds the axes %s %s %s %s %s by name', async (...names) => {
    const list = names.filter((name) => name !== undefined);
    const place = (zyx: readonly number[], other: number) => list.map((name) => zyx['zyx'.indexOf(name)] ?? other);
    const store = memoryStore();
    await putRawArray(store, '/0', {
      shape: place(shape, 1),
      chunks: place([2, 4, 5], 1),
      value: (index) => value(['z', 'y', 'x'].map((name) => index[list.indexOf(name)]!)),
    });
    const translation = { type: 'translation', translation: place([30, 20, 10], 99) };
    await putMultiscales(store, {
      axes: list.map((name) => ({ name, unit: 'zyx'.includes(name) ? 'nanometer' : undefined })),
      datasets: [{ path: '0', coordinateTransformations: [...scaled(...place([1, 2, 3], 1)), translation] }],
    });
    const tomogram = await openTomogram(store);
    expect(tomogram.grid).toEqual({ shape, voxelSize: [10, 20, 30], origin: { x: 100, y: 200, z: 300 } });
    expect(tomogram.levels[0]?.chunkShape).toEqual([2, 4, 5]);
    const box: Box = { start: [1, 2, 3], end: [5, 9, 10] };
    expect(await readBox(tomogram, box)).toEqual(expectedIn(box));
    expect(await readBox(tomogram, { start: [0, 0, 0], end: [2, 4, 5] })).toEqual(
      expectedIn({ start: [0, 0, 0], end: [2, 4, 5] }),
    );
  });

  it.each(['<f4', '<i2'])(
    'openTomogram asks for each chunk of %s once for its statistics, even without a cache',
    async (dtype) => {
      const store = memoryStore();
      const without = ['1/0/0'];
      await putRawArray(store, '/0', { shape: [4, 4, 4], chunks: [2, 2, 4], dtype, value: ([z]) => z!, without });
      const asked: string[] = [];
      const watched: ReadableStore = {
        ...store,
        async get(key, options) {
          asked.push(key);
          return store.get(key, options);
        },
      };
      const tomogram = await openTomogram(watched, { fallbackVoxelSize: 10, cacheBytes: 0 });
      asked.length = 0;
      expect(await measureIntensity(tomogram)).toMatchObject({ count: 64, minimum: 0, maximum: 3 });
      const chunks = asked.filter((key) => !key.endsWith('.zarray'));
      expect(chunks).toHaveLength(4);
      expect(new Set(chunks).size).toBe(4);
    },
  );

  it('openTomogram throws for several channels or times and names them', async () => {
    const store = memoryStore();
    await putRawArray(store, '/0', { shape: [2, 3, 3, 3], chunks: [1, 3, 3, 3], value: () => 0 });
    await putMultiscales(store, {
      axes: axes('c', 'z', 'y', 'x'),
      datasets: [{ path: '0', coordinateTransformations: scaled(1, 1, 1, 1) }],
    });
    await expect(openTomogram(store)).rejects.toMatchObject({
      code: 'unsupported',
      message:
        'array /0 of memory is not a single volume: expected axes z, y, x and others of length 1, found c (2), z (3), y (3), x (3); openChannels of cryoet-picks/io gives each as a volume',
    });
  });

  it('openTomogram throws if the metadata list another number of axes than the array has', async () => {
    const store = await plainStore();
    await putMultiscales(store, {
      axes: axes('c', 'z', 'y', 'x'),
      datasets: [{ path: '0', coordinateTransformations: scaled(1, 1, 1, 1) }],
    });
    await expect(openTomogram(store)).rejects.toThrow(
      'array /0 of memory has the shape 6×9×11, but its metadata list 4 axes: c, z, y, x',
    );
  });
});

describe('levels', () => {
  async function pyramid(): Promise<Store> {
    const store = memoryStore();
    const extents: Zyx[] = [
      [8, 8, 8],
      [4, 4, 4],
      [2, 2, 2],
    ];
    for (const [i, extent] of extents.entries())
      await putRawArray(store, `/s${i}`, { shape: extent, chunks: extent, value: () => i });
    const datasets = [10, 20, 40].map((v, i) => ({ path: `s${i}`, coordinateTransformations: scaled(v, v, v) }));
    await putMultiscales(store, { axes: axes('z', 'y', 'x'), datasets });
    return store;
  }

  it('openTomogram asks for the first level, then for all others at once', async () => {
    const store = await pyramid();
    const waiting = new Set<string>();
    const together: string[] = [];
    const get: Store['get'] = async (key, options) => {
      waiting.add(key);
      await new Promise((resolve) => setTimeout(resolve));
      if (waiting.size > 1) together.push([...waiting].join(' '));
      waiting.delete(key);
      return store.get(key, options);
    };
    const tomogram = await openTomogram({ ...store, get });
    expect(tomogram.levels.map(({ path }) => path)).toEqual(['s0', 's1', 's2']);
    expect(together).toEqual(['/s1/.zarray /s2/.zarray']);
  });

  it.each([
    [{}, 0],
    [{ level: 2 }, 2],
    [{ voxelSize: 10.012 }, 0],
    [{ voxelSize: 13 }, 0],
    [{ voxelSize: 15 }, 1],
    [{ voxelSize: 20 * Math.SQRT2 }, 1],
    [{ voxelSize: 1000 }, 2],
    [{ voxelSize: 1 }, 0],
  ])('openTomogram with %j opens level %i', async (options, level) => {
    const tomogram = await openTomogram(await pyramid(), options);
    expect(tomogram.level).toBe(level);
    expect(tomogram.grid.voxelSize[0]).toBe(10 * 2 ** level);
    expect(await readBox(tomogram, { start: [0, 0, 0], end: [1, 1, 1] })).toEqual([level]);
    expect(tomogram.levels.map(({ path, shape }) => `${path} ${shape}`)).toEqual(['s0 8,8,8', 's1 4,4,4', 's2 2,2,2']);
  });

  it('openTomogram omits a level that was not downloaded, and lists the others when it is requested', async () => {
    const store = await pyramid();
    await store.delete('/s1');
    expect((await openTomogram(store)).levels.map(({ index }) => index)).toEqual([0, 2]);
    await expect(openTomogram(store, { level: 1 })).rejects.toMatchObject({
      code: 'not-found',
      message: 'level 1 not found in memory; available: 0 (8×8×8), 2 (2×2×2)',
      available: ['0', '2'],
    });
  });

  it('openTomogram opens the requested level though another one is broken', async () => {
    const store = await pyramid();
    await store.set('/s2/.zarray', new TextEncoder().encode('{'));
    await putRawArray(store, '/s1', { shape: [4, 4], chunks: [4, 4], value: () => 1 });
    expect((await openTomogram(store)).levels.map(({ index }) => index)).toEqual([0]);
    await expect(openTomogram(store, { level: 1 })).rejects.toMatchObject({
      code: 'invalid-metadata',
      message:
        'cannot open level 1 (available: 0 (8×8×8)): array /s1 of memory has the shape 4×4, but its metadata list 3 axes: z, y, x',
    });
    await expect(openTomogram(store, { voxelSize: 50 })).rejects.toMatchObject({
      code: 'invalid-metadata',
      message: expect.stringMatching(
        /^cannot open level 2 \(available: 0 \(8×8×8\)\): \/s2\/.zarray of memory is not JSON: line 1/,
      ),
    });
  });

  it.each([{}, { level: 0 }, { voxelSize: 10 }])(
    'openTomogram puts no other level in the place of a first one that was not downloaded: %j',
    async (options) => {
      const store = await pyramid();
      await store.delete('/s0');
      await expect(openTomogram(store, options)).rejects.toMatchObject({
        code: 'not-found',
        message: 'level 0 not found in memory; available: 1 (4×4×4), 2 (2×2×2)',
      });
    },
  );

  it('openTomogram opens a level by voxel size though a finer one was not downloaded', async () => {
    const store = await pyramid();
    await store.delete('/s0');
    expect((await openTomogram(store, { voxelSize: 20 })).level).toBe(1);
  });

  it('openTomogram rejects with the reason when aborted while it opens a level', async () => {
    const controller = new AbortController();
    const store = await pyramid();
    const get: Store['get'] = async (key, options) => {
      if (key === '/s1/.zarray') controller.abort('enough');
      return store.get(key, options);
    };
    await expect(openTomogram({ ...store, get }, { signal: controller.signal })).rejects.toBe('enough');
  });

  it('openTomogram lists the content of the store if no level exists', async () => {
    const store = await pyramid();
    for (const key of ['/s0', '/s1', '/s2'] as const) await store.delete(key);
    await expect(openTomogram(store)).rejects.toMatchObject({
      code: 'invalid-metadata',
      message: 'no level of memory can be read: its metadata list "s0", "s1", "s2"; found .zattrs',
    });
  });

  it.each([
    ['of floats without a translation', '<f4', undefined, [0, 5, 15]],
    ['of labels without a translation', '|u1', undefined, [0, 0, 0]],
    ['of floats with a translation of 0', '<f4', [0, 0, 0], [0, 0, 0]],
  ] as const)('openTomogram places coarse levels %s correctly', async (_, dtype, translation, expected) => {
    const store = await pyramid();
    for (const i of [0, 1, 2])
      await putRawArray(store, `/s${i}`, { shape: [2, 2, 2], chunks: [2, 2, 2], dtype, value: () => i });
    const datasets = [10, 20, 40].map((v, i) => ({
      path: `s${i}`,
      coordinateTransformations: [...scaled(v, v, v), ...(translation ? [{ type: 'translation', translation }] : [])],
    }));
    await putMultiscales(store, { axes: axes('z', 'y', 'x'), datasets });
    const { levels } = await openTomogram(store);
    expect(levels.map(({ origin }) => origin)).toEqual(expected.map((v) => ({ x: v, y: v, z: v })));
    expect((await openTomogram(store, { level: 2 })).grid.origin).toEqual(levels[2]?.origin);
  });

  it('openTomogram shifts coarse levels by their factor along each axis, and not at all if one is not a whole number', async () => {
    const store = await pyramid();
    const datasets = [
      [10, 10, 12],
      [10, 20, 36],
      [25, 20, 24],
    ].map((scale, i) => ({ path: `s${i}`, coordinateTransformations: scaled(...scale) }));
    await putMultiscales(store, { axes: axes('z', 'y', 'x'), datasets });
    const origins = (await openTomogram(store)).levels.map(({ origin: { x, y, z } }) => [z, y, x]);
    expect(origins).toEqual([
      [0, 0, 0],
      [0, 5, 12],
      [0, 0, 0],
    ]);
  });

  it("openTomogram puts the first mean of copick's own pyramid at the mean position of its voxels", async () => {
    const store = directoryStore(join(copickFixture, 'static/ExperimentRuns/TS_5_4/VoxelSpacing10.012/denoised.zarr'));
    const [fine, coarse] = [await openTomogram(store), await openTomogram(store, { level: 1 })];
    const voxels = await readBox(fine, { start: [0, 0, 0], end: [2, 2, 2] });
    const [mean] = await readBox(coarse, { start: [0, 0, 0], end: [1, 1, 1] });
    expect(mean).toBeCloseTo(voxels.reduce((a, b) => a + b) / 8, 5);
    expect(coarse.grid.origin.z).toBeCloseTo(10.012444 / 2, 4);
    expect(toPhysical(coarse.grid, [0, 0, 0])).toEqual(toPhysical(fine.grid, [0.5, 0.5, 0.5]));
  });

  it.each([{ voxelSize: 0 }, { voxelSize: Number.NaN }, { fallbackVoxelSize: -1 }, { cacheBytes: -1 }])(
    'openTomogram throws for %j',
    async (options) => {
      await expect(openTomogram(await pyramid(), options)).rejects.toMatchObject({ code: 'invalid-option' });
    },
  );
});

describe('stores without an image', () => {
  it.each(['/0', '/'])('openTomogram opens an array at %s with fallbackVoxelSize', async (folder) => {
    const store = memoryStore();
    await putRawArray(store, folder, { shape, chunks: [2, 4, 5], value });
    const tomogram = await openTomogram(store, { fallbackVoxelSize: 13.48 });
    expect(tomogram.grid).toEqual({ shape, voxelSize: [13.48, 13.48, 13.48], origin: { x: 0, y: 0, z: 0 } });
    expect(await readBox(tomogram, wholeBox(shape))).toEqual(expectedIn(wholeBox(shape)));
    await expect(openTomogram(store)).rejects.toMatchObject({
      code: 'invalid-metadata',
      message: expect.stringMatching(/memory has no "multiscales" metadata.*give the option fallbackVoxelSize, in Å$/),
    });
  });

  it('openTomogram uses fallbackVoxelSize for a first level without a scale', async () => {
    const store = await plainStore();
    await putMultiscales(store, { axes: axes('z', 'y', 'x'), datasets: [{ path: '0' }, { path: '1' }] });
    expect((await openTomogram(store, { fallbackVoxelSize: 7 })).grid.voxelSize).toEqual([7, 7, 7]);
    await expect(openTomogram(store)).rejects.toMatchObject({ code: 'invalid-metadata' });
  });

  it.each([
    ['particle.mrc', 'openMrcFile'],
    ['stack.TIF', 'openTiffStackFile'],
  ])('openTomogram names the function for a store of the name %s', async (name, opener) => {
    const store = { ...memoryStore(), location: `/data/${name}` };
    await expect(openTomogram(store)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining(`open it by ${opener}(path)`),
    });
  });

  it('openTomogram gives a source that refuses a box beyond all memory before it lists its chunks', async () => {
    const store = memoryStore();
    const edge = 10_000;
    const document = { zarr_format: 2, shape: [edge, edge, edge], chunks: [32, 32, 32], dtype: '<f4', order: 'C' };
    const json = JSON.stringify({ ...document, compressor: null, filters: null, fill_value: 0 });
    await store.set('/0/.zarray', new TextEncoder().encode(json));
    const tomogram = await openTomogram(store, { fallbackVoxelSize: 10, cacheBytes: 0 });
    await expect(tomogram.read({ start: [0, 0, 0], end: [edge, edge, edge] })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('10000×10000×10000 voxels'),
    });
  });

  it('openTomogram refuses metadata of thousands of levels instead of opening each', async () => {
    const store = await plainStore();
    const datasets = Array.from({ length: 100_000 }, (_, i) => ({ path: String(i) }));
    await putMultiscales(store, { axes: axes('z', 'y', 'x'), datasets });
    const get = vi.spyOn(store, 'get');
    await expect(openTomogram(store)).rejects.toMatchObject({
      code: 'invalid-metadata',
      message: expect.stringContaining('it lists 100000 levels, expected at most 100'),
    });
    expect(get.mock.calls.length).toBeLessThan(10);
  });

  it.each<[string, [StoreKey, string][], string]>([
    ['an empty folder', [], 'it is empty or absent'],
    [
      'other files',
      [
        ['/a.mrc', ''],
        ['/b/c', ''],
      ],
      'found a.mrc, b/',
    ],
    ['an empty v2 group, as copick makes it', [['/.zgroup', '{"zarr_format":2}']], 'found .zgroup'],
    ['an empty v3 group', [['/zarr.json', '{"zarr_format":3,"node_type":"group"}']], 'found zarr.json'],
  ])('openTomogram names the content of the store: %s', async (_, entries, found) => {
    const store = memoryStore(entries.map(([key, text]) => [key, new TextEncoder().encode(text)]));
    await expect(openTomogram(store, { fallbackVoxelSize: 10 })).rejects.toMatchObject({
      code: entries.length === 0 ? 'not-found' : 'invalid-metadata',
      message: `memory is not a Zarr image: it has neither .zattrs nor zarr.json with "multiscales", nor an array; ${found}`,
    });
  });

  it('openTomogram reports broken JSON', async () => {
    const store = await plainStore();
    await store.set('/.zattrs', new TextEncoder().encode('{"multiscales": '));
    await expect(openTomogram(store)).rejects.toThrow(/^\/.zattrs of memory is not JSON: line 1, column /);
  });

  it('openTomogram reports broken array metadata of v2, not a missing v3 array', async () => {
    const store = await plainStore();
    await store.set('/0/.zarray', new TextEncoder().encode('{"zarr_format": 2}'));
    await expect(openTomogram(store)).rejects.toThrow('cannot understand the metadata of /0/.zarray of memory: "');
  });
});

it('openTomogram opens OME-Zarr 0.5: attributes of zarr.json, Zarr v3 arrays', async () => {
  const store = memoryStore();
  const json = (value: object) => new TextEncoder().encode(JSON.stringify(value));
  const multiscales = [
    { axes: axes('z', 'y', 'x'), datasets: [{ path: '0', coordinateTransformations: scaled(1, 2, 3) }] },
  ];
  await store.set(
    '/zarr.json',
    json({ zarr_format: 3, node_type: 'group', attributes: { ome: { version: '0.5', multiscales } } }),
  );
  await store.set(
    '/0/zarr.json',
    json({
      zarr_format: 3,
      node_type: 'array',
      shape: [1, 2, 3],
      data_type: 'uint8',
      chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, 2, 3] } },
      chunk_key_encoding: { name: 'v2', configuration: { separator: '/' } },
      fill_value: 0,
      codecs: ['bytes'],
    }),
  );
  await store.set('/0/0/0/0', Uint8Array.from([1, 2, 3, 4, 5, 6]));
  const watched = watchedStore(store);
  const tomogram = await openTomogram(watched);
  expect(watched.reads).toEqual(['/.zattrs', '/zarr.json', '/0/zarr.json']);
  expect(tomogram.grid.voxelSize).toEqual([1, 2, 3]);
  expect(await readBox(tomogram, wholeBox([1, 2, 3]))).toEqual([1, 2, 3, 4, 5, 6]);
});
