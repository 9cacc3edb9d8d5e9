import type { VoxelGrid } from '../space/grid.ts';
import type { Volume } from '../volume/volume.ts';
import type { Imaging } from './imaging-options.ts';
import { noiseLevels } from './noise.ts';
import { createRandom } from './random.ts';

/** Grey value of solid protein's contrast in the competition's denoised tomograms. */
const greyPerDensity = 6.4e-5;

/** Density that a curve leaves as it is. */
const curvePivot = 0.3;

/** Density from which on grain no longer grows: that of a ribosome's core. */
const solid = 1.5;

/** Deviation of the grain inside particles at `noise: 1`, relative to their density, per 10 Å voxel before the blur. */
const roughness = 1.6;

/** Above this many deviations of the noise, brightness rises with this slope only. */
const fringeKnee = 1.4;
const fringeSlope = 0.75;

/** Beyond this many deviations of the noise, darkness grows with this slope. */
const darkKnee = 1.5;
const darkSlope = 1.7;

/**
 * Multiplies density by noise around 1, in place: particles in real denoised tomograms are grainy inside, because a
 * denoiser keeps most of the noise where it sees structure.
 */
export function roughen({ data }: Volume, { voxelSize }: VoxelGrid, { noise, seed, filter }: Imaging): void {
  if (noise === 0 || filter !== 'denoised') return;
  const random = createRandom(seed, 2);
  // White noise: its variance per voxel goes with one over the voxel's volume.
  const strength = noise * roughness * Math.sqrt(1000 / (voxelSize[0] * voxelSize[1] * voxelSize[2]));
  for (let i = 0; i < data.length; i++) {
    // Gold and carbon have no more grain than protein.
    if (data[i] !== 0) data[i] += Math.min(data[i], solid) * strength * random.normal();
  }
}

/**
 * Turns density into grey values, protein dark, in place.
 *
 * What a denoising network does to single values is imitated: what is darker than the noise becomes darker still, since the
 * network takes it for structure and keeps it, and the white fringes that wedge and contrast transfer leave around particles
 * are flattened.
 */
export function finishGreyValues(data: Float32Array, { noise, filter, contrast, curve }: Imaging): void {
  const level = filter === 'denoised' && noise > 0 ? noise * noiseLevels[filter] : Number.POSITIVE_INFINITY;
  const [bright, dark] = [fringeKnee * level, darkKnee * level];
  const scale = greyPerDensity * contrast;
  for (let i = 0; i < data.length; i++) {
    const density = data[i];
    let value = density;
    if (density < -bright) value = -bright + (density + bright) * fringeSlope;
    else if (density > dark) value = dark + (density - dark) * darkSlope;
    if (curve !== 1) value = Math.sign(value) * curvePivot * (Math.abs(value) / curvePivot) ** curve;
    data[i] = -scale * value;
  }
}
