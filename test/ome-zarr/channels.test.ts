import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryStore, openTomogram, type Store, toFloat32 } from '../../src/entry/index.ts';
import { openChannels } from '../../src/entry/io.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';
import { wholeBox } from '../support/volumes.ts';
import { forEachIndex, putMultiscales, putRawArray, watchedStore } from '../support/zarr-arrays.ts';

const scaled = (...scale: number[]) => [{ type: 'scale', scale }];
const axesNamed = (names: readonly string[]) =>
  names.map((name) => (['z', 'y', 'x'].includes(name) ? { name, unit: 'angstrom' } : { name }));

interface TestImage {
  readonly names?: readonly string[];
  readonly shape?: readonly number[];
  readonly chunks?: readonly number[];
  readonly dtype?: string;
  readonly metadata?: object;
  readonly value?: (index: readonly number[]) => number;
}

const countUp = (index: readonly number[]) => index.reduce((sum, n) => 10 * sum + n, 0);

async function imageStore(image: TestImage = {}): Promise<Store> {
  const { names = ['c', 'z', 'y', 'x'], shape = [3, 2, 3, 4], chunks = [1, 2, 2, 2], dtype, metadata = {} } = image;
  const store = memoryStore();
  await putRawArray(store, '/0', { shape, chunks, dtype: dtype ?? '<f4', value: image.value ?? countUp });
  await putMultiscales(store, {
    axes: axesNamed(names),
    datasets: [
      { path: '0', coordinateTransformations: scaled(...names.map((name) => ('zyx'.includes(name) ? 10 : 1))) },
    ],
    ...metadata,
  });
  return store;
}

/** The voxels of channel `channel`, C-order z, y, x, of an image whose dimensions have these names. */
function expectedOf(names: readonly string[], shape: readonly number[], axis: string, channel: number): number[] {
  const out: number[] = [];
  const extent = (name: string) => shape[names.indexOf(name)]!;
  forEachIndex([extent('z'), extent('y'), extent('x')], ([z, y, x]) => {
    const at: Record<string, number> = { z: z!, y: y!, x: x!, [axis]: channel };
    out.push(countUp(names.map((name) => at[name] ?? 0)));
  });
  return out;
}

