import type { Zyx } from '../space/zyx.ts';
import type { Store } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { WrittenType } from './write-metadata.ts';

/** How far {@link writeTomogram} has come, in chunks. */
export interface WriteProgress {
  readonly stage: 'write';
  readonly done: number;
  readonly total: number;
}

/** Options of {@link writeTomogram}. */
export interface WriteTomogramOptions {
  /** Type of the voxels. Integers hold labels: their pyramid takes one voxel of each cell instead of the mean. @defaultValue 'float32' */
  readonly dtype?: WrittenType | undefined;
  /** Number of resolution levels, each half of the one before. @defaultValue 3, for labels 1 */
  readonly levels?: number | undefined;
  /** Shape of a chunk along z, y, x; clipped to the level. @defaultValue 128×128×128 */
  readonly chunkShape?: Zyx | undefined;
  /** Name in the metadata. @defaultValue '/', as copick writes it */
  readonly name?: string | undefined;
  /**
   * Replace what the store holds; otherwise a store with an image in it is refused. In a folder on disk, the new image is
   * written beside the old one and takes its place when it is whole. Other stores delete the old one before the first voxel
   * is written: where the write then fails or is aborted, it is lost. @defaultValue false
   */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
}

/**
 * Writes a volume as OME-Zarr 0.4 (Zarr v2, blosc-lz4 with byte shuffle), the form that copick 1 reads and writes, with a
 * pyramid of means over 2×2×2 voxels.
 *
 * A cell is the mean of the voxels of the next finer level that it holds: at the edge of an odd extent fewer than eight,
 * without copick's zeros (so from the second halving on, voxels of the volume at such an edge can weigh more than
 * others). Unlike copick's, each level has a translation: its first voxel is centred half a voxel of the finer level further
 * in. The source is read chunk by chunk, each voxel once; about three chunks are held at a time, whatever the volume's size. The metadata are written
 * last, and a write that fails or is aborted deletes what it has written (all of a folder that was empty before), so no
 * reader ever sees half an image. Options, voxel size and origin are checked before anything is written or deleted.
 *
 * @param store - Its root becomes the image, so give the folder that is called `….zarr`.
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
  await writeImage(store, source, options);
}
