import {
  abortSignal,
  count,
  finiteNumber,
  isFields,
  optional,
  positiveCount,
  type Rule,
  requireArgument,
  requireOptions,
  source as sourceRule,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Axis, formatZyx } from '../space/grid.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { contrastOf, readMean, toGrey } from './slice.ts';

/** The values that are shown black and white; white may be the lower one. */
export interface Contrast {
  readonly black: number;
  readonly white: number;
}

/** Options of {@link sliceImage}. */
export interface SliceImageOptions {
  /** The axis that the slice lies across: 0 (z), 1 (y) or 2 (x). */
  readonly axis: Axis;
  /** Index of the slice along that axis. */
  readonly index: number;
  /** How many planes it is the mean of, around `index`; fewer at the faces of the volume. @defaultValue 1 */
  readonly mean?: number | undefined;
  /**
   * Percentiles of the values of the slice that are shown black and white, from 0 to 100; or values, such as those of an earlier
   * slice, beside which this one is shown. @defaultValue [0.5, 99.5]
   */
  readonly contrast?: readonly [low: number, high: number] | Contrast | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A picture of a slice: what the constructor of `ImageData` takes, and the contrast that it is shown with. */
export interface SliceImage {
  /** Red, green, blue and opacity of each pixel, row by row. */
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  /** In voxels. */
  readonly width: number;
  readonly height: number;
  readonly contrast: Contrast;
}

/**
 * Reads a slice of a volume as a picture in grey, a pixel per voxel.
 *
 * Rows run along the first of the other two axes, columns along the second: a slice across z shows y down and x to the right, one
 * across y shows z down and x to the right, one across x z down and y to the right. Only the planes of the slice are read. Voxels
 * that are not finite are left out of the mean, and are transparent where no plane has another; a slice without any contrast is an
 * even grey.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for an index outside of the volume, or percentiles that are not in order; what
 *   reading throws.
 * @example
 * ```ts
 * const { data, width, height } = await sliceImage(tomogram, { axis: 0, index: 92, mean: 5 });
 * context.putImageData(new ImageData(data, width, height), 0, 0);
 * ```
 */
export async function sliceImage(source: VolumeSource, options: SliceImageOptions): Promise<SliceImage> {
  requireArgument('sliceImage', 'source', source, sourceRule);
  const {
    axis,
    index,
    mean = 1,
    contrast = [0.5, 99.5],
    signal,
  } = requireOptions('sliceImage', options, {
    axis: { expected: '0 (z), 1 (y) or 2 (x)', isValid: (value) => [0, 1, 2].includes(value as number) },
    index: count,
    mean: optional(positiveCount),
    contrast: contrastRule,
    signal: optional(abortSignal),
  });
  const { shape } = source.grid;
  if (index >= shape[axis]) {
    throw new CryoetPicksError(
      'invalid-option',
      `sliceImage: index ${index} along axis ${axis} lies outside of the volume of ${formatZyx(shape)} voxels`,
      { option: 'index' },
    );
  }
  const first = Math.max(0, index - Math.floor((mean - 1) / 2));
  const end = Math.min(shape[axis], index + Math.floor(mean / 2) + 1);
  const plane = await readMean(source, { axis, first, end, signal });
  const { black, white } = 'black' in contrast ? contrast : fromPercentiles(contrastOf([plane], fractions(contrast)));
  // An inverted picture is the negative of the other one.
  const grey = toGrey(plane, white < black ? [white, black] : [black, white]);
  const data = new Uint8ClampedArray(4 * grey.length);
  for (let i = 0; i < grey.length; i++) {
    if (Number.isNaN(plane.data[i])) continue;
    data.fill(white < black ? 255 - grey[i] : grey[i], 4 * i, 4 * i + 3);
    data[4 * i + 3] = 255;
  }
  return { data, width: plane.width, height: plane.height, contrast: { black, white } };
}

const fractions = ([low, high]: readonly [number, number]): readonly [number, number] => [low / 100, high / 100];
const fromPercentiles = ([black, white]: readonly [number, number]): Contrast => ({ black, white });

const contrastRule: Rule = {
  expected: 'two percentiles [low, high] with 0 ≤ low < high ≤ 100, or values { black, white }',
  isValid: (value) => {
    if (value === undefined) return true;
    if (Array.isArray(value)) {
      const [low, high, ...more] = value as unknown[];
      const isPercentile = (one: unknown) => typeof one === 'number' && one >= 0 && one <= 100;
      return more.length === 0 && isPercentile(low) && isPercentile(high) && (low as number) < (high as number);
    }
    const { black, white } = (isFields(value) ? value : {}) as Partial<Contrast>;
    return finiteNumber.isValid(black) && finiteNumber.isValid(white);
  },
};
