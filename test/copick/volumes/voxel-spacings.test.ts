import { describe, expect, it } from 'vitest';
import { failingStore, projectOf, storeOf } from '../../support/copick-tree.ts';

const meta = (name: string) => ({ [`/ExperimentRuns/TS_1/${name}/.meta`]: 'meta' });
const place = '/ExperimentRuns/TS_1';

describe('voxelSpacings', () => {
  it('voxelSpacings lists those of both trees, each label once, the smallest first', async () => {
    const { project, told } = projectOf({
      overlay: { ...meta('VoxelSpacing20.000'), ...meta('VoxelSpacing7.840') },
      static: { ...meta('VoxelSpacing10.012'), ...meta('VoxelSpacing20'), ...meta('Picks') },
    });
    const run = await project.run('TS_1');
    expect((await run.voxelSpacings()).map(({ voxelSpacing, root }) => [voxelSpacing, root])).toEqual([
      [7.84, 'overlay'],
      [10.012, 'static'],
      [20, 'overlay'],
    ]);
    const shadowed = (await run.voxelSpacings({ includeShadowed: true })).filter((one) => one.shadowed);
    expect(shadowed.map(({ path }) => path)).toEqual([`static${place}/VoxelSpacing20`]);
    expect(told).toEqual([]);
  });

  it('voxelSpacings reports a folder whose name is not a number', async () => {
    const { project, told } = projectOf({ overlay: { ...meta('VoxelSpacingXYZ'), ...meta('VoxelSpacing10.000') } });
    expect(await (await project.run('TS_1')).voxelSpacings()).toHaveLength(1);
    expect(told.map(({ path }) => path)).toEqual([`overlay${place}/VoxelSpacingXYZ`]);
  });

  it('voxelSpacings lists one tree if the other cannot be', async () => {
    const broken = failingStore(storeOf(meta('VoxelSpacing10.000'), 'static'), (_, key) => key === place);
    const { project, told } = projectOf({ overlay: meta('VoxelSpacing20.000'), static: broken });
    expect(await (await project.run('TS_1')).voxelSpacings()).toMatchObject([{ voxelSpacing: 20 }]);
    expect(told).toMatchObject([{ path: `static${place}`, message: `disk on fire at ${place}` }]);
  });

  it('voxelSpacings deletes one with its tomograms, from the overlay only', async () => {
    const { project, overlay } = projectOf({
      overlay: { ...meta('VoxelSpacing10.000'), [`${place}/VoxelSpacing10.000/wbp.zarr/.zattrs`]: {} },
      static: meta('VoxelSpacing20.000'),
    });
    const [mine, fixed] = await (await project.run('TS_1')).voxelSpacings();
    await expect(fixed!.delete()).rejects.toMatchObject({ code: 'read-only' });
    await mine!.delete();
    expect(await overlay.list(place)).toEqual([]);
  });
});

describe('createVoxelSpacing', () => {
  it("createVoxelSpacing makes the folder in the overlay, with copick's file, named by three decimals", async () => {
    const { project, overlay } = projectOf({ static: meta('Picks') });
    const run = await project.run('TS_1');
    const made = await run.createVoxelSpacing(10.0124442);
    const path = `overlay${place}/VoxelSpacing10.012`;
    expect(made).toMatchObject({ voxelSpacing: 10.012, root: 'overlay', shadowed: false, path });
    expect(new TextDecoder().decode(await overlay.get(`${place}/VoxelSpacing10.012/.meta`))).toBe('meta');
    expect(await run.voxelSpacings()).toMatchObject([{ voxelSpacing: 10.012, path }]);
    await made.delete();
    expect(await run.voxelSpacings()).toEqual([]);
  });

  it('createVoxelSpacing returns an existing one, and writes nothing', async () => {
    const { project, overlay } = projectOf({ static: meta('VoxelSpacing10.000') });
    const found = await (await project.run('TS_1')).createVoxelSpacing(10.0002);
    expect(found).toMatchObject({ voxelSpacing: 10, root: 'static' });
    expect(await overlay.list('/')).toEqual([]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 0.0001])('createVoxelSpacing refuses %d Å', async (spacing) => {
    const { project, overlay } = projectOf({ static: meta('Picks') });
    const made = (await project.run('TS_1')).createVoxelSpacing(spacing);
    await expect(made).rejects.toMatchObject({ code: 'invalid-option' });
    expect(await overlay.list('/')).toEqual([]);
  });

  it('createVoxelSpacing rejects with the reason of an aborted signal and writes nothing', async () => {
    const { project, overlay, told } = projectOf({ static: meta('Picks') });
    const run = await project.run('TS_1');
    const signal = AbortSignal.abort('stop');
    await expect(run.createVoxelSpacing(10, { signal })).rejects.toBe('stop');
    await expect(run.voxelSpacings({ signal })).rejects.toBe('stop');
    expect(told).toEqual([]);
    expect(await overlay.list('/')).toEqual([]);
  });
});
