import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Edge of a voxel of the real crops, in Å. */
const voxelSize = 10.012444;

/** Edge of the planes of a crop, in voxels. */
export const side = 44;

/** Edge of a cube and the number of its z planes that are known, in voxels. */
export const cube = { side: 16, planes: 10, centre: 8 } as const;

/** The planes of a crop by the axis they lie across: rows and columns are y, x of `z`; z, y of `x`; z, x of `y`. */
export type Across = 'z' | 'x' | 'y';

/** A plane of `side` × `side` voxels, row by row. */
export interface CropPlane {
  readonly values: Float64Array;
  /** Row and column of the particle's centre, in fractions of a voxel. */
  readonly centre: readonly [row: number, column: number];
}

/** Orthogonal planes through one particle, on one grey scale, protein dark. */
export interface Crop {
  readonly object: string;
  /** Å; of simulated crops too. */
  readonly planes: Readonly<Partial<Record<Across, CropPlane>>>;
}

/** A box of voxels around a particle, `[z, y, x]` of 10×16×16, the particle at voxel (8, 8, 8). */
export interface Cube {
  readonly object: string;
  readonly values: Float64Array;
}

/** Crops of real tomograms, or of simulated ones. */
export interface Crops {
  readonly crops: readonly Crop[];
  readonly cubes: readonly Cube[];
}

const files = ['czii_TS_6_4_5species_3planes_44', 'czii_cubes_10x16x16'] as const;

/** The first missing file of the real crops, or `undefined`. */
export function missingCrop(folder: string): string | undefined {
  return files
    .flatMap((name) => [join(folder, `${name}.npy`), join(folder, `${name}.json`)])
    .find((p) => !existsSync(p));
}

/**
 * Reads the real crops of the CZII tomograms: planes through one particle of each of five species of TS_6_4, and seven cubes. Each plane
 * has a linear grey scale of its own; where two cross, they hold the same voxels.
 */
export function readRealCrops(folder: string): Crops {
  const about = JSON.parse(readFileSync(join(folder, `${files[0]}.json`), 'utf8')) as PlanesInfo;
  const values = readNpy(join(folder, `${files[0]}.npy`));
  const size = side * side;
  const crops = about.particles.map((particle, i) => {
    const [z, x, y] = [0, 1, 2].map((k) => values.slice((3 * i + k) * size, (3 * i + k + 1) * size)) as Three;
    return realCrop(objects[i]!, particle, { z, x, y });
  });
  const { labels } = JSON.parse(readFileSync(join(folder, `${files[1]}.json`), 'utf8')) as { labels: string[] };
  const boxes = readNpy(join(folder, `${files[1]}.npy`));
  const voxels = cube.planes * cube.side ** 2;
  const cubes = labels.map((label, i) => ({
    object: label.replace(/_2$/, ''),
    values: boxes.slice(i * voxels, (i + 1) * voxels),
  }));
  return { crops, cubes };
}

/** The species of the planes, in the file's order. */
const objects = ['ribosome', 'virus-like-particle', 'apo-ferritin', 'beta-galactosidase', 'thyroglobulin'];

type Three = [Float64Array, Float64Array, Float64Array];

interface PlanesInfo {
  readonly particles: readonly ParticleInfo[];
}

interface ParticleInfo {
  /** x, y, z. */
  readonly truth_A_xyz: readonly [number, number, number];
  /** Index of each plane, then its first row and column. */
  readonly plane_starts: Readonly<Record<'xy' | 'zy' | 'xz', readonly [number, number, number]>>;
}

function realCrop(
  object: string,
  { truth_A_xyz, plane_starts }: ParticleInfo,
  planes: Record<Across, Float64Array>,
): Crop {
  const [x, y, z] = truth_A_xyz.map((value) => value / voxelSize) as [number, number, number];
  const [, startY, startX] = plane_starts.xy;
  const [atY, startZ] = plane_starts.xz;
  const across = {
    z: { values: planes.z, centre: [y - startY, x - startX] as const },
    y: {
      // Both hold the line of voxels at (z, y) of the planes' indices.
      values: onScaleOf(
        { values: planes.y, line: rowOf(planes.y, plane_starts.xy[0] - startZ) },
        rowOf(planes.z, atY - startY),
      ),
      centre: [z - startZ, x - startX] as const,
    },
  };
  const [atX, firstY, firstZ] = plane_starts.zy;
  // One plane of the file was drawn beside its particle.
  if (firstY !== startY) return { object, planes: across };
  const values = onScaleOf(
    { values: planes.x, line: rowOf(planes.x, plane_starts.xy[0] - firstZ) },
    columnOf(planes.z, atX - startX),
  );
  return { object, planes: { ...across, x: { values, centre: [z - firstZ, y - firstY] } } };
}

function rowOf(plane: Float64Array, row: number): Float64Array {
  return plane.subarray(row * side, (row + 1) * side);
}

function columnOf(plane: Float64Array, column: number): Float64Array {
  return plane.filter((_, i) => i % side === column);
}

/** A plane on the scale of another: the straight line (least squares) from one of its lines to the same voxels of the other. */
function onScaleOf(
  { values, line }: { readonly values: Float64Array; readonly line: Float64Array },
  to: Float64Array,
): Float64Array {
  const mean = (all: Float64Array) => all.reduce((sum, value) => sum + value, 0) / all.length;
  const [from, target] = [mean(line), mean(to)];
  const covariance = mean(line.map((value, i) => (value - from) * (to[i]! - target)));
  const slope = covariance / mean(line.map((value) => (value - from) ** 2));
  return values.map((value) => target + (value - from) * slope);
}

/** Reads a C-order array of uint8 or float32 from a file of NumPy. */
function readNpy(path: string): Float64Array {
  const bytes = readFileSync(path);
  const end = 10 + bytes.readUInt16LE(8);
  const [, type] = /'descr': '([^']+)'/.exec(bytes.toString('latin1', 10, end)) ?? [];
  if (type === '|u1') return Float64Array.from(bytes.subarray(end));
  if (type !== '<f4') throw new Error(`${path} holds ${type}; expected |u1 or <f4`);
  return Float64Array.from({ length: (bytes.length - end) / 4 }, (_, i) => bytes.readFloatLE(end + 4 * i));
}
