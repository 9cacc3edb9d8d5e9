import type { DetectableObject, DetectOptions } from './detect.ts';
import { CryoetPicksError } from './errors.ts';
import type { ModelSpec } from './inference/model.ts';
import { checkAverage, checkBatch } from './inference/score.ts';
import { lengthPerObject } from './picks/per-object.ts';
import type { VoxelGrid } from './space/grid.ts';
import { formatZyx } from './space/zyx.ts';
import { planTiles } from './tiles/plan.ts';

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
