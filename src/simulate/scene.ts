import type { Pick } from '../picks/pick.ts';
import type { VoxelGrid } from '../space/grid.ts';
import type { Point } from '../space/point.ts';
import type { Zyx } from '../space/zyx.ts';
import type { CarbonEdge } from './carbon.ts';
import { fillCapsids } from './cargo.ts';
import { checkInside, checkScene } from './check-scene.ts';
import { competitionShape, competitionVoxelSize, wantedSpecies } from './counts.ts';
import { Packing } from './place.ts';
import { occupiedRegion, placeSpecies } from './populate.ts';
import { createRandom } from './random.ts';
import type { PlacedMolecule } from './render.ts';
import { species, speciesNamed } from './species.ts';
import { placeSurroundings, type Surroundings, usualSurroundings } from './surroundings.ts';

/** An object and where it is: what a {@link Pick} and a row of a truth table have in common. */
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
  readonly picks: readonly Pick[];
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
  const {
    shape = competitionShape,
    voxelSize = competitionVoxelSize,
    seed = 0,
    positions,
    cargo = 0.3,
    clustering = 1,
  } = options;
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
    .map((molecule): Pick => ({ object: molecule.species.name, position: molecule.position, score: 1 }));
  return { grid, molecules: [...particles, ...around.molecules], carbon: around.carbon, picks };
}
