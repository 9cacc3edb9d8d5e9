import { crc32c } from '../codecs/crc32c.ts';
import type { StoreKey } from '../storage/store.ts';
import type { OpenWriter, ValueWriter } from './value-writer.ts';

/** Options of {@link shardWriter}. */
export interface ShardWriterOptions {
  /** Inner chunks of the shard, present or not. */
  readonly chunkCount: number;
  readonly open: OpenWriter;
}

/** Writes one shard. Calls must not overlap. */
export interface ShardWriter {
  /** Adds an encoded inner chunk; `place` is its index in C order. Chunks come in any order, each at most once. */
  append(place: number, chunk: Uint8Array): Promise<void>;
  /** Adds the index; the shard appears. Nothing appears if there was no chunk. */
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
export function shardWriter(key: StoreKey, { chunkCount, open }: ShardWriterOptions): ShardWriter {
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
      if (!writer) return;
      table.setUint32(16 * chunkCount, crc32c(index.subarray(0, 16 * chunkCount)), true);
      await writer.append(index);
      await writer.close();
    },
    async abort() {
      await writer?.abort();
    },
  };
}
