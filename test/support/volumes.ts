import {
  type Box,
  contiguousVolume,
  type NumericData,
  sourceFromArray,
  type VolumeSource,
  type VoxelGrid,
  type Zyx,
} from '../../src/entry/index.ts';

/** Float32 values between −1 and 1 for a shape, C-order, that look random and depend on the seed only. */
export function noise(shape: Zyx, seed = 0): Float32Array<ArrayBuffer> {
  const values = new Float32Array(shape[0] * shape[1] * shape[2]);
  let state = (Math.imul(seed, 0x9e3779b9) ^ 0x5bd1e995) | 0;
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = state / 2 ** 31;
  }
  return values;
}

/** The box that holds every voxel of an array of this shape. */
export function wholeBox(shape: Zyx): Box {
  return { start: [0, 0, 0], end: shape };
}

/** A source over C-order values; cubes of 10 Å unless told otherwise. */
export function sourceOf(
  data: NumericData,
  shape: Zyx,
  { voxelSize = [10, 10, 10], ...geometry }: Partial<Pick<VoxelGrid, 'voxelSize' | 'origin'>> = {},
): VolumeSource {
  return sourceFromArray(contiguousVolume(data, shape), { voxelSize, ...geometry });
}
