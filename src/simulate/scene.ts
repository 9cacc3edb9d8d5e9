import {
  finitePoint,
  isFields,
  numbersByName,
  optional,
  optionalList,
  type Rule,
  type RulesFor,
  requireOptions,
  seedNumber,
  shapeRule,
  someNumber,
  text,
  voxelSizeRule,
} from '../core/arguments.ts';
import { atOnce, type Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { transformOf } from '../picks/rotation.ts';
import { formatZyx, type Point, toPhysical, type VoxelGrid, voxelCount, type Zyx } from '../space/grid.ts';
import type { PlacedMolecule } from './density.ts';
import { Packing, type Region, type Room } from './packing.ts';
import { createRandom } from './random.ts';
import { cziiShape, cziiVoxelSize, species, speciesNamed, type Wanted, wantedSpecies } from './species.ts';
import { fillCapsids } from './structures.ts';
import { type CarbonEdge, placeSurroundings, type Surroundings, usualSurroundings } from './surroundings.ts';

/** An object and its position: the common part of a {@link ParticlePick} and a row of a truth table. */
export interface KnownPosition {
  readonly object: string;
  /** Centre, in Å. */
  readonly position: Point;
}

/** Options of {@link simulateScene}. */
export interface SceneOptions {
  /** Voxels along z, y, x. @defaultValue `[184, 630, 630]`, as in the competition */
  readonly shape?: Zyx | undefined;
  /** Edge lengths of a voxel along z, y, x, in Å. @defaultValue 10.012 Å, as in the competition */
  readonly voxelSize?: Zyx | undefined;
  /** Equal seeds give equal scenes. @defaultValue 0 */
  readonly seed?: number | undefined;
  /** Number of molecules by species; other species have their real density, scaled to the volume. */
  readonly counts?: Readonly<Record<string, number>> | undefined;
  /** Particles at given centres instead of random ones, for example a run's ground truth. They may overlap. */
  readonly positions?: readonly KnownPosition[] | undefined;
  /**
   * Thickness of the ice, in Å, outside which the volume is empty.
   * @defaultValue random, 950 to 1350 Å, at most the volume's depth
   */
  readonly iceThickness?: number | undefined;
  /** Fraction of the virus-like particles that contain cargo, 0 … 1. @defaultValue 0.3 */
  readonly cargo?: number | undefined;
  /** How strongly apo-ferritin and ribosomes cluster, relative to the real data, 0 … 1. @defaultValue 1 */
  readonly clustering?: number | undefined;
  /** Membranes, filaments, gold, aggregates, carbon; `{}` for none. @defaultValue those of a crowded cell extract */
  readonly surroundings?: Surroundings | undefined;
  /** Number of decoys and small proteins, relative to the default; 0 for none. @defaultValue 1 */
  readonly decoys?: number | undefined;
}

/** The content of the ice. */
export interface Scene {
  readonly grid: VoxelGrid;
  /** All molecules, including decoys, membranes, filaments and gold. */
  readonly molecules: readonly PlacedMolecule[];
  /** The carbon film at the bottom of the ice, if there is one. */
  readonly carbon: CarbonEdge | undefined;
  /**
   * The particles of the competition, in Å, with score 1: the ground truth. `transform` takes coordinates of the species, in Å about
   * its centre of mass, to the tomogram.
   */
  readonly picks: readonly ParticlePick[];
}

/**
 * Places particles and decoys in a volume, in random orientations and without overlap. Numbers, clustering and depth range follow
 * the competition's training data.
 *
 * In small volumes the numbers are proportionally smaller, but at least two of each particle, if they fit. Numbers given by
 * `counts` are met exactly, otherwise it is an error.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for an unknown species, a position outside the volume, a number that is not
 *   valid, or more molecules than fit.
 *
 * @example
 * ```ts
 * const scene = simulateScene({ shape: [64, 256, 256], seed: 1 });
 * ```
 */
export function simulateScene(options: SceneOptions = {}): Scene {
  return atOnce(sceneSteps(requireOptions('simulateScene', options, sceneRules)));
}

/** The work of `simulateScene`, of options that were checked. */
export function* sceneSteps(options: SceneOptions): Steps<Scene> {
  const { shape = cziiShape, voxelSize = cziiVoxelSize, seed = 0, positions, cargo = 0.3, clustering = 1 } = options;
  checkScene({ ...options, shape });
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
  const around = yield* placeSurroundings(options.surroundings ?? usualSurroundings, {
    grid,
    packing,
    region,
    seed,
    known: bare,
  });
  for (const wanted of wantedSpecies(grid, options)) {
    bare.push(...(yield* placeSpecies(wanted, { packing, region, random, clustering })));
  }
  const particles = fillCapsids(bare, { share: cargo, seed });
  yield;
  const picks = particles.filter((molecule) => molecule.species.kind === 'particle').map(truthOf);
  return { grid, molecules: [...particles, ...around.molecules], carbon: around.carbon, picks };
}

function truthOf({ species: { name }, position, rotation: r }: PlacedMolecule): ParticlePick {
  const transform = transformOf([
    [r[0], r[1], r[2]],
    [r[3], r[4], r[5]],
    [r[6], r[7], r[8]],
  ]);
  return { object: name, position, score: 1, transform };
}

const known: Rule = /* @__PURE__ */ optionalList('a list of particles { object, position }', {
  expected: 'a particle { object, position }',
  isValid: isFields,
  fields: { object: text, position: finitePoint },
});
/** What the options of a scene must be; their ranges are checked together. */
export const sceneRules: RulesFor<SceneOptions> = {
  shape: /* @__PURE__ */ optional(shapeRule),
  voxelSize: /* @__PURE__ */ optional(voxelSizeRule),
  seed: /* @__PURE__ */ optional(seedNumber),
  counts: /* @__PURE__ */ optional(numbersByName),
  positions: known,
  iceThickness: /* @__PURE__ */ optional(someNumber),
  cargo: /* @__PURE__ */ optional(someNumber),
  clustering: /* @__PURE__ */ optional(someNumber),
  surroundings: {
    expected: 'mean numbers of structures',
    isValid: (value) =>
      value === undefined ||
      (isFields(value) && Object.values(value).every((one) => one === undefined || typeof one === 'number')),
  },
  decoys: /* @__PURE__ */ optional(someNumber),
};

/** Maximum number of voxels: the whole tomogram is in memory while it is simulated, about 20 GB for this many voxels. */
const MAX_VOXELS = 2 ** 30;

/** Maximum mean number of structures of a kind: more would not fit, and the search for free positions would take long. */
const MAX_STRUCTURES = 10_000;

/** Maximum number of decoys relative to the default, for the same reason. */
const MAX_DECOYS = 1000;

/** The numbers that describe a scene. */
interface SceneNumbers {
  readonly shape: Zyx;
  readonly counts?: Readonly<Record<string, number>> | undefined;
  readonly decoys?: number | undefined;
  readonly iceThickness?: number | undefined;
  readonly cargo?: number | undefined;
  readonly clustering?: number | undefined;
  readonly surroundings?: Surroundings | undefined;
}

/** Checks the numbers of a scene. @throws {@link CryoetPicksError} `invalid-option` */
function checkScene(scene: SceneNumbers): void {
  const { shape, counts = {}, decoys = 1, iceThickness = 1, surroundings = {} } = scene;
  if (shape.includes(0)) fail(`expected a shape of three whole numbers > 0, found ${formatZyx(shape)}`);
  if (voxelCount(shape) > MAX_VOXELS) {
    fail(`${formatZyx(shape)} is ${voxelCount(shape)} voxels, and a simulated tomogram holds at most ${MAX_VOXELS}`);
  }
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
    if (!(mean >= 0 && mean <= MAX_STRUCTURES))
      fail(`surroundings.${name} must be from 0 to ${MAX_STRUCTURES}, found ${mean}`);
  }
  if (!(decoys >= 0 && decoys <= MAX_DECOYS)) fail(`decoys must be from 0 to ${MAX_DECOYS}, found ${decoys}`);
}

