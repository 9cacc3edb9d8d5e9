import type { Steps } from '../core/concurrency.ts';
import { type Point, positionOf, type VoxelGrid } from '../space/grid.ts';
import type { Volume } from '../volume/volume.ts';
import { moleculePoints, type PlacedMolecule } from './density.ts';
import { type Ball, type Packing, type Region, randomPoint } from './packing.ts';
import { createRandom, type Random, type Rotation } from './random.ts';
import { ellipsoid, volumeShare } from './species.ts';
import { aggregate, filament, helices, vesicle } from './structures.ts';

/**
 * What the ice contains beside molecules, never part of the ground truth: mean numbers in a volume of the competition's
 * size, scaled to other sizes.
 */
export interface Surroundings {
  readonly vesicles?: number | undefined;
  /** Actin filaments. */
  readonly filaments?: number | undefined;
  readonly microtubules?: number | undefined;
  readonly goldBeads?: number | undefined;
  /** Clumps of denatured protein. */
  readonly aggregates?: number | undefined;
  /** Probability that the edge of a carbon film covers a side. */
  readonly carbon?: number | undefined;
}

/** Approximately the content of a tomogram of a crowded cell extract. */
export const usualSurroundings: Surroundings = {
  vesicles: 4,
  filaments: 8,
  microtubules: 1,
  goldBeads: 8,
  aggregates: 12,
  carbon: 0.15,
};

/** Distance between the balls that exclude others from a structure, and their radius, in Å. */
const hull = { spacing: 40, radius: 32 } as const;

/** Maximum number of attempts to find a free position for one structure. */
const attempts = 25;

interface Ice {
  readonly grid: VoxelGrid;
  readonly packing: Packing;
  readonly region: Region;
  readonly seed: number;
  /** The molecules placed so far. */
  readonly known: readonly PlacedMolecule[];
}

/** What was placed of {@link Surroundings}. */
interface PlacedSurroundings {
  readonly molecules: readonly PlacedMolecule[];
  readonly carbon: CarbonEdge | undefined;
}

/** Places surroundings at free positions. */
export function* placeSurroundings(
  wanted: Surroundings,
  { grid, packing, region, seed, known }: Ice,
): Steps<PlacedSurroundings> {
  const random = createRandom(seed, 7);
  const film = random.uniform() < (wanted.carbon ?? 0) * volumeShare(grid) ? carbonEdge(region, random) : undefined;
  const free = known.every(
    ({ position, species }) => film === undefined || !touchesCarbon(film, { centre: position, radius: species.radius }),
  );
  const carbon = free ? film : undefined;
  if (carbon !== undefined) packing.addObstacle((ball) => touchesCarbon(carbon, ball));
  const molecules: PlacedMolecule[] = [];
  const thickness = region.high.z - region.low.z;
  const makeVesicle = function* () {
    const radius = Math.min(0.42 * thickness, 180 + 370 * random.uniform());
    return somewhere(yield* vesicle(radius, random), { region, random });
  };
  const makers: readonly (readonly [number | undefined, Maker])[] = [
    [wanted.vesicles, makeVesicle],
    [
      wanted.microtubules,
      inOneStep(() =>
        lying(filament(helices.microtubules, { length: 1500 + 3500 * random.uniform(), random }), { region, random }),
      ),
    ],
    [
      wanted.filaments,
      inOneStep(() =>
        lying(filament(helices.filaments, { length: 800 + 3200 * random.uniform(), random }), { region, random }),
      ),
    ],
    [wanted.aggregates, inOneStep(() => moved(aggregate(8 + random.integer(40), random), { region, random }))],
    [wanted.goldBeads, inOneStep(() => somewhere(goldBead(random), { region, random }))],
  ];
  for (const [mean = 0, make] of makers) {
    const expected = mean * volumeShare(grid);
    // Rounded randomly, so that small volumes get the right mean.
    const count = Math.floor(expected + random.uniform());
    for (let i = 0; i < count; i++) molecules.push(...(yield* placeFree(make, { packing, region })));
  }
  return { molecules, carbon };
}

/** Makes a structure somewhere, each time another one. */
type Maker = () => Steps<readonly PlacedMolecule[]>;

function inOneStep(make: () => readonly PlacedMolecule[]): Maker {
  return function* () {
    yield;
    return make();
  };
}

