import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VoxelGrid, Zyx } from 'cryoet-picks';
import { correlationsOf, type Plane, volumeFromPlanes } from './planes-volume.ts';

/** A volume made of real planes; values in standard deviations from the expected mean of the whole tomogram. */
export interface RealVolume {
  readonly run: string;
  readonly grid: VoxelGrid;
  /** `[z, y, x]`, C-order. */
  readonly data: Float32Array;
}

const voxelSize: Zyx = [10.012, 10.012, 10.012];

/** Position of the ribosome of {@link ribosomeVolume} in Å, from the competition's truth (TS_6_4). */
export const trueRibosome = { x: 5106.838, y: 4835.263, z: 619.225 } as const;

/** First voxel of the ribosome's cube in its tomogram, and the index in the cube of each of its planes. */
const ribosomeStart: Zyx = [39, 461, 488];
const ribosomeShape: Zyx = [44, 44, 44];
const middle = 22;

/**
 * Makes a volume of 128³ voxels of nine planes of TS_100_3.
 *
 * @param folder - `real` of the reference data.
 */
export function cubeVolume(folder: string): RealVolume {
  const shape: Zyx = [128, 128, 128];
  const planes = standardPlanes(folder);
  const data = volumeFromPlanes(shape, planes, correlationsOf(shape, planes));
  return { run: 'TS_100_3', grid: { shape, voxelSize, origin: { x: 0, y: 0, z: 0 } }, data };
}

/**
 * Makes a volume of 44³ voxels of three planes through a ribosome of TS_6_4, with the correlations of the nine planes of TS_100_3.
 *
 * Each plane was stretched to 0 … 255 separately. Where two planes cross they hold the same voxels, which gives a common scale. A
 * ribosome fills a third of the planes, so their mean and deviation are not those of a tomogram; instead, their median and 95 %
 * quantile, which are of ice, are mapped to those of the nine planes.
 *
 * @param folder - `real` of the reference data.
 */
export function ribosomeVolume(folder: string): RealVolume {
  const [z, x, y] = readPlanes(join(folder, 'TS_6_4_ribosome_3planes.u8'), 44) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const side = 44;
  const along = (plane: Float64Array, start: number, step: number) => plane.filter((_, i) => i % step === start);
  const rowOf = (plane: Float64Array) => plane.subarray(middle * side, (middle + 1) * side);
  const columnOf = (plane: Float64Array) => along(plane, middle, side);
  const planes: Plane[] = [
    { across: 0, index: middle, values: z },
    { across: 1, index: middle, values: rescaled(y, { from: rowOf(y), to: rowOf(z) }) },
    { across: 2, index: middle, values: transposed(rescaled(x, { from: columnOf(x), to: columnOf(z) }), side) },
  ];
  const reference = standardPlanes(folder);
  const [theirs, ours] = [iceLevels(reference), iceLevels(planes)];
  const scale = (theirs.high - theirs.median) / (ours.high - ours.median);
  const standard = planes.map((plane) => ({
    ...plane,
    values: plane.values.map((value) => theirs.median + (value - ours.median) * scale),
  }));
  const [startZ, startY, startX] = ribosomeStart;
  const origin = { x: startX * voxelSize[2], y: startY * voxelSize[1], z: startZ * voxelSize[0] };
  const data = volumeFromPlanes(ribosomeShape, standard, correlationsOf([128, 128, 128], reference));
  return { run: 'TS_6_4', grid: { shape: ribosomeShape, voxelSize, origin }, data };
}

/** The nine planes of TS_100_3: mean 0, deviation 1 over all of them. */
function standardPlanes(folder: string): Plane[] {
  const planes = readPlanes(join(folder, 'TS_100_3_9planes.u8'), 128);
  const all = planes.flatMap((plane) => [...plane]);
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  const deviation = Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length);
  return planes.map((values, i) => ({
    across: Math.floor(i / 3) as Plane['across'],
    index: [32, 64, 96][i % 3]!,
    values: values.map((value) => (value - mean) / deviation),
  }));
}

function readPlanes(path: string, side: number): Float64Array[] {
  const bytes = readFileSync(path);
  const size = side * side;
  return Array.from({ length: bytes.length / size }, (_, i) =>
    Float64Array.from(bytes.subarray(i * size, (i + 1) * size)),
  );
}

/** A plane on the scale of another: the straight line (least squares) that maps `from` to `to`, which are the same voxels. */
function rescaled(
  plane: Float64Array,
  { from, to }: { readonly from: Float64Array; readonly to: Float64Array },
): Float64Array {
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanFrom, meanTo] = [mean(from), mean(to)];
  const covariance = mean(from.map((value, i) => (value - meanFrom) * (to[i]! - meanTo)));
  const slope = covariance / mean(from.map((value) => (value - meanFrom) ** 2));
  return plane.map((value) => meanTo + (value - meanFrom) * slope);
}

function transposed(plane: Float64Array, side: number): Float64Array {
  return plane.map((_, i) => plane[(i % side) * side + Math.floor(i / side)]!);
}

/** Median and 95 % quantile of planes. */
function iceLevels(planes: readonly Plane[]): { readonly median: number; readonly high: number } {
  const sorted = Float64Array.from(planes.flatMap(({ values }) => [...values])).toSorted();
  const quantile = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!;
  return { median: quantile(0.5), high: quantile(0.95) };
}
