import { eventLoopTurn } from '../async.ts';
import { requireInside } from '../space/outside.ts';
import { type Box, boxShape, voxelCount, type Zyx } from '../space/zyx.ts';
import { onAbort } from '../storage/abort.ts';
import type { StoreOptions } from '../storage/store.ts';
import { type HeldVolume, tieWays } from '../volume/source-ways.ts';
import { contiguousVolume, type ReadOptions, type Volume, type VolumeSource } from '../volume/volume.ts';
import type { DecodedChunk } from './array.ts';
import { type ChunkCache, MAX_READS } from './chunk-cache.ts';
import { copyPart, indexIn, strideOf, type TouchedChunk } from './copy-part.ts';
import { createExact, type VoxelData } from './copy-rows.ts';
import { chunkShapeOf, type OpenedLevel } from './place-level.ts';

/** Options of {@link levelSource}. */
export interface LevelSourceOptions {
  /** The chunks of the level's array. */
  readonly cache: ChunkCache;
  /** Which channel, where the level has several. @defaultValue 0 */
  readonly channel?: number | undefined;
}

/** A source that also gives voxels in the type that they are stored in. */
export type ExactSource = VolumeSource & Required<Pick<VolumeSource, 'readExact'>>;

/** The voxels of a level, or of one of its channels, as a source. A box inside one chunk of the type is lent as a view of it. */
export function levelSource(level: OpenedLevel, { cache, channel = 0 }: LevelSourceOptions): ExactSource {
  const readingOf = (box: Box, { signal }: StoreOptions) => {
    signal?.throwIfAborted();
    requireInside(box, { shape: level.grid.shape, where: level.array.where });
    return { box, level, cache, channel, signal };
  };
  const readAs = async <A extends VoxelData>(create: (length: number) => A, box: Box, options: StoreOptions) => {
    const reading = readingOf(box, options);
    const out = contiguousVolume(create(voxelCount(boxShape(box))), boxShape(box));
    await readAll(chunksOf(reading), reading, out.data);
    return out;
  };
  const read = (box: Box, options: ReadOptions = {}) => readAs(newFloats, box, options);
  const readInto = async (box: Box, out: Float32Array, options: ReadOptions = {}) => {
    const reading = readingOf(box, options);
    await readAll(chunksOf(reading), reading, out);
  };
  const hold = async (box: Box, options: ReadOptions = {}) => {
    const reading = readingOf(box, options);
    const [first, ...others] = chunksOf(reading);
    if (first && others.length === 0) return lendOne(first, reading);
    return { volume: await read(box, options), release: () => {} };
  };
  const exactly = createExact(level.array.dtype);
  return {
    grid: level.grid,
    chunkShape: chunkShapeOf(level),
    read: tieWays(read, { readInto, hold }),
    readExact: (box, options = {}) => readAs(exactly, box, options),
  };
}

interface Reading {
  readonly box: Box;
  readonly level: OpenedLevel;
  readonly cache: ChunkCache;
  readonly channel: number;
  readonly signal: AbortSignal | undefined;
}

function chunksOf({ box, level, channel }: Pick<Reading, 'box' | 'level' | 'channel'>): TouchedChunk[] {
  if (voxelCount(boxShape(box)) === 0) return [];
  const { array, dimensions, channelAxis } = level;
  const chunk = chunkShapeOf(level);
  const first = box.start.map((start, i) => Math.floor(start / chunk[i]!)) as unknown as Zyx;
  const last = box.end.map((end, i) => Math.ceil(end / chunk[i]!)) as unknown as Zyx;
  const found: TouchedChunk[] = [];
  for (let z = first[0]; z < last[0]; z++) {
    for (let y = first[1]; y < last[1]; y++) {
      for (let x = first[2]; x < last[2]; x++) {
        const at = new Array<number>(array.shape.length).fill(0);
        [at[dimensions[0]], at[dimensions[1]], at[dimensions[2]]] = [z, y, x];
        if (channelAxis) at[channelAxis.dimension] = Math.floor(channel / array.chunkShape[channelAxis.dimension]!);
        const start: Zyx = [z * chunk[0], y * chunk[1], x * chunk[2]];
        found.push({ at, box: { start, end: [start[0] + chunk[0], start[1] + chunk[1], start[2] + chunk[2]] } });
      }
    }
  }
  return found;
}

/** Lends the voxels of a box inside one chunk: a view of it, where it holds float32, or else a copy. */
async function lendOne(touched: TouchedChunk, reading: Reading): Promise<HeldVolume> {
  const { cache, signal } = reading;
  const { chunk, release } = await cache.hold(touched.at, { signal });
  if (chunk !== 'fill' && chunk.data instanceof Float32Array) {
    return { volume: { data: chunk.data, ...viewOf(chunk, touched, reading) }, release };
  }
  try {
    const shape = boxShape(reading.box);
    const out = contiguousVolume(newFloats(voxelCount(shape)), shape);
    for (const _ of copyPart(chunk, touched, reading, out.data)) await eventLoopTurn();
    return { volume: out, release: () => {} };
  } finally {
    release();
  }
}

function newFloats(length: number): Float32Array {
  return new Float32Array(length);
}

/** Where the voxels of a box lie in the chunk that holds them all. */
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
  const readSome = async () => {
    for (const touched of rest) {
      const { chunk, release } = await cache.hold(touched.at, { signal: controller.signal });
      try {
        for (const _ of copyPart(chunk, touched, reading, out)) await eventLoopTurn();
      } finally {
        release();
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: MAX_READS }, readSome));
  } catch (error) {
    controller.abort(error);
    throw error;
  } finally {
    stopWaiting();
  }
}
