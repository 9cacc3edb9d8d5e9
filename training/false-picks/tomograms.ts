import { createRandom, difficulties, type SimulateTomogramOptions, simulatedObjects } from 'cryoet-picks/simulate';

/** `choose`: to fit the calibration and to choose the method. `test`: looked at once, for the table. */
export type Purpose = 'choose' | 'test';

/** A tomogram to simulate. */
export interface Planned {
  readonly name: string;
  readonly purpose: Purpose;
  /** Relative to real tomograms. */
  readonly noise: number;
  /** Particles relative to 9 of each object in 184×192×192 voxels, the mean of the network's training. */
  readonly density: number;
  readonly options: SimulateTomogramOptions;
}

const objects = simulatedObjects.map(({ name }) => name);

/** Seeds of no other data of this package; `training/unet/splits.ts` has those. */
const firstSeeds: Readonly<Record<Purpose, number>> = { choose: 2_000_000, test: 3_000_000 };

/** The full depth of real tomograms, since the normalisation depends on the empty ice. */
const depth = 184;

/**
 * A tomogram to choose with: noise, density and decoys from ranges, each object with a number of its own and absent in one of six,
 * and in one tomogram of eight a single purified object.
 */
function toChoose(index: number): Planned {
  const seed = firstSeeds.choose + index;
  const random = createRandom(seed, 103);
  const within = (low: number, high: number) => low * (high / low) ** random.uniform();
  const noise = within(0.6, 1.7);
  const density = within(0.35, 2.8);
  const decoys = within(0.3, 2);
  const isPurified = random.uniform() < 1 / 8;
  const only = random.integer(objects.length);
  const edge = density < 1 ? 256 : 160;
  const mean = meanCount(density, edge);
  const counts = Object.fromEntries(
    objects.map((name, i) => {
      const count = random.uniform() < 1 / 6 ? 0 : Math.round(mean * (0.4 + 1.2 * random.uniform()));
      return [name, isPurified ? (i === only ? Math.round(3 * mean) : 0) : count];
    }),
  );
  return {
    ...{ name: `choose-${index}`, purpose: 'choose', noise, density },
    options: {
      ...difficulties.default,
      ...(isPurified && { surroundings: {} }),
      decoys: isPurified ? 0.05 : decoys,
      ...{ noise, counts, seed, shape: [depth, edge, edge] },
    },
  };
}

/** The edge along y and x of a tomogram to test with: about as many particles at each density. */
const testEdges = [
  { density: 0.25, edge: 512 },
  { density: 1, edge: 256 },
  { density: 4, edge: 160 },
] as const;

/** The tomograms to test with: every noise with every density, none of them used to choose, then each object absent. */
function toTest(perCondition: number): Planned[] {
  const planned: Planned[] = [];
  const add = (noise: number, density: number, edge: number, absent?: string) => {
    const seed = firstSeeds.test + planned.length;
    const count = Math.round(meanCount(density, edge));
    const counts = Object.fromEntries(objects.map((name) => [name, name === absent ? 0 : count]));
    planned.push({
      ...{ name: `test-${planned.length}${absent ? '-absent' : ''}`, purpose: 'test', noise, density },
      options: { ...difficulties.default, noise, counts, seed, shape: [depth, edge, edge] },
    });
  };
  for (let i = 0; i < perCondition; i++) {
    for (const noise of [0.5, 1, 2]) for (const { density, edge } of testEdges) add(noise, density, edge);
  }
  for (const absent of objects) for (const noise of [0.5, 1, 2]) add(noise, 1, 256, absent);
  return planned;
}

function meanCount(density: number, edge: number): number {
  return (density * 9 * edge * edge) / (192 * 192);
}

/** All tomograms, in the order in which they are made. */
export function plannedTomograms({
  choose = 52,
  perCondition = 2,
}: {
  readonly choose?: number;
  readonly perCondition?: number;
} = {}): Planned[] {
  return [...Array.from({ length: choose }, (_, index) => toChoose(index)), ...toTest(perCondition)];
}
