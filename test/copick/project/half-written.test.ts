import { describe, expect, it } from 'vitest';
import { projectOf } from '../../support/copick-tree.ts';
import { sourceOf } from '../../support/volumes.ts';

const labels = sourceOf(new Float32Array(8).fill(1), [2, 2, 2]);
const me = { userId: 'me', sessionId: '1' };

describe('an image whose writer was killed before it wrote the metadata', () => {
  const run = '/ExperimentRuns/TS_5_4';
  const half = (folder: string) => ({ [`${folder}/0/0/0/0`]: 'chunk', [`${folder}/0/0/0/1`]: 'chunk' });

  it.each([
    ['tomogram', `${run}/VoxelSpacing10.000/wbp.zarr`],
    ['segmentation', `${run}/Segmentations/10.000_me_1_virus.zarr`],
    ['density map', '/Objects/virus.zarr'],
  ])(
    'an image whose writer was killed before it wrote the metadata is not listed as a %s, but reported',
    async (what, folder) => {
      const { project, told } = projectOf({ overlay: { [`${run}/.meta`]: 'meta', ...half(folder) } });
      const found = await project.run('TS_5_4');
      expect(await found.tomograms()).toEqual([]);
      expect(await found.segmentations()).toEqual([]);
      expect(await project.objectMaps()).toEqual([]);
      const name = folder.split('/').at(-1);
      expect(told).toMatchObject([
        {
          path: `overlay${folder}`,
          message: `${what} folder "${name}" holds no metadata: its writing did not finish`,
        },
      ]);
    },
  );

  it('an image whose writer was killed before it wrote the metadata does not stop a later write to the same place', async () => {
    const { project } = projectOf({ overlay: half(`${run}/Segmentations/10.000_me_1_virus.zarr`) });
    const found = await project.createRun('TS_5_4');
    await found.writeSegmentation(labels, { ...me, name: 'virus' });
    const [segmentation] = await found.segmentations();
    const { data } = await (await segmentation!.open()).read({ start: [0, 0, 0], end: [2, 2, 2] });
    expect([...data]).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('an image whose writer was killed before it wrote the metadata hides nothing of the static tree', async () => {
    const folder = `${run}/Segmentations/10.000_me_1_virus.zarr`;
    const { project, overlay } = projectOf({});
    await (await project.createRun('TS_5_4')).writeSegmentation(labels, { ...me, name: 'virus' });
    const two = projectOf({ overlay: half(folder), static: overlay });
    const found = await (await two.project.run('TS_5_4')).segmentations();
    expect(found.map(({ root }) => root)).toEqual(['static']);
  });
});
