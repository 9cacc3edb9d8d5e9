import type { Steps } from '../core/concurrency.ts';
import type { Zyx } from '../space/zyx.ts';
import type { Imaging, ReconstructionFilter } from './imaging-options.ts';
import { createRandom } from './random.ts';

/** Electron wavelength at 300 kV, in Å. */
const wavelength = 0.0197;

/** Table entries per Å⁻² of squared frequency. */
const steps = 200_000;

/** Maximum tabulated squared frequency, in Å⁻²; voxels of 2 Å need 3/16 Å⁻². */
const largestSquared = 0.2;

/** Parameters of a filter: its Wiener constant at k = 0, how it grows with k (Å), and a Gaussian blur (Å). */
const filters: Readonly<Record<ReconstructionFilter, { floor: number; growth: number; blur: number }>> = {
  denoised: { floor: 0.008, growth: 0, blur: 8 },
  // Assumes that signal over noise falls by a factor e every 1/30 Å⁻¹, so that high frequencies are not amplified.
  ctfdeconvolved: { floor: 0.006, growth: 110, blur: 4 },
  wbp: { floor: Number.POSITIVE_INFINITY, growth: 0, blur: 3 },
};

/** Functions of the squared frequency, tabulated: index by `Math.round(k² · steps)`. */
export interface Transfer {
  readonly steps: number;
  /** Contrast transfer, filtered, blurred. */
  readonly signal: Float64Array;
  /** Change of `signal` per Å of defocus. */
  readonly perDefocus: Float64Array;
  /** The filter's factor for noise. */
  readonly noise: Float64Array;
  /** Exponent of damage and dose weighting after the whole dose. */
  readonly damage: Float64Array;
}

/**
 * Contrast transfer combined with the tomogram's filter; damage as measured by T. Grant and N. Grigorieff
 * (eLife 4, e06980, 2015): strength falls as exp(−N / 2Nₑ) with the dose N, Nₑ = 0.245 k^−1.665 + 2.81. It is applied
 * twice: as damage of the specimen and as dose weighting of the views.
 */
export function transferTable({ defocus, amplitudeContrast, filter, dose }: Imaging): Transfer {
  const { floor, growth, blur } = filters[filter];
  const phaseContrast = Math.sqrt(1 - amplitudeContrast ** 2);
  const length = steps * largestSquared;
  const tables = [0, 1, 2, 3].map(() => new Float64Array(length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const [signal, perDefocus, noise, damage] = tables;
  for (let i = 0; i < length; i++) {
    const squared = i / steps;
    const turn = Math.PI * wavelength * squared;
    const phase = turn * defocus * 1e4;
    const contrast = phaseContrast * Math.sin(phase) + amplitudeContrast * Math.cos(phase);
    const slope = phaseContrast * Math.cos(phase) - amplitudeContrast * Math.sin(phase);
    const k = Math.sqrt(squared);
    const restore = Number.isFinite(floor) ? contrast / (contrast ** 2 + floor * Math.exp(growth * k)) : 1;
    const blurred = restore * Math.exp(-2 * Math.PI ** 2 * blur ** 2 * squared);
    signal[i] = contrast * blurred;
    perDefocus[i] = turn * slope * blurred;
    noise[i] = filter === 'denoised' ? 1 : Math.abs(blurred);
    damage[i] = k === 0 ? 0 : dose / (0.245 * k ** -1.665 + 2.81);
  }
  return { steps, signal, perDefocus, noise, damage };
}

/** Degrees over which the wedge's edge fades. */
const wedgeEdge = 2;

/**
 * Thickness of ice, in Å, that weakens a view by a factor e. The mean free path of electrons at 300 kV is about 3000 Å;
 * this value is fitted to the real planes, whose high tilts are weaker than mean free path and dose explain.
 */
const attenuation = 1800;

/** The Fourier transform that a filter is applied to. */
export interface FilterGeometry {
  /** Transform lengths along z, y, x. */
  readonly lengths: Zyx;
  readonly voxelSize: Zyx;
}

/** The tilt series per direction: plain numbers per kx and kz, `[kx][kz]`. */
export interface Views {
  /** How strongly a direction was sampled: 0 in the missing wedge, less at high tilts because of thicker ice. */
  readonly strength: Float64Array;
  /** Fraction of the total dose before a direction was sampled, 0 … 1. */
  readonly dose: Float64Array;
  /** Sine of the tilt that sampled a direction. */
  readonly sine: Float64Array;
  /** Index of the view that sampled it. */
  readonly view: Uint16Array;
  /** Phase factors of that view's alignment error across the tilt axis, real and imaginary parts interleaved. */
  readonly shift: Float64Array;
  /** Alignment error of each view along the tilt axis, in Å. */
  readonly shiftY: Float64Array;
}

/** How the views of a tilt series sample each direction. A view at tilt θ samples the direction θ away from kx. */
export function* tiltViews({ lengths, voxelSize }: FilterGeometry, imaging: Imaging): Steps<Views> {
  const [first, last] = imaging.tiltRange;
  const count = Math.floor((last - first) / imaging.tiltStep) + 1;
  const random = createRandom(imaging.seed, 4);
  const draw = () => Float64Array.from({ length: count }, () => imaging.alignmentError * random.normal());
  const [across, shiftY] = [draw(), draw()];
  const size = lengths[2] * lengths[0];
  const [strength, dose, sine] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
  const view = new Uint16Array(size);
  const shift = new Float64Array(2 * size);
  const furthest = Math.max(Math.abs(first), Math.abs(last));
  for (let i = 0, at = 0; i < lengths[2]; i++) {
    const x = frequency(i, lengths[2], voxelSize[2]);
    for (let k = 0; k < lengths[0]; k++, at++) {
      const z = frequency(k, lengths[0], voxelSize[0]);
      // The axis itself, kx = kz = 0, is in every view.
      const tilt = x === 0 && z === 0 ? 0 : (Math.atan(z / x) * 180) / Math.PI;
      const radians = (tilt * Math.PI) / 180;
      const edge = Math.min(1, Math.max(0, Math.min(tilt - first, last - tilt) / wedgeEdge));
      const path = imaging.iceThickness * (1 / Math.max(0.05, Math.cos(radians)) - 1);
      strength[at] = edge * Math.exp(-path / attenuation);
      dose[at] = Math.abs(tilt) / furthest;
      sine[at] = Math.sin(radians);
      view[at] = Math.min(count - 1, Math.max(0, Math.round((tilt - first) / imaging.tiltStep)));
      // Along the axis of the view, with the sign of kx: opposite frequencies get opposite phases.
      const phase = -2 * Math.PI * Math.sign(x) * Math.hypot(x, z) * across[view[at]!]!;
      shift[2 * at] = Math.cos(phase);
      shift[2 * at + 1] = Math.sin(phase);
    }
    yield;
  }
  return { strength, dose, sine, view, shift, shiftY };
}

/** Squared frequency, in Å⁻², of every index of a transform. */
export function squaredFrequencies(length: number, voxelSize: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => frequency(i, length, voxelSize) ** 2);
}

/** Frequency, in Å⁻¹, of an index of a transform; the upper half of the indices are negative frequencies. */
export function frequency(index: number, length: number, voxelSize: number): number {
  return (index <= length / 2 ? index : index - length) / (length * voxelSize);
}
