import { encodeBlosc } from '../../codecs/blosc-encode.ts';
import { crc32c } from '../../codecs/checksum.ts';
import { ITEM_BYTES } from '../../codecs/number-type.ts';
import { encodeZstd } from '../../codecs/registry.ts';
import { shuffleInto } from '../../codecs/shuffle.ts';
import { CryoetPicksError } from '../../core/errors.ts';
import { formatZyx, voxelCount, type Zyx } from '../../space/zyx.ts';
import { joinKey, type Store, type StoreKey, type StoreOptions } from '../../storage/store.ts';
import { isWholeType, type WritableDtype, type WritePlan } from './plan.ts';

/** Where a chunk belongs. */
export interface ChunkIndex {
  readonly level: number;
  readonly channel: number;
  readonly at: Zyx;
}

/** Takes the chunks of an image, in any order. */
export interface ChunkSink {
  /** Takes the voxels of a full chunk, little-endian. */
  put(place: ChunkIndex, voxels: Uint8Array): Promise<void>;
  /** Completes what holds several chunks of a channel, all of which have been put. */
  endChannel(channel: number): Promise<void>;
  /** Drops what is not complete. */
  abort(): Promise<void>;
}

/** Writes a value of the image. */
export type SetValue = (key: StoreKey, value: Uint8Array) => Promise<void>;

/** Writes each chunk as a blosc-lz4 file of its own. */
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

/** The level that copick 2 compresses with. */
export const ZSTD_LEVEL: number = 3;

/** How many channels share a shard: all of them, but features have one each. */
export function channelsPerShard({ channels }: Pick<WritePlan, 'channels'>): number {
  return channels?.axis === 'c' ? channels.count : 1;
}

/** Writes all chunks of a level to one shard: of all channels, or of each feature. Chunks of nothing but zeros are left out. */
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
      const place = (channel % perShard) * voxelCount(chunks) + placeIn(chunks, at);
      await shardOf(level, channel).append(place, await encodeChunk(voxels, dtype));
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

function placeIn([, rows, columns]: Zyx, [z, y, x]: Zyx): number {
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
  /** Inner chunks of the shard, present or not. */
  readonly chunkCount: number;
  readonly open: OpenWriter;
  /** Deletes a value, if there is one. */
  readonly remove: (key: StoreKey) => Promise<void>;
}

/** Writes one shard. Calls must not overlap. */
interface ShardWriter {
  /** Adds an encoded inner chunk; `place` is its index in C order. Chunks come in any order, each at most once. */
  append(place: number, chunk: Uint8Array): Promise<void>;
  /** Adds the index; the shard appears. If there was no chunk, nothing of that name is there afterwards. */
  close(): Promise<void>;
  /** Drops the shard. */
  abort(): Promise<void>;
}

/**
 * Writes inner chunks to a shard as they come and their index, with its checksum, behind them. A chunk that never came is
 * marked as absent, which readers take for the fill value.
 *
 * Source: Zarr v3 `sharding_indexed` codec specification 1.0.
 */
export function shardWriter(key: StoreKey, { chunkCount, open, remove }: ShardWriterOptions): ShardWriter {
  const index = new Uint8Array(16 * chunkCount + 4).fill(255);
  const table = new DataView(index.buffer);
  let writer: ValueWriter | undefined;
  let end = 0;
  return {
    async append(place, chunk) {
      writer ??= await open(key);
      await writer.append(chunk);
      table.setBigUint64(16 * place, BigInt(end), true);
      table.setBigUint64(16 * place + 8, BigInt(chunk.length), true);
      end += chunk.length;
    },
    async close() {
      // A writer that was killed may have left a shard here.
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

/** From here on copick 2 warns of a shard; decoded bytes. */
const RECOMMENDED_BYTES = 5e9;
/** From here on copick 2 refuses a shard. */
const REFUSED_BYTES = 5e12;
/** The longest index of a shard that this library reads. */
const MAX_INDEX_BYTES = 2 ** 28;

/**
 * Refuses shards that copick 2 or this library would not take back, and warns of those that copick 2 warns of.
 *
 * @throws {@link CryoetPicksError} `invalid-option`.
 */
export function checkShards(plan: WritePlan, onWarning: (message: string) => void = () => {}): void {
  const { pyramid, dtype } = plan;
  for (const [index, { chunk, chunks }] of pyramid.levels.entries()) {
    const count = channelsPerShard(plan) * voxelCount(chunks);
    const bytes = count * voxelCount(chunk) * ITEM_BYTES[dtype];
    const what = `the shard of level ${index}, ${count} chunks of ${formatZyx(chunk)} ${dtype}, takes ${bytes} bytes uncompressed`;
    if (bytes >= REFUSED_BYTES) {
      throw new CryoetPicksError('invalid-option', `${what}, expected less than 5 TB; write the format "zarr2"`);
    }
    if (16 * count > MAX_INDEX_BYTES) {
      const most = MAX_INDEX_BYTES / 16;
      throw new CryoetPicksError('invalid-option', `${what}, expected at most ${most} chunks; make them larger`);
    }
    if (bytes > RECOMMENDED_BYTES) onWarning(`${what}, more than the 5 GB that copick recommends`);
  }
}

/** Writes a value piece by piece. It appears whole when it is closed, or never. */
export interface ValueWriter {
  append(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** Starts to write a value. */
type OpenWriter = (key: StoreKey) => Promise<ValueWriter>;

/** Writes a value to a store: piece by piece where it can, else at once in the end. */
export function valueWriter(store: Store, key: StoreKey, options: StoreOptions): ValueWriter {
  const { setPieces } = store;
  if (!setPieces) return heldWriter(store, key, options);
  return streamedWriter((pieces) => setPieces.call(store, key, pieces, options));
}

/** Hands pieces, one at a time, to a function that takes them. */
function streamedWriter(write: (pieces: AsyncIterable<Uint8Array>) => Promise<void>): ValueWriter {
  const pieces = new Handoff();
  const written = write(pieces);
  // Whoever appends or closes next sees the error; if nobody does, nobody need.
  const failed = written.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  return {
    append: (bytes) => Promise.race([pieces.put(bytes), failed]),
    async close() {
      pieces.end();
      await written;
    },
    async abort() {
      pieces.end(new Error('the write was given up'));
      await written.catch(() => {});
    },
  };
}

/** What one side puts in, the other takes out; at most one piece is on its way. */
class Handoff implements AsyncIterable<Uint8Array> {
  #piece: Uint8Array | undefined;
  #ended = false;
  #failure: Error | undefined;
  #changed = () => {};

  /** Resolves when the piece before this one has been dealt with. */
  async put(piece: Uint8Array): Promise<void> {
    while (this.#piece) await this.#change();
    this.#piece = piece;
    this.#notify();
  }

  /** Ends the pieces after the last one, or at once with an error. Only the first call counts. */
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

/** The longest value that is put together in memory, in bytes: what every engine allots. */
const MAX_HELD_BYTES = 2 ** 31 - 1;

/** Writes values to a store that takes them whole only: the pieces are held until then. */
function heldWriter(store: Store, key: StoreKey, options: StoreOptions): ValueWriter {
  let pieces: Uint8Array[] = [];
  let length = 0;
  return {
    async append(bytes) {
      length += bytes.length;
      if (length > MAX_HELD_BYTES) {
        throw new CryoetPicksError(
          'unsupported',
          `${key} of ${store.location} takes more than ${MAX_HELD_BYTES} bytes, and this store writes no value piece by piece; write the format "zarr2"`,
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
