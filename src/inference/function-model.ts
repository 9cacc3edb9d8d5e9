import {
  callback,
  describeValue,
  givenFields,
  quotedNames,
  requireArgument,
  requireOptions,
} from '../core/arguments.ts';
import { BufferPool } from '../core/buffer-pool.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { formatZyx, voxelCount, type Zyx } from '../space/grid.ts';
import { type DisposableModel, disposable, type ModelSpec, requireScoreCall, specRules } from './model.ts';
import { hasTwoSets } from './thresholds.ts';

/**
 * Scores one tile: C-order scores `[class, z, y, x]` of C-order voxels `[z, y, x]`, which it must not change. It may keep
 * them, and may return the same array every time: its scores are copied.
 */
export type ScoreTile = (voxels: Float32Array, shape: Zyx) => Float32Array | Promise<Float32Array>;

/** Options of {@link functionModel}: a model card of which only the classes must be given. */
export interface FunctionModelOptions extends Partial<Omit<ModelSpec, 'classes'>> {
  readonly classes: ModelSpec['classes'];
}

/**
 * Makes a model of a function that scores one tile: a filter, a template, a call to another service.
 *
 * By default tiles are 64³ voxels, one score per voxel, z-scored voxels in, scores taken as they are;
 * threshold 0.5, voxel size and minimum distances 10 Å.
 *
 * @throws {@link CryoetPicksError} `invalid-option`, naming the option, for classes without a name, values of an object that is no
 * class, and an output stride that does not divide the tile; `model-failed`, while scoring, if the function gives another number of
 * scores.
 *
 * @example
 * ```ts
 * const bright = functionModel((voxels) => voxels, { classes: ['bright spot'], thresholds: { 'bright spot': 3 } });
 * ```
 */
export function functionModel(scoreTile: ScoreTile, options: FunctionModelOptions): DisposableModel {
  requireArgument('functionModel', 'scoreTile', scoreTile, callback);
  requireOptions('functionModel', options, specRules);
  const names = options.classes.filter((name) => name !== null);
  const { thresholds = {} } = options;
  const usual = (value: number) => Object.fromEntries(names.map((name) => [name, value]));
  const spec: ModelSpec = {
    name: scoreTile.name || 'function',
    tile: [64, 64, 64],
    outputStride: 1,
    voxelSize: 10,
    activation: 'none',
    normalization: 'z-score',
    ...givenFields(options),
    classes: options.classes,
    thresholds: hasTwoSets(thresholds)
      ? {
          balanced: { ...usual(0.5), ...thresholds.balanced },
          competition: { ...usual(0.5), ...thresholds.competition },
        }
      : { ...usual(0.5), ...thresholds },
    minDistances: { ...usual(10), ...options.minDistances },
  };
  checkSpec(spec, names);
  const spare = new BufferPool(2);
  return disposable({
    spec,
    async score(given, callOptions = {}) {
      const { signal, transfer } = requireScoreCall(given, callOptions);
      const {
        data,
        shape: [n, z, y, x],
      } = given;
      // The function may keep its voxels, which stay the caller's unless they were given away.
      const tiles = transfer ? data : data.slice();
      const { outputStride: stride, classes } = spec;
      const size = z * y * x;
      const scores: Zyx = [z / stride, y / stride, x / stride];
      const perTile = classes.length * voxelCount(scores);
      const all = spare.take(n * perTile) ?? new Float32Array(n * perTile);
      for (let i = 0; i < n; i++) {
        signal?.throwIfAborted();
        const tile = await scoreTile(tiles.subarray(i * size, (i + 1) * size), [z, y, x]);
        if (tile?.length !== perTile) {
          throw new CryoetPicksError(
            'model-failed',
            `model "${spec.name}" gave ${tile?.length ?? describeValue(tile)} scores for a tile of ${z}×${y}×${x} voxels; ` +
              `expected ${perTile}: ${classes.length === 1 ? '1 class' : `${classes.length} classes`} of ${formatZyx(scores)}`,
          );
        }
        all.set(tile, i * perTile);
      }
      return { data: all, shape: [n, classes.length, ...scores], release: spare.releaseOf(all) };
    },
    dispose: async () => {},
  });
}

function checkSpec(
  { tile, outputStride, thresholds, minDistances, calibrationCurves = {} }: ModelSpec,
  names: readonly string[],
): void {
  const refuse = (option: string, message: string) => new CryoetPicksError('invalid-option', message, { option });
  if (names.length === 0) throw refuse('classes', 'classes names no object, expected at least one name');
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw refuse('classes', `classes names "${twice}" twice`);
  const sets = hasTwoSets(thresholds) ? Object.values(thresholds) : [thresholds];
  const named = [
    ...sets.map((values) => ['thresholds', values] as const),
    ['minDistances', minDistances] as const,
    ['calibrationCurves', calibrationCurves] as const,
  ];
  for (const [option, values] of named) {
    const unknown = Object.keys(values).find((name) => !names.includes(name));
    if (unknown === undefined) continue;
    throw refuse(option, `${option} names "${unknown}", which is no class; the classes are ${quotedNames(names)}`);
  }
  if (![1, 2, 4].includes(outputStride) || tile.some((length) => length % outputStride !== 0)) {
    const what = `outputStride is ${outputStride}, expected one of 1, 2 and 4 that divides the tile of ${formatZyx(tile)} voxels`;
    throw refuse('outputStride', what);
  }
}
