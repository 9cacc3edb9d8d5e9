/** How tiles are laid along one axis; all lengths in scores, that is in units of the output stride. */
export interface AxisCover {
  /** Length of the axis. */
  readonly length: number;
  /** Length of a tile. */
  readonly tile: number;
  /** Minimum number of scores that neighbouring tiles share; below `tile`. */
  readonly overlap: number;
}

/** Number of tiles that {@link coverAxis} lays. */
export function tilesAlongAxis({ length, tile, overlap }: AxisCover): number {
  return length <= tile ? 1 : 1 + Math.ceil((length - tile) / (tile - overlap));
}

/**
 * Tile starts along one axis: as few tiles as the overlap allows, spread evenly, the first at 0 and the last flush with
 * the end. An axis shorter than a tile gets one tile, which sticks out at the end.
 */
export function coverAxis(cover: AxisCover): number[] {
  const count = tilesAlongAxis(cover);
  const room = Math.max(0, cover.length - cover.tile);
  // Rounding an even step never makes two starts differ by more than the step rounded up, which the overlap allows.
  return Array.from({ length: count }, (_, i) => (count === 1 ? 0 : Math.round((i * room) / (count - 1))));
}

/** A stretch of an axis, in scores, all of which the same tiles cover. */
export interface AxisSegment {
  readonly start: number;
  readonly end: number;
  /** Index of the last tile that covers it: once that one is added, the segment is final. */
  readonly lastTile: number;
}

/**
 * Maximum length of a piece. Stretches are cut, so that their memory is used again sooner, and evenly, so that the memory of one
 * piece serves another.
 */
const MAX_LENGTH = 16;

/**
 * Cuts an axis where a tile starts or ends, in order, and long stretches into pieces of about the same length everywhere.
 *
 * A tile covers a segment wholly or not at all, so the segments that one tile needs are never longer, together, than the
 * tile; that is what bounds the memory of blending.
 */
export function cutSegments(starts: readonly number[], { tile, length }: Omit<AxisCover, 'overlap'>): AxisSegment[] {
  const cuts = [...new Set([...starts, ...starts.map((start) => Math.min(start + tile, length))])].sort(
    (a, b) => a - b,
  );
  const lengths = new Set(cuts.slice(1).map((end, i) => end - cuts[i]));
  // Starts are rounded: one stretch may be longer by 1 than the same one elsewhere, and is cut into as many pieces.
  const rounded = (planes: number) => (lengths.has(planes + 1) ? planes + 1 : planes);
  const minPieces = (planes: number) => Math.ceil(planes / MAX_LENGTH);
  const evenly = [...lengths].map(rounded).map((planes) => planes / minPieces(planes));
  const shortest = Math.min(MAX_LENGTH, ...evenly.filter((planes) => planes >= MAX_LENGTH / 2));
  let lastTile = 0;
  return cuts.slice(0, -1).flatMap((start, i) => {
    while (lastTile + 1 < starts.length && starts[lastTile + 1] <= start) lastTile++;
    const planes = cuts[i + 1] - start;
    const pieces = Math.max(minPieces(rounded(planes)), Math.round(rounded(planes) / shortest));
    const at = (piece: number) => start + Math.round((piece * planes) / pieces);
    return Array.from({ length: pieces }, (_, piece) => ({ start: at(piece), end: at(piece + 1), lastTile }));
  });
}
