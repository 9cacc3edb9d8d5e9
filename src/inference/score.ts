import type { Progress } from '../async.ts';
import { CryoetPicksError } from '../errors.ts';
import { formatZyx, sameZyx } from '../space/zyx.ts';
import type { ScoreSlab } from '../tiles/blend.ts';
import type { TilePlan } from '../tiles/plan.ts';
import type { Normalize } from '../volume/normalize.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { Model } from './model.ts';
import { wrongOffsets } from './offsets.ts';

/** Options of {@link scoreSlabs}. */
export interface ScoreOptions {
  /** How the volume is cut, of {@link planTiles}; its tile may differ from the card's if the model takes it. */
  readonly plan: TilePlan;
  readonly model: Model;
  /** Applied to each tile; whoever scores chooses it to fit `model.spec.normalization`. @defaultValue none */
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
}

/**
 * Scores a volume tile by tile with a model and yields the score map slab by slab, while it goes.
 *
 * While the model works on a tile, the next one is read and normalised, and the scores of the one before are activated,
 * blended and used; classes that the card names `null` are dropped before blending wherever possible. Between pieces of that
 * work the event loop gets its turn. Score (k, j, i) of the slabs' grid is that of the cell of
 * `outputStride`³ voxels, see {@link coarseGrid}. Leaving the loop early stops the reads; the model is never disposed.
 * On abort the call under way is awaited, unless it heeds the signal, and no further one starts.
 *
 * @param source - Voxels, of the shape that the plan was made for.
 * @returns Slabs `[class, z, y, x]`, consecutive along the sweep axis, without gaps, with the offsets of a model that gives
 * some, blended as scores are; each belongs to the receiver, who may give its memory back by `release`.
 * @throws {@link CryoetPicksError} `invalid-option` at once, if options and source do not fit each other; `model-failed`
 * if the model fails, gives another shape than its card says, or a score that is not finite. Errors of the source and
 * the abort reason are passed on untouched.
 *
 * @example
 * ```ts
 * const plan = planTiles(tomogram.grid.shape, { tile: model.spec.tile, outputStride: model.spec.outputStride });
 * for await (const slab of scoreSlabs(tomogram, { plan, model, normalize: zScore(intensity) })) {
 *   console.log(slab.start, slab.scores.shape);
 * }
 * ```
 */
export function scoreSlabs(source: VolumeSource, options: ScoreOptions): AsyncGenerator<ScoreSlab, void, undefined> {
  checkOptions(source, options);
  return runLater(source, options);
}

/** Loads the runner with the first volume, so that a page that scores nothing never fetches it. */
async function* runLater(source: VolumeSource, options: ScoreOptions): AsyncGenerator<ScoreSlab, void, undefined> {
  const { runPlan } = await import('./run-plan.ts');
  yield* runPlan(source, options);
}

function checkOptions({ grid }: VolumeSource, { plan, model, batch, average }: ScoreOptions): void {
  const { name, outputStride, classes } = model.spec;
  if (!sameZyx(grid.shape, plan.shape)) {
    fail(`the plan is for a volume of ${formatZyx(plan.shape)} voxels, the source has ${formatZyx(grid.shape)}`);
  }
  if (plan.outputStride !== outputStride) {
    fail(`the plan has output stride ${plan.outputStride}, model "${name}" has ${outputStride}`);
  }
  if (classes.every((object) => object === null)) fail(`model "${name}" names no class; every one of them is null`);
  const wrong = wrongOffsets(model.spec);
  if (wrong) fail(`offsets of model "${name}": ${wrong}`);
  checkBatch(batch);
  checkAverage(average);
}

/** Refuses a batch of no tiles. @throws {@link CryoetPicksError} `invalid-option` */
export function checkBatch(batch: ScoreOptions['batch'] = 1): void {
  if (!Number.isInteger(batch) || batch < 1) fail(`batch must be a whole number of at least 1, found ${batch}`);
}

/** Refuses an unknown way of averaging. @throws {@link CryoetPicksError} `invalid-option` */
export function checkAverage(average: ScoreOptions['average']): void {
  if (average === undefined || average === 'probabilities' || average === 'logits') return;
  fail(`average "${average}" is unknown; available: "probabilities", "logits"`);
}

function fail(message: string): never {
  throw new CryoetPicksError('invalid-option', `cannot score: ${message}`);
}
