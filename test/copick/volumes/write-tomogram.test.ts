import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { subStore, writeTomogram, type Zyx } from '../../../src/entry/index.ts';
import { directoryStore } from '../../../src/entry/node.ts';
import { failingStore, projectOf, storeOf } from '../../support/copick-tree.ts';
import { withTempDir } from '../../support/temp-dir.ts';
import { sourceOf, wholeBox } from '../../support/volumes.ts';

const base = '/ExperimentRuns/TS_1';
const at10 = `${base}/VoxelSpacing10.000` as const;
const shape: Zyx = [5, 6, 7];
const volume = (value: number, voxelSize: Zyx = [10, 10, 10]) =>
  sourceOf(new Float32Array(210).fill(value), shape, { voxelSize });

describe('writeTomogram', () => {
  it.each(['zarr2', 'zarr3'] as const)(
    'writeTomogram writes a pyramid under the voxel size, as copick does, as %s',
    async (format) => {
      const { project, overlay } = projectOf({});
      const run = await project.createRun('TS_1');
      expect(await run.writeTomogram(volume(1), { type: 'wb_p', format })).toBe(`overlay${at10}/wb-p.zarr`);
      expect(new TextDecoder().decode(await overlay.get(`${at10}/.meta`))).toBe('meta');
      const [found] = await run.tomograms();
      expect(found).toMatchObject({ type: 'wb-p', voxelSpacing: 10, root: 'overlay' });
      const opened = await found!.open();
      expect(opened.levels.map((level) => level.shape)).toEqual([
        [5, 6, 7],
        [3, 3, 4],
        [2, 2, 2],
      ]);
      expect((await opened.read(wholeBox(shape))).data[209]).toBe(1);
      await found!.delete();
      expect(await run.tomograms()).toEqual([]);
      expect(await run.voxelSpacings()).toHaveLength(1);
    },
  );

  it('writeTomogram keeps the true voxel size under a rounded label, as in the competition', async () => {
    const { project } = projectOf({});
    const run = await project.createRun('TS_1');
    const exact: Zyx = [10.012444196428572, 10.012444196428572, 10.012444537618887];
    expect(await run.writeTomogram(volume(1, exact), { type: 'wbp', voxelSpacing: 10 })).toContain(
      'VoxelSpacing10.000',
    );
    expect(await run.writeTomogram(volume(1, exact), { type: 'wbp' })).toContain('VoxelSpacing10.012');
    const opened = await run.tomogram('wbp', { voxelSpacing: 10 });
    expect(opened.grid.voxelSize).toEqual(exact);
  });

  it.each([
    ['voxels that are not cubes', [10, 10, 10.011], {}, 'voxels of 10×10×10.011 Å cannot be stored'],
    ['a label more than 1 % off', [10, 10, 10], { voxelSpacing: 10.11 }, 'voxelSpacing 10.110 Å does not fit voxels'],
    [
      'a label that is not a length',
      [10, 10, 10],
      { voxelSpacing: -1 },
      'run.writeTomogram: voxelSpacing must be a positive length in Å, found -1',
    ],
    [
      'a voxel size that is not a length',
      [Number.NaN, 10, 10],
      {},
      'three lengths above 0 in Å, [z, y, x], found [NaN, 10, 10]',
    ],
    ['a type that copick hides', [10, 10, 10], { type: 'no-features' }, 'cannot contain "features"'],
    ['a type of a hidden folder', [10, 10, 10], { type: '..' }, 'names that begin with a dot are hidden'],
    ['a type without a character', [10, 10, 10], { type: '_' }, 'no character'],
  ])('writeTomogram refuses %s and writes nothing', async (_, voxelSize, options, message) => {
    const { project } = projectOf({});
    const run = await project.createRun('TS_1');
    const sound = volume(1);
    // A source of others may have any grid; one of an array is checked where it is made.
    const source = { ...sound, grid: { ...sound.grid, voxelSize: voxelSize as unknown as Zyx } };
    const refused = run.writeTomogram(source, { type: 'wbp', ...options });
    await expect(refused).rejects.toMatchObject({ code: 'invalid-option', message: expect.stringContaining(message) });
    expect(await run.voxelSpacings()).toEqual([]);
  });

  it('writeTomogram accepts edges within 0.1 % and labels within 1 %', async () => {
    const { project } = projectOf({});
    const run = await project.createRun('TS_1');
    await run.writeTomogram(volume(1, [10, 10, 10.009]), { type: 'wbp', voxelSpacing: 10.1 });
    expect(await run.tomograms()).toMatchObject([{ voxelSpacing: 10.1 }]);
  });

  it('writeTomogram replaces one of the same name only with overwrite, and fills the empty group that copick 2 makes', async () => {
    const group = { zarr_format: 3, node_type: 'group', attributes: {} };
    const { project } = projectOf({ overlay: { [`${at10}/wbp.zarr/zarr.json`]: group } });
    const run = await project.run('TS_1');
    await run.writeTomogram(volume(1), { type: 'wbp' });
    await expect(run.writeTomogram(volume(2), { type: 'wbp' })).rejects.toMatchObject({ code: 'invalid-option' });
    expect((await (await run.tomogram('wbp')).read(wholeBox(shape))).data[0]).toBe(1);
    await run.writeTomogram(volume(2), { type: 'wbp', overwrite: true, format: 'zarr3' });
    expect((await (await run.tomogram('wbp')).read(wholeBox(shape))).data[0]).toBe(2);
  });

  it.each([
    ['a group with attributes', { zarr_format: 3, node_type: 'group', attributes: { mine: 1 } }],
    ['an array', { zarr_format: 3, node_type: 'array' }],
    ['what is no JSON', '{'],
  ])('writeTomogram does not take %s for an empty group', async (_, content) => {
    const { project } = projectOf({ overlay: { [`${at10}/wbp.zarr/zarr.json`]: content } });
    const run = await project.run('TS_1');
    await expect(run.writeTomogram(volume(1), { type: 'wbp' })).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it('writeTomogram keeps the features of the tomogram that it replaces', async () => {
    const { project } = projectOf({});
    const run = await project.createRun('TS_1');
    await run.writeTomogram(volume(1), { type: 'wbp' });
    await run.writeFeatures(volume(1), { type: 'wbp', featureType: 'sam' });
    await run.writeTomogram(volume(2), { type: 'wbp', overwrite: true });
    expect(await run.features()).toHaveLength(1);
  });

  it('writeTomogram leaves no partial tomogram if the disk fails', async () => {
    const store = storeOf({ [`${base}/.meta`]: 'meta' }, 'overlay');
    const overlay = failingStore(store, (call, key) => call === 'set' && key.endsWith('/1/.zarray'));
    const run = await projectOf({ overlay }).project.run('TS_1');
    await expect(run.writeTomogram(volume(1), { type: 'wbp' })).rejects.toThrow('disk on fire');
    expect(await run.voxelSpacings()).toEqual([]);
  });
});

describe('a tomogram', () => {
  it('a tomogram without a voxel size in its metadata gets that of its folder, with a report', async () => {
    const overlay = storeOf({}, 'overlay');
    await writeTomogram(subStore(overlay, `${at10}/wbp.zarr`), volume(1), { levels: 1 });
    await overlay.delete(`${at10}/wbp.zarr/.zattrs`);
    const { project, told } = projectOf({ overlay });
    const run = await project.run('TS_1');
    expect((await run.tomogram('wbp', { fallbackVoxelSize: 9.99 })).grid.voxelSize[0]).toBe(9.99);
    expect(told).toEqual([]);
    expect((await run.tomogram('wbp')).grid.voxelSize).toEqual([10, 10, 10]);
    expect(told).toMatchObject([
      {
        path: `overlay${at10}/wbp.zarr`,
        message: 'the metadata of "wbp.zarr" give no voxel size; its voxel spacing of 10.000 Å is used',
      },
    ]);
  });

  it('a tomogram that is an empty folder, as copick 1 makes it, is listed, and throws when it is opened', async () => {
    await withTempDir(async (root) => {
      await mkdir(join(root, `${at10}/wbp.zarr`), { recursive: true });
      const { project, told } = projectOf({ overlay: directoryStore(root) });
      const run = await project.run('TS_1');
      const [found] = await run.tomograms();
      expect(found).toMatchObject({ type: 'wbp' });
      await expect(found!.open()).rejects.toMatchObject({
        code: 'not-found',
        message: expect.stringMatching(/it is empty or absent/),
      });
      await run.writeTomogram(volume(1), { type: 'wbp' });
      expect((await found!.open()).grid.shape).toEqual(shape);
      expect(told).toEqual([]);
    });
  });
});

describe('an aborted signal', () => {
  const signal = AbortSignal.abort('stop');
  const labels = sourceOf(new Uint8Array(210), shape);
  const me = { userId: 'me', sessionId: '0', name: 'cell', signal };
  const { project, overlay, told } = projectOf({ overlay: { [`${base}/.meta`]: 'meta' } });
  const run = project.run('TS_1');

  it.each<[string, () => Promise<unknown>]>([
    ['features', async () => (await run).features({ signal })],
    ['objectMaps', () => project.objectMaps({ signal })],
    ['writeTomogram', async () => (await run).writeTomogram(labels, { type: 'wbp', signal })],
    ['writeFeatures', async () => (await run).writeFeatures(labels, { type: 'wbp', featureType: 'sam', signal })],
    ['writeObjectMap', () => project.writeObjectMap(labels, { object: 'virus', signal })],
    ['writeSegmentation', async () => (await run).writeSegmentation({ label: labels, instance: labels }, me)],
  ])('an aborted signal rejects %s with its reason, reports nothing and writes nothing', async (_, call) => {
    await expect(call()).rejects.toBe('stop');
    expect(told).toEqual([]);
    expect(await overlay.list('/')).toHaveLength(1);
    expect(await overlay.list(base)).toEqual([{ name: '.meta', kind: 'file' }]);
  });
});