/** @throws {@link CryoetPicksError} `invalid-option` for a position outside the volume. */
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
 * The particles that cluster: the fraction placed beside another of their kind, and the maximum distance, in sums of their radii.
 * In the real ground truth, the median nearest-neighbour distance is 130 Å for apo-ferritin and 300 Å for ribosomes; random
 * positions would give 600 Å and 630 Å.
 */
const clusters: Readonly<Record<string, { readonly share: number; readonly reach: number }>> = {
  'apo-ferritin': { share: 0.5, reach: 1.1 },
  ribosome: { share: 0.7, reach: 1.35 },
};

/** Places molecules of one species. @throws {@link CryoetPicksError} `invalid-option` if fewer fit than required. */
function* placeSpecies(
  { candidate, count, exact }: Wanted,
  { packing, region, random, clustering }: Room & { readonly packing: Packing; readonly clustering: number },
): Steps<PlacedMolecule[]> {
  const placed: PlacedMolecule[] = [];
  const { radius, name } = candidate;
  const { share, reach } = clusters[name] ?? { share: 0, reach: 1 };
  for (let tried = 0; tried < count; tried++) {
    yield;
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
      `only ${placed.length} of ${count} ${name} (radius ${radius} Å) fit without overlap`,
    );
  }
  return placed;
}

/** Range of the centres along z, as a fraction of the depth: 39 to 1549 Å of 1832 Å in the competition's ground truth. */
const occupiedDepth = [0.02, 0.85] as const;

/** Minimum and maximum thickness of the ice, in Å: the range that contains 98 % of a run's true positions. */
const usualIce = [950, 1350] as const;

/** The box of the centres: the ice, which lies inside the volume if that is deep enough. */
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
  // As close to the side faces as in the ground truth.
  const [marginY, marginX] = [Math.min(50, height / 2), Math.min(50, width / 2)];
  return {
    low: { x: marginX, y: marginY, z: bottom },
    high: { x: width - marginX, y: height - marginY, z: Math.min(highest, bottom + thickness) },
  };
}
