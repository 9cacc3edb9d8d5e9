import { describe, expect, it } from 'vitest';
import { memoryStore, openTomogram, type Store, subStore } from '../../src/entry/index.ts';
import { openChannels } from '../../src/entry/io.ts';
import { openStore } from '../../src/entry/node.ts';
import { projectOf } from '../support/copick-tree.ts';
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';
import { putMultiscales, putRawArray } from '../support/zarr-arrays.ts';

const text = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));
const axes = (unit?: string) =>
  ['z', 'y', 'x'].map((name) => ({ name, type: 'space', ...(unit !== undefined && { unit }) }));
const dataset = (path: string, ...scale: number[]) => ({ path, coordinateTransformations: [{ type: 'scale', scale }] });

/** An image with levels of these shapes and scales. */
async function image(
  levels: readonly (readonly [shape: readonly number[], scale: readonly number[]])[],
  { unit = 'angstrom', dtype = '<f4', store = memoryStore() }: { unit?: string; dtype?: string; store?: Store } = {},
): Promise<Store> {
  for (const [index, [shape]] of levels.entries())
    await putRawArray(store, `/${index}`, { shape, chunks: shape, dtype, value: ([z]) => z! });
  await putMultiscales(store, {
    axes: axes(unit),
    datasets: levels.map(([, scale], index) => dataset(String(index), ...scale)),
  });
  return store;
}

describe('an image whose unit is no unit of length', () => {
  const pyramid = [
    [
      [4, 4, 4],
      [1, 1, 1],
    ],
    [
      [2, 2, 2],
      [2, 2, 2],
    ],
  ] as const;

  it.each([' ', '', 'pixel', 'furlong'])(
    'openTomogram refuses the unit "%s" without fallbackVoxelSize',
    async (unit) => {
      const store = await image(pyramid, { unit });
      await expect(openTomogram(store)).rejects.toMatchObject({
        code: 'invalid-metadata',
        message: expect.stringMatching(
          /the unit of axis "z" of memory is ".*", expected angstrom, .*; give the option fallbackVoxelSize, in Å$/,
        ),
      });
    },
  );

  it('openTomogram scales all levels, so that the first has the fallbackVoxelSize', async () => {
    const store = await image(pyramid, { unit: 'pixel' });
    const tomogram = await openTomogram(store, { fallbackVoxelSize: 10, voxelSize: 20 });
    expect(tomogram.levels.map(({ voxelSize, origin }) => [voxelSize, origin])).toEqual([
      [[10, 10, 10], { x: 0, y: 0, z: 0 }],
      [[20, 20, 20], { x: 5, y: 5, z: 5 }],
    ]);
    expect(tomogram.level).toBe(1);
  });

  it.each([
    ['angstrom', 'a wrong voxel size', { code: 'voxel-size-differs' }],
    ['pixel', 'no unit of length', undefined],
  ])('openTomogram scales all levels, so that the first has the trueVoxelSize: %s', async (unit, _, warning) => {
    const scaled = pyramid.map(([shape, scale]) => [shape, scale.map((length) => 2 * length)] as const);
    const store = await image(scaled as unknown as typeof pyramid, { unit });
    const tomogram = await openTomogram(store, { trueVoxelSize: 10, voxelSize: 20 });
    expect(tomogram.levels.map(({ voxelSize, origin }) => [voxelSize, origin])).toEqual([
      [[10, 10, 10], { x: 0, y: 0, z: 0 }],
      [[20, 20, 20], { x: 5, y: 5, z: 5 }],
    ]);
    expect(tomogram.level).toBe(1);
    expect(tomogram.warnings()).toMatchObject(warning ? [warning] : []);
    const [channel] = await openChannels(store, { trueVoxelSize: 10 });
    expect(channel!.grid.voxelSize).toEqual([10, 10, 10]);
  });

  it.each([
    [10, 10.05, 0],
    [10, 10.2, 1],
    [1, 10, 0],
  ])(
    'openTomogram compares %d Å of the metadata with a trueVoxelSize of %d Å: %i warnings',
    async (stated, given, count) => {
      const level = [
        [4, 4, 4],
        [stated, stated, stated],
      ] as const;
      const tomogram = await openTomogram(await image([level], { unit: 'angstrom' }), { trueVoxelSize: given });
      expect(tomogram.grid.voxelSize).toEqual([given, given, given]);
      expect(tomogram.warnings()).toHaveLength(count);
    },
  );

  it('a project takes the voxel spacing of the folder, and reports that', async () => {
    const store = memoryStore();
    const folder = '/ExperimentRuns/TS_1/VoxelSpacing10.000/denoised.zarr';
    await image(
      [
        [
          [4, 4, 4],
          [1, 1, 1],
        ],
      ],
      { unit: 'pixel', store: subStore(store, folder) },
    );
    const { project, told } = projectOf({ static: store });
    const tomogram = await (await project.run('TS_1')).tomogram('denoised');
    expect(tomogram.grid.voxelSize).toEqual([10, 10, 10]);
    expect(told).toEqual([
      expect.objectContaining({ message: expect.stringContaining('its voxel spacing of 10.000 Å is used') }),
    ]);
  });
});

