import { LRUCache } from 'lru-cache';
import { untilAborted } from '../core/concurrency.ts';
import { longestAxis, voxelCount } from '../space/grid.ts';
import type { StoreOptions } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { ChunkedArray } from './array.ts';
import { cropChunk, type DecodedChunk, extentsInside, MAX_PADDING_FRACTION } from './chunk.ts';
import { type ChunkMemory, chunkMemory, isShared } from './chunk-memory.ts';
import { MAX_KEPT_BYTES, MIN_SENT_BYTES, TASKS_PER_THREAD } from './decode-task.ts';

/** Options of {@link ChunkCache}. */
export interface ChunkCacheOptions {
  /** Bytes of decoded chunks to keep, plus 256 for each chunk. A larger chunk is not kept. */
  readonly cacheBytes: number;
}

/** A decoded chunk, or `'fill'` for one that is not in the store: the fill value everywhere. */
export type CachedChunk = DecodedChunk | 'fill';

/** A lent chunk. It must not be read after `release`, since another chunk may be decoded into its memory. */
export interface HeldChunk {
  readonly chunk: CachedChunk;
  release(): void;
}

/** A chunk that is pending or decoded, and the number of its readers. */
interface Slot {
  readonly promise: Promise<CachedChunk>;
  readonly controller: AbortController;
  /** Absent while pending, and after its memory was given back. */
  chunk?: CachedChunk | undefined;
  /** Readers that wait for it or hold it. */
  readers: number;
}

/** Maximum number of chunks of an array that are read at a time. */
export const MAX_READS: number = 16;
/** Maximum decoded bytes of the chunks that are read at a time, if they are more than two. */
const BYTES_IN_FLIGHT = 64 * 2 ** 20;
/** The same maximum for two chunks. A single chunk is always read. */
const MAX_BYTES_IN_FLIGHT = 128 * 2 ** 20;
/** Memory besides the cache that the next chunks are decoded into. */
const SPARE_BYTES: number = BYTES_IN_FLIGHT;

/** The number of chunks of this size that are read at a time. */
function readsAtOnce(chunkBytes: number): number {
  const within = (bytes: number) => Math.floor(bytes / chunkBytes);
  const atOnce = Math.min(within(MAX_BYTES_IN_FLIGHT), Math.max(2, within(BYTES_IN_FLIGHT)));
  return Math.max(1, Math.min(MAX_READS, atOnce));
}

/**
 * Reads chunks of one array, a few at a time, and keeps the most recently used.
 *
 * A chunk that several readers wait for is read once, and aborted only when all of them have aborted. When a chunk is neither
 * kept nor held any more, its memory is used for the next one.
 */
export class ChunkCache {
  readonly #array: ChunkedArray;
  readonly #kept: LRUCache<string, Slot> | undefined;
  readonly #pending = new Map<string, Slot>();
  readonly #queue: (() => void)[] = [];
  readonly #maxReads: number;
  readonly #memory: ChunkMemory;
  #running = 0;

  constructor(array: ChunkedArray, { cacheBytes }: ChunkCacheOptions) {
    this.#array = array;
    if (cacheBytes >= 1) {
      this.#kept = new LRUCache({
        maxSize: Math.floor(cacheBytes),
        sizeCalculation: ({ chunk }) => bytesOf(chunk!),
        disposeAfter: (slot, key) => this.#giveBack(key, slot),
      });
    }
    const bytesOfShape = (shape: readonly number[]) => shape.reduce((a, b) => a * b, array.itemBytes);
    const chunkBytes = bytesOfShape(array.chunkShape);
    this.#maxReads = readsAtOnce(chunkBytes);
    this.#memory = chunkMemory({
      totalBytes: bytesOfShape(array.shape),
      // The pending chunks evict as many, whose memory the chunks after them use.
      spareBytes: cacheBytes > 0 ? Math.min(SPARE_BYTES, this.#maxReads * chunkBytes) : 0,
    });
  }

  /**
   * Lends the chunk at an index of the chunk grid until the caller releases it.
   *
   * @throws The abort reason of `signal`; the errors of {@link ChunkedArray.readChunk}.
   */
  async hold(at: readonly number[], { signal }: StoreOptions = {}): Promise<HeldChunk> {
    signal?.throwIfAborted();
    const key = at.join('/');
    const slot = this.#kept?.get(key) ?? this.#pending.get(key) ?? this.#start(key, at);
    slot.readers++;
    let isHeld = true;
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      if (--slot.readers === 0) this.#leave(key, slot, signal);
    };
    try {
      return { chunk: slot.chunk ?? (await untilAborted(slot.promise, signal)), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #leave(key: string, slot: Slot, signal: AbortSignal | undefined): void {
    if (this.#pending.get(key) === slot) {
      this.#pending.delete(key);
      slot.controller.abort(signal?.reason);
    } else {
      this.#giveBack(key, slot);
    }
  }

  /** Returns the memory of a decoded chunk that is neither kept nor held to the pool. */
  #giveBack(key: string, slot: Slot): void {
    const { chunk, readers } = slot;
    if (!chunk || readers > 0 || this.#kept?.peek(key) === slot) return;
    slot.chunk = undefined;
    if (chunk !== 'fill') this.#memory.give(chunk.data);
  }

  #start(key: string, at: readonly number[]): Slot {
    const controller = new AbortController();
    const arrived = () => {
      if (this.#pending.get(key) === slot) this.#pending.delete(key);
    };
    const promise = this.#read(at, controller.signal).then(
      (chunk) => {
        arrived();
        slot.chunk = chunk;
        this.#kept?.set(key, slot);
        // All readers may have aborted meanwhile.
        this.#giveBack(key, slot);
        return chunk;
      },
      (error) => {
        arrived();
        throw error;
      },
    );
    // Readers that still wait get the error; without them, it must not count as unhandled.
    promise.catch(() => {});
    const slot: Slot = { promise, controller, readers: 0 };
    this.#pending.set(key, slot);
    return slot;
  }

  async #read(at: readonly number[], signal: AbortSignal): Promise<CachedChunk> {
    await this.#enter();
    try {
      signal.throwIfAborted();
      const chunk = await this.#array.readChunk(at, { signal, memory: this.#memory });
      return chunk ? trimmed(chunk, at, this.#array) : 'fill';
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#running--;
    }
  }

  /** Waits until fewer than the maximum are read; a finished read admits the next one in the queue. */
  async #enter(): Promise<void> {
    if (this.#running < this.#maxReads) this.#running++;
    else await new Promise<void>((resume) => this.#queue.push(resume));
  }
}

