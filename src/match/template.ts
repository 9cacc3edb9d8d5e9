import {
  abortSignal,
  isFields,
  oneOf,
  optional,
  positiveLength,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  source as sourceRule,
  text,
} from '../core/arguments.ts';
import { withTurns } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { formatZyx, type VoxelGrid, voxelCount, type Zyx } from '../space/grid.ts';
import { resampled } from '../volume/resample.ts';
import { contiguousVolume, readInto, type Volume, type VolumeSource } from '../volume/volume.ts';
import { RealTransform, transformShape } from './fft.ts';
import { frequencyAt } from './transfer.ts';
import { emptyCube } from './turn.ts';

/** A shape to look for, solid or hollow, around its centre; the axis of a tube or a disc is z. Lengths in Å. */
export type TemplateShape =
  | { readonly shape: 'sphere'; readonly radius: number }
  /** `radius` is that of the outer face. */
  | { readonly shape: 'shell'; readonly radius: number; readonly thickness: number }
  /** `radius` is that of the outer face; without `thickness` it is solid. */
  | {
      readonly shape: 'tube';
      readonly radius: number;
      readonly length: number;
      readonly thickness?: number | undefined;
    }
  | { readonly shape: 'disc'; readonly radius: number; readonly thickness: number };

/** Options of {@link makeTemplate}. */
export interface MakeTemplateOptions {
  /** Name of the object that the template shows, which the scores and picks are of. */
  readonly object: string;
  /** Edge of the voxels of the volume in which it will be looked for, in Å. */
  readonly voxelSize: number;
  /**
   * `inverted` for a map in which the object is bright, as in databases: it is dark in a tomogram. `kept` for what was cut out of a
   * tomogram, such as an average.
   * @defaultValue `'inverted'`
   */
  readonly contrast?: 'inverted' | 'kept' | undefined;
  /** The resolution at which the low-pass filter halves the amplitude, in Å. @defaultValue twice `voxelSize` */
  readonly resolution?: number | undefined;
  /** Radius of the ball, around the centre, that holds the object, in Å. @defaultValue half the shortest edge of a map; that of a shape */
  readonly radius?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What `matchTemplate` looks for. */
export interface Template {
  readonly object: string;
  /** Edge of the voxels of the volume in which it is looked for, in Å. */
  readonly voxelSize: number;
  /** Radius of the ball that holds the object, in Å. */
  readonly radius: number;
  /** `[z, y, x]`, a cube, with the contrast of a tomogram, 0 where there is nothing; twice as fine as `voxelSize`, since it is turned. */
  readonly volume: Volume;
  /** Position (0, 0, 0) is the object's centre, and the middle voxel. */
  readonly grid: VoxelGrid;
}

/**
 * Makes a template of a density map, an average of particles, or a shape: resampled, low-passed, with the contrast of a tomogram.
 *
 * The object's centre is that of the map's box, between the two middle voxels of an even one. What surrounds the object, the mean of the
 * map beyond `radius`, becomes 0. The low-pass filter is a Gaussian.
 *
 * @param density - A map with voxels of any size, such as `await openMrcFile('map.mrc')`, or a shape.
 * @throws {@link CryoetPicksError} `invalid-option`; `corrupt-data` for a map that is flat or holds a voxel that is not finite.
 *
 * @example
 * ```ts
 * const ribosome = await makeTemplate(map, { object: 'ribosome', voxelSize: 20 });
 * const vesicle = await makeTemplate({ shape: 'shell', radius: 300, thickness: 60 }, { object: 'vesicle', voxelSize: 20 });
 * ```
 */
export async function makeTemplate(
  density: VolumeSource | TemplateShape,
  options: MakeTemplateOptions,
): Promise<Template> {
  requireArgument('makeTemplate', 'density', density, densityRule);
  const given = requireOptions('makeTemplate', options, templateRules);
  const { object, voxelSize, contrast = 'inverted', resolution = 2 * voxelSize, signal } = given;
  signal?.throwIfAborted();
  const fine = voxelSize / FINER;
  const radius = given.radius ?? (isShape(density) ? reachOf(density) : Math.min(...edgesOf(density.grid)) / 2);
  const half = Math.ceil((radius + MARGIN * voxelSize) / fine);
  if (half > MAX_HALF) {
    const most = (MAX_HALF * fine - MARGIN * voxelSize).toFixed(0);
    fail('radius', `a radius of ${radius} Å at ${voxelSize} Å; expected at most ${most} Å`);
  }
  const drawn = isShape(density) ? drawShape(density, half, fine) : await readMap(density, { fine, radius, signal });
  const volume = await lowPassed(drawn, { half, fine, resolution, sign: contrast === 'inverted' ? -1 : 1, signal });
  const edge = -half * fine;
  const grid: VoxelGrid = {
    shape: volume.shape,
    voxelSize: [fine, fine, fine],
    origin: { x: edge, y: edge, z: edge },
  };
  return { object, voxelSize, radius, volume, grid };
}

/** How much finer than the tomogram a template is: turning interpolates, which blurs by a fraction of a voxel. */
const FINER = 2;

/** What is kept around the object, in voxels of the tomogram: the filter spreads it. */
const MARGIN = 2;

/** Maximum number of fine voxels from the centre to a face. */
const MAX_HALF = 256;

function fail(option: string, found: string): never {
  throw new CryoetPicksError('invalid-option', `makeTemplate: ${found}`, { option });
}

function isShape(density: VolumeSource | TemplateShape): density is TemplateShape {
  return 'shape' in density;
}

const densityRule: Rule = {
  expected: "a density map, such as `await openMrcFile(path)`, or a shape, such as { shape: 'sphere', radius: 60 }",
  isValid: (value) => {
    if (!isFields(value)) return false;
    const { shape, radius, thickness, length, grid, read } = value as Readonly<Record<string, unknown>>;
    if (shape === undefined) return sourceRule.isValid({ grid, read });
    const isLength = (one: unknown) => positiveLength.isValid(one);
    if (!isLength(radius)) return false;
    const isHollow = isLength(thickness) && (thickness as number) <= (radius as number);
    switch (shape) {
      case 'sphere':
        return true;
      case 'shell':
        return isHollow;
      case 'tube':
        return isLength(length) && (thickness === undefined || isHollow);
      case 'disc':
        return isLength(thickness);
      default:
        return false;
    }
  },
};

const templateRules: RulesFor<MakeTemplateOptions> = {
  object: { expected: 'the name of an object', isValid: (value) => text.isValid(value) && value !== '' },
  voxelSize: positiveLength,
  contrast: /* @__PURE__ */ oneOf('inverted', 'kept', undefined),
  resolution: /* @__PURE__ */ optional(positiveLength),
  radius: /* @__PURE__ */ optional(positiveLength),
  signal: /* @__PURE__ */ optional(abortSignal),
};

function edgesOf({ shape, voxelSize }: VoxelGrid): Zyx {
  return [shape[0] * voxelSize[0], shape[1] * voxelSize[1], shape[2] * voxelSize[2]];
}

/** Radius of the ball around a shape. */
function reachOf(shape: TemplateShape): number {
  switch (shape.shape) {
    case 'sphere':
    case 'shell':
      return shape.radius;
    case 'tube':
      return Math.hypot(shape.radius, shape.length / 2);
    case 'disc':
      return Math.hypot(shape.radius, shape.thickness / 2);
  }
}

/** A density around its centre, in fine voxels. */
interface Drawn {
  readonly volume: Volume;
  /** Index of the centre, which may lie between voxels. */
  readonly centre: Zyx;
}

function drawShape(shape: TemplateShape, half: number, fine: number): Drawn {
  const volume = emptyCube(half);
  let to = 0;
  for (let z = -half; z <= half; z++) {
    for (let y = -half; y <= half; y++) {
      for (let x = -half; x <= half; x++) {
        // A voxel on the face is as full as it lies inside.
        const depth = depthIn(shape, Math.hypot(x, y) * fine, Math.abs(z) * fine) / fine;
        volume.data[to++] = Math.min(1, Math.max(0, depth + 0.5));
      }
    }
  }
  return { volume, centre: [half, half, half] };
}

/** How far inside a shape a point is, in Å, by its distance from the axis and from the plane of the centre; below 0 outside. */
function depthIn(shape: TemplateShape, fromAxis: number, fromPlane: number): number {
  const { radius } = shape;
  switch (shape.shape) {
    case 'sphere':
      return radius - Math.hypot(fromAxis, fromPlane);
    case 'shell': {
      const outside = Math.hypot(fromAxis, fromPlane);
      return Math.min(radius - outside, outside - (radius - shape.thickness));
    }
    case 'tube': {
      const { thickness = radius } = shape;
      // Without a cavity there is no inner face.
      const inner = thickness < radius ? fromAxis - (radius - thickness) : Number.POSITIVE_INFINITY;
      return Math.min(radius - fromAxis, inner, shape.length / 2 - fromPlane);
    }
    case 'disc':
      return Math.min(radius - fromAxis, shape.thickness / 2 - fromPlane);
  }
}

interface ReadMapOptions {
  readonly fine: number;
  readonly radius: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws {@link CryoetPicksError} `corrupt-data` for a map that is flat or not finite, `invalid-option` for one that is too large. */
async function readMap(map: VolumeSource, { fine, radius, signal }: ReadMapOptions): Promise<Drawn> {
  const source = resampled(map, fine);
  const { shape } = source.grid;
  if (Math.max(...shape) > 2 * MAX_HALF) {
    const limit = `${2 * MAX_HALF} of ${fine} Å`;
    fail(
      'voxelSize',
      `the map has ${formatZyx(shape)} voxels of ${fine} Å; expected at most ${limit}: cut it, or search at larger voxels`,
    );
  }
  const volume = contiguousVolume(new Float32Array(voxelCount(shape)), shape);
  if (volume.data.length > 0) await readInto(source, { start: [0, 0, 0], end: shape }, volume.data, { signal });
  // The first faces of both grids coincide.
  const centre = edgesOf(map.grid).map((edge) => edge / 2 / fine - 0.5) as unknown as Zyx;
  const { data } = volume;
  let [sum, count, least, most] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let z = 0, at = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      for (let x = 0; x < shape[2]; x++, at++) {
        const value = data[at];
        if (!Number.isFinite(value)) {
          throw new CryoetPicksError('corrupt-data', `makeTemplate: voxel (${z}, ${y}, ${x}) of the map is ${value}`);
        }
        least = Math.min(least, value);
        most = Math.max(most, value);
        if (Math.hypot(z - centre[0], y - centre[1], x - centre[2]) * fine <= radius) continue;
        sum += value;
        count++;
      }
    }
  }
  if (!(most > least)) {
    throw new CryoetPicksError('corrupt-data', `makeTemplate: the map of ${formatZyx(map.grid.shape)} voxels is flat`);
  }
  const around = count > 0 ? sum / count : 0;
  for (let i = 0; i < data.length; i++) data[i] -= around;
  return { volume, centre };
}

