import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import {
  memoryStore,
  type NumericData,
  type Store,
  type StoreKey,
  type VolumeSource,
  type WritableDtype,
  type WriteTomogramOptions,
  writeTomogram,
  type Zyx,
} from '../../src/entry/index.ts';
import { type WriteChannelsOptions, writeChannels } from '../../src/entry/io.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { pythonMissing, runPython } from '../support/python.ts';
import { keysOf } from '../support/store-keys.ts';
import { tempDir } from '../support/temp-dir.ts';
import { noise, sourceOf } from '../support/volumes.ts';

vi.setConfig({ testTimeout: 120_000 });

const script = fileURLToPath(new URL('read_images.py', import.meta.url));
const folder = await tempDir();

const shape: Zyx = [21, 34, 45];
const voxelSize: Zyx = [10, 10, 10];
const count = voxelCount(shape);
const floats = noise(shape);
const ids = Uint32Array.from({ length: count }, (_, i) => ((i >> 4) % 3 === 0 ? 0 : 2 ** 32 - 1 - (i % 97)));
const labels = ids.map((id) => (id === 0 ? 0 : 1 + (id % 3)));

interface Found {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly bytes: string;
}

function bytesOf(...parts: readonly ArrayBufferView[]): string {
  return Buffer.concat(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength))).toString(
    'base64',
  );
}

const image = (name: string) => directoryStore(join(folder, 'images', name), { durable: false });

describe.skipIf(pythonMissing('zarr-python-3'))('zarr-python 3 (needs CRYOET_PICKS_ZARR3_PYTHON)', () => {
  const arrays: Readonly<Record<Exclude<WritableDtype, 'float16'>, ArrayBufferView & NumericData>> = {
    float32: floats,
    uint8: Uint8Array.from(ids),
    uint16: Uint16Array.from(ids),
    uint32: ids,
    int8: Int8Array.from(ids),
    int16: Int16Array.from(ids),
    int32: Int32Array.from(ids),
    uint64: Float64Array.from(ids, (id) => id * 2 ** 21),
    int64: Float64Array.from(ids, (id) => -id * 2 ** 21),
  };

  it('zarr-python 3 reads every voxel of every type, in both formats, with and without channels', async () => {
    const layout = { chunkShape: [16, 16, 16], levels: 1 } as const;
    const expected: Record<string, Found> = {};
    const asBytes = (dtype: string, data: ArrayBufferView & NumericData) =>
      dtype.endsWith('64') ? BigInt64Array.from(data as Float64Array, BigInt) : data;
    for (const format of ['zarr2', 'zarr3'] as const) {
      for (const [name, data] of Object.entries(arrays)) {
        const dtype = name as WritableDtype;
        await writeTomogram(image(`${format}-${name}`), sourceOf(data, shape), { ...layout, format, dtype });
        expected[`${format}-${name}`] = { shape, dtype, bytes: bytesOf(asBytes(name, data)) };
      }
      for (const axis of ['c', 'feature'] as const) {
        const name = `${format}-${axis}`;
        const options = { ...layout, format, axis, dtype: 'uint32' } as const;
        await writeChannels(image(name), [sourceOf(labels, shape), sourceOf(ids, shape)], options);
        expected[name] = { shape: [2, ...shape], dtype: 'uint32', bytes: bytesOf(labels, ids) };
      }
      const halves = Float32Array.from(floats, (v) => Math.round(v * 512) / 512);
      await writeTomogram(image(`${format}-float16`), sourceOf(halves, shape), { ...layout, format, dtype: 'float16' });
    }
    const { zarr, images } = JSON.parse(runPython('zarr-python-3', script, 'read', join(folder, 'images')));
    expect(zarr).toMatch(/^3\./);
    for (const [name, found] of Object.entries(expected)) expect(images[name], name).toEqual([found]);
    expect(images['zarr3-float16']).toEqual(images['zarr2-float16']);
    expect(images['zarr3-float16'][0]).toMatchObject({ dtype: 'float16', shape });
  });

  it('zarr-python 3 reads the same pyramid in both formats', async () => {
    const name = (format: string) => `pyramid-${format}`;
    for (const format of ['zarr2', 'zarr3'] as const) {
      await writeTomogram(image(name(format)), sourceOf(floats, shape), { format, chunkShape: [16, 16, 16] });
    }
    const { images } = JSON.parse(runPython('zarr-python-3', script, 'read', join(folder, 'images')));
    expect(images[name('zarr3')]).toHaveLength(3);
    expect(images[name('zarr3')]).toEqual(images[name('zarr2')]);
  });
});

describe.skipIf(pythonMissing('copick-2'))('copick 2 (needs CRYOET_PICKS_ZARR3_PYTHON with copick 2)', () => {
  it.each(['zarr2', 'zarr3'] as const)('copick 2 reads every voxel of a project written as %s', (format) =>
    expectEveryVoxel({ format, python: 'copick-2' }),
  );
});

describe.skipIf(pythonMissing('copick-1'))('copick 1 (needs CRYOET_PICKS_PYTHON or PYTHON with copick 1)', () => {
  it('copick 1 reads every voxel of a project written as zarr2', () =>
    expectEveryVoxel({ format: 'zarr2', python: 'copick-1' }));
});

interface CopickCase {
  readonly format: 'zarr2' | 'zarr3';
  readonly python: 'copick-1' | 'copick-2';
}

