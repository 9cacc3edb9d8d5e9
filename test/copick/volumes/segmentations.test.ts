import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SegmentationKind } from '../../../src/entry/copick.ts';
import { type NumericData, type Store, subStore, writeTomogram, type Zyx } from '../../../src/entry/index.ts';
import { failingStore, projectOf, storeOf, type Tree } from '../../support/copick-tree.ts';
import { sourceOf, wholeBox } from '../../support/volumes.ts';

const base = '/ExperimentRuns/TS_1';
const shape: Zyx = [2, 3, 4];
const me = { userId: 'me', sessionId: '1' };

const volume = (data: NumericData, voxelSize: Zyx = [10, 10, 10]) => sourceOf(data, shape, { voxelSize });
const filled = (...values: number[]) => Float64Array.from({ length: 24 }, (_, i) => values[i % values.length]!);

async function emptyRun() {
  const { project, overlay, told } = projectOf({});
  return { run: await project.createRun('TS_1'), overlay, told };
}

async function dtypeOf(store: Store, folder: string, name: string): Promise<string> {
  const bytes = await store.get(`${base}/${folder}/${name}/0/.zarray` as `/${string}`);
  return JSON.parse(new TextDecoder().decode(bytes)).dtype;
}

describe('segmentations of four kinds', () => {
  const names = {
    binary: 'Segmentations/10.000_a_1_cell.zarr',
    multilabel: 'Segmentations/10.000_a_1_cell-multilabel.zarr',
    instance: 'InstanceSegmentations/10.000_a_1_cell.zarr',
    panoptic: 'PanopticSegmentations/10.000_a_1_cell.zarr',
  };
  const tree: Tree = Object.fromEntries(Object.values(names).map((name) => [`${base}/${name}/0/.zarray`, '{}']));

  it('segmentations of four kinds are listed with their kind, and filtered by it', async () => {
    const run = await projectOf({ overlay: tree }).project.run('TS_1');
    const kinds = async (filter: object) => (await run.segmentations(filter)).map(({ kind }) => kind);
    expect(await kinds({})).toEqual(['binary', 'instance', 'multilabel', 'panoptic']);
    for (const kind of Object.keys(names)) expect(await kinds({ kind })).toEqual([kind]);
    expect(await kinds({ kind: ['panoptic', 'binary'] })).toEqual(['binary', 'panoptic']);
    await expect(run.segmentations({ multilabel: true } as object)).rejects.toMatchObject({ code: 'invalid-option' });
    const listed = await run.segmentations();
    expect(listed.map(({ path }) => path.slice(`overlay${base}/`.length)).sort()).toEqual(Object.values(names).sort());
  });

  it('segmentations of four kinds are listed although the folder of another kind cannot be', async () => {
    const overlay = failingStore(
      storeOf(tree, 'overlay'),
      (call, key) => call === 'list' && key.endsWith('/Segmentations'),
    );
    const { project, told } = projectOf({ overlay });
    const run = await project.run('TS_1');
    expect((await run.segmentations()).map(({ kind }) => kind)).toEqual(['instance', 'panoptic']);
    expect(told).toMatchObject([{ path: `overlay${base}/Segmentations` }]);
    await expect(run.segmentations({ kind: 'binary' })).rejects.toThrow('disk on fire');
  });

  it('segmentations of four kinds can be deleted from the overlay, never from the static tree', async () => {
    const { project } = projectOf({ overlay: tree, static: tree });
    const run = await project.run('TS_1');
    for (const one of await run.segmentations()) await one.delete();
    const left = await run.segmentations({ includeShadowed: true });
    expect(left.map(({ root }) => root)).toEqual(['static', 'static', 'static', 'static']);
    await expect(left[0]!.delete()).rejects.toMatchObject({ code: 'read-only' });
  });

  it('segmentations of four kinds are not hidden by an empty folder, which copick makes before it writes', async () => {
    const { project, told } = projectOf({ overlay: { [`${base}/${names.binary}/zarr.json`]: '{}' }, static: tree });
    const run = await project.run('TS_1');
    expect(await run.segmentations({ kind: 'binary' })).toMatchObject([{ root: 'static' }]);
    expect(told).toHaveLength(1);
  });
});

