import { eventLoopTurn } from '../core/concurrency.ts';
import { replaceAxis, voxelCount, type Zyx } from '../space/grid.ts';
import type { FeatureBlock, TomogramFeatures } from './feature-map.ts';

/**
 * Edges, in cells, of the boxes over which a head knows the means of the features: about a cell, within it a particle, around it a large
 * one. The features of a single cell are blind to what is hollow, or larger than what the network was trained on, and a pick is not exact
 * to a cell; training/teach/README.md has the figures. Odd, so that each box has its cell in the middle.
 */
export const BOX_EDGES = [3, 5, 9] as const;

/**
 * Means of the features over the boxes around some cells, `[cell, box, feature]`, C-order. What of a box lies outside of the tomogram does
 * not count. Faster where cells come in the order of the tomogram.
 */
export function meansAround({ blocks, featureCount, grid }: TomogramFeatures, cells: readonly Zyx[]): Float64Array {
  const means = new Float64Array(cells.length * BOX_EDGES.length * featureCount);
  const boxes = cells.flatMap((cell) => BOX_EDGES.map((edge) => boxAround(cell, edge, grid.shape)));
  for (const block of blocks) {
    const parts = boxes.flatMap((box, index) => partIn(block, box, index) ?? []);
    // One feature after the other: what boxes share is then still in the cache.
    for (let k = 0; k < featureCount; k++) {
      for (const part of parts) {
        const mean = block.lowest[k]! + (block.step[k]! * sumIn(block, k, part)) / voxelsOf(part);
        means[part.index * featureCount + k]! += mean * part.share;
      }
    }
  }
  return means;
}

/** Cells of a box, half-open. */
interface CellBox {
  readonly from: Zyx;
  readonly to: Zyx;
}

/** What of a box is in a block, and its share of the box. */
interface BoxPart extends CellBox {
  readonly index: number;
  readonly share: number;
}

function boxAround(cell: Zyx, edge: number, shape: Zyx): CellBox {
  const reach = edge >> 1;
  const [z, y, x] = cell;
  return {
    from: [Math.max(0, z - reach), Math.max(0, y - reach), Math.max(0, x - reach)],
    to: [Math.min(shape[0], z + reach + 1), Math.min(shape[1], y + reach + 1), Math.min(shape[2], x + reach + 1)],
  };
}

function partIn({ axis, start, shape }: FeatureBlock, box: CellBox, index: number): BoxPart | undefined {
  const low = Math.max(0, box.from[axis] - start);
  const high = Math.min(shape[axis], box.to[axis] - start);
  if (low >= high) return undefined;
  const part = { from: replaceAxis(box.from, axis, low), to: replaceAxis(box.to, axis, high) };
  return { ...part, index, share: voxelsOf(part) / voxelsOf(box) };
}

function voxelsOf({ from, to }: CellBox): number {
  return (to[0] - from[0]) * (to[1] - from[1]) * (to[2] - from[2]);
}

/** Sum of the numbers of a feature in a box. */
function sumIn({ shape, numbers }: FeatureBlock, feature: number, { from, to }: CellBox): number {
  const [, height, width] = shape;
  const first = feature * voxelCount(shape);
  let sum = 0;
  for (let z = from[0]; z < to[0]; z++) {
    for (let y = from[1]; y < to[1]; y++) {
      const line = first + (z * height + y) * width;
      for (let i = line + from[2]; i < line + to[2]; i++) sum += numbers[i]!;
    }
  }
  return sum;
}

/**
 * Replaces the values of a map by their means over the boxes around them, as {@link meansAround} has them.
 *
 * @param values - C-order `[z, y, x]`, overwritten by what may be thrown away.
 * @param means - As many, filled.
 */
export async function boxMeansInto(values: Float32Array, means: Float32Array, shape: Zyx, edge: number): Promise<void> {
  const [depth, height, width] = shape;
  const reach = edge >> 1;
  const plane = height * width;
  for (let z = 0; z < depth; z++) {
    for (let start = z * plane; start < (z + 1) * plane; start += width) lineMeans(values, means, start, width, reach);
    await eventLoopTurn();
  }
  for (let z = 0; z < depth; z++) {
    linesMeans(means, values, { start: z * plane, count: height, apart: width, width, reach });
    await eventLoopTurn();
  }
  // Rows of some width fit into the cache with their sums.
  for (let start = 0; start < plane; start += width) {
    linesMeans(values, means, { start, count: depth, apart: plane, width, reach });
    await eventLoopTurn();
  }
}

/** Means along a line. */
function lineMeans(from: Float32Array, to: Float32Array, start: number, count: number, reach: number): void {
  let sum = 0;
  const end = start + count;
  for (let i = start; i < Math.min(end, start + reach); i++) sum += from[i];
  for (let i = start; i < end; i++) {
    if (i + reach < end) sum += from[i + reach];
    if (i - reach > start) sum -= from[i - reach - 1];
    to[i] = sum / (Math.min(end, i + reach + 1) - Math.max(start, i - reach));
  }
}

interface Lines {
  readonly start: number;
  /** Number of lines, and cells from one to the next. */
  readonly count: number;
  readonly apart: number;
  /** Cells of a line. */
  readonly width: number;
  readonly reach: number;
}

/** Means across lines. */
function linesMeans(from: Float32Array, to: Float32Array, { start, count, apart, width, reach }: Lines): void {
  const sums = new Float64Array(width);
  const add = (line: number, sign: number) => {
    const at = start + line * apart;
    for (let x = 0; x < width; x++) sums[x] += sign * from[at + x];
  };
  for (let line = 0; line < Math.min(count, reach); line++) add(line, 1);
  for (let line = 0; line < count; line++) {
    if (line + reach < count) add(line + reach, 1);
    if (line - reach > 0) add(line - reach - 1, -1);
    const share = 1 / (Math.min(count, line + reach + 1) - Math.max(0, line - reach));
    const at = start + line * apart;
    for (let x = 0; x < width; x++) to[at + x] = share * sums[x];
  }
}
