import { encodeBlosc } from '../../codecs/blosc-encode.ts';
import { crc32c } from '../../codecs/checksum.ts';
import { ITEM_BYTES } from '../../codecs/number-type.ts';
import { encodeZstd } from '../../codecs/registry.ts';
import { shuffleInto } from '../../codecs/shuffle.ts';
import type { Warning } from '../../core/concurrency.ts';
import { CryoetPicksError } from '../../core/errors.ts';
import { formatZyx, voxelCount, type Zyx } from '../../space/grid.ts';
import { joinKey, type Store, type StoreKey, type StoreOptions } from '../../storage/store.ts';
import { isWholeType, type WritableDtype, type WritePlan } from './plan.ts';

/** Identifies a chunk of an image. */
export interface ChunkIndex {
  readonly level: number;
  readonly channel: number;
  readonly at: Zyx;
}

/** Writes the chunks of an image, in any order. */
export interface ChunkSink {
  /** Writes a chunk, given the little-endian voxels of its full shape. */
  put(index: ChunkIndex, voxels: Uint8Array): Promise<void>;
  /** Completes the shards of a channel after its last chunk. */
  endChannel(channel: number): Promise<void>;
  /** Deletes incomplete shards. */
  abort(): Promise<void>;
}

/** Writes a value of the store. */
export type SetValue = (key: StoreKey, value: Uint8Array) => Promise<void>;

/** Writes each chunk to its own file, compressed by blosc-lz4. */
export function chunkFiles({ dtype, channels }: WritePlan, set: SetValue): ChunkSink {
  return {
    async put({ level, channel, at }, voxels) {
      const indices = channels ? [channel, ...at] : at;
      const bytes = encodeBlosc(voxels, { typeSize: ITEM_BYTES[dtype] });
      await set(joinKey(String(level), ...indices.map(String)), bytes);
    },
    async endChannel() {},
    async abort() {},
  };
}

/** The compression level of copick 2. */
export const ZSTD_LEVEL: number = 3;

/** Number of channels in a shard: all, but only one for features. */
export function channelsPerShard({ channels }: Pick<WritePlan, 'channels'>): number {
  return channels?.axis === 'c' ? channels.count : 1;
}

/** Writes all chunks of a level to one shard, of all channels or of each feature. Leaves out chunks of zeros. */
export function shardFiles(plan: WritePlan, values: Pick<ShardWriterOptions, 'open' | 'remove'>): ChunkSink {
  const { pyramid, channels, dtype } = plan;
  const perShard = channelsPerShard(plan);
  const shards = new Map<StoreKey, ShardWriter>();
  const shardOf = (level: number, channel: number): ShardWriter => {
    const at = [...(channels ? [Math.floor(channel / perShard)] : []), 0, 0, 0];
    const key: StoreKey = `/${level}/${at.join('/')}`;
    const known = shards.get(key);
    if (known) return known;
    const chunkCount = perShard * voxelCount(pyramid.levels[level]!.chunks);
    const shard = shardWriter(key, { ...values, chunkCount });
    shards.set(key, shard);
    return shard;
  };
  return {
    async put({ level, channel, at }, voxels) {
      if (isZero(voxels)) return;
      const { chunks } = pyramid.levels[level]!;
      const index = (channel % perShard) * voxelCount(chunks) + indexIn(chunks, at);
      await shardOf(level, channel).append(index, await encodeChunk(voxels, dtype));
    },
    async endChannel(channel) {
      if ((channel + 1) % perShard !== 0) return;
      for (const level of pyramid.levels.keys()) await shardOf(level, channel).close();
      shards.clear();
    },
    async abort() {
      for (const shard of shards.values()) await shard.abort();
    },
  };
}

function indexIn([, rows, columns]: Zyx, [z, y, x]: Zyx): number {
  return (z * rows + y) * columns + x;
}

async function encodeChunk(voxels: Uint8Array, dtype: WritableDtype): Promise<Uint8Array> {
  if (isWholeType(dtype)) return encodeZstd(voxels, ZSTD_LEVEL);
  const shuffled = new Uint8Array(voxels.length);
  shuffleInto(voxels, shuffled, ITEM_BYTES[dtype]);
  return encodeZstd(shuffled, ZSTD_LEVEL);
}

/** True if every bit is 0; −0 is not the fill value. */
function isZero({ buffer, byteOffset, length }: Uint8Array): boolean {
  const words = new Int32Array(buffer, byteOffset, length >> 2);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return new Uint8Array(buffer, byteOffset + 4 * words.length, length % 4).every((byte) => byte === 0);
}

/** Options of {@link shardWriter}. */
interface ShardWriterOptions {
  /** Number of inner chunks of the shard, including absent ones. */
  readonly chunkCount: number;
  readonly open: OpenWriter;
  /** Deletes a value if it exists. */
  readonly remove: (key: StoreKey) => Promise<void>;
}

/** Writes one shard. Wait for each call before the next one. */
interface ShardWriter {
  /** Adds an encoded inner chunk; `index` is its index in C order. Chunks may come in any order, each at most once. */
  append(index: number, chunk: Uint8Array): Promise<void>;
  /** Adds the index, which makes the shard visible. A shard without chunks is deleted. */
  close(): Promise<void>;
  /** Deletes the shard. */
  abort(): Promise<void>;
}

/**
 * Writes inner chunks to a shard in the order of the calls, and then their index with its checksum. Missing chunks are marked as
 * absent; readers return the fill value for them.
 *
 * Source: Zarr v3 `sharding_indexed` codec specification 1.0.
 */