/** Writes an image of every kind into a copick project, and compares what copick finds in it. */
async function expectEveryVoxel({ format, python }: CopickCase): Promise<void> {
  const root = join(folder, `project-${python}-${format}`);
  const tree = join(root, 'ExperimentRuns', 'TS_1');
  mkdirSync(tree, { recursive: true });
  const config = join(root, 'copick.json');
  const pickable_objects = [1, 2, 3].map((label) => ({ name: `object-${label}`, is_particle: true, label }));
  const overlay = { overlay_root: `local://${root}`, overlay_fs_args: {} };
  writeFileSync(config, JSON.stringify({ config_type: 'filesystem', name: 'p', pickable_objects, ...overlay }));
  const at = (path: string) => directoryStore(join(tree, path), { durable: false });
  const one = (path: string, data: NumericData, options: WriteTomogramOptions) =>
    writeTomogram(at(path), sourceOf(data, shape), { format, ...options });
  const many = (path: string, data: readonly NumericData[], options: WriteChannelsOptions) =>
    writeChannels(
      at(path),
      data.map((values) => sourceOf(values, shape)),
      { format, ...options },
    );
  await one('VoxelSpacing10.000/wbp.zarr', floats, {});
  const more = floats.map((v) => v + 1);
  await many('VoxelSpacing10.000/wbp_sobel_features.zarr', [floats, more], { axis: 'feature', levels: 1 });
  await one('Segmentations/10.000_a_1_object-1.zarr', labels, { dtype: 'uint8' });
  await one('Segmentations/10.000_a_1_all-multilabel.zarr', labels, { dtype: 'uint16' });
  await one('InstanceSegmentations/10.000_a_1_object-2.zarr', ids, { dtype: 'uint32' });
  const metadata = { copick: { segmentation_type: 'panoptic', channels: ['label', 'instance'] } };
  await many('PanopticSegmentations/10.000_a_1_cell.zarr', [labels, ids], { dtype: 'uint32', metadata });

  const { copick, spacing, images } = JSON.parse(runPython(python, script, 'copick', config));
  expect(`copick-${copick.split('.')[0]}`).toBe(python);
  expect(spacing).toBe(10);
  const float = { shape, dtype: 'float32' };
  expect(Object.keys(images).sort()).toEqual(
    [
      'all multilabel',
      'cell instance',
      'cell panoptic',
      'object-1 binary',
      'object-2 instance',
      'wbp 0',
      'wbp 1',
      'wbp 2',
      'wbp sobel',
    ].sort(),
  );
  expect(images['wbp 0']).toEqual({ ...float, bytes: bytesOf(floats) });
  expect(images['wbp 2'].shape).toEqual([6, 9, 12]);
  expect(images['wbp sobel']).toEqual({ shape: [2, ...shape], dtype: 'float32', bytes: bytesOf(floats, more) });
  expect(images['object-1 binary']).toEqual({ shape, dtype: 'uint8', bytes: bytesOf(Uint8Array.from(labels)) });
  expect(images['all multilabel']).toEqual({ shape, dtype: 'uint16', bytes: bytesOf(Uint16Array.from(labels)) });
  expect(images['object-2 instance']).toEqual({ shape, dtype: 'uint32', bytes: bytesOf(ids) });
  expect(images['cell panoptic']).toEqual({ shape: [2, ...shape], dtype: 'uint32', bytes: bytesOf(labels, ids) });
  expect(images['cell instance']).toEqual({ shape, dtype: 'uint32', bytes: bytesOf(ids) });
}

describe('the files of zarr3', () => {
  interface Layout {
    readonly files: readonly string[];
    readonly documents: Readonly<Record<string, unknown>>;
  }
  const layouts: Readonly<Record<string, Layout>> = JSON.parse(
    readFileSync(new URL('../fixtures/copick2-layout.json', import.meta.url), 'utf8'),
  );

  const small = (seed: number, dtype: 'floats' | 'whole'): VolumeSource => {
    const data = Float32Array.from({ length: 210 }, (_, i) => (dtype === 'whole' ? i % 7 : Math.sin(i + seed)));
    return sourceOf(data, [5, 6, 7], { voxelSize });
  };
  const metadata = { copick: { segmentation_type: 'panoptic', channels: ['label', 'instance'] } };
  const chunks = { format: 'zarr3', chunkShape: [4, 4, 4] } as const;
  const writers: Readonly<Record<string, (store: Store) => Promise<void>>> = {
    tomogram: (store) => writeTomogram(store, small(0, 'floats'), { ...chunks, levels: 2 }),
    labels: (store) => writeTomogram(store, small(0, 'whole'), { ...chunks, dtype: 'uint8' }),
    features: (store) =>
      writeChannels(
        store,
        [0, 1, 2].map((n) => small(n, 'floats')),
        { ...chunks, axis: 'feature', levels: 1 },
      ),
    panoptic: (store) =>
      writeChannels(store, [small(0, 'whole'), small(0, 'whole')], { ...chunks, dtype: 'uint32', metadata }),
  };

  /** A document without the translations, which copick does not write. */
  function withoutTranslations(json: string): unknown {
    return JSON.parse(json, (key, value) =>
      key === 'coordinateTransformations' ? value.filter(({ type }: { type: string }) => type === 'scale') : value,
    );
  }

  it.each(Object.keys(layouts))(
    'the files of zarr3 equal those of copick 2, except for translations: %s',
    async (name) => {
      const store = memoryStore();
      await writers[name]!(store);
      expect((await keysOf(store)).sort()).toEqual([...layouts[name]!.files].sort());
      for (const [key, document] of Object.entries(layouts[name]!.documents)) {
        const json = new TextDecoder().decode(await store.get(key as StoreKey));
        expect(withoutTranslations(json), key).toEqual(document);
      }
    },
  );
});
