import { ITEM_BYTES, numberToHalf } from '../codecs/number-type.ts';
import { CryoetPicksError } from '../errors.ts';
import { type Box, boxShape, voxelCount, type Zyx } from '../space/zyx.ts';
import type { PyramidChunk, PyramidVoxels } from './pyramid.ts';

/** The types of numbers that are written; those of 64 bits hold whole numbers up to 2⁵³ − 1. */
export type WrittenType =
  | 'float32'
  | 'float16'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64';

/** The name of each type in Zarr v2; that of Zarr v3 is the key. */
export const ZARR2_TYPES: Readonly<Record<WrittenType, string>> = {
  float32: '<f4',
  float16: '<f2',
  uint8: '|u1',
  uint16: '<u2',
  uint32: '<u4',
  uint64: '<u8',
  int8: '|i1',
  int16: '<i2',
  int32: '<i4',
  int64: '<i8',
};

const MAX_HALF = 65504;

/** True for a type of whole numbers. */
export function isWholeType(dtype: WrittenType): boolean {
  return !dtype.startsWith('float');
}

/** The least and greatest number that a type holds and this library writes. */
function limitsOf(dtype: WrittenType): readonly [least: number, greatest: number] {
  const isUnsigned = dtype.startsWith('u');
  const greatest = Math.min(2 ** (8 * ITEM_BYTES[dtype] - (isUnsigned ? 0 : 1)) - 1, Number.MAX_SAFE_INTEGER);
  return [isUnsigned ? 0 : Math.max(-greatest - 1, Number.MIN_SAFE_INTEGER), greatest];
}

/**
 * The voxels of a chunk as little-endian bytes, padded with zeros to the full shape of a chunk.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a number that the type cannot hold.
 */
export function packVoxels({ box, voxels }: PyramidChunk, chunk: Zyx, dtype: WrittenType): Uint8Array {
  checkFit(voxels, dtype, box);
  const packed = emptyArray(dtype, voxelCount(chunk));
  const [depth, height, width] = boxShape(box);
  for (let z = 0, f = 0; z < depth; z++) {
    for (let y = 0; y < height; y++, f += width) {
      packed.put(voxels.subarray(f, f + width), (z * chunk[1] + y) * chunk[2]);
    }
  }
  return packed.bytes;
}

interface PackedArray {
  readonly bytes: Uint8Array;
  readonly put: (row: PyramidVoxels, at: number) => void;
}

const ARRAYS = {
  float32: Float32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
} as const;

function emptyArray(dtype: WrittenType, count: number): PackedArray {
  if (dtype === 'float16') {
    const data = new Uint16Array(count);
    return { bytes: new Uint8Array(data.buffer), put: (row, at) => data.set(Uint16Array.from(row, numberToHalf), at) };
  }
  if (dtype === 'uint64' || dtype === 'int64') {
    const data = new BigInt64Array(count);
    return { bytes: new Uint8Array(data.buffer), put: (row, at) => data.set(Array.from(row, BigInt), at) };
  }
  const data = new ARRAYS[dtype](count);
  return { bytes: new Uint8Array(data.buffer), put: (row, at) => data.set(row, at) };
}

function checkFit(voxels: PyramidVoxels, dtype: WrittenType, box: Box): void {
  if (dtype === 'float32') return;
  const [least, greatest] = limitsOf(dtype);
  const isWhole = isWholeType(dtype);
  for (let i = 0; i < voxels.length; i++) {
    const value = voxels[i]!;
    const fits = isWhole
      ? Number.isInteger(value) && value >= least && value <= greatest
      : Math.abs(value) < MAX_HALF + 16 || !Number.isFinite(value);
    if (!fits) throw misfit(value, dtype, box);
  }
}

function misfit(value: number, dtype: WrittenType, { start, end }: Box): CryoetPicksError {
  const [least, greatest] = limitsOf(dtype);
  const expected = isWholeType(dtype)
    ? `whole numbers from ${least} to ${greatest}`
    : `numbers from ${-MAX_HALF} to ${MAX_HALF}`;
  const where = `the box from (${start.join(', ')}) to (${end.join(', ')})`;
  return new CryoetPicksError(
    'invalid-option',
    `cannot write ${value}, in ${where}, as ${dtype}: expected ${expected}`,
  );
}
