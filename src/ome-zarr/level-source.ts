import type { NumberType } from '../codecs/number-type.ts';
import { forEachRange, onAbort, type Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  type Box,
  boxShape,
  contiguousStride,
  formatZyx,
  intersectBoxes,
  requireInside,
  voxelCount,
  type Zyx,
} from '../space/grid.ts';
import {
  contiguousVolume,
  type ReadOptions,
  requireReadOptions,
  type Volume,
  type VolumeSource,
} from '../volume/volume.ts';
import type { ChunkData, DecodedChunk } from './chunk.ts';
import { type CachedChunk, type ChunkCache, MAX_READS } from './chunk-cache.ts';
import type { ChunkTally } from './chunk-record.ts';
import type { OpenedLevel } from './levels.ts';

/** The arrays that voxels are returned in. */
export type VoxelData = Float32Array | Float64Array;

/** Makes an array of floats that holds every number of a type exactly, except integers beyond 2^53 − 1 in size. */
export function createLossless(dtype: NumberType): (length: number) => VoxelData {
  const Data = /^(u?int(32|64)|float64)$/.test(dtype) ? Float64Array : Float32Array;
  return (length) => new Data(length);
}

/** Where the voxels of a box lie in flat data: element (z, y, x) at `offset + z · stride[0] + y · stride[1] + x · stride[2]`. */
export interface Layout {
  readonly stride: Zyx;
  readonly offset: number;
}

/** Fills rows that are contiguous along x with one value. */
export function fillRows(out: VoxelData, [depth, height, width]: Zyx, { stride, offset }: Layout, value: number): void {
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      const row = offset + z * stride[0] + y * stride[1];
      out.fill(value, row, row + width);
    }
  }
}

/**
 * Copies rows of numbers of any type into rows of `out` that are contiguous along x; float32 rounds them to the nearest.
 *
 * @returns The first 64-bit integer that float64 does not hold exactly, if `out` is float64; the rest is then not copied.
 */
export function copyRows(data: ChunkData, from: Layout, out: VoxelData, to: Layout, shape: Zyx): bigint | undefined {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return copyBigRows(data, from, out, to, shape);
  if (data instanceof Float32Array && out instanceof Float32Array) {
    copyFloatRows(data, from, out, to, shape);
    return undefined;
  }
  const [depth, height, width] = shape;
  const step = from.stride[2];
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let f = from.offset + z * from.stride[0] + y * from.stride[1];
      let t = to.offset + z * to.stride[0] + y * to.stride[1];
      if (step === 1) (out as Float32Array).set(data.subarray(f, f + width), t);
      else for (let x = 0; x < width; x++, f += step) out[t++] = data[f]!;
    }
  }
  return undefined;
}

function copyBigRows(
  data: BigInt64Array | BigUint64Array,
  from: Layout,
  out: VoxelData,
  to: Layout,
  [depth, height, width]: Zyx,
): bigint | undefined {
  const isExact = out instanceof Float64Array;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let f = from.offset + z * from.stride[0] + y * from.stride[1];
      let t = to.offset + z * to.stride[0] + y * to.stride[1];
      for (let x = 0; x < width; x++, f += from.stride[2]) {
        const value = Number(data[f]);
        if (isExact && !Number.isSafeInteger(value)) return data[f]!;
        out[t++] = value;
      }
    }
  }
  return undefined;
}

/** Rows of at least so many numbers are copied faster by `set` of a `subarray` than one by one. */
const LONG_ROW = 96;

/**
 * Copies rows of float32 into rows of `out` that are contiguous along x.
 *
 * Where both rows lie alike, two numbers are copied as one float64, in half the time.
 */
export function copyFloatRows(
  data: Float32Array,
  from: Layout,
  out: Float32Array,
  to: Layout,
  [depth, height, width]: Zyx,
): void {
  const step = from.stride[2];
  const pairs = step === 1 ? pairsOf(data) : undefined;
  const outPairs = pairsOf(out);
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let f = from.offset + z * from.stride[0] + y * from.stride[1];
      let t = to.offset + z * to.stride[0] + y * to.stride[1];
      const end = t + width;
      if (pairs && outPairs && (f - t) % 2 === 0) {
        if (t % 2 === 1 && t < end) out[t++] = data[f++]!;
        const count = Math.floor((end - t) / 2);
        copyPairs(data, pairs, f / 2, out, outPairs, t / 2, count);
        if ((end - t) % 2 === 1) out[end - 1] = data[f + 2 * count]!;
      } else if (step === 1 && width >= LONG_ROW) {
        out.set(data.subarray(f, f + width), t);
      } else {
        for (; t < end; f += step) out[t++] = data[f]!;
      }
    }
  }
}

