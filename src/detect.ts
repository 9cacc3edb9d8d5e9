import type { Progress } from './async.ts';
import type { Model } from './inference/model.ts';
import { type ScoreOptions, scoreSlabs } from './inference/score.ts';
import { localMaxima } from './peaks/local-maxima.ts';
import { type Pick, toPick } from './picks/pick.ts';
import { suppressNearby } from './picks/suppress.ts';
import type { Zyx } from './space/zyx.ts';
import { planTiles } from './tiles/plan.ts';
import { measureIntensity } from './volume/intensity.ts';
import { requireSource } from './volume/need-source.ts';
import { normalizerFor } from './volume/normalize.ts';
import type { VolumeSource } from './volume/volume.ts';

/** What detection needs to know of an object; copick's pickable objects have it. */
export interface DetectableObject {
  readonly name: string;
  /** False for objects that are segmented, not picked. @defaultValue true */
  readonly isParticle?: boolean | undefined;
  /** In Å; the least distance of two picks where the model's card gives none. */
  readonly radius?: number | null | undefined;
}

/** Options of {@link detectParticles}. */
export interface DetectOptions {
  readonly model: Model;
  /** Objects to look for; others that the model knows are left out. @defaultValue every object of the model */
  readonly objects?: readonly DetectableObject[] | undefined;
  /** Least score of a pick, per object; objects left out keep the card's threshold, or 0.5 where it has none. */
  readonly thresholds?: Readonly<Record<string, number>> | undefined;
  /** Least distance of two picks of an object, in Å; objects left out keep the card's, or the object's radius, or 0. */
  readonly minDistances?: Readonly<Record<string, number>> | undefined;
  /** Voxels shared by neighbouring tiles along z, y, x. @defaultValue a quarter of the tile */
  readonly overlap?: Zyx | undefined;
  /** What is averaged where tiles overlap. @defaultValue 'probabilities' */
  readonly average?: ScoreOptions['average'];
  /** Tiles per call of the model: more pay where a call costs much besides arithmetic, as on a GPU. @defaultValue 1 */
  readonly batch?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/**
 * Finds the particles of a tomogram: tile plan, intensity, scores, local maxima, picks, suppression, in that order.
 *
 * A transcript of the blocks with no algorithm of its own; write the same lines to replace one of them. Options are checked
 * before the first voxel is read.
 *
 * @param source - The tomogram; its voxel size must be within 5 % of the model's.
 * @returns Picks in Å, best first within each object.
 * @throws {@link CryoetPicksError} `invalid-option` if voxel size, objects or options do not fit the model; `corrupt-data` if the
 * volume holds no finite voxel or is constant; `model-failed`; the abort reason of `signal`, untouched.
 *
 * @example
 * ```ts
 * const picks = await detectParticles(tomogram, { model, objects: project.objects });
 * ```
 */
export async function detectParticles(source: VolumeSource, options: DetectOptions): Promise<Pick[]> {
  requireSource(source, 'detectParticles(tomogram, { model })');
  // Not part of what a page loads first.
  const choices = await import('./detect-options.ts');
  choices.checkDetectOptions(options);
  const { model, overlap, average, batch, signal, onProgress } = options;
  const { spec } = model;
  choices.requireVoxelSize(source.grid, spec);
  const wanted = new Map(choices.wantedObjects(spec, options).map((object) => [object.name, object]));

  const { tile, tileMultiple, outputStride } = spec;
  const plan = planTiles(source.grid.shape, { tile, tileMultiple, outputStride, overlap });
  const intensity = await measureIntensity(source, { signal, onProgress });
  const normalize = normalizerFor(spec.normalization, intensity);
  const slabs = scoreSlabs(source, { plan, model, normalize, average, batch, signal, onProgress });

  const found: Pick[] = [];
  const { passSlabs } = await import('./tiles/pass-slabs.ts');
  const threshold = (index: number): number => choices.thresholdOf(spec.classes[index] ?? '', options);
  for await (const peak of localMaxima(passSlabs(slabs), { threshold, signal })) {
    if (wanted.has(spec.classes[peak.classIndex] ?? '')) found.push(toPick(peak, spec.classes));
  }
  return suppressNearby(found, { minDistance: (name) => choices.minDistanceOf(name, wanted.get(name), options) });
}
