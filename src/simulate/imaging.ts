import { CryoetPicksError } from '../errors.ts';
import { createRandom, type Random } from './random.ts';
import type { SpectrumLine } from './spectrum.ts';
import { type FilterGeometry, frequency, squaredFrequencies, viewStrength } from './views.ts';

/** Electron wavelength at 300 kV, in Å. */
const wavelength = 0.0197;

/** Share of the contrast that does not need defocus. */
const amplitudeContrast = 0.07;

/** Relative strength below which the deconvolution of the contrast transfer no longer amplifies. */
const deconvolutionFloor = 0.006;

/** Blur of the particles, in Å: the standard deviation of a Gaussian. */
const blur = 8;

/**
 * Blur of the noise across and along the tilt axis, in Å. Measured in the real planes: noise power falls along kx as
 * k · exp(−43 k²), along ky as exp(−25 k²), k in cycles per 10 Å voxel.
 */
const noiseBlur = { xz: 10.1, y: 7.4 };

/** Noise without the ramp, as a frequency, in Å⁻¹: below it the real noise no longer falls with k. */
const rampFloor = 0.003;

/** Noise of the real planes relative to the density of solid protein, at `noise: 1`. */
export const noiseLevel = 0.045;

/** Options of {@link imagingFilter}. */
export interface ImagingOptions {
  /** Noise relative to the real data's; 0 for none. @defaultValue 1 */
  readonly noise?: number | undefined;
  /** First and last tilt about y, in degrees; what no view has seen is missing. @defaultValue `[-45, 45]`, the real data's */
  readonly tiltRange?: readonly [number, number] | undefined;
  /** Underfocus, in µm. @defaultValue 3 */
  readonly defocus?: number | undefined;
  readonly seed?: number | undefined;
}

/**
 * What the microscope and the reconstruction do to a density, as a change of its Fourier transform: contrast transfer,
 * deconvolved as tomograms are; blur; the missing wedge; the weakness of high tilts; and noise coloured as back-projection
 * and denoising leave it.
 */
export function imagingFilter(geometry: FilterGeometry, options: ImagingOptions): (line: SpectrumLine) => void {
  const { noise = 1, tiltRange = [-45, 45], defocus = 3, seed = 0 } = options;
  checkImaging({ noise, tiltRange, defocus });
  const { lengths, voxelSize } = geometry;
  const [kz, ky, kx] = [0, 1, 2].map((axis) => squaredFrequencies(lengths[axis]!, voxelSize[axis]!)) as Three;
  const views = viewStrength(geometry, tiltRange);
  const transfer = transferTable(defocus);
  const colour = noiseColour(geometry, views);
  const level = noise * noiseLevel * Math.sqrt(lengths[0] * lengths[1] * lengths[2]) * colour.scale;
  let random = createRandom(seed, 0);
  let drawnFor = -1;
  return ({ ky: j, kx: i, values, selfMirrored }) => {
    if (j !== drawnFor) {
      // A stream per plane, so that planes could be worked on in any order.
      random = createRandom(seed, 1000 + j);
      drawnFor = j;
    }
    const row = i * lengths[0];
    transferLine(values, { views, row, transfer, kz, kxy: ky[j] + kx[i] });
    if (level === 0) return;
    // One of two mirrored halves is dropped from these planes, and half the noise with it.
    const gain = level * colour.alongY[j] * (selfMirrored ? Math.SQRT2 : 1);
    addNoise(values, { weights: colour.plane, row, gain, random });
  };
}

type Three = [Float64Array, Float64Array, Float64Array];

interface LineTransfer {
  readonly views: Float64Array;
  readonly row: number;
  readonly transfer: TransferTable;
  readonly kz: Float64Array;
  /** Squared frequency across the line. */
  readonly kxy: number;
}

