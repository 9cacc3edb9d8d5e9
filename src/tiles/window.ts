/**
 * How much a tile counts towards its edges, before the weights of all tiles are made to sum to 1.
 *
 * - `crop`: each score comes from the one tile whose centre is nearest; the lower tile wins a tie.
 * - `linear`: a tent. - `hann`: a raised cosine. - `gaussian`: σ is an eighth of the tile.
 */
export type WindowName = 'crop' | 'linear' | 'hann' | 'gaussian';

/** All windows. */
export const WINDOW_NAMES: readonly WindowName[] = ['crop', 'linear', 'hann', 'gaussian'];

/** One axis and its tiles, in scores. */
export interface AxisTiles {
  readonly length: number;
  readonly tile: number;
  /** Tile starts, ascending, that leave no gap. */
  readonly starts: readonly number[];
}

/**
 * Weights are multiples of this: the product of three, and any sum of products up to 1, is exact in float32. So a score
 * of 1 that all tiles agree on is exactly 1 in the map, and a saturated plateau stays flat.
 */
const WEIGHT_UNIT = 1 / 256;

/**
 * Weights of each tile along one axis, a partition of unity: at every score of the axis the weights of the tiles that
 * cover it sum to exactly 1. Where one tile is alone its weight is 1; outside the axis it is 0.
 */
export function blendWeights(window: WindowName, axis: AxisTiles): Float32Array[] {
  const profiles = window === 'crop' ? cropProfiles(axis) : axis.starts.map(() => windowProfile(window, axis.tile));
  const sum = new Float64Array(axis.length);
  forEachScore(axis, (tile, i, score) => {
    sum[score] += profiles[tile][i];
  });
  const weights = axis.starts.map(() => new Float32Array(axis.tile));
  const before = new Float64Array(axis.length);
  forEachScore(axis, (tile, i, score) => {
    // Rounding the running sum, not the weight, keeps the total: it ends at 1 whatever was rounded on the way.
    const from = toUnits(before[score] / sum[score]);
    before[score] += profiles[tile][i];
    weights[tile][i] = toUnits(before[score] / sum[score]) - from;
  });
  return weights;
}

function toUnits(share: number): number {
  return Math.round(share / WEIGHT_UNIT) * WEIGHT_UNIT;
}

/** Calls back for every score of every tile that lies on the axis. Planning only: never per voxel of a volume. */
function forEachScore(
  { length, tile, starts }: AxisTiles,
  visit: (tile: number, i: number, score: number) => void,
): void {
  for (let t = 0; t < starts.length; t++) {
    for (let i = 0; i < tile && starts[t] + i < length; i++) visit(t, i, starts[t] + i);
  }
}

/** Values above 0, symmetric, greatest in the middle. Scores are samples at half-integers, so the ends are not 0. */
function windowProfile(window: Exclude<WindowName, 'crop'>, tile: number): Float64Array {
  const fromEdge = (i: number) => Math.min(i + 0.5, tile - i - 0.5) / tile;
  switch (window) {
    case 'linear':
      return Float64Array.from({ length: tile }, (_, i) => fromEdge(i));
    case 'hann':
      return Float64Array.from({ length: tile }, (_, i) => Math.sin(Math.PI * fromEdge(i)) ** 2);
    case 'gaussian':
      return Float64Array.from({ length: tile }, (_, i) => Math.exp(-((8 * (fromEdge(i) - 0.5)) ** 2) / 2));
  }
}

/** 1 where a tile's centre is the nearest of all, else 0. */
function cropProfiles({ length, tile, starts }: AxisTiles): Float64Array[] {
  const profiles = starts.map(() => new Float64Array(tile));
  let nearest = 0;
  for (let score = 0; score < length; score++) {
    // The middle between two centres is that of the overlap; a score on it stays with the lower tile.
    while (nearest + 1 < starts.length && 2 * score + 1 > starts[nearest] + starts[nearest + 1] + tile) nearest++;
    profiles[nearest][score - starts[nearest]] = 1;
  }
  return profiles;
}
