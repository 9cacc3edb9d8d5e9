import type { Intensity } from './intensity.ts';
import type { Volume } from './volume.ts';

/** Bits of a float32 that the histogram tells apart: sign, 8 of the exponent, 11 of the fraction. */
const LEVEL_BITS = 20;
const DROPPED_BITS = 32 - LEVEL_BITS;
const EXPONENT_BITS = 8;
const FRACTION_BITS = LEVEL_BITS - 1 - EXPONENT_BITS;
/** The exponent of NaN and the infinities. */
const NOT_FINITE = 2 ** EXPONENT_BITS - 1;

/** Statistics that still grow; all but the histogram are of finite voxels. */
export interface Sums {
  count: number;
  mean: number;
  /** Sum of squared deviations from the mean. */
  squares: number;
  minimum: number;
  maximum: number;
  /** Voxels by their leading bits, those that are not finite among them. */
  readonly histogram: Float64Array;
}

export function newSums(): Sums {
  const histogram = new Float64Array(2 ** LEVEL_BITS);
  return { count: 0, mean: 0, squares: 0, minimum: Infinity, maximum: -Infinity, histogram };
}

/** Adds some of a volume's rows along x, counted z-slowest. */
export function addRows(
  { data, shape, stride, offset }: Volume,
  { first, end }: { readonly first: number; readonly end: number },
  sums: Sums,
): void {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const length = shape[2];
  for (let row = first; row < end; row++) {
    const y = row % shape[1];
    const start = offset + ((row - y) / shape[1]) * stride[0] + y * stride[1];
    if (stride[2] === 1) addRow(data, bits, start, length, sums);
    else {
      const copy = Float32Array.from({ length }, (_, x) => data[start + x * stride[2]]);
      addRow(copy, new Uint32Array(copy.buffer), 0, length, sums);
    }
  }
}

/**
 * Adds a row in one pass, as sums of deviations from the mean so far: what the square of their sum cancels is no more than
 * the distance of the two means adds to the squares, so nothing of weight is lost.
 */
function addRow(data: Float32Array, bits: Uint32Array, start: number, length: number, sums: Sums): void {
  const { mean, histogram } = sums;
  const end = start + length;
  let { minimum, maximum } = sums;
  let sum = 0;
  let squares = 0;
  for (let i = start; i < end; i++) {
    const value = data[i];
    const deviation = value - mean;
    sum += deviation;
    squares += deviation * deviation;
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
    histogram[bits[i] >>> DROPPED_BITS]++;
  }
  // The first row has no mean to start from; a voxel that is not finite spoils the sum.
  if (sums.count === 0 || sum - sum !== 0) {
    addFinite(data, start, end, sums);
    return;
  }
  sums.count += length;
  sums.squares += squares - sum * (sum / sums.count);
  sums.mean += sum / sums.count;
  sums.minimum = minimum;
  sums.maximum = maximum;
}

/** Adds a row's finite voxels, in two passes. */
function addFinite(data: Float32Array, start: number, end: number, sums: Sums): void {
  let found = 0;
  let sum = 0;
  for (let i = start; i < end; i++) {
    const value = data[i];
    if (value - value !== 0) continue;
    found++;
    sum += value;
    if (value < sums.minimum) sums.minimum = value;
    if (value > sums.maximum) sums.maximum = value;
  }
  if (found === 0) return;
  const mean = sum / found;
  let squares = 0;
  for (let i = start; i < end; i++) {
    const deviation = data[i] - mean;
    if (deviation - deviation === 0) squares += deviation * deviation;
  }
  const difference = mean - sums.mean;
  const total = sums.count + found;
  sums.squares += squares + difference * difference * ((sums.count * found) / total);
  sums.mean += difference * (found / total);
  sums.count = total;
}

/** The levels that occur, ascending. The histogram's index is the leading bits of a float32: sign, then magnitude. */
export function pack({ histogram }: Sums): Pick<Intensity, 'levels' | 'counts' | 'notFinite'> {
  const negative = histogram.length / 2;
  const occurring: number[] = [];
  let notFinite = 0;
  const add = (level: number) => {
    if (histogram[level] === 0) return;
    if (((level >>> FRACTION_BITS) & NOT_FINITE) === NOT_FINITE) notFinite += histogram[level];
    else occurring.push(level);
  };
  for (let level = histogram.length - 1; level >= negative; level--) add(level);
  for (let level = 0; level < negative; level++) add(level);
  const bits = Uint32Array.from(occurring, (level) => level << DROPPED_BITS);
  return {
    notFinite,
    levels: new Float32Array(bits.buffer),
    counts: Float64Array.from(occurring, (level) => histogram[level]),
  };
}
