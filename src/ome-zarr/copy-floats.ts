import type { Zyx } from '../space/zyx.ts';
import type { Layout } from './copy-rows.ts';

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
