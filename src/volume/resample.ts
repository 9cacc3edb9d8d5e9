import { requireArgument, source as sourceRule } from '../core/arguments.ts';
import { asVoxelSize, type Box, boxShape, requireInside, type VoxelGrid, voxelCount, type Zyx } from '../space/grid.ts';
import {
  contiguousVolume,
  copyVolumeInto,
  type ReadOptions,
  readInto,
  requireReadOptions,
  type Volume,
  type VolumeSource,
} from './volume.ts';

/**
 * Resamples a volume to another voxel size: a tomogram of 7.84 Å for a model that needs 10 Å.
 *
 * Each axis is resampled on its own. Where voxels grow, each is the mean of the voxels that it covers, weighted by their share,
 * so noise averages out and nothing aliases. Where they shrink, values are interpolated linearly between centres. The first
 * faces of both grids coincide, so the first centre moves by half the difference of the voxel sizes. The last voxel may stick
 * out of the volume; it is the mean of the part inside. Positions in Å do not change: picks found here fit the original.
 *
 * Reads are streamed, a few planes at a time, and nothing is kept. If `source` already has this voxel size, `source` itself is
 * returned.
 *
 * @param voxelSize - In Å, for all axes or along z, y, x.
 * @throws {@link CryoetPicksError} `invalid-option` unless the voxel size is above 0.
 *
 * @example
 * ```ts
 * const picks = await detectParticles(resampled(tomogram, model.spec.voxelSize), { model });
 * ```
 */
export function resampled(source: VolumeSource, voxelSize: number | Zyx): VolumeSource {
  requireArgument('resampled', 'source', source, sourceRule);
  const wanted = asVoxelSize(voxelSize);
  const axes = [
    axisOf(source.grid, wanted, 0),
    axisOf(source.grid, wanted, 1),
    axisOf(source.grid, wanted, 2),
  ] as const;
  if (axes.every(({ factor }) => factor === 1)) return source;
  const grid = resampledGrid(source.grid, axes, wanted);
  return {
    grid,
    warnings: () => source.warnings?.() ?? [],
    async read(box, options = {}) {
      const { signal, out } = requireReadOptions('resampled volume.read', options);
      signal?.throwIfAborted();
      requireInside(box, { shape: grid.shape, where: 'the resampled volume' });
      const volume = contiguousVolume(out ?? new Float32Array(voxelCount(boxShape(box))), boxShape(box));
      if (volume.data.length === 0) return volume;
      for (const slab of slabsOf(box, axes)) {
        const part = await readSlab(source, slab, { axes, signal });
        copyVolumeInto(part, volume, [slab.start[0] - box.start[0], 0, 0]);
      }
      return volume;
    },
  };
}

type Axes = readonly [ResampledAxis, ResampledAxis, ResampledAxis];

function axisOf({ shape, voxelSize }: VoxelGrid, wanted: Zyx, axis: 0 | 1 | 2): ResampledAxis {
  const factor = wanted[axis] / voxelSize[axis];
  return { length: shape[axis], factor: Math.abs(factor - 1) < 1e-9 ? 1 : factor };
}

/** Part of a voxel that may stay uncovered at the end, so that rounding errors add no extra voxel. */
const TOLERANCE = 1e-3;

function resampledGrid({ voxelSize, origin }: VoxelGrid, axes: Axes, wanted: Zyx): VoxelGrid {
  const count = ({ length, factor }: ResampledAxis) => Math.max(1, Math.ceil(length / factor - TOLERANCE));
  const shift = (axis: 0 | 1 | 2) => (wanted[axis] - voxelSize[axis]) / 2;
  return {
    shape: [count(axes[0]), count(axes[1]), count(axes[2])],
    voxelSize: wanted,
    origin: { x: origin.x + shift(2), y: origin.y + shift(1), z: origin.z + shift(0) },
  };
}

/** Maximum number of voxels of the source that are held at a time, unless a single plane needs more. */
const SLAB_VOXELS = 2 ** 22;

/** Cuts a box along z so that each part needs few voxels of the source. */
function* slabsOf({ start, end }: Box, axes: Axes): Generator<Box> {
  const width = (axis: 1 | 2) => (end[axis] - start[axis]) * Math.max(1, axes[axis].factor);
  const planes = SLAB_VOXELS / (width(1) * width(2));
  const step = Math.max(1, Math.floor(planes / Math.max(1, axes[0].factor)));
  for (let z = start[0]; z < end[0]; z += step) {
    yield { start: [z, start[1], start[2]], end: [Math.min(end[0], z + step), end[1], end[2]] };
  }
}

interface SlabOptions extends ReadOptions {
  readonly axes: Axes;
}

