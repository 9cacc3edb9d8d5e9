import { MAX_CHUNK_BYTES } from '../codecs/decode.ts';
import { formatZyx } from '../space/zyx.ts';
import type { ArrayDescription } from './array-description.ts';
import { describeV2 } from './array-v2.ts';
import { describeV3 } from './array-v3.ts';
import { invalid, unsupported } from './parse.ts';

/**
 * Checks the metadata of a Zarr array and prepares them for zarrita. Sizes are checked here, before anything of that size
 * is allocated.
 *
 * @param where - Names the array in messages.
 * @throws {@link CryoetPicksError} `invalid-metadata`, or `unsupported` for what is valid and not handled.
 */
export function describeArray(json: unknown, zarrFormat: 2 | 3, where: string): ArrayDescription {
  const described = zarrFormat === 2 ? describeV2(json, where) : describeV3(json, where);
  const { shape, chunkShape, itemBytes } = described;
  if (shape.length === 0 || shape.length !== chunkShape.length) {
    throw invalid(
      where,
      `shape ${formatZyx(shape)} and chunk shape ${formatZyx(chunkShape)} must have the same rank, at least 1`,
    );
  }
  const voxels = shape.reduce((a, b) => a * b, 1);
  if (!Number.isSafeInteger(voxels))
    throw unsupported(where, `a shape of ${formatZyx(shape)}, more voxels than can be counted exactly`);
  const chunkBytes = chunkShape.reduce((a, b) => a * b, itemBytes);
  if (chunkBytes > MAX_CHUNK_BYTES) {
    const sizes = `${formatZyx(chunkShape)} ${described.dtype} = ${chunkBytes} bytes`;
    throw unsupported(where, `a chunk of ${sizes}; expected at most ${MAX_CHUNK_BYTES} bytes`);
  }
  return described;
}
