import { eventLoopTurn, mapOrdered, type Progress, type Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Box, formatZyx, longestAxis, voxelCount, type Zyx } from '../space/zyx.ts';
import { type HeldVolume, holdBox } from './read.ts';
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
  /**
   * Voxels read at once, as bytes of float32; two such blocks are held, or as many chunks as they make up.
   * @defaultValue 16 MiB
   */
  readonly blockBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Hears of voxels that are not finite. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * Measures mean, deviation, range and quantiles of a volume in one pass over its voxels.
 *
 * A source that names its chunks is read chunk by chunk (small ones several at a time), ahead, backwards along its longest
 * axis: the chunks that it still keeps in the end are those that tiles need first. Any other is read in boxes with edges at multiples of 128 voxels
 * where they can be. Mean and deviation are merged row by row (Chan et al. 1979), so a large offset costs no precision.
 * Timers, input and drawing get their turn every 15 ms.
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
  // Loaded with the first volume, so that a page that measures nothing never fetches it.
  return passOver(source, options);
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

/** Voxels that are added in one piece: a few milliseconds. */
const TURN_VOXELS = 2 ** 19;
/** Blocks that are read ahead at most. */
const MAX_AHEAD = 16;

/** The work of `measureIntensity`. */
async function passOver(
  source: VolumeSource,
  { blockBytes = 2 ** 24, signal, onProgress, onWarning }: IntensityOptions,
): Promise<Intensity> {
  if (!(blockBytes >= 4)) {
    throw new CryoetPicksError(
      'invalid-option',
      `blockBytes must be at least 4, the size of a voxel, found ${blockBytes}`,
    );
  }
  const { shape } = source.grid;
  const { boxes, total, concurrency } = blocksOf(source, blockBytes);
  const sums = newSums();
  const held = new Set<HeldVolume>();
  const hold = async (box: Box, stop: AbortSignal) => {
    const lent = await holdBox(source, box, { signal: stop });
    held.add(lent);
    return lent;
  };
  let done = 0;
  try {
    for await (const lent of mapOrdered(boxes, hold, { concurrency, signal })) {
      await addInPieces(lent.volume, sums, signal);
      lent.release();
      held.delete(lent);
      onProgress?.({ stage: 'intensity', done: ++done, total });
      signal?.throwIfAborted();
    }
  } finally {
    // Those that were read ahead are here by now, too.
    for (const { release } of held) release();
  }
  const packed = pack(sums);
  const { count, mean, squares, minimum, maximum } = sums;
  if (count === 0) {
    throw new CryoetPicksError(
      'corrupt-data',
      `none of the ${voxelCount(shape)} voxels of the volume of ${formatZyx(shape)} is a finite number`,
    );
  }
  const intensity = { count, mean, standardDeviation: Math.sqrt(squares / count), minimum, maximum, ...packed };
  const warning = notFiniteVoxels(intensity);
  if (warning) onWarning?.(warning);
  return intensity;
}

/** What {@link measureIntensity} warns of; undefined if all voxels are finite. */
export function notFiniteVoxels({
  count,
  notFinite,
}: Intensity): (Warning & { readonly code: 'voxels-not-finite' }) | undefined {
  if (notFinite === 0) return undefined;
  const message = `${notFinite} of ${notFinite + count} voxels are not finite numbers; they count as the mean`;
  return { code: 'voxels-not-finite', message };
}

async function addInPieces(voxels: Volume, sums: Sums, signal: AbortSignal | undefined): Promise<void> {
  const rows = voxels.shape[0] * voxels.shape[1];
  const perTurn = Math.max(1, Math.floor(TURN_VOXELS / voxels.shape[2]));
  for (let first = 0; first < rows; first += perTurn) {
    addRows(voxels, { first, end: Math.min(rows, first + perTurn) }, sums);
    await eventLoopTurn();
    signal?.throwIfAborted();
  }
}

interface Blocks {
  readonly boxes: Iterable<Box>;
  readonly total: number;
  /** Blocks that are read ahead. */
  readonly concurrency: number;
}

function blocksOf({ grid: { shape }, chunkShape }: VolumeSource, blockBytes: number): Blocks {
  if (chunkShape === undefined) {
    const block = blockShape(shape, blockBytes / 4);
    return { boxes: cutIntoBoxes(shape, block), total: countBoxes(shape, block), concurrency: 2 };
  }
  const block = wholeChunks(shape, chunkShape, blockBytes / 4 / MAX_AHEAD);
  const ahead = Math.floor((2 * blockBytes) / (4 * voxelCount(block)));
  const concurrency = Math.max(1, Math.min(MAX_AHEAD, ahead));
  return { boxes: backwards(shape, block), total: countBoxes(shape, block), concurrency };
}

