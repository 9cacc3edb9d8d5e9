import type { ScoreSlab, ScoreVolume } from '../tiles/blend.ts';
import type { Activation, ModelSpec } from './model.ts';

/** Which channels of a model's output are activated, blended and handed on. */
export interface Channels {
  /** How many of a tile there are to activate, the first ones: all but offsets. */
  readonly activated: number;
  /** Those that are blended: scores first, then offsets along z, y, x. */
  readonly blended: readonly number[];
  /** How many of the blended ones are scores. */
  readonly blendedScores: number;
  /** Those of named classes, in order: the scores that are handed on. */
  readonly named: readonly number[];
}

/** @param late - What is applied to blended scores: a softmax then needs the logits of every class. */
export function channelsOf({ classes, offsets }: ModelSpec, late: Activation): Channels {
  const all = classes.map((_, index) => index);
  const named = all.filter((index) => classes[index] !== null);
  const activated = classes.length - (offsets?.length ?? 0);
  const scores = late === 'softmax' ? all.slice(0, activated) : named;
  return { activated, blended: [...scores, ...(offsets ?? [])], blendedScores: scores.length, named };
}

/** The first channels of C-order scores `[channel, …]`. */
export function firstChannels(scores: Float32Array, count: number, of: number): Float32Array {
  return scores.subarray(0, (count * scores.length) / of);
}

/** A blended slab as it is handed on: scores of named classes, moved to the front of its memory, and offsets behind them. */
export function handedOn(slab: ScoreSlab, { blended, blendedScores, named }: Channels): ScoreSlab {
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
  const scores = channels(0, named.length);
  if (kept.length === named.length) return { ...slab, classes: named, scores };
  return { ...slab, classes: named, scores, offsets: channels(named.length, kept.length) };
}

/** The offsets of a slab from voxels of the input to those of the score map, in place, one axis after the other. */
export function* scaleOffsets({ offsets, scores }: ScoreSlab, stride: number): Generator<void> {
  if (!offsets || stride === 1) return;
  const size = scores.stride[0];
  for (let from = 0; from < offsets.data.length; from += size) {
    for (let i = from; i < from + size; i++) offsets.data[i] /= stride;
    yield;
  }
}
