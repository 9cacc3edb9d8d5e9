import type { NumberType } from '../codecs/number-type.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import type { Point } from '../space/grid.ts';
import { type Box, formatZyx, type Zyx } from '../space/zyx.ts';
import { assertStore, type ReadableStore } from '../storage/store.ts';
import type { NumericData, ReadOptions, Volume, VolumeSource } from '../volume/volume.ts';
import { ChunkCache, type ChunkCounts, defaultCacheBytes } from './chunk-cache.ts';
import { levelSource } from './level-source.ts';
import { type BrokenLevel, chunkShapeOf, isOpened, type OpenedLevel, openLevels } from './levels.ts';
import type { ChannelNames } from './metadata.ts';

/** One resolution level of a tomogram. */
export interface TomogramLevel {
  /** Its place in the metadata; 0 is the one listed first, which is the finest in every sound image. */
  readonly index: number;
  /** Folder of its array inside the store. */
  readonly path: string;
  readonly shape: Zyx;
  /** Edge lengths of a voxel along z, y, x, in Å. */
  readonly voxelSize: Zyx;
  /** Position of the centre of voxel (0, 0, 0), in Å. */
  readonly origin: Point;
  /** Shape of what is decoded at once; it may be larger than the level. */
  readonly chunkShape: Zyx;
  /** Type of the voxels in the store; `read` gives them as float32, `readExact` as they are. */
  readonly dtype: NumberType;
}

/** A tomogram in a store, read at one of its resolution levels. */
export interface Tomogram extends VolumeSource {
  /** The levels that can be read; one that is absent or broken is left out. */
  readonly levels: readonly TomogramLevel[];
  /** Index of the level that is read. */
  readonly level: number;
  /** The chunks of its array, as far as they have been read up to now; channels of one image share the count. */
  readonly chunks: ChunkCounts;
  /**
   * Reads a box in the type of the store: float16 as float32, bool as uint8, 64-bit integers as float64.
   *
   * @throws {@link CryoetPicksError} `unsupported` for an integer beyond 2^53 − 1 in size, which no number holds for certain.
   */
  readExact(box: Box, options?: ReadOptions): Promise<Volume<NumericData>>;
}

/** Options of {@link openTomogram}. */
export interface OpenTomogramOptions {
  /** Which level to read. @defaultValue 0, the one listed first */
  readonly level?: number | undefined;
  /** Read the level whose voxel size, in Å, is closest to this by ratio, of all in the metadata; instead of `level`. */
  readonly voxelSize?: number | undefined;
  /** Voxel size in Å where the metadata say none, as in stores without `multiscales`. */
  readonly fallbackVoxelSize?: number | undefined;
  /**
   * Look for files of this Zarr format only, and make no request for the other's.
   * @defaultValue both, that of the image's own metadata first
   */
  readonly zarrFormat?: 2 | 3 | undefined;
  /**
   * Bytes of decoded chunks to keep for later reads. @defaultValue two layers of chunks across the longest axis, 128 to 256 MiB
   */
  readonly cacheBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens an OME-Zarr image, version 0.4 (Zarr v2) or 0.5 (Zarr v3, also sharded), as a source of float32 voxels.
 *
 * Axes are found by name in any order, lengths converted to Å. `read` fetches only the chunks that a box touches, a few at
 * a time, and keeps decoded chunks so that neighbouring boxes do not decode them again; chunks absent from the store are
 * the fill value. Every integer and float type is read, float16 and bool too.
 *
 * A coarse level of floats without any translation in the metadata, as copick 1 writes it, is taken for means over k voxels of
 * the first level, and lies (k − 1) / 2 of them further in. Levels of integers stay where the metadata put them: labels are
 * not averaged.
 *
 * Float32 holds integers up to 2^24 exactly; `readExact` gives labels beyond that. An image with channels, features or times
 * is opened one by one by `openChannels` of `cryoet-picks/io`.
 *
 * @param store - Where the image lies; its root is the folder that is called `….zarr`.
 * @throws {@link CryoetPicksError} `invalid-metadata`; `not-found` for a level that is not there; `unsupported` for an image
 * that is no single volume or a codec nobody knows, always of the level to read alone, others being named if they can
 * be read; from `read`, `corrupt-data` naming store, array and chunk.
 * @example
 * ```ts
 * const tomogram = await openTomogram(httpStore('https://example.org/denoised.zarr'), { voxelSize: 10 });
 * const corner = await tomogram.read({ start: [0, 0, 0], end: [32, 64, 64] });
 * ```
 */
export async function openTomogram(store: ReadableStore, options: OpenTomogramOptions = {}): Promise<Tomogram> {
  // Loaded with the first image, so that a page that only scores or clusters never fetches the decoders.
  return openImage(store, options);
}

/** The work of `openTomogram`. */
async function openImage(store: ReadableStore, options: OpenTomogramOptions): Promise<Tomogram> {
  const { level, levels, cache } = await chooseLevel(store, options, { hasChannels: false });
  return { ...levelSource(level, { cache }), levels, level: level.index, chunks: cache.tally };
}

/** The work of `openChannels`. */
async function openImageChannels(store: ReadableStore, options: OpenTomogramOptions): Promise<Channel[]> {
  const { level, levels, cache, channelNames } = await chooseLevel(store, options, { hasChannels: true });
  const { name: axis, length = 1 } = level.channelAxis ?? {};
  return Array.from({ length }, (_, index) => ({
    ...levelSource(level, { cache, channel: index }),
    levels,
    level: level.index,
    chunks: cache.tally,
    channel: { index, axis, name: channelNames[index] },
  }));
}

interface ChosenLevel {
  readonly level: OpenedLevel;
  readonly levels: readonly TomogramLevel[];
  readonly cache: ChunkCache;
  readonly channelNames: ChannelNames;
}

async function chooseLevel(
  store: ReadableStore,
  { level, voxelSize, fallbackVoxelSize, zarrFormat, cacheBytes, signal }: OpenTomogramOptions,
  { hasChannels }: { readonly hasChannels: boolean },
): Promise<ChosenLevel> {
  assertStore(store, 'get');
  if (zarrFormat !== undefined && zarrFormat !== 2 && zarrFormat !== 3)
    throw new CryoetPicksError('invalid-option', `zarrFormat is ${String(zarrFormat)}, expected 2 or 3`);
  checkPositive('voxelSize', voxelSize, 'Å');
  checkPositive('fallbackVoxelSize', fallbackVoxelSize, 'Å');
  if (cacheBytes !== undefined && !(cacheBytes >= 0))
    throw new CryoetPicksError('invalid-option', `cacheBytes is ${cacheBytes}, expected 0 or more`);
  const { levels: listed, channelNames } = await openLevels(store, {
    fallbackVoxelSize,
    hasChannels,
    zarrFormat,
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
    chunkShape: chunkShapeOf(one),
    dtype: one.array.dtype,
  }));
  const { array, channelAxis, grid } = chosen;
  const perVoxel = array.itemBytes * (channelAxis ? array.chunkShape[channelAxis.dimension]! : 1);
  const kept = cacheBytes ?? defaultCacheBytes({ grid, chunkShape: chunkShapeOf(chosen) }, perVoxel);
  return { level: chosen, levels, cache: new ChunkCache(chosen.array, { cacheBytes: kept }), channelNames };
}