interface LowPassOptions {
  readonly half: number;
  readonly fine: number;
  readonly resolution: number;
  readonly sign: 1 | -1;
  readonly signal: AbortSignal | undefined;
}

/** A cube around the centre, which is moved to a voxel by the phases of the transform, so that nothing is interpolated. */
async function lowPassed(
  { volume, centre }: Drawn,
  { half, fine, resolution, sign, signal }: LowPassOptions,
): Promise<Volume> {
  const cube = emptyCube(half);
  const least = volume.shape.map((length) => Math.max(length, cube.shape[0])) as unknown as Zyx;
  const transform = await RealTransform.of(transformShape(least));
  const spectrum = transform.newSpectrum();
  await withTurns(transform.forward(volume, spectrum), signal);
  const [nz, ny, nx] = transform.shape;
  let at = 0;
  for (let k = 0; k < nz; k++) {
    // Per voxel.
    const z = frequencyAt(k, nz, 1);
    for (let j = 0; j < ny; j++) {
      const y = frequencyAt(j, ny, 1);
      for (let i = 0; i < transform.width; i++, at += 2) {
        const x = i / nx;
        const squared = (z * z + y * y + x * x) / (fine * fine);
        const pass = (sign * Math.exp(-Math.LN2 * squared * resolution * resolution)) / transform.voxels;
        const phase = -2 * Math.PI * (z * (half - centre[0]) + y * (half - centre[1]) + x * (half - centre[2]));
        const [cos, sin] = [pass * Math.cos(phase), pass * Math.sin(phase)];
        const [re, im] = [spectrum[at], spectrum[at + 1]];
        spectrum[at] = re * cos - im * sin;
        spectrum[at + 1] = re * sin + im * cos;
      }
    }
  }
  await withTurns(transform.inverse(spectrum, cube), signal);
  return cube;
}
