import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { folderOf, type Kind, parseName, pathOf, sanitizeName } from '../../../src/copick/layout.ts';

const name = fc
  .string({ minLength: 1, maxLength: 12 })
  .filter((text) => /[^-\s_<>:"/\\|?*.]/.test(text))
  .map((text) => `n${sanitizeName(text)}`);
const run = fc.constantFrom('TS_5_4', 'TS 1', 'a.b', 'Ünit');
// Whole thousandths that are no ties: their label says them exactly.
const voxelSpacing = fc.integer({ min: 1, max: 99_999 }).map((thousandths) => Number(`${thousandths}e-3`));
const authored = { run, userId: name, sessionId: name };

const identities: { readonly [K in Kind]: fc.Arbitrary<Parameters<typeof pathOf<K>>[1]> } = {
  object: fc.record({ object: name }),
  run: fc.record({ run }),
  spacing: fc.record({ run, voxelSpacing }),
  tomogram: fc.record({ run, voxelSpacing, type: name }),
  features: fc.record({ run, voxelSpacing, type: name, featureType: name }),
  picks: fc.record({ ...authored, object: name }),
  mesh: fc.record({ ...authored, object: name }),
  filaments: fc.record({ ...authored, object: name }),
  segmentation: fc.record({ ...authored, voxelSpacing, name, multilabel: fc.boolean() }),
  instanceSegmentation: fc.record({ ...authored, voxelSpacing, name }),
  panopticSegmentation: fc.record({ ...authored, voxelSpacing, name }),
};

describe('layout', () => {
  it.each(Object.keys(identities) as Kind[])('layout reads back every path of a %s that it writes', (kind) => {
    fc.assert(
      fc.property(identities[kind] as fc.Arbitrary<never>, (identity) => {
        const path = pathOf(kind, identity);
        const folder = folderOf(kind, identity);
        expect(path.startsWith(`${folder}/`)).toBe(true);
        expect(identity).toMatchObject(parseName(kind, path.slice(folder.length + 1))!);
      }),
    );
  });

  it.each([
    ['object', { object: 'ribosome' }, '/Objects/ribosome.zarr'],
    ['run', { run: 'TS_5_4' }, '/ExperimentRuns/TS_5_4'],
    ['spacing', { run: 'TS_5_4', voxelSpacing: 10 }, '/ExperimentRuns/TS_5_4/VoxelSpacing10.000'],
    ['tomogram', { run: 'r', voxelSpacing: 10.012444, type: 'wbp' }, '/ExperimentRuns/r/VoxelSpacing10.012/wbp.zarr'],
    [
      'features',
      { run: 'r', voxelSpacing: 10, type: 'wbp', featureType: 'sam' },
      '/ExperimentRuns/r/VoxelSpacing10.000/wbp_sam_features.zarr',
    ],
    ['picks', { run: 'r', userId: 'u', sessionId: '0', object: 'o' }, '/ExperimentRuns/r/Picks/u_0_o.json'],
    ['mesh', { run: 'r', userId: 'u', sessionId: '0', object: 'o' }, '/ExperimentRuns/r/Meshes/u_0_o.glb'],
    ['filaments', { run: 'r', userId: 'u', sessionId: '0', object: 'o' }, '/ExperimentRuns/r/Filaments/u_0_o.json'],
    [
      'segmentation',
      { run: 'r', voxelSpacing: 10, userId: 'u', sessionId: '0', name: 'cell', multilabel: true },
      '/ExperimentRuns/r/Segmentations/10.000_u_0_cell-multilabel.zarr',
    ],
    [
      'instanceSegmentation',
      { run: 'r', voxelSpacing: 10, userId: 'u', sessionId: '0', name: 'cell' },
      '/ExperimentRuns/r/InstanceSegmentations/10.000_u_0_cell.zarr',
    ],
    [
      'panopticSegmentation',
      { run: 'r', voxelSpacing: 10, userId: 'u', sessionId: '0', name: 'cell' },
      '/ExperimentRuns/r/PanopticSegmentations/10.000_u_0_cell.zarr',
    ],
  ] as const)('layout writes the path of a %s as copick does', (kind, identity, path) => {
    expect(pathOf(kind as Kind, identity as never)).toBe(path);
  });

  it.each([
    ['picks', 'curation_0_apo_ferritin.json', { userId: 'curation', sessionId: '0', object: 'apo_ferritin' }],
    ['tomogram', 'denoised_v2.zarr', { type: 'denoised_v2' }],
    ['tomogram', 'no-features.zarr', { type: 'no-features' }],
    ['features', 'wbp_sam_2_features.zarr', { type: 'wbp', featureType: 'sam_2' }],
    ['spacing', 'VoxelSpacing10', { voxelSpacing: 10 }],
    [
      'segmentation',
      '10.000_u_0_multilabel-test_2.zarr',
      { voxelSpacing: 10, userId: 'u', sessionId: '0', name: 'multilabel-test_2', multilabel: false },
    ],
    [
      'segmentation',
      '10.000_test.user_123_painting-multilabel.zarr',
      { voxelSpacing: 10, userId: 'test.user', sessionId: '123', name: 'painting', multilabel: true },
    ],
  ] as const)('layout reads the unusual %s name %s', (kind, file, expected) => {
    expect(parseName(kind as Kind, file)).toEqual(expected);
  });

  it.each([
    ['picks', 'ribosome.json'],
    ['picks', 'curation_ribosome.json'],
    ['picks', '_0_ribosome.json'],
    ['picks', 'curation__ribosome.json'],
    ['picks', 'curation_0_.json'],
    ['picks', '.curation_0_ribosome.json'],
    ['picks', 'curation_0_ribosome.json.bak'],
    ['run', '.DS_Store'],
    ['spacing', 'VoxelSpacing'],
    ['spacing', 'VoxelSpacingXYZ'],
    ['spacing', 'VoxelSpacing0.000'],
    ['spacing', 'VoxelSpacing-10.000'],
    ['spacing', 'VoxelSpacingNaN'],
    ['spacing', 'VoxelSpacing1e1'],
    ['spacing', 'Picks'],
    ['tomogram', 'denoised.mrc'],
    ['tomogram', 'wbp_sam_features.zarr'],
    ['tomogram', '.zarr'],
    ['features', 'wbp_features.zarr'],
    ['segmentation', '10.000_u_0.zarr'],
    ['segmentation', 'x_u_0_cell.zarr'],
    ['mesh', 'u_0.glb'],
    ['filaments', 'u_0.json'],
  ] as const)('layout does not read as a %s: %s', (kind, file) => {
    expect(parseName(kind, file)).toBeUndefined();
  });
});
