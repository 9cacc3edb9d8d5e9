import {
  fieldsOf,
  isFields,
  listOf,
  optional,
  optionalList,
  positiveLength,
  type Rule,
  record,
  requireArgument,
  requireOptions,
  someNumber,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';

/** How one kind of particle is scored and drawn. */
export interface ScoredObject {
  /** Particle radius in Å; a match is at most `matchFraction` of it away. */
  readonly radius: number;
  /** Share in the weighted mean; 0 computes the object without counting it. */
  readonly weight: number;
  /** Display colour. */
  readonly color?: Rgb | undefined;
}

/** Red, green, blue, 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** How candidates are paired with the truth: the official union of hits, or one-to-one by score or by optimum. */
export type Matching = 'official' | 'greedy' | 'hungarian';

/** Everything a score depends on beside truth and picks. */
export interface ScoringRules {
  /** The objects that may occur, by name. */
  readonly objects: { readonly [name: string]: ScoredObject };
  /** β of the F-measure: recall counts β times as much as precision. */
  readonly beta: number;
  /** Part of the radius within which a candidate hits, inclusive. */
  readonly matchFraction: number;
  /**
   * What the weighted sum is divided by, whatever objects the truth holds.
   * @defaultValue the sum of all weights
   */
  readonly weightSum?: number | undefined;
  /** @defaultValue `'official'` */
  readonly matching?: Matching | undefined;
}

/** The six kinds of particle of the CZII competition. */
export type CziiObject =
  | 'apo-ferritin'
  | 'beta-amylase'
  | 'beta-galactosidase'
  | 'ribosome'
  | 'thyroglobulin'
  | 'virus-like-particle';

/** A scored object whose display colour is known. */
export type ColoredObject = ScoredObject & { readonly color: Rgb };

/** Rules for the competition's objects, each with its colour. */
export interface CziiRules extends ScoringRules {
  readonly objects: Readonly<Record<CziiObject, ColoredObject>> & { readonly [name: string]: ColoredObject };
  readonly weightSum: number;
}

/**
 * The rules of the CZII competition: radii in Å, weights, β = 4, half the radius, divisor 7.
 *
 * The divisor is 7 even where the truth lacks a kind, so one perfect kind alone scores weight / 7. Colours are those of
 * Okabe and Ito, which stay apart on grey and for every common form of colour blindness.
 *
 * Source: Kaggle notebook `metric/czi-cryoet-84969`.
 */
export const cziiRules: CziiRules = {
  objects: {
    'apo-ferritin': { radius: 60, weight: 1, color: [230, 159, 0] },
    'beta-amylase': { radius: 65, weight: 0, color: [240, 228, 66] },
    'beta-galactosidase': { radius: 90, weight: 2, color: [0, 158, 115] },
    ribosome: { radius: 150, weight: 1, color: [86, 180, 233] },
    thyroglobulin: { radius: 130, weight: 2, color: [213, 94, 0] },
    'virus-like-particle': { radius: 135, weight: 1, color: [204, 121, 167] },
  },
  beta: 4,
  matchFraction: 0.5,
  weightSum: 7,
};

/** What {@link scoringRules} needs of an object; copick's pickable objects have it. */
export interface RadiusOfObject {
  readonly name: string;
  /** In Å. */
  readonly radius?: number | null | undefined;
}

/** How {@link scoringRules} departs from equal weights and the competition's β and match fraction. */
export interface ScoringRulesOptions {
  /** Weight by object name; 1 where absent. */
  readonly weights?: { readonly [name: string]: number } | undefined;
  /** @defaultValue 4 */
  readonly beta?: number | undefined;
  /** @defaultValue 0.5 */
  readonly matchFraction?: number | undefined;
}

/**
 * Makes scoring rules of objects with a radius, for data sets other than the competition's.
 *
 * The weighted sum is divided by the sum of the weights.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for an object without a radius, or rules that cannot score.
 *
 * @example
 * ```ts
 * const report = scorePicks(runs, scoringRules(project.objects, { weights: { membrane: 0 } }));
 * ```
 */
export function scoringRules(objects: readonly RadiusOfObject[], options: ScoringRulesOptions = {}): ScoringRules {
  const call = 'scoringRules';
  requireArgument(call, 'objects', objects, listOf('objects', fieldsOf('an object { name, radius }', { name: text })));
  const {
    weights = {},
    beta = 4,
    matchFraction = 0.5,
  } = requireOptions(call, options, {
    weights: optional(record),
    beta: optional(someNumber),
    matchFraction: optional(someNumber),
  });
  const scored = objects.map(({ name, radius }): [string, ScoredObject] => {
    if (radius === undefined || radius === null) {
      throw new CryoetPicksError(
        'invalid-option',
        `object ${JSON.stringify(name)} has no radius, so nothing can match it`,
      );
    }
    return [name, { radius, weight: Object.hasOwn(weights, name) ? weights[name]! : 1 }];
  });
  const rules = { objects: Object.fromEntries(scored), beta, matchFraction };
  checkRules(rules, call);
  return rules;
}

/** What {@link projectRules} needs of an object; copick's pickable objects have it. */
export interface ObjectOfProject extends RadiusOfObject {
  /** False for what is no particle, such as a membrane: it is not scored. @defaultValue true */
  readonly isParticle?: boolean | undefined;
}

/** Options of {@link projectRules}. */
export interface ProjectRulesOptions {
  /** Names of the objects that the truth holds. Those without a radius are scored only if they are among them. */
  readonly truth?: readonly string[] | undefined;
  /** In Å, of objects of the truth for which the project gives none. @defaultValue none: they throw */
  readonly radius?: number | undefined;
}

/**
 * Makes the rules by which a project is scored, those of `cryoet-picks score` and of the page of `view`: {@link cziiRules} for the
 * particles and radii of the CZII competition, else equal weights and the radii of the project.
 *
 * A project is that of the competition if all its particles are and all that have a weight are there, each with its radius or none.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for an object of the truth without a radius, unless `radius` gives one, and for
 * rules that cannot score.
 *
 * @example
 * ```ts
 * const rules = projectRules(project.objects, { truth: truth.map(({ object }) => object) });
 * const { score } = scorePicks([{ run: 'TS_5_4', truth, picks }], rules);
 * ```
 */
export function projectRules(objects: readonly ObjectOfProject[], options: ProjectRulesOptions = {}): ScoringRules {
  const call = 'projectRules';
  requireArgument(call, 'objects', objects, listOf('objects', objectOfProject));
  const { truth = [], radius: assumed } = requireOptions(call, options, {
    truth: optionalList('a list of names', text),
    radius: optional(positiveLength),
  });
  const particles = objects.filter(({ isParticle = true }) => isParticle);
  if (isCompetition(particles)) return cziiRules;
  const there = new Set(truth);
  const scored = particles.filter(({ name, radius }) => (radius ?? 0) > 0 || there.has(name));
  return scoringRules(scored.map(({ name, radius }) => ({ name, radius: radius ?? assumed })));
}

function isCompetition(particles: readonly ObjectOfProject[]): boolean {
  const { objects: known } = cziiRules;
  const isKnown = ({ name, radius }: ObjectOfProject) =>
    Object.hasOwn(known, name) && (radius ?? known[name]!.radius) === known[name]!.radius;
  const there = new Set(particles.map(({ name }) => name));
  return (
    particles.every(isKnown) && Object.entries(known).every(([name, { weight }]) => weight === 0 || there.has(name))
  );
}

/**
 * Checks that rules can give a score.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a radius, weight, β, fraction, divisor or matching out of range.
 */
export function checkRules(rules: ScoringRules, call: string): void {
  requireArgument(call, 'rules', rules, rulesRule);
  for (const [name, object] of Object.entries(rules.objects)) {
    requireArgument(call, `rules.objects[${JSON.stringify(name)}]`, object, scoredObject);
  }
}

const positive: Rule = {
  expected: 'a finite number above 0',
  isValid: (value) => Number.isFinite(value) && (value as number) > 0,
};
const notNegative: Rule = {
  expected: 'a finite number that is not negative',
  isValid: (value) => Number.isFinite(value) && (value as number) >= 0,
};

const scoredObject: Rule = {
  expected: 'an object { radius, weight }',
  isValid: isFields,
  fields: { radius: notNegative, weight: notNegative },
};

const objectOfProject = fieldsOf('an object { name, radius }', {
  name: text,
  radius: { expected: 'a number or nothing', isValid: (value) => typeof (value ?? 0) === 'number' },
});

/** The rule for an optional matching. */
export const matchingRule: Rule = {
  expected: '"official", "greedy" or "hungarian"',
  isValid: (value) => [undefined, 'official', 'greedy', 'hungarian'].includes(value as string),
};

const rulesRule: Rule = {
  expected: 'rules { objects, beta, matchFraction }, such as cziiRules',
  isValid: isFields,
  fields: {
    objects: record,
    beta: positive,
    matchFraction: positive,
    weightSum: { ...positive, isValid: (value) => value === undefined || positive.isValid(value) },
    matching: matchingRule,
  },
};
