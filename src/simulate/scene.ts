import { CryoetPicksError } from '../core/errors.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { type Point, toPhysical, type VoxelGrid } from '../space/grid.ts';
import { formatZyx, voxelCount, type Zyx } from '../space/zyx.ts';
import type { PlacedMolecule } from './density.ts';
import { Packing, type Region, type Room } from './packing.ts';
import { createRandom } from './random.ts';
import { cziiShape, cziiVoxelSize, species, speciesNamed, type Wanted, wantedSpecies } from './species.ts';
import { fillCapsids } from './structures.ts';
import { type CarbonEdge, placeSurroundings, type Surroundings, usualSurroundings } from './surroundings.ts';

/** An object and where it is: what a {@link ParticlePick} and a row of a truth table have in common. */
export interface KnownPosition {
  readonly object: string;
  /** Centre, in Å. */
  readonly position: Point;
}

/** Options of {@link simulateScene}. */
export interface SceneOptions {
  /** Voxels along z, y, x. @defaultValue `[184, 630, 630]`, the competition's */
  readonly shape?: Zyx | undefined;
  /** Edge lengths of a voxel along z, y, x, in Å. @defaultValue the competition's, 10.012 Å */
  readonly voxelSize?: Zyx | undefined;
  /** Equal seeds give equal scenes. @defaultValue 0 */
  readonly seed?: number | undefined;
  /** Molecules per species name; others have their real density, scaled to the volume. */
  readonly counts?: Readonly<Record<string, number>> | undefined;
  /** The particles and their centres instead of random ones: a run's ground truth, for example. They may overlap. */
  readonly positions?: readonly KnownPosition[] | undefined;
  /** Thickness of the ice, in Å: beyond it there is nothing. @defaultValue 950 to 1350 by the seed, as far as it fits */
  readonly iceThickness?: number | undefined;
  /** Share of the virus-like particles that hold cargo, 0 … 1. @defaultValue 0.3 */
  readonly cargo?: number | undefined;
  /** How much apo-ferritin and ribosomes cluster, relative to the real data, 0 … 1. @defaultValue 1 */
  readonly clustering?: number | undefined;
  /** Membranes, filaments, gold, aggregates, carbon; `{}` for none. @defaultValue those of a crowded cell extract */
  readonly surroundings?: Surroundings | undefined;
  /** How many decoys and small proteins there are, relative to the default; 0 for none. @defaultValue 1 */
  readonly decoys?: number | undefined;
}

/** What is in the ice. */
export interface Scene {
  readonly grid: VoxelGrid;
  /** Everything, decoys, membranes, filaments and gold too. */
  readonly molecules: readonly PlacedMolecule[];
  /** The film at the bottom of the ice, where there is one. */
  readonly carbon: CarbonEdge | undefined;
  /** The particles of the competition, in Å, with score 1: the ground truth. */
  readonly picks: readonly ParticlePick[];
}

/**
 * Puts particles and decoys into a volume, in random orientations and without overlap, in the numbers, the clusters and the
 * depth range of the competition's training data.
 *
 * Small volumes get their share of the numbers, but at least two of each particle where they fit; numbers asked for by
 * `counts` are met or it is an error.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for an unknown species, a position outside the volume, a number that cannot be
 *   one, or more molecules than find room.
 *
 * @example
 * ```ts
 * const scene = simulateScene({ shape: [64, 256, 256], seed: 1 });
 * ```
 */
