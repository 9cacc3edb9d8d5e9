import { listOf, model as modelRule, requireArgument, text } from '../core/arguments.ts';
import { BufferPool } from '../core/buffer-pool.ts';
import { eventLoopTurn, forEachRange } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  type DisposableModel,
  disposable,
  type Model,
  type ModelSpec,
  requireScoreCall,
  type ScoreBatch,
} from './model.ts';

/**
 * Averages a model over mirrored copies of each tile: test-time augmentation.
 *
 * Every combination of the given axes is scored, so n axes cost 2ⁿ calls, and the result mirrors exactly as the voxels do;
 * offsets along a mirrored axis change their sign on the way back. What is averaged is what `score` returns: logits, before
 * the activation. The calibration of the card is left out, since the scores are others; its calibration curves stay, since its
 * thresholds are such shares. Disposing it disposes the model.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if an axis is named twice or unknown, and for a model that was taught by picks.
 *
 * @example
 * ```ts
 * const model = averageOf(withFlips(unetA, ['y', 'x']), unetB);
 * ```
 */
export function withFlips(model: Model, axes: readonly ('z' | 'y' | 'x')[]): DisposableModel {
  requireArgument('withFlips', 'model', model, modelRule);
  requireArgument('withFlips', 'axes', axes, listOf('axes', text));
  requireLogits(model, 'withFlips');
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
  const [spareTiles, spareScores] = [new BufferPool(MAX_SPARES), new BufferPool(MAX_SPARES)];
  return disposable({
    spec: withoutCalibration(model.spec),
    sha256: model.sha256 && `${model.sha256} flipped along ${[...axes].sort().join(', ')}`,
    async score(tiles, callOptions = {}) {
      const { signal, transfer } = requireScoreCall(tiles, callOptions);
      const mean = await averageScores(combinations, { signal, spare: spareScores }, async (flipped) => {
        // All mirror images are made of these tiles, so they are not given away.
        if (!flipped.includes(true)) return model.score(tiles, { signal });
        const copy = await mirrored(tiles, flipped, spareTiles);
        const scores = await model.score(copy, { signal, transfer: true });
        if (scores.tiles) spareTiles.put(scores.tiles);
        const back = await mirrored(scores, flipped, spareScores);
        turnOffsets(back, model.spec, flipped);
        scores.release?.();
        await eventLoopTurn();
        return { ...back, release: spareScores.releaseOf(back.data) };
      });
      return { ...mean, tiles: transfer ? tiles.data : undefined };
    },
    callsAtOnce: model.callsAtOnce,
    dispose: () => model.dispose(),
  });
}

/**
 * Averages several models that agree on classes, offsets, tile, output stride, activation and normalisation: an ensemble.
 *
 * What is averaged is what `score` returns: logits, before the activation. Thresholds, calibration curves and distances are the
 * first model's; the calibration is left out, since the scores are others. Disposing it disposes all of them.
 *
 * @throws {@link CryoetPicksError} `invalid-option` without a model, naming the field in which two differ, and for models that were
 * taught by picks.
 */
export function averageOf(...models: readonly Model[]): DisposableModel {
  requireArgument('averageOf', 'models', models, listOf('models', modelRule));
  const [first] = models;
  if (first === undefined) throw new CryoetPicksError('invalid-option', 'averageOf needs at least one model');
  for (const model of models) requireLogits(model, 'averageOf');
  for (const { spec } of models) requireAgreement(first.spec, spec);
  const spare = new BufferPool(MAX_SPARES);
  return disposable({
    spec: {
      ...withoutCalibration(first.spec),
      name: models.map(({ spec }) => spec.name).join(' + '),
      bytesPerVoxel: sumOf(models.map(({ spec }) => spec.bytesPerVoxel)),
    },
    sha256: models.every(({ sha256 }) => sha256) ? models.map(({ sha256 }) => sha256).join(' + ') : undefined,
    async score(tiles, callOptions = {}) {
      const { signal, transfer } = requireScoreCall(tiles, callOptions);
      let handedBack: Float32Array | undefined;
      const mean = await averageScores([...models.keys()], { signal, spare }, async (i) => {
        // The tiles are given away to the last model, which is the last to read them.
        const scores = await models[i].score(tiles, { signal, transfer: transfer && i === models.length - 1 });
        handedBack = scores.tiles;
        return scores;
      });
      return { ...mean, tiles: handedBack };
    },
    // Each call has one call of one model under way at a time.
    callsAtOnce: Math.min(...models.map(({ callsAtOnce = 1 }) => callsAtOnce)),
    async dispose() {
      await Promise.all(models.map((model) => model.dispose()));
    },
  });
}

