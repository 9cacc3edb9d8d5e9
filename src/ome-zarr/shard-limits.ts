import { ITEM_BYTES } from '../codecs/number-type.ts';
import { CryoetPicksError } from '../errors.ts';
import { formatZyx, voxelCount } from '../space/zyx.ts';
import { channelsPerShard } from './shard-sink.ts';
import type { WritePlan } from './write-plan.ts';

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
