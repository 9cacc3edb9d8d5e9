import type { NumberType } from '../codecs/number-type.ts';
import type { Point } from '../space/point.ts';
import type { Box, Zyx } from '../space/zyx.ts';
import type { ReadableStore } from '../storage/store.ts';
import type { NumericData, ReadOptions, Volume, VolumeSource } from '../volume/volume.ts';

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

/** Chunks of an array, each counted once. */
export interface ChunkCounts {
  readonly total: number;
  /** Looked for so far. */
  readonly read: number;
  /**
   * Of these, not in the store and therefore the fill value: left out by a writer that skips them, or lost on the way, which
   * the format does not tell apart.
   */
  readonly missing: number;
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
 * is opened one by one by `openChannels` of `cryoet-picks/volumes`.
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
  const { openImage } = await import('./open-image.ts');
  return openImage(store, options);
}
