import { eventLoopTurns, mapOrdered, type Progress } from '../async.ts';
import { CryoetPicksError } from '../errors.ts';
import { type Box, formatZyx, voxelCount } from '../space/zyx.ts';
import { blockShape, countBoxes, cutIntoBoxes } from './blocks.ts';
import type { Volume, VolumeSource } from './volume.ts';

/** Statistics of a volume's finite voxels: plain data. */
export interface Intensity {
  /** Number of finite voxels; the other fields are of these. */
  readonly count: number;
  /** Number of voxels that are NaN or infinite. */
  readonly notFinite: number;
  readonly mean: number;
  /** Of the population: the sum of squares is divided by `count`. */
  readonly standardDeviation: number;
  readonly minimum: number;
  readonly maximum: number;
  /** Every value that voxels round to, ascending: float32 rounded towards zero to 11 bits after the leading one. */
  readonly levels: Float32Array;
  /** Number of voxels of each level. */
  readonly counts: Float64Array;
}

/** Options of {@link measureIntensity}. */
export interface IntensityOptions {
  /** Voxels read at once, as bytes of float32; two such blocks are held. @defaultValue 16 MiB */
  readonly blockBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Bits of a float32 that the histogram tells apart: sign, 8 of the exponent, 11 of the fraction. */
const LEVEL_BITS = 20;
const DROPPED_BITS = 32 - LEVEL_BITS;

/**
 * Measures mean, deviation, range and quantiles of a volume in one pass over its voxels.
 *
 * Blocks are boxes with edges at multiples of 128 voxels where they can be, so that chunks of common sizes are read
 * once. Mean and deviation are merged row by row (Chan et al. 1979), so a large offset costs no precision.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if no voxel is finite; `invalid-option` if `blockBytes` is below 4.
 *
 * @example
 * ```ts
 * const intensity = await measureIntensity(tomogram, { signal });
 * const median = quantile(intensity, 0.5);
 * ```
 */
export async function measureIntensity(source: VolumeSource, options: IntensityOptions = {}): Promise<Intensity> {
  const { blockBytes = 2 ** 24, signal, onProgress } = options;
  if (!(blockBytes >= 4)) {
    throw new CryoetPicksError(
      'invalid-option',
      `blockBytes must be at least 4, the size of a voxel, found ${blockBytes}`,
    );
  }
  const { shape } = source.grid;
  const block = blockShape(shape, blockBytes / 4);
  const total = countBoxes(shape, block);
  const sums: Sums = { count: 0, notFinite: 0, mean: 0, squares: 0, minimum: Infinity, maximum: -Infinity };
  const histogram = new Float64Array(2 ** LEVEL_BITS);
  const turn = eventLoopTurns();
  let done = 0;
  const read = (box: Box, stop: AbortSignal) => source.read(box, { signal: stop });
  for await (const voxels of mapOrdered(cutIntoBoxes(shape, block), read, { signal })) {
    addVoxels(voxels, sums, histogram);
    onProgress?.({ stage: 'intensity', done: ++done, total });
    await turn();
    signal?.throwIfAborted();
  }
  const { count, notFinite, mean, squares, minimum, maximum } = sums;
  if (count === 0) {
    throw new CryoetPicksError(
      'corrupt-data',
      `none of the ${voxelCount(shape)} voxels of the volume of ${formatZyx(shape)} is a finite number`,
    );
  }
  return {
    count,
    notFinite,
    mean,
    standardDeviation: Math.sqrt(squares / count),
    minimum,
    maximum,
    ...pack(histogram),
  };
}

/**
 * The value below which a fraction `p` of the finite voxels lies, interpolated between ranks as numpy's default does.
 *
 * Exact for p = 0 and 1, and for whole numbers up to 4096 as uint8 data holds; else each rank is off by less than 2⁻¹¹ (0.05 %)
 * of itself, towards zero.
 *
 * @throws {@link CryoetPicksError} `invalid-option` unless 0 ≤ p ≤ 1.
 */
export function quantile({ count, minimum, maximum, levels, counts }: Intensity, p: number): number {
  if (!(p >= 0 && p <= 1)) {
    throw new CryoetPicksError('invalid-option', `a quantile is asked for between 0 and 1, found ${p}`);
  }
  if (p === 0) return minimum;
  if (p === 1) return maximum;
  const rank = p * (count - 1);
  const lower = Math.floor(rank);
  let level = 0;
  let above = counts[0];
  while (above <= lower) above += counts[++level];
  const a = levels[level];
  const b = above > lower + 1 || level + 1 === levels.length ? a : levels[level + 1];
  return Math.min(maximum, Math.max(minimum, a + (rank - lower) * (b - a)));
}

interface Sums {
  count: number;
  notFinite: number;
  mean: number;
  /** Sum of squared deviations from the mean. */
  squares: number;
  minimum: number;
  maximum: number;
}

function addVoxels({ data, shape, stride, offset }: Volume, sums: Sums, histogram: Float64Array): void {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  for (let z = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      addRow(
        { data, bits, first: offset + z * stride[0] + y * stride[1], step: stride[2], length: shape[2] },
        sums,
        histogram,
      );
    }
  }
}

interface Row {
  readonly data: Float32Array;
  /** The same memory, as bits. */
  readonly bits: Uint32Array;
  readonly first: number;
  readonly step: number;
  readonly length: number;
}

function addRow({ data, bits, first, step, length }: Row, sums: Sums, histogram: Float64Array): void {
  let { minimum, maximum } = sums;
  let count = 0;
  let sum = 0;
  for (let i = 0, v = first; i < length; i++, v += step) {
    const value = data[v];
    if (value - value !== 0) continue;
    count++;
    sum += value;
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
    histogram[bits[v] >>> DROPPED_BITS]++;
  }
  sums.notFinite += length - count;
  if (count === 0) return;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0, v = first; i < length; i++, v += step) {
    const deviation = data[v] - mean;
    if (deviation - deviation === 0) squares += deviation * deviation;
  }
  const difference = mean - sums.mean;
  const total = sums.count + count;
  sums.squares += squares + difference * difference * ((sums.count * count) / total);
  sums.mean += difference * (count / total);
  sums.count = total;
  sums.minimum = minimum;
  sums.maximum = maximum;
}

/** The levels that occur, ascending. The histogram's index is the leading bits of a float32: sign, then magnitude. */
function pack(histogram: Float64Array): Pick<Intensity, 'levels' | 'counts'> {
  const negative = histogram.length / 2;
  const occurring: number[] = [];
  for (let i = histogram.length - 1; i >= negative; i--) if (histogram[i] > 0) occurring.push(i);
  for (let i = 0; i < negative; i++) if (histogram[i] > 0) occurring.push(i);
  const bits = Uint32Array.from(occurring, (i) => i << DROPPED_BITS);
  return { levels: new Float32Array(bits.buffer), counts: Float64Array.from(occurring, (i) => histogram[i]) };
}
