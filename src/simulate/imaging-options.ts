import { optional, type RulesFor, requireArgument, seedNumber, someNumber, text } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { Zyx } from '../space/grid.ts';
import { createRandom } from './random.ts';
import { cziiVoxelSize } from './species.ts';

/** The kinds of tomogram that can be simulated, with the competition's names. */
export const reconstructionFilters = ['denoised', 'ctfdeconvolved', 'wbp'] as const;

/**
 * The processing after reconstruction. `denoised`: by a network. `ctfdeconvolved`: contrast transfer divided out. `wbp`: none,
 * weighted back-projection only.
 */
export type ReconstructionFilter = (typeof reconstructionFilters)[number];

/** How a tomogram is imaged. */
export interface ImagingOptions {
  /** Noise relative to that of real tomograms of the same `filter`; 0 for none. @defaultValue 1 */
  readonly noise?: number | undefined;
  /** @defaultValue `'denoised'` */
  readonly filter?: ReconstructionFilter | undefined;
  /** First and last tilt about y, in degrees; directions outside are missing. @defaultValue `[-45, 45]`, as in the real data */
  readonly tiltRange?: readonly [number, number] | undefined;
  /** Angle between views, in degrees. @defaultValue 3 */
  readonly tiltStep?: number | undefined;
  /** Underfocus at the tilt axis, in µm. It changes by sin(tilt) across x, which is not corrected. @defaultValue 3 */
  readonly defocus?: number | undefined;
  /** Amplitude contrast as a fraction, 0 … 1. @defaultValue 0.07 */
  readonly amplitudeContrast?: number | undefined;
  /** Total dose in electrons per Å². The series goes from 0° outwards, so high tilts show the most damage. @defaultValue 120 */
  readonly dose?: number | undefined;
  /** Thickness of the ice, in Å, which weakens high tilts. @defaultValue the thickness of the scene's ice */
  readonly iceThickness?: number | undefined;
  /** Standard deviation of the alignment error of each view per direction, in Å. @defaultValue 4 */
  readonly alignmentError?: number | undefined;
  /** Standard deviation of a Gaussian that smooths the tomogram after its filter, in Å. @defaultValue 0 */
  readonly blur?: number | undefined;
  /** Factor on all grey values. @defaultValue 1 */
  readonly contrast?: number | undefined;
  /** Exponent of a curve on the grey values: above 1 emphasises strong values, below 1 weak ones. @defaultValue 1 */
  readonly curve?: number | undefined;
  /** Equal seeds give equal noise and alignment errors. @defaultValue 0 */
  readonly seed?: number | undefined;
}

/** {@link ImagingOptions} with all defaults filled in. */
export type Imaging = { readonly [K in keyof ImagingOptions]-?: NonNullable<ImagingOptions[K]> };

/** Thickness, in Å, of the ice that the competition's ground truth fills. */
const cziiIceThickness = 1350;

/** What the options of imaging must be; {@link checkImaging} checks their ranges. */
export const imagingRules: RulesFor<ImagingOptions> = {
  noise: /* @__PURE__ */ optional(someNumber),
  filter: /* @__PURE__ */ optional(text),
  tiltRange: {
    expected: 'first and last tilt, in degrees',
    isValid: (value) =>
      value === undefined || (Array.isArray(value) && value.every((tilt) => typeof tilt === 'number')),
  },
  tiltStep: /* @__PURE__ */ optional(someNumber),
  defocus: /* @__PURE__ */ optional(someNumber),
  amplitudeContrast: /* @__PURE__ */ optional(someNumber),
  dose: /* @__PURE__ */ optional(someNumber),
  iceThickness: /* @__PURE__ */ optional(someNumber),
  alignmentError: /* @__PURE__ */ optional(someNumber),
  blur: /* @__PURE__ */ optional(someNumber),
  contrast: /* @__PURE__ */ optional(someNumber),
  curve: /* @__PURE__ */ optional(someNumber),
  seed: /* @__PURE__ */ optional(seedNumber),
};

