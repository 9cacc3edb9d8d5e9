import type { NumberType } from '../codecs/number-type.ts';
import type { Zyx } from '../space/zyx.ts';
import type { ChunkData } from './chunk.ts';

/** The arrays that voxels are returned in. */
export type VoxelData = Float32Array | Float64Array;

/** Makes an array of floats that holds every number of a type exactly, except integers beyond 2^53 − 1 in size. */
export function createLossless(dtype: NumberType): (length: number) => VoxelData {
  const Data = /^(u?int(32|64)|float64)$/.test(dtype) ? Float64Array : Float32Array;
  return (length) => new Data(length);
}

/** Where the voxels of a box lie in flat data: element (z, y, x) at `offset + z · stride[0] + y · stride[1] + x · stride[2]`. */
export interface Layout {
  readonly stride: Zyx;
  readonly offset: number;
}

/** Fills rows that are contiguous along x with one value. */
export function fillRows(out: VoxelData, [depth, height, width]: Zyx, { stride, offset }: Layout, value: number): void {
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      const row = offset + z * stride[0] + y * stride[1];
      out.fill(value, row, row + width);
    }
  }
}

/**
 * Copies rows of numbers of any type into rows of `out` that are contiguous along x; float32 rounds them to the nearest.
 *
 * @returns The first 64-bit integer that float64 does not hold exactly, if `out` is float64; the rest is then not copied.
 */
export function copyRows(data: ChunkData, from: Layout, out: VoxelData, to: Layout, shape: Zyx): bigint | undefined {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return copyBigRows(data, from, out, to, shape);
  if (data instanceof Float32Array && out instanceof Float32Array) {
    copyFloatRows(data, from, out, to, shape);
    return undefined;
  }
  const [depth, height, width] = shape;
  const step = from.stride[2];
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let f = from.offset + z * from.stride[0] + y * from.stride[1];
      let t = to.offset + z * to.stride[0] + y * to.stride[1];
      if (step === 1) (out as Float32Array).set(data.subarray(f, f + width), t);
      else for (let x = 0; x < width; x++, f += step) out[t++] = data[f]!;
    }
  }
  return undefined;
}

function copyBigRows(
  data: BigInt64Array | BigUint64Array,
  from: Layout,
  out: VoxelData,
  to: Layout,
  [depth, height, width]: Zyx,
): bigint | undefined {
  const isExact = out instanceof Float64Array;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let f = from.offset + z * from.stride[0] + y * from.stride[1];
      let t = to.offset + z * to.stride[0] + y * to.stride[1];
      for (let x = 0; x < width; x++, f += from.stride[2]) {
        const value = Number(data[f]);
        if (isExact && !Number.isSafeInteger(value)) return data[f]!;
        out[t++] = value;
      }
    }
  }
  return undefined;
}

/** Shorter rows are copied faster by a loop than by `set` of a `subarray`. */
const LONG_ROW = 96;

/** Copies rows of float32 into rows of `out` that are contiguous along x. */
export function copyFloatRows(
  data: Float32Array,
  from: Layout,
  out: Float32Array,
  to: Layout,
  [depth, height, width]: Zyx,
): void {
  const step = from.stride[2];
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let f = from.offset + z * from.stride[0] + y * from.stride[1];
      let t = to.offset + z * to.stride[0] + y * to.stride[1];
      const end = t + width;
      if (step === 1 && width >= LONG_ROW) out.set(data.subarray(f, f + width), t);
      else if (step === 1) while (t < end) out[t++] = data[f++]!;
      else for (; t < end; f += step) out[t++] = data[f]!;
    }
  }
}
