import { usualSurroundings } from './surroundings.ts';
import type { SimulateTomogramOptions } from './tomogram.ts';

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
