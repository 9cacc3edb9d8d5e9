import {
  anything,
  model as modelRule,
  optional,
  type RulesFor,
  requireArgument,
  requireOptions,
  source as sourceRule,
  text,
} from '../core/arguments.ts';
import type { Progress, Warning } from '../core/concurrency.ts';
import { featuresOf } from '../inference/feature-model.ts';
import type { Model } from '../inference/model.ts';
import { type ScoreOptions, scoreSlabs, scoringRules } from '../inference/score.ts';
import { coarseGrid, type Zyx } from '../space/grid.ts';
import { blockOf, type FeatureBlock, type TomogramFeatures } from '../teach/feature-map.ts';
import { memoryRule, type PlanOptions, planTiles, type TilePlan } from '../tiles/plan.ts';
import { measureIntensity } from '../volume/intensity.ts';
import { normalizerFor } from '../volume/normalize.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { requireVoxelSize } from './voxel-size.ts';

/** Options of {@link computeFeatures}. */
export interface ComputeFeaturesOptions {
  /** A {@link FeatureModel}. */
  readonly model: Model;
  /** The tomogram's run, as its picks name it. @defaultValue '' */
  readonly run?: string | undefined;
  /** As of `detectParticles`. */
  readonly overlap?: Zyx | undefined;
  /** As of `detectParticles`. */
  readonly memory?: PlanOptions['memory'];
  /** Tiles per call of the model. @defaultValue 1 */
  readonly batch?: ScoreOptions['batch'];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * Computes the features of a tomogram and keeps them in memory, for `teach`: tile plan, intensity, features tile by tile, blended as
 * scores are.
 *
 * Takes as long as a search, and 2 bytes per cell and feature: 290 MB for 184×630×630 voxels and the network of this package.
 *
 * @param source - The tomogram; its voxel size must be within 5 % of the model's.
 * @throws {@link CryoetPicksError} `unsupported` for a model without features; else as `detectParticles`.
 *
 * @example
 * ```ts
 * const features = await computeFeatures(tomogram, { model, run: 'TS_1' });
 * ```
 */
export async function computeFeatures(
  source: VolumeSource,
  options: ComputeFeaturesOptions,
): Promise<TomogramFeatures> {
  const call = 'computeFeatures';
  requireArgument(call, 'source', source, sourceRule);
  const {
    model,
    run = '',
    overlap,
    memory,
    batch,
    signal,
    onProgress,
    onWarning,
  } = requireOptions(call, options, rules);
  const network = featuresOf(model);
  const { spec } = network;
  requireVoxelSize(source.grid, model.spec, { warnings: source.warnings?.() });
  const plan = planTiles(source.grid.shape, spec, { overlap, memory });
  const intensity = await measureIntensity(source, { signal, onProgress, onWarning });
  const normalize = normalizerFor(spec.normalization, intensity);
  const blocks: FeatureBlock[] = [];
  const slabs = scoreSlabs(source, { plan, model: network, normalize, batch, signal, onProgress, onWarning });
  for await (const slab of slabs) blocks.push(await blockOf(slab));
  return {
    run,
    grid: coarseGrid(source.grid, plan.outputStride),
    voxelSize: source.grid.voxelSize,
    spec: model.spec,
    sha256: model.sha256,
    featureCount: spec.classes.length,
    blocks,
  };
}

/** Bytes of the features of a tomogram that are kept in memory. */
export function featureBytes({ shape, outputStride }: TilePlan, featureCount: number): number {
  const cells = shape.map((length) => Math.ceil(length / outputStride));
  return 2 * featureCount * cells.reduce((product, count) => product * count, 1);
}

const { average, ...scoring } = scoringRules;
const rules: RulesFor<ComputeFeaturesOptions> = {
  ...scoring,
  model: modelRule,
  run: /* @__PURE__ */ optional(text),
  overlap: anything,
  memory: memoryRule,
};
