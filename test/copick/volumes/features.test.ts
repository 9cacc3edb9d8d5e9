import { describe, expect, it } from 'vitest';
import { subStore, writeTomogram, type Zyx } from '../../../src/entry/index.ts';
import { openChannels } from '../../../src/entry/io.ts';
import { projectOf, storeOf, type Tree } from '../../support/copick-tree.ts';
import { sourceOf, wholeBox } from '../../support/volumes.ts';

const base = '/ExperimentRuns/TS_1';
const at10 = `${base}/VoxelSpacing10.000` as const;
const treeOf = (...names: string[]): Tree =>
  Object.fromEntries(names.map((name) => [`${base}/${name}.zarr/0/.zarray`, '{}']));
const shape: Zyx = [2, 3, 4];
const volume = (value: number, voxelSize = 10) =>
  sourceOf(new Float32Array(24).fill(value), shape, {
    voxelSize: [voxelSize, voxelSize, voxelSize],
  });

async function runWithTomogram() {
  const { project, overlay, told } = projectOf({});
  const run = await project.createRun('TS_1');
  await run.writeTomogram(volume(0), { type: 'wbp' });
  return { run, overlay, told };
}

describe('features of a run', () => {
  const tree = treeOf(
    'VoxelSpacing10.000/wbp',
    'VoxelSpacing10.000/wbp_sam_features',
    'VoxelSpacing10.000/wbp_sobel_features',
    'VoxelSpacing10.000/isonet_sam_features',
    'VoxelSpacing20.000/wbp_sam_features',
  );
  const named = (list: readonly { type: string; featureType: string; voxelSpacing: number }[]) =>
    list.map(({ type, featureType, voxelSpacing }) => `${type} ${featureType} ${voxelSpacing}`);

  it('features of a run are listed by spacing, tomogram and type, whether or not the tomogram is there, and filtered', async () => {
    const run = await projectOf({ overlay: tree }).project.run('TS_1');
    expect(named(await run.features())).toEqual(['isonet sam 10', 'wbp sam 10', 'wbp sobel 10', 'wbp sam 20']);
    expect(named(await run.features({ featureType: ['sobel', 'x'] }))).toEqual(['wbp sobel 10']);
    expect(named(await run.features({ type: 'wbp', voxelSpacing: 20.0004 }))).toEqual(['wbp sam 20']);
    expect(named(await run.features({ type: 'sam' }))).toEqual([]);
  });

  it('features of a run are those of a tomogram when listed from it', async () => {
    const run = await projectOf({ overlay: tree }).project.run('TS_1');
    const [tomogram] = await run.tomograms();
    expect(named(await tomogram!.features())).toEqual(['wbp sam 10', 'wbp sobel 10']);
    expect(named(await tomogram!.features({ featureType: 'sam' }))).toEqual(['wbp sam 10']);
  });

  it('features of a run belong to the tomogram of the longest fitting type, whichever tree it lies in', async () => {
    const overlay = treeOf('VoxelSpacing10.000/wbp_v2_sam_features', 'VoxelSpacing10.000/x_y_z_features');
    const fixed = treeOf('VoxelSpacing10/wbp', 'VoxelSpacing10.000/wbp_v2');
    const run = await projectOf({ overlay, static: fixed }).project.run('TS_1');
    expect(named(await run.features())).toEqual(['wbp_v2 sam 10', 'x y_z 10']);
    const [short, long] = await run.tomograms();
    expect(await short!.features()).toEqual([]);
    expect(await long!.features()).toHaveLength(1);
  });

  it("features of a run are the overlay's if both trees have them, and can be deleted there", async () => {
    const run = await projectOf({ overlay: tree, static: tree }).project.run('TS_1');
    const wanted = { type: 'wbp', featureType: 'sam', voxelSpacing: 10 };
    const both = await run.features({ ...wanted, includeShadowed: true });
    expect(both.map(({ root, shadowed }) => [root, shadowed])).toEqual([
      ['overlay', false],
      ['static', true],
    ]);
    await both[0]!.delete();
    const [left] = await run.features(wanted);
    expect(left).toMatchObject({ root: 'static', shadowed: false });
    await expect(left!.delete()).rejects.toMatchObject({ code: 'read-only' });
  });

  it('features of a run are listed beside a file or an unknown name, which are reported', async () => {
    const overlay = { ...tree, [`${at10}/wbp_x_features.zarr`]: 'PK', [`${at10}/x_features.zarr/0/.zarray`]: '{}' };
    const { project, told } = projectOf({ overlay });
    expect(await (await project.run('TS_1')).features()).toHaveLength(4);
    expect(told.map(({ path }) => path.slice(`overlay${at10}/`.length)).sort()).toEqual([
      'wbp_x_features.zarr',
      'x_features.zarr',
    ]);
  });

  it('features of a run use the spacing of the folder if the metadata give no voxel size, with a report', async () => {
    const overlay = storeOf(treeOf('VoxelSpacing10.000/wbp'), 'overlay');
    const key = `${at10}/wbp_sam_features.zarr` as const;
    await writeTomogram(subStore(overlay, key), volume(3), { levels: 1 });
    await overlay.delete(`${key}/.zattrs`);
    const { project, told } = projectOf({ overlay });
    const [found] = await (await project.run('TS_1')).features();
    const [feature] = await found!.open();
    expect(feature!.grid.voxelSize).toEqual([10, 10, 10]);
    expect(told).toMatchObject([{ path: found!.path, message: expect.stringContaining('10.000 Å') }]);
  });
});

