import type { Zyx } from '../../src/entry/index.ts';
import { contiguousVolume, sourceFromArray, type VolumeSource } from '../../src/entry/index.ts';

/** A source over voxels in memory that counts its reads, each of which waits for one turn of the event loop. */
export function countingSource(data: Float32Array, shape: Zyx): VolumeSource & { reads: number; voxels: number } {
  const source = sourceFromArray(contiguousVolume(data, shape));
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