describe('a pyramid without translations', () => {
  /** As older ome-zarr-py writes it: sizes are halved and rounded down, the scale is the ratio of the sizes. */
  const resized = (size: number, levels: number) =>
    Array.from({ length: levels }, (_, level) => {
      const own = Math.floor(size / 2 ** level);
      return [[own, own, own], [1, 1, 1].map(() => (10 * size) / own)] as const;
    });

  it.each(['<f4', '|u1', '<i2'])(
    'levels whose scale is the ratio of their sizes start half a voxel in: %s',
    async (dtype) => {
      const { levels } = await openTomogram(await image(resized(13, 3), { dtype }));
      // A volume that is resized from edge to edge keeps its outer faces: the first centre moves by half the difference.
      for (const { origin, voxelSize } of levels) expect(origin.x).toBeCloseTo((voxelSize[2] - 10) / 2, 9);
      expect(levels.map(({ origin }) => Number(origin.x.toFixed(2)))).toEqual([0, 5.83, 16.67]);
    },
  );

  it('levels may be resized along some axes only', async () => {
    const store = await image([
      [
        [5, 13, 13],
        [10, 10, 10],
      ],
      [
        [5, 6, 6],
        [10, 130 / 6, 130 / 6],
      ],
    ]);
    const { levels } = await openTomogram(store);
    expect(levels[1]!.origin.z).toBe(0);
    expect(levels[1]!.origin.y).toBeCloseTo((130 / 6 - 10) / 2, 9);
  });

  it('levels of a whole ratio start half a voxel in where they are means, and not where they are labels', async () => {
    const whole = [
      [
        [13, 13, 13],
        [10, 10, 10],
      ],
      [
        [6, 6, 6],
        [20, 20, 20],
      ],
    ] as const;
    const [means, labels] = [await image(whole), await image(whole, { dtype: '|u1' })];
    expect((await openTomogram(means)).levels[1]!.origin).toEqual({ x: 5, y: 5, z: 5 });
    expect((await openTomogram(labels)).levels[1]!.origin).toEqual({ x: 0, y: 0, z: 0 });
  });

  it('levels of another ratio stay where the metadata place them', async () => {
    const store = await image([
      [
        [13, 13, 13],
        [10, 10, 10],
      ],
      [
        [9, 9, 9],
        [17, 17, 17],
      ],
    ]);
    expect((await openTomogram(store)).levels[1]!.origin).toEqual({ x: 0, y: 0, z: 0 });
  });
});

describe('the layout of bioformats2raw', () => {
  async function layout(format: 2 | 3, images: readonly string[], series?: readonly string[]): Promise<Store> {
    const store = memoryStore();
    const attributes = { 'bioformats2raw.layout': 3 };
    const group = (ome: object) => text({ zarr_format: 3, node_type: 'group', attributes: { ome } });
    await store.set(format === 2 ? '/.zattrs' : '/zarr.json', format === 2 ? text(attributes) : group(attributes));
    if (series) {
      const listed = { series };
      await store.set(format === 2 ? '/OME/.zattrs' : '/OME/zarr.json', format === 2 ? text(listed) : group(listed));
    }
    for (const name of images) {
      const folder = subStore(store, `/${name}`);
      if (format === 2)
        await image(
          [
            [
              [2, 2, 2],
              [10, 10, 10],
            ],
          ],
          { store: folder },
        );
      else {
        await putRawArray(folder, '/0', { shape: [2, 2, 2], chunks: [2, 2, 2], value: () => 1 });
        const multiscales = [{ axes: axes('angstrom'), datasets: [dataset('0', 10, 10, 10)] }];
        await folder.set('/zarr.json', group({ version: '0.5', multiscales }));
      }
    }
    return store;
  }

  it.each([
    [2, undefined],
    [2, ['0']],
    [3, undefined],
    [3, ['0']],
  ] as const)(
    'openTomogram opens the only image, and its path names it: Zarr v%i, series %j',
    async (format, series) => {
      const tomogram = await openTomogram(await layout(format, ['0'], series));
      expect(tomogram.grid.voxelSize).toEqual([10, 10, 10]);
      expect(tomogram.levels.map(({ path }) => path)).toEqual(['0/0']);
      expect((await tomogram.read({ start: [0, 0, 0], end: [1, 1, 1] })).shape).toEqual([1, 1, 1]);
    },
  );

  it.each([
    ['counted', undefined, ['0', '1', '2']],
    ['listed', ['0', 'mask'], ['0', 'mask']],
  ] as const)('openTomogram names all images where there are several: %s', async (_, series, names) => {
    await expect(openTomogram(await layout(2, ['0', '1', '2'], series))).rejects.toMatchObject({
      code: 'unsupported',
      available: names,
      message: expect.stringMatching(
        /memory holds \d images \(layout of bioformats2raw\): "0", .*; open one of them, as subStore\(store, "\/0"\)/,
      ),
    });
  });

  it('openTomogram refuses a layout without an image, and one within another', async () => {
    await expect(openTomogram(await layout(2, []))).rejects.toMatchObject({ code: 'invalid-metadata' });
    const store = await layout(2, []);
    for (const depth of ['/0', '/0/0', '/0/0/0'])
      await store.set(`${depth}/.zattrs` as '/x', text({ 'bioformats2raw.layout': 3 }));
    await expect(openTomogram(store)).rejects.toThrow('it has the layout of bioformats2raw within the same');
  });
});

