import { encodeBlosc } from '../codecs/blosc-encode.ts';
import { ITEM_BYTES } from '../codecs/number-type.ts';
import type { Zyx } from '../space/zyx.ts';
import { joinKey, type StoreKey } from '../storage/store.ts';
import type { WritePlan } from './write-plan.ts';

/** Where a chunk belongs. */
export interface ChunkPlace {
  readonly level: number;
  readonly channel: number;
  readonly at: Zyx;
}

/** Takes the chunks of an image, in any order. */
export interface ChunkSink {
  /** Takes the voxels of a full chunk, little-endian. */
  put(place: ChunkPlace, voxels: Uint8Array): Promise<void>;
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
