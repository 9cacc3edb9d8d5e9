import { ITEM_BYTES } from '../codecs/number-type.ts';
import { shuffleInto } from '../codecs/shuffle.ts';
import { encodeZstd } from '../codecs/zstd-encode.ts';
import { voxelCount, type Zyx } from '../space/zyx.ts';
import type { StoreKey } from '../storage/store.ts';
import type { ChunkSink } from './chunk-sink.ts';
import { type ShardWriter, shardWriter } from './shard-writer.ts';
import type { OpenWriter } from './value-writer.ts';
import type { WritePlan } from './write-plan.ts';
import { isWholeType, type WrittenType } from './written-type.ts';

/** The level that copick 2 compresses with. */
export const ZSTD_LEVEL: number = 3;

/** How many channels share a shard: all of them, but features have one each. */
export function channelsPerShard({ channels }: Pick<WritePlan, 'channels'>): number {
  return channels?.axis === 'c' ? channels.count : 1;
}

/** Writes all chunks of a level to one shard: of all channels, or of each feature. Chunks of nothing but zeros are left out. */
export function shardFiles(plan: WritePlan, open: OpenWriter): ChunkSink {
  const { pyramid, channels, dtype } = plan;
  const perShard = channelsPerShard(plan);
  const shards = new Map<StoreKey, ShardWriter>();
  const shardOf = (level: number, channel: number): ShardWriter => {
    const at = [...(channels ? [Math.floor(channel / perShard)] : []), 0, 0, 0];
    const key: StoreKey = `/${level}/${at.join('/')}`;
    const known = shards.get(key);
    if (known) return known;
    const chunkCount = perShard * voxelCount(pyramid.levels[level]!.chunks);
    const shard = shardWriter(key, { chunkCount, open });
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
      for (const shard of shards.values()) await shard.close();
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

async function encodeChunk(voxels: Uint8Array, dtype: WrittenType): Promise<Uint8Array> {
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
