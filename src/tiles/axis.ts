/** How tiles are laid along one axis; all lengths in voxels. */
export interface AxisCover {
  /** Length of the axis. */
  readonly length: number;
  /** What every start is a multiple of; `tile` and `overlap` are, too. */
  readonly multiple: number;
  /** Length of a tile. */
  readonly tile: number;
  /** Minimum number of voxels that neighbouring tiles share; below `tile`. */
  readonly overlap: number;
}

/** Number of tiles that {@link coverAxis} lays. */
export function tilesAlongAxis({ length, tile, overlap }: Pick<AxisCover, 'length' | 'tile' | 'overlap'>): number {
  return length <= tile ? 1 : 1 + Math.ceil((length - tile) / (tile - overlap));
}

/**
 * Tile starts along one axis: as few tiles as the overlap allows, the first at 0, the last so that it ends at the first multiple at
 * or after the end, the others spread evenly: where steps cannot all be equal, the first ones are longer by one multiple. An axis
 * shorter than a tile gets one tile, which sticks out at the end.
 *
 * No tile but the last reaches beyond the axis, so all that neighbours share lies on it.
 */
export function coverAxis(cover: AxisCover): number[] {
  const { length, multiple, tile } = cover;
  const steps = tilesAlongAxis(cover) - 1;
  if (steps === 0) return [0];
  const room = Math.ceil((length - tile) / multiple);
  // Equal steps in a row cut the axis into like segments, so that memory of one fits the next.
  const [step, longer] = [Math.floor(room / steps), room % steps];
  return Array.from({ length: steps + 1 }, (_, i) => multiple * (i * step + Math.min(i, longer)));
}

/** A stretch of an axis, all of which the same tiles cover. */
export interface AxisSegment {
  readonly start: number;
  readonly end: number;
  /** Index of the last tile that covers it: once that one is added, the segment is final. */
  readonly lastTile: number;
}

/** Length of a piece: stretches are cut, so that their memory is used again sooner, and alike, so that it fits. */
const PIECE = 16;

/**
 * Cuts an axis where a tile starts or ends, in order, and long stretches into pieces of 16 and what remains.
 *
 * A tile covers a segment wholly or not at all, so the segments that one tile needs are never longer, together, than the
 * tile; that is what bounds the memory of blending.
 *
 * @param starts - Tile starts along the axis; like `tile` and `length` in scores.
 */
export function cutSegments(
  starts: readonly number[],
  { length, tile }: Pick<AxisCover, 'length' | 'tile'>,
): AxisSegment[] {
  const cuts = [...new Set([...starts, ...starts.map((start) => Math.min(start + tile, length))])].sort(
    (a, b) => a - b,
  );
  let lastTile = 0;
  return cuts.slice(0, -1).flatMap((start, i) => {
    while (lastTile + 1 < starts.length && starts[lastTile + 1] <= start) lastTile++;
    const end = cuts[i + 1];
    return Array.from({ length: Math.ceil((end - start) / PIECE) }, (_, piece) => {
      const from = start + piece * PIECE;
      return { start: from, end: Math.min(from + PIECE, end), lastTile };
    });
  });
}
