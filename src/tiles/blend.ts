import { BufferPool, SlabMemory } from '../core/buffer-pool.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { type Axis, formatZyx, sameZyx, voxelCount, type Zyx } from '../space/zyx.ts';
import { cutSegments, replaceAxis, type Segment } from './axis.ts';
import type { Tile, TilePlan } from './plan.ts';

/** A 4-D array `[class, z, y, x]` as a view of flat data. */
export interface ScoreVolume {
  readonly data: Float32Array;
  readonly shape: readonly [classes: number, z: number, y: number, x: number];
  readonly stride: readonly [classes: number, z: number, y: number, x: number];
  readonly offset: number;
}

/**
 * Finished planes of a score map. Slabs follow each other along `axis` without gaps; each belongs to whoever receives it.
 */
export interface ScoreSlab {
  /** Geometry of the whole score map, of which this slab is a part. */
  readonly grid: VoxelGrid;
  /** The sweep axis. */
  readonly axis: Axis;
  /** Index, along `axis`, of the slab's first plane in the score map. */
  readonly start: number;
  /** The model's class index of each channel of `scores`. */
  readonly classes: readonly number[];
  /** Scores `[class, z, y, x]`; whole along the two other axes. */
  readonly scores: ScoreVolume;
  /** Of an anchor-free model, `[3, z, y, x]`: from a voxel to its particle's centre along z, y, x, in voxels of `grid`. */
  readonly offsets?: ScoreVolume | undefined;
  /** Gives the memory back for a later slab, once and unread from then on; without the call it is freed as any other. */
  readonly release?: (() => void) | undefined;
}

/** Options of {@link SlabBlender}. */
export interface BlendOptions {
  /** Geometry of the score map; its shape is the plan's `outputShape`. */
  readonly grid: VoxelGrid;
  /** The class indices to keep; each is a channel of the scores that are added. */
  readonly classes: readonly number[];
}

/** A segment of the sweep axis while tiles are added to it. */
interface OpenSegment extends Segment {
  /** Sums of weighted scores, C-order `[class, z, y, x]`. */
  readonly sums: Float32Array<ArrayBuffer>;
}

/**
 * Blends overlapping tiles of scores into slabs of the score map: add a tile, take what is finished.
 *
 * Each tile adds score × weight, and since the plan's weights sum to 1 everywhere, nothing is divided at the end. Memory
 * is taken when the first tile of a row along the sweep axis comes, and given away with the finished slab. What is open and
 * what was released and waits to be used again never take more than `plan.memory.accumulators` for as many classes.
 *
 * @example
 * ```ts
 * const blender = new SlabBlender(plan, { grid, classes: [1, 2] });
 * for (const tile of plan.tiles) {
 *   blender.add(tile, await scoresOf(tile));
 *   for (const slab of blender.takeFinished()) console.log(slab.start);
 * }
 * ```
 */
export class SlabBlender {
  readonly #plan: TilePlan;
  readonly #grid: VoxelGrid;
  readonly #classes: readonly number[];
  readonly #outputTile: Zyx;
  readonly #segments: readonly Segment[];
  #opened = 0;
  #open: OpenSegment[] = [];
  #finished: ScoreSlab[] = [];
  readonly #memory: SlabMemory;
  #tilesAdded = 0;

