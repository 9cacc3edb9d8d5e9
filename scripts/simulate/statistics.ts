import FFT from 'fft.js';
import type { Volume } from '../../src/entry/index.ts';

/** Voxels along the edge of a plane. */
export const side = 128;

/** A plane of `side` × `side` voxels, row by row. */
export type Plane = Float64Array;

/** In this order, as in the real file: three z planes [y][x], three y planes [z][x], three x planes [z][y]. */
export type NinePlanes = readonly Plane[];

/** Planes of a volume at 32, 64 and 96 voxels behind a corner, along each axis. */
export function planesOf({ data, stride, offset }: Volume, [z, y, x]: readonly [number, number, number]): NinePlanes {
  const corner = offset + z * stride[0] + y * stride[1] + x * stride[2];
  const plane =
    (across: number, [row, column]: readonly [number, number]) =>
    (at: number) =>
      Float64Array.from({ length: side * side }, (_, i) => {
        return data[corner + at * across + Math.floor(i / side) * row + (i % side) * column]!;
      });
  const [dz, dy, dx] = stride;
  return [plane(dz, [dy, dx]), plane(dy, [dz, dx]), plane(dx, [dz, dy])].flatMap((of) => [32, 64, 96].map(of));
}

/** Shares of voxels below {@link PlaneStatistics.quantiles}. */
export const quantileShares = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999] as const;

/** Distances, in voxels, of {@link PlaneStatistics.correlation}. */
export const lags = [1, 2, 3, 4, 6, 8, 12, 16] as const;

/** Directions of {@link PlaneStatistics.correlation}: across which axis the planes lie, and along which it is taken. */
export const directions = ['z x', 'z y', 'y x', 'y z', 'x y', 'x z'] as const;

/** Ends of the rings of {@link PlaneStatistics.spectrum}, in cycles per voxel. */
export const rings = [0.01, 0.03, 0.06, 0.1, 0.14, 0.18, 0.22, 0.26, 0.3, 0.36, 0.42, 0.5] as const;

/** What nine planes look like, in numbers. */
export interface PlaneStatistics {
  readonly skew: number;
  /** In deviations from the mean. */
  readonly quantiles: readonly number[];
  /** Per direction and plane: correlation at every lag. */
  readonly correlation: Readonly<Record<(typeof directions)[number], readonly (readonly number[])[]>>;
  /** log₁₀ of the power in rings of frequency, 0 for white noise; of z, y and x planes. */
  readonly spectrum: readonly (readonly number[])[];
  /** The same at 0.12–0.26 cycles per voxel of the y planes, per 10° away from kx: the wedge. */
  readonly tilts: readonly number[];
}

export function planeStatistics(planes: NinePlanes): PlaneStatistics {
  const all = Float64Array.from(planes.flatMap((plane) => [...plane]));
  const { mean, deviation, skew } = moments(all);
  const sorted = all.toSorted();
  const quantiles = quantileShares.map(
    (share) => (sorted[Math.floor(share * (sorted.length - 1))]! - mean) / deviation,
  );
  const along = (which: readonly number[], direction: 'row' | 'column') =>
    which.map((i) => lags.map((lag) => lagCorrelation(planes[i]!, direction, lag)));
  const correlation = {
    'z x': along([0, 1, 2], 'column'),
    'z y': along([0, 1, 2], 'row'),
    'y x': along([3, 4, 5], 'column'),
    'y z': along([3, 4, 5], 'row'),
    'x y': along([6, 7, 8], 'column'),
    'x z': along([6, 7, 8], 'row'),
  };
  const powers = [0, 3, 6].map((first) => meanPower(planes.slice(first, first + 3), deviation ** 2));
  const spectrum = powers.map((power) =>
    rings.slice(1).map((end, i) => logMean(power, (ky, kx) => inRing(Math.hypot(ky, kx), rings[i]!, end))),
  );
  const tilts = Array.from({ length: 9 }, (_, i) =>
    logMean(powers[1]!, (kz, kx) => {
      const angle = (Math.atan2(Math.abs(kz), Math.abs(kx)) * 180) / Math.PI;
      return inRing(Math.hypot(kz, kx), 0.12, 0.26) && inRing(angle, 10 * i, 10 * i + 10);
    }),
  );
  return { skew, quantiles, correlation, spectrum, tilts };
}

function moments(values: Plane): { mean: number; deviation: number; skew: number } {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
  const skew = values.reduce((sum, v) => sum + (v - mean) ** 3, 0) / values.length / deviation ** 3;
  return { mean, deviation, skew };
}

function lagCorrelation(plane: Plane, direction: 'row' | 'column', lag: number): number {
  const { mean, deviation } = moments(plane);
  const [rows, columns] = direction === 'row' ? [side - lag, side] : [side, side - lag];
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const at = i * side + j;
      sum += (plane[at]! - mean) * (plane[at + (direction === 'row' ? lag * side : lag)]! - mean);
    }
  }
  return sum / (rows * columns) / deviation ** 2;
}

/** Power spectrum of planes, windowed (Hann), so that edges make no cross in it; relative to a variance. */
function meanPower(planes: readonly Plane[], variance: number): Float64Array {
  const window = Float64Array.from({ length: side }, (_, i) => Math.sin((Math.PI * (i + 0.5)) / side) ** 2);
  const weight = window.reduce((sum, w) => sum + w * w, 0) ** 2;
  const power = new Float64Array(side * side);
  const fft = new FFT(side);
  for (const plane of planes) {
    const { mean } = moments(plane);
    const rows = Array.from({ length: side }, (_, y) => {
      const row = Array.from({ length: side }, (_, x) => (plane[y * side + x]! - mean) * window[y]! * window[x]!);
      return transformed(
        fft,
        Float64Array.from({ length: 2 * side }, (_, i) => (i % 2 === 0 ? row[i / 2]! : 0)),
      );
    });
    for (let x = 0; x < side; x++) {
      const column = Float64Array.from({ length: 2 * side }, (_, i) => rows[i >> 1]![2 * x + (i & 1)]!);
      const lines = transformed(fft, column);
      for (let y = 0; y < side; y++) {
        power[y * side + x]! += (lines[2 * y]! ** 2 + lines[2 * y + 1]! ** 2) / weight / variance / planes.length;
      }
    }
  }
  return power;
}

function transformed(fft: FFT, values: Float64Array): Float64Array {
  const output = new Float64Array(2 * side);
  fft.transform(output, values);
  return output;
}

function logMean(power: Float64Array, within: (row: number, column: number) => boolean): number {
  const frequency = (i: number) => (i <= side / 2 ? i : i - side) / side;
  const inside = [...power].filter((_, i) => within(frequency(Math.floor(i / side)), frequency(i % side)));
  return Math.log10(inside.reduce((sum, value) => sum + value, 0) / inside.length);
}

function inRing(value: number, start: number, end: number): boolean {
  return value >= start && value < end;
}
