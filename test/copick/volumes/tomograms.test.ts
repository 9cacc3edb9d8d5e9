import { describe, expect, it } from 'vitest';
import { contiguousVolume, type Store, sourceFromArray, subStore, writeTomogram } from '../../../src/entry/index.ts';
import { failingStore, projectOf, storeOf, type Tree } from '../../support/copick-tree.ts';
import { sourceOf } from '../../support/volumes.ts';

const base = '/ExperimentRuns/TS_5_4';
/** Folders that look like tomograms to whoever only lists them. */
const treeOf = (...paths: string[]): Tree =>
  Object.fromEntries(paths.map((path) => [`${base}/${path}/0/.zarray`, '{}']));
const at10 = 'VoxelSpacing10.000';

async function runOf(trees: Parameters<typeof projectOf>[0]) {
  const { project, told } = projectOf(trees);
  return { run: await project.run('TS_5_4'), told };
}

async function listed(trees: Parameters<typeof projectOf>[0], filter = {}) {
  const { run } = await runOf(trees);
  return (await run.tomograms(filter)).map(({ type, voxelSpacing, root }) => [type, voxelSpacing, root]);
}

/** A store with a tomogram whose voxel size is not what its folder says, as in the competition. */
async function withTomogram(path: string, value: number, voxelSize = 10.012444): Promise<Store> {
  const store = storeOf({}, 'overlay');
  const volume = contiguousVolume(new Float32Array(24).fill(value), [2, 3, 4]);
  const source = sourceFromArray(volume, { voxelSize: [voxelSize, voxelSize, voxelSize] });
  await writeTomogram(subStore(store, `/ExperimentRuns/TS_5_4/${path}`), source);
  return store;
}

describe('tomograms of a run', () => {
  it('tomograms of a run are listed by spacing and type from both trees, and the overlay takes precedence', async () => {
    const overlay = treeOf(`${at10}/denoised.zarr`, 'VoxelSpacing5.000/wbp.zarr');
    const fixed = treeOf(`${at10}/wbp.zarr`, `${at10}/denoised.zarr`);
    expect(await listed({ overlay, static: fixed })).toEqual([
      ['wbp', 5, 'overlay'],
      ['denoised', 10, 'overlay'],
      ['wbp', 10, 'static'],
    ]);
    expect(await listed({ overlay, static: fixed }, { includeShadowed: true, type: 'denoised' })).toEqual([
      ['denoised', 10, 'overlay'],
      ['denoised', 10, 'static'],
    ]);
  });

  it('tomograms of a run are listed once if static and overlay are the same root', async () => {
    const store = storeOf(treeOf(`${at10}/wbp.zarr`));
    expect(await listed({ overlay: store, static: store }, { includeShadowed: true })).toHaveLength(1);
  });

  it('tomograms of a run do not include features, but may be named after them', async () => {
    const overlay = treeOf(`${at10}/wbp.zarr`, `${at10}/wbp_sam_features.zarr`, `${at10}/no-features.zarr`);
    expect((await listed({ overlay })).map(([type]) => type)).toEqual(['no-features', 'wbp']);
  });

  it('tomograms of a run are the same in folders whose names round to one label', async () => {
    const overlay = treeOf('VoxelSpacing10/wbp.zarr', `${at10}/wbp.zarr`);
    expect(await listed({ overlay })).toHaveLength(1);
    expect(await listed({ overlay }, { includeShadowed: true })).toHaveLength(2);
  });

  it('tomograms of a run are not hidden by an empty folder, which copick makes before it writes', async () => {
    const overlay = { [`${base}/${at10}/wbp.zarr/.zgroup`]: '{}' };
    const { run, told } = await runOf({ overlay, static: treeOf(`${at10}/wbp.zarr`) });
    expect(await run.tomograms()).toMatchObject([{ type: 'wbp', root: 'static' }]);
    expect(told).toEqual([expect.objectContaining({ path: `overlay${base}/${at10}/wbp.zarr` })]);
    expect(await listed({ overlay })).toEqual([['wbp', 10, 'overlay']]);
    expect(await listed({ overlay, static: overlay })).toEqual([['wbp', 10, 'overlay']]);
  });

  it('tomograms of a run are listed beside folders and files of unknown names, which are reported', async () => {
    const overlay = {
      ...treeOf(`${at10}/wbp.zarr`, 'VoxelSpacingXYZ/wbp.zarr', 'VoxelSpacing/wbp.zarr', `${at10}/x_features.zarr`),
      [`${base}/${at10}/zip.zarr`]: 'PK',
      [`${base}/${at10}/wbp.mrc`]: '',
      [`${base}/${at10}/.meta`]: 'meta',
      [`${base}/Notes/a.txt`]: '',
    };
    const { run, told } = await runOf({ overlay });
    for (let i = 0; i < 2; i++) expect(await run.tomograms()).toMatchObject([{ type: 'wbp' }]);
    expect(told.map(({ path }) => path.slice(`overlay${base}/`.length)).sort()).toEqual(
      ['VoxelSpacing', `${at10}/x_features.zarr`, `${at10}/zip.zarr`, 'VoxelSpacingXYZ'].sort(),
    );
  });

  it('tomograms of a run are listed although another folder cannot be', async () => {
    const store = storeOf(treeOf(`${at10}/wbp.zarr`, 'VoxelSpacing20.000/wbp.zarr'), 'overlay');
    const overlay = failingStore(store, (call, key) => call === 'list' && key.endsWith(at10));
    const { run, told } = await runOf({ overlay });
    expect(await run.tomograms()).toMatchObject([{ voxelSpacing: 20 }]);
    expect(told).toMatchObject([{ path: `overlay${base}/${at10}`, message: `disk on fire at ${base}/${at10}` }]);
  });

  it.each([
    [10, 10],
    [10.0004, 10],
    [10.012, 10.012],
    [10.012444, 10.012],
    [13.4804, 13.48],
    [20.0245, 20.0249],
    [20.0241, 20.0249],
    [10.0011, undefined],
    [15, undefined],
  ])('tomograms of a run at %d Å are those of the folder of %j', async (voxelSpacing, expected) => {
    const spacings = ['10.000', '10.012', '13.480', '20.0249'];
    const overlay = treeOf(...spacings.map((spacing) => `VoxelSpacing${spacing}/wbp.zarr`));
    const found = await listed({ overlay }, { voxelSpacing });
    expect(found).toEqual(expected === undefined ? [] : [['wbp', expected, 'overlay']]);
  });
});

