import { abortSignal, optional, type Rule, requireArgument, requireOptions, stream } from '../core/arguments.ts';
import type { ScoreSlab, ScoreVolume } from '../tiles/blend.ts';
import { type Plane, type PlaneSweep, planesOf, type SlabPlane, type SweepPlane } from './planes.ts';

/** Options of {@link smoothed}. */
export interface SmoothedOptions {
  /** Standard deviation of the Gaussian in Å, the same along all axes. */
  readonly sigma: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Smooths scores with a Gaussian while slabs stream through, so that noise makes fewer peaks.
 *
 * As `scipy.ndimage.gaussian_filter` does: cut off at four standard deviations, and mirrored at the faces of the volume
 * (`reflect`). σ is in Å, so on an anisotropic grid it is another number of voxels along each axis. A score that is not a
 * number spoils all scores in reach. Offsets are passed on as they are. Holds 8 σ of planes per class, whatever the
 * length of the sweep.
 *
 * @param slabs - Scores `[class, z, y, x]`, consecutive along the sweep axis, without gaps, from the first plane to the
 *   last. They are read, not written, and released.
 * @returns Slabs of one plane each, along the same axis; each belongs to the caller.
 * @throws {@link CryoetPicksError} `invalid-option` if sigma is negative or not finite, or slabs leave a gap or end early.
 *
 * @example
 * ```ts
 * const peaks = localMaxima(smoothed(slabs, { sigma: 10 }), { threshold: 0.2 });
 * ```
 */
export async function* smoothed(
  slabs: AsyncIterable<ScoreSlab> | Iterable<ScoreSlab>,
  options: SmoothedOptions,
): AsyncGenerator<ScoreSlab> {
  requireArgument('smoothed', 'slabs', slabs, stream);
  const rules = { sigma: width, signal: optional(abortSignal) };
  const { sigma, signal } = requireOptions('smoothed', options, rules);
  let window: PlaneWindow | undefined;
  for await (const plane of planesOf('smoothed', slabs, signal)) {
    window ??= new PlaneWindow(plane, sigma);
    window.add(plane);
    yield* window.takeFinished();
  }
  if (window) yield* window.takeFinished();
}

/** Its weights are held, so that it cannot have any width; this is that of a hundred cells. */
const MAX_SIGMA = 1e7;
const width: Rule = {
  expected: `a length in Å from 0 to ${MAX_SIGMA}`,
  isValid: (value) => typeof value === 'number' && value >= 0 && value <= MAX_SIGMA,
};

/** The weights of a Gaussian at whole distances from its middle, one side, summing to 1 over both. */
function gaussianWeights(sigmaVoxels: number): Float64Array {
  const radius = Math.floor(4 * sigmaVoxels + 0.5);
  const weights = new Float64Array(radius + 1);
  for (let i = 0; i <= radius; i++) weights[i] = radius === 0 ? 1 : Math.exp(-0.5 * (i / sigmaVoxels) ** 2);
  const total = weights.reduce((sum, weight, i) => sum + (i === 0 ? weight : 2 * weight), 0);
  return weights.map((weight) => weight / total);
}

/** The planes in reach of the next one to be finished, smoothed along rows and columns already. */
class PlaneWindow {
  readonly #sweep: PlaneSweep;
  readonly #calibrationCurves: ScoreSlab['calibrationCurves'];
  readonly #along: Float64Array;
  readonly #rowWeights: Float64Array;
  readonly #columnWeights: Float64Array;
  readonly #length: number;
  readonly #size: number;
  /** A ring of planes, `[class, row, column]` each: plane i lies at i modulo the number of planes. */
  readonly #planes: Float64Array[];
  readonly #between: Float64Array;
  /** Offsets of planes that are not finished, oldest first. */
  readonly #offsets: (Float32Array | undefined)[] = [];
  #added = 0;
  #finished = 0;