/** Fills in defaults. @throws {@link CryoetPicksError} `invalid-option` for a value that is not valid. */
export function checkImaging(options: ImagingOptions): Imaging {
  const imaging: Imaging = {
    noise: options.noise ?? 1,
    filter: options.filter ?? 'denoised',
    tiltRange: options.tiltRange ?? [-45, 45],
    tiltStep: options.tiltStep ?? 3,
    defocus: options.defocus ?? 3,
    amplitudeContrast: options.amplitudeContrast ?? 0.07,
    dose: options.dose ?? 120,
    iceThickness: options.iceThickness ?? cziiIceThickness,
    alignmentError: options.alignmentError ?? 4,
    blur: options.blur ?? 0,
    contrast: options.contrast ?? 1,
    curve: options.curve ?? 1,
    seed: options.seed ?? 0,
  };
  const { tiltRange, filter } = imaging;
  const [first, last] = tiltRange;
  if (!reconstructionFilters.includes(filter))
    fail(`filter must be one of ${reconstructionFilters.join(', ')}, found ${filter}`);
  if (!(tiltRange.length === 2 && first >= -90 && first < last && last <= 90)) {
    fail(`tiltRange must rise within −90° … 90°, found [${tiltRange.join(', ')}]`);
  }
  for (const name of ['noise', 'dose', 'iceThickness', 'alignmentError', 'blur'] as const) {
    if (!(imaging[name] >= 0 && Number.isFinite(imaging[name]))) {
      fail(`${name} must be a number ≥ 0, found ${imaging[name]}`);
    }
  }
  for (const name of ['tiltStep', 'contrast', 'curve'] as const) {
    if (!(imaging[name] > 0 && Number.isFinite(imaging[name]))) {
      fail(`${name} must be a number > 0, found ${imaging[name]}`);
    }
  }
  if (!(imaging.tiltStep >= 0.1)) fail(`tiltStep must be at least 0.1°, found ${imaging.tiltStep}`);
  if (!Number.isFinite(imaging.defocus)) fail(`defocus must be finite, in µm, found ${imaging.defocus}`);
  if (!(imaging.amplitudeContrast >= 0 && imaging.amplitudeContrast <= 1)) {
    fail(`amplitudeContrast must be from 0 to 1, found ${imaging.amplitudeContrast}`);
  }
  if (!Number.isSafeInteger(imaging.seed)) fail(`expected a whole number as seed, found ${imaging.seed}`);
  return imaging;
}

function fail(message: string): never {
  throw new CryoetPicksError('invalid-option', message);
}

/** Random options for one tomogram. */
export type RandomImaging = Imaging & { readonly voxelSize: Zyx };

/** How often tomograms of each kind are drawn; mostly denoised ones, which the competition is about. */
const filterShares: readonly (readonly [ReconstructionFilter, number])[] = [
  ['denoised', 0.6],
  ['ctfdeconvolved', 0.15],
  ['wbp', 0.25],
];

/**
 * How far noise is drawn from the real level, as a factor: from nearly none to where a person sees no small particle. Denoising
 * hides what a tomogram without it shows.
 */
const noiseRange: Readonly<Record<ReconstructionFilter, readonly [least: number, most: number]>> = {
  denoised: [1 / 3, 2.5],
  ctfdeconvolved: [1 / 4, 4],
  wbp: [1 / 4, 4],
};

/** How often tomograms are smoothed, and how much at most, in Å. */
const smoothing = { share: 0.4, most: 18 } as const;

/**
 * Draws random imaging options, for training data that vary more than real data: noise, filter, defocus, amplitude contrast,
 * tilts, dose, alignment, thickness of the ice, smoothing, contrast, grey-level curve, and a voxel size ±5 %.
 *
 * Spread the result into the options of {@link simulateTomogram}; options given after it take precedence. Equal seeds give equal
 * options, including the tomogram's own `seed`.
 *
 * @example
 * ```ts
 * const { volume, picks } = await simulateTomogram({ ...randomImaging(7), shape: [64, 256, 256] });
 * ```
 */
export function randomImaging(seed: number): RandomImaging {
  requireArgument('randomImaging', 'seed', seed, seedNumber);
  const random = createRandom(seed, 8);
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  /** As likely in each part of a range as in another of the same ratio. */
  const factorBetween = (low: number, high: number) => low * (high / low) ** random.uniform();
  const scale = between(0.95, 1.05);
  const half = between(40, 60);
  const skewed = between(-5, 5);
  const filter = drawFilter(random.uniform());
  return {
    seed,
    voxelSize: cziiVoxelSize.map((size) => size * scale) as unknown as Zyx,
    filter,
    noise: factorBetween(...noiseRange[filter]),
    tiltRange: [-half + skewed, half + skewed],
    tiltStep: random.uniform() < 0.7 ? 3 : 2,
    defocus: between(2, 5),
    amplitudeContrast: between(0.05, 0.12),
    dose: between(80, 160),
    iceThickness: between(700, 1900),
    alignmentError: between(0, 8),
    blur: random.uniform() < smoothing.share ? between(0, smoothing.most) : 0,
    contrast: factorBetween(1 / 2, 2),
    curve: factorBetween(1 / 1.25, 1.25),
  };
}

function drawFilter(share: number): ReconstructionFilter {
  let left = share;
  for (const [filter, weight] of filterShares) {
    left -= weight;
    if (left < 0) return filter;
  }
  return 'denoised';
}