/** The numbers two by two, without an odd one at the end; absent if they do not start where a float64 may. */
function pairsOf({ buffer, byteOffset, length }: Float32Array): Float64Array | undefined {
  return byteOffset % 8 === 0 ? new Float64Array(buffer, byteOffset, Math.floor(length / 2)) : undefined;
}

/** Copies pairs, four at a time. Of a pair that is a NaN as float64, an engine may change both numbers: these go one by one. */
function copyPairs(
  data: Float32Array,
  pairs: Float64Array,
  first: number,
  out: Float32Array,
  outPairs: Float64Array,
  firstOut: number,
  count: number,
): void {
  let i = 0;
  for (; i + 3 < count; i += 4) {
    const f = first + i;
    const t = firstOut + i;
    const a = pairs[f]!;
    const b = pairs[f + 1]!;
    const c = pairs[f + 2]!;
    const d = pairs[f + 3]!;
    if (Number.isNaN(a) || Number.isNaN(b) || Number.isNaN(c) || Number.isNaN(d)) {
      for (let k = 0; k < 8; k++) out[2 * t + k] = data[2 * f + k]!;
    } else {
      outPairs[t] = a;
      outPairs[t + 1] = b;
      outPairs[t + 2] = c;
      outPairs[t + 3] = d;
    }
  }
  for (let k = 2 * i; k < 2 * count; k++) out[2 * firstOut + k] = data[2 * first + k]!;
}

/** Options of {@link levelSource}. */
export interface LevelSourceOptions {
  /** The chunks of the level's array. */
  readonly cache: ChunkCache;
  /** Which channel of a level that has several. @defaultValue 0 */
  readonly channel?: number | undefined;
  /** What was unusual when it was opened. */
  readonly warnings?: readonly Warning[] | undefined;
}

/** A source over an array in a store. */
export interface LevelSource extends VolumeSource {
  /**
   * Warns of a voxel size that the metadata contradict, and of chunks of this volume that were read and are not in the store: their share, and where they lie. Writers leave out chunks that hold
   * nothing but the fill value: most chunks of labels, hardly one of a measured density.
   */
  warnings(): readonly Warning[];
  /**
   * Reads a box as float64 if the store holds integers of 32 or 64 bits or float64, otherwise as float32: each number is exact.
   *
   * @throws {@link CryoetPicksError} `unsupported` for an integer beyond 2^53 − 1 in size.
   */
  read(box: Box, options: ReadOptions & { readonly exact: true }): Promise<Volume<Float32Array | Float64Array>>;
  read(box: Box, options?: ReadOptions): Promise<Volume>;
}

/** Makes a source of a level, or of one of its channels. It lends a box inside one float32 chunk as a view of the chunk. */
export function levelSource(
  level: OpenedLevel,
  { cache, channel = 0, warnings = [] }: LevelSourceOptions,
): LevelSource {
  const exactly = createLossless(level.array.dtype);
  const read = async (box: Box, options: ReadOptions = {}): Promise<Volume<VoxelData>> => {
    const { signal, out, lend, exact } = requireReadOptions('tomogram.read', options);
    signal?.throwIfAborted();
    requireInside(box, { shape: level.grid.shape, where: level.array.where });
    const reading = { box, level, cache, channel, signal };
    const shape = boxShape(box);
    const create = exact ? exactly : (length: number) => out ?? new Float32Array(length);
    if (lend && !out && !exact && isInOneChunk(reading)) return lendOne(chunksOf(reading)[0]!, reading);
    // Before the list of chunks, which is long where the box is absurd.
    const volume = contiguousVolume(allocate(create, reading), shape);
    await readAll(chunksOf(reading), reading, volume.data);
    return volume;
  };
  const tally = level.array.chunks.layer(chunkOf(channel, level));
  return {
    grid: level.grid,
    chunkShape: level.chunkShape,
    warnings: () => [...warnings, ...missingChunks(level, tally)],
    read: read as LevelSource['read'],
  };
}