describe('openChannels', () => {
  it('openChannels returns one tomogram per channel for any order of axes and any chunks', async () => {
    const property = fc.asyncProperty(
      fc.shuffledSubarray(['c', 'z', 'y', 'x'], { minLength: 4 }),
      fc.constantFrom('c', 'feature', 't'),
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 4, maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 4, maxLength: 4 }),
      fc.constantFrom('<f4', '<u2'),
      async (order, axis, shape, chunks, dtype) => {
        const names = order.map((name) => (name === 'c' ? axis : name));
        const channels = await openChannels(await imageStore({ names, shape, chunks, dtype }));
        const extent = (name: string) => shape[names.indexOf(name)]!;
        expect(channels.map(({ channel }) => channel)).toEqual(
          Array.from({ length: extent(axis) }, (_, index) => ({ index, axis, name: undefined })),
        );
        for (const [index, one] of channels.entries()) {
          expect(one.grid).toMatchObject({
            shape: [extent('z'), extent('y'), extent('x')],
            voxelSize: [10, 10, 10],
          });
          const expected = expectedOf(names, shape, axis, index);
          expect([...toFloat32(await one.read(wholeBox(one.grid.shape))).data]).toEqual(expected);
          expect([...toFloat32(await one.read(wholeBox(one.grid.shape), { exact: true })).data]).toEqual(expected);
        }
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  it('openChannels decodes a chunk of several channels once', async () => {
    const store = watchedStore(await imageStore({ chunks: [3, 2, 3, 4] }));
    const channels = await openChannels(store);
    store.reads = [];
    const sums = await Promise.all(
      channels.map(async (one) => toFloat32(await one.read(wholeBox(one.grid.shape))).data.length),
    );
    expect(sums).toEqual([24, 24, 24]);
    expect(store.reads).toEqual(['/0/0/0/0/0']);
  });

  it('a channel reads only its own chunks', async () => {
    const store = watchedStore(await imageStore({ chunks: [1, 2, 3, 4] }));
    const channels = await openChannels(store);
    store.reads = [];
    await channels[2]!.read({ start: [0, 0, 0], end: [1, 1, 1] });
    expect(store.reads).toEqual(['/0/2/0/0/0']);
  });

  it('openChannels takes names from copick, otherwise those for viewers', async () => {
    const copick = { metadata: { copick: { segmentation_type: 'panoptic', channels: ['label', 'instance'] } } };
    const panoptic = await openChannels(await imageStore({ shape: [2, 2, 3, 4], metadata: copick }));
    expect(panoptic.map(({ channel }) => channel.name)).toEqual(['label', 'instance']);
    const store = await imageStore();
    const json = JSON.parse(new TextDecoder().decode(await store.get('/.zattrs')));
    json.omero = { channels: [{ label: 'red' }, { color: '00FF00' }, { label: 7 }] };
    await store.set('/.zattrs', new TextEncoder().encode(JSON.stringify(json)));
    expect((await openChannels(store)).map(({ channel }) => channel.name)).toEqual(['red', undefined, undefined]);
  });

  it.each([null, { copick: null }, { copick: { channels: 'ab' } }, { copick: { channels: [1, ''] } }, 'none'])(
    'openChannels ignores invalid names: %j',
    async (metadata) => {
      const channels = await openChannels(await imageStore({ metadata: { metadata } }));
      expect(channels.map(({ channel }) => channel.name)).toEqual([undefined, undefined, undefined]);
    },
  );

  it('openChannels opens an image of one volume as one channel', async () => {
    const plain = await openChannels(await imageStore({ names: ['z', 'y', 'x'], shape: [2, 3, 4], chunks: [2, 2, 2] }));
    expect(plain.map(({ channel }) => channel)).toEqual([{ index: 0, axis: undefined, name: undefined }]);
    const single = await openChannels(await imageStore({ shape: [1, 2, 3, 4] }));
    expect(single.map(({ channel }) => channel)).toEqual([{ index: 0, axis: 'c', name: undefined }]);
  });

  it('openChannels opens the times of one channel, and throws for those of several', async () => {
    const names = ['t', 'c', 'z', 'y', 'x'];
    const times = await openChannels(await imageStore({ names, shape: [3, 1, 2, 2, 2], chunks: [1, 1, 2, 2, 2] }));
    expect(times.map(({ channel }) => channel.axis)).toEqual(['t', 't', 't']);
    const both = await imageStore({ names, shape: [3, 2, 2, 2, 2], chunks: [1, 1, 2, 2, 2] });
    await expect(openChannels(both)).rejects.toMatchObject({
      code: 'unsupported',
      message:
        'array /0 of memory is not a set of channels: expected axes z, y, x, one more and others of length 1, ' +
        'found t (3), c (2), z (2), y (2), x (2)',
    });
  });

  it('openChannels opens the channels of an array without metadata', async () => {
    const store = memoryStore();
    await putRawArray(store, '/0', { shape: [2, 2, 3, 4], chunks: [1, 2, 2, 2], value: countUp });
    const channels = await openChannels(store, { fallbackVoxelSize: 10 });
    expect(channels.map(({ channel }) => channel)).toEqual([
      { index: 0, axis: 'axis 1', name: undefined },
      { index: 1, axis: 'axis 1', name: undefined },
    ]);
  });

  it('openTomogram names openChannels when it throws for several channels', async () => {
    await expect(openTomogram(await imageStore())).rejects.toMatchObject({
      code: 'unsupported',
      message:
        'array /0 of memory is not a single volume: expected axes z, y, x and others of length 1, found ' +
        'c (3), z (2), y (3), x (4); openChannels of cryoet-picks/io gives each as a volume',
    });
  });

  it.skipIf(sharedDataMissing)(
    'openChannels throws for a flat colour image and suggests no other function',
    async () => {
      const store = directoryStore(sharedData('fixtures/viv/blobs_image_v04.ome.zarr'));
      await expect(openChannels(store)).rejects.toThrow(
        /is not a set of channels: .*, found c \(3\), y \(12\), x \(12\)$/,
      );
    },
  );
});

describe('reading with exact', () => {
  const limits: [dtype: string, values: readonly number[], type: string][] = [
    ['|u1', [0, 1, 255], 'Float32Array'],
    ['|i1', [-128, 0, 127], 'Float32Array'],
    ['<u2', [0, 1, 65535], 'Float32Array'],
    ['<i2', [-32768, 0, 32767], 'Float32Array'],
    ['<u4', [0, 2 ** 24 + 1, 2 ** 32 - 1], 'Float64Array'],
    ['>u4', [0, 2 ** 24 + 1, 2 ** 32 - 1], 'Float64Array'],
    ['<i4', [-(2 ** 31), 2 ** 24 + 1, 2 ** 31 - 1], 'Float64Array'],
    ['<u8', [0, 2 ** 24 + 1, Number.MAX_SAFE_INTEGER], 'Float64Array'],
    ['<i8', [-Number.MAX_SAFE_INTEGER, 2 ** 24 + 1, Number.MAX_SAFE_INTEGER], 'Float64Array'],
    ['<f4', [-1.5, 0, 2 ** 24], 'Float32Array'],
    ['<f8', [Math.PI, 1e300, -0], 'Float64Array'],
    ['|b1', [0, 1, 1], 'Float32Array'],
  ];

  it.each(limits)(
    'read with exact returns the minimum and maximum %s unchanged, from one chunk and from several',
    async (...row) => {
      const [dtype, values, type] = row;
      for (const chunks of [
        [1, 1, 3],
        [1, 1, 2],
      ]) {
        const value = (at: readonly number[]) => values[at[2]!]!;
        const store = await imageStore({ names: ['z', 'y', 'x'], shape: [1, 1, 3], chunks, dtype, value });
        const tomogram = await openTomogram(store);
        const found = await tomogram.read(wholeBox([1, 1, 3]), { exact: true });
        expect(found.data.constructor.name).toBe(type);
        const at = (x: number) => found.data[found.offset + x * found.stride[2]];
        expect([at(0), at(1), at(2)]).toEqual(values);
        expect([...(await tomogram.read(wholeBox([1, 1, 3]))).data].slice(0, 3)).toEqual(values.map(Math.fround));
      }
    },
  );

  it.each(['<u8', '<i8'])('read with exact throws for %s beyond 2^53 − 1 instead of rounding', async (dtype) => {
    for (const chunks of [
      [1, 1, 3],
      [1, 1, 2],
    ]) {
      const value = () => 2 ** 53;
      const store = await imageStore({ names: ['z', 'y', 'x'], shape: [1, 1, 3], chunks, dtype, value });
      const tomogram = await openTomogram(store);
      await expect(tomogram.read(wholeBox([1, 1, 3]), { exact: true })).rejects.toMatchObject({
        code: 'unsupported',
        message:
          'array /0 of memory contains 9007199254740992, which exceeds Number.MAX_SAFE_INTEGER; ' +
          'expected integers up to 2^53 − 1 in size',
      });
      expect((await tomogram.read(wholeBox([1, 1, 3]))).data[0]).toBe(2 ** 53);
    }
  });

  it('read with exact throws for an absent chunk whose fill value JSON has rounded', async () => {
    const store = memoryStore();
    await putRawArray(store, '/0', {
      shape: [1, 1, 2],
      chunks: [1, 1, 1],
      dtype: '<u8',
      fill: 2 ** 64,
      value: () => 5,
      without: ['0/0/1'],
    });
    const tomogram = await openTomogram(store, { fallbackVoxelSize: 10 });
    expect(toFloat32(await tomogram.read({ start: [0, 0, 0], end: [1, 1, 1] }, { exact: true })).data[0]).toBe(5);
    await expect(tomogram.read(wholeBox([1, 1, 2]), { exact: true })).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('read with exact fills absent chunks exactly', async () => {
    const store = memoryStore();
    const absent = { shape: [1, 1, 2], chunks: [1, 1, 1], value: () => 0, without: ['0/0/0', '0/0/1'] };
    await putRawArray(store, '/0', { ...absent, dtype: '<u4', fill: 2 ** 32 - 1 });
    const tomogram = await openTomogram(store, { fallbackVoxelSize: 10 });
    expect((await tomogram.read(wholeBox([1, 1, 2]), { exact: true })).data).toEqual(
      Float64Array.of(2 ** 32 - 1, 2 ** 32 - 1),
    );
  });
});