describe('a field of zarr.json that this library does not know', () => {
  const array = {
    zarr_format: 3,
    node_type: 'array',
    shape: [2, 2, 2],
    data_type: 'float32',
    chunk_grid: { name: 'regular', configuration: { chunk_shape: [2, 2, 2] } },
    chunk_key_encoding: { name: 'default' },
    fill_value: 0,
    codecs: [{ name: 'bytes', configuration: { endian: 'little' } }],
  };
  const open = (fields: object) =>
    openTomogram(memoryStore([['/zarr.json', text({ ...array, ...fields })]]), { fallbackVoxelSize: 10 });

  it.each([
    { origin: { name: 'origin', must_understand: true } },
    { origin: { name: 'origin' } },
    { origin: [1, 2, 3] },
  ])('openTomogram refuses %j', async (fields) => {
    await expect(open(fields)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('the field "origin", an extension that a reader must understand'),
    });
  });

  it.each([
    { note: { must_understand: false } },
    { consolidated_metadata: null },
    { extensions: [] },
    { dimension_names: ['z', 'y', 'x'] },
  ])('openTomogram reads on with %j', async (fields) => {
    expect((await open(fields)).grid.shape).toEqual([2, 2, 2]);
  });
});

it('openTomogram says which version to look for where a host sends its page for absent files', async () => {
  const page = new TextEncoder().encode('<!DOCTYPE html><html><body></body></html>');
  const files = memoryStore();
  await putRawArray(files, '/0', { shape: [2, 2, 2], chunks: [2, 2, 2], value: () => 1 });
  const multiscales = [{ axes: axes('angstrom'), datasets: [dataset('0', 10, 10, 10)] }];
  const ome = { version: '0.5', multiscales };
  await files.set('/zarr.json', text({ zarr_format: 3, node_type: 'group', attributes: { ome } }));
  const host = { ...files, get: async (key: `/${string}`) => (await files.get(key)) ?? page };
  await expect(openTomogram(host)).rejects.toMatchObject({
    code: 'invalid-metadata',
    message: expect.stringMatching(
      /\/\.zattrs of memory: it is a web page or XML; .* open it with \{ zarrFormat: 3 \}$/,
    ),
  });
});

describe('files of others (needs ../shared/data)', () => {
  const at = (name: string) => openStore(sharedData(`cases/ome-zarr-metadata/${name}.zarr.zip`));

  it.skipIf(sharedDataMissing)('units under another name, layouts and unknown fields are read or refused', async () => {
    expect((await openTomogram(await at('z3'))).grid.voxelSize[0]).toBeCloseTo(10.012, 9);
    for (const name of ['z15', 'z15b']) {
      const tomogram = await openTomogram(await at(name));
      expect(tomogram.levels.map(({ path, voxelSize }) => [path, voxelSize])).toEqual([['0/0', [10, 10, 10]]]);
    }
    await expect(openTomogram(await at('z19b'))).rejects.toMatchObject({ code: 'unsupported' });
    for (const name of ['z5_0', 'z5_1']) {
      await expect(openTomogram(await at(name))).rejects.toMatchObject({ code: 'invalid-metadata' });
      expect((await openTomogram(await at(name), { fallbackVoxelSize: 10 })).grid.voxelSize).toEqual([10, 10, 10]);
    }
  });
});
