/**
 * Weighted sums along one axis: output i is the sum of `weights[k] · input[indices[k]]` for k from `first[i]` to
 * `first[i + 1]`; the weights of an output sum to 1.
 */
export interface Taps {
  readonly first: Int32Array;
  readonly indices: Int32Array;
  readonly weights: Float64Array;
  /** The inputs that are needed: from `start`, up to but without `end`. */
  readonly start: number;
  readonly end: number;
}

/** An axis that is resampled. */
export interface ResampledAxis {
  /** Voxels of the input. */
  readonly length: number;
  /** Voxels of the input per voxel of the output. */
  readonly factor: number;
}

/**
 * The taps of the outputs `from … to − 1` of an axis whose first faces coincide. Where voxels grow, the mean over what each
 * covers; where they shrink, linear interpolation between centres, the outermost held.
 */
export function tapsOf(axis: ResampledAxis, [from, to]: readonly [from: number, to: number]): Taps {
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

/** A sliver of a voxel thinner than this is rounding of the factor. */
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
  // A neighbour of no weight must not be read: its NaN would count.
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

/** Contiguous numbers seen as `[outer, along, inner]`, `along` being the axis to work on. */
export interface AxisLayout {
  readonly outer: number;
  readonly along: number;
  readonly inner: number;
}

/** Applies taps along the middle axis of `[outer, along, inner]`; the input starts at index `taps.start` of the axis. */
export function applyTaps(input: Float32Array, layout: AxisLayout, taps: Taps): Float32Array {
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

/** The same where the axis is the fastest. */
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
