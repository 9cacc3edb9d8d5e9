import { eventLoopTurn } from '../async.ts';
import { CryoetPicksError } from '../errors.ts';
import type { SpareMemory } from '../spare-memory.ts';
import type { ScoreBatch } from './model.ts';
import { inPieces } from './pieces.ts';

/** Mean of the scores of several variants, one after the other. */
export async function averageScores<T>(
  variants: readonly T[],
  { signal, spare }: { signal: AbortSignal | undefined; spare: SpareMemory },
  score: (variant: T) => Promise<ScoreBatch>,
): Promise<ScoreBatch> {
  let mean: Pick<ScoreBatch, 'data' | 'shape'> | undefined;
  for (const variant of variants) {
    signal?.throwIfAborted();
    const { data, shape, release } = await score(variant);
    if (mean === undefined) {
      // Summed in memory of its own: a model that hands its input back must not change the tiles of the next variant.
      const own = spare.take(data.length) ?? new Float32Array(data.length);
      own.set(data);
      mean = { data: own, shape };
    } else if (mean.data.length === data.length) {
      await inPieces(data.length, (from, to) => addInto(mean!.data, data, from, to));
    } else {
      const [a, b] = [mean.shape, shape].map((axes) => axes.join('×'));
      throw new CryoetPicksError('model-failed', `scores of shapes ${a} and ${b} cannot be averaged`);
    }
    release?.();
    await eventLoopTurn();
  }
  const { data, shape } = mean!;
  await inPieces(data.length, (from, to) => divide(data, variants.length, from, to));
  return { data, shape, release: () => spare.put(data) };
}

function addInto(sum: Float32Array, values: Float32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) sum[i] += values[i];
}

function divide(values: Float32Array, by: number, from: number, to: number): void {
  for (let i = from; i < to; i++) values[i] /= by;
}
