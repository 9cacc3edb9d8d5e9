import { longestAxis, voxelCount } from '../space/zyx.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { SPARE_BYTES } from './chunk-cache.ts';
import { MAX_KEPT_BYTES } from './chunk-task.ts';

const [LEAST_CACHE, MOST_CACHE] = [128 * 2 ** 20, 256 * 2 ** 20];
/** Of a tile, in voxels. */
const COMMON_EDGE = 128;

/**
 * Bytes of decoded chunks to keep so that a sweep of tiles along the longest axis decodes none twice, tiles being of common
 * size: the layers of chunks across that axis which a tile can touch, and a little more; from 128 to 256 MiB, so of very large
 * cross-sections some chunks are decoded twice.
 *
 * @param voxelBytes - Bytes of a voxel, all channels that share a chunk together.
 */
export function defaultCacheBytes(
  { grid: { shape }, chunkShape = shape }: Pick<VolumeSource, 'grid' | 'chunkShape'>,
  voxelBytes: number,
): number {
  const axis = longestAxis(shape);
  const edge = Math.min(chunkShape[axis], shape[axis]);
  const layer = (voxelBytes * voxelCount(shape) * edge) / shape[axis];
  const layers = Math.ceil(COMMON_EDGE / edge) + 1;
  return Math.round(Math.min(MOST_CACHE, Math.max(LEAST_CACHE, 1.125 * layers * layer)));
}

/** Chunks' worth of what a thread reads and decodes into, and keeps for the next ones. */
const CHUNKS_PER_THREAD = 3;

/**
 * Bytes that reading a whole volume takes at its peak: chunks that are kept by default, memory to decode the next ones into, and
 * what threads keep.
 */
export function readingBytes(
  source: Pick<VolumeSource, 'grid' | 'chunkShape'>,
  voxelBytes: number,
  threads: number,
): number {
  const { grid, chunkShape } = source;
  const kept = Math.min(defaultCacheBytes(source, voxelBytes) + SPARE_BYTES, voxelBytes * voxelCount(grid.shape));
  const chunk = chunkShape ? voxelBytes * voxelCount(chunkShape) : 0;
  return kept + threads * CHUNKS_PER_THREAD * Math.min(MAX_KEPT_BYTES, chunk);
}