export function shardWriter(key: StoreKey, { chunkCount, open, remove }: ShardWriterOptions): ShardWriter {
  const index = new Uint8Array(16 * chunkCount + 4).fill(255);
  const table = new DataView(index.buffer);
  let writer: ValueWriter | undefined;
  let end = 0;
  return {
    async append(index, chunk) {
      writer ??= await open(key);
      await writer.append(chunk);
      table.setBigUint64(16 * index, BigInt(end), true);
      table.setBigUint64(16 * index + 8, BigInt(chunk.length), true);
      end += chunk.length;
    },
    async close() {
      // A writer that was killed may have left a shard.
      if (!writer) return remove(key);
      table.setUint32(16 * chunkCount, crc32c(index.subarray(0, 16 * chunkCount)), true);
      await writer.append(index);
      await writer.close();
    },
    async abort() {
      await writer?.abort();
    },
  };
}

/** copick 2 warns about larger shards; decoded bytes. */
const RECOMMENDED_BYTES = 5e9;
/** copick 2 rejects larger shards. */
const REFUSED_BYTES = 5e12;
/** Maximum length of a shard index that this library reads. */
const MAX_INDEX_BYTES = 2 ** 28;

/**
 * Warns about shards that copick 2 warns about.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for shards that copick 2 or this library could not read.
 */
export function checkShards(plan: WritePlan, onWarning: (warning: Warning) => void = () => {}): void {
  const { pyramid, dtype } = plan;
  for (const [index, { chunk, chunks }] of pyramid.levels.entries()) {
    const count = channelsPerShard(plan) * voxelCount(chunks);
    const bytes = count * voxelCount(chunk) * ITEM_BYTES[dtype];
    const what = `the shard of level ${index}, ${count} chunks of ${formatZyx(chunk)} ${dtype}, takes ${bytes} bytes uncompressed`;
    if (bytes >= REFUSED_BYTES) {
      throw new CryoetPicksError('invalid-option', `${what}, expected less than 5 TB; write the format "zarr2"`);
    }
    if (16 * count > MAX_INDEX_BYTES) {
      const maximum = MAX_INDEX_BYTES / 16;
      throw new CryoetPicksError('invalid-option', `${what}, expected at most ${maximum} chunks; make them larger`);
    }
    if (bytes > RECOMMENDED_BYTES) {
      onWarning({ code: 'shard-too-large', message: `${what}, more than the 5 GB that copick recommends` });
    }
  }
}

/** Writes a value piece by piece. It becomes visible as a whole when it is closed. */
export interface ValueWriter {
  append(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** Starts writing a value. */
type OpenWriter = (key: StoreKey) => Promise<ValueWriter>;

/** Writes a value to a store, piece by piece if the store can, otherwise as a whole at the end. */
export function valueWriter(store: Store, key: StoreKey, options: StoreOptions): ValueWriter {
  const { setPieces } = store;
  if (!setPieces) return heldWriter(store, key, options);
  return streamedWriter((pieces) => setPieces.call(store, key, pieces, options));
}

/** Passes pieces, one at a time, to a function that consumes them. */
function streamedWriter(write: (pieces: AsyncIterable<Uint8Array>) => Promise<void>): ValueWriter {
  const pieces = new Handoff();
  const written = write(pieces);
  // The next `append` or `close` throws the error; without one, it must not count as unhandled.
  const failed = written.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  return {
    append: (bytes) => Promise.race([pieces.put(bytes), failed]),
    async close() {
      pieces.end();
      await written;
    },
    async abort() {
      pieces.end(new Error('the write was aborted'));
      await written.catch(() => {});
    },
  };
}

/** A queue between a producer and a consumer that holds at most one piece. */
class Handoff implements AsyncIterable<Uint8Array> {
  #piece: Uint8Array | undefined;
  #ended = false;
  #failure: Error | undefined;
  #changed = () => {};

  /** Adds a piece, when the one before it was consumed. */
  async put(piece: Uint8Array): Promise<void> {
    while (this.#piece) await this.#change();
    this.#piece = piece;
    this.#notify();
  }

  /** Ends the queue after the last piece, or at once with an error. Only the first call has an effect. */
  end(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (this.#piece) {
        yield this.#piece;
        this.#piece = undefined;
        this.#notify();
      } else if (this.#ended) return;
      else await this.#change();
    }
  }

  #waiting: Promise<void> | undefined;

  #change(): Promise<void> {
    this.#waiting ??= new Promise((resolve) => {
      this.#changed = resolve;
    });
    return this.#waiting;
  }

  #notify(): void {
    this.#waiting = undefined;
    this.#changed();
  }
}

/** Maximum length of a value that is assembled in memory, in bytes: every engine can allocate it. */
const MAX_HELD_BYTES = 2 ** 31 - 1;

/** Writes values to a store that accepts only whole values: holds the pieces until the end. */
function heldWriter(store: Store, key: StoreKey, options: StoreOptions): ValueWriter {
  let pieces: Uint8Array[] = [];
  let length = 0;
  return {
    async append(bytes) {
      length += bytes.length;
      if (length > MAX_HELD_BYTES) {
        throw new CryoetPicksError(
          'unsupported',
          `${key} of ${store.location} takes more than ${MAX_HELD_BYTES} bytes, and this store cannot write a value piece by piece; write the format "zarr2"`,
        );
      }
      pieces.push(bytes);
    },
    async close() {
      const value = new Uint8Array(length);
      let at = 0;
      for (const piece of pieces) {
        value.set(piece, at);
        at += piece.length;
      }
      pieces = [];
      await store.set(key, value, options);
    },
    async abort() {
      pieces = [];
    },
  };
}
