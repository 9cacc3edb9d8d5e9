import {
  abortSignal,
  cardThresholds,
  count,
  flag,
  isFields,
  modelSpec,
  numbersByName,
  oneOf,
  optional,
  positiveBytes,
  positiveCount,
  positiveLength,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { Zyx } from '../space/grid.ts';
import { type CalibrationCurves, curvesRule } from '../tiles/calibration-curve.ts';
import { type Calibration, calibrationsRule } from './calibration.ts';
import type { CardThresholds } from './thresholds.ts';

/** Turns a network's raw output into scores: over classes, per class, or not at all. */
export type Activation = 'softmax' | 'sigmoid' | 'none';

/** The model card: what a network expects and gives. */
export interface ModelSpec {
  /** Name for messages and reports. */
  readonly name: string;
  /** Shape of an input tile, in voxels; a multiple of `outputStride`. */
  readonly tile: Zyx;
  /**
   * Edges of the tiles that the network takes: any multiples of this, the product of its strides. Tiles start at multiples of it,
   * too. Left out, the network takes `tile` and nothing else.
   */
  readonly tileMultiple?: number | undefined;
  /**
   * Minimum number of voxels that neighbouring tiles need to share along z, y, x, for the scores to be as good as with more.
   * Left out, tiles share a quarter.
   */
  readonly overlap?: Zyx | undefined;
  /**
   * Memory that the network takes while it scores a tile, in bytes per voxel of the tile. With it and `tileMultiple` tiles are
   * chosen for the least work; left out, they are at most as large as `tile`.
   */
  readonly bytesPerVoxel?: number | undefined;
  /** Voxels per score along each axis: the output of a tile has `tile / outputStride` scores along an axis. */
  readonly outputStride: 1 | 2 | 4;
  /** Voxel size that the network was made for, in Å. */
  readonly voxelSize: number;
  /** Name of each output class; `null` for background. Null classes are dropped before blending. */
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
  /**
   * The share of true picks by the score of their peak, per object. With a curve, thresholds and the scores of picks are such shares;
   * score maps are as the network gives them. Left out for an object, its scores are taken as they are.
   */
  readonly calibrationCurves?: CalibrationCurves | undefined;
  /**
   * Minimum score of a pick, per object: `{ balanced, competition }`, one set for people and one for submissions, or a single set
   * that serves as both. {@link ThresholdSet} says what the difference is.
   */
  readonly thresholds: CardThresholds;
  /** Minimum distance between two picks of an object, in Å. */
  readonly minDistances: Readonly<Record<string, number>>;
  /** How many picks of an object are false, by their scores. Left out for an object where scores do not tell. */
  readonly calibration?: Readonly<Record<string, Calibration>> | undefined;
  /**
   * Of a model with objects that were taught by picks: which, on the features of which network, and on what. Its scores are
   * probabilities as the network gives them, so wrappers that average logits refuse it.
   */
  readonly taught?: TaughtOn | undefined;
}

/** What the objects of a model were taught on. */
export interface TaughtOn {
  readonly objects: readonly string[];
  /** Name of the network whose features they are functions of, and its SHA-256, if it is known. */
  readonly network: string;
  readonly sha256?: string | undefined;
  /** Voxel sizes of the tomograms with the picks, in Å. */
  readonly voxelSizes: readonly number[];
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
   * Says that the caller no longer reads `data`, so that the model may write a later result into it: called at most once. Without
   * the call the memory is left to the garbage collector.
   */
  readonly release?: (() => void) | undefined;
  /** The memory of tiles that were given away by `transfer`, returned: the caller may write later tiles into it. */
  readonly tiles?: Float32Array | undefined;
}

/** Options of a model's `score`. */
export interface ScoreCallOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * True if the caller gives the tiles away and will not look at them again: the model may change them, keep them or send their
   * memory to another thread, and hands the memory back as `tiles` of the result once it no longer needs it. Otherwise the tiles
   * stay the caller's: the model only reads them, and no longer does when `score` has settled. @defaultValue false
   */
  readonly transfer?: boolean | undefined;
  /**
   * What to give: `scores`, or in place of the classes the `features` of a model that has some. A model without features need not
   * look at it. @defaultValue 'scores'
   */
  readonly output?: 'scores' | 'features' | undefined;
}

/** Anything that scores a batch of tiles. The code that opens a model disposes it. */
export interface Model {
  readonly spec: ModelSpec;
  /**
   * SHA-256 of the files it was loaded from, which distinguishes it from a model of the same name; wrappers add what they do. Absent if
   * unknown.
   */
  readonly sha256?: string | undefined;
  /**
   * Scores tiles. The result belongs to the caller, who may write into it: it shares no memory with the tiles, nor with an earlier
   * result that was not released.
   */
  score(tiles: TileBatch, options?: ScoreCallOptions): Promise<ScoreBatch>;
  /**
   * How many calls of `score` may be under way at once, so that the next one is there when the model has finished the one
   * before. @defaultValue 1
   */
  readonly callsAtOnce?: number | undefined;
  /** How many features `score` gives of each cell if it is asked for them by `output`. Absent of a model that has none. */
  readonly featureCount?: number | undefined;
  dispose(): Promise<void>;
}

declare global {
  /** As in TypeScript's lib `esnext.disposable`, for programs that are compiled without it. */
  interface SymbolConstructor {
    readonly asyncDispose: unique symbol;
  }
}

