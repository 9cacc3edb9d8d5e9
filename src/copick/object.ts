import * as v from 'valibot';
import {
  flag,
  givenFields,
  isFields,
  optional,
  type Rule,
  record,
  requireArgument,
  someNumber,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError, isCryoetPicksError, withMessage } from '../core/errors.ts';
import { checkSchema, measure, wholeNumber } from '../core/json.ts';
import { fitName } from './layout.ts';

/** An object that a project looks for, as copick's config declares it. */
export interface PickableObject {
  /** Contains no underscore and no other character that copick's file names exclude. */
  readonly name: string;
  /** False for objects that are only segmented, such as membranes. */
  readonly isParticle: boolean;
  /** Value of the object in label volumes; 0 is background and never a label. */
  readonly label?: number | undefined;
  /** Red, green, blue, alpha, each 0 to 255. */
  readonly color: readonly [number, number, number, number];
  /** Radius of the particle, in Å. */
  readonly radius?: number | undefined;
  readonly emdbId?: string | undefined;
  readonly pdbId?: string | undefined;
  /** Ontology term, such as `GO:0022626`; older configs call it `go_id`. */
  readonly identifier?: string | undefined;
  readonly mapThreshold?: number | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
}

const optionalText = v.nullish(v.string());
const optionalNumber = v.nullish(v.pipe(measure, v.finite('a number must be finite')));
const byte = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255));

/** An object as the JSON of a config states it. */
export interface ObjectJson {
  readonly name: string;
  readonly is_particle: boolean;
  readonly label?: number | null | undefined;
  readonly color?: readonly [number, number, number, number] | null | undefined;
  readonly radius?: number | null | undefined;
  readonly emdb_id?: string | null | undefined;
  readonly pdb_id?: string | null | undefined;
  readonly go_id?: string | null | undefined;
  readonly identifier?: string | null | undefined;
  readonly map_threshold?: number | null | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined;
}

/** Checks one object of a config. */
export const objectSchema: v.GenericSchema<unknown, ObjectJson> = v.looseObject({
  name: v.string(),
  is_particle: v.boolean(),
  label: v.nullish(v.pipe(wholeNumber, v.notValue(0, 'label 0 is the background'))),
  color: v.nullish(v.tuple([byte, byte, byte, byte])),
  radius: optionalNumber,
  emdb_id: optionalText,
  pdb_id: optionalText,
  go_id: optionalText,
  identifier: optionalText,
  map_threshold: optionalNumber,
  metadata: v.nullish(v.record(v.string(), v.unknown())),
});

/** Copick's default for a missing label. */
const defaultLabel = 1;
/** Copick's default for a missing color. */
export const defaultColor: PickableObject['color'] = [100, 100, 100, 255];

/** Reads an object. @throws {@link CryoetPicksError} `invalid-config` for a name that copick rejects. */
export function toObject(json: ObjectJson, place: string): PickableObject {
  const { name } = json;
  const fit = fitName(name);
  if (fit !== name) {
    const advice = fit === undefined ? 'it has no usable character' : `copick writes it "${fit}"`;
    throw new CryoetPicksError(
      'invalid-config',
      `${place}: object name ${JSON.stringify(name)} is not allowed; ${advice}`,
    );
  }
  const object = {
    name,
    isParticle: json.is_particle,
    // Only a missing label gets the default; null means that the object has no label.
    ...present({ label: json.label === undefined ? defaultLabel : json.label }),
    color: json.color ?? defaultColor,
    ...present({ radius: json.radius, emdbId: json.emdb_id, pdbId: json.pdb_id }),
    ...present({ identifier: json.go_id ?? json.identifier, mapThreshold: json.map_threshold }),
    metadata: json.metadata ?? {},
  };
  checkFilament(object, place);
  return object;
}

/** Throws if copick would reject the declaration as a filament. */
function checkFilament(object: PickableObject, place: string): void {
  try {
    filamentOf(object);
  } catch (cause) {
    if (!isCryoetPicksError(cause)) throw cause;
    throw withMessage(cause, `${place}: ${cause.message}`);
  }
}

/** The entries that have a value: neither undefined nor null. */
export function present<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> };
}

/** Mistakes in a list of objects that do not prevent its use. */
export function objectProblems(objects: readonly PickableObject[]): string[] {
  const problems: string[] = [];
  const names = new Set<string>();
  const labels = new Map<number, string>();
  for (const { name, label, radius } of objects) {
    if (names.has(name)) problems.push(`object "${name}" is declared twice; the first declaration counts`);
    names.add(name);
    const other = label === undefined ? undefined : labels.get(label);
    if (other !== undefined) problems.push(`objects "${other}" and "${name}" share the label ${label}`);
    else if (label !== undefined) labels.set(label, name);
    if (radius !== undefined && radius <= 0) problems.push(`object "${name}" has a radius of ${radius} Å`);
  }
  return problems;
}

