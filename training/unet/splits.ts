/** Purpose of a tomogram: training, choosing thresholds, or reported scores; the last two also at twice the noise. */
export type Split = 'train' | 'validate' | 'validate-hard' | 'test' | 'hard';

export type Size = 'full' | 'small' | 'toy';

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
  test: 910_000,
  hard: 960_000,
};

/** Seeds of trials, which must not use the tomograms of the reported scores. */
const trialSeeds = { ...firstSeeds, test: 900_000, hard: 950_000 };

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
  };
}

const usual = { train: [184, 192, 192], others: [184, 256, 256] } as const;

/** The tomograms of each size of data. */
export const splits: Readonly<Record<Size, Readonly<Record<Split, Tomograms>>>> = {
  full: sized({ train: 160, validate: 8, 'validate-hard': 8, test: 20, hard: 20 }, usual, firstSeeds),
  // To check whether a change trains at all.
  small: sized({ train: 12, validate: 2, 'validate-hard': 1, test: 2, hard: 1 }, usual, trialSeeds),
  // To check whether the programs run.
  toy: sized(
    { train: 4, validate: 1, 'validate-hard': 1, test: 1, hard: 1 },
    { train: [96, 128, 128], others: [96, 128, 128] },
    trialSeeds,
  ),
};
