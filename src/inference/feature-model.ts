import { CryoetPicksError } from '../core/errors.ts';
import type { Model, ModelSpec } from './model.ts';

/**
 * A model that gives features, too: what its network knows of each cell before it decides on classes. Asked for them by `output`,
 * `score` gives float32 `[n, feature, z, y, x]`, at the same output stride. Other particles can be taught with them. Any network
 * can be one.
 */
export interface FeatureModel extends Model {
  readonly featureCount: number;
}

/**
 * The features of a model as a model of its own, whose classes they are: they are cut into tiles, blended and streamed as scores
 * are. It takes no memory, and is not to be disposed.
 *
 * @throws {@link CryoetPicksError} `unsupported` for a model without features.
 */
export function featuresOf(model: Model): Model {
  const { spec, featureCount } = model;
  if (featureCount === undefined) throw withoutFeatures(spec);
  const { calibration, calibrationCurves, offsets, ...rest } = spec;
  const names = Array.from({ length: featureCount }, (_, i) => `feature ${i + 1}`);
  const perName = (value: number) => Object.fromEntries(names.map((name) => [name, value]));
  const own: ModelSpec = {
    ...rest,
    classes: names,
    activation: 'none',
    thresholds: perName(0),
    minDistances: perName(0),
  };
  return {
    spec: own,
    sha256: model.sha256,
    score: (tiles, options) => model.score(tiles, { ...options, output: 'features' }),
    callsAtOnce: model.callsAtOnce,
    dispose: async () => {},
  };
}

/** Says that a network has no features, and what it would need. */
export function withoutFeatures({ name }: Pick<ModelSpec, 'name'>): CryoetPicksError {
  return new CryoetPicksError(
    'unsupported',
    `model "${name}": this network gives no features: it needs a second output "features" [n, feature, z, y, x], with a fixed number ` +
      'of features, in which its logits are linear; training/unet/export.py writes such a file',
  );
}