export function simulateScene(options: SceneOptions = {}): Scene {
  const { shape = cziiShape, voxelSize = cziiVoxelSize, seed = 0, positions, cargo = 0.3, clustering = 1 } = options;
  checkScene({ ...options, shape, voxelSize, seed });
  const grid: VoxelGrid = { shape, voxelSize, origin: { x: 0, y: 0, z: 0 } };
  const random = createRandom(seed, 1);
  const packing = new Packing(Math.max(...species.map(({ radius }) => radius)));
  const region = occupiedRegion(grid, { seed, iceThickness: options.iceThickness });
  const bare: PlacedMolecule[] = [];
  for (const { object, position } of positions ?? []) {
    const known = speciesNamed(object);
    checkInside(grid, object, position);
    packing.add(position, known.radius);
    bare.push({ species: known, position, rotation: random.rotation() });
  }
  const around = placeSurroundings(options.surroundings ?? usualSurroundings, {
    grid,
    packing,
    region,
    seed,
    known: bare,
  });
  for (const wanted of wantedSpecies(grid, options)) {
    bare.push(...placeSpecies(wanted, { packing, region, random, clustering }));
  }
  const particles = fillCapsids(bare, { share: cargo, seed });
  const picks = particles
    .filter((molecule) => molecule.species.kind === 'particle')
    .map((molecule): ParticlePick => ({ object: molecule.species.name, position: molecule.position, score: 1 }));
  return { grid, molecules: [...particles, ...around.molecules], carbon: around.carbon, picks };
}

/** A tomogram is held whole while it is simulated; this many voxels take about 20 GB. */
const MOST_VOXELS = 2 ** 30;

/** More structures than this find no room, and take long to be sought it. */
const MOST_STRUCTURES = 10_000;

/** The numbers that describe a scene. */
interface SceneNumbers {
  readonly shape: Zyx;
  readonly voxelSize: Zyx;
  readonly seed: number;
  readonly counts?: Readonly<Record<string, number>> | undefined;
  readonly decoys?: number | undefined;
  readonly iceThickness?: number | undefined;
  readonly cargo?: number | undefined;
  readonly clustering?: number | undefined;
  readonly surroundings?: Surroundings | undefined;
}

/** Refuses numbers that no scene can have. @throws {@link CryoetPicksError} `invalid-option` */
function checkScene(scene: SceneNumbers): void {
  const { shape, voxelSize, seed, counts = {}, decoys = 1, iceThickness = 1, surroundings = {} } = scene;
  if (shape.length !== 3 || !shape.every((length) => Number.isSafeInteger(length) && length > 0)) {
    fail(`expected a shape of three whole numbers > 0, found ${formatZyx(shape)}`);
  }
  if (voxelCount(shape) > MOST_VOXELS) {
    fail(`${formatZyx(shape)} is ${voxelCount(shape)} voxels, and a simulated tomogram holds at most ${MOST_VOXELS}`);
  }
  if (voxelSize.length !== 3 || !voxelSize.every((size) => Number.isFinite(size) && size > 0)) {
    fail(`expected three voxel sizes > 0 Å, found ${formatZyx(voxelSize)}`);
  }
  if (!Number.isSafeInteger(seed)) fail(`expected a whole number as seed, found ${seed}`);
  for (const [name, count] of Object.entries(counts)) {
    if (!Number.isSafeInteger(count) || count < 0) fail(`expected a whole number ≥ 0 of ${name}, found ${count}`);
  }
  for (const name of ['cargo', 'clustering'] as const) {
    const share = scene[name] ?? 0;
    if (!(share >= 0 && share <= 1)) fail(`${name} must be from 0 to 1, found ${share}`);
  }
  if (!(iceThickness > 0 && Number.isFinite(iceThickness)))
    fail(`iceThickness must be a number > 0 Å, found ${iceThickness}`);
  for (const [name, mean] of Object.entries(surroundings)) {
    if (!(mean >= 0 && mean <= MOST_STRUCTURES))
      fail(`surroundings.${name} must be from 0 to ${MOST_STRUCTURES}, found ${mean}`);
  }
  if (!(decoys >= 0 && Number.isFinite(decoys))) fail(`decoys must be a number ≥ 0, found ${decoys}`);
}