  constructor({ sweep, calibrationCurves }: SweepPlane, sigma: number) {
    const { grid, axis, rowAxis, columnAxis, rows, columns, classes } = sweep;
    this.#sweep = sweep;
    this.#calibrationCurves = calibrationCurves;
    this.#along = gaussianWeights(sigma / grid.voxelSize[axis]);
    this.#rowWeights = gaussianWeights(sigma / grid.voxelSize[rowAxis]);
    this.#columnWeights = gaussianWeights(sigma / grid.voxelSize[columnAxis]);
    this.#length = grid.shape[axis];
    this.#size = classes.length * rows * columns;
    const held = Math.min(this.#length, 2 * this.#along.length - 1);
    this.#planes = Array.from({ length: held }, () => new Float64Array(this.#size));
    this.#between = new Float64Array(rows * columns);
  }

  add({ channels, offsets }: SweepPlane): void {
    this.#offsets.push(offsets && this.#copy(offsets));
    const { rows, columns } = this.#sweep;
    const target = this.#planes[this.#added % this.#planes.length];
    channels.forEach((plane, channel) => {
      smoothPlaneInto(plane, {
        rows,
        columns,
        rowWeights: this.#rowWeights,
        columnWeights: this.#columnWeights,
        between: this.#between,
        out: target.subarray(channel * rows * columns, (channel + 1) * rows * columns),
      });
    });
    this.#added++;
  }

  /** The planes whose neighbours in reach are all there. */
  *takeFinished(): Generator<ScoreSlab> {
    const radius = this.#along.length - 1;
    while (this.#finished < this.#added && Math.min(this.#finished + radius, this.#length - 1) < this.#added) {
      yield this.#finish(this.#finished);
      this.#finished++;
    }
  }

  #finish(index: number): ScoreSlab {
    const { grid, axis, classes } = this.#sweep;
    const data = new Float32Array(this.#size);
    const reach: [Float64Array, number][] = [];
    for (let d = 1 - this.#along.length; d < this.#along.length; d++) {
      const plane = this.#planes[foldIndex(index + d, this.#length) % this.#planes.length];
      reach.push([plane, this.#along[Math.abs(d)]]);
    }
    weightedSumInto(reach, data);
    const offsets = this.#offsets.shift();
    const scores = this.#volume(data, classes.length);
    const slab = { grid, axis, start: index, classes, scores, calibrationCurves: this.#calibrationCurves };
    return offsets ? { ...slab, offsets: this.#volume(offsets, 3) } : slab;
  }

  /** Channels `[channel, row, column]` as a volume of one plane. */
  #volume(data: Float32Array, channels: number): ScoreVolume {
    const { grid, axis, rowAxis, columnAxis, rows, columns } = this.#sweep;
    const shape: [number, number, number, number] = [channels, ...grid.shape];
    shape[axis + 1] = 1;
    const stride: [number, number, number, number] = [rows * columns, 0, 0, 0];
    stride[rowAxis + 1] = columns;
    stride[columnAxis + 1] = 1;
    return { data, shape, stride, offset: 0 };
  }

  #copy(planes: readonly SlabPlane[]): Float32Array {
    const { rows, columns } = this.#sweep;
    const copy = new Float32Array(planes.length * rows * columns);
    let at = 0;
    for (const { data, offset, rowStride, columnStride } of planes) {
      for (let row = 0; row < rows; row++) {
        for (let c = 0; c < columns; c++) copy[at++] = data[offset + row * rowStride + c * columnStride];
      }
    }
    return copy;
  }
}

/** What {@link smoothPlaneInto} works with: sizes, one-sided weights, and memory of `rows · columns` values each. */
export interface PlaneSmoothing {
  readonly rows: number;
  readonly columns: number;
  readonly rowWeights: Float64Array;
  readonly columnWeights: Float64Array;
  readonly between: Float64Array;
  readonly out: Float64Array;
}

/** Smooths a plane along its columns, then along its rows; mirrored at its edges. */
function smoothPlaneInto(plane: Plane, smoothing: PlaneSmoothing): void {
  const { rows, columns, rowWeights, columnWeights, between, out } = smoothing;
  const line = new Float64Array(columns + 2 * (columnWeights.length - 1));
  for (let row = 0; row < rows; row++) {
    padLine(plane, row, columns, line);
    smoothLine(line, columnWeights, between, row * columns, columns);
  }
  const radius = rowWeights.length - 1;
  out.fill(0);
  for (let row = 0; row < rows; row++) {
    for (let d = -radius; d <= radius; d++) {
      addScaled(between, foldIndex(row + d, rows) * columns, rowWeights[Math.abs(d)], out, row * columns, columns);
    }
  }
}

/** The sum of arrays, each times its weight. */
function weightedSumInto(parts: readonly (readonly [Float64Array, number])[], out: Float32Array): void {
  const sum = new Float64Array(out.length);
  for (const [values, weight] of parts) addScaled(values, 0, weight, sum, 0, sum.length);
  out.set(sum);
}

/** The index that an index beyond the ends stands for: … 1 0 | 0 1 … n−1 | n−1 n−2 …. */
function foldIndex(index: number, length: number): number {
  const period = 2 * length;
  const folded = ((index % period) + period) % period;
  return folded < length ? folded : period - 1 - folded;
}

/** A row with its mirror images at both ends. */
function padLine({ data, offset, rowStride, columnStride }: Plane, row: number, n: number, line: Float64Array): void {
  const radius = (line.length - n) / 2;
  const first = offset + row * rowStride;
  for (let i = 0; i < n; i++) line[radius + i] = data[first + i * columnStride];
  for (let i = 1; i <= radius; i++) {
    line[radius - i] = line[radius + foldIndex(-i, n)];
    line[radius + n - 1 + i] = line[radius + foldIndex(n - 1 + i, n)];
  }
}

function smoothLine(line: Float64Array, weights: Float64Array, out: Float64Array, offset: number, n: number): void {
  const radius = weights.length - 1;
  for (let i = 0; i < n; i++) {
    let sum = weights[0] * line[i + radius];
    for (let d = 1; d <= radius; d++) sum += weights[d] * (line[i + radius - d] + line[i + radius + d]);
    out[offset + i] = sum;
  }
}

function addScaled(
  values: Float64Array,
  from: number,
  weight: number,
  out: Float64Array,
  to: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) out[to + i] += weight * values[from + i];
}
