import { describe, expect, it } from 'vitest';
import { memoryStore, type Store, type StoreKey } from '../../../src/entry/index.ts';
import { openChannels, writeChannels } from '../../../src/entry/io.ts';
import { sourceOf } from '../../support/volumes.ts';

const grid = { voxelSize: [10, 10, 10], origin: { x: 1, y: 2, z: 3 } } as const;
const source = (value: number) => sourceOf(new Float32Array(24).fill(value), [2, 3, 4], grid);

async function json(store: Store, key: StoreKey) {
  return JSON.parse(new TextDecoder().decode((await store.get(key))!));
}

describe('writeChannels', () => {
  it('writeChannels writes panoptic labels like copick 1: a c axis, one channel per chunk, their meaning in the metadata', async () => {
    const store = memoryStore();
    const metadata = { copick: { segmentation_type: 'panoptic', channels: ['label', 'instance'] } };
    await writeChannels(store, [source(1), source(7)], { dtype: 'uint16', metadata });
    expect(await json(store, '/0/.zarray')).toMatchObject({ shape: [2, 2, 3, 4], chunks: [1, 2, 3, 4], dtype: '<u2' });
    const [image] = (await json(store, '/.zattrs')).multiscales;
    expect(image.axes.map(({ name }: { name: string }) => name)).toEqual(['c', 'z', 'y', 'x']);
    expect(image.axes[0]).toEqual({ name: 'c', type: 'channel' });
    expect(image.metadata).toEqual(metadata);
    expect(image.datasets[0].coordinateTransformations).toEqual([
      { type: 'scale', scale: [1, 10, 10, 10] },
      { type: 'translation', translation: [0, 3, 2, 1] },
    ]);
    for (const channel of [0, 1]) expect(await store.get(`/0/${channel}/0/0/0`)).toBeDefined();
  });

  it('writeChannels keeps the names of features', async () => {
    const store = memoryStore();
    await writeChannels(store, [source(1), source(2)], { axis: 'feature', names: ['sobel', 'gauss'], levels: 1 });
    const { multiscales, omero } = await json(store, '/.zattrs');
    expect(multiscales[0].axes[0]).toEqual({ name: 'feature' });
    const window = (value: number) => ({ min: value, max: value, start: value, end: value });
    expect(omero.channels).toEqual([
      { label: 'sobel', color: 'FFFFFF', active: true, window: window(1) },
      { label: 'gauss', color: 'FFFFFF', active: true, window: window(2) },
    ]);
    expect((await openChannels(store)).map(({ channel }) => channel.name)).toEqual(['sobel', 'gauss']);
  });

  const other = sourceOf(new Float32Array(24), [2, 3, 4], {
    ...grid,
    voxelSize: [10, 10, 11],
  });
  it.each([
    [[], {}, 'no channel is given, expected at least one'],
    [[source(1), other], {}, 'channel 1 has 2×3×4 voxels of 10×10×11 Å at x 1, y 2, z 3 Å, and channel 0'],
    [[source(1)], { names: ['a', 'b'] }, '2 names are given for 1 channels'],
    [[source(1)], { axis: 't' as 'c' }, 'axis is "t", expected one of c, feature'],
    [[source(1)], { metadata: { a: 1n } }, 'metadata cannot be written as JSON'],
  ])('writeChannels throws for case %# before it writes anything', async (sources, options, message) => {
    const store = memoryStore();
    await expect(writeChannels(store, sources, options)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(message),
    });
    expect(await store.list('/')).toEqual([]);
  });
});