/** A model of this package: `await using model = await loadModel(ort)` disposes it at the end of the block. */
export interface DisposableModel extends Model {
  /** Disposes the model; there in engines that have `Symbol.asyncDispose`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Adds `Symbol.asyncDispose`, in engines that have it, to a model: it calls whatever `dispose` the model then has. */
export function disposable(model: Model): DisposableModel {
  const method = {
    async [Symbol.asyncDispose](this: Model) {
      await this.dispose();
    },
  };
  return { ...model, ...(Symbol.asyncDispose && method) } as DisposableModel;
}

const tileBatch: Rule = {
  expected: 'tiles { data, shape: [n, z, y, x] }',
  isValid: isFields,
  fields: {
    data: { expected: 'a Float32Array', isValid: (value) => value instanceof Float32Array },
    shape: { expected: 'four whole numbers ≥ 1, [n, z, y, x]', isValid: isTileShape },
  },
};

function isTileShape(shape: unknown): boolean {
  return Array.isArray(shape) && shape.length === 4 && shape.every((edge) => Number.isSafeInteger(edge) && edge > 0);
}

/** Checks the arguments of a model's `score`, and returns its options. */
export function requireScoreCall<T extends ScoreCallOptions>(tiles: TileBatch, options: T): T {
  requireArgument('model.score', 'tiles', tiles, tileBatch);
  const [n, z, y, x] = tiles.shape;
  if (tiles.data.length !== n * z * y * x) {
    const found = `${tiles.data.length} voxels do not fill ${n} tiles of ${z}×${y}×${x}`;
    throw new CryoetPicksError('invalid-option', `model.score: ${found}`, { option: 'tiles' });
  }
  requireOptions<ScoreCallOptions>('model.score', options, callRules);
  return options;
}

const callRules: RulesFor<ScoreCallOptions> = {
  signal: /* @__PURE__ */ optional(abortSignal),
  transfer: /* @__PURE__ */ optional(flag),
  output: /* @__PURE__ */ oneOf('scores', 'features', undefined),
};

const edges: Rule = {
  expected: 'three whole numbers ≥ 1, [z, y, x]',
  isValid: (value) => value === undefined || (Array.isArray(value) && isTileShape([1, ...value])),
};

/** What the fields of a model card must be; all but the classes may be left out. */
export const specRules: RulesFor<ModelSpec> = {
  name: /* @__PURE__ */ optional(text),
  tile: edges,
  tileMultiple: /* @__PURE__ */ optional(positiveCount),
  overlap: {
    expected: 'three whole numbers ≥ 0, [z, y, x]',
    isValid: (value) =>
      value === undefined || (Array.isArray(value) && value.length === 3 && value.every(count.isValid)),
  },
  bytesPerVoxel: /* @__PURE__ */ optional(positiveBytes),
  outputStride: /* @__PURE__ */ oneOf(1, 2, 4, undefined),
  voxelSize: /* @__PURE__ */ optional(positiveLength),
  classes: {
    expected: 'a list of class names, null for background',
    isValid: Array.isArray,
    items: { expected: 'a class name, or null', isValid: (value) => value === null || typeof value === 'string' },
  },
  offsets: {
    expected: 'three channels, [z, y, x]',
    isValid: (value) =>
      value === undefined || (Array.isArray(value) && value.length === 3 && value.every(Number.isInteger)),
  },
  activation: /* @__PURE__ */ oneOf('none', 'sigmoid', 'softmax', undefined),
  normalization: /* @__PURE__ */ oneOf('z-score', 'quantiles', 'min-max', 'none', undefined),
  contrast: /* @__PURE__ */ oneOf('dark', 'bright', undefined),
  thresholds: /* @__PURE__ */ optional(cardThresholds),
  minDistances: /* @__PURE__ */ optional(numbersByName),
  calibrationCurves: /* @__PURE__ */ optional(curvesRule),
  calibration: /* @__PURE__ */ optional(calibrationsRule),
  taught: /* @__PURE__ */ optional({
    expected: 'what objects were taught on { objects, network, voxelSizes }',
    isValid: isFields,
    fields: {
      objects: { expected: 'a list of object names', isValid: Array.isArray, items: text },
      network: text,
      voxelSizes: { expected: 'a list of voxel sizes in Å', isValid: Array.isArray, items: positiveLength },
    },
  }),
};

/** @throws {@link CryoetPicksError} `invalid-option` for anything but a model card. */
export function requireSpec(call: string, spec: ModelSpec): void {
  requireArgument(call, 'spec', spec, modelSpec);
  for (const name of Object.keys(specRules) as (keyof ModelSpec)[]) {
    requireArgument(call, `spec.${name}`, spec[name], specRules[name]);
  }
}

/** What is wrong with the offsets of a model card; undefined if nothing is. */
export function wrongOffsets(offsets: Zyx, classes: ModelSpec['classes']): string | undefined {
  const first = classes.length - 3;
  const isRight = (_: unknown, i: number) => offsets.includes(first + i) && classes[first + i] === null;
  if ([0, 0, 0].every(isRight)) return undefined;
  return `expected the channels of z, y, x, the last three and null among the classes; found [${offsets}] of ${classes.length}`;
}

/** @throws {@link CryoetPicksError} `invalid-option` for tiles whose memory another call has moved away. */
export function requireOwned({ data, shape }: TileBatch): void {
  if (data.length > 0) return;
  throw new CryoetPicksError(
    'invalid-option',
    `tiles of shape ${shape.join('×')} hold no voxels: an earlier call with \`transfer\` has moved their memory away`,
    { option: 'tiles' },
  );
}

/** True if an array is all that its buffer holds, so that the buffer may be moved to another thread. */
export function ownsItsBuffer({ buffer, byteLength }: Float32Array): boolean {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
}
