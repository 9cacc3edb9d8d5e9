import { type Axis, longestAxis, voxelCount, type Zyx } from '../space/zyx.ts';
import { coverAxis } from './cover.ts';
import { fitTile, usualOverlap } from './fit-tile.ts';
import { checkPlanOptions, type PlanOptions } from './plan-options.ts';
import { blendWeights, type WindowName } from './window.ts';

/** One tile of a plan. */
export interface Tile {
  /** First voxel that the tile covers; a multiple of the output stride along each axis. May end outside the volume. */
  readonly start: Zyx;
  /** Which window of each axis it is: index into `plan.starts[axis]` and `plan.weights[axis]`. */
  readonly index: Zyx;
}

/** Bytes that running a plan takes, not counting the model's own memory and what the source keeps. */
export interface PlanMemory {
  /** Sums of weighted scores: classes × at most one tile's depth of the score map × its cross-section × 4. */
  readonly accumulators: number;
  /**
   * Tiles on their way, one by one, through a model of `loadModel`: at most five times the voxels of a tile and three times its
   * scores, as docs/tiling.md counts them. A model that takes one call at once needs less.
   */
  readonly tiles: number;
  /** `accumulators` and `tiles`; a batch of n tiles takes n times the latter. */
  readonly total: number;
}

/**
 * How a volume is cut into tiles, computed before a byte is read: a plain value.
 *
 * Tiles are the product of three covers of an axis; weights are separable and sum to 1 at every score.
 */
export interface TilePlan {
  /** Shape of the volume, in voxels. */
  readonly shape: Zyx;
  /** Shape of a tile, in voxels: the one asked for, or a smaller one that needs no more tiles. */
  readonly tile: Zyx;
  /** Voxels per score along each axis. */
  readonly outputStride: 1 | 2 | 4;
  /** Shape of the score map: `ceil(shape / outputStride)`. */
  readonly outputShape: Zyx;
  /** The axis along which tiles are swept and slabs finish: the longest one, unless the caller chose. */
  readonly axis: Axis;
  /** Tile starts along z, y, x, in voxels. */
  readonly starts: readonly [readonly number[], readonly number[], readonly number[]];
  /** Blend weights of each tile along z, y, x: one weight per score of the tile, 0 outside the score map. */
  readonly weights: readonly [readonly Float32Array[], readonly Float32Array[], readonly Float32Array[]];
  /** The window that the weights were made of. */
  readonly window: WindowName;
  /** All tiles, in sweep order: sorted by their start along `axis`. */
  readonly tiles: readonly Tile[];
  /** What running it takes. */
  readonly memory: PlanMemory;
}

/**
 * Plans how a volume is cut into overlapping tiles and how their scores are blended.
 *
 * Along each axis the fewest tiles that overlap as asked are spread evenly, the first at 0, the last flush with the end
 * (rounded up to the output stride). A volume smaller than a tile gets one tile that sticks out; voxels outside are
 * mirrored when it is read.
 *
 * @param shape - Shape `[z, y, x]` of the volume, in voxels.
 * @throws {@link CryoetPicksError} `invalid-option` if the tiles cannot be laid as asked.
 *
 * @example
 * ```ts
 * const plan = planTiles([184, 630, 630], { tile: [64, 128, 128], overlap: [16, 32, 32], outputStride: 2 });
 * plan.tiles.length;        // 196: 4 × 7 × 7
 * plan.memory.total / 1e6;  // 30.0: megabytes, for one class
 * ```
 */
export function planTiles(shape: Zyx, options: PlanOptions): TilePlan {
  const { outputStride = 1, window = 'gaussian', classes = 1, tileMultiple: multiple } = options;
  checkPlanOptions(shape, {
    ...options,
    overlap: options.overlap ?? usualOverlap(options.tile),
    outputStride,
    window,
    classes,
  });
  const tile = multiple === undefined ? options.tile : fitTile(shape, { ...options, multiple, outputStride });
  const overlap = options.overlap ?? usualOverlap(tile);
  const toScores = (voxels: Zyx): Zyx => [
    Math.ceil(voxels[0] / outputStride),
    Math.ceil(voxels[1] / outputStride),
    Math.ceil(voxels[2] / outputStride),
  ];
  const outputShape = toScores(shape);
  const outputTile = toScores(tile);
  const covers = ([0, 1, 2] as const).map((axis) => ({
    length: outputShape[axis],
    tile: outputTile[axis],
    overlap: Math.floor(overlap[axis] / outputStride),
  }));
  const scoreStarts = covers.map(coverAxis);
  const axis = options.axis ?? longestAxis(outputShape);
  const starts = scoreStarts.map((axisStarts) => axisStarts.map((start) => start * outputStride));
  const weights = covers.map((cover, i) => blendWeights(window, { ...cover, starts: scoreStarts[i] }));
  return {
    shape,
    tile,
    outputStride,
    outputShape,
    axis,
    starts: starts as unknown as TilePlan['starts'],
    weights: weights as unknown as TilePlan['weights'],
    window,
    tiles: tilesInSweepOrder(starts, axis),
    memory: predictMemory({ tile, outputTile, outputShape, axis, classes }),
  };
}

function tilesInSweepOrder(starts: readonly (readonly number[])[], axis: Axis): Tile[] {
  const tiles: Tile[] = [];
  starts[0].forEach((z, iz) => {
    starts[1].forEach((y, iy) => {
      starts[2].forEach((x, ix) => {
        tiles.push({ start: [z, y, x], index: [iz, iy, ix] });
      });
    });
  });
  return tiles.sort((a, b) => a.start[axis] - b.start[axis]);
}

/** Tiles: one read, the box of a source that cannot read into it, one that waits, two in the model. */
const TILES_HELD = 5;
/** Scores: of the two tiles in the model, and those that are blended. */
const SCORES_HELD = 3;

function predictMemory({
  tile,
  outputTile,
  outputShape,
  axis,
  classes,
}: Pick<TilePlan, 'tile' | 'outputShape' | 'axis'> & { outputTile: Zyx; classes: number }): PlanMemory {
  const planes = Math.min(outputTile[axis], outputShape[axis]);
  const accumulators = 4 * classes * planes * (voxelCount(outputShape) / outputShape[axis]);
  const tiles = 4 * (TILES_HELD * voxelCount(tile) + SCORES_HELD * classes * voxelCount(outputTile));
  return { accumulators, tiles, total: accumulators + tiles };
}
