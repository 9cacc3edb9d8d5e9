import type { NumberType } from '../codecs/number-type.ts';
import type { Zyx } from '../space/zyx.ts';
import type { ChunkData } from './chunk.ts';

/** The arrays that voxels are handed out in: those of chunks, but for 64-bit integers. */
export type VoxelData = Exclude<ChunkData, BigInt64Array | BigUint64Array>;

/** Makes data that hold every number of a type exactly, but for the largest of 64 bits. */
export function createLossless(dtype: NumberType): (length: number) => VoxelData {
  const Data = DATA_OF_TYPE[dtype];
  return (length) => new Data(length);
}

const DATA_OF_TYPE: Readonly<Record<NumberType, new (length: number) => VoxelData>> = {
  bool: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: Float64Array,
  uint64: Float64Array,
  float16: Float32Array,
  float32: Float32Array,
  float64: Float64Array,
};

/** Where the voxels of a box lie in flat data. */
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
 * @returns A 64-bit integer that float64 does not hold, where there is one and `out` is float64; the rest is then not copied.
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

/** Rows of fewer numbers are copied faster by a loop than by `set` of a `subarray`. */
const LONG_ROW = 96;

/**
 * Copies rows of numbers into rows of `out` that are contiguous along x.
 *
 * Where both rows lie alike, two numbers are copied as one of 64 bits, in half the time.
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
        copyPairs(pairs, Math.floor(f / 2), outPairs, Math.floor(t / 2), Math.floor(end / 2));
        if (end % 2 === 1 && t < end) out[end - 1] = data[f + end - 1 - t]!;
      } else if (step === 1 && width >= LONG_ROW) out.set(data.subarray(f, f + width), t);
      else if (step === 1) while (t < end) out[t++] = data[f++]!;
      else for (; t < end; f += step) out[t++] = data[f]!;
    }
  }
}

function copyPairs(from: BigInt64Array, f: number, to: BigInt64Array, t: number, end: number): void {
  while (t < end) to[t++] = from[f++]!;
}

/**
 * The numbers two by two, but for an odd one at the end; as whole numbers, since of two float32 that look like a NaN of float64 an
 * engine may change both.
 */
function pairsOf({ buffer, byteOffset, length }: Float32Array): BigInt64Array | undefined {
  if (byteOffset % 8 !== 0 || !copiesPairs()) return undefined;
  return new BigInt64Array(buffer, byteOffset, Math.floor(length / 2));
}

let isKnown: boolean | undefined;

/**
 * Whether the engine copies 64-bit integers as such: others than V8 make an object of each on the way. It is told by the way in which
 * it writes a stack; one that writes it alike, as Bun does, copies the same numbers slowly.
 */
function copiesPairs(): boolean {
  isKnown ??= /\n {4}at /.test(new Error('which engine').stack ?? '');
  return isKnown;
}
