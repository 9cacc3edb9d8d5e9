import type { Zyx } from '../space/zyx.ts';
import { competitionVoxelSize } from './counts.ts';
import type { Imaging, TomogramFilter } from './imaging-options.ts';
import { createRandom } from './random.ts';

/** Options for one tomogram imaged unlike the next. */
export type RandomImaging = Imaging & { readonly voxelSize: Zyx };

/** How often tomograms of each kind are drawn: denoised ones are what the competition asks about. */
const filterShares: readonly (readonly [TomogramFilter, number])[] = [
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
    voxelSize: competitionVoxelSize.map((size) => size * scale) as unknown as Zyx,
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

function drawFilter(share: number): TomogramFilter {
  let left = share;
  for (const [filter, weight] of filterShares) {
    left -= weight;
    if (left < 0) return filter;
  }
  return 'denoised';
}
