import { SlabMemory } from '../core/buffer-pool.ts';
import { forEachRange } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  type Axis,
  formatZyx,
  replaceAxis,
  sameZyx,
  type Transform,
  type VoxelGrid,
  voxelCount,
  type Zyx,
} from '../space/grid.ts';
import type { AxisSegment } from './axis.ts';
import type { CalibrationCurves } from './calibration-curve.ts';
import type { Tile, TilePlan } from './plan.ts';

/** A 4-D array `[class, z, y, x]` as a view of flat data. */
export interface ScoreVolume {
  readonly data: Float32Array;
  readonly shape: readonly [classes: number, z: number, y: number, x: number];
  readonly stride: readonly [classes: number, z: number, y: number, x: number];
  readonly offset: number;
}

/**
 * Finished planes of a score map. Slabs follow each other along `axis` without gaps; each belongs to the caller.
 */
export interface ScoreSlab {
  /** Geometry of the whole score map, of which this slab is a part. */
  readonly grid: VoxelGrid;
  /** The sweep axis. */
  readonly axis: Axis;
  /** Index, along `axis`, of the slab's first plane in the score map. */
  readonly start: number;
  /** Name of each channel of `scores`: the object that it is a score of. */
  readonly classes: readonly string[];
  /** Scores `[class, z, y, x]`; whole along the two other axes. */
  readonly scores: ScoreVolume;
  /**
   * What `scores` are worth, of classes of which it is known. They are as the model gives them; thresholds of a search, and the scores of
   * what it finds, are calibrated.
   */
  readonly calibrationCurves?: CalibrationCurves | undefined;
  /** Of an anchor-free model, `[3, z, y, x]`: from a voxel to its particle's centre along z, y, x, in voxels of `grid`. */
  readonly offsets?: ScoreVolume | undefined;
  /** Of a search that turns a template: the orientation with the score at a voxel of this slab, or of one before it. */
  readonly transformAt?: ((voxel: Zyx) => Transform) | undefined;
  /**
   * Says that the slab is no longer read, so that a later one may be written into its memory. `localMaxima` and the other searches
   * call it; without the call, the memory is left to the garbage collector.
   */
  readonly release?: (() => void) | undefined;
}

/** Options of {@link SlabBlender}. */
export interface BlendOptions {
  /** Geometry of the score map; its shape is the plan's `outputShape`. */
  readonly grid: VoxelGrid;
  /** Names of the channels that are blended: the `classes` of the slabs. */
  readonly classes: readonly string[];
  /** Index of each of them among the channels of the scores that are added. @defaultValue 0, 1, 2, … */
  readonly channels?: readonly number[] | undefined;
}

/** A segment of the sweep axis while tiles are added to it. */
interface OpenSegment extends AxisSegment {
  /** Sums of weighted scores, C-order `[class, z, y, x]`. */
  readonly sums: Float32Array<ArrayBuffer>;
}

/** A slab that was not taken yet, and its memory. */
interface FinishedSlab {
  readonly slab: ScoreSlab;
  readonly sums: Float32Array<ArrayBuffer>;
}

/**
 * Blends overlapping tiles of scores into slabs of the score map: add a tile, take what is finished.
 *
 * Each tile adds score × weight, and since the plan's weights sum to 1 everywhere, nothing is divided at the end. Memory
 * is taken when the first tile of a row along the sweep axis comes, and leaves with the finished slab. Open sums and released slabs
 * that wait to be used again together never take more than `plan.memory.accumulators` for as many classes.
 */
export class SlabBlender {
  readonly #plan: TilePlan;
  readonly #grid: VoxelGrid;
  readonly #classes: readonly string[];
  readonly #channels: readonly number[];
  readonly #outputTile: Zyx;
  #opened = 0;
  #open: OpenSegment[] = [];
  #finished: FinishedSlab[] = [];
  readonly #memory: SlabMemory;
  #tilesAdded = 0;

