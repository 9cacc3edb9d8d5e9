import { eventLoopTurn, mapOrdered } from '../async.ts';
import { CryoetPicksError } from '../errors.ts';
import { type Box, formatZyx, longestAxis, voxelCount, type Zyx } from '../space/zyx.ts';
import { backwards, blockShape, countBoxes, cutIntoBoxes } from './blocks.ts';
import type { Intensity, IntensityOptions } from './intensity.ts';
import { addRows, newSums, pack, type Sums } from './intensity-sums.ts';
import { type HeldVolume, holdBox } from './source-ways.ts';
import type { Volume, VolumeSource } from './volume.ts';

/** Voxels that are added in one piece: a few milliseconds. */
const TURN_VOXELS = 2 ** 19;
/** Blocks that are read ahead at most. */
const MAX_AHEAD = 16;

/** The work of `measureIntensity`. */
export async function passOver(
  source: VolumeSource,
  { blockBytes = 2 ** 24, signal, onProgress }: IntensityOptions,
): Promise<Intensity> {
  if (!(blockBytes >= 4)) {
    throw new CryoetPicksError(
      'invalid-option',
      `blockBytes must be at least 4, the size of a voxel, found ${blockBytes}`,
    );
  }
  const { shape } = source.grid;
  const { boxes, total, concurrency } = blocksOf(source, blockBytes);
  const sums = newSums();
  const held = new Set<HeldVolume>();
  const hold = async (box: Box, stop: AbortSignal) => {
    const lent = await holdBox(source, box, { signal: stop });
    held.add(lent);
    return lent;
  };
  let done = 0;
  try {
    for await (const lent of mapOrdered(boxes, hold, { concurrency, signal })) {
      await addInPieces(lent.volume, sums, signal);
      lent.release();
      held.delete(lent);
      onProgress?.({ stage: 'intensity', done: ++done, total });
      signal?.throwIfAborted();
    }
  } finally {
    // Those that were read ahead are here by now, too.
    for (const { release } of held) release();
  }
  const packed = pack(sums);
  const { count, mean, squares, minimum, maximum } = sums;
  if (count === 0) {
    throw new CryoetPicksError(
      'corrupt-data',
      `none of the ${voxelCount(shape)} voxels of the volume of ${formatZyx(shape)} is a finite number`,
    );
  }
  return { count, mean, standardDeviation: Math.sqrt(squares / count), minimum, maximum, ...packed };
}

async function addInPieces(voxels: Volume, sums: Sums, signal: AbortSignal | undefined): Promise<void> {
  const rows = voxels.shape[0] * voxels.shape[1];
  const perTurn = Math.max(1, Math.floor(TURN_VOXELS / voxels.shape[2]));
  for (let first = 0; first < rows; first += perTurn) {
    addRows(voxels, { first, end: Math.min(rows, first + perTurn) }, sums);
    await eventLoopTurn();
    signal?.throwIfAborted();
  }
}

interface Blocks {
  readonly boxes: Iterable<Box>;
  readonly total: number;
  /** Blocks that are read ahead. */
  readonly concurrency: number;
}

function blocksOf({ grid: { shape }, chunkShape }: VolumeSource, blockBytes: number): Blocks {
  if (chunkShape === undefined) {
    const block = blockShape(shape, blockBytes / 4);
    return { boxes: cutIntoBoxes(shape, block), total: countBoxes(shape, block), concurrency: 2 };
  }
  const block = wholeChunks(shape, chunkShape, blockBytes / 4 / MAX_AHEAD);
  const ahead = Math.floor((2 * blockBytes) / (4 * voxelCount(block)));
  const concurrency = Math.max(1, Math.min(MAX_AHEAD, ahead));
  return { boxes: backwards(shape, block), total: countBoxes(shape, block), concurrency };
}

/**
 * A whole chunk, however large: the source holds it anyway, and gives it as a view. Several, as long as they have no more than
 * so many voxels, since small ones cost less to copy than to ask for one by one: along x, then y, then z, but of one layer
 * across the longest axis, so that layers still come one after the other.
 */
function wholeChunks(shape: Zyx, chunkShape: Zyx, mostVoxels: number): Zyx {
  const block = chunkShape.map((edge, axis) => Math.min(edge, shape[axis]!)) as [number, number, number];
  for (const axis of [2, 1, 0].filter((one) => one !== longestAxis(shape))) {
    const chunks = Math.max(1, Math.floor(mostVoxels / voxelCount(block)));
    block[axis] = Math.min(block[axis]! * chunks, shape[axis]!);
    if (block[axis] < shape[axis]!) break;
  }
  return block;
}