describe('writeSegmentation', () => {
  it.each<[SegmentationKind, number, string, string]>([
    ['binary', 1, 'Segmentations', '|u1'],
    ['multilabel', 255, 'Segmentations', '|u1'],
    ['multilabel', 256, 'Segmentations', '<u2'],
    ['instance', 1, 'InstanceSegmentations', '<u2'],
    ['instance', 65_535, 'InstanceSegmentations', '<u2'],
    ['instance', 65_536, 'InstanceSegmentations', '<u4'],
    ['instance', 2 ** 32 - 1, 'InstanceSegmentations', '<u4'],
    ['instance', 2 ** 32, 'InstanceSegmentations', '<u8'],
  ])(
    'writeSegmentation takes the smallest type of a %s segmentation that holds %d, as copick does',
    async (kind, label, folder, dtype) => {
      const { run, overlay } = await emptyRun();
      const path = await run.writeSegmentation(volume(filled(0, label)), { ...me, name: 'virus', kind });
      const name = `10.000_me_1_virus${kind === 'multilabel' ? '-multilabel' : ''}.zarr`;
      expect(path).toBe(`overlay${base}/${folder}/${name}`);
      expect(await dtypeOf(overlay, folder, name)).toBe(dtype);
      const [found] = await run.segmentations({ kind });
      const { data } = await (await found!.open()).read(wholeBox(shape), { exact: true });
      expect([...data]).toEqual([...filled(0, label)]);
    },
  );

  it('writeSegmentation keeps every label up to 2^53 − 1', async () => {
    const label = fc.oneof(fc.nat(300), fc.nat(70_000), fc.maxSafeNat());
    await fc.assert(
      fc.asyncProperty(fc.array(label, { minLength: 24, maxLength: 24 }), async (values) => {
        const { run } = await emptyRun();
        await run.writeSegmentation(volume(values), { ...me, name: 'virus', kind: 'instance' });
        const [found] = await run.segmentations();
        const { data } = await (await found!.open()).read(wholeBox(shape), { exact: true });
        expect([...data]).toEqual(values);
      }),
      { numRuns: 20 },
    );
  });

  it('writeSegmentation writes a panoptic segmentation as two channels, each of which opens as a volume', async () => {
    const { run, overlay } = await emptyRun();
    const labels = filled(0, 1, 2);
    const instances = filled(0, 7, 70_000);
    await run.writeSegmentation({ label: volume(labels), instance: volume(instances) }, { ...me, name: 'cell' });
    const [found] = await run.segmentations();
    expect(found).toMatchObject({ kind: 'panoptic', name: 'cell' });
    for (const [channel, expected] of [
      ['label', labels],
      ['instance', instances],
    ] as const) {
      const opened = await found!.open({ channel });
      expect(opened.grid).toMatchObject({ shape, voxelSize: [10, 10, 10] });
      expect([...(await opened.read(wholeBox(shape))).data]).toEqual([...expected]);
    }
    const attributes = await overlay.get(`${base}/PanopticSegmentations/10.000_me_1_cell.zarr/.zattrs`);
    expect(JSON.parse(new TextDecoder().decode(attributes)).multiscales[0].metadata).toEqual({
      copick: { segmentation_type: 'panoptic', channels: ['label', 'instance'] },
    });
  });

  const pair = (labels: NumericData, instances: NumericData) => ({
    label: volume(labels),
    instance: volume(instances),
  });
  const sparse = (value: number) => filled(0).fill(value, 17, 18);
  it.each([
    ['a fraction', volume(sparse(0.5)), {}, 'voxel (1, 1, 1) holds 0.5, expected labels'],
    ['a negative label', volume(sparse(-1)), {}, 'holds -1'],
    ['a label that is not a number', volume(sparse(Number.NaN)), {}, 'holds NaN'],
    ['an infinite label', volume(sparse(Infinity)), {}, 'holds Infinity'],
    ['a label beyond 2^53', volume(sparse(2 ** 53)), {}, 'holds 9007199254740992'],
    ['a label too large for the type', volume(sparse(256)), { dtype: 'uint8' }, 'label 256 does not fit uint8'],
    ['a type of no labels', volume(sparse(1)), { dtype: 'float32' }, 'dtype is "float32", expected one of uint8'],
    ['an unknown kind', volume(sparse(1)), { kind: 'semantic' }, 'kind is "semantic", expected one of binary'],
    ['one volume as panoptic', volume(sparse(1)), { kind: 'panoptic' }, 'two volumes, { label, instance }, found one'],
    ['two volumes as binary', pair(sparse(1), sparse(1)), { kind: 'binary' }, 'is one volume, found two'],
    [
      'a label of no object',
      pair(sparse(4), sparse(1)),
      {},
      'has the label 4, which no object of the project has; available: 1, 2, 3',
    ],
    ['an instance of nothing', pair(filled(0), sparse(9)), {}, 'voxel (1, 1, 1) is background but has instance 9'],
    [
      'channels of two shapes',
      { label: volume(filled(0)), instance: sourceOf(new Uint8Array(1), [1, 1, 1], { voxelSize: [1, 1, 1] }) },
      {},
      'the labels are 2×3×4 voxels and the instances 1×1×1',
    ],
    ['voxels that are not cubes', volume(sparse(1), [10, 10, 10.02]), {}, 'voxels of 10×10×10.02 Å'],
    [
      'a label that names another spacing',
      volume(sparse(1)),
      { voxelSpacing: 10.2 },
      '10.200 Å does not fit voxels of',
    ],
  ])('writeSegmentation refuses %s, and keeps the old segmentation', async (_, labels, options, message) => {
    const { run, overlay } = await emptyRun();
    const old = { ...me, name: 'cell' };
    await run.writeSegmentation(volume(filled(0, 1)), old);
    await run.writeSegmentation(pair(filled(0, 1), filled(0, 5)), old);
    const before = await keysOf(overlay);
    const refused = run.writeSegmentation(labels, { ...old, overwrite: true, ...(options as object) });
    await expect(refused).rejects.toMatchObject({ code: 'invalid-option', message: expect.stringContaining(message) });
    expect(await keysOf(overlay)).toEqual(before);
  });

  it.each(['zarr2', 'zarr3'] as const)(
    'writeSegmentation replaces one of the same name only with overwrite, as %s',
    async (format) => {
      const { run } = await emptyRun();
      const options = { ...me, name: 'cell', kind: 'instance', format } as const;
      await run.writeSegmentation(volume(filled(1)), options);
      await expect(run.writeSegmentation(volume(filled(2)), options)).rejects.toMatchObject({ code: 'invalid-option' });
      await run.writeSegmentation(volume(filled(3)), { ...options, overwrite: true });
      const [found] = await run.segmentations();
      expect((await (await found!.open()).read(wholeBox(shape))).data[0]).toBe(3);
    },
  );
});

