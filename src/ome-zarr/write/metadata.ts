import { ITEM_BYTES } from '../../codecs/number-type.ts';
import { CryoetPicksError } from '../../core/errors.ts';
import type { StoreKey } from '../../storage/store.ts';
import { channelsPerShard, ZSTD_LEVEL } from './chunk-sinks.ts';
import { isWholeType, type WritableDtype, type WritePlan, ZARR2_TYPES } from './plan.ts';

/** The minimum and maximum of the finite voxels of a channel. */
export interface ValueRange {
  readonly minimum: number;
  readonly maximum: number;
}

/**
 * Returns the metadata files of an image in the order of writing: the file that makes it an image comes last.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the metadata are not JSON.
 */
export function metadataOf(plan: WritePlan, ranges: readonly ValueRange[] = []): [StoreKey, Uint8Array][] {
  const omero = omeroOf(plan, ranges);
  const files = plan.format === 'zarr2' ? filesOfZarr2(plan, omero) : filesOfZarr3(plan, omero);
  return files.map(([key, json]) => [key, encodeJson(json)]);
}

function filesOfZarr2(plan: WritePlan, omero: object): [StoreKey, object][] {
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
  return [...arrays, ['/.zgroup', { zarr_format: 2 }], ['/.zattrs', { multiscales, ...omero }]];
}

/** The codecs around the voxels, and those of the shards' indexes, as copick 2 writes them. */
function codecsOf(dtype: WritableDtype): object[] {
  const bytes = ITEM_BYTES[dtype] === 1 ? { name: 'bytes' } : LITTLE_ENDIAN;
  const zstd = { name: 'zstd', configuration: { level: ZSTD_LEVEL, checksum: false } };
  if (isWholeType(dtype)) return [bytes, zstd];
  return [bytes, { name: 'numcodecs.shuffle', configuration: { elementsize: ITEM_BYTES[dtype] } }, zstd];
}

const LITTLE_ENDIAN = { name: 'bytes', configuration: { endian: 'little' } };

function filesOfZarr3(plan: WritePlan, omero: object): [StoreKey, object][] {
  const { pyramid, channels, dtype } = plan;
  const { name, axes, datasets, metadata } = multiscaleOf(plan);
  const arrays = pyramid.levels.map(({ grid, chunk, chunks }, level): [StoreKey, object] => {
    const shard = chunk.map((extent, i) => extent * chunks[i]!);
    const configuration = {
      chunk_shape: channels ? [1, ...chunk] : chunk,
      codecs: codecsOf(dtype),
      index_codecs: [LITTLE_ENDIAN, { name: 'crc32c' }],
      index_location: 'end',
    };
    const array = {
      zarr_format: 3,
      node_type: 'array',
      shape: channels ? [channels.count, ...grid.shape] : grid.shape,
      data_type: dtype,
      chunk_grid: {
        name: 'regular',
        configuration: { chunk_shape: channels ? [channelsPerShard(plan), ...shard] : shard },
      },
      chunk_key_encoding: { name: 'v2', configuration: { separator: '/' } },
      fill_value: 0,
      codecs: [{ name: 'sharding_indexed', configuration }],
      attributes: {},
      dimension_names: axes.map((axis) => axis.name),
      storage_transformers: [],
    };
    return [`/${level}/zarr.json`, array];
  });
  const multiscales = [{ name, axes, datasets, ...(metadata && { metadata }) }];
  const group = { zarr_format: 3, node_type: 'group', attributes: { ome: { version: '0.5', multiscales, ...omero } } };
  return [...arrays, ['/zarr.json', group]];
}

/** Channel names for viewers, in `omero`; OME-Zarr requires a colour and a range of values with each. */
function omeroOf({ channels }: WritePlan, ranges: readonly ValueRange[]): object {
  if (!channels?.names) return {};
  const described = channels.names.map((label, i) => {
    const { minimum: min, maximum: max } = ranges[i] ?? { minimum: 0, maximum: 0 };
    return { label, color: 'FFFFFF', active: true, window: { min, max, start: min, end: max } };
  });
  return { omero: { channels: described } };
}

function multiscaleOf({ pyramid, channels, name, metadata }: WritePlan) {
  const space = ['z', 'y', 'x'].map((axis) => ({ name: axis, type: 'space', unit: 'angstrom' }));
  // As copick writes them: OME-Zarr has a type for channels, but none for features.
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
