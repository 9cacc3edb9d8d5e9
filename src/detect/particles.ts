import {
  anything,
  flag,
  grid as gridRule,
  modelSpec,
  optional,
  type RulesFor,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import type { Progress, Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { Model, ModelSpec } from '../inference/model.ts';
import { type ScoreOptions, scoreSlabs, scoringRules } from '../inference/score.ts';
import { localMaxima } from '../peaks/local-maxima.ts';
import { type ParticlePick, toPick } from '../picks/pick.ts';
import { suppressNearby } from '../picks/suppress.ts';
import { formatZyx, type VoxelGrid, type Zyx } from '../space/grid.ts';
import { planTiles } from '../tiles/plan.ts';
import { measureIntensity } from '../volume/intensity.ts';
import { normalizerFor } from '../volume/normalize.ts';
import { assertVolumeSource, type VolumeSource } from '../volume/volume.ts';
import {
  type ChooseObjectsOptions,
  type ChosenObjects,
  chooseObjects,
  chooseRules,
  type DetectableObject,
} from './choose-objects.ts';

/** Options of {@link detectParticles}. */
export interface DetectOptions extends ChooseObjectsOptions {
  readonly model: Model;
  /** Objects to look for; others that the model knows are left out. @defaultValue every object of the model */
  readonly objects?: readonly DetectableObject[] | undefined;
  /** Voxels shared by neighbouring tiles along z, y, x. @defaultValue a quarter of the tile */
  readonly overlap?: Zyx | undefined;
  /** What is averaged where tiles overlap. @defaultValue 'probabilities' */
  readonly average?: ScoreOptions['average'];
  /** Tiles per call of the model: larger batches help where per-call overhead is high, as on a GPU. @defaultValue 1 */
  readonly batch?: number | undefined;
  /**
   * Search a tomogram even if more than half of its chunks are not in the store, so that most of its voxels are the fill value.
   * @defaultValue false: such a tomogram throws `corrupt-data`
   */
  readonly allowMissingChunks?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called for voxels that are not finite, and for chunks that were missing in the store. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * Finds the particles of a tomogram: objects, tile plan, intensity, scores, local maxima, picks, suppression, in that order.
 *
 * A transcript of public functions with no algorithm of its own; write the same lines to replace one of them. Options are
 * checked before the first voxel is read.
 *
 * @param source - The tomogram; its voxel size must be within 5 % of the model's.
 * @returns Picks in Å, best first.
 * @throws {@link CryoetPicksError} `invalid-option` if voxel size, objects or options do not fit the model; `corrupt-data` if the
 * volume holds no finite voxel or is constant, or more than half of its chunks are missing; `model-failed`; the abort reason of `signal`, untouched.
 *
 * @example
 * ```ts
 * const picks = await detectParticles(tomogram, { model, objects: project.objects });
 * ```
 */
export async function detectParticles(source: VolumeSource, options: DetectOptions): Promise<ParticlePick[]> {
  assertVolumeSource(source, 'detectParticles(tomogram, { model })');
  const { thresholds, minDistances } = checkDetectOptions(options, 'detectParticles');
  const { model, overlap, average, batch, allowMissingChunks, signal, onProgress, onWarning } = options;
  const { spec } = model;
  requireVoxelSize(source.grid, spec);

  const plan = planTiles(source.grid.shape, spec, { overlap });
  const intensity = await measureIntensity(source, { signal, onProgress, onWarning });
  if (!allowMissingChunks) requireMostChunks(source);
  const normalize = normalizerFor(spec.normalization, intensity);
  const slabs = scoreSlabs(source, { plan, model, normalize, average, batch, signal, onProgress, onWarning });

  const found: ParticlePick[] = [];
  for await (const peak of localMaxima(slabs, { threshold: thresholds, signal })) found.push(toPick(peak));

  return suppressNearby(found, { minDistance: minDistances });
}

/**
 * Chooses the objects, and checks all other options that do not depend on the tomogram, so that a mistake shows before any work.
 *
 * @throws {@link CryoetPicksError} `invalid-option`.
 */
export function checkDetectOptions(
  options: Omit<DetectOptions, 'onProgress'> & { readonly onProgress?: unknown },
  call: string,
): ChosenObjects {
  const { model, objects, ...rest } = options ?? {};
  if (!model) fail('pass a model, such as `await loadModel(ort)`: detectParticles(tomogram, { model })');
  requireOptions<Omit<DetectOptions, 'onProgress'>>(call, options, detectRules);
  return chooseObjects(model.spec, objects, rest);
}

/** What the options of detection must be; objects and overlap are checked with the model card. */
export const detectRules: RulesFor<DetectOptions> = {
  ...scoringRules,
  ...chooseRules,
  objects: anything,
  overlap: anything,
  allowMissingChunks: /* @__PURE__ */ optional(flag),
};

function fail(message: string): never {
  throw new CryoetPicksError('invalid-option', message);
}

/** Largest share of missing chunks that is searched without being asked to. */
const MAX_MISSING = 0.5;

/** @throws {@link CryoetPicksError} `corrupt-data` if a source that was read whole warns that more than half of its chunks are missing. */
function requireMostChunks(source: VolumeSource): void {
  const warning = source.warnings?.().find(({ code, share = 0 }) => code === 'chunks-missing' && share > MAX_MISSING);
  if (!warning) return;
  const { message, path } = warning;
  const remedy = 'To search it all the same, pass allowMissingChunks: true (--allow-missing-chunks)';
  throw new CryoetPicksError('corrupt-data', `${path ?? 'the tomogram'} is incomplete: ${message} ${remedy}`, { path });
}

/** True if the voxel size is within 5 % of the model's. */
export function fitsVoxelSize({ voxelSize }: VoxelGrid, { voxelSize: expected }: ModelSpec): boolean {
  return voxelSize.every((length) => Math.abs(length / expected - 1) <= 0.05);
}

/** True for a voxel size of 1 Å, which programs write if they do not know it. */
export function isUnknownVoxelSize({ voxelSize }: Pick<VoxelGrid, 'voxelSize'>): boolean {
  return voxelSize.every((length) => length === 1);
}

/**
 * @throws {@link CryoetPicksError} `invalid-option`, with the remedy, for a tomogram whose voxels the model was not made for: to
 *   resample it, or `voxelSizeRemedy` if its voxel size is unknown.
 */
export function requireVoxelSize(
  grid: VoxelGrid,
  spec: ModelSpec,
  options: { readonly remedy?: string | undefined; readonly voxelSizeRemedy?: string | undefined } = {},
): void {
  requireArgument('requireVoxelSize', 'grid', grid, gridRule);
  requireArgument('requireVoxelSize', 'spec', spec, modelSpec);
  const rules = { remedy: optional(text), voxelSizeRemedy: optional(text) };
  const {
    remedy = `pass resampled(tomogram, ${spec.voxelSize})`,
    voxelSizeRemedy = 'open it with the option voxelSize',
  } = requireOptions('requireVoxelSize', options, rules);
  if (fitsVoxelSize(grid, spec)) return;
  if (isUnknownVoxelSize(grid)) {
    fail(
      `the voxel size of the tomogram is unknown: it says 1 Å, which programs write if they do not know it; ${voxelSizeRemedy}, ` +
        `the true one in Å (model "${spec.name}" was made for voxels of ${spec.voxelSize} Å)`,
    );
  }
  fail(
    `model "${spec.name}" was made for voxels of ${spec.voxelSize} Å, the tomogram has ${formatZyx(grid.voxelSize)} Å ` +
      `(z×y×x); open a level or a voxel spacing within 5 % of it, or ${remedy}`,
  );
}
