import { longestAxis, voxelCount } from '../space/zyx.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { readsAtOnce, SPARE_BYTES } from './chunk-cache.ts';
import { LEAST_SENT_BYTES, MAX_KEPT_BYTES, TASKS_PER_THREAD } from './chunk-task.ts';

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

/**
 * Bytes that reading a whole volume takes at its peak: chunks that are kept by default, memory of those that are being decoded, and
 * what threads keep for each chunk that they are given at a time: its compressed bytes, and room for one that is decoded to be cut. Of
 * chunks above 64 MiB they keep nothing, but take so much while at work; those too small to be sent to them do not count.
 */
export function readingBytes(
  source: Pick<VolumeSource, 'grid' | 'chunkShape'>,
  voxelBytes: number,
  threads: number,
): number {
  const { shape } = source.grid;
  const kept = Math.min(defaultCacheBytes(source, voxelBytes) + SPARE_BYTES, voxelBytes * voxelCount(shape));
  const { chunkShape } = source;
  const chunk = chunkShape ? voxelBytes * voxelCount(chunkShape) : 0;
  if (!chunkShape || chunk < LEAST_SENT_BYTES) return kept;
  const chunks = shape.reduce((product, extent, axis) => product * Math.ceil(extent / chunkShape[axis]), 1);
  const given = Math.min(readsAtOnce(chunk), chunks, TASKS_PER_THREAD * threads);
  return kept + 2 * given * Math.min(MAX_KEPT_BYTES, chunk);
}
