import {
  abortSignal,
  callback,
  model as modelRule,
  oneOf,
  optional,
  plan as planRule,
  positiveCount,
  type RulesFor,
  requireArgument,
  requireOptions,
  source as sourceRule,
} from '../core/arguments.ts';
import { BufferPool } from '../core/buffer-pool.ts';
import { eventLoopTurn, forEachRange, mapOrdered, type Progress, type Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { coarseGrid, formatZyx, sameZyx, voxelCount } from '../space/grid.ts';
import { type ScoreSlab, type ScoreVolume, SlabBlender } from '../tiles/blend.ts';
import type { Tile, TilePlan } from '../tiles/plan.ts';
import { type Normalize, noNormalization } from '../volume/normalize.ts';
import { readPaddedInto, type VolumeSource } from '../volume/volume.ts';
import { activate } from './activation.ts';
import { type Activation, type Model, type ModelSpec, type ScoreBatch, type TileBatch, wrongOffsets } from './model.ts';

/** Options of {@link scoreSlabs}. */
export interface ScoreOptions {
  /** How the volume is cut, as {@link planTiles} gives it; its tile may differ from the model card's if the model takes it. */
  readonly plan: TilePlan;
  readonly model: Model;
  /** Applied to each tile; must fit `model.spec.normalization`. @defaultValue none */
  readonly normalize?: Normalize | undefined;
  /**
   * What is averaged where tiles overlap: scores after the activation, or before. Logits of a softmax need the memory of
   * all classes, background included. @defaultValue 'probabilities'
   */
  readonly average?: 'probabilities' | 'logits' | undefined;
  /** Tiles per call of the model. @defaultValue 1 */
  readonly batch?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called after the last slab with each warning of the source, such as chunks that were missing in the store. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * Scores a volume tile by tile with a model and yields the score map slab by slab, as it is finished.
 *
 * While the model works on a tile, the next one is read and normalised, and the scores of the one before are activated,
 * blended and used; classes that the card names `null` are dropped before blending wherever possible. Yields to
 * the event loop every 5 ms of that work. Score (k, j, i) of the slabs' grid is that of a cell of
 * `outputStride`³ voxels, at its centre. Leaving the loop early stops the reads; the model is never disposed.
 * On abort the call under way is awaited, unless the model ends it at the signal, and no further one starts.
 *
 * @param source - Voxels, of the shape that the plan was made for.
 * @returns Slabs `[class, z, y, x]`, consecutive along the sweep axis, without gaps, with the offsets of a model that gives
 * some, blended as scores are, and the calibration curves of the model card, which have not been applied; each belongs to the
 * caller, who may `release` it.
 * @throws {@link CryoetPicksError} `invalid-option` at once, if options and source do not fit each other; `model-failed`
 * if the model fails, or gives a shape that its card does not say or a score that is not finite. Errors of the source and
 * the abort reason are passed on untouched.
 *
 * @example
 * ```ts
 * const plan = planTiles(tomogram.grid.shape, model.spec);
 * for await (const slab of scoreSlabs(tomogram, { plan, model, normalize: zScore(intensity) })) {
 *   console.log(slab.start, slab.scores.shape);
 * }
 * ```
 */
export function scoreSlabs(source: VolumeSource, options: ScoreOptions): AsyncGenerator<ScoreSlab, void, undefined> {
  checkOptions(source, options);
  return runPlan(source, options);
}

function checkOptions(source: VolumeSource, options: ScoreOptions): void {
  requireArgument('scoreSlabs', 'source', source, sourceRule);
  const { plan, model } = requireOptions('scoreSlabs', options, scoreRules);
  const { grid } = source;
  const { name, outputStride, classes, offsets } = model.spec;
  if (!sameZyx(grid.shape, plan.shape)) {
    fail(
      'plan',
      `the plan is for a volume of ${formatZyx(plan.shape)} voxels, the source has ${formatZyx(grid.shape)}`,
    );
  }
  if (plan.outputStride !== outputStride) {
    fail('plan', `the plan has output stride ${plan.outputStride}, model "${name}" has ${outputStride}`);
  }
  if (classes.every((object) => object === null))
    fail('model', `model "${name}" names no class; every one of them is null`);
  const wrong = offsets && wrongOffsets(offsets, classes);
  if (wrong) fail('model', `offsets of model "${name}": ${wrong}`);
}

/** The options of scoring that fit any volume. */
export const scoringRules: RulesFor<Omit<ScoreOptions, 'plan' | 'normalize'>> = {
  model: modelRule,
  average: /* @__PURE__ */ oneOf('probabilities', 'logits', undefined),
  batch: /* @__PURE__ */ optional(positiveCount),
  signal: /* @__PURE__ */ optional(abortSignal),
  onProgress: /* @__PURE__ */ optional(callback),
  onWarning: /* @__PURE__ */ optional(callback),
};

const scoreRules: RulesFor<ScoreOptions> = {
  ...scoringRules,
  plan: planRule,
  normalize: /* @__PURE__ */ optional(callback),
};

function fail(option: string, message: string): never {
  throw new CryoetPicksError('invalid-option', `cannot score: ${message}`, { option });
}

/** The work of `scoreSlabs`. What is copied on the way of a tile, and why: docs/design/tiling.md. */
async function* runPlan(source: VolumeSource, options: ScoreOptions): AsyncGenerator<ScoreSlab, void, undefined> {
  const { plan, model, average = 'probabilities', batch = 1, signal, onProgress, onWarning } = options;
  const { activation, classes, calibrationCurves } = model.spec;
  const late = average === 'logits' ? activation : 'none';
  const early = average === 'logits' ? 'none' : activation;
  const channels = channelsOf(model.spec, late);
  const { activated, blended, blendedScores } = channels;
  const blender = new SlabBlender(plan, {
    grid: coarseGrid(source.grid, plan.outputStride),
    classes: blended.map((channel) => classes[channel] ?? ''),
    channels: blended,
  });
  const reader = new TileReader(source, options);
  // One batch is read while others are in the model, and the scores of the one before are blended.
  const batches = mapOrdered(inBatches(plan.tiles, batch), (tiles, stop) => reader.read(tiles, stop), {
    concurrency: 1,
    signal,
  });
  const scored = mapOrdered(batches, (one) => scoreBatch(one, options), { concurrency: model.callsAtOnce ?? 1 });
  let done = 0;
  for await (const { tiles, scores } of scored) {
    if (scores.tiles) reader.recycle(scores.tiles);
    const size = scores.data.length / tiles.length;
    for (let i = 0; i < tiles.length; i++) {
      const tileScores = scores.data.subarray(i * size, (i + 1) * size);
      const active = firstChannels(tileScores, activated, classes.length);
      await activate(early, active, activated);
      await blender.add(tiles[i], tileScores);
    }
    scores.release?.();
    done += tiles.length;
    onProgress?.({ stage: 'tiles', done, total: plan.tiles.length });
    for (const slab of blender.takeFinished()) {
      const active = firstChannels(slab.scores.data, blendedScores, blended.length);
      await activate(late, active, blendedScores);
      const own = selectOutputChannels(slab, channels, model.spec);
      await scaleOffsets(own, plan.outputStride);
      yield calibrationCurves ? { ...own, calibrationCurves } : own;
    }
    await eventLoopTurn();
    signal?.throwIfAborted();
  }
  for (const warning of source.warnings?.() ?? []) onWarning?.(warning);
}

function* inBatches(tiles: readonly Tile[], size: number): Generator<readonly Tile[]> {
  for (let i = 0; i < tiles.length; i += size) yield tiles.slice(i, i + size);
}

/** Voxels of a tile that are normalised in one piece, if each is normalised alone: a few milliseconds. */
const NORMALIZED_AT_ONCE = 2 ** 19;

/** Reads tiles and normalises them, in memory that the model handed back if there is some. */
class TileReader {
  readonly #source: VolumeSource;
  readonly #options: ScoreOptions;
  readonly #spare: BufferPool;

  constructor(source: VolumeSource, options: ScoreOptions) {
    this.#source = source;
    this.#options = options;
    this.#spare = new BufferPool((options.model.callsAtOnce ?? 1) + 1);
  }

  async read(tiles: readonly Tile[], signal: AbortSignal): Promise<ReadBatch> {
    const { plan, normalize = noNormalization } = this.#options;
    const [depth, height, width] = plan.tile;
    const size = voxelCount(plan.tile);
    const data = this.#spare.take(tiles.length * size) ?? new Float32Array(tiles.length * size);
    for (const [i, { start }] of tiles.entries()) {
      signal.throwIfAborted();
      const voxels = data.subarray(i * size, (i + 1) * size);
      const end = [start[0] + depth, start[1] + height, start[2] + width] as const;
      await readPaddedInto(this.#source, { start, end }, voxels, { signal });
      await eventLoopTurn();
      const normalizePiece = (from: number, to: number) => {
        const piece = voxels.subarray(from, to);
        const normalized = normalize(piece);
        if (normalized !== piece) piece.set(normalized);
      };
      await forEachRange(size, normalizePiece, normalize.pointwise ? NORMALIZED_AT_ONCE : size);
    }
    return { tiles, voxels: { data, shape: [tiles.length, depth, height, width] } };
  }

  /** Takes the memory of tiles that were scored. */
  recycle(data: Float32Array): void {
    this.#spare.put(data);
  }
}

/** Tiles that were read and normalised. */
interface ReadBatch {
  readonly tiles: readonly Tile[];
  readonly voxels: TileBatch;
}

/** Tiles and their scores. */
interface ScoredBatch {
  readonly tiles: readonly Tile[];
  readonly scores: ScoreBatch;
}

async function scoreBatch({ tiles, voxels }: ReadBatch, { plan, model, signal }: ScoreOptions): Promise<ScoredBatch> {
  signal?.throwIfAborted();
  const { name, classes } = model.spec;
  const where = `at voxel ${tiles.map(({ start }) => formatZyx(start)).join(', ')}`;
  let scores: ScoreBatch;
  try {
    scores = await model.score(voxels, { signal, transfer: true });
  } catch (error) {
    signal?.throwIfAborted();
    if (isCryoetPicksError(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CryoetPicksError('model-failed', `model "${name}" failed on the tile ${where}: ${reason}`, {
      cause: error,
    });
  }
  signal?.throwIfAborted();
  const expected = [tiles.length, classes.length, ...plan.tile.map((edge) => edge / plan.outputStride)];
  const length = expected.reduce((product, edge) => product * edge, 1);
  if (formatZyx(scores.shape) !== formatZyx(expected) || scores.data.length !== length) {
    throw new CryoetPicksError(
      'model-failed',
      `model "${name}" gave ${scores.data.length} scores of shape ${formatZyx(scores.shape)} for the tile ${where}; ` +
        `expected ${formatZyx(expected)} [n, class, z, y, x]: ${classes.length} classes, one score per ${plan.outputStride} voxels`,
    );
  }
  return { tiles, scores };
}

/** Which channels of a model's output are activated, blended and yielded. */
export interface Channels {
  /** How many of a tile there are to activate, the first ones: all but offsets. */
  readonly activated: number;
  /** The channels that are blended: scores first, then offsets along z, y, x. */
  readonly blended: readonly number[];
  /** How many of the blended ones are scores. */
  readonly blendedScores: number;
  /** The channels of named classes, in order: the scores that are yielded. */
  readonly named: readonly number[];
}

/** @param late - What is applied to blended scores: a softmax then needs the logits of every class. */
function channelsOf({ classes, offsets }: ModelSpec, late: Activation): Channels {
  const all = classes.map((_, index) => index);
  const named = all.filter((index) => classes[index] !== null);
  const activated = classes.length - (offsets?.length ?? 0);
  const scores = late === 'softmax' ? all.slice(0, activated) : named;
  return { activated, blended: [...scores, ...(offsets ?? [])], blendedScores: scores.length, named };
}

/** The first channels of C-order scores `[channel, …]`. */
function firstChannels(scores: Float32Array, count: number, of: number): Float32Array {
  return scores.subarray(0, (count * scores.length) / of);
}

/** A blended slab as it is yielded: scores of named classes, moved to the front of its memory, and offsets behind them. */
function selectOutputChannels(
  slab: ScoreSlab,
  { blended, blendedScores, named }: Channels,
  { classes: all }: ModelSpec,
): ScoreSlab {
  const { data } = slab.scores;
  const size = data.length / blended.length;
  const kept = blended.flatMap((channel, i) => (i >= blendedScores || named.includes(channel) ? [i] : []));
  // Ascending, so that no channel is overwritten before it was moved.
  kept.forEach((channel, i) => {
    if (channel !== i) data.copyWithin(i * size, channel * size, (channel + 1) * size);
  });
  const channels = (from: number, to: number): ScoreVolume => {
    const [, ...shape] = slab.scores.shape;
    return { ...slab.scores, data: data.subarray(from * size, to * size), shape: [to - from, ...shape] };
  };
  const classes = named.map((channel) => all[channel]!);
  const scores = channels(0, named.length);
  if (kept.length === named.length) return { ...slab, classes, scores };
  return { ...slab, classes, scores, offsets: channels(named.length, kept.length) };
}

/** Scales the offsets of a slab, in place, from voxels of the input to voxels of the score map. */
async function scaleOffsets({ offsets }: ScoreSlab, stride: number): Promise<void> {
  if (!offsets || stride === 1) return;
  const { data } = offsets;
  await forEachRange(data.length, (from, to) => {
    for (let i = from; i < to; i++) data[i] /= stride;
  });
}
