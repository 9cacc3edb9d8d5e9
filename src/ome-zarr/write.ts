import type { Zyx } from '../space/zyx.ts';
import type { Store } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { WrittenType } from './written-type.ts';

/** How far {@link writeTomogram} has come, in chunks. */
export interface WriteProgress {
  readonly stage: 'write';
  readonly done: number;
  readonly total: number;
}

/** Options of {@link writeTomogram}. */
export interface WriteTomogramOptions {
  /**
   * `zarr2`: OME-Zarr 0.4, one file per chunk, blosc-lz4; what copick 1 and most programs read. `zarr3`: OME-Zarr 0.5, one
   * shard per level, zstd; what copick 2 writes, and copick 1 cannot read. @defaultValue 'zarr2'
   */
  readonly format?: 'zarr2' | 'zarr3' | undefined;
  /** Type of the voxels. @defaultValue 'float32' */
  readonly dtype?: WrittenType | undefined;
  /** Number of resolution levels, each half of the one before. @defaultValue 3, for integers 1 */
  readonly levels?: number | undefined;
  /**
   * What a coarse voxel is: the mean of its cell, rounded for integers, or the first voxel of it, as labels need.
   * @defaultValue 'mean', for integers 'first'
   */
  readonly coarse?: 'mean' | 'first' | undefined;
  /** Shape of a chunk along z, y, x; for `zarr2` clipped to the level. @defaultValue 128×128×128 */
  readonly chunkShape?: Zyx | undefined;
  /** Name in the metadata. @defaultValue '/', as copick writes it */
  readonly name?: string | undefined;
  /** Further metadata, JSON: the `metadata` of the first `multiscales`. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /**
   * Replace what the store holds; otherwise a store with an image in it is refused. In a folder on disk, the new image is
   * written beside the old one and takes its place when it is whole. Other stores delete the old one before the first voxel
   * is written: where the write then fails or is aborted, it is lost. @defaultValue false
   */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
  /** Told of what is written though it may give trouble later: in `zarr3`, a shard of more than 5 GB. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * Writes a volume as an OME-Zarr image with a pyramid of means over 2×2×2 voxels: 0.4 (Zarr v2), the form that copick 1 reads
 * and writes, or 0.5 (Zarr v3 in shards), the form that copick 2 writes.
 *
 * A cell is the mean of the voxels of the next finer level that it holds: at the edge of an odd extent fewer than eight,
 * without copick's zeros (so from the second halving on, voxels of the volume at such an edge can weigh more than
 * others). Unlike copick's, each level has a translation: its first voxel is centred half a voxel of the finer level further
 * in. The source is read chunk by chunk, each voxel once; about three chunks are held at a time, whatever the volume's size. The metadata are written
 * last, and a write that fails or is aborted deletes what it has written (all of a folder that was empty before), so no
 * reader ever sees half an image. Options, voxel size and origin are checked before anything is written or deleted.
 *
 * @param store - Its root becomes the image, so give the folder that is called `….zarr`.
 * @param source - Integers of more than 16 bits are read by its `readExact` where it has one, so that labels above 2^24 arrive as
 * they are.
 * @throws {@link CryoetPicksError} `invalid-option`, also for a voxel size that is not above 0, for what
 * is not finite and for a value that the type cannot hold; `read-only`.
 * @example
 * ```ts
 * await writeTomogram(directoryStore('denoised.zarr'), sourceFromArray(volume, { voxelSize: [10, 10, 10] }));
 * ```
 */
export async function writeTomogram(
  store: Store,
  source: VolumeSource,
  options: WriteTomogramOptions = {},
): Promise<void> {
  // Loaded with the first write, so that a page that only reads or scores never fetches the encoder.
  const { writeImage } = await import('./write-image.ts');
  await writeImage(store, [source], options);
}
