import { forEachRange, type Steps } from '../core/concurrency.ts';
import type { VoxelGrid } from '../space/grid.ts';
import type { Volume } from '../volume/volume.ts';
import type { Transfer } from './ctf.ts';
import type { Imaging, ReconstructionFilter } from './imaging-options.ts';
import { createRandom, type Random } from './random.ts';
import { squaredFrequencies } from './spectrum.ts';
import type { FilterGeometry, Views } from './tilt-series.ts';

/** Noise of real tomograms relative to the density of solid protein, at `noise: 1`. */
export const noiseLevels: Readonly<Record<ReconstructionFilter, number>> = {
  denoised: 0.085,
  ctfdeconvolved: 0.13,
  wbp: 0.08,
};

/**
 * Blur of the noise across and along the tilt axis, in Å, fitted to the spectra of the real denoised planes and, for
 * back-projection, to the background of a tomogram of lysosomes: its ramp rolls off across the axis only.
 */
const noiseBlur: Readonly<Record<ReconstructionFilter, { xz: number; y: number }>> = {
  denoised: { xz: 8, y: 5.5 },
  ctfdeconvolved: { xz: 3, y: 3 },
  wbp: { xz: 5.5, y: 0 },
};

/**
 * What a denoiser leaves more of the low frequencies along y, where back-projection has no ramp: relative to the others, a factor e
 * less at this frequency (Å⁻¹).
 */
const lowAlongY = { share: 0.55, frequency: 1 / 80 } as const;

/** Frequency, in Å⁻¹, below which the ramp of the noise is flat, as in real data. */
const rampFloor = 0.002;

/** Strength of the noise that a denoising network invents in the missing wedge, relative to a view at 0°. */
const wedgeLeak = 0.1;

/** Amplitude of the noise: a z-x plane `[kx][kz]` times a line along y times a table over the squared frequency. */
export interface NoiseColour {
  readonly plane: Float64Array;
  readonly alongY: Float64Array;
  /** Factor that makes the variance of the noise 1. */
  readonly scale: number;
}

/** Amplitude, relative to the largest, below which there is no noise. */
const negligible = 0.005;

/** Planes of ky that the variance is summed over; it changes slowly with ky. */
const sampledPlanes = 48;