describe('Run.tomogram', () => {
  it('Run.tomogram opens by the label of the folder and takes the voxel size from the metadata', async () => {
    const { run } = await runOf({ overlay: await withTomogram(`${at10}/denoised.zarr`, 5) });
    const tomogram = await run.tomogram('denoised', { voxelSpacing: 10 });
    expect(tomogram.grid).toMatchObject({ shape: [2, 3, 4], voxelSize: [10.012444, 10.012444, 10.012444] });
    expect((await tomogram.read({ start: [0, 0, 0], end: [1, 1, 1] })).data[0]).toBe(5);
  });

  it('Run.tomogram needs no voxel spacing if there is only one, and selects the level', async () => {
    const { run } = await runOf({ overlay: await withTomogram(`${at10}/denoised.zarr`, 5) });
    expect((await run.tomogram('denoised', { level: 1 })).grid.shape).toEqual([1, 2, 2]);
    expect((await run.tomogram('denoised', { voxelSize: 40 })).level).toBe(2);
  });

  it('Run.tomogram uses the voxel spacing of the folder if the metadata give no voxel size', async () => {
    const array = {
      zarr_format: 2,
      shape: [2, 2, 2],
      chunks: [2, 2, 2],
      dtype: '<f4',
      compressor: null,
      fill_value: 0,
      order: 'C',
      filters: null,
    };
    const store = storeOf({
      [`${base}/VoxelSpacing7.840/wbp.zarr/0/.zarray`]: array,
      [`${base}/VoxelSpacing7.840/wbp.zarr/.zgroup`]: { zarr_format: 2 },
    });
    const { run } = await runOf({ overlay: store });
    expect((await run.tomogram('wbp')).grid.voxelSize).toEqual([7.84, 7.84, 7.84]);
  });

  const overlay = treeOf(`${at10}/wbp.zarr`, `${at10}/denoised.zarr`, 'VoxelSpacing20.000/wbp.zarr');
  it.each([
    [
      'several spacings',
      'wbp',
      {},
      'invalid-option',
      'tomogram "wbp" of run "TS_5_4" exists at the voxel spacings 10.000, 20.000 Å; choose one with the option voxelSpacing',
    ],
    [
      'a type that is nowhere',
      'isonet',
      {},
      'not-found',
      'tomogram "isonet" not found in run "TS_5_4"; available: "denoised@10.000", "wbp@10.000", "wbp@20.000"',
    ],
    [
      'a type with its spacing in one word',
      'wbp@10',
      {},
      'not-found',
      'tomogram "wbp@10" not found in run "TS_5_4"; available: "denoised@10.000", "wbp@10.000", "wbp@20.000"; ' +
        'give the voxel spacing by the option voxelSpacing',
    ],
    [
      'a type that is not at this spacing',
      'denoised',
      { voxelSpacing: 20 },
      'not-found',
      'tomogram "denoised" not found in run "TS_5_4" at voxel spacing 20.000 Å; available: "wbp"',
    ],
    [
      'a spacing that is not there',
      'wbp',
      { voxelSpacing: 10.012 },
      'not-found',
      'tomogram "wbp" not found in run "TS_5_4" at voxel spacing 10.012 Å; available: "denoised@10.000", "wbp@10.000", "wbp@20.000"',
    ],
    [
      'a spacing of 0',
      'wbp',
      { voxelSpacing: 0 },
      'invalid-option',
      'run.tomogram: voxelSpacing must be a positive length in Å, found 0',
    ],
  ])('Run.tomogram lists what is available when asked for %s', async (_, type, options, code, message) => {
    const { run } = await runOf({ overlay });
    await expect(run.tomogram(type, options)).rejects.toEqual(expect.objectContaining({ code, message }));
  });

  it('Run.tomogram reports that a run has none', async () => {
    const { run } = await runOf({ overlay: { [`${base}/.meta`]: '' } });
    await expect(run.tomogram('wbp')).rejects.toMatchObject({
      message: expect.stringMatching(/not found in run "TS_5_4", in .*\/ExperimentRuns\/TS_5_4; available: none/),
      path: expect.stringMatching(/\/ExperimentRuns\/TS_5_4$/),
    });
  });

  it('Run.tomogram throws for a tomogram without metadata that was asked for', async () => {
    const { run } = await runOf({ overlay: treeOf(`${at10}/wbp.zarr`) });
    await expect(run.tomogram('wbp')).rejects.toMatchObject({ name: 'CryoetPicksError' });
  });
});