/** Refuses a position outside the volume. @throws {@link CryoetPicksError} `invalid-option` */
function checkInside(grid: VoxelGrid, object: string, position: Point): void {
  const end = toPhysical(grid, [grid.shape[0] - 1, grid.shape[1] - 1, grid.shape[2] - 1]);
  const inside = (['x', 'y', 'z'] as const).every((axis) => position[axis] >= 0 && position[axis] <= end[axis]);
  if (inside) return;
  fail(
    `${object} at (${position.x}, ${position.y}, ${position.z}) Å lies outside the volume, which ends at ` +
      `(${end.x.toFixed(1)}, ${end.y.toFixed(1)}, ${end.z.toFixed(1)}) Å`,
  );
}

function fail(message: string): never {
  throw new CryoetPicksError('invalid-option', message);
}

/**
 * Which particles cluster: the share that is placed beside another of their kind, and how far from it at most, in sums of
 * their radii. The medians of the real truth's nearest distances are 130 Å for apo-ferritin and 300 Å for ribosomes, where
 * chance alone gives 600 Å and 630 Å.
 */
const clusters: Readonly<Record<string, { readonly share: number; readonly reach: number }>> = {
  'apo-ferritin': { share: 0.5, reach: 1.1 },
  ribosome: { share: 0.7, reach: 1.35 },
};

/** Places molecules of one species. @throws {@link CryoetPicksError} `invalid-option` where fewer fit than must. */
function placeSpecies(
  { candidate, count, exact }: Wanted,
  { packing, region, random, clustering }: Room & { readonly packing: Packing; readonly clustering: number },
): PlacedMolecule[] {
  const placed: PlacedMolecule[] = [];
  const { radius, name } = candidate;
  const { share, reach } = clusters[name] ?? { share: 0, reach: 1 };
  for (let tried = 0; tried < count; tried++) {
    const beside = share * clustering;
    const host = beside > 0 && beside > random.uniform() ? placed[random.integer(placed.length)] : undefined;
    const position =
      (host === undefined
        ? undefined
        : packing.placeBeside(
            { centre: host.position, radius },
            { nearest: 2 * radius, furthest: 2 * radius * reach, region, random },
          )) ?? packing.place(radius, { region, random });
    if (position === undefined) continue;
    placed.push({ species: candidate, position, rotation: random.rotation() });
  }
  if (exact && placed.length < count) {
    throw new CryoetPicksError(
      'invalid-option',
      `only ${placed.length} of ${count} ${name} (radius ${radius} Å) find room without overlap`,
    );
  }
  return placed;
}

/** Where along z the centres lie, as a share of the depth: 39 to 1549 Å of 1832 Å in the competition's truth. */
const occupiedDepth = [0.02, 0.85] as const;

/** Thinnest and thickest ice, in Å: what holds 98 % of a run's true positions. */
const usualIce = [950, 1350] as const;

/** The box that centres lie in: the ice, which begins and ends within the volume where that is deep enough. */
function occupiedRegion(
  { shape, voxelSize }: VoxelGrid,
  { seed, iceThickness }: { readonly seed: number; readonly iceThickness: number | undefined },
): Region {
  const random = createRandom(seed, 5);
  const [depth, height, width] = shape.map((length, axis) => (length - 1) * voxelSize[axis]!) as [
    number,
    number,
    number,
  ];
  const thickness = iceThickness ?? usualIce[0] + (usualIce[1] - usualIce[0]) * random.uniform();
  const [lowest, highest] = [occupiedDepth[0] * depth, occupiedDepth[1] * depth];
  const spare = Math.max(0, highest - lowest - thickness);
  const bottom = lowest + spare * random.uniform();
  // As close to the side faces as the truth gets.
  const [marginY, marginX] = [Math.min(50, height / 2), Math.min(50, width / 2)];
  return {
    low: { x: marginX, y: marginY, z: bottom },
    high: { x: width - marginX, y: height - marginY, z: Math.min(highest, bottom + thickness) },
  };
}
