import { CryoetPicksError } from '../errors.ts';
import type { Pick } from '../picks/pick.ts';
import type { VoxelGrid } from '../space/grid.ts';
import type { Point } from '../space/point.ts';
import type { Zyx } from '../space/zyx.ts';
import { checkInside, checkScene } from './check-scene.ts';
import { Packing, type Region } from './place.ts';
import { createRandom, type Random } from './random.ts';
import type { PlacedMolecule } from './render.ts';
import { type Species, species, speciesNamed } from './species.ts';

/** The true voxel size of the competition's tomograms along z, y, x, in Å; their folders say 10.000. */
export const competitionVoxelSize: Zyx = [10.012444196428572, 10.012444196428572, 10.012444537618887];

/** The shape of the competition's tomograms. */
export const competitionShape: Zyx = [184, 630, 630];

/** Molecules of each species in a volume of the competition's size: the mean of its seven training runs, and decoys. */
const meanCounts: Readonly<Record<string, number>> = {
  'apo-ferritin': 375 / 7,
  'beta-amylase': 87 / 7,
  'beta-galactosidase': 112 / 7,
  ribosome: 331 / 7,
  thyroglobulin: 251 / 7,
  'virus-like-particle': 113 / 7,
  'fatty-acid-synthase': 4,
  'chaperonin-tric': 4,
  mitoribosome: 3,
  'proteasome-26s': 6,
  'proteasome-20s-pa26': 6,
  'proteasome-20s': 12,
  rubisco: 20,
  clpb: 16,
  p97: 16,
  'cand1-cul1': 24,
  'hsp110-hsp70': 24,
  hsp90: 30,
  hsp70: 500,
  get3: 500,
  'hsp70-atpase-domain': 600,
  esterase: 600,
};

/** Where along z the centres lie, as a share of the depth: 39 to 1549 Å of 1832 Å in the competition's truth. */
const occupiedDepth = [0.02, 0.85] as const;

/** Fewest molecules of each of the six species, however small the volume, as far as they fit. */
const fewestParticles = 2;

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
  /** How many decoys and small proteins there are, relative to the default; 0 for none. @defaultValue 1 */
  readonly decoys?: number | undefined;
}

/** What is in the ice. */
export interface Scene {
  readonly grid: VoxelGrid;
  /** Everything, decoys too. */
  readonly molecules: readonly PlacedMolecule[];
  /** The particles of the competition, in Å, with score 1: the ground truth. */
  readonly picks: readonly Pick[];
}

/**
 * Puts particles and decoys into a volume, in random orientations and without overlap, in the numbers and the depth range
 * of the competition's training data.
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
  const { shape = competitionShape, voxelSize = competitionVoxelSize, seed = 0, positions } = options;
  checkScene({ ...options, shape, voxelSize, seed });
  const grid: VoxelGrid = { shape, voxelSize, origin: { x: 0, y: 0, z: 0 } };
  const random = createRandom(seed, 1);
  const packing = new Packing(Math.max(...species.map(({ radius }) => radius)));
  const molecules: PlacedMolecule[] = [];
  for (const { object, position } of positions ?? []) {
    const known = speciesNamed(object);
    checkInside(grid, object, position);
    packing.add(position, known.radius);
    molecules.push({ species: known, position, rotation: random.rotation() });
  }
  for (const { candidate, count, exact } of wanted(grid, options)) {
    placeSome(candidate, { count, exact, packing, region: occupiedRegion(grid), random, molecules });
  }
  const picks = molecules
    .filter((molecule) => molecule.species.kind === 'particle')
    .map((molecule): Pick => ({ object: molecule.species.name, position: molecule.position, score: 1 }));
  return { grid, molecules, picks };
}

/** How many of what, largest first: what needs most room is placed while there is most. */
function wanted(grid: VoxelGrid, { counts = {}, positions, decoys = 1 }: SceneOptions) {
  for (const name of Object.keys(counts)) speciesNamed(name);
  const share = volumeOf(grid.shape, grid.voxelSize) / volumeOf(competitionShape, competitionVoxelSize);
  return [...species]
    .sort((a, b) => b.radius - a.radius)
    .map((candidate) => {
      const asked = counts[candidate.name];
      if (asked !== undefined) return { candidate, count: asked, exact: true };
      const usual = share * meanCounts[candidate.name]!;
      if (candidate.kind === 'decoy') return { candidate, count: Math.round(decoys * usual), exact: false };
      const count = positions === undefined ? Math.max(fewestParticles, Math.round(usual)) : 0;
      return { candidate, count, exact: false };
    });
}

interface Placement {
  readonly count: number;
  readonly exact: boolean;
  readonly packing: Packing;
  readonly region: Region;
  readonly random: Random;
  readonly molecules: PlacedMolecule[];
}

function placeSome(candidate: Species, { count, exact, packing, region, random, molecules }: Placement): void {
  for (let placed = 0; placed < count; placed++) {
    const position = packing.place(candidate.radius, { region, random });
    if (position !== undefined) {
      molecules.push({ species: candidate, position, rotation: random.rotation() });
    } else if (exact) {
      throw new CryoetPicksError(
        'invalid-option',
        `only ${placed} of ${count} ${candidate.name} (radius ${candidate.radius} Å) find room without overlap`,
      );
    }
  }
}

function occupiedRegion({ shape, voxelSize }: VoxelGrid): Region {
  const [depth, height, width] = shape.map((length, axis) => (length - 1) * voxelSize[axis]!) as [
    number,
    number,
    number,
  ];
  // As close to the side faces as the truth gets.
  const [marginY, marginX] = [Math.min(50, height / 2), Math.min(50, width / 2)];
  return {
    low: { x: marginX, y: marginY, z: occupiedDepth[0] * depth },
    high: { x: width - marginX, y: height - marginY, z: occupiedDepth[1] * depth },
  };
}

function volumeOf(shape: Zyx, voxelSize: Zyx): number {
  return shape.reduce((product, length, axis) => product * length * voxelSize[axis]!, 1);
}