/** Declares an object as a filament, such as a microtubule: `metadata.copick.filament` in copick's config. */
export interface FilamentSpec {
  /** Whether the structure has a polarity; absent if unknown. */
  readonly polar?: boolean | undefined;
  /** Rise per subunit, in Å; descriptive only. */
  readonly helicalRise?: number | undefined;
  /** Twist per subunit, in degrees; descriptive only. */
  readonly helicalTwist?: number | undefined;
  /** Keys this library does not know. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

const finite = v.pipe(measure, v.finite('it must be finite'));
const schema = v.looseObject({
  polar: v.nullish(v.boolean()),
  helical_rise_a: v.nullish(v.pipe(finite, v.gtValue(0, 'it must be above 0'))),
  helical_twist_deg: v.nullish(finite),
});

/**
 * Reads the declaration of an object as a filament; undefined if the object is not declared as one.
 *
 * @throws {@link CryoetPicksError} `invalid-config` for a declaration that copick rejects: a rise that is not above 0, or an
 *   object that is not a particle.
 * @example
 * ```ts
 * const filaments = project.objects.filter((object) => filamentOf(object) !== undefined);
 * ```
 */
export function filamentOf(object: PickableObject): FilamentSpec | undefined {
  requireArgument('filamentOf', 'object', object, pickableRule);
  const { name, isParticle, metadata } = object;
  const namespace = namespaceOf(metadata);
  const declared = namespace?.filament;
  if (declared === undefined || declared === null) return undefined;
  const what = `object "${name}": metadata.copick.filament`;
  const json = checkSchema(schema, declared, { what, code: 'invalid-config' });
  if (!isParticle) {
    throw new CryoetPicksError('invalid-config', `${what} is declared as a filament, but its is_particle is false`);
  }
  const { polar, helical_rise_a, helical_twist_deg, ...unknown } = json;
  return {
    polar: polar ?? undefined,
    helicalRise: helical_rise_a ?? undefined,
    helicalTwist: helical_twist_deg ?? undefined,
    unknown,
  };
}

/**
 * Returns the object declared as a filament, or, with `undefined`, without such a declaration. Other metadata is kept.
 *
 * @throws {@link CryoetPicksError} `invalid-config` as {@link filamentOf}, or if something else has the key `metadata.copick`.
 * @example
 * ```ts
 * const actin = withFilament(project.object('actin'), { polar: true, helicalRise: 27.5 });
 * ```
 */
export function withFilament(object: PickableObject, spec: FilamentSpec | undefined): PickableObject {
  requireArgument('withFilament', 'object', object, pickableRule);
  requireArgument('withFilament', 'spec', spec, optional(specRule));
  const { copick, ...metadata } = object.metadata;
  const namespace = namespaceOf(object.metadata);
  if (namespace === undefined && copick !== undefined) {
    throw new CryoetPicksError('invalid-config', `object "${object.name}": metadata.copick is not a JSON object`);
  }
  const { filament: _, ...others } = namespace ?? {};
  const kept = spec === undefined ? others : { ...others, filament: toJson(spec) };
  const declared = { ...object, metadata: Object.keys(kept).length > 0 ? { ...metadata, copick: kept } : metadata };
  filamentOf(declared);
  return declared;
}

const specRule: Rule = {
  expected: '{ polar, helicalRise, helicalTwist }',
  isValid: isFields,
  fields: {
    polar: /* @__PURE__ */ optional(flag),
    helicalRise: /* @__PURE__ */ optional(someNumber),
    helicalTwist: /* @__PURE__ */ optional(someNumber),
  },
};

/** An object of a project. */
export const pickableRule: Rule = {
  expected: 'an object of a project, such as `project.object(name)`',
  isValid: isFields,
  fields: {
    name: text,
    isParticle: flag,
    label: /* @__PURE__ */ optional(someNumber),
    color: { expected: 'red, green, blue, alpha, each 0 to 255', isValid: Array.isArray, items: someNumber },
    radius: /* @__PURE__ */ optional(someNumber),
    emdbId: /* @__PURE__ */ optional(text),
    pdbId: /* @__PURE__ */ optional(text),
    identifier: /* @__PURE__ */ optional(text),
    mapThreshold: /* @__PURE__ */ optional(someNumber),
    metadata: record,
  },
};

function namespaceOf({ copick }: PickableObject['metadata']): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof copick === 'object' && copick !== null && !Array.isArray(copick);
  return isObject ? (copick as Record<string, unknown>) : undefined;
}

function toJson({ polar, helicalRise, helicalTwist, unknown }: FilamentSpec): Record<string, unknown> {
  const known = { polar, helical_rise_a: helicalRise, helical_twist_deg: helicalTwist };
  return { ...unknown, ...givenFields(known) };
}
