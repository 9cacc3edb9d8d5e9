import {
  intensity as intensityRule,
  oneOf,
  optional,
  type Rule,
  requireArgument,
  requireOptions,
  someNumber,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Intensity, quantile } from './intensity.ts';

/**
 * Normalises the voxels of a tile before they enter a network, and returns as many. It may work in place.
 *
 * Those of this library work in place and give a voxel that is not finite the value that the volume's mean gets.
 */
export interface Normalize {
  (voxels: Float32Array): Float32Array;
  /** True if each voxel's result depends on that voxel alone, so that a tile may be normalised in pieces. @defaultValue false */
  readonly pointwise?: boolean | undefined;
}

const float32Array: Rule = { expected: 'a Float32Array', isValid: (value) => value instanceof Float32Array };

/** A pointwise normalisation that works in place. */
function pointwise(work: (voxels: Float32Array) => void): Normalize {
  const normalize = (voxels: Float32Array) => {
    if (!(voxels instanceof Float32Array)) requireArgument('normalize', 'voxels', voxels, float32Array);
    work(voxels);
    return voxels;
  };
  return Object.assign(normalize, { pointwise: true });
}

/**
 * Shifts and scales voxels to mean 0 and standard deviation 1 over the volume; voxels that are not finite become 0.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if all voxels are equal.
 *
 * @example
 * ```ts
 * const normalize = zScore(await measureIntensity(tomogram));
 * ```
 */
export function zScore(intensity: Intensity): Normalize {
  requireContrast(intensity, 'zScore');
  const { mean, standardDeviation } = intensity;
  // A division takes several times as long as a multiplication.
  const scale = 1 / standardDeviation;
  return pointwise((voxels) => {
    for (let i = 0; i < voxels.length; i++) {
      const voxel = voxels[i];
      voxels[i] = voxel - voxel === 0 ? (voxel - mean) * scale : 0;
    }
  });
}

/** Options of {@link clipToQuantiles}. */
export interface QuantileOptions {
  /** @defaultValue 0.01 */
  readonly low?: number | undefined;
  /** @defaultValue 0.99 */
  readonly high?: number | undefined;
}

/**
 * Maps the range between two quantiles of the volume to 0 … 1, and clips voxels outside it.
 *
 * @throws {@link CryoetPicksError} `invalid-option` unless 0 ≤ low < high ≤ 1; `corrupt-data` if both quantiles are equal.
 */
export function clipToQuantiles(intensity: Intensity, options: QuantileOptions = {}): Normalize {
  const rules = { low: optional(someNumber), high: optional(someNumber) };
  const { low = 0.01, high = 0.99 } = requireOptions('clipToQuantiles', options, rules);
  if (!(low >= 0 && low < high && high <= 1)) {
    throw new CryoetPicksError('invalid-option', `quantiles must be 0 ≤ low < high ≤ 1, found ${low} and ${high}`);
  }
  requireContrast(intensity, 'clipToQuantiles');
  const minimum = quantile(intensity, low);
  const range = quantile(intensity, high) - minimum;
  if (!(range > 0)) {
    throw new CryoetPicksError(
      'corrupt-data',
      `quantiles ${low} and ${high} of the volume are both ${minimum}, so the range between them is empty; ` +
        `its voxels range from ${intensity.minimum} to ${intensity.maximum}: choose wider quantiles`,
    );
  }
  return scaled({ mean: intensity.mean, low: minimum, range });
}

/** Maps the volume's minimum and maximum to 0 and 1. @throws {@link CryoetPicksError} `corrupt-data` if all voxels are equal. */
export function minMax(intensity: Intensity): Normalize {
  requireContrast(intensity, 'minMax');
  const { mean, minimum, maximum } = intensity;
  return scaled({ mean, low: minimum, range: maximum - minimum });
}

/** Leaves finite voxels unchanged and sets the others to 0. */
export const noNormalization: Normalize = /* @__PURE__ */ pointwise((voxels) => {
  for (let i = 0; i < voxels.length; i++) if (voxels[i] - voxels[i] !== 0) voxels[i] = 0;
});

/**
 * Returns the normalisation that a model card names.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if all voxels of the volume are equal and the normalisation needs contrast.
 */
export function normalizerFor(name: 'z-score' | 'quantiles' | 'min-max' | 'none', intensity: Intensity): Normalize {
  requireArgument('normalizerFor', 'name', name, oneOf('z-score', 'quantiles', 'min-max', 'none'));
  switch (name) {
    case 'z-score':
      return zScore(intensity);
    case 'quantiles':
      return clipToQuantiles(intensity);
    case 'min-max':
      return minMax(intensity);
    default:
      return noNormalization;
  }
}

function requireContrast(intensity: Intensity, call: string): void {
  requireArgument(call, 'intensity', intensity, intensityRule);
  const { minimum, maximum, count } = intensity;
  // Rounding makes the deviation of a constant volume a little more than 0.
  if (minimum < maximum) return;
  throw new CryoetPicksError(
    'corrupt-data',
    `cannot normalise the volume: every one of its ${count} voxels is ${minimum}; ` +
      'is the tomogram empty, or are its chunks missing?',
  );
}

interface Scaling {
  readonly mean: number;
  /** The value that becomes 0. */
  readonly low: number;
  /** The difference that becomes 1; results beyond 0 and 1 are clipped. */
  readonly range: number;
}

function scaled({ mean, low, range }: Scaling): Normalize {
  const scale = 1 / range;
  return pointwise((voxels) => {
    for (let i = 0; i < voxels.length; i++) {
      const voxel = voxels[i];
      const value = ((voxel - voxel === 0 ? voxel : mean) - low) * scale;
      voxels[i] = value < 0 ? 0 : value > 1 ? 1 : value;
    }
  });
}
