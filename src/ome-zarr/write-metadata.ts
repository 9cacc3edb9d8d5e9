import type { StoreKey } from '../storage/store.ts';
import type { Pyramid } from './pyramid.ts';

/** The types of numbers that are written. */
export type WrittenType = 'float32' | 'uint8' | 'uint16';

const ZARR_TYPES: Readonly<Record<WrittenType, string>> = { float32: '<f4', uint8: '|u1', uint16: '<u2' };

/** The metadata files of an OME-Zarr 0.4 image, in the order in which they are written: what makes it an image comes last. */
export function metadataOf(
  { levels }: Pyramid,
  { dtype, name }: { readonly dtype: WrittenType; readonly name: string },
): [StoreKey, Uint8Array][] {
  const arrays = levels.map(({ grid, chunk }, level): [StoreKey, object] => [
    `/${level}/.zarray`,
    {
      zarr_format: 2,
      shape: grid.shape,
      chunks: chunk,
      dtype: ZARR_TYPES[dtype],
      compressor: { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1, blocksize: 0 },
      fill_value: 0,
      filters: null,
      order: 'C',
      dimension_separator: '/',
    },
  ]);
  const axes = ['z', 'y', 'x'].map((axis) => ({ name: axis, type: 'space', unit: 'angstrom' }));
  const datasets = levels.map(({ grid: { voxelSize, origin } }, level) => ({
    path: String(level),
    coordinateTransformations: [
      { type: 'scale', scale: voxelSize },
      { type: 'translation', translation: [origin.z, origin.y, origin.x] },
    ],
  }));
  const multiscales = [{ version: '0.4', name, axes, datasets, metadata: {} }];
  const files: [StoreKey, object][] = [...arrays, ['/.zgroup', { zarr_format: 2 }], ['/.zattrs', { multiscales }]];
  return files.map(([key, json]) => [key, encodeJson(json)]);
}

function encodeJson(json: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(json, undefined, 2));
}
