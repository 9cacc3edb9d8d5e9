import {
  anything,
  finiteScore,
  flag,
  optional,
  ownNumber,
  type PerObject,
  perObject,
  positiveCount,
  type RulesFor,
  requireOptions,
} from '../core/arguments.ts';
import type { Progress, Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { Model, ModelSpec } from '../inference/model.ts';
import { type ScoreOptions, scoreSlabs, scoringRules } from '../inference/score.ts';
import { givenNumbers } from '../inference/thresholds.ts';
import { localMaxima } from '../peaks/local-maxima.ts';
import { type Candidates, collectCandidates, requireKnown } from '../picks/candidates.ts';
import type { Zyx } from '../space/grid.ts';
import { memoryRule, type PlanOptions, planTiles } from '../tiles/plan.ts';
import { measureIntensity } from '../volume/intensity.ts';
import { normalizerFor } from '../volume/normalize.ts';
import { assertVolumeSource, type VolumeSource } from '../volume/volume.ts';
import {
  type ChooseObjectsOptions,
  type ChosenObjects,
  checkPerObject,
  chooseObjects,
  chooseRules,
  type DetectableObject,
} from './choose-objects.ts';
import { requireVoxelSize, untaughtVoxelSize } from './voxel-size.ts';

/** How a network searches a tomogram, whatever becomes of what it finds. */
export interface SearchOptions {
  readonly model: Model;
  /** Objects to look for; others that the model knows are left out. @defaultValue every object of the model */
  readonly objects?: readonly DetectableObject[] | undefined;
  /**
   * Minimum number of voxels that neighbouring tiles share along z, y, x.
   * @defaultValue the overlap of the model card, else a quarter of the tile
   */
  readonly overlap?: Zyx | undefined;
  /**
   * Maximum memory of tiles, scores and the network, in bytes, by which the tiles are chosen, as {@link planTiles} says. `'low'` is 400 MB.
   * @defaultValue 1 GB
   */
  readonly memory?: PlanOptions['memory'];
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
  /** Called for voxels that are not finite, for chunks that were missing in the store, and for what was assumed of an object. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/** How many candidates there shall be. */
export interface CandidateLimits {
  /**
   * Minimum score of a candidate, at most each threshold of its object: one for all objects, or a record of those that differ from
   * the default. @defaultValue one tenth of the lowest threshold in both sets of the model card, or the object's threshold if it is lower
   */
  readonly floors?: PerObject | undefined;
  /**
   * How many candidates of an object to keep, the best ones. All that reach one of its thresholds or are as good as the last one are kept,
   * however many there are. @defaultValue all that reach the floor
   */
  readonly candidatesPerObject?: number | undefined;
}

/** Options of {@link detectCandidates}. */
export interface DetectCandidatesOptions extends SearchOptions, ChooseObjectsOptions, CandidateLimits {
  /**
   * Numbers that replace those of both sets of the model card: one for all objects, or a record. The name of a set changes nothing, since
   * candidates are kept for both. @defaultValue those of the model card
   */
  readonly thresholds?: ChooseObjectsOptions['thresholds'];
}

/**
 * Finds the candidates of a tomogram: objects, tile plan, intensity, scores, local maxima, in that order. Which of them become
 * picks is decided later, by `picksFromCandidates`, as often as you like.
 *
 * A transcript of public functions with no algorithm of its own; write the same lines to replace one of them. Options are
 * checked before the first voxel is read.
 *
 * @param source - The tomogram; its voxel size must be within 5 % of the model's.
 * @throws {@link CryoetPicksError} As `detectParticles`.
 *
 * @example
 * ```ts
 * const candidates = await detectCandidates(tomogram, { model, objects: project.objects });
 * const few = picksFromCandidates(candidates, { thresholds: 0.9 });
 * const many = picksFromCandidates(candidates, { thresholds: 0.3 });
 * ```
 */
export async function detectCandidates(source: VolumeSource, options: DetectCandidatesOptions): Promise<Candidates> {
  const call = 'detectCandidates';
  assertVolumeSource(source, `${call}(tomogram, { model })`);
  requireModel(options, call);
  requireOptions(call, options, candidateRules);
  const { model, overlap, memory, average, batch, allowMissingChunks, candidatesPerObject } = options;
  const { signal, onProgress, onWarning } = options;
  const { spec } = model;
  const chosen = chooseObjects(spec, options.objects, {
    ...{ thresholds: givenNumbers(options.thresholds), minDistances: options.minDistances, onWarning },
  });
  const { classes: objects, thresholds, competitionThresholds, minDistances } = chosen;
  const floors = floorsOf(spec, chosen, options);
  requireVoxelSize(source.grid, spec, { warnings: source.warnings?.() });
  for (const warning of untaughtVoxelSize(source.grid, spec)) onWarning?.(warning);

  const plan = planTiles(source.grid.shape, spec, { overlap, memory });
  const intensity = await measureIntensity(source, { signal, onProgress, onWarning });
  if (!allowMissingChunks) requireMostChunks(source);
  const normalize = normalizerFor(spec.normalization, intensity);
  const slabs = scoreSlabs(source, { plan, model, normalize, average, batch, signal, onProgress, onWarning });
  const peaks = localMaxima(slabs, { threshold: floors, signal });

  return collectCandidates(peaks, {
    ...{ grid: source.grid, objects, thresholds, competitionThresholds, minDistances, floors },
    calibration: calibrationOf(spec, objects, { average }),
    candidatesPerObject,
  });
}

/** The calibrations of the objects that have one. They are for averages of probabilities, as they were fitted to. */
export function calibrationOf(
  { calibration = {} }: ModelSpec,
  objects: readonly string[],
  { average }: Pick<SearchOptions, 'average'>,
): Candidates['calibration'] {
  if (average === 'logits') return undefined;
  const own = objects.filter((object) => Object.hasOwn(calibration, object));
  return own.length === 0 ? undefined : Object.fromEntries(own.map((object) => [object, calibration[object]!]));
}

/** @throws {@link CryoetPicksError} `invalid-option`, with how to get one, if there is no model. */
export function requireModel(options: { readonly model: Model } | undefined, call: string): void {
  if (options?.model) return;
  const message = `pass a model, such as \`await loadModel(ort)\`: ${call}(tomogram, { model })`;
  throw new CryoetPicksError('invalid-option', message);
}

/** What the options of a search must be; objects and overlap are checked with the model card. */
export const searchRules: RulesFor<SearchOptions> = {
  ...scoringRules,
  objects: anything,
  overlap: anything,
  memory: memoryRule,
  allowMissingChunks: /* @__PURE__ */ optional(flag),
};

/** What the options that limit candidates must be. */
export const limitRules: RulesFor<CandidateLimits> = {
  floors: /* @__PURE__ */ optional(perObject),
  candidatesPerObject: /* @__PURE__ */ optional(positiveCount),
};

const candidateRules: RulesFor<DetectCandidatesOptions> = { ...searchRules, ...chooseRules, ...limitRules };

/**
 * The floor of each object.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if one is not finite, above a threshold of its object, or of an object that
 *   is not looked for.
 */
export function floorsOf(
  spec: ModelSpec,
  { thresholds, competitionThresholds = {} }: Pick<ChosenObjects, 'thresholds' | 'competitionThresholds'>,
  { floors = {} }: CandidateLimits,
): Readonly<Record<string, number>> {
  checkPerObject(spec, { option: 'floors', value: floors, rule: finiteScore });
  requireKnown(Object.keys(thresholds), { option: 'floors', value: floors, call: 'detectCandidates' });
  const card = chooseObjects(spec);
  const usual = Math.min(...Object.values(card.thresholds), ...Object.values(card.competitionThresholds ?? {}));
  const floorOf = ([object, own]: [string, number]): [string, number] => {
    const threshold = Math.min(own, ownNumber(competitionThresholds, object) ?? own);
    const given = typeof floors === 'number' ? floors : ownNumber(floors, object);
    if (given === undefined) return [object, Math.min(usual > 0 ? usual / 10 : usual, threshold)];
    if (given <= threshold) return [object, given];
    const message = `floors of "${object}" is ${given}, which is above its threshold, ${threshold}`;
    throw new CryoetPicksError('invalid-option', `${message}; expected at most that`, { option: 'floors' });
  };
  return Object.fromEntries(Object.entries(thresholds).map(floorOf));
}

/** Largest share of missing chunks that is searched without being asked to. */
const MAX_MISSING = 0.5;

/** @throws {@link CryoetPicksError} `corrupt-data` if a source that was read whole warns that more than half of its chunks are missing. */
function requireMostChunks(source: VolumeSource): void {
  const warning = source.warnings?.().find(({ code, share = 0 }) => code === 'chunks-missing' && share > MAX_MISSING);
  if (!warning) return;
  const { message, path } = warning;
  const remedy = 'To search it all the same, set the option allowMissingChunks';
  throw new CryoetPicksError('corrupt-data', `${path ?? 'the tomogram'} is incomplete: ${message} ${remedy}`, { path });
}
