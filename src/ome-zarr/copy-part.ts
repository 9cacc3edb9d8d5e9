import { CryoetPicksError } from '../errors.ts';
import { type Box, boxShape, contiguousStride, intersectBoxes, type Zyx } from '../space/zyx.ts';
import type { DecodedChunk } from './array.ts';
import type { CachedChunk } from './chunk-cache.ts';
import { copyRows, fillRows, type Layout, type VoxelData } from './copy-rows.ts';
import type { OpenedLevel } from './place-level.ts';

/** A chunk that a box touches. */
export interface TouchedChunk {
  /** Index in the chunk grid, along the array's own dimensions. */
  readonly at: readonly number[];
  /** The voxels of the level that it holds. */
  readonly box: Box;
}

/** Which channel of which level. */
export interface Place {
  readonly level: OpenedLevel;
  readonly channel: number;
}

/** Voxels that are copied in one step: a few milliseconds. */
const STEP = 2 ** 19;

/** Copies what a chunk and a box share into the C-order voxels of the box, and stops between steps of a few milliseconds. */
export function* copyPart(
  chunk: CachedChunk,
  touched: TouchedChunk,
  { box, level, channel }: Place & { readonly box: Box },
  out: VoxelData,
): Generator<void> {
  const shared = intersectBoxes(touched.box, box);
  const shape = boxShape(shared);
  const outStride = contiguousStride(boxShape(box));
  const to = { stride: outStride, offset: indexIn(box, shared.start, outStride) };
  const planes = Math.max(1, Math.floor(STEP / (shape[1] * shape[2])));
  for (let z = 0; z < shape[0]; z += planes) {
    const at = (layout: Layout) => ({ ...layout, offset: layout.offset + z * layout.stride[0] });
    const step: Zyx = [Math.min(planes, shape[0] - z), shape[1], shape[2]];
    if (chunk === 'fill') {
      fillRows(out, step, at(to), exactFill(level, out));
    } else {
      const { stride, offset } = strideOf(chunk, { level, channel });
      const from = { stride, offset: offset + indexIn(touched.box, shared.start, stride) };
      const unheld = copyRows(chunk.data, at(from), out, at(to), step);
      if (unheld !== undefined) throw refusal(level, unheld);
    }
    yield;
  }
}

/** Where the voxels of a channel lie in a chunk. */
export function strideOf({ stride }: DecodedChunk, { level, channel }: Place): Layout {
  const { dimensions, channelAxis, array } = level;
  const inChunk = channelAxis ? channel % array.chunkShape[channelAxis.dimension]! : 0;
  return {
    stride: [stride[dimensions[0]]!, stride[dimensions[1]]!, stride[dimensions[2]]!],
    offset: channelAxis ? inChunk * stride[channelAxis.dimension]! : 0,
  };
}

/** The index in flat data of a voxel of a box, from the box's first voxel. */
export function indexIn({ start }: Box, [z, y, x]: Zyx, stride: Zyx): number {
  return (z - start[0]) * stride[0] + (y - start[1]) * stride[1] + (x - start[2]) * stride[2];
}

/** The fill value; refused where it is asked for exactly and a number of JSON did not hold it. */
function exactFill({ array, ...level }: OpenedLevel, out: VoxelData): number {
  const isExact = out instanceof Float64Array && array.dtype.endsWith('int64');
  if (isExact && !Number.isSafeInteger(array.fillValue)) throw refusal({ array, ...level }, array.fillValue);
  return array.fillValue;
}

function refusal({ array }: OpenedLevel, value: bigint | number): CryoetPicksError {
  return new CryoetPicksError(
    'unsupported',
    `${array.where} holds ${value}, which no number is sure to hold; expected integers up to 2^53 − 1 in size`,
  );
}