/** @throws {@link CryoetPicksError} `invalid-option` for a model that was taught by picks. */
function requireLogits({ spec: { name, taught } }: Model, call: string): void {
  if (taught === undefined) return;
  const what = `model "${name}" was taught by picks and gives probabilities; ${call} averages logits`;
  throw new CryoetPicksError('invalid-option', `${what}; search with it as it is, or average picks by mergeNearby`);
}

/** Each network keeps its memory; unknown if that of one is. */
function sumOf(bytes: readonly (number | undefined)[]): number | undefined {
  return bytes.reduce((sum, one) => (sum === undefined || one === undefined ? undefined : sum + one), 0);
}

function withoutCalibration({ calibration, ...spec }: ModelSpec): ModelSpec {
  return spec;
}

/** Arrays that wait to be used again: those of two calls at once. */
const MAX_SPARES = 4;

const FIELDS_THAT_AGREE = [
  'classes',
  'offsets',
  'tile',
  'tileMultiple',
  'overlap',
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

/** Offsets along mirrored axes point the other way. */
function turnOffsets({ data, shape }: ScoreBatch, { offsets }: ModelSpec, flipped: readonly boolean[]): void {
  const size = shape[2] * shape[3] * shape[4];
  for (let i = 0; i < shape[0]; i++) {
    offsets?.forEach((channel, axis) => {
      const from = (i * shape[1] + channel) * size;
      if (flipped[axis]) for (let j = from; j < from + size; j++) data[j] *= -1;
    });
  }
}

/** A copy of the batch with some of its last three axes mirrored, in spare memory if there is some. */
async function mirrored<S extends readonly number[]>(
  { data, shape }: { readonly data: Float32Array; readonly shape: S },
  flipped: readonly boolean[],
  spare: BufferPool,
): Promise<{ readonly data: Float32Array; readonly shape: S }> {
  const [depth, height, width] = shape.slice(-3);
  const [flipZ, flipY, flipX] = flipped;
  const copy = spare.take(data.length) ?? new Float32Array(data.length);
  const mirrorRows = (first: number, end: number) => {
    for (let row = first; row < end; row++) {
      const y = row % height;
      const z = Math.floor(row / height) % depth;
      const block = row - z * height - y;
      const from = block + (flipZ ? depth - 1 - z : z) * height + (flipY ? height - 1 - y : y);
      const line = data.subarray(from * width, (from + 1) * width);
      copy.set(line, row * width);
      if (flipX) copy.subarray(row * width, (row + 1) * width).reverse();
    }
  };
  await forEachRange(data.length / width, mirrorRows, Math.ceil(2 ** 19 / width));
  return { data: copy, shape };
}

/** Mean of the scores of several variants, one after the other. */
async function averageScores<T>(
  variants: readonly T[],
  { signal, spare }: { signal: AbortSignal | undefined; spare: BufferPool },
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
      await forEachRange(data.length, (from, to) => addInto(mean!.data, data, from, to));
    } else {
      const [a, b] = [mean.shape, shape].map((axes) => axes.join('×'));
      throw new CryoetPicksError('model-failed', `scores of shapes ${a} and ${b} cannot be averaged`);
    }
    release?.();
    await eventLoopTurn();
  }
  const { data, shape } = mean!;
  await forEachRange(data.length, (from, to) => divide(data, variants.length, from, to));
  return { data, shape, release: spare.releaseOf(data) };
}

function addInto(sum: Float32Array, values: Float32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) sum[i] += values[i];
}

function divide(values: Float32Array, by: number, from: number, to: number): void {
  for (let i = from; i < to; i++) values[i] /= by;
}
