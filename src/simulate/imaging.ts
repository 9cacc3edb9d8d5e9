import type { Steps } from '../core/concurrency.ts';
import { type Transfer, transferTable } from './ctf.ts';
import { checkImaging, type ImagingOptions } from './imaging-options.ts';
import { addNoise, noiseColour, noiseLevels } from './noise.ts';
import { createRandom } from './random.ts';
import { frequency, type SpectrumLine, squaredFrequencies } from './spectrum.ts';
import { type FilterGeometry, tiltViews, type Views } from './tilt-series.ts';

/**
 * Applies the effects of microscope and reconstruction to the Fourier transform of a density: contrast transfer with a gradient
 * of defocus across x, damage by dose, thicker ice at high tilts, misaligned views, the missing wedge, the tomogram's filter,
 * coloured noise, and a blur of both.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for imaging options that are not valid.
 */
export function* imagingFilter(geometry: FilterGeometry, options: ImagingOptions): Steps<(line: SpectrumLine) => void> {
  const imaging = checkImaging(options);
  const { lengths, voxelSize } = geometry;
  const [kz, ky, kx] = [0, 1, 2].map((axis) => squaredFrequencies(lengths[axis]!, voxelSize[axis]!)) as Three;
  const views = yield* tiltViews(geometry, imaging);
  const transfer = transferTable(imaging);
  yield;
  const colour = yield* noiseColour(geometry, { views, transfer, filter: imaging.filter });
  const level = imaging.noise * noiseLevels[imaging.filter] * Math.sqrt(lengths[0] * lengths[1] * lengths[2]);
  const turns = new Float64Array(2 * views.shiftY.length);
  let random = createRandom(imaging.seed, 0);
  let drawnFor = -1;
  return ({ ky: j, kx: i, values, timesX, selfMirrored }) => {
    if (j !== drawnFor) {
      // A stream of random numbers per plane, so that the order of planes does not matter.
      random = createRandom(imaging.seed, 1000 + j);
      drawnFor = j;
      shiftTurns(turns, { shiftY: views.shiftY, ky: frequency(j, lengths[1], voxelSize[1]) });
    }
    const row = i * lengths[0];
    const kxy = ky[j] + kx[i];
    transferLine({ values, timesX }, { views, turns, row, transfer, kz, kxy, voxelX: voxelSize[2] });
    // These planes keep only one of two mirrored halves, and with it half of the noise.
    const gain = level * colour.scale * colour.alongY[j] * (selfMirrored ? Math.SQRT2 : 1);
    if (gain > 0) addNoise(values, { colour, transfer, row, gain, kz, kxy, random });
    if (imaging.blur > 0) blurLine(values, { blur: imaging.blur, kz, kxy });
  };
}

type Three = [Float64Array, Float64Array, Float64Array];

/** Phase factors of every view's alignment error along y, for one ky. */
function shiftTurns(turns: Float64Array, { shiftY, ky }: { readonly shiftY: Float64Array; readonly ky: number }): void {
  for (let view = 0; view < shiftY.length; view++) {
    const phase = -2 * Math.PI * ky * shiftY[view];
    turns[2 * view] = Math.cos(phase);
    turns[2 * view + 1] = Math.sin(phase);
  }
}

/** Multiplies a line of a spectrum by that of a Gaussian. */
function blurLine(
  values: Float64Array,
  { blur, kz, kxy }: { readonly blur: number; readonly kz: Float64Array; readonly kxy: number },
): void {
  for (let z = 0; z < kz.length; z++) {
    const factor = Math.exp(-2 * Math.PI ** 2 * blur ** 2 * (kz[z] + kxy));
    values[2 * z] *= factor;
    values[2 * z + 1] *= factor;
  }
}

interface LineTransfer {
  readonly views: Views;
  readonly turns: Float64Array;
  /** Where the line starts in the planes of the views. */
  readonly row: number;
  readonly transfer: Transfer;
  readonly kz: Float64Array;
  /** Squared frequency across the line. */
  readonly kxy: number;
  /** Å per voxel along x. */
  readonly voxelX: number;
}

function transferLine(
  { values, timesX }: Pick<SpectrumLine, 'values' | 'timesX'>,
  { views, turns, row, transfer, kz, kxy, voxelX }: LineTransfer,
): void {
  const { strength, dose, sine, view, shift } = views;
  const { steps, signal, perDefocus, filled, damage } = transfer;
  for (let z = 0, at = row; z < kz.length; z++, at++) {
    const step = Math.round((kz[z] + kxy) * steps);
    const weight = Math.max(strength[at] * Math.exp(-dose[at] * damage[step]), filled[step]);
    if (weight === 0) {
      values[2 * z] = 0;
      values[2 * z + 1] = 0;
      continue;
    }
    const turnRe = turns[2 * view[at]];
    const turnIm = turns[2 * view[at] + 1];
    const factorRe = weight * (shift[2 * at] * turnRe - shift[2 * at + 1] * turnIm);
    const factorIm = weight * (shift[2 * at] * turnIm + shift[2 * at + 1] * turnRe);
    const slope = perDefocus[step] * sine[at] * voxelX;
    const re = values[2 * z] * signal[step] + timesX[2 * z] * slope;
    const im = values[2 * z + 1] * signal[step] + timesX[2 * z + 1] * slope;
    values[2 * z] = re * factorRe - im * factorIm;
    values[2 * z + 1] = re * factorIm + im * factorRe;
  }
}