function transferLine(values: Float64Array, { views, row, transfer, kz, kxy }: LineTransfer): void {
  const { steps, table } = transfer;
  for (let z = 0; z < kz.length; z++) {
    const weight = views[row + z] * table[Math.round((kz[z] + kxy) * steps)];
    values[2 * z] *= weight;
    values[2 * z + 1] *= weight;
  }
}

interface LineNoise {
  readonly weights: Float64Array;
  readonly row: number;
  readonly gain: number;
  readonly random: Random;
}

function addNoise(values: Float64Array, { weights, row, gain, random }: LineNoise): void {
  for (let z = 0; 2 * z < values.length; z++) {
    const weight = weights[row + z] * gain;
    if (weights[row + z] === 0) continue;
    values[2 * z] += weight * random.normal();
    values[2 * z + 1] += weight * random.normal();
  }
}

interface TransferTable {
  /** Entries per Å⁻² of squared frequency. */
  readonly steps: number;
  readonly table: Float64Array;
}

/** Contrast transfer times its Wiener filter, times the blur, over the squared frequency; beyond 1/7 Å nothing remains. */
function transferTable(defocus: number): TransferTable {
  const steps = 200_000;
  const phaseContrast = Math.sqrt(1 - amplitudeContrast ** 2);
  const table = new Float64Array(steps * 0.2);
  for (let i = 0; i < table.length; i++) {
    const squared = i / steps;
    const phase = Math.PI * wavelength * defocus * 1e4 * squared;
    const contrast = phaseContrast * Math.sin(phase) + amplitudeContrast * Math.cos(phase);
    const restored = contrast ** 2 / (contrast ** 2 + deconvolutionFloor);
    table[i] = restored * Math.exp(-2 * Math.PI ** 2 * blur ** 2 * squared);
  }
  return { steps, table };
}

/** Amplitude of the noise as a product of a z-x plane and a line along y, and what makes its variance 1. */
function noiseColour({ lengths, voxelSize }: FilterGeometry, views: Float64Array) {
  const damping = 2 * Math.PI ** 2 * noiseBlur.xz ** 2;
  const dampingY = 2 * Math.PI ** 2 * noiseBlur.y ** 2;
  const plane = new Float64Array(views.length);
  let planePower = 0;
  for (let i = 0; i < lengths[2]; i++) {
    const x = frequency(i, lengths[2], voxelSize[2]);
    for (let k = 0; k < lengths[0]; k++) {
      const at = i * lengths[0] + k;
      const squared = x * x + frequency(k, lengths[0], voxelSize[0]) ** 2;
      // Weighted back-projection: the ramp k, over the root of the density of views, 1/k, leaves √k.
      plane[at] = views[at] * Math.sqrt(Math.sqrt(squared) + rampFloor) * Math.exp(-damping * squared);
      planePower += plane[at] ** 2;
    }
  }
  const alongY = squaredFrequencies(lengths[1], voxelSize[1]).map((squared) => Math.exp(-dampingY * squared));
  const power = (planePower / plane.length) * (alongY.reduce((sum, value) => sum + value ** 2, 0) / alongY.length);
  return { plane, alongY, scale: power > 0 ? 1 / Math.sqrt(2 * power) : 0 };
}

interface CheckedImaging {
  readonly noise: number;
  readonly tiltRange: readonly [number, number];
  readonly defocus: number;
}

function checkImaging({ noise, tiltRange: [first, last], defocus }: CheckedImaging): void {
  if (!(noise >= 0 && Number.isFinite(noise))) {
    throw new CryoetPicksError('invalid-option', `noise must be a number ≥ 0, found ${noise}`);
  }
  if (!(first >= -90 && first < last && last <= 90)) {
    throw new CryoetPicksError('invalid-option', `tiltRange must rise within −90° … 90°, found [${first}, ${last}]`);
  }
  if (!Number.isFinite(defocus)) {
    throw new CryoetPicksError('invalid-option', `defocus must be finite, in µm, found ${defocus}`);
  }
}
