import type { Pick } from '../picks/pick.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { toFloat32, type Volume } from '../volume/volume.ts';
import { type ImagingOptions, imagingFilter, noiseLevel } from './imaging.ts';
import { createRandom } from './random.ts';
import { drawMolecule } from './render.ts';
import { type SceneOptions, simulateScene } from './scene.ts';
import { filterSpectrum, paddedVolume } from './spectrum.ts';

/** Voxels kept empty behind each axis while filtering; the blur and most of the wedge's streaks end within. */
const margin = 16;

/** Grey value of solid protein's contrast in the competition's denoised tomograms. */
const greyPerDensity = 5e-5;

/** Deviation of the grain inside particles at `noise: 1`, relative to their density, per 10 Å voxel before the blur. */
const roughness = 1.2;

/** Above this many deviations of the noise, brightness rises with this slope only. */
const fringeKnee = 1.2;
const fringeSlope = 0.55;

/** How far a simulation is: first molecules are drawn, then planes of the spectrum imaged. */
export interface SimulationProgress {
  readonly stage: 'molecules' | 'imaging';
  readonly done: number;
  readonly total: number;
}

/** Options of {@link simulateTomogram}. */
export interface SimulateTomogramOptions extends SceneOptions, ImagingOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SimulationProgress) => void) | undefined;
}

/** A tomogram and what is in it. */
export interface SimulatedTomogram {
  /** `[z, y, x]`, C-order, protein dark. */
  readonly volume: Volume;
  readonly grid: VoxelGrid;
  /** The ground truth, in Å. */
  readonly picks: readonly Pick[];
}

/**
 * Simulates a tomogram: a scene of {@link simulateScene}, drawn bead by bead and seen through a tilt series' missing wedge,
 * contrast transfer, blur and noise.
 *
 * Equal options give equal bytes, on one JavaScript engine; across engines the scene is equal and grey values differ by rounding at most. Grey values are those of the competition's denoised tomograms: mean about 0, noise about
 * 5e-6, protein negative. Holds about 2.7 times the volume in memory: 0.8 GB for 184×630×630.
 *
 * @throws {@link CryoetPicksError} `invalid-option` as {@link simulateScene}, or for imaging that cannot be.
 * @throws The abort reason of `signal`, untouched.
 *
 * @example
 * ```ts
 * const { volume, grid, picks } = await simulateTomogram({ shape: [64, 256, 256], seed: 1 });
 * const tomogram = sourceFromArray(volume, grid);
 * ```
 */
export async function simulateTomogram(options: SimulateTomogramOptions = {}): Promise<SimulatedTomogram> {
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const { grid, molecules, picks } = simulateScene(options);
  const padded = paddedVolume(grid.shape, { margin });
  const filter = imagingFilter({ lengths: padded.lengths, voxelSize: grid.voxelSize }, options);
  for (const [index, molecule] of molecules.entries()) {
    drawMolecule(padded.volume, { grid, molecule });
    if (index % 64 === 63) await breathe(signal);
    onProgress?.({ stage: 'molecules', done: index + 1, total: molecules.length });
  }
  roughen(padded.volume, grid, options);
  for (const { done, total } of filterSpectrum(padded, filter)) {
    if (done % 8 === 0) await breathe(signal);
    onProgress?.({ stage: 'imaging', done, total });
  }
  signal?.throwIfAborted();
  const volume = toFloat32(padded.volume);
  finishGreyValues(volume.data, options);
  return { volume, grid, picks };
}

/**
 * Multiplies density by noise around 1, in place: particles in real denoised tomograms are grainy inside, because a
 * denoiser keeps most of the noise where it sees structure.
 */
function roughen({ data }: Volume, { voxelSize }: VoxelGrid, { noise = 1, seed = 0 }: SimulateTomogramOptions): void {
  if (noise === 0) return;
  const random = createRandom(seed, 2);
  // White noise: its variance per voxel goes with one over the voxel's volume.
  const strength = noise * roughness * Math.sqrt(1000 / (voxelSize[0] * voxelSize[1] * voxelSize[2]));
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== 0) data[i] *= 1 + strength * random.normal();
  }
}

/**
 * Turns density into grey values, protein dark, in place, and flattens what is bright: the white fringes that wedge and
 * contrast transfer leave around particles are all but gone from denoised tomograms, whose bright side is that of noise.
 */
function finishGreyValues(data: Float32Array, { noise = 1 }: SimulateTomogramOptions): void {
  const knee = noise === 0 ? Number.POSITIVE_INFINITY : fringeKnee * noise * noiseLevel;
  for (let i = 0; i < data.length; i++) {
    const bright = -data[i];
    data[i] = greyPerDensity * (bright > knee ? knee + (bright - knee) * fringeSlope : bright);
  }
}

/** Lets timers, events and an abort through. */
async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  signal?.throwIfAborted();
}