describe('segmentations of a run', () => {
  const me = { userId: 'my_user', sessionId: '1' };
  const labels = sourceOf(
    Uint8Array.from({ length: 24 }, (_, i) => i % 4),
    [2, 3, 4],
  );

  it('segmentations of a run are written into the overlay as copick names them, and read back voxel by voxel', async () => {
    const { project } = projectOf({});
    const run = await project.createRun('TS_5_4');
    const path = await run.writeSegmentation(labels, { ...me, name: 'all cells', kind: 'multilabel' });
    expect(path).toBe(`overlay${base}/Segmentations/10.000_my-user_1_all-cells-multilabel.zarr`);
    const [found] = await run.segmentations(me);
    expect(found).toMatchObject({ name: 'all-cells', userId: 'my-user', voxelSpacing: 10, kind: 'multilabel' });
    const read = await (await found!.open()).read({ start: [0, 0, 0], end: [2, 3, 4] });
    expect(Array.from({ length: 24 }, (_, i) => i % 4)).toEqual([...read.data]);
  });

  it.each(['mem-multilabel', 'mem_multilabel'])(
    'segmentations of a run refuse the name "%s", which would read back as another',
    async (name) => {
      const { project } = projectOf({});
      const run = await project.createRun('TS_5_4');
      for (const kind of ['binary', 'multilabel'] as const) {
        await expect(run.writeSegmentation(labels, { ...me, name, kind })).rejects.toMatchObject({
          code: 'invalid-option',
          message: expect.stringMatching(/cannot end in "-multilabel".*kind: 'multilabel'/),
        });
      }
      expect(await run.segmentations()).toEqual([]);
      await run.writeSegmentation(labels, { ...me, name: 'multilabel-mem' });
      expect(await run.segmentations()).toMatchObject([{ name: 'multilabel-mem', kind: 'binary' }]);
    },
  );

  it('segmentations of a run replace one of the same name only with overwrite', async () => {
    const { project } = projectOf({});
    const run = await project.createRun('TS_5_4');
    await run.writeSegmentation(labels, { ...me, name: 'cell' });
    await expect(run.writeSegmentation(labels, { ...me, name: 'cell' })).rejects.toMatchObject({
      code: 'invalid-option',
    });
    await run.writeSegmentation(labels, { ...me, name: 'cell', overwrite: true });
    expect(await run.segmentations()).toHaveLength(1);
  });

  it('segmentations of a run can be filtered, the overlay takes precedence, and unknown names are reported', async () => {
    const names = ['10.000_a_1_cell', '10.000_a_1_cell-multilabel', '20.000_b_2_cell_wall', 'x_a_1_cell'];
    const folders = names.map((name) => `Segmentations/${name}.zarr`);
    const { run, told } = await runOf({
      overlay: treeOf(...folders.slice(1)),
      static: treeOf(folders[0]!, folders[1]!),
    });
    expect(await run.segmentations()).toMatchObject([
      { name: 'cell', kind: 'binary', root: 'static' },
      { name: 'cell', kind: 'multilabel', root: 'overlay' },
      { name: 'cell_wall', voxelSpacing: 20 },
    ]);
    expect(await run.segmentations({ includeShadowed: true })).toHaveLength(4);
    expect(await run.segmentations({ voxelSpacing: 10, kind: 'binary' })).toHaveLength(1);
    expect(await run.segmentations({ userId: 'b', name: 'cell' })).toEqual([]);
    expect(told).toMatchObject([{ message: '"x_a_1_cell.zarr" is not the name of a segmentation' }]);
  });
});
