import type { Model, ScoreBatch, TileBatch } from './model.ts';

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
