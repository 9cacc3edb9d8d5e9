/** Purpose of a tomogram: training, choosing thresholds, or reported scores; the last two also at twice the noise, `harder` at four times. */
export type Split = 'train' | 'validate' | 'validate-hard' | 'test' | 'hard' | 'harder';

export type Size = 'full' | 'small' | 'toy';

/** Today's simulator, or that of commit 0e89387 (old-simulator.sh), whose particles and noise look different. */
export type Simulator = 'today' | 'old';

interface Tomograms {
  /** Seed of the first tomogram; the others follow. No seed is in two splits. */
  readonly first: number;
  readonly count: number;
  /** Voxels along z, y, x. Full depth as in real tomograms, since normalisation depends on the empty ice. */
  readonly shape: readonly [number, number, number];
}

type Seeds = Readonly<Record<Split, number>>;

const seeds: Seeds = {
  train: 100_000,
  validate: 500_000,
  'validate-hard': 550_000,
  test: 920_000,
  hard: 970_000,
  harder: 975_000,
};

/** Seeds of trials, which must not use the tomograms of the reported scores. */
const trialSeeds: Seeds = { ...seeds, test: 900_000, hard: 950_000, harder: 955_000 };

/** Added to the seeds of the old simulator, so that no two tomograms have one name. */
const oldSeeds = 4_000;

/**
 * Decoys that are in no tomogram to train on or to choose thresholds on, neither as particles nor as background: the species by
 * which the teaching of other particles is tested. 2UV8, 4CR2, 3J9I, 4V94, 1BXN.
 */
export const heldOut = [
  'fatty-acid-synthase',
  'proteasome-26s',
  'proteasome-20s',
  'chaperonin-tric',
  'rubisco',
] as const;

type Shape = Tomograms['shape'];
type Counts = Readonly<Record<Split, number>>;

interface Scale {
  readonly seeds: Seeds;
  /** Voxels along z, y, x of the tomograms to train on, and of others. */
  readonly shapes: { readonly train: Shape; readonly others: Shape };
  readonly counts: Readonly<Record<Simulator, Counts>>;
}

const usual = { train: [184, 192, 192], others: [184, 256, 256] } as const;

const scales: Readonly<Record<Size, Scale>> = {
  full: {
    seeds,
    shapes: usual,
    counts: {
      today: { train: 144, validate: 8, 'validate-hard': 8, test: 20, hard: 20, harder: 20 },
      old: { train: 64, validate: 4, 'validate-hard': 4, test: 20, hard: 20, harder: 20 },
    },
  },
  // To check whether a change trains at all.
  small: {
    seeds: trialSeeds,
    shapes: usual,
    counts: {
      today: { train: 8, validate: 2, 'validate-hard': 1, test: 2, hard: 1, harder: 1 },
      old: { train: 4, validate: 1, 'validate-hard': 1, test: 1, hard: 1, harder: 1 },
    },
  },
  // To check whether the programs run.
  toy: {
    seeds: trialSeeds,
    shapes: { train: [96, 128, 128], others: [96, 128, 128] },
    counts: {
      today: { train: 3, validate: 1, 'validate-hard': 1, test: 1, hard: 1, harder: 1 },
      old: { train: 1, validate: 1, 'validate-hard': 1, test: 1, hard: 1, harder: 1 },
    },
  },
};

/** The tomograms of a size of data that a simulator makes, by split. */
export function splitsOf(size: Size, simulator: Simulator): ReadonlyMap<Split, Tomograms> {
  const { shapes, counts, seeds } = scales[size];
  const added = simulator === 'old' ? oldSeeds : 0;
  const splits = Object.keys(seeds) as Split[];
  return new Map(
    splits.map((split) => [
      split,
      {
        first: seeds[split] + added,
        count: counts[simulator][split],
        shape: split === 'train' ? shapes.train : shapes.others,
      },
    ]),
  );
}

export function isSize(text: string): text is Size {
  return Object.hasOwn(scales, text);
}
