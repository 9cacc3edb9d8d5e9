import type { Axis, Zyx } from '../space/zyx.ts';
import { tilesAlongAxis } from './cover.ts';

/** The largest tile, what its edges are multiples of, and how tiles overlap, as for `planTiles`. */
interface FitOptions {
  readonly tile: Zyx;
  readonly multiple: number;
  readonly overlap?: Zyx | undefined;
  readonly outputStride: number;
}

/** A quarter of the tile. */
export function usualOverlap([z, y, x]: Zyx): Zyx {
  return [Math.floor(z / 4), Math.floor(y / 4), Math.floor(x / 4)];
}

/**
 * The smallest tile that covers a volume with no more tiles along any axis than the largest would: none sticks out of a thin
 * volume further than it must, and two that share an axis do not repeat most of each other.
 *
 * @param shape - Shape `[z, y, x]` of the volume, in voxels.
 * @returns Edges z, y, x in voxels, each at most that of `tile`.
 */
export function fitTile(shape: Zyx, options: FitOptions): Zyx {
  const fitted = (axis: Axis): number => {
    const most = options.tile[axis];
    const count = tilesAlong(axis, most, shape, options);
    const least = options.overlap?.[axis] ?? 0;
    for (let edge = options.multiple; edge < most; edge += options.multiple) {
      if (edge > least && tilesAlong(axis, edge, shape, options) <= count) return edge;
    }
    return most;
  };
  return [fitted(0), fitted(1), fitted(2)];
}

function tilesAlong(axis: Axis, edge: number, shape: Zyx, { overlap, outputStride }: FitOptions): number {
  const shared = (overlap ?? usualOverlap([edge, edge, edge]))[axis];
  return tilesAlongAxis({
    length: Math.ceil(shape[axis] / outputStride),
    tile: edge / outputStride,
    overlap: Math.floor(shared / outputStride),
  });
}
