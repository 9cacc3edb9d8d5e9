import { CryoetPicksError } from '../core/errors.ts';
import { finiteLength, finiteScore, numberPerObject, ownNumber, quotedNames } from '../core/per-object.ts';
import type { ModelSpec } from '../inference/model.ts';

/** What detection needs to know of an object; copick's pickable objects have it. */
export interface DetectableObject {
  readonly name: string;
  /** False for objects that are segmented, not picked. @defaultValue true */
  readonly isParticle?: boolean | undefined;
  /** In Å; the minimum distance of two picks if the model card gives none. */
  readonly radius?: number | null | undefined;
}

/** Options of {@link chooseObjects}. */
export interface ChooseObjectsOptions {
  /** Minimum score of a pick, per object. @defaultValue the threshold of the model card, or 0.5 if it has none */
  readonly thresholds?: Readonly<Record<string, number>> | undefined;
  /**
   * Minimum distance of two picks of an object, in Å. @defaultValue the distance of the model card, else the object's radius,
   * else 0
   */
  readonly minDistances?: Readonly<Record<string, number>> | undefined;
}

/** The objects that a detection looks for. */
export interface ChosenObjects {
  /** Names of the objects that were both asked for and known to the model, as `thresholds` and `minDistances` name them. */
  readonly classes: readonly string[];
  /** Minimum score of a pick: what `localMaxima` takes as `threshold`. */
  readonly thresholds: Readonly<Record<string, number>>;
  /** Minimum distance of two picks in Å: what `suppressNearby` takes as `minDistance`. */
  readonly minDistances: Readonly<Record<string, number>>;
}

/**
 * Chooses what to look for: the objects that are asked for and known to a model, with a threshold and a minimum distance each.
 *
 * @param spec - The model card.
 * @param objects - Objects to look for; those that are no particles, or that the model does not know, are left out.
 *   @defaultValue every object of the model
 * @throws {@link CryoetPicksError} `invalid-option` if the model knows none of the objects, an option names an object that the
 *   model does not know, a threshold is not finite, or a distance is negative or not finite.
 *
 * @example
 * ```ts
 * const { thresholds, minDistances } = chooseObjects(model.spec, project.objects, { thresholds: { ribosome: 0.3 } });
 * ```
 */
export function chooseObjects(
  spec: ModelSpec,
  objects?: readonly DetectableObject[],
  { thresholds = {}, minDistances = {} }: ChooseObjectsOptions = {},
): ChosenObjects {
  const known = spec.classes.filter((name) => name !== null);
  for (const [option, given] of Object.entries({ thresholds, minDistances })) {
    const unknown = Object.keys(given).find((name) => !known.includes(name));
    if (unknown === undefined) continue;
    fail(
      `${option} names "${unknown}", which is not a class of model "${spec.name}"; the model finds ${quotedNames(known)}`,
    );
  }
  const wanted = wantedObjects(spec, objects ?? known.map((name) => ({ name })));
  const threshold = (name: string) => ownNumber(thresholds, name) ?? ownNumber(spec.thresholds, name) ?? 0.5;
  const minDistance = ({ name, radius }: DetectableObject) =>
    ownNumber(minDistances, name) ?? ownNumber(spec.minDistances, name) ?? radius ?? 0;
  const chosen = {
    classes: wanted.map(({ name }) => name),
    thresholds: Object.fromEntries(wanted.map(({ name }) => [name, threshold(name)])),
    minDistances: Object.fromEntries(wanted.map((object) => [object.name, minDistance(object)])),
  };
  // Values of objects that are left out are checked too.
  numberPerObject('threshold', { ...thresholds, ...chosen.thresholds }, finiteScore);
  numberPerObject('minDistance', { ...minDistances, ...chosen.minDistances }, finiteLength);
  return chosen;
}

/** The particles among some objects that a model knows, each once. */
function wantedObjects(spec: ModelSpec, objects: readonly DetectableObject[]): readonly DetectableObject[] {
  const known = spec.classes.filter((name) => name !== null);
  const wanted = objects.filter(({ name, isParticle = true }) => isParticle && known.includes(name));
  if (wanted.length > 0) return [...new Map(wanted.map((object) => [object.name, object])).values()];
  return fail(
    `none of the objects is a class of model "${spec.name}": asked for ${quotedNames(objects.map(({ name }) => name))}, ` +
      `the model finds ${quotedNames(known)}`,
  );
}

function fail(message: string): never {
  throw new CryoetPicksError('invalid-option', message);
}
