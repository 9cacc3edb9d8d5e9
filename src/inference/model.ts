import type { Zyx } from '../space/zyx.ts';

/** Turns a network's raw output into scores: over classes, per class, or not at all. */
export type Activation = 'softmax' | 'sigmoid' | 'none';

/** What a network expects and gives: its card. */
export interface ModelSpec {
  /** Name for messages and reports. */
  readonly name: string;
  /** Shape of an input tile, in voxels; a multiple of `outputStride`. */
  readonly tile: Zyx;
  /** Edges of the tiles that the network takes: any multiples of this, up to `tile`. Left out, it takes `tile` and nothing else. */
  readonly tileMultiple?: number | undefined;
  /** Voxels per score along each axis: the output of a tile has `tile / outputStride` scores along an axis. */
  readonly outputStride: 1 | 2 | 4;
  /** Voxel size that the network was made for, in Å. */
  readonly voxelSize: number;
  /** Name of each output class; `null` for one that is no object (background). Null classes are dropped before blending. */
  readonly classes: readonly (string | null)[];
  /**
   * Of an anchor-free network: the channels that hold, along z, y and x, how far the particle's centre lies from that of the
   * cell, in voxels of the input. They are the last three channels, in any order, and `null` among the classes. They are
   * neither activated nor searched: peaks are moved by them.
   */
  readonly offsets?: Zyx | undefined;
  readonly activation: Activation;
  /** How voxels are normalised before they enter. */
  readonly normalization: 'z-score' | 'quantiles' | 'min-max' | 'none';
  /** Whether protein is darker or brighter than what lies around it, in the volumes that the network was made for. */
  readonly contrast?: 'dark' | 'bright' | undefined;
  /** Least score of a peak, per object. */
  readonly thresholds: Readonly<Record<string, number>>;
  /** Least distance between two picks of an object, in Å. */
  readonly minDistances: Readonly<Record<string, number>>;
}

/** Float32 tiles `[n, z, y, x]` in C-order. */
export interface TileBatch {
  readonly data: Float32Array;
  readonly shape: readonly [n: number, z: number, y: number, x: number];
}

/** Float32 scores `[n, class, z, y, x]` in C-order, before activation; all classes of the card, in its order. */
export interface ScoreBatch {
  readonly data: Float32Array;
  readonly shape: readonly [n: number, classes: number, z: number, y: number, x: number];
  /**
   * Gives the memory of `data` back to the model, which may write a later result into it: called at most once, by an owner
   * who no longer reads it. Without the call it is freed as any other.
   */
  readonly release?: (() => void) | undefined;
}

/**
 * The seam for networks: anything that scores a batch of tiles. Whoever opens a model disposes it.
 */
export interface Model {
  readonly spec: ModelSpec;
  /**
   * Scores tiles, which it must not change. The result belongs to the caller, who may write into it: it is memory of its
   * own, neither the tiles' nor that of an earlier result that was not released.
   */
  score(tiles: TileBatch, options?: { readonly signal?: AbortSignal | undefined }): Promise<ScoreBatch>;
  /**
   * False where the model never looks at tiles again once `score` has settled: the runner then writes later tiles into their
   * memory. Left out, every batch comes in fresh memory, and the model may keep its tiles.
   */
  readonly keepsTiles?: false | undefined;
  /**
   * How many calls of `score` may be under way at once, so that the next one is there when the model has finished the one
   * before. @defaultValue 1
   */
  readonly callsAtOnce?: number | undefined;
  dispose(): Promise<void>;
}

/** What is wrong with a card's offsets; nothing where they are right or there are none. */
export function wrongOffsets({ offsets, classes }: ModelSpec): string | undefined {
  const first = classes.length - 3;
  const isRight = (_: unknown, i: number) => offsets?.includes(first + i) && classes[first + i] === null;
  if (!offsets || [0, 0, 0].every(isRight)) return undefined;
  return `expected the channels of z, y, x, the last three and null among the classes; found [${offsets}] of ${classes.length}`;
}

/** Scores, and the memory of their tiles, where it may be written to from now on. */
export interface GivenTiles {
  readonly scores: ScoreBatch;
  readonly memory?: Float32Array | undefined;
}

/** Scores tiles that nobody else looks at any more. */
export type ScoreGiven = (tiles: TileBatch, options: Parameters<Model['score']>[1]) => Promise<GivenTiles>;

const ways = new WeakMap<Model['score'], ScoreGiven>();

/**
 * Ties to a model's `score` a way to score tiles whose memory it may take away, to another thread. It is bound to that
 * function, not a property of the model: a wrapper that scores the same tiles twice never loses them.
 */
export function tieScoreGiven(score: Model['score'], given: ScoreGiven): Model['score'] {
  ways.set(score, given);
  return score;
}

/** Scores tiles that the caller will not look at again, whatever the model. */
export async function scoreGiven(
  model: Model,
  tiles: TileBatch,
  options: Parameters<Model['score']>[1],
): Promise<GivenTiles> {
  const given = ways.get(model.score);
  if (given) return given(tiles, options);
  const scores = await model.score(tiles, options);
  return { scores, memory: model.keepsTiles === false ? tiles.data : undefined };
}
