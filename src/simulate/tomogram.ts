import { abortSignal, callback, optional, type RulesFor, requireOptions } from '../core/arguments.ts';
import { eventLoopTurn, forEachRange, withTurns } from '../core/concurrency.ts';
import type { ParticlePick } from '../picks/pick.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { contiguousVolume, copyVolumeInto, type Volume } from '../volume/volume.ts';
import { drawingSteps } from './density.ts';
import { imagingFilter } from './imaging.ts';
import { checkImaging, type ImagingOptions, imagingRules } from './imaging-options.ts';
import { finishGreyValues, roughen } from './noise.ts';
import { type SceneOptions, sceneRules, sceneSteps, simulateScene } from './scene.ts';
import { filterSpectrum, paddedVolume } from './spectrum.ts';
import { drawCarbon, usualSurroundings } from './surroundings.ts';

/** Padding along each axis while filtering, in voxels; the blur and most of the wedge's streaks end within it. */
const margin = 16;

/** Progress of {@link simulateTomogram}: first molecules are drawn, then planes of the spectrum are imaged. */
export interface SimulateTomogramProgress {
  readonly stage: 'molecules' | 'imaging';
  readonly done: number;
  readonly total: number;
}

/** Options of {@link simulateTomogram}. */
export interface SimulateTomogramOptions extends SceneOptions, ImagingOptions {
  /** Equal seeds give equal tomograms. @defaultValue 0 */
  readonly seed?: number | undefined;
  /** Thickness of the ice, in Å, which contains the molecules and weakens high tilts. @defaultValue random, 950 to 1350 */
  readonly iceThickness?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SimulateTomogramProgress) => void) | undefined;
}

/** A tomogram with its ground truth. */
export interface SimulatedTomogram {
  /** `[z, y, x]`, C-order, protein dark. */
  readonly volume: Volume;
  readonly grid: VoxelGrid;
  /** The ground truth, in Å. */
  readonly picks: readonly ParticlePick[];
}

/**
 * Simulates a tomogram: a scene of {@link simulateScene}, drawn bead by bead, with the missing wedge, contrast transfer, blur and
 * noise of a tilt series.
 *
 * Equal options give equal bytes on one JavaScript engine; on different engines the scenes are equal and grey values differ by
 * rounding at most. Grey values are like those of the competition's denoised tomograms: mean about 0, noise about 5e-6, protein
 * negative. Yields to the event loop every few milliseconds. Needs about 2.7 times the memory of the volume: 0.8 GB for 184×630×630.
 *
 * @throws {@link CryoetPicksError} `invalid-option` like {@link simulateScene}, or for imaging options that are not valid.
 * @throws The abort reason of `signal`.
 *
 * @example
 * ```ts
 * const { volume, grid, picks } = await simulateTomogram({ shape: [64, 256, 256], seed: 1 });
 * const tomogram = sourceFromArray(volume, grid);
 * ```
 */
export async function simulateTomogram(options: SimulateTomogramOptions = {}): Promise<SimulatedTomogram> {
  const { signal, onProgress } = requireOptions('simulateTomogram', options, tomogramRules);
  signal?.throwIfAborted();
  const imaging = checkImaging(options);
  const { grid, molecules, carbon, picks } = await withTurns(sceneSteps(options), signal);
  const padded = paddedVolume(grid.shape, { margin });
  const geometry = { lengths: padded.lengths, voxelSize: grid.voxelSize };
  const filter = await withTurns(imagingFilter(geometry, imaging), signal);
  for (const [index, molecule] of molecules.entries()) {
    await withTurns(drawingSteps(padded.volume, { grid, molecule }), signal);
    onProgress?.({ stage: 'molecules', done: index + 1, total: molecules.length });
  }
  if (carbon !== undefined) await withTurns(drawCarbon(padded.volume, { grid, edge: carbon }), signal);
  await roughen(padded.volume, grid, imaging);
  for (const progress of filterSpectrum(padded, filter)) {
    await eventLoopTurn();
    signal?.throwIfAborted();
    if (progress) onProgress?.({ stage: 'imaging', ...progress });
  }
  signal?.throwIfAborted();
  const volume = await withoutPadding(padded.volume);
  await finishGreyValues(volume.data, imaging);
  return { volume, grid, picks };
}

/** A copy in C-order. */
async function withoutPadding(padded: Volume): Promise<Volume> {
  const [depth, height, width] = padded.shape;
  const copy = contiguousVolume(new Float32Array(depth * height * width), padded.shape);
  const copyPlanes = (from: number, to: number) => {
    const planes = {
      ...padded,
      shape: [to - from, height, width],
      offset: padded.offset + from * padded.stride[0],
    } as const;
    copyVolumeInto(planes, copy, [from, 0, 0]);
  };
  await forEachRange(depth, copyPlanes, 1);
  return copy;
}

/** What the options of a simulated tomogram must be. */
export const tomogramRules: RulesFor<SimulateTomogramOptions> = {
  ...sceneRules,
  ...imagingRules,
  signal: /* @__PURE__ */ optional(abortSignal),
  onProgress: /* @__PURE__ */ optional(callback),
};

/** The difficulty of a simulated tomogram. */
export type Difficulty = 'clean' | 'default' | 'hard';

/**
 * Difficulties of simulated tomograms, as options to spread into those of a simulation.
 *
 * - `clean`: only particles and decoys, well separated, three quarters of the real noise, softer contrast, perfect alignment. For
 *   demonstrations, and to check whether a pipeline works at all.
 * - `default`: a simulation without options. Noise and clusters of the real data, membranes, filaments, gold beads,
 *   aggregates and sometimes a carbon edge. Networks are trained and evaluated on it.
 * - `hard`: like `default`, with twice the noise.
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
