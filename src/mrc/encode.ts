import {
  abortSignal,
  intensity as intensityRule,
  listOf,
  oneOf,
  optional,
  requireArgument,
  requireOptions,
  source as sourceRule,
  text,
} from '../core/arguments.ts';
import { mapOrdered } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { Box } from '../space/grid.ts';
import { type Intensity, measureIntensity } from '../volume/intensity.ts';
import { readBox, toFloat32, type VolumeSource } from '../volume/volume.ts';
import { HEADER_BYTES } from './header.ts';
import { encodeVoxels, type MrcMode } from './voxels.ts';

/** Options of {@link encodeMrc}. */
export interface EncodeMrcOptions {
  /**
   * How voxels are stored: 2 for float32, 12 for float16, 0 for signed bytes, 1 for signed and 6 for unsigned 16-bit integers.
   * @defaultValue 2
   */
  readonly mode?: MrcMode | undefined;
  /** Statistics for the header. @defaultValue measured, in a pass of their own over the voxels */
  readonly intensity?: Intensity | undefined;
  /** Up to ten texts of 80 characters for the header, in ASCII. @defaultValue one that names this library */
  readonly labels?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Voxels of a piece: a few planes at a time, at least one row. */
const PIECE_VOXELS = 2 ** 20;

/**
 * Encodes a volume as an MRC2014 file, piece by piece: little-endian, columns along x, voxel size and statistics in the
 * header, the position of the first voxel as ORIGIN. Memory does not depend on the size of the volume.
 *
 * The voxels are read twice, once for the statistics, unless `intensity` is given.
 *
 * @returns The bytes in order. Reading starts with the first piece.
 * @throws {@link CryoetPicksError} `invalid-option` if the mode cannot hold a voxel; the abort reason of `signal`.
 * @example
 * ```ts
 * await writeFile('denoised.mrc', encodeMrc(tomogram));
 * ```
 */
export async function* encodeMrc(
  source: VolumeSource,
  options: EncodeMrcOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  requireArgument('encodeMrc', 'source', source, sourceRule);
  const { mode = 2, signal } = requireOptions('encodeMrc', options, {
    mode: oneOf(0, 1, 2, 6, 12, undefined),
    intensity: optional(intensityRule),
    labels: optional(listOf('texts', text)),
    signal: optional(abortSignal),
  });
  const { shape } = source.grid;
  if (!shape.every((count) => count >= 1 && count < 2 ** 31)) {
    throw new CryoetPicksError('invalid-option', `an MRC file cannot hold ${shape.join('×')} voxels`);
  }
  const intensity = options.intensity ?? (await measureIntensity(source, { signal }));
  yield encodeHeader(source, { ...options, mode, intensity });
  const read = (box: Box, stop: AbortSignal) => readBox(source, box, { signal: stop });
  for await (const volume of mapOrdered(pieces(shape), read, { signal })) {
    signal?.throwIfAborted();
    yield encodeVoxels(toFloat32(volume).data, mode);
  }
}

/** Yields boxes in the order of the file: several whole planes, or if a plane is too large, rows of one plane. */
function* pieces([depth, height, width]: VolumeSource['grid']['shape']): Generator<Box> {
  const planes = Math.max(1, Math.floor(PIECE_VOXELS / (height * width)));
  const rows = planes > 1 ? height : Math.min(height, Math.max(1, Math.floor(PIECE_VOXELS / width)));
  for (let z = 0; z < depth; z += planes) {
    for (let y = 0; y < height; y += rows) {
      yield { start: [z, y, 0], end: [Math.min(depth, z + planes), Math.min(height, y + rows), width] };
    }
  }
}

type HeaderOptions = EncodeMrcOptions & Required<Pick<EncodeMrcOptions, 'mode' | 'intensity'>>;

function encodeHeader(
  { grid }: VolumeSource,
  { mode, intensity, labels = ['Written by cryoet-picks'] }: HeaderOptions,
): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const { minimum, maximum, mean, standardDeviation } = intensity!;
  const [nz, ny, nx] = grid.shape;
  const [vz, vy, vx] = grid.voxelSize;
  const { x, y, z } = grid.origin;
  const putInts = (offset: number, ...values: number[]) =>
    values.forEach((value, i) => {
      view.setInt32(offset + 4 * i, value, true);
    });
  const putFloats = (offset: number, ...values: number[]) =>
    values.forEach((value, i) => {
      view.setFloat32(offset + 4 * i, value, true);
    });
  putInts(0, nx, ny, nz, mode!, 0, 0, 0, nx, ny, nz);
  putFloats(40, vx * nx, vy * ny, vz * nz, 90, 90, 90);
  putInts(64, 1, 2, 3);
  putFloats(76, minimum, maximum, mean);
  putInts(88, 1, 0);
  putInts(108, 20141);
  putFloats(196, x, y, z);
  bytes.set([0x4d, 0x41, 0x50, 0x20, 0x44, 0x44, 0, 0], 208);
  putFloats(216, standardDeviation);
  const written = labels.slice(0, 10);
  putInts(220, written.length);
  for (const [i, label] of written.entries()) bytes.set(labelBytes(label), 224 + 80 * i);
  return bytes;
}

/** Encodes 80 characters, padded with spaces; characters outside ASCII become question marks. */
function labelBytes(label: string): Uint8Array {
  const ascii = label.replace(/[^ -~]/gu, '?').slice(0, 80);
  return new TextEncoder().encode(ascii.padEnd(80));
}