/**
 * A whole chunk, however large: the source holds it anyway, and gives it as a view. Several, as long as they have no more than
 * so many voxels, since small ones cost less to copy than to ask for one by one: along x, then y, then z, but of one layer
 * across the longest axis, so that layers still come one after the other.
 */
function wholeChunks(shape: Zyx, chunkShape: Zyx, mostVoxels: number): Zyx {
  const block = chunkShape.map((edge, axis) => Math.min(edge, shape[axis]!)) as [number, number, number];
  for (const axis of [2, 1, 0].filter((one) => one !== longestAxis(shape))) {
    const chunks = Math.max(1, Math.floor(mostVoxels / voxelCount(block)));
    block[axis] = Math.min(block[axis]! * chunks, shape[axis]!);
    if (block[axis] < shape[axis]!) break;
  }
  return block;
}

/** Bits of a float32 that the histogram tells apart: sign, 8 of the exponent, 11 of the fraction. */
const LEVEL_BITS = 20;
const DROPPED_BITS = 32 - LEVEL_BITS;
const EXPONENT_BITS = 8;
const FRACTION_BITS = LEVEL_BITS - 1 - EXPONENT_BITS;
/** The exponent of NaN and the infinities. */
const NOT_FINITE = 2 ** EXPONENT_BITS - 1;

/** Statistics that still grow; all but the histogram are of finite voxels. */
interface Sums {
  count: number;
  mean: number;
  /** Sum of squared deviations from the mean. */
  squares: number;
  minimum: number;
  maximum: number;
  /** Voxels by their leading bits, those that are not finite among them. */
  readonly histogram: Float64Array;
}

function newSums(): Sums {
  const histogram = new Float64Array(2 ** LEVEL_BITS);
  return { count: 0, mean: 0, squares: 0, minimum: Infinity, maximum: -Infinity, histogram };
}

/** Adds some of a volume's rows along x, counted z-slowest. */
function addRows(
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
function pack({ histogram }: Sums): Pick<Intensity, 'levels' | 'counts' | 'notFinite'> {
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

/** An edge that chunks of common sizes (32, 64, 128) divide. */
const CHUNK_EDGE = 128;

/** Shape of a block of at most so many voxels: chunk-sized boxes, halved if they must, then grown along x, y, z. */
export function blockShape(shape: Zyx, mostVoxels: number): Zyx {
  const edges = shape.map((length) => Math.min(length, CHUNK_EDGE));
  const voxels = () => edges[0] * edges[1] * edges[2];
  for (const axis of [0, 1, 2]) {
    while (voxels() > mostVoxels && edges[axis] > 1) edges[axis] = Math.ceil(edges[axis] / 2);
  }
  for (const axis of [2, 1, 0]) {
    if (edges[axis] < CHUNK_EDGE) continue;
    const most = Math.floor(mostVoxels / (voxels() / edges[axis]));
    edges[axis] = most >= shape[axis] ? shape[axis] : Math.max(CHUNK_EDGE, most - (most % CHUNK_EDGE));
  }
  return [edges[0], edges[1], edges[2]];
}

/** Number of boxes that {@link cutIntoBoxes} yields. */
export function countBoxes(shape: Zyx, block: Zyx): number {
  return voxelCount([Math.ceil(shape[0] / block[0]), Math.ceil(shape[1] / block[1]), Math.ceil(shape[2] / block[2])]);
}

/**
 * The boxes of this shape, cut at the end, that make up a volume; z-slowest. One at a time: a header can claim a volume of more
 * boxes than memory holds.
 */
export function* cutIntoBoxes(shape: Zyx, block: Zyx): Generator<Box> {
  for (let z = 0; z < shape[0]; z += block[0]) {
    for (let y = 0; y < shape[1]; y += block[1]) {
      for (let x = 0; x < shape[2]; x += block[2]) {
        const end = [
          Math.min(z + block[0], shape[0]),
          Math.min(y + block[1], shape[1]),
          Math.min(x + block[2], shape[2]),
        ];
        yield { start: [z, y, x], end: [end[0], end[1], end[2]] };
      }
    }
  }
}

/**
 * The boxes that {@link cutIntoBoxes} yields, from the far end of the longest axis to its beginning, which is where tiles are
 * read first.
 */
export function* backwards(shape: Zyx, block: Zyx): Generator<Box> {
  const axis = longestAxis(shape);
  const edge = block[axis];
  for (let first = (Math.ceil(shape[axis] / edge) - 1) * edge; first >= 0; first -= edge) {
    const move = (corner: Zyx, by: number) => corner.map((at, i) => (i === axis ? at + by : at)) as unknown as Zyx;
    const beyond = Math.max(0, shape[axis] - first - edge);
    const layer = move(shape, -first - beyond);
    for (const { start, end } of cutIntoBoxes(layer, block)) yield { start: move(start, first), end: move(end, first) };
  }
}
