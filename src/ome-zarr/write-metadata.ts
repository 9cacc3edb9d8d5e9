import { CryoetPicksError } from '../errors.ts';
import type { StoreKey } from '../storage/store.ts';
import type { WritePlan } from './write-plan.ts';
import { ZARR2_TYPES } from './written-type.ts';

/**
 * The metadata files of an image, in the order in which they are written: what makes it an image comes last.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for metadata that are no JSON.
 */
export function metadataOf(plan: WritePlan): [StoreKey, Uint8Array][] {
  return filesOfZarr2(plan).map(([key, json]) => [key, encodeJson(json)]);
}

function filesOfZarr2(plan: WritePlan): [StoreKey, object][] {
  const { pyramid, channels, dtype } = plan;
  const arrays = pyramid.levels.map(({ grid, chunk }, level): [StoreKey, object] => [
    `/${level}/.zarray`,
    {
      zarr_format: 2,
      shape: channels ? [channels.count, ...grid.shape] : grid.shape,
      chunks: channels ? [1, ...chunk] : chunk,
      dtype: ZARR2_TYPES[dtype],
      compressor: { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1, blocksize: 0 },
      fill_value: 0,
      filters: null,
      order: 'C',
      dimension_separator: '/',
    },
  ]);
  const { name, axes, datasets, metadata = {} } = multiscaleOf(plan);
  const multiscales = [{ version: '0.4', name, axes, datasets, metadata }];
  return [...arrays, ['/.zgroup', { zarr_format: 2 }], ['/.zattrs', { multiscales }]];
}

function multiscaleOf({ pyramid, channels, name, metadata }: WritePlan) {
  const space = ['z', 'y', 'x'].map((axis) => ({ name: axis, type: 'space', unit: 'angstrom' }));
  // As copick writes them: OME-Zarr has a type for channels and none for features.
  const first = channels?.axis === 'c' ? { name: 'c', type: 'channel' } : { name: 'feature' };
  const datasets = pyramid.levels.map(({ grid: { voxelSize, origin } }, level) => ({
    path: String(level),
    coordinateTransformations: [
      { type: 'scale', scale: channels ? [1, ...voxelSize] : voxelSize },
      { type: 'translation', translation: [...(channels ? [0] : []), origin.z, origin.y, origin.x] },
    ],
  }));
  return { name, axes: channels ? [first, ...space] : space, datasets, metadata };
}

function encodeJson(json: object): Uint8Array {
  try {
    return new TextEncoder().encode(JSON.stringify(json, undefined, 2));
  } catch (cause) {
    throw new CryoetPicksError('invalid-option', `metadata cannot be written as JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
}
