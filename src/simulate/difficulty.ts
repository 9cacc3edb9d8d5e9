import type { SimulateTomogramOptions } from './tomogram.ts';

/** How hard a simulated tomogram is, as options to spread into those of a simulation. */
export type Difficulty = 'clean' | 'default' | 'hard';

/** About what one tomogram of a crowded cell extract holds. */
const usualSurroundings = {
  vesicles: 4,
  filaments: 8,
  microtubules: 1,
  goldBeads: 8,
  aggregates: 12,
  carbon: 0.15,
} as const;

/**
 * What tomograms are made hard with.
 *
 * - `clean`: particles and decoys in ice and nothing else, what a simulation makes without options.
 * - `default`: with membranes, filaments, gold beads, aggregates and now and then a carbon edge, the level that networks are
 *   trained and judged at.
 * - `hard`: the same with twice the noise.
 *
 * @example
 * ```ts
 * const { volume } = await simulateTomogram({ ...difficulties.default, shape: [64, 256, 256], seed: 1 });
 * ```
 */
export const difficulties: Readonly<Record<Difficulty, Pick<SimulateTomogramOptions, 'surroundings' | 'noise'>>> = {
  clean: {},
  default: { surroundings: usualSurroundings },
  hard: { surroundings: usualSurroundings, noise: 2 },
};
