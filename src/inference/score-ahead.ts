import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import { formatZyx } from '../space/zyx.ts';
import type { Tile, TilePlan } from '../tiles/plan.ts';
import type { Model, ScoreBatch, TileBatch } from './model.ts';
import { type GivenTiles, scoreGiven } from './score-given.ts';

/** Tiles that were read and normalised. */
export interface ReadBatch {
  readonly tiles: readonly Tile[];
  readonly voxels: TileBatch;
}

/** Tiles and what the model makes of them. */
export interface ScoredBatch {
  readonly tiles: readonly Tile[];
  readonly scores: ScoreBatch;
  /** That of the voxels, where it may be used again. */
  readonly memory: Float32Array | undefined;
}

/** Options of {@link scoreAhead}. */
export interface ScoreAheadOptions {
  readonly plan: TilePlan;
  readonly model: Model;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Has the model work on a batch while the scores of the one before it are used; on several at once only where it says that
 * it takes them.
 */
export async function* scoreAhead(
  batches: AsyncIterable<ReadBatch>,
  options: ScoreAheadOptions,
): AsyncGenerator<ScoredBatch> {
  const { callsAtOnce = 1 } = options.model;
  const underWay: Promise<ScoredBatch>[] = [];
  try {
    for await (const batch of batches) {
      const scored = underWay.length < callsAtOnce ? undefined : await underWay.shift();
      const next = scoreBatch(batch, options);
      // Whoever awaits it sees the error.
      next.catch(() => {});
      underWay.push(next);
      if (scored) yield scored;
    }
    while (underWay.length > 0) yield await underWay.shift()!;
  } finally {
    await Promise.allSettled(underWay);
  }
}

async function scoreBatch(
  { tiles, voxels }: ReadBatch,
  { plan, model, signal }: ScoreAheadOptions,
): Promise<ScoredBatch> {
  signal?.throwIfAborted();
  const { name, classes } = model.spec;
  const where = `at voxel ${tiles.map(({ start }) => formatZyx(start)).join(', ')}`;
  let given: GivenTiles;
  try {
    given = await scoreGiven(model, voxels, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    if (isCryoetPicksError(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CryoetPicksError('model-failed', `model "${name}" failed on the tile ${where}: ${reason}`, {
      cause: error,
    });
  }
  signal?.throwIfAborted();
  const { scores, memory } = given;
  const expected = [tiles.length, classes.length, ...plan.tile.map((edge) => edge / plan.outputStride)];
  const length = expected.reduce((product, edge) => product * edge, 1);
  if (formatZyx(scores.shape) !== formatZyx(expected) || scores.data.length !== length) {
    throw new CryoetPicksError(
      'model-failed',
      `model "${name}" gave ${scores.data.length} scores of shape ${formatZyx(scores.shape)} for the tile ${where}; ` +
        `expected ${formatZyx(expected)} [n, class, z, y, x]: ${classes.length} classes, one score per ${plan.outputStride} voxels`,
    );
  }
  return { tiles, scores, memory };
}