describe('writeFeatures', () => {
  it.each(['zarr2', 'zarr3'] as const)(
    'writeFeatures writes one volume as a 3-D image and a list as a 4-D image, as %s',
    async (format) => {
      const { run, overlay } = await runWithTomogram();
      const one = { type: 'wbp', featureType: 'so_bel', format };
      expect(await run.writeFeatures(volume(1), one)).toBe(`overlay${at10}/wbp_so-bel_features.zarr`);
      await run.writeFeatures([volume(2), volume(3)], { type: 'wbp', featureType: 'sam', format, names: ['a', 'b'] });
      const [several, single] = await run.features();
      const values = async (entry: typeof single) =>
        Promise.all((await entry!.open()).map(async (one) => (await one.read(wholeBox(shape))).data[23]));
      expect(await values(single)).toEqual([1]);
      expect(await values(several)).toEqual([2, 3]);
      expect((await several!.open())[0]!.levels).toHaveLength(1);
      const channels = await openChannels(subStore(overlay, `${at10}/wbp_sam_features.zarr`));
      expect(channels.map(({ channel }) => channel)).toMatchObject([{ axis: 'feature' }, { axis: 'feature' }]);
    },
  );

  it('writeFeatures writes them under the spacing of a tomogram of the static tree', async () => {
    const { project } = projectOf({ static: treeOf('VoxelSpacing10/wbp') });
    const run = await project.run('TS_1');
    const path = await run.writeFeatures(volume(1, 10.012), { type: 'wbp', featureType: 'sam', voxelSpacing: 10 });
    expect(path).toBe(`overlay${at10}/wbp_sam_features.zarr`);
    const [tomogram] = await run.tomograms();
    expect(await tomogram!.features()).toHaveLength(1);
  });

  it('writeFeatures refuses features of a tomogram that does not exist, which copick would not list', async () => {
    const { run } = await runWithTomogram();
    const message = /tomogram "wbp" at voxel spacing 20.000 Å not found in run "TS_1".*available: "wbp@10.000"/;
    const refused = run.writeFeatures(volume(1, 20), { type: 'wbp', featureType: 'sam' });
    await expect(refused).rejects.toMatchObject({ code: 'not-found', message: expect.stringMatching(message) });
    expect(await run.features()).toEqual([]);
  });

  const options = { type: 'wbp', featureType: 'sam' };
  it.each([
    ['no volume', [], options, 'expected at least one feature'],
    ['names of a single volume', volume(1), { ...options, names: ['a'] }, '`names` is for a list'],
    ['volumes of two grids', [volume(1), volume(1, 10.01)], options, 'expected the same grid for all'],
    ['a name without a character', volume(1), { ...options, featureType: '__' }, 'no character'],
  ])('writeFeatures refuses %s and writes nothing', async (_, features, wrong, message) => {
    const { run } = await runWithTomogram();
    await expect(run.writeFeatures(features, wrong)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(message),
    });
    expect(await run.features()).toEqual([]);
  });

  it('writeFeatures replaces features of the same name only if told to', async () => {
    const { run } = await runWithTomogram();
    await run.writeFeatures(volume(1), options);
    await expect(run.writeFeatures([volume(2)], options)).rejects.toMatchObject({ code: 'invalid-option' });
    await run.writeFeatures([volume(2)], { ...options, overwrite: true });
    const [found] = await run.features();
    expect((await (await found!.open())[0]!.read(wholeBox(shape))).data[0]).toBe(2);
  });
});
