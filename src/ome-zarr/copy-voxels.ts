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

/** Rows of at least so many numbers are copied faster by `set` of a `subarray` than one by one. */
const LONG_ROW = 96;

/**
 * Copies rows of float32 into rows of `out` that are contiguous along x.
 *
 * Where both rows lie alike, two numbers are copied as one float64, in half the time.
 */
export function copyFloatRows(
  data: Float32Array,
  from: Layout,
  out: Float32Array,
  to: Layout,
  [depth, height, width]: Zyx,
): void {
  const step = from.stride[2];
  const pairs = step === 1 ? pairsOf(data) : undefined;
  const outPairs = pairsOf(out);
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let f = from.offset + z * from.stride[0] + y * from.stride[1];
      let t = to.offset + z * to.stride[0] + y * to.stride[1];
      const end = t + width;
      if (pairs && outPairs && (f - t) % 2 === 0) {
        if (t % 2 === 1 && t < end) out[t++] = data[f++]!;
        const count = Math.floor((end - t) / 2);
        copyPairs(data, pairs, f / 2, out, outPairs, t / 2, count);
        if ((end - t) % 2 === 1) out[end - 1] = data[f + 2 * count]!;
      } else if (step === 1 && width >= LONG_ROW) {
        out.set(data.subarray(f, f + width), t);
      } else {
        for (; t < end; f += step) out[t++] = data[f]!;
      }
    }
  }
}

/** The numbers two by two, without an odd one at the end; absent if they do not start where a float64 may. */
function pairsOf({ buffer, byteOffset, length }: Float32Array): Float64Array | undefined {
  return byteOffset % 8 === 0 ? new Float64Array(buffer, byteOffset, Math.floor(length / 2)) : undefined;
}

/** Copies pairs, four at a time. Of a pair that is a NaN as float64, an engine may change both numbers: these go one by one. */
function copyPairs(
  data: Float32Array,
  pairs: Float64Array,
  first: number,
  out: Float32Array,
  outPairs: Float64Array,
  firstOut: number,
  count: number,
): void {
  let i = 0;
  for (; i + 3 < count; i += 4) {
    const f = first + i;
    const t = firstOut + i;
    const a = pairs[f]!;
    const b = pairs[f + 1]!;
    const c = pairs[f + 2]!;
    const d = pairs[f + 3]!;
    if (Number.isNaN(a) || Number.isNaN(b) || Number.isNaN(c) || Number.isNaN(d)) {
      for (let k = 0; k < 8; k++) out[2 * t + k] = data[2 * f + k]!;
    } else {
      outPairs[t] = a;
      outPairs[t + 1] = b;
      outPairs[t + 2] = c;
      outPairs[t + 3] = d;
    }
  }
  for (let k = 2 * i; k < 2 * count; k++) out[2 * firstOut + k] = data[2 * first + k]!;
}