function checkPositive(name: string, value: number | undefined, unit: string): void {
  if (value !== undefined && !(value > 0 && Number.isFinite(value))) {
    throw new CryoetPicksError('invalid-option', `${name} is ${value}, expected a positive number of ${unit}`);
  }
}

interface FailureContext {
  readonly index: number;
  readonly opened: readonly OpenedLevel[];
  readonly store: ReadableStore;
}

/** Why the chosen level cannot be read, and which others can. */
function failureOf(level: BrokenLevel | undefined, { index, opened, store }: FailureContext): unknown {
  const failure = level?.failure;
  const others = opened.map(({ index, grid }) => `${index} (${formatZyx(grid.shape)})`).join(', ') || 'none';
  if (failure === undefined) {
    return new CryoetPicksError('not-found', `level ${index} not found in ${store.location}; available: ${others}`);
  }
  if (opened.length === 0 || !isCryoetPicksError(failure)) return failure;
  const what = `cannot open level ${index} (available: ${others}): ${failure.message}`;
  return new CryoetPicksError(failure.code, what, { cause: failure });
}

/**
 * Index of the level whose voxels are closest in size by ratio, whether or not it can be read; of two equally close ones the
 * one listed first.
 */
function closest(levels: readonly (OpenedLevel | BrokenLevel)[], voxelSize: number): number {
  let best = 0;
  let least = Infinity;
  for (const [index, level] of levels.entries()) {
    const size = isOpened(level) ? level.grid.voxelSize : level.voxelSize;
    const misfit = size ? Math.abs(Math.log(Math.cbrt(size[0] * size[1] * size[2]) / voxelSize)) : Infinity;
    if (misfit < least - 1e-9) [best, least] = [index, misfit];
  }
  return best;
}

/** Which channel of an image a volume is. */
export interface ChannelInfo {
  /** Its place along the axis, from 0. */
  readonly index: number;
  /** The axis that is none of z, y and x, in lower case: `c`, `t`, `feature`; absent where the image has no other. */
  readonly axis: string | undefined;
  /** Where the metadata name it. */
  readonly name: string | undefined;
}

/** One channel of an image, read like a tomogram of its own. */
export interface Channel extends Tomogram {
  readonly channel: ChannelInfo;
}

/**
 * Opens an OME-Zarr image with one axis besides z, y and x, of any name and at any place, as one source for each index along it:
 * feature maps, the two channels of a panoptic segmentation, a series of times. Further axes must have length 1.
 *
 * The sources share metadata, `cacheBytes` and what they read: chunks that hold several channels are decoded once. An
 * image without such an axis is one channel. Names come from copick's metadata of panoptic segmentations, else from
 * `omero.channels`.
 *
 * @param store - Where the image lies; its root is the folder that is called `….zarr`.
 * @returns The channels in the order of their indices.
 * @throws As `openTomogram` does; `unsupported` for more than one further axis longer than 1.
 * @example
 * ```ts
 * const [label, instance] = await openChannels(httpStore('https://example.org/10.000_curator_1_cell.zarr'));
 * const ids = await instance.readExact({ start: [0, 0, 0], end: [1, 64, 64] });
 * ```
 */
export async function openChannels(store: ReadableStore, options: OpenTomogramOptions = {}): Promise<Channel[]> {
  return openImageChannels(store, options);
}

/**
 * Warns of chunks that were read and are not in the store. Writers leave out chunks that hold nothing but the fill value: most
 * chunks of labels, hardly one of a measured density.
 *
 * @returns Undefined if none is missing, the voxels are no density, or the source does not count its chunks.
 */
export function missingChunks(
  source: VolumeSource | Tomogram,
): (Warning & { readonly code: 'chunks-missing' }) | undefined {
  if (!('chunks' in source)) return undefined;
  const { chunks, levels, level } = source;
  const { total, read, missing } = chunks;
  const isMeasured = levels.find(({ index }) => index === level)?.dtype.startsWith('float') ?? false;
  if (missing === 0 || !isMeasured) return undefined;
  const message =
    `${missing} of the ${read} chunks read so far (of ${total}) are not in the store, and their voxels are the fill value: ` +
    'was it copied whole?';
  return { code: 'chunks-missing', message };
}
