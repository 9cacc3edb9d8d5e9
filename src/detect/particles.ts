import type { Progress } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { Model, ModelSpec } from '../inference/model.ts';
import { checkAverage, checkBatch, type ScoreOptions, scoreSlabs } from '../inference/score.ts';
import { localMaxima } from '../peaks/local-maxima.ts';
import { lengthPerObject, type ParticlePick, toPick } from '../picks/pick.ts';
import { suppressNearby } from '../picks/suppress.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { formatZyx, type Zyx } from '../space/zyx.ts';
import { planTiles } from '../tiles/plan.ts';
import { measureIntensity } from '../volume/intensity.ts';
import { normalizerFor } from '../volume/normalize.ts';
import { assertVolumeSource, type VolumeSource } from '../volume/volume.ts';

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
export async function detectParticles(source: VolumeSource, options: DetectOptions): Promise<ParticlePick[]> {
  assertVolumeSource(source, 'detectParticles(tomogram, { model })');
  checkDetectOptions(options);
  const { model, overlap, average, batch, signal, onProgress } = options;
  const { spec } = model;
  requireVoxelSize(source.grid, spec);
  const wanted = new Map(wantedObjects(spec, options).map((object) => [object.name, object]));

  const { tile, tileMultiple, outputStride } = spec;
  const plan = planTiles(source.grid.shape, { tile, tileMultiple, outputStride, overlap });
  const intensity = await measureIntensity(source, { signal, onProgress });
  const normalize = normalizerFor(spec.normalization, intensity);
  const slabs = scoreSlabs(source, { plan, model, normalize, average, batch, signal, onProgress });

  const found: ParticlePick[] = [];
  const { passSlabs } = await import('../tiles/blend.ts');
  const threshold = (index: number): number => thresholdOf(spec.classes[index] ?? '', options);
  for await (const peak of localMaxima(passSlabs(slabs), { threshold, signal })) {
    if (wanted.has(spec.classes[peak.classIndex] ?? '')) found.push(toPick(peak, spec.classes));
  }
  return suppressNearby(found, { minDistance: (name) => minDistanceOf(name, wanted.get(name), options) });
}

/** The objects that are both asked for and known to the model. */
export function wantedObjects(
  spec: ModelSpec,
  { objects }: { readonly objects?: readonly DetectableObject[] | undefined },
): DetectableObject[] {
  const known = spec.classes.filter((name) => name !== null);
  if (objects === undefined) return known.map((name) => ({ name }));
  const wanted = objects.filter(({ name, isParticle = true }) => isParticle && known.includes(name));
  if (wanted.length > 0) return wanted;
  return fail(
    `none of the objects is a class of model "${spec.name}": asked for ${listOf(objects.map(({ name }) => name))}, ` +
      `the model finds ${listOf(known)}`,
  );
}

/**
 * Refuses options that no tomogram could be searched with, so that a mistake shows before any work.
 *
 * @throws {@link CryoetPicksError} `invalid-option`.
 */
export function checkDetectOptions(options: Omit<DetectOptions, 'onProgress'>): void {
  if (!options?.model?.spec)
    fail('hand in a model, such as `await loadModel(ort)`: detectParticles(tomogram, { model })');
  const { model, thresholds = {}, minDistances = {}, overlap, average, batch } = options;
  const { name: modelName, classes, tile, outputStride } = model.spec;
  const known = classes.filter((name) => name !== null);
  for (const [option, given] of Object.entries({ thresholds, minDistances })) {
    const stranger = Object.keys(given).find((name) => !known.includes(name));
    if (stranger !== undefined) {
      fail(
        `${option} names "${stranger}", which is no class of model "${modelName}"; the model finds ${listOf(known)}`,
      );
    }
  }
  const wanted = new Map(wantedObjects(model.spec, options).map((object) => [object.name, object]));
  for (const name of known) {
    const threshold = thresholdOf(name, options);
    if (!Number.isFinite(threshold)) fail(`threshold of "${name}" must be a finite score, found ${threshold}`);
    lengthPerObject(minDistanceOf(name, wanted.get(name), options), `minDistance of "${name}"`);
  }
  checkAverage(average);
  checkBatch(batch);
  // Tile and overlap must fit each other whatever the shape of the volume.
  planTiles(tile, { tile, outputStride, overlap });
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.map((name) => `"${name}"`).join(', ');
}

function fail(message: string): never {
  throw new CryoetPicksError('invalid-option', message);
}

/** The least score of a pick of an object. */
export function thresholdOf(name: string, { model, thresholds }: Pick<DetectOptions, 'model' | 'thresholds'>): number {
  return ownNumber(thresholds, name) ?? ownNumber(model.spec.thresholds, name) ?? 0.5;
}

/** The least distance of two picks of an object, in Å. */
export function minDistanceOf(
  name: string,
  object: DetectableObject | undefined,
  { model, minDistances }: Pick<DetectOptions, 'model' | 'minDistances'>,
): number {
  return ownNumber(minDistances, name) ?? ownNumber(model.spec.minDistances, name) ?? object?.radius ?? 0;
}

/** The number of a name; nothing for what every object inherits, such as `constructor`. */
function ownNumber(numbers: Readonly<Record<string, number>> | undefined, name: string): number | undefined {
  return numbers && Object.hasOwn(numbers, name) ? numbers[name] : undefined;
}

/** True where voxels are within 5 % of what the model was made for. */
export function fitsVoxelSize({ voxelSize }: VoxelGrid, { voxelSize: expected }: ModelSpec): boolean {
  return voxelSize.every((length) => Math.abs(length / expected - 1) <= 0.05);
}

/**
 * Refuses a tomogram whose voxels a model was not made for.
 *
 * @throws {@link CryoetPicksError} `invalid-option`, with the remedy.
 */
export function requireVoxelSize(
  grid: VoxelGrid,
  spec: ModelSpec,
  { remedy = `hand in resampled(tomogram, ${spec.voxelSize})` }: { readonly remedy?: string | undefined } = {},
): void {
  if (fitsVoxelSize(grid, spec)) return;
  fail(
    `model "${spec.name}" was made for voxels of ${spec.voxelSize} Å, the tomogram has ${formatZyx(grid.voxelSize)} Å ` +
      `(z×y×x); open a level or a voxel spacing within 5 % of it, or ${remedy}`,
  );
}
