import { eventLoopTurn } from '../async.ts';
import { CryoetPicksError } from '../errors.ts';
import { SpareMemory } from '../spare-memory.ts';
import type { Model, ModelSpec } from './model.ts';
import { scoreGiven } from './score-given.ts';

/**
 * Averages a model over mirrored copies of each tile: test-time augmentation.
 *
 * Every combination of the given axes is scored, so n axes cost 2ⁿ calls, and the result mirrors exactly as the voxels do;
 * offsets along a mirrored axis change their sign on the way back. What is averaged is what `score` returns: logits, before
 * the activation. Disposing it disposes the model.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if an axis is named twice or unknown.
 *
 * @example
 * ```ts
 * const model = averageOf(withFlips(unetA, ['y', 'x']), unetB);
 * ```
 */
export function withFlips(model: Model, axes: readonly ('z' | 'y' | 'x')[]): Model {
  const indices = axes.map((axis) => ['z', 'y', 'x'].indexOf(axis));
  if (indices.includes(-1) || new Set(indices).size < axes.length) {
    throw new CryoetPicksError(
      'invalid-option',
      `axes to flip must be some of "z", "y", "x", each once; found [${axes.join(', ')}]`,
    );
  }
  const combinations = Array.from({ length: 2 ** axes.length }, (_, bits) =>
    [0, 1, 2].map((axis) => indices.some((index, i) => index === axis && (bits >> i) % 2 === 1)),
  );
  const [spareTiles, spareScores] = [new SpareMemory(SPARES), new SpareMemory(SPARES)];
  return {
    spec: model.spec,
    async score(tiles, options = {}) {
      // Not part of what a page loads first.
      const { averageScores } = await import('./average-scores.ts');
      const { mirrored, turnOffsets } = await import('./mirrored.ts');
      return averageScores(combinations, { signal: options.signal, spare: spareScores }, async (flipped) => {
        if (!flipped.includes(true)) return model.score(tiles, options);
        const copy = await mirrored(tiles, flipped, spareTiles);
        const { scores, memory } = await scoreGiven(model, copy, options);
        if (memory) spareTiles.put(memory);
        const back = await mirrored(scores, flipped, spareScores);
        turnOffsets(back, model.spec, flipped);
        scores.release?.();
        await eventLoopTurn();
        return { ...back, release: () => spareScores.put(back.data) };
      });
    },
    ...runningOf([model]),
    dispose: () => model.dispose(),
  };
}

/**
 * Averages several models that agree on classes, offsets, tile, output stride, activation and normalisation: an ensemble.
 *
 * What is averaged is what `score` returns: logits, before the activation. Thresholds and distances are the first
 * model's. Disposing it disposes all of them.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if there is none, or naming the field in which two differ.
 */
export function averageOf(...models: readonly Model[]): Model {
  const [first] = models;
  if (first === undefined) throw new CryoetPicksError('invalid-option', 'averageOf needs at least one model');
  for (const { spec } of models) requireAgreement(first.spec, spec);
  const spare = new SpareMemory(SPARES);
  return {
    spec: { ...first.spec, name: models.map(({ spec }) => spec.name).join(' + ') },
    async score(tiles, options = {}) {
      const { averageScores } = await import('./average-scores.ts');
      const memory = { signal: options.signal, spare };
      return averageScores(models, memory, (model) => model.score(tiles, options));
    },
    ...runningOf(models),
    async dispose() {
      await Promise.all(models.map((model) => model.dispose()));
    },
  };
}

/** Arrays that wait to be used again: those of two calls at once. */
const SPARES = 4;

/** What all of these models let a runner do. */
function runningOf(models: readonly Model[]): Omit<Model, 'spec' | 'score' | 'dispose'> {
  return {
    keepsTiles: models.every(({ keepsTiles }) => keepsTiles === false) ? false : undefined,
    // Each call has one of theirs under way at a time.
    callsAtOnce: Math.min(...models.map(({ callsAtOnce = 1 }) => callsAtOnce)),
  };
}

const FIELDS_THAT_AGREE = [
  'classes',
  'offsets',
  'tile',
  'tileMultiple',
  'outputStride',
  'voxelSize',
  'activation',
  'normalization',
] as const;

function requireAgreement(a: ModelSpec, b: ModelSpec): void {
  for (const field of FIELDS_THAT_AGREE) {
    const [ofA, ofB] = [JSON.stringify(a[field]), JSON.stringify(b[field])];
    if (ofA === ofB) continue;
    throw new CryoetPicksError(
      'invalid-option',
      `models "${a.name}" and "${b.name}" cannot be averaged: ${field} is ${ofA} and ${ofB}`,
    );
  }
}
