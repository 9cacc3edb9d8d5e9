import type { VoxelGrid } from '../space/grid.ts';
import { boxShape } from '../space/zyx.ts';
import { asVolume, type NumericData, requireInside, type VolumeLike, type VolumeSource } from './volume.ts';

/**
 * A source over voxels in memory that hands out views in their own type, without copying: whole numbers above 2²⁴, as
 * instance ids can be, reach `writeTomogram` as they are. `sourceFromArray` hands out float32.
 *
 * @param volume - Any 3-D array `[z, y, x]` of numbers: a {@link Volume}, an `NdArray`, a zarrita chunk with `offset: 0`.
 * @param geometry - Voxel size and origin in Å; the voxel size defaults to 1 Å, the origin to (0, 0, 0).
 * @throws {@link CryoetPicksError} `invalid-option` for an array that is not 3-D, and from `read` for a box that sticks out.
 * @example
 * ```ts
 * const ids = contiguousVolume(new Uint32Array(8).fill(4_000_000_000), [2, 2, 2]);
 * await writeTomogram(store, exactSource(ids, { voxelSize: [10, 10, 10] }), { dtype: 'uint32' });
 * ```
 */
export function exactSource<A extends NumericData>(
  volume: VolumeLike<A>,
  { voxelSize = [1, 1, 1], origin = { x: 0, y: 0, z: 0 } }: Partial<Pick<VoxelGrid, 'voxelSize' | 'origin'>> = {},
): VolumeSource<A> {
  const { data, shape, stride, offset } = asVolume(volume);
  return {
    grid: { shape, voxelSize, origin },
    async read(box, { signal } = {}) {
      signal?.throwIfAborted();
      requireInside(box, shape);
      const start = offset + box.start[0] * stride[0] + box.start[1] * stride[1] + box.start[2] * stride[2];
      return { data, shape: boxShape(box), stride, offset: start };
    },
  };
}
