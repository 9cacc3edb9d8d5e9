import { LRUCache } from 'lru-cache';
import { untilAborted } from '../core/concurrency.ts';
import { longestAxis, voxelCount } from '../space/zyx.ts';
import type { StoreOptions } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { ChunkedArray } from './array.ts';
import type { DecodedChunk } from './chunk.ts';
import { cropChunk, extentsInside, MAX_PADDING_FRACTION } from './chunk.ts';
import { type ChunkMemory, chunkMemory, isShared } from './chunk-memory.ts';
import { MAX_KEPT_BYTES, MIN_SENT_BYTES, TASKS_PER_THREAD } from './decode-task.ts';

/** Chunks of an array, each counted once. */
export interface ChunkCounts {
  readonly total: number;
  /** Looked for so far. */
  readonly read: number;
  /**
   * Of these, not in the store and therefore the fill value: left out by a writer that skips them, or lost on the way, which
   * the format does not tell apart.
   */
  readonly missing: number;
}

/** Options of {@link ChunkCache}. */
export interface ChunkCacheOptions {
  /** Bytes of decoded chunks to keep, 256 more counted for each; chunks larger than this are read and not kept. */
  readonly cacheBytes: number;
}

/** What a chunk without data in the store is: the fill value everywhere. */
export type CachedChunk = DecodedChunk | 'fill';

/** A chunk that is lent: it must not be looked at after the release, since the next one is decoded into its memory. */
export interface HeldChunk {
  readonly chunk: CachedChunk;
  release(): void;
}

/** A chunk on its way or here, and who needs it. */
interface Slot {
  readonly promise: Promise<CachedChunk>;
  readonly controller: AbortController;
  /** Absent while it is on its way, and once its memory is given back. */
  chunk?: CachedChunk | undefined;
  /** How many wait for it or hold it. */
  readers: number;
}

/** Chunks of one array that are read at a time. */
export const MAX_READS: number = 16;
/** Decoded bytes of the chunks that are read at a time, if there are more than two of them. */
const BYTES_IN_FLIGHT = 64 * 2 ** 20;
/** Those of two; one chunk always is. */
const MAX_BYTES_IN_FLIGHT = 128 * 2 ** 20;
/** Beside the cache, memory that the next chunks are decoded into. */
const SPARE_BYTES: number = BYTES_IN_FLIGHT;

/** How many chunks of so many bytes are read at a time. */
function readsAtOnce(chunkBytes: number): number {
  const within = (bytes: number) => Math.floor(bytes / chunkBytes);
  const atOnce = Math.min(within(MAX_BYTES_IN_FLIGHT), Math.max(2, within(BYTES_IN_FLIGHT)));
  return Math.max(1, Math.min(MAX_READS, atOnce));
}

/**
 * Reads chunks of one array, a few at a time, and keeps the most recently used.
 *
 * A chunk that several readers wait for is read once; it is aborted only when the last of them gives up. The memory of one that
 * is neither kept nor held any more is decoded into again.
 */
export class ChunkCache {
  /** What has been found so far. */
  readonly tally: ChunkCounter;
  readonly #array: ChunkedArray;
  readonly #kept: LRUCache<string, Slot> | undefined;
  readonly #pending = new Map<string, Slot>();
  readonly #queue: (() => void)[] = [];
  readonly #maxReads: number;
  readonly #memory: ChunkMemory;
  #running = 0;

  constructor(array: ChunkedArray, { cacheBytes }: ChunkCacheOptions) {
    this.#array = array;
    this.tally = new ChunkCounter(array);
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
      // What is evicted when those under way have come is what those after them are decoded into.
      spareBytes: cacheBytes > 0 ? Math.min(SPARE_BYTES, this.#maxReads * chunkBytes) : 0,
    });
  }

  /**
   * Lends the chunk at an index of the chunk grid, to whoever releases it.
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

  /** Gives back the memory of a chunk that is here and that nobody needs any more. */
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
        // All who waited for it may have given up.
        this.#giveBack(key, slot);
        return chunk;
      },
      (error) => {
        arrived();
        throw error;
      },
    );
    // Whoever waits sees the error; if all have given up, nobody need.
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
      this.tally.count(at, chunk !== undefined);
      return chunk ? trimmed(chunk, at, this.#array) : 'fill';
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#running--;
    }
  }

  /** Waits for a turn; who leaves hands it to the next in the queue. */
  async #enter(): Promise<void> {
    if (this.#running < this.#maxReads) this.#running++;
    else await new Promise<void>((resume) => this.#queue.push(resume));
  }
}