/** The colour of noise after back-projection and, for denoised tomograms, the denoiser. */
export function* noiseColour(
  { lengths, voxelSize }: FilterGeometry,
  {
    views,
    transfer,
    filter,
  }: { readonly views: Views; readonly transfer: Transfer; readonly filter: ReconstructionFilter },
): Steps<NoiseColour> {
  const blur = noiseBlur[filter];
  const [z, y, x] = [0, 1, 2].map((axis) => squaredFrequencies(lengths[axis]!, voxelSize[axis]!)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const plane = new Float64Array(views.strength.length);
  const squared = new Float64Array(views.strength.length);
  for (let i = 0, at = 0; i < x.length; i++) {
    for (let k = 0; k < z.length; k++, at++) {
      squared[at] = x[i] + z[k];
      const damage = Math.exp(-views.dose[at] * transfer.damage[Math.round(squared[at] * transfer.steps)]);
      // Weighted back-projection: the ramp k times the root of the density of views, 1/k, gives √k.
      const ramp = Math.sqrt(Math.sqrt(squared[at]) + rampFloor);
      const seen = Math.max(views.strength[at] * damage, filter === 'denoised' ? wedgeLeak : 0);
      plane[at] = seen * ramp * Math.exp(-2 * Math.PI ** 2 * blur.xz ** 2 * squared[at]);
    }
    yield;
  }
  // Noise far weaker than the rest is not worth its random numbers.
  const weakest = negligible * plane.reduce((most, value) => Math.max(most, value), 0);
  for (let at = 0; at < plane.length; at++) if (plane[at] < weakest) plane[at] = 0;
  yield;
  const low = filter === 'denoised' ? lowAlongY.share : 0;
  const alongY = y.map(
    (value) => Math.exp(-2 * Math.PI ** 2 * blur.y ** 2 * value) + low * Math.exp(-value / lowAlongY.frequency ** 2),
  );
  const stride = Math.max(1, Math.floor(y.length / sampledPlanes));
  let power = 0;
  let planes = 0;
  for (let j = 0; j < y.length; j += stride, planes++) {
    for (let at = 0; at < plane.length; at++) {
      if (plane[at] === 0) continue;
      power += (plane[at] * alongY[j] * transfer.noise[Math.round((squared[at] + y[j]) * transfer.steps)]) ** 2;
    }
    yield;
  }
  power /= planes * plane.length;
  return { plane, alongY, scale: power > 0 ? 1 / Math.sqrt(2 * power) : 0 };
}

interface LineNoise {
  readonly colour: NoiseColour;
  readonly transfer: Transfer;
  /** Where the line starts in the plane. */
  readonly row: number;
  readonly gain: number;
  readonly kz: Float64Array;
  /** Squared frequency across the line. */
  readonly kxy: number;
  readonly random: Random;
}

/** Adds noise to a line of a spectrum. */
export function addNoise(values: Float64Array, { colour, transfer, row, gain, kz, kxy, random }: LineNoise): void {
  const { steps, noise } = transfer;
  for (let z = 0; z < kz.length; z++) {
    const seen = colour.plane[row + z];
    if (seen === 0) continue;
    const weight = seen * gain * noise[Math.round((kz[z] + kxy) * steps)];
    values[2 * z] += weight * random.normal();
    values[2 * z + 1] += weight * random.normal();
  }
}

/** Grey value of solid protein's contrast in the competition's denoised tomograms. */
const greyPerDensity = 6.4e-5;

/** The density that the grey-level curve leaves unchanged. */
const curvePivot = 0.3;

/** Density above which grain no longer grows: that of a ribosome's core. */
const solid = 1.5;

/** Standard deviation of the grain inside particles at `noise: 1`, relative to their density, per 10 Å voxel before the blur. */
const roughness = 1.5;

/** Above this many standard deviations of the noise, brightness rises with this slope only. */
const fringeKnee = 1.4;
const fringeSlope = 0.75;

/** Beyond this many standard deviations of the noise, darkness grows with this slope. */
const darkKnee = 1.5;
const darkSlope = 1.5;

/** Voxels that are worked on in one piece. */
const VOXELS_AT_ONCE = 2 ** 16;

/**
 * Multiplies density by noise around 1, in place: particles in real denoised tomograms are grainy inside, because a
 * denoiser keeps most of the noise where it sees structure.
 */
export async function roughen(
  { data }: Volume,
  { voxelSize }: VoxelGrid,
  { noise, seed, filter }: Imaging,
): Promise<void> {
  if (noise === 0 || filter !== 'denoised') return;
  const random = createRandom(seed, 2);
  // The variance of white noise per voxel is inversely proportional to the voxel's volume.
  const strength = noise * roughness * Math.sqrt(1000 / (voxelSize[0] * voxelSize[1] * voxelSize[2]));
  const roughenRange = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      // Gold and carbon have no more grain than protein.
      if (data[i] !== 0) data[i] += Math.min(data[i], solid) * strength * random.normal();
    }
  };
  await forEachRange(data.length, roughenRange, VOXELS_AT_ONCE);
}

/**
 * Turns density into grey values, protein dark, in place.
 *
 * Imitates the effect of a denoising network on single values: values darker than the noise become darker still, because the
 * network keeps them as structure, and the white fringes that wedge and contrast transfer leave around particles are flattened.
 */
export async function finishGreyValues(data: Float32Array, { noise, filter, contrast, curve }: Imaging): Promise<void> {
  const level = filter === 'denoised' && noise > 0 ? noise * noiseLevels[filter] : Number.POSITIVE_INFINITY;
  const [bright, dark] = [fringeKnee * level, darkKnee * level];
  const scale = greyPerDensity * contrast;
  const finishRange = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const density = data[i];
      let value = density;
      if (density < -bright) value = -bright + (density + bright) * fringeSlope;
      else if (density > dark) value = dark + (density - dark) * darkSlope;
      if (curve !== 1) value = Math.sign(value) * curvePivot * (Math.abs(value) / curvePivot) ** curve;
      data[i] = -scale * value;
    }
  };
  await forEachRange(data.length, finishRange, VOXELS_AT_ONCE);
}