function missingChunks({ array, dimensions, grid }: OpenedLevel, tally: ChunkTally): readonly Warning[] {
  const { total, read, missing, missingWithin } = tally;
  if (missing === 0) return [];
  const share = missing / total;
  const percent = (part: number) => `${Number((100 * part).toPrecision(2))} %`;
  const counted =
    read === total
      ? `${missing} of the ${total} chunks (${percent(share)}) are`
      : `${missing} of the ${read} chunks read so far (${percent(missing / read)}; there are ${total} in all) are`;
  const ranges = ['z', 'y', 'x'].map((axis, i) => {
    const [from, to] = missingWithin[dimensions[i]!]!;
    const edge = array.chunkShape[dimensions[i]!]!;
    return `${axis} ${from * edge} to ${Math.min(to * edge, grid.shape[i]!) - 1}`;
  });
  const message =
    `${counted} not in the store, and their voxels are the fill value, ${array.fillValue}; ` +
    `they lie within the voxels ${ranges.join(', ')}: was the image copied whole?`;
  return [{ code: 'chunks-missing', message, path: array.path, share }];
}

interface Reading {
  readonly box: Box;
  readonly level: OpenedLevel;
  readonly cache: ChunkCache;
  readonly channel: number;
  readonly signal: AbortSignal | undefined;
}

function isInOneChunk({ box, level: { chunkShape } }: Reading): boolean {
  const counts = chunkShape.map((edge, i) => Math.ceil(box.end[i]! / edge) - Math.floor(box.start[i]! / edge));
  return voxelCount(boxShape(box)) > 0 && counts.every((count) => count === 1);
}

/** Memory for a box. @throws {@link CryoetPicksError} `invalid-option` if there is not so much. */
function allocate(create: (length: number) => VoxelData, { box, level }: Reading): VoxelData {
  const shape = boxShape(box);
  try {
    return create(voxelCount(shape));
  } catch (cause) {
    const what = `the ${formatZyx(shape)} voxels of a box of ${level.array.where} do not fit into memory; read smaller boxes`;
    throw new CryoetPicksError('invalid-option', what, { cause, option: 'box' });
  }
}

/** Index of the chunks that hold a channel, along the axis of the channels. */
function chunkOf(channel: number, { array, channelAxis }: Pick<OpenedLevel, 'array' | 'channelAxis'>): number {
  return channelAxis ? Math.floor(channel / array.chunkShape[channelAxis.dimension]!) : 0;
}

function chunksOf({ box, level, channel }: Pick<Reading, 'box' | 'level' | 'channel'>): TouchedChunk[] {
  if (voxelCount(boxShape(box)) === 0) return [];
  const { array, dimensions, chunkShape: chunk, channelAxis } = level;
  const first = box.start.map((start, i) => Math.floor(start / chunk[i]!)) as unknown as Zyx;
  const last = box.end.map((end, i) => Math.ceil(end / chunk[i]!)) as unknown as Zyx;
  const found: TouchedChunk[] = [];
  for (let z = first[0]; z < last[0]; z++) {
    for (let y = first[1]; y < last[1]; y++) {
      for (let x = first[2]; x < last[2]; x++) {
        const at = new Array<number>(array.shape.length).fill(0);
        [at[dimensions[0]], at[dimensions[1]], at[dimensions[2]]] = [z, y, x];
        if (channelAxis) at[channelAxis.dimension] = chunkOf(channel, level);
        const start: Zyx = [z * chunk[0], y * chunk[1], x * chunk[2]];
        found.push({ at, box: { start, end: [start[0] + chunk[0], start[1] + chunk[1], start[2] + chunk[2]] } });
      }
    }
  }
  return found;
}

/** Lends the voxels of a box inside one chunk: a view of the chunk if it holds float32, otherwise a copy. */
async function lendOne(touched: TouchedChunk, reading: Reading): Promise<Volume> {
  const { cache, signal } = reading;
  const { chunk, release } = await cache.hold(touched.at, { signal });
  if (chunk !== 'fill' && chunk.data instanceof Float32Array) {
    return { data: chunk.data, ...viewOf(chunk, touched, reading), release };
  }
  try {
    const shape = boxShape(reading.box);
    const out = contiguousVolume(new Float32Array(voxelCount(shape)), shape);
    await copyPart(chunk, touched, reading, out.data);
    return out;
  } finally {
    release();
  }
}

