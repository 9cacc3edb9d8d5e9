import type { VolumeSource, Zyx } from '../../src/entry/index.ts';
import { sourceOf } from './volumes.ts';

/** A source over voxels in memory that counts its reads, each of which waits for one turn of the event loop. */
export function countingSource(data: Float32Array, shape: Zyx): VolumeSource & { reads: number; voxels: number } {
  const source = sourceOf(data, shape, { voxelSize: [1, 1, 1] });
  return {
    grid: source.grid,
    reads: 0,
    voxels: 0,
    async read(box, options) {
      this.reads++;
      await new Promise((resolve) => setTimeout(resolve));
      options?.signal?.throwIfAborted();
      const volume = await source.read(box, options);
      this.voxels += volume.shape[0] * volume.shape[1] * volume.shape[2];
      return volume;
    },
  };
}
