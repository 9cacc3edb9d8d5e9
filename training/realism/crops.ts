import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cziiVoxelSize, type SimulatedTomogram } from 'cryoet-picks/simulate';

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

/** The real crops of the CZII tomograms: what they are, and the files that hold them. */
export interface RealCrops {
  /** One particle of each of five species, in TS_6_4. */
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

/** Reads the real crops. Each plane has a linear grey scale of its own; where two cross, they hold the same voxels. */
export function readRealCrops(folder: string): RealCrops {
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
  const [x, y, z] = truth_A_xyz.map((value) => value / cziiVoxelSize[0]) as [number, number, number];
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

/** Cuts the planes and the cube around every particle of a simulated tomogram that has enough room in x and y. */
export function simulatedCrops({ volume, grid, picks }: SimulatedTomogram): RealCrops {
  const { shape, voxelSize } = grid;
  const half = side / 2;
  const at = (z: number, y: number, x: number) => {
    // Above and below the volume there is nothing to see: the planes end like those of a particle at the rim.
    const inside = Math.min(shape[0] - 1, Math.max(0, z));
    return volume.data[volume.offset + inside * volume.stride[0] + y * volume.stride[1] + x * volume.stride[2]]!;
  };
  const crops: Crop[] = [];
  const cubes: Cube[] = [];
  for (const { object, position } of picks) {
    const [z, y, x] = [position.z / voxelSize[0], position.y / voxelSize[1], position.x / voxelSize[2]];
    const [cz, cy, cx] = [Math.floor(z), Math.floor(y), Math.floor(x)];
    const fits = [cy, cx].every((c, i) => c >= half && c + half <= shape[i + 1]!);
    if (!fits || cz < half || cz + half > shape[0]) continue;
    const plane = (value: (row: number, column: number) => number) =>
      Float64Array.from({ length: side * side }, (_, i) => value(Math.floor(i / side) - half, (i % side) - half));
    crops.push({
      object,
      planes: {
        z: { values: plane((r, c) => at(cz, cy + r, cx + c)), centre: [y - cy + half, x - cx + half] },
        x: { values: plane((r, c) => at(cz + r, cy + c, cx)), centre: [z - cz + half, y - cy + half] },
        y: { values: plane((r, c) => at(cz + r, cy, cx + c)), centre: [z - cz + half, x - cx + half] },
      },
    });
    const [rz, ry, rx] = [Math.round(z), Math.round(y), Math.round(x)];
    const values = Float64Array.from({ length: cube.planes * cube.side ** 2 }, (_, i) => {
      const [k, rest] = [Math.floor(i / cube.side ** 2), i % cube.side ** 2];
      const [row, column] = [Math.floor(rest / cube.side), rest % cube.side];
      return at(rz + k - cube.centre, ry + row - cube.centre, rx + column - cube.centre);
    });
    cubes.push({ object, values });
  }
  return { crops, cubes };
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
