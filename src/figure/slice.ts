import { describeValue } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Axis, type Box, toPhysical } from '../space/grid.ts';
import { readBox, type Volume, type VolumeSource } from '../volume/volume.ts';

/** Values row by row. */
export interface Plane {
  readonly data: Float32Array;
  readonly width: number;
  readonly height: number;
}

/** A slice across z (seen from above: x to the right, y down) or across y (seen from the side: x to the right, z down). */
export interface Slice extends Plane {
  readonly across: 'z' | 'y';
  /** Index of its middle plane along that axis. */
  readonly index: number;
  /** Position of its middle plane along that axis, in Å. */
  readonly position: number;
  /** How many planes it is the mean of. */
  readonly planes: number;
}

/** Options of {@link readSlice}. */
export interface SliceOptions {
  readonly across: 'z' | 'y';
  readonly index: number;
  /** Planes on either side that enter the mean; fewer at the faces of the volume. @defaultValue 1 */
  readonly margin?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws {@link CryoetPicksError} `invalid-option` for a number of slices that is not a whole number above 0. */
export function checkSlices(slices: number): void {
  if (Number.isSafeInteger(slices) && slices > 0) return;
  throw new CryoetPicksError('invalid-option', `slices must be a whole number ≥ 1, found ${describeValue(slices)}`);
}

/**
 * Reads the mean of a few neighbouring planes; reads nothing else. Voxels that are not finite are left out, and a column
 * without any is NaN.
 */
export async function readSlice(
  source: VolumeSource,
  { across, index, margin = 1, signal }: SliceOptions,
): Promise<Slice> {
  const axis = across === 'z' ? 0 : 1;
  const first = Math.max(0, index - margin);
  const end = Math.min(source.grid.shape[axis], index + margin + 1);
  const plane = await readMean(source, { axis, first, end, signal });
  const middle = toPhysical(source.grid, axis === 0 ? [index, 0, 0] : [0, index, 0]);
  return { ...plane, across, index, position: across === 'z' ? middle.z : middle.y, planes: end - first };
}

/** Neighbouring planes, across an axis. */
export interface Planes {
  readonly axis: Axis;
  readonly first: number;
  /** Index behind the last one. */
  readonly end: number;
  readonly signal?: AbortSignal | undefined;
}

/** Reads planes, and nothing else, and gives their mean: its rows run along the first of the other two axes. */
export async function readMean(source: VolumeSource, { axis, first, end, signal }: Planes): Promise<Plane> {
  const { shape } = source.grid;
  const bounds = shape.map((size, i) => (i === axis ? [first, end] : [0, size]));
  const box = { start: bounds.map(([from]) => from), end: bounds.map(([, to]) => to) } as unknown as Box;
  return meanAlong(await readBox(source, box, { signal }), axis);
}

/** The mean along an axis, over finite voxels. */
function meanAlong({ data, shape, stride, offset }: Volume, axis: Axis): Plane {
  const [rowAxis, columnAxis] = ([0, 1, 2] as const).filter((other) => other !== axis) as [Axis, Axis];
  const [height, width] = [shape[rowAxis], shape[columnAxis]];
  const mean = new Float32Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const start = offset + row * stride[rowAxis] + column * stride[columnAxis];
      let sum = 0;
      let count = 0;
      for (let plane = 0; plane < shape[axis]; plane++) {
        const value = data[start + plane * stride[axis]];
        if (!Number.isFinite(value)) continue;
        sum += value;
        count++;
      }
      mean[row * width + column] = count === 0 ? Number.NaN : sum / count;
    }
  }
  return { data: mean, width, height };
}

/**
 * The values to show black and white: two quantiles of all finite values of the planes, by default 0.5 % and 99.5 %. Of more than
 * 200,000 values a part is looked at.
 */
export function contrastOf(
  planes: readonly Plane[],
  [low, high]: readonly [number, number] = [0.005, 0.995],
): readonly [black: number, white: number] {
  const total = planes.reduce((sum, { data }) => sum + data.length, 0);
  const step = Math.max(1, Math.floor(total / 200_000));
  const sample = planes.flatMap(({ data }) => Array.from(everyNth(data, step)));
  const sorted = Float32Array.from(sample.filter(Number.isFinite)).sort();
  if (sorted.length === 0) return [0, 1];
  const quantile = (fraction: number) => sorted[Math.round(fraction * (sorted.length - 1))];
  return [quantile(low), quantile(high)];
}

function everyNth(data: Float32Array, step: number): Float32Array {
  return new Float32Array(Math.ceil(data.length / step)).map((_, i) => data[i * step]);
}

/** Grey values 0 … 255 of a plane; NaN is black, and a plane without any contrast is an even grey. */
export function toGrey({ data }: Plane, [black, white]: readonly [number, number]): Uint8Array {
  if (!(white > black)) return new Uint8Array(data.length).fill(128);
  const factor = 255 / (white - black);
  return Uint8Array.from(data, (value) => Math.min(255, Math.max(0, Math.round((value - black) * factor))) || 0);
}

/** A plane stretched or shrunk to another size, by linear interpolation upwards and by weighted means downwards. */
export function resizePlane({ data, width, height }: Plane, to: { width: number; height: number }): Plane {
  const wide = resizeRows(data, { rows: height, from: width, to: to.width });
  const turned = transpose(wide, to.width, height);
  const tall = resizeRows(turned, { rows: to.width, from: height, to: to.height });
  return { data: transpose(tall, to.height, to.width), width: to.width, height: to.height };
}

function resizeRows(data: Float32Array, { rows, from, to }: { rows: number; from: number; to: number }): Float32Array {
  if (from === to) return data;
  const out = new Float32Array(rows * to);
  const ratio = from / to;
  const support = Math.max(1, ratio);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * ratio - 0.5;
    const first = Math.max(0, Math.ceil(centre - support));
    const last = Math.min(from - 1, Math.floor(centre + support));
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      let weights = 0;
      for (let j = first; j <= last; j++) {
        const weight = 1 - Math.abs(j - centre) / support;
        const value = data[row * from + j];
        if (!(weight > 0) || Number.isNaN(value)) continue;
        sum += weight * value;
        weights += weight;
      }
      out[row * to + i] = sum / weights;
    }
  }
  return out;
}

function transpose(data: Float32Array, width: number, height: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + y] = data[y * width + x];
  return out;
}
