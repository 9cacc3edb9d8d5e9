import {
  callback,
  finiteLength,
  finiteScore,
  isFields,
  modelSpec,
  numberPerObject,
  optional,
  ownNumber,
  type PerObject,
  perObject,
  quotedNames,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { ModelSpec } from '../inference/model.ts';
import {
  givenNumbers,
  hasTwoSets,
  isOneLabelUsual,
  setsOf,
  type ThresholdSet,
  type Thresholds,
  thresholdsRule,
} from '../inference/thresholds.ts';
import { requireKnown } from '../picks/candidates.ts';

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
  /**
   * Minimum score of a pick: the set `'balanced'` or `'competition'` of the model card, one number for all objects, or a record of those
   * that differ from the balanced set. {@link ThresholdSet} says more. @defaultValue 'balanced', and 0.5 for an object without a threshold
   */
  readonly thresholds?: Thresholds | undefined;
  /**
   * Minimum distance of two picks of an object, in Å: one for all objects, or a record of those that differ from the model card.
   * @defaultValue the distance of the model card, else the object's radius, else 0 with a warning
   */
  readonly minDistances?: PerObject | undefined;
  /** Called once for each object whose minimum distance nothing gives, so that 0 Å is assumed. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/** The objects that a detection looks for. */
export interface ChosenObjects {
  /** Names of the objects that were both asked for and known to the model, as `thresholds` and `minDistances` name them. */
  readonly classes: readonly string[];
  /** Minimum score of a pick: what `localMaxima` takes as `threshold`. */
  readonly thresholds: Readonly<Record<string, number>>;
  /** Minimum score of a pick of a submission, if the model card has two sets of thresholds; a number that is given is in both. */
  readonly competitionThresholds?: Readonly<Record<string, number>> | undefined;
  /** Minimum distance of two picks in Å: what `suppressNearby` takes as `minDistance`. */
  readonly minDistances: Readonly<Record<string, number>>;
  /**
   * Minimum distance of picks of different objects in Å, 0 if they may lie at one place: what `suppressAcrossObjects` takes as
   * `minDistance`. It is the smallest of `minDistances`, if the model card has two sets of thresholds and that of the competition is not
   * asked for.
   */
  readonly acrossObjects: number;
}

/**
 * Chooses what to look for: the objects that are asked for and known to a model, with a threshold and a minimum distance each.
 *
 * @param spec - The model card.
 * @param objects - Objects to look for; those that are not particles, or that the model does not know, are left out.
 *   @defaultValue every object of the model
 * @throws {@link CryoetPicksError} `invalid-option` if the model knows none of the objects. Also, naming the `option`, if
 *   `thresholds` or `minDistances` is neither a number nor a record or names an object that is not looked for, a threshold is not
 *   finite, or a distance is negative or not finite.
 *
 * @example
 * ```ts
 * const { thresholds, minDistances } = chooseObjects(model.spec, project.objects, { thresholds: { ribosome: 0.3 } });
 * ```
 */
export function chooseObjects(
  spec: ModelSpec,
  objects?: readonly DetectableObject[],
  options: ChooseObjectsOptions = {},
): ChosenObjects {
  const call = 'chooseObjects';
  requireArgument(call, 'spec', spec, modelSpec);
  requireArgument(call, 'objects', objects, optional(objectsRule));
  const { thresholds: asked, minDistances = {}, onWarning } = requireOptions(call, options, chooseRules);
  const thresholds = givenNumbers(asked);
  checkPerObject(spec, { option: 'thresholds', value: thresholds, rule: finiteScore });
  checkPerObject(spec, { option: 'minDistances', value: minDistances, rule: finiteLength });
  const known = spec.classes.filter((name) => name !== null);
  const wanted = wantedObjects(spec, objects ?? known.map((name) => ({ name })));
  const classes = wanted.map(({ name }) => name);
  requireKnown(classes, { option: 'thresholds', value: thresholds, call });
  requireKnown(classes, { option: 'minDistances', value: minDistances, call });
  const sets = setsOf(spec.thresholds);
  const thresholdsIn = (set: ThresholdSet) =>
    Object.fromEntries(
      classes.map((name) => [name, givenNumber(thresholds, name) ?? ownNumber(sets[set], name) ?? 0.5]),
    );
  const knownDistance = ({ name, radius }: DetectableObject) =>
    givenNumber(minDistances, name) ?? ownNumber(spec.minDistances, name) ?? radius ?? undefined;
  const distances = Object.fromEntries(wanted.map((object) => [object.name, knownDistance(object) ?? 0]));
  const chosen = {
    classes,
    thresholds: thresholdsIn(asked === 'competition' ? asked : 'balanced'),
    ...(hasTwoSets(spec.thresholds) && { competitionThresholds: thresholdsIn('competition') }),
    minDistances: distances,
  };
  // Numbers of a card that was not parsed, and radii.
  numberPerObject('thresholds', chosen.thresholds, finiteScore);
  numberPerObject('thresholds', chosen.competitionThresholds ?? {}, finiteScore);
  numberPerObject('minDistances', chosen.minDistances, finiteLength);
  for (const object of wanted) if (knownDistance(object) === undefined) onWarning?.(assumedDistance(object.name));
  return { ...chosen, acrossObjects: isOneLabelUsual(chosen, asked) ? Math.min(...Object.values(distances)) : 0 };
}

/** Warns of an object of which several picks may lie on one particle. */
function assumedDistance(object: string): Warning {
  const message =
    `"${object}" has no radius, and the model card has no minimum distance for it: 0 Å is assumed, ` +
    'so that one particle may get several picks; give the object a radius';
  return { code: 'distance-assumed', message };
}

const objectsRule: Rule = {
  expected: 'a list of objects { name, radius }',
  isValid: Array.isArray,
  items: {
    expected: 'an object { name, radius }',
    isValid: isFields,
    fields: {
      name: text,
      isParticle: { expected: 'true or false', isValid: (value) => value === undefined || typeof value === 'boolean' },
      radius: {
        expected: 'a radius in Å',
        isValid: (value) => (value ?? undefined) === undefined || typeof value === 'number',
      },
    },
  },
};

/** What the options that choose objects must be; `numberPerObject` checks the numbers. */
export const chooseRules: RulesFor<ChooseObjectsOptions> = {
  thresholds: /* @__PURE__ */ optional(thresholdsRule),
  minDistances: /* @__PURE__ */ optional(perObject),
  onWarning: /* @__PURE__ */ optional(callback),
};

interface GivenOption {
  readonly option: string;
  readonly value: PerObject;
  readonly rule: Rule;
}

/** Checks every number that is given, and that the model knows its object. */
export function checkPerObject(spec: ModelSpec, { option, value, rule }: GivenOption): void {
  numberPerObject(option, value, rule);
  const known = new Set(spec.classes.filter((name) => name !== null));
  const unknown = typeof value === 'number' ? undefined : Object.keys(value).find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw new CryoetPicksError(
    'invalid-option',
    `${option} names "${unknown}", which is not a class of model "${spec.name}"; the model finds ${quotedNames([...known])}`,
    { option },
  );
}

function givenNumber(value: PerObject, name: string): number | undefined {
  return typeof value === 'number' ? value : ownNumber(value, name);
}

/** The particles among some objects that a model knows, each once. */
function wantedObjects(spec: ModelSpec, objects: readonly DetectableObject[]): readonly DetectableObject[] {
  const known = new Set(spec.classes.filter((name) => name !== null));
  const wanted = objects.filter(({ name, isParticle = true }) => isParticle && known.has(name));
  if (wanted.length > 0) return [...new Map(wanted.map((object) => [object.name, object])).values()];
  throw new CryoetPicksError(
    'invalid-option',
    `none of the objects is a class of model "${spec.name}": asked for ${quotedNames(objects.map(({ name }) => name))}, ` +
      `the model finds ${quotedNames([...known])}`,
  );
}