/** Bytes counted for an entry besides its data, so that the number of absent chunks is limited too. */
const ENTRY_BYTES = 256;

function bytesOf(chunk: CachedChunk): number {
  return ENTRY_BYTES + (chunk === 'fill' ? 0 : chunk.data.byteLength);
}

/**
 * Copies a chunk that uses only a small part of its buffer, because the rest is padding beyond the end of the array or other data.
 * Shared memory already has the right length.
 */
function trimmed(chunk: DecodedChunk, at: readonly number[], array: ChunkedArray): DecodedChunk {
  if (isShared(chunk.data.buffer)) return chunk;
  const extents = extentsInside(at, array);
  const needed = extents.reduce((product, extent) => product * extent, chunk.data.BYTES_PER_ELEMENT);
  return needed < (1 - MAX_PADDING_FRACTION) * chunk.data.buffer.byteLength ? cropChunk(chunk, extents) : chunk;
}

const [MIN_CACHE, MAX_CACHE] = [128 * 2 ** 20, 256 * 2 ** 20];
/** Edge of a common tile, in voxels. */
const COMMON_EDGE = 128;

/**
 * Bytes of decoded chunks to keep so that a sweep of common tiles along the longest axis decodes no chunk twice: the layers of
 * chunks across that axis that a tile can overlap, and a little more. From 128 to 256 MiB, so in a volume of a very large
 * cross-section some chunks are decoded twice.
 *
 * @param voxelBytes - Bytes of a voxel, of all channels that share a chunk together.
 */
export function defaultCacheBytes(
  { grid: { shape }, chunkShape = shape }: Pick<VolumeSource, 'grid' | 'chunkShape'>,
  voxelBytes: number,
): number {
  const axis = longestAxis(shape);
  const edge = Math.min(chunkShape[axis], shape[axis]);
  const layer = (voxelBytes * voxelCount(shape) * edge) / shape[axis];
  const layers = Math.ceil(COMMON_EDGE / edge) + 1;
  return Math.round(Math.min(MAX_CACHE, Math.max(MIN_CACHE, 1.125 * layers * layer)));
}

/**
 * Peak memory of reading a whole volume, in bytes: the chunks that are kept by default, the memory of those being decoded, and
 * the buffers of the threads, which hold the compressed bytes of a chunk and its decoded bytes before they are cropped. Chunks too
 * small for threads need no such buffers.
 */
export function readingBytes(
  source: Pick<VolumeSource, 'grid' | 'chunkShape'>,
  voxelBytes: number,
  threads: number,
): number {
  const { shape } = source.grid;
  const kept = Math.min(defaultCacheBytes(source, voxelBytes) + SPARE_BYTES, voxelBytes * voxelCount(shape));
  const { chunkShape } = source;
  const chunk = chunkShape ? voxelBytes * voxelCount(chunkShape) : 0;
  if (!chunkShape || chunk < MIN_SENT_BYTES) return kept;
  const chunks = shape.reduce((product, extent, axis) => product * Math.ceil(extent / chunkShape[axis]), 1);
  const given = Math.min(readsAtOnce(chunk), chunks, TASKS_PER_THREAD * threads);
  return kept + 2 * given * Math.min(MAX_KEPT_BYTES, chunk);
}
