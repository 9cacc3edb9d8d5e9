import { mapOrdered } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { Box } from '../space/zyx.ts';
import { type Intensity, measureIntensity } from '../volume/intensity.ts';
import { toFloat32, type VolumeSource } from '../volume/volume.ts';
import { HEADER_BYTES } from './header.ts';
import { encodeVoxels, MODE_BYTES, type MrcMode } from './voxels.ts';

/** Options of {@link encodeMrc}. */
export interface EncodeMrcOptions {
  /**
   * How voxels are stored: 2 for float32, 12 for float16, 0, 1 and 6 for signed bytes, 16-bit integers without and with
   * only positive values. @defaultValue 2
   */
  readonly mode?: MrcMode | undefined;
  /** Statistics for the header. @defaultValue measured, in a pass of their own over the voxels */
  readonly intensity?: Intensity | undefined;
  /** Up to ten texts of 80 characters for the header, in ASCII. @defaultValue one that names this library */
  readonly labels?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of a piece; a few planes at a time, at least one row. */
const PIECE_VOXELS = 2 ** 20;

/**
 * Encodes a volume as an MRC2014 file, piece by piece: little-endian, columns along x, voxel size and statistics in the
 * header, the position of the first voxel as ORIGIN. Memory does not grow with the volume.
 *
 * The voxels are read twice, once for the statistics; hand `intensity` in to read them once.
 *
 * @returns The bytes in order; nothing happens before they are asked for.
 * @throws {@link CryoetPicksError} `invalid-option` for a value that the mode cannot hold; the abort reason of `signal`.
 * @example
 * ```ts
 * await writeFile('denoised.mrc', encodeMrc(tomogram));
 * ```
 */
export async function* encodeMrc(
  source: VolumeSource,
  options: EncodeMrcOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { mode = 2, signal } = options;
  if (!Object.hasOwn(MODE_BYTES, mode)) {
    throw new CryoetPicksError('invalid-option', `mode is ${mode}, expected 0, 1, 2, 6 or 12`);
  }
  const { shape } = source.grid;
  if (!shape.every((count) => count >= 1 && count < 2 ** 31)) {
    throw new CryoetPicksError('invalid-option', `an MRC file cannot hold ${shape.join('×')} voxels`);
  }
  const intensity = options.intensity ?? (await measureIntensity(source, { signal }));
  yield encodeHeader(source, { ...options, mode, intensity });
  const read = (box: Box, stop: AbortSignal) => source.read(box, { signal: stop });
  for await (const volume of mapOrdered(pieces(shape), read, { signal })) {
    signal?.throwIfAborted();
    yield encodeVoxels(toFloat32(volume).data, mode);
  }
}

/** Boxes that follow each other in the file: whole planes where they fit, else rows of one plane. */
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

/** 80 characters, filled up with spaces; what is not ASCII becomes a question mark. */
function labelBytes(label: string): Uint8Array {
  const ascii = label.replace(/[^ -~]/gu, '?').slice(0, 80);
  return new TextEncoder().encode(ascii.padEnd(80));
}
