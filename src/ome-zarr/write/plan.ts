import { MAX_CHUNK_BYTES } from '../../codecs/decode.ts';
import { ITEM_BYTES, numberToHalf } from '../../codecs/number-type.ts';
import { describeValue } from '../../core/arguments.ts';
import type { Warning } from '../../core/concurrency.ts';
import { CryoetPicksError } from '../../core/errors.ts';
import { showJson, showList } from '../../core/json.ts';
import { type Box, boxShape, coarseGrid, formatZyx, type VoxelGrid, voxelCount, type Zyx } from '../../space/grid.ts';
import type { VolumeSource } from '../../volume/volume.ts';

import type { Pyramid, PyramidChunk, PyramidVoxels } from './pyramid.ts';

/** Progress of {@link writeTomogram}, in chunks. */
export interface WriteProgress {
  readonly stage: 'write';
  readonly done: number;
  readonly total: number;
}

/** Options of {@link writeTomogram}. */
export interface WriteTomogramOptions {
  /**
   * `zarr2`: OME-Zarr 0.4, one file per chunk, blosc-lz4, which copick 1 and most programs read. `zarr3`: OME-Zarr 0.5, one
   * shard per level, zstd, which copick 2 writes and copick 1 cannot read. @defaultValue 'zarr2'
   */
  readonly format?: 'zarr2' | 'zarr3' | undefined;
  /** Type of the voxels. @defaultValue 'float32' */
  readonly dtype?: WritableDtype | undefined;
  /** Number of resolution levels, each with half the voxels per axis of the one before. @defaultValue 3, for integers 1 */
  readonly levels?: number | undefined;
  /**
   * Value of a coarse voxel: the mean of its cell, rounded for integers, or the first voxel of its cell, as labels need.
   * @defaultValue 'mean', for integers 'first'
   */
  readonly coarse?: 'mean' | 'first' | undefined;
  /** Shape of a chunk along z, y, x; for `zarr2` clipped to the level. @defaultValue 128×128×128 */
  readonly chunkShape?: Zyx | undefined;
  /** Name in the metadata. @defaultValue '/', as copick writes it */
  readonly name?: string | undefined;
  /** Further metadata, JSON: the `metadata` of the first `multiscales`. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /**
   * Replace the content of the store; without it, a store that contains an image throws `invalid-option`. In a folder on disk, the new
   * image is written beside the old one and replaces it when it is complete. Other stores delete the old image before the first
   * voxel is written, so it is lost if the write fails or is aborted. @defaultValue false
   */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
  /** Called for output that may cause trouble later: in `zarr3`, a shard of more than 5 GB, with the code `shard-too-large`. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/** The first axis of a 4-D image. */
export interface ChannelOptions {
  readonly axis: 'c' | 'feature';
  readonly names?: readonly string[] | undefined;
}

/** Options of `writeImage`. */
export interface WriteImageOptions extends WriteTomogramOptions {
  /** Absent for a 3-D image. */
  readonly channels?: ChannelOptions | undefined;
  /** Write into an empty group even without `overwrite`. @defaultValue false */
  readonly fillGroup?: boolean | undefined;
}

/** The plan of an image, complete before the first voxel is read. */
export interface WritePlan {
  readonly format: 'zarr2' | 'zarr3';
  readonly dtype: WritableDtype;
  /** The levels of each channel. */
  readonly pyramid: Pyramid;
  /** Absent for a 3-D image. */
  readonly channels: (ChannelOptions & { readonly count: number }) | undefined;
  readonly name: string;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  /** Chunks of all levels and channels. */
  readonly total: number;
}

/** Checks the options and plans the levels. @throws {@link CryoetPicksError} `invalid-option`. */
export function planWrite(sources: readonly VolumeSource[], options: WriteImageOptions): WritePlan {
  const { format = 'zarr2', dtype = 'float32', name = '/', channels } = options;
  requireOneOf('format', format, ['zarr2', 'zarr3']);
  requireOneOf('dtype', dtype, Object.keys(ZARR2_TYPES));
  const isWhole = isWholeType(dtype);
  const { levels = isWhole ? 1 : 3, coarse = isWhole ? 'first' : 'mean', chunkShape = [128, 128, 128] } = options;
  requireOneOf('coarse', coarse, ['mean', 'first']);
  const grid = commonGrid(sources);
  checkExtents(grid, { levels, chunkShape });
  const pyramid = planPyramid(grid, {
    levels,
    chunkShape,
    isClipped: format === 'zarr2',
    isMean: coarse === 'mean',
    isWhole,
    isExact: isWhole && ITEM_BYTES[dtype] > 2,
  });
  checkPyramid(pyramid, dtype);
  const chunks = pyramid.levels.reduce((sum, level) => sum + voxelCount(level.chunks), 0);
  return {
    format,
    dtype,
    pyramid,
    channels: channels && checkedChannels(channels, sources.length),
    name,
    metadata: options.metadata,
    total: chunks * sources.length,
  };
}

function invalid(what: string): CryoetPicksError {
  return new CryoetPicksError('invalid-option', what);
}

function requireOneOf(what: string, found: string, known: readonly string[]): void {
  if (known.includes(found)) return;
  throw invalid(`${what} is ${describeValue(found)}, expected one of ${known.join(', ')}`);
}

function checkedChannels({ axis, names }: ChannelOptions, count: number): WritePlan['channels'] {
  requireOneOf('axis', axis, ['c', 'feature']);
  if (names && names.length !== count) throw invalid(`${names.length} names are given for ${count} channels`);
  return { axis, names, count };
}

/** The common grid of all sources. */
function commonGrid(sources: readonly VolumeSource[]): VoxelGrid {
  if (sources.length === 0) throw invalid('no channel is given, expected at least one');
  const [first, ...rest] = sources.map(({ grid }) => grid);
  for (const [index, grid] of rest.entries()) {
    if (describeGrid(grid) === describeGrid(first!)) continue;
    throw invalid(
      `channel ${index + 1} has ${describeGrid(grid)}, and channel 0 ${describeGrid(first!)}; expected the same grid for all`,
    );
  }
  return first!;
}

function describeGrid({ shape, voxelSize, origin: { x, y, z } }: VoxelGrid): string {
  return `${formatZyx(shape)} voxels of ${formatZyx(voxelSize)} Å at x ${x}, y ${y}, z ${z} Å`;
}

function checkExtents(
  { shape }: VoxelGrid,
  { levels, chunkShape }: { readonly levels: number; readonly chunkShape: Zyx },
): void {
  const isCount = (n: number) => Number.isSafeInteger(n) && n >= 1;
  if (!isCount(levels) || levels > 20)
    throw invalid(`levels is ${showJson(levels)}, expected a whole number from 1 to 20`);
  for (const [what, extents] of [
    ['chunkShape', chunkShape],
    ['shape of the volume', shape],
  ] as const) {
    if (extents.length === 3 && extents.every(isCount)) continue;
    throw invalid(`${what} is ${showList(extents)}, expected three whole numbers above 0`);
  }
}

/** Throws for levels that could be written but not be read again. */
function checkPyramid({ levels }: Pyramid, dtype: WritableDtype): void {
  for (const [index, { grid, chunk }] of levels.entries()) {
    const { voxelSize, origin } = grid;
    const where = index === 0 ? 'the volume' : `level ${index}`;
    if (voxelSize.length !== 3 || !voxelSize.every((length) => length > 0 && Number.isFinite(length))) {
      throw invalid(`voxelSize of ${where} is ${formatZyx(voxelSize)} Å, expected three finite numbers above 0`);
    }
    if (![origin.x, origin.y, origin.z].every(Number.isFinite)) {
      const found = `x ${origin.x}, y ${origin.y}, z ${origin.z}`;
      throw invalid(`origin of ${where} is ${found} Å, expected finite numbers`);
    }
    const bytes = voxelCount(chunk) * ITEM_BYTES[dtype];
    if (bytes > MAX_CHUNK_BYTES) {
      throw invalid(
        `a chunk of ${formatZyx(chunk)} ${dtype} takes ${bytes} bytes, expected at most ${MAX_CHUNK_BYTES}`,
      );
    }
  }
}

interface PyramidOptions extends Omit<Pyramid, 'levels'> {
  readonly levels: number;
  readonly chunkShape: Zyx;
  readonly isClipped: boolean;
}

function planPyramid(grid: VoxelGrid, { levels, chunkShape, isClipped, isMean, ...rest }: PyramidOptions): Pyramid {
  return {
    ...rest,
    isMean,
    levels: Array.from({ length: levels }, (_, level) => {
      const coarse = coarseGrid(grid, 2 ** level);
      const { shape } = coarse;
      const chunk = isClipped
        ? (shape.map((extent, i) => Math.min(extent, chunkShape[i]!)) as unknown as Zyx)
        : chunkShape;
      const chunks = shape.map((extent, i) => Math.ceil(extent / chunk[i]!)) as unknown as Zyx;
      return { grid: isMean ? coarse : { ...coarse, origin: grid.origin }, chunk, chunks };
    }),
  };
}

/** The types of numbers that can be written; those of 64 bits up to 2⁵³ − 1. */
export type WritableDtype =
  | 'float32'
  | 'float16'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64';

/** The name of each type in Zarr v2; that of Zarr v3 is the key. */
export const ZARR2_TYPES: Readonly<Record<WritableDtype, string>> = {
  float32: '<f4',
  float16: '<f2',
  uint8: '|u1',
  uint16: '<u2',
  uint32: '<u4',
  uint64: '<u8',
  int8: '|i1',
  int16: '<i2',
  int32: '<i4',
  int64: '<i8',
};

const MAX_HALF = 65504;

/** True for a type of whole numbers. */
export function isWholeType(dtype: WritableDtype): boolean {
  return !dtype.startsWith('float');
}

/** The minimum and maximum of the numbers that this library writes in a type. */
function limitsOf(dtype: WritableDtype): readonly [minimum: number, maximum: number] {
  const isUnsigned = dtype.startsWith('u');
  const maximum = Math.min(2 ** (8 * ITEM_BYTES[dtype] - (isUnsigned ? 0 : 1)) - 1, Number.MAX_SAFE_INTEGER);
  return [isUnsigned ? 0 : Math.max(-maximum - 1, Number.MIN_SAFE_INTEGER), maximum];
}

/**
 * Packs the voxels of a chunk as little-endian bytes, padded with zeros to the full shape of a chunk.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the type cannot hold a voxel.
 */
export function packVoxels({ box, voxels }: PyramidChunk, chunk: Zyx, dtype: WritableDtype): Uint8Array {
  checkFit(voxels, dtype, box);
  const packed = emptyArray(dtype, voxelCount(chunk));
  const [depth, height, width] = boxShape(box);
  for (let z = 0, f = 0; z < depth; z++) {
    for (let y = 0; y < height; y++, f += width) {
      packed.put(voxels.subarray(f, f + width), (z * chunk[1] + y) * chunk[2]);
    }
  }
  return packed.bytes;
}

interface PackedArray {
  readonly bytes: Uint8Array;
  readonly put: (row: PyramidVoxels, at: number) => void;
}

const ARRAYS = {
  float32: Float32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
} as const;

function emptyArray(dtype: WritableDtype, count: number): PackedArray {
  if (dtype === 'float16') {
    const data = new Uint16Array(count);
    return { bytes: new Uint8Array(data.buffer), put: (row, at) => data.set(Uint16Array.from(row, numberToHalf), at) };
  }
  if (dtype === 'uint64' || dtype === 'int64') {
    const data = new BigInt64Array(count);
    return { bytes: new Uint8Array(data.buffer), put: (row, at) => data.set(Array.from(row, BigInt), at) };
  }
  const data = new ARRAYS[dtype](count);
  return { bytes: new Uint8Array(data.buffer), put: (row, at) => data.set(row, at) };
}

function checkFit(voxels: PyramidVoxels, dtype: WritableDtype, box: Box): void {
  if (dtype === 'float32') return;
  const [minimum, maximum] = limitsOf(dtype);
  const isWhole = isWholeType(dtype);
  for (let i = 0; i < voxels.length; i++) {
    const value = voxels[i]!;
    const fits = isWhole
      ? Number.isInteger(value) && value >= minimum && value <= maximum
      : Math.abs(value) < MAX_HALF + 16 || !Number.isFinite(value);
    if (!fits) throw misfit(value, dtype, box);
  }
}

function misfit(value: number, dtype: WritableDtype, { start, end }: Box): CryoetPicksError {
  const [minimum, maximum] = limitsOf(dtype);
  const expected = isWholeType(dtype)
    ? `whole numbers from ${minimum} to ${maximum}`
    : `numbers from ${-MAX_HALF} to ${MAX_HALF}`;
  const where = `the box from (${start.join(', ')}) to (${end.join(', ')})`;
  return new CryoetPicksError(
    'invalid-option',
    `cannot write ${value}, in ${where}, as ${dtype}: expected ${expected}`,
  );
}
