import FFT from 'fft.js';
import type { Zyx } from '../space/grid.ts';
import type { Volume } from '../volume/volume.ts';

/** A volume with the padding along y that {@link filterSpectrum} needs. */
export interface PaddedVolume {
  /** The volume itself: a view without the padding. */
  readonly volume: Volume;
  /** Transform lengths along z, y, x: powers of two; only y is padded in memory. */
  readonly lengths: Zyx;
}

/** One line of a volume's Fourier transform, along kz. */
export interface SpectrumLine {
  /** Frequency indices of the line, wrapped: index n − k stands for frequency −k. */
  readonly ky: number;
  readonly kx: number;
  /** Real and imaginary parts interleaved; changed in place. */
  readonly values: Float64Array;
  /** The same line of the volume multiplied by x, in voxels from its middle; read-only. */
  readonly timesX: Float64Array;
  /**
   * True if the plane of this ky is its own mirror image (ky = 0 and the highest): of values added to it, only the half that is
   * consistent with a real volume remains.
   */
  readonly selfMirrored: boolean;
}

/**
 * Makes an empty volume with padding for its transform.
 *
 * @param margin - Minimum padding along each axis, in voxels, so that a filter does not wrap around from the end to the start.
 */
export function paddedVolume(shape: Zyx, { margin }: { readonly margin: number }): PaddedVolume {
  const [depth, height, width] = shape;
  const lengths: Zyx = [
    transformLength(depth + margin),
    transformLength(height + margin),
    transformLength(width + margin),
  ];
  const data = new Float32Array(depth * lengths[1] * width);
  return { volume: { data, shape, stride: [lengths[1] * width, width, 1], offset: 0 }, lengths };
}

/**
 * Filters a real volume by its 3-D Fourier transform, in place, with one complex plane of extra memory.
 *
 * First transforms along y, where a real line of n values packs into n values. Then each ky is a separate complex z-x
 * plane, which is transformed, passed on line by line, and transformed back. ky runs from 0 to half the length; the other
 * half follows from the symmetry of a real volume.
 *
 * @returns Pauses: with the number of planes that are done after each plane, and without it in between.
 */
export function* filterSpectrum(
  padded: PaddedVolume,
  change: (line: SpectrumLine) => void,
): Generator<{ readonly done: number; readonly total: number } | undefined, void> {
  const total = padded.lengths[1] / 2 + 1;
  const transformPlane = planeFilter(padded, change);
  yield* transformRows(padded, 'forward');
  for (let ky = 0; ky < total; ky++) {
    yield* transformPlane(ky);
    yield { done: ky + 1, total };
  }
  yield* transformRows(padded, 'inverse');
}

/** Lines that are transformed in one piece. */
const LINES_AT_ONCE = 16;

function transformLength(voxels: number): number {
  return 2 ** Math.max(1, Math.ceil(Math.log2(voxels)));
}

/**
 * Transforms every line along y. Spectra are packed: rows 2k and 2k + 1 hold the real and imaginary part of frequency k;
 * row 1 holds the highest frequency, which is real like the lowest.
 */
function* transformRows(
  { volume, lengths }: PaddedVolume,
  direction: 'forward' | 'inverse',
): Generator<undefined, void> {
  const length = lengths[1];
  const { data, shape, stride } = volume;
  const fft = new FFT(length);
  const line = new Float64Array(length);
  const input = new Float64Array(2 * length);
  const output = new Float64Array(2 * length);
  const forward = (start: number) => {
    for (let y = 0, at = start; y < length; y++, at += stride[1]) line[y] = data[at];
    fft.realTransform(output, line);
    output[1] = output[length];
    for (let y = 0, at = start; y < length; y++, at += stride[1]) data[at] = output[y];
  };
  const inverse = (start: number) => {
    for (let y = 0, at = start; y < length; y++, at += stride[1]) input[y] = data[at];
    input[length] = input[1];
    input[1] = 0;
    input[length + 1] = 0;
    fft.completeSpectrum(input);
    fft.inverseTransform(output, input);
    for (let y = 0, at = start; y < length; y++, at += stride[1]) data[at] = output[2 * y];
  };
  const transform = direction === 'forward' ? forward : inverse;
  for (let z = 0; z < shape[0]; z++) {
    for (let x = 0; x < shape[2]; x++) {
      transform(z * stride[0] + x);
      if (x % LINES_AT_ONCE === 0) yield;
    }
  }
}