function* placeFree(
  make: Maker,
  { packing, region }: { readonly packing: Packing; readonly region: Region },
): Steps<readonly PlacedMolecule[]> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const molecules = yield* make();
    const balls: Ball[] = [];
    for (const molecule of molecules) balls.push(...(yield* hullOf(molecule)));
    if (!(yield* allFit(balls, { packing, region }))) continue;
    for (const { centre, radius } of balls) packing.add(centre, radius);
    return molecules;
  }
  return [];
}

/** Whether all balls are within the ice and free. */
function* allFit(
  balls: readonly Ball[],
  { packing, region }: { readonly packing: Packing; readonly region: Region },
): Steps<boolean> {
  for (const [i, { centre, radius }] of balls.entries()) {
    if (i % 64 === 0) yield;
    if (centre.z < region.low.z || centre.z > region.high.z || !packing.isFree(centre, radius)) return false;
  }
  return true;
}

/** Balls over a structure's beads, one per cell of a lattice. */
function* hullOf(molecule: PlacedMolecule): Steps<readonly Ball[]> {
  const balls = new Map<string, Ball>();
  let points = 0;
  for (const centre of moleculePoints(molecule)) {
    const cell = [centre.x, centre.y, centre.z].map((value) => Math.floor(value / hull.spacing)).join(' ');
    if (!balls.has(cell)) balls.set(cell, { centre, radius: hull.radius });
    if (++points % 1024 === 0) yield;
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

/** A random orientation along the ice: any angle about z, a small angle out of the plane. */
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

/** Gold beads of about 10 nm, 12 times denser than protein. */
function goldBead(random: Random): PlacedMolecule['species'] {
  const radius = 42 + 16 * random.uniform();
  return ellipsoid('gold-bead', [radius, radius, radius], { kind: 'decoy', sigma: 7, density: 12 });
}

/** The edge of a hole in a carbon film, which covers everything outside a circle. */
export interface CarbonEdge {
  /** Centre of the hole, in Å; it may lie outside the volume. */
  readonly x: number;
  readonly y: number;
  /** Radius of the hole, in Å. */
  readonly radius: number;
  /** Lower and upper face of the film along z, in Å. */
  readonly bottom: number;
  readonly top: number;
}

/** Density of amorphous carbon over that of ice, relative to protein's. */
const density = 1.2;

/** Å over which the film's faces and edge fade. */
const fade = 25;

/** Radius of the holes of a film with holes of 2 µm, in Å. */
const holeRadius = 10_000;

/** A hole's edge that cuts a corner or a side off the volume, in a film at the bottom of the ice. */
function carbonEdge({ low, high }: Region, random: Random): CarbonEdge {
  const middle = { x: (low.x + high.x) / 2, y: (low.y + high.y) / 2 };
  const half = Math.min(high.x - low.x, high.y - low.y) / 2;
  const towards = 2 * Math.PI * random.uniform();
  // The film begins between 40 % and 90 % of the way from the middle to the side.
  const away = holeRadius - half * (0.4 + 0.5 * random.uniform());
  const thickness = 120 + 100 * random.uniform();
  return {
    x: middle.x - away * Math.cos(towards),
    y: middle.y - away * Math.sin(towards),
    radius: holeRadius,
    bottom: low.z,
    top: Math.min(high.z, low.z + thickness),
  };
}

/** How far a point is inside the film, in Å; negative outside. */
function depthInside(edge: CarbonEdge, { x, y, z }: Point): number {
  return Math.min(Math.hypot(x - edge.x, y - edge.y) - edge.radius, z - edge.bottom, edge.top - z);
}

/** True if a ball reaches into the film. */
export function touchesCarbon(
  edge: CarbonEdge,
  { centre, radius }: { readonly centre: Point; readonly radius: number },
): boolean {
  return depthInside(edge, centre) > -radius;
}

/** Adds the film's density to a volume. */
export function* drawCarbon(
  volume: Volume,
  { grid, edge }: { readonly grid: VoxelGrid; readonly edge: CarbonEdge },
): Steps<void> {
  const { data, shape, stride, offset } = volume;
  for (let z = 0; z < shape[0]; z++) {
    const height = positionOf(grid, [z, 0, 0]).z;
    if (height < edge.bottom - fade || height > edge.top + fade) continue;
    for (let y = 0; y < shape[1]; y++) {
      let at = offset + z * stride[0] + y * stride[1];
      for (let x = 0; x < shape[2]; x++, at += stride[2]) {
        const inside = depthInside(edge, positionOf(grid, [z, y, x]));
        if (inside > -fade) data[at] += density * Math.min(1, (inside + fade) / (2 * fade));
      }
      yield;
    }
  }
}
