import { describe, expect, it } from 'vitest';
import { parseConfig, projectFromStores } from '../../../src/entry/copick.ts';
import type { Zyx } from '../../../src/entry/index.ts';
import { storeOf, type Tree } from '../../support/copick-tree.ts';
import { sourceOf, wholeBox } from '../../support/volumes.ts';

const shape: Zyx = [2, 3, 4];
const map = (value: number, voxelSize: Zyx = [3.5, 3.5, 3.5]) =>
  sourceOf(new Float32Array(24).fill(value), shape, { voxelSize });
const treeOf = (...names: string[]): Tree =>
  Object.fromEntries(names.map((name) => [`/Objects/${name}.zarr/0/.zarray`, '{}']));

const config = parseConfig(
  JSON.stringify({
    pickable_objects: [
      { name: 'virus', is_particle: true, label: 1 },
      { name: 'ribosome', is_particle: true, label: 2 },
      { name: 'membrane', is_particle: false, label: 3 },
    ],
    overlay_root: 'overlay',
  }),
  { source: 'copick.json' },
);

function projectOver(overlayTree: Tree, staticTree?: Tree) {
  const overlay = storeOf(overlayTree, 'overlay');
  const project = projectFromStores({ config, overlay, static: staticTree && storeOf(staticTree, 'static') });
  return { project, overlay };
}

describe('density maps', () => {
  it('density maps are listed by object and filtered, and the overlay takes precedence', async () => {
    const { project } = projectOver(treeOf('ribosome'), treeOf('ribosome', 'virus'));
    const listed = async (filter = {}) => (await project.objectMaps(filter)).map(({ object, root }) => [object, root]);
    expect(await listed()).toEqual([
      ['ribosome', 'overlay'],
      ['virus', 'static'],
    ]);
    expect(await listed({ object: 'ribosome', includeShadowed: true })).toEqual([
      ['ribosome', 'overlay'],
      ['ribosome', 'static'],
    ]);
  });

  it("density maps are those of the project's particles; others, and files, are reported", async () => {
    const { project } = projectOver({
      ...treeOf('membrane', 'actin'),
      '/Objects/virus.zarr': 'PK',
      '/Objects/a.mrc': '',
    });
    expect(await project.objectMaps()).toEqual([]);
    expect(project.problems.map(({ message }) => message).sort()).toEqual([
      'density map "actin.zarr" belongs to an object that the project does not have',
      'density map "membrane.zarr" belongs to an object that is not a particle',
      'density map "virus.zarr" is a file, expected a folder',
    ]);
  });

  it('density maps are not listed for folders without an array, which copick 1 makes when asked for a map', async () => {
    const { project } = projectOver({ '/Objects/virus.zarr/zarr.json': '{}', '/Objects/ribosome.zarr/.zgroup': '{}' });
    expect(await project.objectMaps({ includeShadowed: true })).toEqual([]);
    expect(project.problems).toEqual([]);
  });

  it.each(['zarr2', 'zarr3'] as const)('density maps are written, read and deleted, as %s', async (format) => {
    const { project } = projectOver({});
    expect(await project.writeObjectMap(map(1), { object: 'ribosome', format })).toBe('overlay/Objects/ribosome.zarr');
    await expect(project.writeObjectMap(map(2), { object: 'ribosome', format })).rejects.toMatchObject({
      code: 'invalid-option',
    });
    await project.writeObjectMap(map(2), { object: 'ribosome', format, overwrite: true });
    const [found] = await project.objectMaps();
    const opened = await found!.open();
    expect(opened.levels).toMatchObject([{ dtype: 'float32', voxelSize: [3.5, 3.5, 3.5] }]);
    expect((await opened.read(wholeBox(shape))).data[0]).toBe(2);
    await found!.delete();
    expect(await project.objectMaps()).toEqual([]);
  });

  it('density maps need a voxel size if the metadata give none', async () => {
    const { project, overlay } = projectOver({});
    await project.writeObjectMap(map(1), { object: 'virus' });
    await overlay.delete('/Objects/virus.zarr/.zattrs');
    const [found] = await project.objectMaps();
    await expect(found!.open()).rejects.toMatchObject({
      code: 'invalid-metadata',
      message: expect.stringMatching(/fallbackVoxelSize/),
    });
    expect((await found!.open({ fallbackVoxelSize: 4 })).grid.voxelSize).toEqual([4, 4, 4]);
  });

  it.each([
    ['an object that is not there', map(1), 'actin', 'not-found', 'available: "virus", "ribosome", "membrane"'],
    ['one that is not a particle', map(1), 'membrane', 'invalid-option', 'is not a particle'],
    ['voxels that are not cubes', map(1, [3.5, 3.5, 3.6]), 'virus', 'invalid-option', '3.5×3.5×3.6 Å'],
  ])('density maps are refused for %s', async (_, source, object, code, message) => {
    const { project, overlay } = projectOver({});
    await expect(project.writeObjectMap(source, { object })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    expect(await overlay.list('/')).toEqual([]);
  });
});
