import {
  abortSignal,
  callback,
  intensity as intensityRule,
  optional,
  requireArgument,
  requireOptions,
  source as sourceRule,
} from '../core/arguments.ts';
import { forEachRange, mapOrdered, type Progress, type Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Box, formatZyx, longestAxis, voxelCount, type Zyx } from '../space/grid.ts';
import { readBox, type Volume, type VolumeSource } from './volume.ts';

/** Statistics of the finite voxels of a volume, as plain data. */
export interface Intensity {
  /** Number of finite voxels; all other fields but `notFinite` describe these. */
  readonly count: number;
  /** Number of voxels that are NaN or infinite. */
  readonly notFinite: number;
  readonly mean: number;
  /** Standard deviation of the population: the sum of squares is divided by `count`. */
  readonly standardDeviation: number;
  readonly minimum: number;
  readonly maximum: number;
  /** The values that occur, ascending, each voxel rounded towards zero to 11 bits after the leading one. */
  readonly levels: Float32Array;
  /** Number of voxels of each level. */
  readonly counts: Float64Array;
}

/** Options of {@link measureIntensity}. */
export interface IntensityOptions {
  /**
   * Size of a block that is read at once, in bytes of float32. Two blocks are held at a time, or the same bytes in chunks.
   * @defaultValue 16 MiB
   */
  readonly blockBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called for voxels that are not finite. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * Measures mean, deviation, range and quantiles of a volume in one pass over its voxels.
 *
 * Mean and deviation are merged row by row (Chan et al. 1979), so a large offset costs no precision. A source with a
 * `chunkShape` is read chunk by chunk, in reverse order along its longest axis, so that the chunks left in its cache are the ones
 * that the first tiles need. Other sources are read in boxes with edges at multiples of 128 voxels, where possible. Yields to the
 * event loop every 5 ms.
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
  requireArgument('measureIntensity', 'source', source, sourceRule);
  const {
    blockBytes = 2 ** 24,
    signal,
    onProgress,
    onWarning,
  } = requireOptions('measureIntensity', options, {
    blockBytes: optional({
      expected: 'at least 4, the size of a voxel',
      isValid: (value) => typeof value === 'number' && value >= 4,
    }),
    signal: optional(abortSignal),
    onProgress: optional(callback),
    onWarning: optional(callback),
  });
  const { shape } = source.grid;
  const { boxes, total, concurrency } = blocksOf(source, blockBytes);
  const sums = newSums();
  const lent = new Set<Volume>();
  const read = async (box: Box, stop: AbortSignal) => {
    const volume = await readBox(source, box, { signal: stop, lend: true });
    lent.add(volume);
    return volume;
  };
  let done = 0;
  try {
    for await (const volume of mapOrdered(boxes, read, { concurrency, signal })) {
      await addInPieces(volume, sums, signal);
      lent.delete(volume);
      volume.release?.();
      onProgress?.({ stage: 'intensity', done: ++done, total });
      signal?.throwIfAborted();
    }
  } finally {
    // `mapOrdered` has waited for the blocks that were read ahead.
    for (const volume of lent) volume.release?.();
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

/**
 * Returns the value below which a fraction `p` of the finite voxels lies, interpolated between ranks like numpy's default.
 *
 * Exact for p = 0 and 1, and for whole numbers up to 4096. Otherwise the value is too close to zero by less than 2⁻¹¹ (0.05 %)
 * of itself.
 *
 * @throws {@link CryoetPicksError} `invalid-option` unless 0 ≤ p ≤ 1.
 */
export function quantile(intensity: Intensity, p: number): number {
  requireArgument('quantile', 'intensity', intensity, intensityRule);
  requireArgument('quantile', 'p', p, {
    expected: 'between 0 and 1',
    isValid: (value) => typeof value === 'number' && value >= 0 && value <= 1,
  });
  const { count, minimum, maximum, levels, counts } = intensity;
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

/** Voxels that are added without yielding: a few milliseconds. */
const TURN_VOXELS = 2 ** 19;
/** Maximum number of blocks that are read ahead. */
const MAX_AHEAD = 16;

async function addInPieces(voxels: Volume, sums: Sums, signal: AbortSignal | undefined): Promise<void> {
  const [depth, height, width] = voxels.shape;
  const addPiece = (first: number, end: number) => {
    signal?.throwIfAborted();
    addRows(voxels, { first, end }, sums);
  };
  await forEachRange(depth * height, addPiece, Math.max(1, Math.floor(TURN_VOXELS / width)));
  signal?.throwIfAborted();
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
 * Shape of a block of whole chunks. It is at least one chunk, however large: the source holds it anyway, and lends a view of it.
 * Small chunks are joined up to `maxVoxels`, since reading each alone costs more than copying: along x, then y, then z, but
 * only within one layer across the longest axis, so that layers still come one after the other.
 */
function wholeChunks(shape: Zyx, chunkShape: Zyx, maxVoxels: number): Zyx {
  const block = chunkShape.map((edge, axis) => Math.min(edge, shape[axis]!)) as [number, number, number];
  for (const axis of [2, 1, 0].filter((one) => one !== longestAxis(shape))) {
    const chunks = Math.max(1, Math.floor(maxVoxels / voxelCount(block)));
    block[axis] = Math.min(block[axis]! * chunks, shape[axis]!);
    if (block[axis] < shape[axis]!) break;
  }
  return block;
}

/** Leading bits of a float32 that number a level of the histogram: sign, 8 of the exponent, 11 of the fraction. */
const LEVEL_BITS = 20;
const DROPPED_BITS = 32 - LEVEL_BITS;
const EXPONENT_BITS = 8;
const FRACTION_BITS = LEVEL_BITS - 1 - EXPONENT_BITS;

/** Statistics so far. All but the histogram describe finite voxels. */
interface Sums {
  count: number;
  mean: number;
  /** Sum of squared deviations from the mean. */
  squares: number;
  minimum: number;
  maximum: number;
  /** Number of voxels by their leading bits, including voxels that are not finite. */
  readonly histogram: Float64Array;
}

function newSums(): Sums {
  const histogram = new Float64Array(2 ** LEVEL_BITS);
  return { count: 0, mean: 0, squares: 0, minimum: Infinity, maximum: -Infinity, histogram };
}

/** Adds rows `first` to before `end` of a volume; rows run along x and are numbered z-slowest. */
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
 * Adds a row in one pass, as sums of deviations from the mean so far. The squares lose no precision: what the square of the
 * sum cancels is no more than what the distance of the two means adds.
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
  // The first row has no mean to start from, and a voxel that is not finite makes the sum NaN or infinite.
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

/**
 * Lists the levels that occur, ascending. An index of the histogram is sign, then magnitude. Only levels between the extremes are looked
 * at: those of a small tomogram would take less time than all there are.
 */
function pack({ histogram, minimum, maximum }: Sums): Pick<Intensity, 'levels' | 'counts' | 'notFinite'> {
  const negative = histogram.length / 2;
  const occurring: number[] = [];
  if (minimum <= 0) {
    // A minimum of 0 may stand for -0, which is the first negative level.
    const lowest = Math.max(negative, levelOf(minimum));
    for (let level = lowest; level >= negative; level--) if (histogram[level] > 0) occurring.push(level);
  }
  const highest = maximum >= 0 ? levelOf(maximum + 0) : -1;
  for (let level = 0; level <= highest; level++) if (histogram[level] > 0) occurring.push(level);
  let notFinite = 0;
  for (const end of [negative, histogram.length])
    for (let level = end - 2 ** FRACTION_BITS; level < end; level++) notFinite += histogram[level];
  const bits = new Uint32Array(occurring.length);
  const counts = new Float64Array(occurring.length);
  for (let i = 0; i < occurring.length; i++) {
    bits[i] = occurring[i] << DROPPED_BITS;
    counts[i] = histogram[occurring[i]];
  }
  return { notFinite, levels: new Float32Array(bits.buffer), counts };
}

/** The level of a value of float32. */
function levelOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0] >>> DROPPED_BITS;
}

/** A multiple of common chunk edges (32, 64, 128). */
const CHUNK_EDGE = 128;

/** Shape of a block of at most `maxVoxels`: a chunk-sized box, halved if necessary, then grown along x, y, z. */
export function blockShape(shape: Zyx, maxVoxels: number): Zyx {
  const edges = shape.map((length) => Math.min(length, CHUNK_EDGE));
  const voxels = () => edges[0] * edges[1] * edges[2];
  for (const axis of [0, 1, 2]) {
    while (voxels() > maxVoxels && edges[axis] > 1) edges[axis] = Math.ceil(edges[axis] / 2);
  }
  for (const axis of [2, 1, 0]) {
    if (edges[axis] < CHUNK_EDGE) continue;
    const length = Math.floor(maxVoxels / (voxels() / edges[axis]));
    edges[axis] = length >= shape[axis] ? shape[axis] : Math.max(CHUNK_EDGE, length - (length % CHUNK_EDGE));
  }
  return [edges[0], edges[1], edges[2]];
}

/** Number of boxes that {@link cutIntoBoxes} yields. */
export function countBoxes(shape: Zyx, block: Zyx): number {
  return voxelCount([Math.ceil(shape[0] / block[0]), Math.ceil(shape[1] / block[1]), Math.ceil(shape[2] / block[2])]);
}

/**
 * Cuts a volume into boxes of this shape, z-slowest; those at the end are smaller. Yields them one by one, since a header can
 * claim a volume of more boxes than fit into memory.
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
 * Yields the boxes of {@link cutIntoBoxes} in reverse order along the longest axis: tiles are read from its beginning, so they
 * find the last boxes in the cache.
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
