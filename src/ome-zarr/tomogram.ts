import type { NumberType } from '../codecs/number-type.ts';
import {
  abortSignal,
  anything,
  bound,
  count,
  describeValue,
  isFields,
  optional,
  positiveLength,
  type RulesFor,
  requireOptions,
  url,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError, withMessage } from '../core/errors.ts';
import { formatZyx, type Point, type Zyx } from '../space/grid.ts';
import { assertStore, type ReadableStore } from '../storage/store.ts';
import { ChunkCache, defaultCacheBytes } from './chunk-cache.ts';
import type { ChunkCounts } from './chunk-record.ts';
import { checkDecodeWorkers } from './decode-pool.ts';
import type { DecodeWorkersOptions } from './decode-task.ts';
import { type LevelSource, levelSource } from './level-source.ts';
import { type BrokenLevel, isOpened, type OpenedLevel, openLevels } from './levels.ts';
import type { ChannelNames } from './metadata.ts';

/** One resolution level of a tomogram. */
export interface TomogramLevel {
  /** Index in the metadata; level 0 is listed first, and is the finest of a valid image. */
  readonly index: number;
  /** Folder of its array inside the store. */
  readonly path: string;
  readonly shape: Zyx;
  /** Edge lengths of a voxel along z, y, x, in Å. */
  readonly voxelSize: Zyx;
  /** Position of the centre of voxel (0, 0, 0), in Å. */
  readonly origin: Point;
  /** Shape of the chunks that are decoded as a whole; it may be larger than the level. */
  readonly chunkShape: Zyx;
  /** Type of the voxels in the store; `read` gives them as float32, with `exact: true` as float64 where float32 would round. */
  readonly dtype: NumberType;
}

/** A tomogram in a store, read at one of its resolution levels. */
export interface Tomogram extends LevelSource {
  /** The levels that can be read, without those that are absent or broken. */
  readonly levels: readonly TomogramLevel[];
  /** Index of the level that is read. */
  readonly level: number;
  /** Counts of the chunks read so far; all channels of an image share them, and each warns of its own. */
  readonly chunks: ChunkCounts;
}

