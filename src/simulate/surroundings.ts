import type { VoxelGrid } from '../space/grid.ts';
import { aggregate } from './aggregate.ts';
import { type CarbonEdge, carbonEdge, touchesCarbon } from './carbon.ts';
import { volumeShare } from './counts.ts';
import { filament, helices } from './filament.ts';
import { vesicle } from './membrane.ts';
import { type Ball, type Packing, type Region, randomPoint } from './place.ts';
import { createRandom, type Random, type Rotation } from './random.ts';
import { moleculePoints, type PlacedMolecule } from './render.ts';
import { ellipsoid } from './species.ts';

/**
 * What else is in the ice, never in a list of picks: mean numbers in a volume of the competition's size, scaled to others.
 */
export interface Surroundings {
  readonly vesicles?: number | undefined;
  /** Actin filaments. */
  readonly filaments?: number | undefined;
  readonly microtubules?: number | undefined;
  readonly goldBeads?: number | undefined;
  /** Clumps of denatured protein. */
  readonly aggregates?: number | undefined;
  /** Chance that the edge of a carbon film cuts off a side. */
  readonly carbon?: number | undefined;
}

/** About what one tomogram of a crowded cell extract holds. */
export const usualSurroundings: Surroundings = {
  vesicles: 4,
  filaments: 8,
  microtubules: 1,
  goldBeads: 8,
  aggregates: 12,
  carbon: 0.15,
};

/** Å between the balls that keep others off a structure, and their radius. */
const hull = { spacing: 40, radius: 32 } as const;

/** How often a place is sought for one structure before it is given up. */
const attempts = 25;

interface Ice {
  readonly grid: VoxelGrid;
  readonly packing: Packing;
  readonly region: Region;
  readonly seed: number;
  /** What is there already. */
  readonly known: readonly PlacedMolecule[];
}

/** Places surroundings where nothing else is. */
export function placeSurroundings(
  wanted: Surroundings,
  { grid, packing, region, seed, known }: Ice,
): { readonly molecules: readonly PlacedMolecule[]; readonly carbon: CarbonEdge | undefined } {
  const random = createRandom(seed, 7);
  const film = random.uniform() < (wanted.carbon ?? 0) * volumeShare(grid) ? carbonEdge(region, random) : undefined;
  const free = known.every(
    ({ position, species }) => film === undefined || !touchesCarbon(film, { centre: position, radius: species.radius }),
  );
  const carbon = free ? film : undefined;
  if (carbon !== undefined) packing.addObstacle((ball) => touchesCarbon(carbon, ball));
  const molecules: PlacedMolecule[] = [];
  const thickness = region.high.z - region.low.z;
  const makers: readonly (readonly [number | undefined, () => readonly PlacedMolecule[]])[] = [
    [
      wanted.vesicles,
      () => somewhere(vesicle(Math.min(0.42 * thickness, 180 + 370 * random.uniform()), random), { region, random }),
    ],
    [
      wanted.microtubules,
      () =>
        lying(filament(helices.microtubules, { length: 1500 + 3500 * random.uniform(), random }), { region, random }),
    ],
    [
      wanted.filaments,
      () => lying(filament(helices.filaments, { length: 800 + 3200 * random.uniform(), random }), { region, random }),
    ],
    [wanted.aggregates, () => moved(aggregate(8 + random.integer(40), random), { region, random })],
    [wanted.goldBeads, () => somewhere(goldBead(random), { region, random })],
  ];
  for (const [mean = 0, make] of makers) {
    const expected = mean * volumeShare(grid);
    // Rounded by chance, so that small volumes get their share too.
    const count = Math.floor(expected + random.uniform());
    for (let i = 0; i < count; i++) molecules.push(...placeFree(make, { packing, region }));
  }
  return { molecules, carbon };
}

function placeFree(
  make: () => readonly PlacedMolecule[],
  { packing, region }: { readonly packing: Packing; readonly region: Region },
): readonly PlacedMolecule[] {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const molecules = make();
    const balls = molecules.flatMap(hullOf);
    const fits = ({ centre, radius }: Ball) =>
      centre.z >= region.low.z && centre.z <= region.high.z && packing.isFree(centre, radius);
    if (!balls.every(fits)) continue;
    for (const { centre, radius } of balls) packing.add(centre, radius);
    return molecules;
  }
  return [];
}

/** Balls over a structure's beads, one per cell of a lattice. */
function hullOf(molecule: PlacedMolecule): readonly Ball[] {
  const balls = new Map<string, Ball>();
  for (const centre of moleculePoints(molecule)) {
    const cell = [centre.x, centre.y, centre.z].map((value) => Math.floor(value / hull.spacing)).join(' ');
    if (!balls.has(cell)) balls.set(cell, { centre, radius: hull.radius });
  }
  return [...balls.values()];
}

interface Somewhere {
  readonly region: Region;
  readonly random: Random;
}

function somewhere(species: PlacedMolecule['species'], { region, random }: Somewhere): readonly PlacedMolecule[] {
  return [{ species, position: randomPoint(region, random), rotation: random.rotation() }];
}

/** Lies along the ice: turned about z, hardly raised. */
function lying(species: PlacedMolecule['species'], { region, random }: Somewhere): readonly PlacedMolecule[] {
  const around = 2 * Math.PI * random.uniform();
  const rise = 0.12 * (2 * random.uniform() - 1);
  const flat = Math.sqrt(1 - rise * rise);
  const [c, s] = [Math.cos(around), Math.sin(around)];
  const rotation: Rotation = [c * flat, -s, -c * rise, s * flat, c, -s * rise, rise, 0, flat];
  return [{ species, position: randomPoint(region, random), rotation }];
}

function moved(molecules: readonly PlacedMolecule[], { region, random }: Somewhere): readonly PlacedMolecule[] {
  const to = randomPoint(region, random);
  return molecules.map((molecule) => {
    const { x, y, z } = molecule.position;
    return { ...molecule, position: { x: to.x + x, y: to.y + y, z: to.z + z } };
  });
}

/** Gold of 10 nm, give or take, 12 times denser than protein. */
function goldBead(random: Random): PlacedMolecule['species'] {
  const radius = 42 + 16 * random.uniform();
  return ellipsoid('gold-bead', [radius, radius, radius], { kind: 'decoy', sigma: 7, density: 12 });
}
