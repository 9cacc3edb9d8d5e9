import {
  abortSignal,
  callback,
  optional,
  picks as picksRule,
  positiveLength,
  type RulesFor,
  requireArgument,
  requireOptions,
} from '../core/arguments.ts';
import { type Progress, withTurns } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { isPlaced, notPick, type ParticlePick } from '../picks/pick.ts';
import { deviationFromRotation, identity, type Rotation, rotationOf } from '../picks/rotation.ts';
import { type Box, boxShape, facesOf, type VoxelGrid, voxelCount, voxelOf, type Zyx } from '../space/grid.ts';
import {
  assertVolumeSource,
  contiguousVolume,
  readPaddedInto,
  type Volume,
  type VolumeSource,
} from '../volume/volume.ts';
import { RealTransform, transformShape } from './fft.ts';
import { type MissingWedge, multiplyBy, seenBy, transferTable, wedgeRule } from './transfer.ts';
import { emptyCube, turnInto } from './turn.ts';

/** Options of {@link averageParticles}. */
export interface AverageParticlesOptions {
  /** Half the edge of the average, in Å. */
  readonly radius: number;
  /** What the tilt series has not seen of the tomogram. @defaultValue nothing */
  readonly wedge?: MissingWedge | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each pick, in the stage `picks`. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The average of particles. */
export interface ParticleAverage {
  /** `[z, y, x]`, C-order, a cube with an odd number of voxels along each edge; contrast and scale of the tomogram. */
  readonly volume: Volume;
  /** Cubic voxels; position (0, 0, 0) is the particle's centre, and the centre of the cube. */
  readonly grid: VoxelGrid;
  /** Number of particles. */
  readonly count: number;
}

/**
 * Averages the particles of a tomogram: cuts each out at its position, turns it back by its transform, and takes the mean. A pick
 * without a transform is not turned.
 *
 * With `wedge`, each frequency is the mean of those particles in which the tilt series has seen it, so that particles of different
 * orientations fill each other's missing wedge; what none has seen is 0. Voxels are interpolated linearly, and mirrored at the faces
 * of the tomogram. Particles are read one at a time.
 *
 * @param source - The tomogram. The voxels of the average are as large as its smallest edge.
 * @param picks - Particles of one object, inside the tomogram; their transforms take coordinates of the average, in Å about its
 *   centre, to the tomogram.
 * @throws {@link CryoetPicksError} `invalid-picks` if there are no picks, they are of several objects, one lies outside the
 *   tomogram, or a transform is no rotation; `invalid-option`; `unsupported` if
 *   the cube is too large for a Fourier transform. Errors of the source and the abort reason are passed on untouched.
 *
 * @example
 * ```ts
 * const truth = await run.picks({ object: 'ribosome', userId: 'curation' });
 * const { volume, grid } = await averageParticles(tomogram, truth, { radius: 200, wedge: { tiltRange: [-45, 45] } });
 * ```
 */
export async function averageParticles(
  source: VolumeSource,
  picks: readonly ParticlePick[],
  options: AverageParticlesOptions,
): Promise<ParticleAverage> {
  assertVolumeSource(source, 'averageParticles(tomogram, picks, { radius })');
  requireArgument('averageParticles', 'picks', picks, picksRule);
  const { radius, wedge, signal, onProgress } = requireOptions('averageParticles', options, averageRules);
  signal?.throwIfAborted();
  const placed = placedParticles(picks, source.grid);
  const voxelSize = Math.min(...source.grid.voxelSize);
  const half = Math.ceil(radius / voxelSize - 1e-6);
  if (half > MAX_HALF) {
    throw new CryoetPicksError(
      'invalid-option',
      `averageParticles: a radius of ${radius} Å is ${half} voxels of ${voxelSize} Å; expected at most ${MAX_HALF}`,
      { option: 'radius' },
    );
  }
  const sum = wedge ? await weightedSum({ half, voxelSize, wedge }) : plainSum(half);
  const cube = emptyCube(half);
  for (const [index, { position, rotation }] of placed.entries()) {
    signal?.throwIfAborted();
    const [z, y, x] = voxelOf(source.grid, position);
    const box = boxAround([z, y, x], rotation, { half, voxelSize, grid: source.grid });
    const shape = boxShape(box);
    const cut = contiguousVolume(new Float32Array(voxelCount(shape)), shape);
    await readPaddedInto(source, box, cut.data, { signal });
    const centre: Zyx = [z - box.start[0], y - box.start[1], x - box.start[2]];
    turnInto(cube, { volume: cut, voxelSize: source.grid.voxelSize, centre }, rotation, voxelSize);
    await sum.add(cube, rotation, signal);
    onProgress?.({ stage: 'picks', done: index + 1, total: placed.length });
  }
  const volume = await sum.mean(signal);
  const edge = -half * voxelSize;
  const grid: VoxelGrid = {
    shape: volume.shape,
    voxelSize: [voxelSize, voxelSize, voxelSize],
    origin: { x: edge, y: edge, z: edge },
  };
  return { volume, grid, count: placed.length };
}

/** Maximum number of voxels from the centre to a face: the average takes 0.5 GB then, and its sums several times as much. */
const MAX_HALF = 256;

const averageRules: RulesFor<AverageParticlesOptions> = {
  radius: positiveLength,
  wedge: wedgeRule,
  signal: /* @__PURE__ */ optional(abortSignal),
  onProgress: /* @__PURE__ */ optional(callback),
};

interface Placed {
  readonly position: ParticlePick['position'];
  /** Object space to tomogram space. */
  readonly rotation: Rotation;
}

/** @throws {@link CryoetPicksError} `invalid-picks` unless there are picks, all of them inside the volume. */
function placedParticles(picks: readonly ParticlePick[], grid: VoxelGrid): Placed[] {
  if (picks.length === 0) {
    throw new CryoetPicksError('invalid-picks', 'averageParticles: there are no picks, so there is nothing to average');
  }
  const { lowest, highest } = facesOf(grid);
  return picks.map((pick, index) => {
    if (!isPlaced(pick)) throw notPick(pick, `averageParticles: pick ${index}`);
    const { object, position, transform } = pick;
    if (object !== picks[0]!.object) {
      throw new CryoetPicksError(
        'invalid-picks',
        `averageParticles: pick 0 is of "${picks[0]!.object}", pick ${index} of "${object}"; average one object at a time`,
      );
    }
    const rotation = rotationOf(transform) ?? identity;
    if (!(deviationFromRotation(rotation) < 1e-3)) {
      throw new CryoetPicksError(
        'invalid-picks',
        `averageParticles: the transform of pick ${index} ("${object}") is no rotation; it scales, shears or mirrors`,
      );
    }
    const inside = (['x', 'y', 'z'] as const).every(
      (axis) => position[axis] >= lowest[axis] && position[axis] <= highest[axis],
    );
    if (inside) return { position, rotation };
    const at = (point: ParticlePick['position']) =>
      `(${[point.x, point.y, point.z].map((value) => value.toFixed(1)).join(', ')}) Å`;
    throw new CryoetPicksError(
      'invalid-picks',
      `averageParticles: pick ${index} ("${object}") is at ${at(position)}, outside of the tomogram, from ${at(lowest)} to ${at(highest)}; ` +
        'are these the picks of another tomogram?',
    );
  });
}

interface CutOptions {
  readonly half: number;
  readonly voxelSize: number;
  readonly grid: VoxelGrid;
}

/** The voxels that a turned cube needs. */
function boxAround(centre: Zyx, rotation: Rotation, { half, voxelSize, grid }: CutOptions): Box {
  const reach = half * voxelSize;
  // A turned cube sticks out by the sum of its axes.
  const [x, y, z] = rotation.map((row) => reach * (Math.abs(row[0]) + Math.abs(row[1]) + Math.abs(row[2])));
  const spans = [z! / grid.voxelSize[0], y! / grid.voxelSize[1], x! / grid.voxelSize[2]] as const;
  const edge = (side: 1 | -1) => [0, 1, 2].map((axis) => centre[axis]! + side * spans[axis]!);
  const [low, high] = [edge(-1).map((value) => Math.floor(value)), edge(1).map((value) => Math.floor(value) + 2)];
  return { start: low as unknown as Zyx, end: high as unknown as Zyx };
}

/** Particles, turned back, that are added up. */
interface ParticleSum {
  add(cube: Volume, rotation: Rotation, signal: AbortSignal | undefined): Promise<void>;
  mean(signal: AbortSignal | undefined): Promise<Volume>;
}

function plainSum(half: number): ParticleSum {
  const total = new Float64Array((2 * half + 1) ** 3);
  let count = 0;
  return {
    async add({ data }) {
      for (let i = 0; i < total.length; i++) total[i] += data[i];
      count++;
    },
    async mean() {
      const cube = emptyCube(half);
      for (let i = 0; i < total.length; i++) cube.data[i] = total[i] / count;
      return cube;
    },
  };
}

interface WeightedSumOptions {
  readonly half: number;
  readonly voxelSize: number;
  readonly wedge: MissingWedge;
}

/** Sums of what was seen of each frequency, and how many particles have seen it. The mean of each particle is added separately. */
async function weightedSum({ half, voxelSize, wedge }: WeightedSumOptions): Promise<ParticleSum> {
  const side = 2 * half + 1;
  const transform = await RealTransform.of(transformShape([side, side, side]));
  const spectrum = transform.newSpectrum();
  const total = new Float64Array(spectrum.length);
  const seen = new Float64Array(spectrum.length / 2);
  // The thickest frequency voxel.
  const known = seenBy(wedge, 1 / (Math.min(...transform.shape) * voxelSize));
  let [level, count] = [0, 0];
  return {
    async add(cube, rotation, signal) {
      const mean = cube.data.reduce((sum, value) => sum + value, 0) / cube.data.length;
      level += mean;
      count++;
      for (let i = 0; i < cube.data.length; i++) cube.data[i] -= mean;
      await withTurns(transform.forward(cube, spectrum), signal);
      // A frequency of the average is that of the tomogram, turned back.
      const [rx, ry, rz] = rotation;
      const weights = transferTable(transform, voxelSize, (z, y, x) =>
        known(rz[0] * x + rz[1] * y + rz[2] * z, ry[0] * x + ry[1] * y + ry[2] * z, rx[0] * x + rx[1] * y + rx[2] * z),
      );
      multiplyBy(spectrum, weights);
      for (let i = 0; i < total.length; i++) total[i] += spectrum[i];
      for (let i = 0; i < seen.length; i++) seen[i] += weights[i];
    },
    async mean(signal) {
      for (let i = 0; i < seen.length; i++) {
        const share = 1 / Math.max(1, seen[i]);
        spectrum[2 * i] = total[2 * i] * share;
        spectrum[2 * i + 1] = total[2 * i + 1] * share;
      }
      const cube = emptyCube(half);
      await withTurns(transform.inverse(spectrum, cube), signal);
      for (let i = 0; i < cube.data.length; i++) cube.data[i] = cube.data[i] / transform.voxels + level / count;
      return cube;
    },
  };
}
