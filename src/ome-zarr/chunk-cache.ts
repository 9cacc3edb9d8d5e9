import { LRUCache } from 'lru-cache';
import { longestAxis, voxelCount } from '../space/zyx.ts';
import { untilAborted } from '../storage/abort.ts';
import type { StoreOptions } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { ChunkedArray, DecodedChunk } from './array.ts';
import { ChunkTally } from './chunk-tally.ts';
import { cropChunk, extentsInside, KEPT_WASTE } from './crop.ts';

/** Options of {@link ChunkCache}. */
export interface ChunkCacheOptions {
  /** Bytes of decoded chunks to keep, 256 more counted for each; chunks larger than this are read and not kept. */
  readonly cacheBytes: number;
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

/** What a chunk without data in the store is: the fill value everywhere. */
export type CachedChunk = DecodedChunk | 'fill';

interface Pending {
  readonly promise: Promise<CachedChunk>;
  readonly controller: AbortController;
  readers: number;
}

/** Chunks of one array that are read at a time. */
export const MAX_READS: number = 16;
/** Decoded bytes of the chunks that are read at a time; one chunk always is. */
const MAX_BYTES_IN_FLIGHT = 128 * 2 ** 20;

/**
 * Reads chunks of one array, a few at a time, and keeps the most recently used.
 *
 * A chunk that several readers wait for is read once; it is aborted only when the last of them gives up.
 */
export class ChunkCache {
  /** What has been found so far. */
  readonly tally: ChunkTally;
  readonly #array: ChunkedArray;
  readonly #kept: LRUCache<string, CachedChunk> | undefined;
  readonly #pending = new Map<string, Pending>();
  readonly #queue: (() => void)[] = [];
  readonly #maxReads: number;
  #running = 0;

  constructor(array: ChunkedArray, { cacheBytes }: ChunkCacheOptions) {
    this.#array = array;
    this.tally = new ChunkTally(array);
    this.#kept =
      cacheBytes >= 1 ? new LRUCache({ maxSize: Math.floor(cacheBytes), sizeCalculation: bytesOf }) : undefined;
    const chunkBytes = array.chunkShape.reduce((a, b) => a * b, array.itemBytes);
    this.#maxReads = Math.max(1, Math.min(MAX_READS, Math.floor(MAX_BYTES_IN_FLIGHT / chunkBytes)));
  }

  /** The chunk at an index of the chunk grid. @throws The abort reason of `signal`; the errors of {@link ChunkedArray.readChunk}. */
  async get(at: readonly number[], { signal }: StoreOptions = {}): Promise<CachedChunk> {
    signal?.throwIfAborted();
    const key = at.join('/');
    const kept = this.#kept?.get(key);
    if (kept) return kept;
    const pending = this.#pending.get(key) ?? this.#start(key, at);
    pending.readers++;
    try {
      return await untilAborted(pending.promise, signal);
    } finally {
      if (--pending.readers === 0) this.#leave(key, pending, signal);
    }
  }

  #leave(key: string, pending: Pending, signal: AbortSignal | undefined): void {
    if (this.#pending.get(key) !== pending) return;
    this.#pending.delete(key);
    pending.controller.abort(signal?.reason);
  }

  #start(key: string, at: readonly number[]): Pending {
    const controller = new AbortController();
    const promise = this.#read(key, at, controller.signal).finally(() => {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    });
    // Whoever waits sees the error; if all have given up, nobody need.
    promise.catch(() => {});
    const pending: Pending = { promise, controller, readers: 0 };
    this.#pending.set(key, pending);
    return pending;
  }

  async #read(key: string, at: readonly number[], signal: AbortSignal): Promise<CachedChunk> {
    await this.#enter();
    try {
      signal.throwIfAborted();
      const chunk = await this.#array.readChunk(at, { signal });
      this.tally.count(at, chunk !== undefined);
      const kept = chunk ? trimmed(chunk, at, this.#array) : 'fill';
      this.#kept?.set(key, kept);
      return kept;
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

/** Cuts off what a chunk at the end of the array holds beyond it, and what its data are a small view of. */
function trimmed(chunk: DecodedChunk, at: readonly number[], array: ChunkedArray): DecodedChunk {
  const extents = extentsInside(at, array);
  const needed = extents.reduce((product, extent) => product * extent, chunk.data.BYTES_PER_ELEMENT);
  return needed < (1 - KEPT_WASTE) * chunk.data.buffer.byteLength ? cropChunk(chunk, extents) : chunk;
}