async function readSlab(source: VolumeSource, { start, end }: Box, { axes, signal }: SlabOptions): Promise<Volume> {
  const taps = axes.map((axis, i) => tapsOf(axis, [start[i]!, end[i]!])) as [Taps, Taps, Taps];
  const needed: Box = {
    start: [taps[0].start, taps[1].start, taps[2].start],
    end: [taps[0].end, taps[1].end, taps[2].end],
  };
  const [depth, height, width] = boxShape(needed);
  const shape = boxShape({ start, end });
  const input = new Float32Array(voxelCount(boxShape(needed)));
  await readInto(source, needed, input, { signal });
  // x, then y, then z: the first axes shrink the data, so the next ones have less to do.
  const alongX = applyTaps(input, { outer: depth * height, along: width, inner: 1 }, taps[2]);
  const alongY = applyTaps(alongX, { outer: depth, along: height, inner: shape[2] }, taps[1]);
  const alongZ = applyTaps(alongY, { outer: 1, along: depth, inner: shape[1] * shape[2] }, taps[0]);
  return contiguousVolume(alongZ, shape);
}

/**
 * Weighted sums along one axis: output i is the sum of `weights[k] · input[indices[k]]` for k from `first[i]` to
 * `first[i + 1]`; the weights of an output sum to 1.
 */
interface Taps {
  readonly first: Int32Array;
  readonly indices: Int32Array;
  readonly weights: Float64Array;
  /** The first input that is needed, and the first after it that is not. */
  readonly start: number;
  readonly end: number;
}

/** The factor between the input and the output along one axis. */
interface ResampledAxis {
  /** Voxels of the input along the axis. */
  readonly length: number;
  /** Voxels of the input per voxel of the output. */
  readonly factor: number;
}

/**
 * The taps of the outputs `from … to − 1` of an axis whose first faces coincide. Where voxels grow, they form the mean of the
 * inputs that an output covers; where voxels shrink, they interpolate linearly between centres. Beyond the outermost centres
 * the outermost value continues.
 */
function tapsOf(axis: ResampledAxis, [from, to]: readonly [from: number, to: number]): Taps {
  const first = new Int32Array(to - from + 1);
  const indices: number[] = [];
  const weights: number[] = [];
  for (let i = from; i < to; i++) {
    if (axis.factor > 1) addMean(axis, i, indices, weights);
    else addLinear(axis, i, indices, weights);
    first[i - from + 1] = indices.length;
  }
  const start = indices[0] ?? 0;
  return {
    first,
    indices: Int32Array.from(indices),
    weights: Float64Array.from(weights),
    start,
    end: (indices.at(-1) ?? -1) + 1,
  };
}

/** A sliver of a voxel thinner than this is a rounding error of the factor. */
const SLIVER = 1e-6;

function addMean({ length, factor }: ResampledAxis, i: number, indices: number[], weights: number[]): void {
  const low = i * factor;
  const high = Math.min((i + 1) * factor, length);
  const begin = indices.length;
  let covered = 0;
  for (let j = Math.min(Math.floor(low + SLIVER), length - 1); j < high - SLIVER; j++) {
    const weight = Math.min(high, j + 1) - Math.max(low, j);
    indices.push(j);
    weights.push(weight);
    covered += weight;
  }
  for (let k = begin; k < weights.length; k++) weights[k] = weights[k]! / covered;
}

function addLinear({ length, factor }: ResampledAxis, i: number, indices: number[], weights: number[]): void {
  const centre = Math.min(Math.max((i + 0.5) * factor - 0.5, 0), length - 1);
  const below = Math.floor(centre);
  const rest = centre - below;
  // A neighbour of weight 0 must not be read: 0 · NaN is NaN.
  if (rest < SLIVER || below === length - 1) {
    indices.push(below);
    weights.push(1);
  } else if (rest > 1 - SLIVER) {
    indices.push(below + 1);
    weights.push(1);
  } else {
    indices.push(below, below + 1);
    weights.push(1 - rest, rest);
  }
}

/** Shape of contiguous numbers as `[outer, along, inner]`, where `along` is the axis to work on. */
export interface AxisLayout {
  readonly outer: number;
  readonly along: number;
  readonly inner: number;
}

/** Applies taps along the middle axis of `[outer, along, inner]`; the input starts at index `taps.start` of the axis. */
function applyTaps(input: Float32Array, layout: AxisLayout, taps: Taps): Float32Array {
  if (layout.inner === 1) return applyTapsToRows(input, layout, taps);
  const { outer, along, inner } = layout;
  const { first, indices, weights, start } = taps;
  const outputs = first.length - 1;
  const out = new Float32Array(outer * outputs * inner);
  const sums = new Float64Array(inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < outputs; i++) {
      sums.fill(0);
      for (let k = first[i]; k < first[i + 1]; k++) {
        const weight = weights[k];
        const from = (o * along + indices[k] - start) * inner;
        for (let j = 0; j < inner; j++) sums[j] += weight * input[from + j];
      }
      out.set(sums, (o * outputs + i) * inner);
    }
  }
  return out;
}

/** {@link applyTaps} for the fastest axis. */
function applyTapsToRows(input: Float32Array, { outer, along }: AxisLayout, taps: Taps): Float32Array {
  const { first, indices, weights, start } = taps;
  const outputs = first.length - 1;
  const out = new Float32Array(outer * outputs);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    const row = o * along - start;
    for (let i = 0; i < outputs; i++) {
      let sum = 0;
      for (let k = first[i]; k < first[i + 1]; k++) sum += weights[k] * input[row + indices[k]];
      out[to++] = sum;
    }
  }
  return out;
}