/** Options of {@link openTomogram}. */
export interface OpenTomogramOptions {
  /** Which level to read. @defaultValue 0, the one listed first */
  readonly level?: number | undefined;
  /** Read the level whose voxel size, in Å, is closest to this by ratio; instead of `level`. */
  readonly voxelSize?: number | undefined;
  /** Voxel size of the first level in Å if the metadata give none, as in stores without `multiscales` or with the unit `pixel`. */
  readonly fallbackVoxelSize?: number | undefined;
  /**
   * Voxel size of the first level in Å, instead of what the metadata say: the other levels and all origins are scaled alike. More than
   * 1 % off, the tomogram warns.
   */
  readonly trueVoxelSize?: number | undefined;
  /**
   * Look only for files of this Zarr format, which saves requests for those of the other.
   * @defaultValue both, first that of the image's own metadata
   */
  readonly zarrFormat?: 2 | 3 | undefined;
  /**
   * Bytes of decoded chunks to keep for later reads. @defaultValue two layers of chunks across the longest axis, 128 to 256 MiB
   */
  readonly cacheBytes?: number | undefined;
  /** The threads that decode chunks. @defaultValue as many as cores, at most 4 */
  readonly decodeWorkers?: DecodeWorkersOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens an OME-Zarr image, version 0.4 (Zarr v2) or 0.5 (Zarr v3, also sharded), as a source of float32 voxels.
 *
 * Axes may be in any order; they are found by name, and lengths are converted to Å. `read` fetches only the chunks that overlap
 * the box, a few at a time, and keeps decoded chunks for later reads. A chunk that is missing from the store is the fill value,
 * and a warning; one that was there when it was read before, or whose array has vanished, is `corrupt-data`.
 * Every integer and float type can be read, and bool.
 *
 * If the metadata give no translation at all, as those of copick 1, a coarse level of floats is taken for means over k voxels of
 * the first level, so its origin is shifted by (k − 1) / 2 of them. Levels of integers are not shifted: labels are not averaged. A
 * level of any type whose scale is the ratio of the sizes, and not whole, is shifted too: older ome-zarr-py resizes so.
 *
 * Of a folder in the layout of bioformats2raw, the only image is opened; the paths of its levels name it.
 *
 * Float32 holds integers up to 2^24 exactly; `read(box, { exact: true })` gives labels beyond that. `openChannels` of
 * `cryoet-picks/io` opens an image with channels, features or times.
 *
 * @param store - The store of the image; its root is the folder named `….zarr`.
 * @throws {@link CryoetPicksError} `invalid-metadata`; `not-found` if the level does not exist; `unsupported` if it is not a
 * single volume or has an unknown codec, and for a folder of several images. The message lists the other levels that can be read. `read` throws `corrupt-data`
 * naming store, array and chunk.
 * @example
 * ```ts
 * const tomogram = await openTomogram(httpStore('https://example.org/denoised.zarr'), { voxelSize: 10 });
 * const corner = await tomogram.read({ start: [0, 0, 0], end: [32, 64, 64] });
 * ```
 */
export async function openTomogram(store: ReadableStore, options: OpenTomogramOptions = {}): Promise<Tomogram> {
  requireOptions('openTomogram', options, openRules);
  const { level, levels, cache, warnings } = await chooseLevel(store, options, { hasChannels: false });
  return { ...levelSource(level, { cache, warnings }), levels, level: level.index, chunks: level.array.chunks };
}

/** What the options of opening an image must be. */
export const openRules: RulesFor<OpenTomogramOptions> = {
  level: /* @__PURE__ */ optional(count),
  voxelSize: anything,
  fallbackVoxelSize: anything,
  trueVoxelSize: anything,
  zarrFormat: anything,
  cacheBytes: anything,
  decodeWorkers: {
    expected: '{ count, script }',
    isValid: (value) => value === undefined || isFields(value),
    fields: { script: /* @__PURE__ */ optional(url) },
  },
  signal: /* @__PURE__ */ optional(abortSignal),
};

interface ChosenLevel {
  readonly level: OpenedLevel;
  readonly levels: readonly TomogramLevel[];
  readonly cache: ChunkCache;
  readonly channelNames: ChannelNames;
  readonly warnings: readonly Warning[];
}

async function chooseLevel(
  store: ReadableStore,
  {
    level,
    voxelSize,
    fallbackVoxelSize,
    trueVoxelSize,
    zarrFormat,
    cacheBytes,
    decodeWorkers = {},
    signal,
  }: OpenTomogramOptions,
  { hasChannels }: { readonly hasChannels: boolean },
): Promise<ChosenLevel> {
  assertStore(store, 'get');
  if (zarrFormat !== undefined && zarrFormat !== 2 && zarrFormat !== 3)
    throw new CryoetPicksError('invalid-option', `zarrFormat is ${describeValue(zarrFormat)}, expected 2 or 3`, {
      option: 'zarrFormat',
    });
  checkPositive('voxelSize', voxelSize, 'Å');
  checkPositive('fallbackVoxelSize', fallbackVoxelSize, 'Å');
  checkPositive('trueVoxelSize', trueVoxelSize, 'Å');
  if (cacheBytes !== undefined && !bound.isValid(cacheBytes))
    throw new CryoetPicksError('invalid-option', `cacheBytes is ${describeValue(cacheBytes)}, expected 0 or more`, {
      option: 'cacheBytes',
    });
  checkDecodeWorkers(decodeWorkers);
  const { levels: listed, ...others } = await openLevels(store, {
    fallbackVoxelSize,
    trueVoxelSize,
    hasChannels,
    zarrFormat,
    decodeWorkers,
    signal,
  });
  const opened = listed.filter(isOpened);
  const index = voxelSize === undefined ? (level ?? 0) : closest(listed, voxelSize);
  const chosen = listed[index];
  if (!chosen || !isOpened(chosen)) throw failureOf(chosen, { index, opened, store });
  const levels = opened.map((one) => ({
    index: one.index,
    path: one.path,
    ...one.grid,
    chunkShape: one.chunkShape,
    dtype: one.array.dtype,
  }));
  const { array, channelAxis, chunkShape, grid } = chosen;
  const perVoxel = array.itemBytes * (channelAxis ? array.chunkShape[channelAxis.dimension]! : 1);
  const kept = Math.min(cacheBytes ?? defaultCacheBytes({ grid, chunkShape }, perVoxel), Number.MAX_SAFE_INTEGER);
  return { ...others, level: chosen, levels, cache: new ChunkCache(chosen.array, { cacheBytes: kept }) };
}

function checkPositive(name: string, value: number | undefined, unit: string): void {
  if (value !== undefined && !positiveLength.isValid(value)) {
    throw new CryoetPicksError(
      'invalid-option',
      `${name} is ${describeValue(value)}, expected a positive number of ${unit}`,
      {
        option: name,
      },
    );
  }
}

interface FailureContext {
  readonly index: number;
  readonly opened: readonly OpenedLevel[];
  readonly store: ReadableStore;
}

/** An error that says why the chosen level cannot be read, and which others can. */
function failureOf(level: BrokenLevel | undefined, { index, opened, store }: FailureContext): unknown {
  const failure = level?.failure;
  const others = opened.map(({ index, grid }) => `${index} (${formatZyx(grid.shape)})`).join(', ') || 'none';
  if (failure === undefined) {
    const message = `level ${index} not found in ${store.location}; available: ${others}`;
    return new CryoetPicksError('not-found', message, { available: opened.map((one) => String(one.index)) });
  }
  if (opened.length === 0 || !isCryoetPicksError(failure)) return failure;
  const what = `cannot open level ${index} (available: ${others}): ${failure.message}`;
  return withMessage(failure, what);
}

/**
 * Index of the level whose voxel size is closest by ratio, whether or not it can be read; the first of two that are equally
 * close.
 */
function closest(levels: readonly (OpenedLevel | BrokenLevel)[], voxelSize: number): number {
  let best = 0;
  let smallest = Infinity;
  for (const [index, level] of levels.entries()) {
    const size = isOpened(level) ? level.grid.voxelSize : level.voxelSize;
    const misfit = size ? Math.abs(Math.log(Math.cbrt(size[0] * size[1] * size[2]) / voxelSize)) : Infinity;
    if (misfit < smallest - 1e-9) [best, smallest] = [index, misfit];
  }
  return best;
}

/** Identifies a channel of an image. */
export interface ChannelInfo {
  /** Index along the axis, from 0. */
  readonly index: number;
  /** Name of the axis besides z, y and x, in lower case: `c`, `t`, `feature`; absent if the image has no other axis. */
  readonly axis: string | undefined;
  /** Name from the metadata, if they give one. */
  readonly name: string | undefined;
}

/** One channel of an image, read like a tomogram. */
export interface Channel extends Tomogram {
  readonly channel: ChannelInfo;
}

/**
 * Opens an OME-Zarr image with one axis besides z, y and x as one source per index along this axis: feature maps, the two
 * channels of a panoptic segmentation, a time series. The axis may have any name and position; further axes must have length 1.
 *
 * The sources share metadata, cache and decoded chunks: a chunk that holds several channels is decoded once. An image without
 * such an axis has one channel. Names come from copick's metadata of panoptic segmentations, or from `omero.channels`.
 *
 * @param store - The store of the image; its root is the folder named `….zarr`.
 * @returns The channels in the order of their indices.
 * @throws The errors of `openTomogram`; `unsupported` if more than one further axis is longer than 1.
 * @example
 * ```ts
 * const [label, instance] = await openChannels(httpStore('https://example.org/10.000_curator_1_cell.zarr'));
 * const ids = await instance.read({ start: [0, 0, 0], end: [1, 64, 64] }, { exact: true });
 * ```
 */
export async function openChannels(store: ReadableStore, options: OpenTomogramOptions = {}): Promise<Channel[]> {
  requireOptions('openChannels', options, openRules);
  const { level, levels, cache, channelNames, warnings } = await chooseLevel(store, options, { hasChannels: true });
  const { name: axis, length = 1 } = level.channelAxis ?? {};
  return Array.from({ length }, (_, index) => ({
    ...levelSource(level, { cache, channel: index, warnings }),
    levels,
    level: level.index,
    chunks: level.array.chunks,
    channel: { index, axis, name: channelNames[index] },
  }));
}
