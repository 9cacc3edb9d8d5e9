import type { Progress } from '../async.ts';
import { CryoetPicksError } from '../errors.ts';
import type { VolumeSource } from './volume.ts';

/** Statistics of a volume's finite voxels: plain data. */
export interface Intensity {
  /** Number of finite voxels; the other fields are of these. */
  readonly count: number;
  /** Number of voxels that are NaN or infinite. */
  readonly notFinite: number;
  readonly mean: number;
  /** Of the population: the sum of squares is divided by `count`. */
  readonly standardDeviation: number;
  readonly minimum: number;
  readonly maximum: number;
  /** Every value that voxels round to, ascending: float32 rounded towards zero to 11 bits after the leading one. */
  readonly levels: Float32Array;
  /** Number of voxels of each level. */
  readonly counts: Float64Array;
}

/** Options of {@link measureIntensity}. */
export interface IntensityOptions {
  /**
   * Voxels read at once, as bytes of float32; two such blocks are held, or as many chunks as they make up.
   * @defaultValue 16 MiB
   */
  readonly blockBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/**
 * Measures mean, deviation, range and quantiles of a volume in one pass over its voxels.
 *
 * A source that names its chunks is read chunk by chunk (small ones several at a time), ahead, backwards along its longest
 * axis: the chunks that it still keeps in the end are those that tiles need first. Any other is read in boxes with edges at multiples of 128 voxels
 * where they can be. Mean and deviation are merged row by row (Chan et al. 1979), so a large offset costs no precision.
 * Timers, input and drawing get their turn every 15 ms.
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
  // Loaded with the first volume, so that a page that measures nothing never fetches it.
  const { passOver } = await import('./intensity-pass.ts');
  return passOver(source, options);
}

/**
 * The value below which a fraction `p` of the finite voxels lies, interpolated between ranks as numpy's default does.
 *
 * Exact for p = 0 and 1, and for whole numbers up to 4096 as uint8 data holds; else each rank is off by less than 2⁻¹¹ (0.05 %)
 * of itself, towards zero.
 *
 * @throws {@link CryoetPicksError} `invalid-option` unless 0 ≤ p ≤ 1.
 */
export function quantile({ count, minimum, maximum, levels, counts }: Intensity, p: number): number {
  if (!(p >= 0 && p <= 1)) {
    throw new CryoetPicksError('invalid-option', `a quantile is asked for between 0 and 1, found ${p}`);
  }
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