/** What an entry takes beside its data; without it, absent chunks would be kept without end. */
const ENTRY_BYTES = 256;

function bytesOf(chunk: CachedChunk): number {
  return ENTRY_BYTES + (chunk === 'fill' ? 0 : chunk.data.byteLength);
}

/**
 * Cuts off what a chunk at the end of the array holds beyond it, and what its data are a small view of; memory that is shared was
 * taken in the right length.
 */
function trimmed(chunk: DecodedChunk, at: readonly number[], array: ChunkedArray): DecodedChunk {
  if (isShared(chunk.data.buffer)) return chunk;
  const extents = extentsInside(at, array);
  const needed = extents.reduce((product, extent) => product * extent, chunk.data.BYTES_PER_ELEMENT);
  return needed < (1 - MAX_PADDING_FRACTION) * chunk.data.buffer.byteLength ? cropChunk(chunk, extents) : chunk;
}

/** Chunks per page of bits. */
const PAGE = 65_536;

/** Counts chunks of an array, each once, in a bit per chunk of the pages that are met. */
export class ChunkCounter implements ChunkCounts {
  readonly total: number;
  read = 0;
  missing = 0;
  readonly #grid: readonly number[];
  readonly #seen = new Map<number, Uint8Array>();

  constructor({ shape, chunkShape }: Pick<ChunkedArray, 'shape' | 'chunkShape'>) {
    this.#grid = shape.map((extent, i) => Math.ceil(extent / chunkShape[i]!));
    this.total = this.#grid.reduce((product, n) => product * n, 1);
  }

  /** Counts a chunk, unless it has been. */
  count(at: readonly number[], isThere: boolean): void {
    const index = at.reduce((sum, n, i) => sum * this.#grid[i]! + n, 0);
    const place = Math.floor(index / PAGE);
    const page = this.#seen.get(place) ?? new Uint8Array(PAGE / 8);
    this.#seen.set(place, page);
    const inPage = index % PAGE;
    const bit = 1 << (inPage & 7);
    if ((page[inPage >> 3]! & bit) !== 0) return;
    page[inPage >> 3]! |= bit;
    this.read++;
    if (!isThere) this.missing++;
  }
}

const [LEAST_CACHE, MOST_CACHE] = [128 * 2 ** 20, 256 * 2 ** 20];
/** Of a tile, in voxels. */
const COMMON_EDGE = 128;

/**
 * Bytes of decoded chunks to keep so that a sweep of tiles along the longest axis decodes none twice, tiles being of common
 * size: the layers of chunks across that axis which a tile can touch, and a little more; from 128 to 256 MiB, so of very large
 * cross-sections some chunks are decoded twice.
 *
 * @param voxelBytes - Bytes of a voxel, all channels that share a chunk together.
 */
export function defaultCacheBytes(
  { grid: { shape }, chunkShape = shape }: Pick<VolumeSource, 'grid' | 'chunkShape'>,
  voxelBytes: number,
): number {
  const axis = longestAxis(shape);
  const edge = Math.min(chunkShape[axis], shape[axis]);
  const layer = (voxelBytes * voxelCount(shape) * edge) / shape[axis];
  const layers = Math.ceil(COMMON_EDGE / edge) + 1;
  return Math.round(Math.min(MOST_CACHE, Math.max(LEAST_CACHE, 1.125 * layers * layer)));
}

/**
 * Bytes that reading a whole volume takes at its peak: chunks that are kept by default, memory of those that are being decoded, and
 * what threads keep for each chunk that they are given at a time: its compressed bytes, and room for one that is decoded to be cut. Of
 * chunks above 64 MiB they keep nothing, but take so much while at work; those too small to be sent to them do not count.
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
