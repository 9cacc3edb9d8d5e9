import { describe, expect, it } from 'vitest';
import { contentsOf, cziiObjects, volumeFormatOf } from '../../src/entry/copick.ts';
import { cziiRules } from '../../src/entry/index.ts';
import { storeOf, type Tree } from '../support/copick-tree.ts';

const config = { overlay_root: 'overlay', pickable_objects: [] };
const image = { 'ExperimentRuns/TS_1/VoxelSpacing10.000/wbp.zarr/.zattrs': {} };
const at = (folder: string, tree: Readonly<Record<string, unknown>>): Tree =>
  Object.fromEntries(Object.entries(tree).map(([key, content]) => [`${folder}/${key}` as const, content]));
const contents = (tree: Tree) => contentsOf(storeOf(tree, '/data/sample'));

describe('contentsOf', () => {
  it.each([
    ['copick.json beside other configs and its runs', { ...at('', image), '/a.json': config, '/copick.json': config }],
    ['copick.json beside volumes', { '/copick.json': config, '/a.mrc': '' }],
  ])('the project of %s is that of copick.json', async (_, tree) => {
    expect(await contents(tree)).toMatchObject({ kind: 'project', folder: '/', configKey: '/copick.json' });
  });

  it('a config of any name is found among other JSON', async () => {
    const tree = { '/a.json': '{ broken', '/b.json': [1], '/c.json': config, '/d.json': config, ...at('', image) };
    expect(await contents(tree)).toMatchObject({
      kind: 'project',
      configKey: '/c.json',
      config: { type: 'filesystem' },
    });
  });

  it('a broken copick.json is told, not passed over', async () => {
    await expect(contents({ '/copick.json': '{ broken', '/a.mrc': '' })).rejects.toMatchObject({
      code: 'invalid-config',
    });
  });

  it('runs without a config have the objects of the network of this package', async () => {
    const found = await contents(at('', image));
    expect(found).toMatchObject({ kind: 'project', folder: '/', config: { name: 'sample', objects: cziiObjects() } });
    expect(found).not.toHaveProperty('configKey');
    expect(cziiObjects().map(({ name, radius }) => [name, radius])).toEqual(
      Object.entries(cziiRules.objects).map(([name, { radius }]) => [name, radius]),
    );
  });

  it.each([
    ['with a config', { ...at('/a/p', image), '/a/p/copick.json': config }],
    ['without one', at('/a/p', image)],
  ])('a project %s is found in the only folder, as zip files have it, beside what archivers add', async (_, tree) => {
    const found = await contents({ ...tree, '/__MACOSX/._a': '', '/.DS_Store': '' });
    expect(found).toMatchObject({ kind: 'project', folder: '/a/p' });
  });

  it('volumes are found by name and OME-Zarr images by their metadata, three folders deep, hidden ones not', async () => {
    const tree = {
      '/a.mrc': '',
      '/notes.txt': '',
      '/.b.mrc': '',
      '/day1/c.rec.gz': '',
      '/day1/d.zarr/.zattrs': {},
      '/day1/e.tif/readme': '',
      '/day2/image/zarr.json': {},
      '/day2/x/f.ozx': '',
      '/day2/x/y/g.mrc': '',
    };
    expect(await contents(tree)).toEqual({
      kind: 'volumes',
      volumes: [
        { name: 'a.mrc', format: 'mrc', key: '/a.mrc' },
        { name: 'day1/c.rec.gz', format: 'mrc', key: '/day1/c.rec.gz' },
        { name: 'day1/d.zarr', format: 'ome-zarr', key: '/day1/d.zarr' },
        { name: 'day2/image', format: 'ome-zarr', key: '/day2/image' },
        { name: 'day2/x/f.ozx', format: 'zip', key: '/day2/x/f.ozx' },
      ],
    });
  });

  it('a store that is an OME-Zarr image itself is one volume of its name', async () => {
    expect(await contents({ '/.zattrs': {}, '/0/.zarray': {} })).toEqual({
      kind: 'volumes',
      volumes: [{ name: 'sample', format: 'ome-zarr', key: '/' }],
    });
  });

  it.each([{}, { '/notes.txt': '' }, { '/a/b/c/d/e.mrc': '' }])('nothing to show in %j is not-found', async (tree) => {
    await expect(contents(tree)).rejects.toMatchObject({ code: 'not-found', path: '/data/sample' });
  });
});

it('contentsOf leaves out maps of scripts and what lies in node_modules', async () => {
  const scripts = { '/a.js': '', '/a.js.map': '{}', '/node_modules/b/c.map': '', '/node_modules/b/d.mrc': '' };
  await expect(contents(scripts)).rejects.toMatchObject({ code: 'not-found' });
  expect(await contents({ ...scripts, '/density.map': '' })).toMatchObject({ volumes: [{ name: 'density.map' }] });
});

describe('volumeFormatOf', () => {
  it.each([
    ['a.zarr', 'ome-zarr'],
    ['A.OME.ZARR', 'ome-zarr'],
    ['a.ozx', 'zip'],
    ['a.zarr.zip', 'zip'],
    ['a.zip', undefined],
    ['a.mrcs', 'mrc'],
    ['a.rec.gz', 'mrc'],
    ['a.tiff', 'tiff'],
    ['a.map', 'mrc'],
    ['index.js.map', undefined],
    ['index.d.mts.map', undefined],
    ['style.css.map', undefined],
    ['mrc', undefined],
    ['', undefined],
  ])('the name %j stands for %s', (name, format) => {
    expect(volumeFormatOf(name)).toBe(format);
  });
});
