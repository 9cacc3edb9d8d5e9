/** What a tomogram is for: learning, choosing thresholds and the scores that are reported, these two at the usual and at twice the noise. */
export type Split = 'train' | 'validate' | 'validate-hard' | 'test' | 'hard';

export type Size = 'full' | 'small' | 'toy';

interface Tomograms {
  /** Seed of the first one; the others follow it. No seed is in two splits. */
  readonly first: number;
  readonly count: number;
  /** Voxels along z, y, x. The whole depth of real tomograms: grey values are normalised with the empty ice in view. */
  readonly shape: readonly [number, number, number];
}

/** The tomograms of each size of data. */
export const splits: Readonly<Record<Size, Readonly<Record<Split, Tomograms>>>> = {
  full: {
    train: { first: 100_000, count: 160, shape: [184, 192, 192] },
    validate: { first: 500_000, count: 8, shape: [184, 256, 256] },
    'validate-hard': { first: 550_000, count: 8, shape: [184, 256, 256] },
    test: { first: 910_000, count: 20, shape: [184, 256, 256] },
    hard: { first: 960_000, count: 20, shape: [184, 256, 256] },
  },
  // To see whether a change learns at all.
  small: {
    train: { first: 100_000, count: 12, shape: [184, 192, 192] },
    validate: { first: 500_000, count: 2, shape: [184, 256, 256] },
    'validate-hard': { first: 550_000, count: 1, shape: [184, 256, 256] },
    test: { first: 900_000, count: 2, shape: [184, 256, 256] },
    hard: { first: 950_000, count: 1, shape: [184, 256, 256] },
  },
  // To see whether the programs run.
  toy: {
    train: { first: 100_000, count: 4, shape: [96, 128, 128] },
    validate: { first: 500_000, count: 1, shape: [96, 128, 128] },
    'validate-hard': { first: 550_000, count: 1, shape: [96, 128, 128] },
    test: { first: 900_000, count: 1, shape: [96, 128, 128] },
    hard: { first: 950_000, count: 1, shape: [96, 128, 128] },
  },
};
