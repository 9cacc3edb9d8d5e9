import { describe, expect, it } from 'vitest';
import { memoryStore, type Store, type StoreKey, type VolumeSource } from '../../../src/entry/index.ts';
import { projectOf } from '../../support/copick-tree.ts';
import { keysOf } from '../../support/store-keys.ts';
import { sourceOf } from '../../support/volumes.ts';

const unread = new Error('no voxel is read');
const huge: VolumeSource = {
  grid: { shape: [1024, 1024, 1280], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } },
  read: () => Promise.reject(unread),
};
const small = sourceOf(new Float32Array(64).fill(3), [4, 4, 4]);
const corner = { start: [0, 0, 0], end: [1, 1, 1] } as const;

describe('a shard above 5 GB', () => {
  it('a shard above 5 GB is reported as a problem of the project, with the path of the image', async () => {
    const { project, told } = projectOf({});
    const run = await project.createRun('TS_1');
    await expect(run.writeTomogram(huge, { type: 'denoised', format: 'zarr3' })).rejects.toBe(unread);
    await run.writeTomogram(small, { type: 'denoised' });
    const features = { type: 'denoised', featureType: 'sobel', format: 'zarr3' } as const;
    await expect(run.writeFeatures(huge, features)).rejects.toBe(unread);
    const spacing = 'overlay/ExperimentRuns/TS_1/VoxelSpacing10.000';
    const message = expect.stringContaining('more than the 5 GB that copick recommends');
    expect(told).toMatchObject([
      { path: `${spacing}/denoised.zarr`, message },
      { path: `${spacing}/denoised_sobel_features.zarr`, message },
    ]);
  });
});

/** Leaves an image nothing of its metadata but the consolidated ones. */
async function consolidate(store: Store, folder: StoreKey): Promise<void> {
  const metadata: Record<string, unknown> = {};
  for (const key of await keysOf(store)) {
    if (!key.startsWith(`${folder}/`) || !/\/\.z[a-z]+$/.test(key)) continue;
    metadata[key.slice(folder.length + 1)] = JSON.parse(new TextDecoder().decode(await store.get(key)));
    await store.delete(key);
  }
  const text = JSON.stringify({ zarr_consolidated_format: 1, metadata });
  await store.set(`${folder}/.zmetadata`, new TextEncoder().encode(text));
}

describe('an image that has only consolidated metadata', () => {
  const me = { name: 'virus', userId: 'me', sessionId: '1' } as const;

  async function open() {
    const overlay = memoryStore();
    const { project, told } = projectOf({ overlay });
    const run = await project.createRun('TS_1');
    await run.writeTomogram(small, { type: 'denoised' });
    await run.writeFeatures([small, small], { type: 'denoised', featureType: 'sobel' });
    await run.writeSegmentation(small, me);
    return { overlay, run, told };
  }
  const spacing = '/ExperimentRuns/TS_1/VoxelSpacing10.000' as const;

  it('an image that has only consolidated metadata opens like any other', async () => {
    const { overlay, run, told } = await open();
    for (const name of ['denoised.zarr', 'denoised_sobel_features.zarr'] as const) {
      await consolidate(overlay, `${spacing}/${name}`);
    }
    await consolidate(overlay, '/ExperimentRuns/TS_1/Segmentations/10.000_me_1_virus.zarr');
    const tomogram = await run.tomogram('denoised');
    expect(tomogram.levels).toHaveLength(3);
    expect((await tomogram.read(corner)).data[0]).toBe(3);
    const channels = await (await run.features())[0]!.open();
    expect((await channels[1]!.read(corner)).data[0]).toBe(3);
    const [segmentation] = await run.segmentations();
    expect((await (await segmentation!.open()).read(corner)).data[0]).toBe(3);
    expect(told).toEqual([]);
  });

  it('an image that has only consolidated metadata is not overwritten', async () => {
    const { overlay, run } = await open();
    await consolidate(overlay, `${spacing}/denoised.zarr`);
    await expect(run.writeTomogram(small, { type: 'denoised' })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('already contains /.zmetadata'),
    });
    await run.writeTomogram(small, { type: 'denoised', overwrite: true });
    expect(await overlay.get(`${spacing}/denoised.zarr/.zmetadata`)).toBeUndefined();
    expect((await (await run.tomogram('denoised')).read(corner)).data[0]).toBe(3);
  });

  it('an image that has only consolidated metadata reports damage of them, and of its own metadata', async () => {
    const { overlay, run } = await open();
    const folder = `${spacing}/denoised.zarr` as const;
    await consolidate(overlay, folder);
    await overlay.set(`${folder}/.zmetadata`, new TextEncoder().encode('{'));
    await expect(run.tomogram('denoised')).rejects.toThrow(/\.zmetadata/);
    await overlay.set(`${folder}/.zattrs`, new TextEncoder().encode('{'));
    await expect(run.tomogram('denoised')).rejects.toThrow(/\.zattrs/);
  });
});
