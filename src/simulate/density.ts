import { finitePoint, isFields, placement, type Rule, requireOptions } from '../core/arguments.ts';
import { atOnce, type Steps } from '../core/concurrency.ts';
import { type Point, type VoxelGrid, voxelOf } from '../space/grid.ts';
import { asVolume, type Volume } from '../volume/volume.ts';
import type { Rotation } from './random.ts';
import type { Species } from './species.ts';

/** Distance, in standard deviations, at which beads are cut off: exp(−8) = 0.03 % of their peak. */
const cutoffSigmas = 4;

/** A molecule with its position and orientation. */
export interface PlacedMolecule {
  readonly species: Species;
  /** Centre of mass, in Å. */
  readonly position: Point;
  readonly rotation: Rotation;
}

/** Options of {@link drawMolecule}. */
export interface DrawOptions {
  /** Geometry of the volume. */
  readonly grid: VoxelGrid;
  readonly molecule: PlacedMolecule;
}

/**
 * Adds a molecule's density to a volume. Every bead is a Gaussian evaluated at the voxels, without interpolation, for any voxel
 * size, orientation and position. Density outside the volume is omitted.
 *
 * A Gaussian is the product of one per axis, so a bead costs three short rows of exponentials and one multiplication per
 * voxel.
 *
 * @param volume - `[z, y, x]` with any stride; changed in place.
 *
 * @example
 * ```ts
 * const rotation = createRandom(1).rotation();
 * const molecule = { species: speciesNamed('ribosome'), position: { x: 300, y: 300, z: 300 }, rotation };
 * drawMolecule(volume, { grid, molecule });
 * ```
 */
export function drawMolecule(volume: Volume, options: DrawOptions): void {
  const target = asVolume(volume, 'drawMolecule', 'volume');
  const rules = { grid: placement, molecule: moleculeRule };
  atOnce(drawingSteps(target, requireOptions<DrawOptions>('drawMolecule', options, rules)));
}

/** Beads that are drawn in one piece. */
const BEADS_AT_ONCE = 256;

/** The work of `drawMolecule`: a vesicle has tens of thousands of beads. */
export function* drawingSteps(volume: Volume, { grid, molecule }: DrawOptions): Steps<void> {
  const { beads, sigma } = molecule.species;
  const rows = [0, 1, 2].map((axis) => profileRow(sigma / grid.voxelSize[axis]!)) as [Profile, Profile, Profile];
  for (let i = 0; i < beads.length; i += 4) {
    const voxel = voxelOf(grid, beadAt(molecule, i));
    for (let axis = 0; axis < 3; axis++) fillProfile(rows[axis]!, voxel[axis]!, volume.shape[axis]!);
    addProduct(volume, rows, beads[i + 3]);
    if (i % (4 * BEADS_AT_ONCE) === 0) yield;
  }
}

/** Rows of Gaussians are held, so that a bead cannot have any width; this is that of a whole tomogram. */
const width: Rule = {
  expected: 'a length in Å, above 0, at most 10,000',
  isValid: (value) => typeof value === 'number' && value > 0 && value <= 10_000,
};
const moleculeRule: Rule = {
  expected: 'a molecule { species, position, rotation }',
  isValid: isFields,
  fields: {
    species: {
      expected: 'a species, such as `speciesNamed(name)`',
      isValid: isFields,
      fields: {
        sigma: width,
        beads: { expected: 'a Float64Array', isValid: (value) => value instanceof Float64Array },
      },
    },
    position: finitePoint,
    rotation: {
      expected: 'a 3×3 matrix, as nine numbers',
      isValid: (value) => Array.isArray(value) && value.length === 9 && value.every(Number.isFinite),
    },
  },
};

/** The positions of a molecule's beads, in Å. */
export function* moleculePoints(molecule: PlacedMolecule): Generator<Point> {
  for (let i = 0; i < molecule.species.beads.length; i += 4) yield beadAt(molecule, i);
}

function beadAt({ species: { beads }, position, rotation }: PlacedMolecule, i: number): Point {
  const [x, y, z] = [beads[i]!, beads[i + 1]!, beads[i + 2]!];
  return {
    x: position.x + rotation[0] * x + rotation[1] * y + rotation[2] * z,
    y: position.y + rotation[3] * x + rotation[4] * y + rotation[5] * z,
    z: position.z + rotation[6] * x + rotation[7] * y + rotation[8] * z,
  };
}

/** One axis of a bead: its Gaussian at voxels `start … end − 1`. */
interface Profile {
  readonly sigma: number;
  readonly values: Float64Array;
  start: number;
  end: number;
}

function profileRow(sigma: number): Profile {
  return { sigma, values: new Float64Array(2 * Math.ceil(cutoffSigmas * sigma) + 2), start: 0, end: 0 };
}

function fillProfile(profile: Profile, centre: number, length: number): void {
  const { sigma, values } = profile;
  profile.start = Math.max(0, Math.ceil(centre - cutoffSigmas * sigma));
  profile.end = Math.min(length, Math.floor(centre + cutoffSigmas * sigma) + 1);
  const factor = -0.5 / (sigma * sigma);
  for (let i = profile.start; i < profile.end; i++) {
    values[i - profile.start] = Math.exp(factor * (i - centre) * (i - centre));
  }
}

function addProduct(volume: Volume, [rowZ, rowY, rowX]: readonly [Profile, Profile, Profile], weight: number): void {
  const { data, stride, offset } = volume;
  const width = rowX.end - rowX.start;
  for (let z = rowZ.start; z < rowZ.end; z++) {
    const wz = weight * rowZ.values[z - rowZ.start];
    for (let y = rowY.start; y < rowY.end; y++) {
      const wzy = wz * rowY.values[y - rowY.start];
      let at = offset + z * stride[0] + y * stride[1] + rowX.start * stride[2];
      for (let i = 0; i < width; i++, at += stride[2]) data[at] += wzy * rowX.values[i];
    }
  }
}
