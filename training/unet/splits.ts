/** Purpose of a tomogram: training, choosing thresholds, or reported scores; the last two also at twice the noise, `harder` at four times. */
export type Split = 'train' | 'validate' | 'validate-hard' | 'test' | 'hard' | 'harder';

/** `old`: what is made on the simulator of commit 0e89387, beside `full` (old-simulator.sh). */
export type Size = 'full' | 'old' | 'small' | 'toy';

interface Tomograms {
  /** Seed of the first tomogram; the others follow. No seed is in two splits. */
  readonly first: number;
  readonly count: number;
  /** Voxels along z, y, x. Full depth as in real tomograms, since normalisation depends on the empty ice. */
  readonly shape: readonly [number, number, number];
}

const firstSeeds: Readonly<Record<Split, number>> = {
  train: 100_000,
  validate: 500_000,
  'validate-hard': 550_000,
  test: 920_000,
  hard: 970_000,
  harder: 975_000,
};

const oldSeeds: typeof firstSeeds = {
  train: 130_000,
  validate: 510_000,
  'validate-hard': 560_000,
  test: 930_000,
  hard: 990_000,
  harder: 995_000,
};

/** Seeds of trials, which must not use the tomograms of the reported scores. */
const trialSeeds = { ...firstSeeds, test: 900_000, hard: 950_000, harder: 955_000 };

/**
 * Decoys that are in no tomogram to train on or to choose thresholds on, neither as particles nor as background: the species by
 * which the teaching of other particles is tested. 2UV8, 4CR2, 3J9I, 4V94, 1BXN.
 */
export const heldOut = ['fatty-acid-synthase', 'proteasome-26s', 'proteasome-20s', 'chaperonin-tric', 'rubisco'] as const;

type Shape = Tomograms['shape'];
type Shapes = { readonly train: Shape; readonly others: Shape };

/** One size of the data: number of tomograms per split, and their shapes for training and for the other splits. */
function sized(counts: Readonly<Record<Split, number>>, shapes: Shapes, seeds: Readonly<Record<Split, number>>) {
  const of = (split: Split): Tomograms => ({
    first: seeds[split],
    count: counts[split],
    shape: split === 'train' ? shapes.train : shapes.others,
  });
  return {
    train: of('train'),
    validate: of('validate'),
    'validate-hard': of('validate-hard'),
    test: of('test'),
    hard: of('hard'),
    harder: of('harder'),
  };
}

const usual = { train: [184, 192, 192], others: [184, 256, 256] } as const;

/** The tomograms of each size of data. */
export const splits: Readonly<Record<Size, Readonly<Record<Split, Tomograms>>>> = {
  full: sized({ train: 112, validate: 8, 'validate-hard': 8, test: 20, hard: 20, harder: 20 }, usual, firstSeeds),
  old: sized({ train: 48, validate: 4, 'validate-hard': 4, test: 20, hard: 20, harder: 20 }, usual, oldSeeds),
  // To check whether a change trains at all.
  small: sized({ train: 12, validate: 2, 'validate-hard': 1, test: 2, hard: 1, harder: 1 }, usual, trialSeeds),
  // To check whether the programs run.
  toy: sized(
    { train: 4, validate: 1, 'validate-hard': 1, test: 1, hard: 1, harder: 1 },
    { train: [96, 128, 128], others: [96, 128, 128] },
    trialSeeds,
  ),
};
