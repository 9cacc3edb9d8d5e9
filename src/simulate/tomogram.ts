import type { ParticlePick } from '../picks/pick.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { toFloat32, type Volume } from '../volume/volume.ts';
import { drawMolecule } from './density.ts';
import { imagingFilter } from './imaging.ts';
import { checkImaging, type ImagingOptions } from './imaging-options.ts';
import { finishGreyValues, roughen } from './noise.ts';
import { type SceneOptions, simulateScene } from './scene.ts';
import { filterSpectrum, paddedVolume } from './spectrum.ts';
import { drawCarbon, usualSurroundings } from './surroundings.ts';

/** Voxels kept empty behind each axis while filtering; the blur and most of the wedge's streaks end within. */
const margin = 16;

/** How far a simulation is: first molecules are drawn, then planes of the spectrum imaged. */
export interface SimulateTomogramProgress {
  readonly stage: 'molecules' | 'imaging';
  readonly done: number;
  readonly total: number;
}

/** Options of {@link simulateTomogram}. */
export interface SimulateTomogramOptions extends SceneOptions, ImagingOptions {
  /** Equal seeds give equal tomograms. @defaultValue 0 */
  readonly seed?: number | undefined;
  /** Thickness of the ice, in Å: where molecules are, and what high tilts look through. @defaultValue 950 to 1350 by the seed */
  readonly iceThickness?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SimulateTomogramProgress) => void) | undefined;
}

/** A tomogram and what is in it. */
export interface SimulatedTomogram {
  /** `[z, y, x]`, C-order, protein dark. */
  readonly volume: Volume;
  readonly grid: VoxelGrid;
  /** The ground truth, in Å. */
  readonly picks: readonly ParticlePick[];
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
  const imaging = checkImaging(options);
  const { grid, molecules, carbon, picks } = simulateScene(options);
  const padded = paddedVolume(grid.shape, { margin });
  const filter = imagingFilter({ lengths: padded.lengths, voxelSize: grid.voxelSize }, imaging);
  for (const [index, molecule] of molecules.entries()) {
    drawMolecule(padded.volume, { grid, molecule });
    if (index % 64 === 63) await breathe(signal);
    onProgress?.({ stage: 'molecules', done: index + 1, total: molecules.length });
  }
  if (carbon !== undefined) drawCarbon(padded.volume, { grid, edge: carbon });
  roughen(padded.volume, grid, imaging);
  for (const { done, total } of filterSpectrum(padded, filter)) {
    if (done % 8 === 0) await breathe(signal);
    onProgress?.({ stage: 'imaging', done, total });
  }
  signal?.throwIfAborted();
  const volume = toFloat32(padded.volume);
  finishGreyValues(volume.data, imaging);
  return { volume, grid, picks };
}

/** Lets timers, events and an abort through. */
async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  signal?.throwIfAborted();
}

/** How hard a simulated tomogram is. */
export type Difficulty = 'clean' | 'default' | 'hard';

/**
 * How hard a simulated tomogram is, as options to spread into those of a simulation.
 *
 * - `clean`: particles and decoys apart from each other in ice and nothing else, three quarters of the real noise, softer contrast, perfectly
 *   aligned: for a demonstration, or to see whether a pipeline works at all.
 * - `default`: what a simulation makes without options. Noise and clusters of the real data, membranes, filaments, gold
 *   beads, aggregates and now and then a carbon edge: what networks are trained and judged on.
 * - `hard`: the same with twice the noise.
 *
 * @example
 * ```ts
 * const { volume } = await simulateTomogram({ ...difficulties.hard, shape: [64, 256, 256], seed: 1 });
 * ```
 */
export const difficulties: Readonly<
  Record<
    Difficulty,
    Pick<SimulateTomogramOptions, 'noise' | 'curve' | 'alignmentError' | 'cargo' | 'clustering' | 'surroundings'>
  >
> = {
  clean: { noise: 0.75, curve: 0.8, alignmentError: 0, cargo: 0, clustering: 0, surroundings: {} },
  default: { noise: 1, surroundings: usualSurroundings },
  hard: { noise: 2, surroundings: usualSurroundings },
};
