import { CryoetPicksError } from '../errors.ts';
import { type Box, boxShape, contiguousStride, formatZyx, intersectBoxes, voxelCount, type Zyx } from '../space/zyx.ts';
import { contiguousVolume, type Volume, type VolumeSource } from '../volume/volume.ts';
import { onAbort } from './abort.ts';
import type { ChunkData } from './array.ts';
import { type CachedChunk, ChunkCache, MAX_READS } from './chunk-cache.ts';
import { chunkShapeOf, type OpenedLevel } from './levels.ts';

/** Options of {@link levelSource}. */
export interface LevelSourceOptions {
  readonly cacheBytes: number;
}

/** The voxels of one level as a source. A box inside one float32 chunk comes back as a view of it. */
export function levelSource(level: OpenedLevel, { cacheBytes }: LevelSourceOptions): VolumeSource {
  const cache = new ChunkCache(level.array, { cacheBytes });
  const { grid } = level;
  return {
    grid,
    async read(box, { signal } = {}) {
      signal?.throwIfAborted();
      checkBox(box, level);
      const chunks = chunksOf(box, level);
      if (chunks.length === 1) return readOne(chunks[0]!, { box, level, cache, signal });
      const out = contiguousVolume(new Float32Array(voxelCount(boxShape(box))), boxShape(box));
      await readAll(chunks, { box, level, cache, signal }, out);
      return out;
    },
  };
}

interface Reading {
  readonly box: Box;
  readonly level: OpenedLevel;
  readonly cache: ChunkCache;
  readonly signal: AbortSignal | undefined;
}

/** A chunk that a box touches. */
interface TouchedChunk {
  /** Index in the chunk grid, along the array's own dimensions. */
  readonly at: readonly number[];
  /** The voxels of the level that it holds. */
  readonly box: Box;
}

function checkBox({ start, end }: Box, { grid: { shape }, array }: OpenedLevel): void {
  const isInside = [0, 1, 2].every((i) => {
    const [from, to] = [start[i]!, end[i]!];
    return Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= shape[i]!;
  });
  if (isInside) return;
  throw new CryoetPicksError(
    'invalid-option',
    `box from (${start.join(', ')}) to (${end.join(', ')}) does not lie in ${array.where}, ${formatZyx(shape)} voxels`,
  );
}

function chunksOf(box: Box, level: OpenedLevel): TouchedChunk[] {
  if (voxelCount(boxShape(box)) === 0) return [];
  const chunk = chunkShapeOf(level);
  const first = box.start.map((start, i) => Math.floor(start / chunk[i]!)) as unknown as Zyx;
  const last = box.end.map((end, i) => Math.ceil(end / chunk[i]!)) as unknown as Zyx;
  const found: TouchedChunk[] = [];
  for (let z = first[0]; z < last[0]; z++) {
    for (let y = first[1]; y < last[1]; y++) {
      for (let x = first[2]; x < last[2]; x++) {
        const at = new Array<number>(level.array.shape.length).fill(0);
        [at[level.dimensions[0]], at[level.dimensions[1]], at[level.dimensions[2]]] = [z, y, x];
        const start: Zyx = [z * chunk[0], y * chunk[1], x * chunk[2]];
        found.push({ at, box: { start, end: [start[0] + chunk[0], start[1] + chunk[1], start[2] + chunk[2]] } });
      }
    }
  }
  return found;
}

async function readOne(touched: TouchedChunk, { box, level, cache, signal }: Reading): Promise<Volume> {
  const chunk = await cache.get(touched.at, { signal });
  const shape = boxShape(box);
  if (chunk !== 'fill' && chunk.data instanceof Float32Array) {
    const stride = strideOf(chunk.stride, level);
    return { data: chunk.data, shape, stride, offset: indexIn(touched.box, box.start, stride) };
  }
  const out = contiguousVolume(new Float32Array(voxelCount(shape)), shape);
  copyPart(chunk, touched, { box, level }, out.data);
  return out;
}

async function readAll(chunks: readonly TouchedChunk[], reading: Reading, out: Volume): Promise<void> {
  const { cache, signal } = reading;
  // The first failure stops the reads of the other chunks.
  const controller = new AbortController();
  const stopWaiting = onAbort(signal, () => controller.abort(signal?.reason));
  const rest = chunks.values();
  const readSome = async () => {
    for (const touched of rest) {
      const chunk = await cache.get(touched.at, { signal: controller.signal });
      copyPart(chunk, touched, reading, out.data);
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

/** Copies what a chunk and a box share into the C-order voxels of the box. */
function copyPart(
  chunk: CachedChunk,
  touched: TouchedChunk,
  { box, level }: Pick<Reading, 'box' | 'level'>,
  out: Float32Array,
): void {
  const shared = intersectBoxes(touched.box, box);
  const shape = boxShape(shared);
  const outStride = contiguousStride(boxShape(box));
  const to = { stride: outStride, offset: indexIn(box, shared.start, outStride) };
  if (chunk === 'fill') {
    fillRows(out, shape, to, level.array.fillValue);
    return;
  }
  const stride = strideOf(chunk.stride, level);
  copyRows(chunk.data, { stride, offset: indexIn(touched.box, shared.start, stride) }, out, to, shape);
}

function strideOf(stride: readonly number[], { dimensions }: OpenedLevel): Zyx {
  return [stride[dimensions[0]]!, stride[dimensions[1]]!, stride[dimensions[2]]!];
}

function indexIn({ start }: Box, [z, y, x]: Zyx, stride: Zyx): number {
  return (z - start[0]) * stride[0] + (y - start[1]) * stride[1] + (x - start[2]) * stride[2];
}

interface Layout {
  readonly stride: Zyx;
  readonly offset: number;
}

function fillRows(out: Float32Array, [depth, height, width]: Zyx, { stride, offset }: Layout, value: number): void {
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      const row = offset + z * stride[0] + y * stride[1];
      out.fill(value, row, row + width);
    }
  }
}

/** Copies rows of numbers of any type into float32 rows that are contiguous along x. */
function copyRows(data: ChunkData, from: Layout, out: Float32Array, to: Layout, [depth, height, width]: Zyx): void {
  const step = from.stride[2];
  const isBig = data instanceof BigInt64Array || data instanceof BigUint64Array;
  const numbers = data as Exclude<ChunkData, BigInt64Array | BigUint64Array>;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let f = from.offset + z * from.stride[0] + y * from.stride[1];
      let t = to.offset + z * to.stride[0] + y * to.stride[1];
      if (isBig) for (let x = 0; x < width; x++, f += step) out[t++] = Number(data[f]);
      else if (step === 1) out.set(numbers.subarray(f, f + width), t);
      else for (let x = 0; x < width; x++, f += step) out[t++] = numbers[f]!;
    }
  }
}