/** Makes a function that transforms, changes and transforms back the z-x plane of one ky. */
function planeFilter(
  padded: PaddedVolume,
  change: (line: SpectrumLine) => void,
): (ky: number) => Generator<undefined, void> {
  const [nz, ny, nx] = padded.lengths;
  const { data, shape, stride } = padded.volume;
  const [depth, , width] = shape;
  const alongX = new FFT(nx);
  const alongZ = new FFT(nz);
  const plane = emptyPlane(nx, nz);
  const weighted = emptyPlane(nx, nz);
  const rowIn = new Float64Array(2 * nx);
  const rowOut = new Float64Array(2 * nx);
  const values = new Float64Array(2 * nz);
  const timesX = new Float64Array(2 * nz);
  const middle = (width - 1) / 2;
  const readRow = (re: number, z: number, selfMirrored: boolean) => {
    for (let x = 0; x < width; x++) {
      rowIn[2 * x] = data[re + x];
      rowIn[2 * x + 1] = selfMirrored ? 0 : data[re + stride[1] + x];
    }
    alongX.transform(rowOut, rowIn);
    scatterRow(plane, { z, row: rowOut });
    for (let x = 0; x < width; x++) {
      rowIn[2 * x] *= x - middle;
      rowIn[2 * x + 1] *= x - middle;
    }
    alongX.transform(rowOut, rowIn);
    scatterRow(weighted, { z, row: rowOut });
  };
  const writeRow = (re: number, z: number, selfMirrored: boolean) => {
    gatherRow(plane, { z, row: rowIn });
    alongX.inverseTransform(rowOut, rowIn);
    for (let x = 0; x < width; x++) {
      data[re + x] = rowOut[2 * x];
      if (!selfMirrored) data[re + stride[1] + x] = rowOut[2 * x + 1];
    }
  };
  return function* (ky) {
    const selfMirrored = ky === 0 || ky === ny / 2;
    const first = (ky === ny / 2 ? 1 : 2 * ky) * stride[1];
    plane.data.fill(0);
    weighted.data.fill(0);
    rowIn.fill(0);
    for (let z = 0; z < depth; z++) {
      readRow(first + z * stride[0], z, selfMirrored);
      if (z % LINES_AT_ONCE === 0) yield;
    }
    for (let kx = 0; kx < nx; kx++) {
      alongZ.transform(values, plane.lines[kx]!);
      alongZ.transform(timesX, weighted.lines[kx]!);
      change({ ky, kx, values, timesX, selfMirrored });
      alongZ.inverseTransform(plane.lines[kx]!, values);
      if (kx % LINES_AT_ONCE === 0) yield;
    }
    for (let z = 0; z < depth; z++) {
      writeRow(first + z * stride[0], z, selfMirrored);
      if (z % LINES_AT_ONCE === 0) yield;
    }
  };
}

/** A complex plane whose lines along z are contiguous: `[kx][z][re, im]`. */
interface ComplexPlane {
  readonly data: Float64Array;
  readonly lines: readonly Float64Array[];
}

function emptyPlane(nx: number, nz: number): ComplexPlane {
  const data = new Float64Array(2 * nx * nz);
  return { data, lines: Array.from({ length: nx }, (_, kx) => data.subarray(2 * kx * nz, 2 * (kx + 1) * nz)) };
}

interface PlaneRow {
  readonly z: number;
  readonly row: Float64Array;
}

function scatterRow({ data, lines }: ComplexPlane, { z, row }: PlaneRow): void {
  const pitch = data.length / lines.length;
  for (let i = 0, at = 2 * z; i < row.length; i += 2, at += pitch) {
    data[at] = row[i];
    data[at + 1] = row[i + 1];
  }
}

function gatherRow({ data, lines }: ComplexPlane, { z, row }: PlaneRow): void {
  const pitch = data.length / lines.length;
  for (let i = 0, at = 2 * z; i < row.length; i += 2, at += pitch) {
    row[i] = data[at];
    row[i + 1] = data[at + 1];
  }
}

/** Squared frequency, in Å⁻², of every index of a transform. */
export function squaredFrequencies(length: number, voxelSize: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => frequency(i, length, voxelSize) ** 2);
}

/** Frequency, in Å⁻¹, of an index of a transform; the upper half of the indices are negative frequencies. */
export function frequency(index: number, length: number, voxelSize: number): number {
  return (index <= length / 2 ? index : index - length) / (length * voxelSize);
}