  constructor(plan: TilePlan, { grid, classes }: BlendOptions) {
    if (!sameZyx(grid.shape, plan.outputShape)) {
      const expected = formatZyx(plan.outputShape);
      refuse(`the grid of ${formatZyx(grid.shape)} is not that of the plan's score map, ${expected}`);
    }
    if (classes.length === 0 || classes.some((index) => !Number.isInteger(index) || index < 0)) {
      refuse(`classes to blend must be one or more class indices, found [${classes.join(', ')}]`);
    }
    const { tile, outputStride: stride, outputShape, axis, starts } = plan;
    this.#plan = plan;
    this.#grid = grid;
    this.#classes = classes;
    this.#outputTile = [tile[0] / stride, tile[1] / stride, tile[2] / stride];
    const planes = Math.min(this.#outputTile[axis], outputShape[axis]);
    const plane = (classes.length * voxelCount(outputShape)) / outputShape[axis];
    this.#memory = new SlabMemory(planes * plane, { slack: plane });
    this.#segments = cutSegments(
      starts[axis].map((start) => start / stride),
      { tile: this.#outputTile[axis], length: plan.outputShape[axis] },
    );
  }

  /**
   * Adds the scores of the next tile of the plan.
   *
   * @param scores - C-order `[channel, z, y, x]` of one tile, the channels being the model's classes. Only read.
   * @throws {@link CryoetPicksError} `invalid-option` if it is not the plan's next tile or a channel is missing;
   * `model-failed` if a kept score is not finite, since one NaN would spread over all that overlaps it.
   */
  add(tile: Tile, scores: Float32Array): void {
    for (const _ of this.addInSteps(tile, scores));
  }

  /** As `add`, but stops after each piece of it, for whoever has other things to do; nothing else may be added meanwhile. */
  *addInSteps(tile: Tile, scores: Float32Array): Generator<void> {
    const next = this.#plan.tiles[this.#tilesAdded];
    if (next === undefined || !sameZyx(next.index, tile.index)) {
      const expected = next ? `expected the one at ${formatZyx(next.start)}` : 'all tiles were added';
      refuse(`the tile at voxel ${formatZyx(tile.start)} is out of order: ${expected}`);
    }
    const [size, channels] = [voxelCount(this.#outputTile), Math.max(...this.#classes) + 1];
    if (scores.length % size !== 0 || scores.length < channels * size) {
      refuse(`${scores.length} scores do not fill ${channels} or more channels of ${formatZyx(this.#outputTile)}`);
    }
    for (const channel of this.#classes) {
      requireFinite(scores.subarray(channel * size, (channel + 1) * size), tile);
      yield;
    }
    for (const _ of this.#openSegmentsOf(tile)) yield;
    for (let i = 0; i < this.#classes.length; i++) {
      for (const segment of this.#open) yield this.#addToSegment(segment, i, tile, scores);
    }
    this.#tilesAdded++;
    const { axis, tiles } = this.#plan;
    if (tiles[this.#tilesAdded]?.index[axis] !== tile.index[axis]) this.#finishRow(tile.index[axis]);
  }

  /** Hands over the slabs finished since the last call, in order. The blender forgets them. */
  takeFinished(): ScoreSlab[] {
    const finished = this.#finished;
    this.#finished = [];
    for (const { scores } of finished) this.#memory.handOut(scores.data);
    return finished;
  }

  /** Opens the segments, along the sweep axis, that a tile is the first to reach, one at a time. */
  *#openSegmentsOf(tile: Tile): Generator<void> {
    const { axis, outputShape, outputStride } = this.#plan;
    const end = tile.start[axis] / outputStride + this.#outputTile[axis];
    const plane = (this.#classes.length * voxelCount(outputShape)) / outputShape[axis];
    while (this.#opened < this.#segments.length && this.#segments[this.#opened].start < end) {
      const segment = this.#segments[this.#opened++];
      this.#open.push({ ...segment, sums: this.#memory.zeros(plane * (segment.end - segment.start)) });
      yield;
    }
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
      { data: scores, base: this.#classes[i] * voxelCount(outputTile), shape: outputTile },
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
      this.#finished.push({
        grid: this.#grid,
        axis,
        start,
        classes: this.#classes,
        scores: {
          data: sums,
          shape: [this.#classes.length, depth, height, width],
          stride: [depth * plane, plane, width, 1],
          offset: 0,
        },
        release: () => this.#memory.put(sums),
      });
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

/** Planes that a reader of slabs may still compare with those of the next one. */
const KEPT = 2;

/**
 * Passes slabs on to a reader that looks back two planes at most, as local maxima do, and gives their memory back as soon as
 * that reader asks for more: the last two planes of each slab it gets as a slab of their own, copied, whose memory is used again
 * once it has got two planes more.
 */
export async function* passSlabs(slabs: AsyncIterable<ScoreSlab>): AsyncGenerator<ScoreSlab, void, undefined> {
  const [spareScores, spareOffsets] = [new BufferPool(2), new BufferPool(2)];
  let last: ScoreSlab | undefined;
  for await (const slab of slabs) {
    const planes = slab.scores.shape[slab.axis + 1];
    const cut = Math.max(0, planes - KEPT);
    const tail = copyPlanes(slab, { from: cut, to: planes }, { spareScores, spareOffsets });
    if (cut > 0) yield { ...partOf(slab, (volume) => planesOf(volume, slab, 0, cut)), release: undefined };
    yield tail;
    slab.release?.();
    // Whoever looks back past this tail sees nothing of the one before.
    if (last && planes >= KEPT) {
      spareScores.put(last.scores.data);
      if (last.offsets) spareOffsets.put(last.offsets.data);
    }
    last = tail;
  }
}

/** The slab with other scores, and offsets where it has some. */
function partOf(slab: ScoreSlab, part: (volume: ScoreVolume) => ScoreVolume): ScoreSlab {
  return { ...slab, scores: part(slab.scores), offsets: slab.offsets && part(slab.offsets) };
}

/** A view of some planes along the sweep axis. */
function planesOf(volume: ScoreVolume, { axis }: ScoreSlab, from: number, to: number): ScoreVolume {
  const [channels, z, y, x] = volume.shape;
  const shape = replaceAxis([z, y, x], axis, to - from);
  return { ...volume, shape: [channels, ...shape], offset: volume.offset + from * volume.stride[axis + 1] };
}

function copyPlanes(
  slab: ScoreSlab,
  { from, to }: { readonly from: number; readonly to: number },
  { spareScores, spareOffsets }: { readonly spareScores: BufferPool; readonly spareOffsets: BufferPool },
): ScoreSlab {
  return {
    ...slab,
    scores: copyOf(planesOf(slab.scores, slab, from, to), spareScores),
    offsets: slab.offsets && copyOf(planesOf(slab.offsets, slab, from, to), spareOffsets),
    start: slab.start + from,
    release: undefined,
  };
}

function copyOf({ data, shape, stride, offset }: ScoreVolume, spare: BufferPool): ScoreVolume {
  const [classes, depth, height, width] = shape;
  const length = classes * depth * height * width;
  const copy = spare.take(length) ?? new Float32Array(length);
  let at = 0;
  for (let k = 0; k < classes; k++) {
    for (let z = 0; z < depth; z++) {
      for (let y = 0; y < height; y++, at += width) {
        const row = offset + k * stride[0] + z * stride[1] + y * stride[2];
        copy.set(data.subarray(row, row + width), at);
      }
    }
  }
  const plane = height * width;
  return { data: copy, shape, stride: [depth * plane, plane, width, 1], offset: 0 };
}
