import { type Box, boxShape, type VoxelGrid, voxelCount, type Zyx } from '../../space/grid.ts';
import { type ReadOptions, readInto, type VolumeSource } from '../../volume/volume.ts';

/** One level of a pyramid, cut into chunks. */
export interface PyramidLevel {
  readonly grid: VoxelGrid;
  readonly chunk: Zyx;
  /** Number of chunks along z, y, x. */
  readonly chunks: Zyx;
}

/** Levels, finest first, each with half the voxels per axis of the one before. */
export interface Pyramid {
  readonly levels: readonly PyramidLevel[];
  /** True if coarse voxels are means of their cells; otherwise they are the first voxel of their cells, as labels need. */
  readonly isMean: boolean;
  /** True if means are rounded to whole numbers. */
  readonly isWhole: boolean;
  /** True if voxels are read with `exact` and kept as float64, since float32 holds whole numbers only up to 2^24. */
  readonly isExact: boolean;
}

/** Voxels to write. */
export type PyramidVoxels = Float32Array | Float64Array;

/** The voxels of one chunk, C-order, of the shape of its box. */
export interface PyramidChunk {
  readonly level: number;
  readonly at: Zyx;
  readonly box: Box;
  readonly voxels: PyramidVoxels;
}

/**
 * Reads a volume chunk by chunk and yields the chunks of all levels, each coarse one right after the finer ones below it.
 *
 * Walks the chunks as an octree, which holds one chunk per level at a time.
 */
export async function* pyramidChunks(
  source: VolumeSource,
  pyramid: Pyramid,
  options: ReadOptions = {},
): AsyncGenerator<PyramidChunk> {
  const top = pyramid.levels.length - 1;
  const walk: Walk = { source, pyramid, options };
  for (const at of indices([0, 0, 0], pyramid.levels[top]!.chunks)) yield* chunksUnder(walk, top, at);
}

interface Walk {
  readonly source: VolumeSource;
  readonly pyramid: Pyramid;
  readonly options: ReadOptions;
}

/** Yields a chunk after all finer chunks below it. */
async function* chunksUnder(walk: Walk, level: number, at: Zyx): AsyncGenerator<PyramidChunk> {
  const { grid, chunk } = walk.pyramid.levels[level]!;
  const box = boxOf(at, chunk, grid.shape);
  if (level === 0) {
    walk.options.signal?.throwIfAborted();
    const count = voxelCount(boxShape(box));
    const voxels = walk.pyramid.isExact ? new Float64Array(count) : new Float32Array(count);
    await readInto(walk.source, box, voxels, walk.options);
    yield { level, at, box, voxels };
    return;
  }
  const sums = new Float64Array(voxelCount(boxShape(box)));
  const finer = walk.pyramid.levels[level - 1]!;
  const first = box.start.map((start, i) => Math.floor((2 * start) / finer.chunk[i]!)) as unknown as Zyx;
  const last = box.end.map((end, i) =>
    Math.min(finer.chunks[i]!, Math.ceil((2 * end) / finer.chunk[i]!)),
  ) as unknown as Zyx;
  for (const child of indices(first, last)) {
    for await (const part of chunksUnder(walk, level - 1, child)) {
      if (part.level === level - 1) addCells(part, finer.grid.shape, { sums, box, isMean: walk.pyramid.isMean });
      yield part;
    }
  }
  yield { level, at, box, voxels: finished(sums, walk.pyramid) };
}

function finished(sums: Float64Array, { isMean, isWhole, isExact }: Pyramid): PyramidVoxels {
  const cells = isMean && isWhole ? sums.map(Math.round) : sums;
  return isExact ? cells : new Float32Array(cells);
}

interface Cells {
  readonly sums: Float64Array;
  readonly box: Box;
  readonly isMean: boolean;
}

/**
 * Adds the voxels of a finer chunk to the cells of a coarser one. A cell at the edge of an odd extent has fewer voxels, so they have
 * larger weights.
 */
function addCells(
  { box: from, voxels }: PyramidChunk,
  [depth, height, width]: Zyx,
  { sums, box, isMean }: Cells,
): void {
  const [, rows, columns] = boxShape(box);
  let f = 0;
  for (let z = from.start[0]; z < from.end[0]; z++) {
    const inZ = isMean ? (z === depth - 1 && z % 2 === 0 ? 1 : 0.5) : 1 - (z % 2);
    for (let y = from.start[1]; y < from.end[1]; y++) {
      const inY = isMean ? (y === height - 1 && y % 2 === 0 ? inZ : inZ / 2) : inZ * (1 - (y % 2));
      const row = (((z >> 1) - box.start[0]) * rows + (y >> 1) - box.start[1]) * columns - box.start[2];
      for (let x = from.start[2]; x < from.end[2]; x++, f++) {
        if (isMean) sums[row + (x >> 1)]! += voxels[f]! * (x === width - 1 && x % 2 === 0 ? inY : inY / 2);
        else if (inY === 1 && x % 2 === 0) sums[row + (x >> 1)] = voxels[f]!;
      }
    }
  }
}

function boxOf(at: Zyx, chunk: Zyx, shape: Zyx): Box {
  const start = at.map((index, i) => index * chunk[i]!) as unknown as Zyx;
  const end = start.map((index, i) => Math.min(index + chunk[i]!, shape[i]!)) as unknown as Zyx;
  return { start, end };
}

function* indices(start: Zyx, end: Zyx): Generator<Zyx> {
  for (let z = start[0]; z < end[0]; z++) {
    for (let y = start[1]; y < end[1]; y++) for (let x = start[2]; x < end[2]; x++) yield [z, y, x];
  }
}
