import { CryoetPicksError } from '../core/errors.ts';
import type { Zyx } from '../space/zyx.ts';
import { createRandom } from './random.ts';
import { cziiVoxelSize } from './species.ts';

/** Kinds of tomogram that can be imitated, named as the competition names its own. */
export const reconstructionFilters = ['denoised', 'ctfdeconvolved', 'wbp'] as const;

/**
 * What was done to a tomogram after its reconstruction: `denoised` by a network, `ctfdeconvolved`: contrast transfer
 * divided out, `wbp`: nothing, as weighted back-projection left it.
 */
export type ReconstructionFilter = (typeof reconstructionFilters)[number];

/** How a tomogram is imaged; every one of these may differ between tomograms of one project. */
export interface ImagingOptions {
  /** Noise relative to that of real tomograms of the same `filter`; 0 for none. @defaultValue 1 */
  readonly noise?: number | undefined;
  /** @defaultValue `'denoised'` */
  readonly filter?: ReconstructionFilter | undefined;
  /** First and last tilt about y, in degrees; what no view has seen is missing. @defaultValue `[-45, 45]`, the real data's */
  readonly tiltRange?: readonly [number, number] | undefined;
  /** Degrees from view to view. @defaultValue 3 */
  readonly tiltStep?: number | undefined;
  /** Underfocus at the tilt axis, in µm. It changes by sin(tilt) across x, and nobody corrected that. @defaultValue 3 */
  readonly defocus?: number | undefined;
  /** Share of the contrast that needs no defocus, 0 … 1. @defaultValue 0.07 */
  readonly amplitudeContrast?: number | undefined;
  /** Electrons per Å² of the whole series, taken from 0° outwards: high tilts have seen most damage. @defaultValue 120 */
  readonly dose?: number | undefined;
  /** Thickness of the ice, in Å: high tilts look through more of it. @defaultValue the thickness of the scene's ice */
  readonly iceThickness?: number | undefined;
  /** Error of the alignment of each view, in Å: a standard deviation per direction. @defaultValue 4 */
  readonly alignmentError?: number | undefined;
  /** Factor on all grey values. @defaultValue 1 */
  readonly contrast?: number | undefined;
  /** Exponent of a curve on the grey values: above 1 strong ones gain, below 1 weak ones. @defaultValue 1 */
  readonly curve?: number | undefined;
  /** Equal seeds give equal noise and alignment errors. @defaultValue 0 */
  readonly seed?: number | undefined;
}

/** {@link ImagingOptions} with nothing left open. */
export type Imaging = { readonly [K in keyof ImagingOptions]-?: NonNullable<ImagingOptions[K]> };

/** Ice of the competition's tomograms as their truth fills it, in Å. */
export const cziiIceThickness = 1350;

/** Fills in defaults. @throws {@link CryoetPicksError} `invalid-option` for what cannot be. */
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
  for (const name of ['noise', 'dose', 'iceThickness', 'alignmentError'] as const) {
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

/** Options for one tomogram imaged unlike the next. */
export type RandomImaging = Imaging & { readonly voxelSize: Zyx };

/** How often tomograms of each kind are drawn: denoised ones are what the competition asks about. */
const filterShares: readonly (readonly [ReconstructionFilter, number])[] = [
  ['denoised', 0.7],
  ['ctfdeconvolved', 0.15],
  ['wbp', 0.15],
];

/**
 * Draws how a tomogram is imaged, for training data wide enough to hold the real ones: noise, filter, defocus, amplitude
 * contrast, tilts, dose, alignment, thickness of the ice, contrast, grey-level curve, and a voxel size ±5 %.
 *
 * Plain options, to be spread into those of {@link simulateTomogram}; what is named after them wins. Equal seeds give equal
 * options, and the tomogram's own `seed` among them.
 *
 * @example
 * ```ts
 * const { volume, picks } = await simulateTomogram({ ...randomImaging(7), shape: [64, 256, 256] });
 * ```
 */
export function randomImaging(seed: number): RandomImaging {
  const random = createRandom(seed, 8);
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  /** As likely between 1/2 and 1 as between 1 and 2. */
  const factor = (most: number) => most ** between(-1, 1);
  const scale = between(0.95, 1.05);
  const half = between(40, 60);
  const skewed = between(-5, 5);
  return {
    seed,
    voxelSize: cziiVoxelSize.map((size) => size * scale) as unknown as Zyx,
    filter: drawFilter(random.uniform()),
    noise: factor(2),
    tiltRange: [-half + skewed, half + skewed],
    tiltStep: random.uniform() < 0.7 ? 3 : 2,
    defocus: between(2, 5),
    amplitudeContrast: between(0.05, 0.12),
    dose: between(80, 160),
    iceThickness: between(700, 1900),
    alignmentError: between(0, 8),
    contrast: factor(2),
    curve: factor(1.25),
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