  constructor(plan: TilePlan, { grid, classes, channels = [...classes.keys()] }: BlendOptions) {
    if (!sameZyx(grid.shape, plan.outputShape)) {
      const expected = formatZyx(plan.outputShape);
      refuse(`the grid of ${formatZyx(grid.shape)} is not that of the plan's score map, ${expected}`);
    }
    if (classes.length === 0 || channels.length !== classes.length) {
      refuse(`expected one or more classes and a channel of each, found ${classes.length} and ${channels.length}`);
    }
    if (channels.some((index) => !Number.isInteger(index) || index < 0)) {
      refuse(`channels to blend must be whole numbers from 0, found [${channels.join(', ')}]`);
    }
    const { tile, outputStride: stride, outputShape, axis } = plan;
    this.#plan = plan;
    this.#grid = grid;
    this.#classes = classes;
    this.#channels = channels;
    this.#outputTile = [tile[0] / stride, tile[1] / stride, tile[2] / stride];
    const planes = Math.min(this.#outputTile[axis], outputShape[axis]);
    const plane = (classes.length * voxelCount(outputShape)) / outputShape[axis];
    this.#memory = new SlabMemory(planes * plane, { slack: plane });
  }

  /**
   * Adds the scores of the next tile of the plan; nothing else may be added until it is done. Every so often the event loop gets a
   * turn.
   *
   * @param scores - C-order `[channel, z, y, x]` of one tile. Only read.
   * @throws {@link CryoetPicksError} `invalid-option` if it is not the plan's next tile or a channel is missing;
   * `model-failed` if a kept score is not finite, since one NaN would spread over all that overlaps it.
   */
  async add(tile: Tile, scores: Float32Array): Promise<void> {
    const next = this.#plan.tiles[this.#tilesAdded];
    if (next === undefined || !sameZyx(next.index, tile.index)) {
      const expected = next ? `expected the one at ${formatZyx(next.start)}` : 'all tiles were added';
      refuse(`the tile at voxel ${formatZyx(tile.start)} is out of order: ${expected}`);
    }
    const [size, channels] = [voxelCount(this.#outputTile), Math.max(...this.#channels) + 1];
    if (scores.length % size !== 0 || scores.length < channels * size) {
      refuse(`${scores.length} scores do not fill ${channels} or more channels of ${formatZyx(this.#outputTile)}`);
    }
    const piecewise = (pieces: number, work: (piece: number) => void) => forEachRange(pieces, work, 1);
    await piecewise(this.#channels.length, (i) => {
      const channel = this.#channels[i];
      requireFinite(scores.subarray(channel * size, (channel + 1) * size), tile);
    });
    await piecewise(this.#countUnopened(tile), () => this.#openNextSegment());
    const open = this.#open;
    await piecewise(this.#classes.length * open.length, (piece) => {
      this.#addToSegment(open[piece % open.length], Math.floor(piece / open.length), tile, scores);
    });
    this.#tilesAdded++;
    const { axis, tiles } = this.#plan;
    if (tiles[this.#tilesAdded]?.index[axis] !== tile.index[axis]) this.#finishRow(tile.index[axis]);
  }

  /** Hands over the slabs finished since the last call, in order. The blender forgets them. */
  takeFinished(): ScoreSlab[] {
    const finished = this.#finished;
    this.#finished = [];
    return finished.map(({ sums, slab }) => ({ ...slab, release: this.#memory.handOut(sums) }));
  }

  /** Number of segments, along the sweep axis, that a tile is the first to reach. */
  #countUnopened(tile: Tile): number {
    const { axis, outputStride, segments } = this.#plan;
    const end = tile.start[axis] / outputStride + this.#outputTile[axis];
    const reached = segments.findIndex(({ start }) => start >= end);
    return (reached < 0 ? segments.length : reached) - this.#opened;
  }

  #openNextSegment(): void {
    const { axis, outputShape, segments } = this.#plan;
    const plane = (this.#classes.length * voxelCount(outputShape)) / outputShape[axis];
    const segment = segments[this.#opened++];
    this.#open.push({ ...segment, sums: this.#memory.zeros(plane * (segment.end - segment.start)) });
  }

  #addToSegment(segment: OpenSegment, i: number, tile: Tile, scores: Float32Array): void {
    const { axis, outputShape, outputStride, weights } = this.#plan;
    const outputTile = this.#outputTile;
    const shape = replaceAxis(outputShape, axis, segment.end - segment.start);
    const extents = ([0, 1, 2] as const).map((a) =>
      weightedExtent(weights[a][tile.index[a]], {
        at: tile.start[a] / outputStride - (a === axis ? segment.start : 0),
        length: shape[a],
      }),
    );
    addWeighted(
      { data: scores, base: this.#channels[i] * voxelCount(outputTile), shape: outputTile },
      { data: segment.sums, base: i * voxelCount(shape), shape },
      extents,
    );
  }

  /** Turns the segments that no further tile touches into slabs. */
  #finishRow(row: number): void {
    const { axis, outputShape } = this.#plan;
    while (this.#open.length > 0 && this.#open[0].lastTile <= row) {
      const { start, end, sums } = this.#open.shift()!;
      const [depth, height, width] = replaceAxis(outputShape, axis, end - start);
      const plane = height * width;
      const scores: ScoreVolume = {
        data: sums,
        shape: [this.#classes.length, depth, height, width],
        stride: [depth * plane, plane, width, 1],
        offset: 0,
      };
      this.#finished.push({ sums, slab: { grid: this.#grid, axis, start, classes: this.#classes, scores } });
    }
  }
}

function refuse(message: string): never {
  throw new CryoetPicksError('invalid-option', message);
}

/** A C-order 3-D array inside flat data. */
export interface Block {
  readonly data: Float32Array;
  /** Index of its element (0, 0, 0). */
  readonly base: number;
  readonly shape: Zyx;
}

/** The part of a tile's axis that counts. */
export interface WeightedExtent {
  /** Weight of each index of the tile's axis. */
  readonly weights: Float32Array;
  /** First index with a weight inside the target, and the first after the last. */
  readonly from: number;
  readonly to: number;
  /** Index, in the target, of the tile's index 0; may be negative. */
  readonly at: number;
}

/** Clips a tile's axis, which lies `at` an index of a target of this length, to the target and to weights above 0. */
function weightedExtent(
  weights: Float32Array,
  { at, length }: { readonly at: number; readonly length: number },
): WeightedExtent {
  let from = Math.max(0, -at);
  let to = Math.min(weights.length, length - at);
  while (from < to && weights[from] === 0) from++;
  while (to > from && weights[to - 1] === 0) to--;
  return { weights, from, to, at };
}

/** Adds `from` × its weights to `to`, where the extents along z, y, x say. */
function addWeighted(from: Block, to: Block, extents: readonly WeightedExtent[]): void {
  const [ez, ey, ex] = extents;
  const source = from.data;
  const target = to.data;
  const wx = ex.weights;
  for (let z = ez.from; z < ez.to; z++) {
    for (let y = ey.from; y < ey.to; y++) {
      const w = ez.weights[z] * ey.weights[y];
      if (w === 0) continue;
      const s = from.base + (z * from.shape[1] + y) * from.shape[2];
      const t = to.base + ((z + ez.at) * to.shape[1] + y + ey.at) * to.shape[2] + ex.at;
      for (let x = ex.from; x < ex.to; x++) target[t + x] += w * wx[x] * source[s + x];
    }
  }
}

/** @throws {@link CryoetPicksError} `model-failed` naming the first score that is not finite. */
function requireFinite(scores: Float32Array, tile: Tile): void {
  // x − x is 0 for a finite x and NaN for any other: four sums, since each must wait for its own last addition.
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = scores.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    a += scores[i] - scores[i];
    b += scores[i + 1] - scores[i + 1];
    c += scores[i + 2] - scores[i + 2];
    d += scores[i + 3] - scores[i + 3];
  }
  for (let i = whole; i < scores.length; i++) a += scores[i] - scores[i];
  if (a + b + c + d === 0) return;
  const found = scores.find((score) => !Number.isFinite(score));
  throw new CryoetPicksError(
    'model-failed',
    `the model gave ${found} for the tile at voxel ${formatZyx(tile.start)}; scores must be finite`,
  );
}
