import { eventLoopTurns, mapOrdered, type Progress } from '../async.ts';
import { CryoetPicksError } from '../errors.ts';
import { coarseGrid } from '../space/grid.ts';
import { formatZyx, sameZyx, voxelCount } from '../space/zyx.ts';
import { type ScoreSlab, SlabBlender } from '../tiles/blend.ts';
import type { Tile, TilePlan } from '../tiles/plan.ts';
import { type Normalize, noNormalization } from '../volume/normalize.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { activate } from './activation.ts';
import type { Model } from './model.ts';
import type { ReadBatch } from './score-ahead.ts';

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
 * blended and used; classes that the card names `null` are dropped before blending wherever possible. Score (k, j, i) of the slabs' grid is that of the cell of
 * `outputStride`³ voxels, see {@link coarseGrid}. Leaving the loop early stops the reads; the model is never disposed.
 * On abort the call under way is awaited, unless it heeds the signal, and no further one starts.
 *
 * @param source - Voxels, of the shape that the plan was made for.
 * @returns Slabs `[class, z, y, x]`, consecutive along the sweep axis, without gaps; each belongs to the receiver.
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
  return runPlan(source, options);
}

async function* runPlan(source: VolumeSource, options: ScoreOptions): AsyncGenerator<ScoreSlab, void, undefined> {
  const { plan, model, average = 'probabilities', batch = 1, signal, onProgress } = options;
  const { activation, classes } = model.spec;
  const named = classes.flatMap((name, index) => (name === null ? [] : [index]));
  const all = classes.map((_, index) => index);
  const late = average === 'logits' ? activation : 'none';
  const early = average === 'logits' ? 'none' : activation;
  // A softmax after blending needs the logits of every class.
  const blended = late === 'softmax' ? all : named;
  const blender = new SlabBlender(plan, { grid: coarseGrid(source.grid, plan.outputStride), classes: blended });
  // Loaded with the first volume, so that a page that scores nothing never fetches it.
  const { scoreAhead } = await import('./score-ahead.ts');
  // One batch is read while one waits for the model and one is in it.
  const batches = mapOrdered(inBatches(plan.tiles, batch), (tiles, stop) => readTiles(source, tiles, options, stop), {
    concurrency: 1,
    signal,
  });
  const turn = eventLoopTurns();
  let done = 0;
  for await (const { tiles, scores } of scoreAhead(batches, options)) {
    const size = scores.data.length / tiles.length;
    for (let i = 0; i < tiles.length; i++) {
      const tileScores = scores.data.subarray(i * size, (i + 1) * size);
      activate(early, tileScores, classes.length);
      blender.add(tiles[i], tileScores);
    }
    done += tiles.length;
    onProgress?.({ stage: 'tiles', done, total: plan.tiles.length });
    for (const slab of blender.takeFinished()) {
      activate(late, slab.scores.data, blended.length);
      yield blended === named ? slab : keepClasses(slab, named);
    }
    await turn();
    signal?.throwIfAborted();
  }
}

function* inBatches(tiles: readonly Tile[], size: number): Generator<readonly Tile[]> {
  for (let i = 0; i < tiles.length; i += size) yield tiles.slice(i, i + size);
}

async function readTiles(
  source: VolumeSource,
  tiles: readonly Tile[],
  { plan, normalize = noNormalization }: ScoreOptions,
  signal: AbortSignal,
): Promise<ReadBatch> {
  const { readPaddedInto } = await import('../volume/padded.ts');
  const [depth, height, width] = plan.tile;
  const size = voxelCount(plan.tile);
  const data = new Float32Array(tiles.length * size);
  for (const [i, { start }] of tiles.entries()) {
    signal.throwIfAborted();
    const voxels = data.subarray(i * size, (i + 1) * size);
    const end = [start[0] + depth, start[1] + height, start[2] + width] as const;
    await readPaddedInto(source, { start, end }, voxels, { signal });
    const normalized = normalize(voxels);
    if (normalized !== voxels) voxels.set(normalized);
  }
  return { tiles, voxels: { data, shape: [tiles.length, depth, height, width] } };
}

/** The slab with some of its channels only, moved to the front of the same memory. */
function keepClasses(slab: ScoreSlab, classes: readonly number[]): ScoreSlab {
  const { data, shape, stride } = slab.scores;
  const [, depth, height, width] = shape;
  const size = stride[0];
  // Ascending, so that no channel is overwritten before it was moved.
  classes.forEach((channel, i) => {
    data.copyWithin(i * size, channel * size, (channel + 1) * size);
  });
  const kept = data.subarray(0, classes.length * size);
  return { ...slab, classes, scores: { data: kept, shape: [classes.length, depth, height, width], stride, offset: 0 } };
}

function checkOptions({ grid }: VolumeSource, { plan, model, batch = 1, average }: ScoreOptions): void {
  const { name, outputStride, classes } = model.spec;
  if (!sameZyx(grid.shape, plan.shape)) {
    fail(`the plan is for a volume of ${formatZyx(plan.shape)} voxels, the source has ${formatZyx(grid.shape)}`);
  }
  if (plan.outputStride !== outputStride) {
    fail(`the plan has output stride ${plan.outputStride}, model "${name}" has ${outputStride}`);
  }
  if (classes.every((object) => object === null)) fail(`model "${name}" names no class; every one of them is null`);
  if (!Number.isInteger(batch) || batch < 1) fail(`batch must be a whole number of at least 1, found ${batch}`);
  checkAverage(average);
}

/** Refuses an unknown way of averaging. @throws {@link CryoetPicksError} `invalid-option` */
export function checkAverage(average: ScoreOptions['average']): void {
  if (average === undefined || average === 'probabilities' || average === 'logits') return;
  fail(`average "${average}" is unknown; available: "probabilities", "logits"`);
}

function fail(message: string): never {
  throw new CryoetPicksError('invalid-option', `cannot score: ${message}`);
}
