import { type RulesFor, requireOptions } from '../core/arguments.ts';
import { isOneLabelUsual } from '../inference/thresholds.ts';
import {
  type Candidates,
  checkMax,
  type PickingOptions,
  pickingRules,
  picksFromCandidates,
} from '../picks/candidates.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { assertVolumeSource, type VolumeSource } from '../volume/volume.ts';
import { detectCandidates, requireModel, type SearchOptions, searchRules } from './candidates.ts';
import { type ChooseObjectsOptions, type ChosenObjects, chooseObjects, chooseRules } from './choose-objects.ts';
import {
  type MaxFalseOptions,
  maxFalseRules,
  type Shares,
  sharesOf,
  type ThresholdsWithin,
  thresholdsWithin,
} from './max-false.ts';

/** Options of {@link detectParticles}. */
export interface DetectOptions extends SearchOptions, ChooseObjectsOptions, PickingOptions, MaxFalseOptions {}

/**
 * Finds the particles of a tomogram: `detectCandidates` down to the thresholds, then `picksFromCandidates`. With `maxFalse` it is
 * `detectCandidates` down to the floors, `chooseThresholds`, then `picksFromCandidates`. Block by block that is
 * objects, tile plan, intensity, scores, local maxima, picks, mask, suppression, across objects, maximum number, in that order.
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
  return (await detectWithThresholds(source, options)).picks;
}

/** Picks, the thresholds that `maxFalse` has chosen for them, and what they were made from. */
export interface PicksWithThresholds extends Pick<ThresholdsWithin, 'maxFalse'> {
  readonly picks: ParticlePick[];
  readonly candidates: Candidates;
}

/**
 * As {@link detectParticles}, and tells the thresholds that `maxFalse` has chosen.
 *
 * @param toFloors - True for all candidates, those too that the picks do not need: a submission is made of them.
 */
export async function detectWithThresholds(
  source: VolumeSource,
  options: DetectOptions,
  toFloors = false,
): Promise<PicksWithThresholds> {
  assertVolumeSource(source, 'detectParticles(tomogram, { model })');
  const { thresholds, acrossObjects, shares } = checkDetectOptions(options, 'detectParticles');
  const { mask, max, maxFalse, ...search } = options;
  const { onWarning } = options;

  const only = toFloors || maxFalse !== undefined ? {} : { thresholds, floors: thresholds };
  const candidates = await detectCandidates(source, { ...search, ...only });
  const { maxFalse: chosen, ...picking } = thresholdsWithin(candidates, { shares, thresholds, mask, onWarning });

  const picks = picksFromCandidates(candidates, { ...picking, mask, acrossObjects, max, onWarning });
  return { picks, maxFalse: chosen, candidates };
}

/** The objects, and whether they affect each other, as {@link PickingOptions} say it. */
type Chosen = Omit<ChosenObjects, 'acrossObjects'> & Required<Pick<PickingOptions, 'acrossObjects'>>;

/**
 * Chooses the objects, and checks all other options that do not depend on the tomogram, so that a mistake shows before any work.
 *
 * @throws {@link CryoetPicksError} `invalid-option`.
 */
export function checkDetectOptions(
  options: Omit<DetectOptions, 'onProgress'> & { readonly onProgress?: unknown },
  call: string,
): Chosen & { readonly shares: Shares } {
  requireModel(options, call);
  const { model, objects, thresholds, minDistances } = options;
  requireOptions<Omit<DetectOptions, 'onProgress'>>(call, options, detectRules);
  const chosen = chooseObjects(model.spec, objects, { thresholds, minDistances });
  checkMax(chosen.classes, options, call);
  const { acrossObjects = isOneLabelUsual(chosen, thresholds) } = options;
  return { ...chosen, acrossObjects, shares: sharesOf(chosen.classes, options, call) };
}

/** What the options of detection must be. */
export const detectRules: RulesFor<DetectOptions> = {
  ...searchRules,
  ...chooseRules,
  ...pickingRules,
  ...maxFalseRules,
};
