import type { Imaging, ReconstructionFilter } from './imaging-options.ts';

/** Electron wavelength at 300 kV, in Å. */
const wavelength = 0.0197;

/** Table entries per Å⁻² of squared frequency. */
const steps = 200_000;

/** Maximum tabulated squared frequency, in Å⁻²; voxels of 2 Å need 3/16 Å⁻². */
const largestSquared = 0.2;

/**
 * Parameters of a filter: its Wiener constant at k = 0, how it grows with k (Å), and a Gaussian blur (Å). A denoiser
 * restores low frequencies almost completely: particles are dark all through, not at their rims only.
 */
const filters: Readonly<Record<ReconstructionFilter, { floor: number; growth: number; blur: number }>> = {
  denoised: { floor: 0.0045, growth: 0, blur: 8 },
  // Assumes that signal over noise falls by a factor e every 1/30 Å⁻¹, so that high frequencies are not amplified.
  ctfdeconvolved: { floor: 0.006, growth: 110, blur: 4 },
  wbp: { floor: Number.POSITIVE_INFINITY, growth: 0, blur: 3 },
};

/**
 * What a denoising network fills into the missing wedge: this share of the lowest frequencies, a factor e less at this frequency
 * (Å⁻¹). An empty wedge leaves bright fringes beside particles along x, twice as bright as real ones.
 */
const wedgeFill = { share: 0.4, frequency: 1 / 100 } as const;

/** Frequency, in Å⁻¹, at which a denoiser has removed most of the noise: near the highest of the tomograms, and steeply. */
const noiseCut = 0.05;

/** Functions of the squared frequency, tabulated: index by `Math.round(k² · steps)`. */
export interface Transfer {
  readonly steps: number;
  /** Contrast transfer, filtered, blurred. */
  readonly signal: Float64Array;
  /** Change of `signal` per Å of defocus. */
  readonly perDefocus: Float64Array;
  /** The filter's factor for noise. */
  readonly noise: Float64Array;
  /** How strongly the denoiser fills in directions that no view sampled, relative to a view at 0° without damage. */
  readonly filled: Float64Array;
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
  const tables = [0, 1, 2, 3, 4].map(() => new Float64Array(length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const [signal, perDefocus, noise, filled, damage] = tables;
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
    noise[i] = filter === 'denoised' ? Math.exp(-((squared / noiseCut ** 2) ** 3)) : Math.abs(blurred);
    filled[i] = filter === 'denoised' ? wedgeFill.share * Math.exp(-squared / wedgeFill.frequency ** 2) : 0;
    damage[i] = k === 0 ? 0 : dose / (0.245 * k ** -1.665 + 2.81);
  }
  return { steps, signal, perDefocus, noise, filled, damage };
}