/** The view of a box in the chunk that holds all of it. */
function viewOf(chunk: DecodedChunk, touched: TouchedChunk, { box, level, channel }: Reading): Omit<Volume, 'data'> {
  const { stride, offset } = strideOf(chunk, { level, channel });
  return { shape: boxShape(box), stride, offset: offset + indexIn(touched.box, box.start, stride) };
}

async function readAll(chunks: readonly TouchedChunk[], reading: Reading, out: VoxelData): Promise<void> {
  const { cache, signal } = reading;
  // The first failure stops the reads of the other chunks.
  const controller = new AbortController();
  const stopWaiting = onAbort(signal, () => controller.abort(signal?.reason));
  const rest = chunks.values();
  const copySome = async () => {
    for (const touched of rest) {
      const { chunk, release } = await cache.hold(touched.at, { signal: controller.signal });
      try {
        await copyPart(chunk, touched, reading, out);
      } finally {
        release();
      }
    }
  };
  const copies = Array.from({ length: MAX_READS }, copySome);
  try {
    await Promise.all(copies);
  } catch (error) {
    controller.abort(error);
    // Nothing may be written to `out` after the read has failed.
    await Promise.allSettled(copies);
    throw error;
  } finally {
    stopWaiting();
  }
}

/** A chunk that overlaps a box. */
interface TouchedChunk {
  /** Index in the chunk grid, along the array's own dimensions. */
  readonly at: readonly number[];
  /** The voxels of the level that it holds. */
  readonly box: Box;
}

/** A channel of a level. */
export interface Channel {
  readonly level: OpenedLevel;
  readonly channel: number;
}

/** Voxels that are copied without yielding: a few milliseconds. */
const STEP = 2 ** 19;

/** Copies the overlap of a chunk and a box into the C-order voxels of the box; yields to the event loop every few milliseconds. */
async function copyPart(
  chunk: CachedChunk,
  touched: TouchedChunk,
  { box, level, channel }: Channel & { readonly box: Box },
  out: VoxelData,
): Promise<void> {
  const shared = intersectBoxes(touched.box, box);
  const [depth, height, width] = boxShape(shared);
  const outStride = contiguousStride(boxShape(box));
  const to = { stride: outStride, offset: indexIn(box, shared.start, outStride) };
  const copyPlanes = (first: number, end: number) => {
    const at = (layout: Layout) => ({ ...layout, offset: layout.offset + first * layout.stride[0] });
    const shape: Zyx = [end - first, height, width];
    if (chunk === 'fill') {
      fillRows(out, shape, at(to), exactFill(level, out));
      return;
    }
    const { stride, offset } = strideOf(chunk, { level, channel });
    const from = { stride, offset: offset + indexIn(touched.box, shared.start, stride) };
    const inexact = copyRows(chunk.data, at(from), out, at(to), shape);
    if (inexact !== undefined) throw tooLarge(level, inexact);
  };
  await forEachRange(depth, copyPlanes, Math.max(1, Math.floor(STEP / (height * width))));
}

/** Where the voxels of a channel lie in a chunk. */
function strideOf({ stride }: DecodedChunk, { level, channel }: Channel): Layout {
  const { dimensions, channelAxis, array } = level;
  const inChunk = channelAxis ? channel % array.chunkShape[channelAxis.dimension]! : 0;
  return {
    stride: [stride[dimensions[0]]!, stride[dimensions[1]]!, stride[dimensions[2]]!],
    offset: channelAxis ? inChunk * stride[channelAxis.dimension]! : 0,
  };
}

/** The index in flat data of a voxel, relative to the first voxel of a box. */
function indexIn({ start }: Box, [z, y, x]: Zyx, stride: Zyx): number {
  return (z - start[0]) * stride[0] + (y - start[1]) * stride[1] + (x - start[2]) * stride[2];
}

/** The fill value. Throws if it must be exact and JSON has rounded it. */
function exactFill({ array, ...level }: OpenedLevel, out: VoxelData): number {
  const isExact = out instanceof Float64Array && array.dtype.endsWith('int64');
  if (isExact && !Number.isSafeInteger(array.fillValue)) throw tooLarge({ array, ...level }, array.fillValue);
  return array.fillValue;
}

function tooLarge({ array }: OpenedLevel, value: bigint | number): CryoetPicksError {
  return new CryoetPicksError(
    'unsupported',
    `${array.where} contains ${value}, which exceeds Number.MAX_SAFE_INTEGER; expected integers up to 2^53 − 1 in size`,
  );
}