describe('opening a segmentation', () => {
  it('opening a segmentation refuses to round a label, and gives it by readExact', async () => {
    const { run } = await emptyRun();
    await run.writeSegmentation(volume(filled(0, 2 ** 24, 2 ** 24 + 1)), { ...me, name: 'virus', kind: 'instance' });
    const [found] = await run.segmentations();
    const opened = await found!.open();
    const first = await opened.read({ start: [0, 0, 0], end: [1, 1, 2] });
    expect([...first.data]).toEqual([0, 2 ** 24]);
    await expect(opened.read(wholeBox(shape))).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/label 16777217 of ".*virus\.zarr" would be rounded to float32.*exact: true/),
    });
    expect((await opened.read(wholeBox(shape), { exact: true })).data[2]).toBe(2 ** 24 + 1);
  });

  it('opening a segmentation of float64 refuses to round a label, and reads other values unchanged', async () => {
    const overlay = storeOf({}, 'overlay');
    const image = subStore(overlay, `${base}/Segmentations/10.000_a_1_cell.zarr`);
    await writeTomogram(image, volume(filled(1)), { dtype: 'uint64', chunkShape: shape });
    const json = JSON.parse(new TextDecoder().decode(await image.get('/0/.zarray')));
    const raw = { ...json, dtype: '<f8', compressor: null };
    await image.set('/0/.zarray', new TextEncoder().encode(JSON.stringify(raw)));
    const open = async (values: Float64Array) => {
      await image.set('/0/0/0/0', new Uint8Array(values.buffer));
      const [found] = await (await projectOf({ overlay }).project.run('TS_1')).segmentations();
      return (await found!.open()).read(wholeBox(shape));
    };
    expect((await open(filled(0.1, Number.NaN))).data.slice(0, 2)).toEqual(Float32Array.of(0.1, Number.NaN));
    await expect(open(filled(2 ** 24 + 1))).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('opening a segmentation requires a channel for a panoptic one only', async () => {
    const { run } = await emptyRun();
    await run.writeSegmentation({ label: volume(filled(1)), instance: volume(filled(1)) }, { ...me, name: 'cell' });
    await run.writeSegmentation(volume(filled(1)), { ...me, name: 'cell' });
    const [binary, panoptic] = await run.segmentations();
    const invalid = (message: string) => ({ code: 'invalid-option', message: expect.stringContaining(message) });
    await expect(panoptic!.open()).rejects.toMatchObject(invalid('expected channel "label" or "instance", found none'));
    await expect(panoptic!.open({ channel: 'ids' as 'label' })).rejects.toMatchObject(invalid('found "ids"'));
    await expect(binary!.open({ channel: 'label' })).rejects.toMatchObject(
      invalid('expected no channel, found "label"'),
    );
  });

  it('opening a segmentation refuses a panoptic one without two channels', async () => {
    const overlay = storeOf({}, 'overlay');
    await writeTomogram(subStore(overlay, `${base}/PanopticSegmentations/10.000_a_1_cell.zarr`), volume(filled(1)));
    const run = await projectOf({ overlay }).project.run('TS_1');
    const [found] = await run.segmentations();
    await expect(found!.open({ channel: 'label' })).rejects.toMatchObject({
      code: 'invalid-metadata',
      message: expect.stringContaining('has 1 channels, expected two'),
    });
  });

  it('opening a segmentation uses the spacing of the name if the metadata give no voxel size, with a report', async () => {
    const overlay = storeOf({}, 'overlay');
    const key = `${base}/Segmentations/10.000_a_1_cell.zarr` as const;
    await writeTomogram(subStore(overlay, key), volume(filled(1)), { dtype: 'uint8' });
    await overlay.delete(`${key}/.zattrs`);
    const { project, told } = projectOf({ overlay });
    const [found] = await (await project.run('TS_1')).segmentations();
    expect((await found!.open()).grid.voxelSize).toEqual([10, 10, 10]);
    expect(told).toMatchObject([{ path: found!.path, message: expect.stringContaining('10.000 Å') }]);
    await found!.open({ fallbackVoxelSize: 5 });
    expect(told).toHaveLength(1);
  });
});

async function keysOf(store: Store, folder: `/${string}` = '/'): Promise<string[]> {
  const found: string[] = [];
  for (const { name, kind } of await store.list(folder)) {
    const key = `${folder === '/' ? '' : folder}/${name}` as const;
    if (kind === 'folder') found.push(...(await keysOf(store, key)));
    else found.push(key);
  }
  return found;
}
