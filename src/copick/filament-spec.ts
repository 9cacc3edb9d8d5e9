import * as v from 'valibot';
import { CryoetPicksError } from '../errors.ts';
import type { PickableObject } from './pickable-object.ts';
import { checkSchema, measure } from './schema.ts';

/** What an object says of itself as a filament, such as a microtubule: in copick's config, `metadata.copick.filament`. */
export interface FilamentSpec {
  /** Whether the structure has a polarity; absent where that is not said. */
  readonly polar?: boolean | undefined;
  /** Rise for each subunit, in Å; descriptive only. */
  readonly helicalRise?: number | undefined;
  /** Twist for each subunit, in degrees; descriptive only. */
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
 * What an object says of itself as a filament; undefined for one that is none.
 *
 * @throws {@link CryoetPicksError} `invalid-config` for a declaration that copick refuses: a rise that is not above 0, or an
 *   object that is no particle.
 * @example
 * ```ts
 * const filaments = project.objects.filter((object) => filamentOf(object) !== undefined);
 * ```
 */
export function filamentOf({ name, isParticle, metadata }: PickableObject): FilamentSpec | undefined {
  const namespace = namespaceOf(metadata);
  const declared = namespace?.filament;
  if (declared === undefined || declared === null) return undefined;
  const what = `object "${name}": metadata.copick.filament`;
  const json = checkSchema(schema, declared, { what, code: 'invalid-config' });
  if (!isParticle) {
    throw new CryoetPicksError('invalid-config', `${what} says that it is a filament, but is_particle is false`);
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
 * The object declared as a filament, or, without a declaration, as none. Other metadata stay as they are.
 *
 * @throws {@link CryoetPicksError} `invalid-config` as {@link filamentOf}, or if something else has the key `metadata.copick`.
 * @example
 * ```ts
 * const actin = withFilament(project.object('actin'), { polar: true, helicalRise: 27.5 });
 * ```
 */
export function withFilament(object: PickableObject, spec: FilamentSpec | undefined): PickableObject {
  const { copick, ...metadata } = object.metadata;
  const namespace = namespaceOf(object.metadata);
  if (namespace === undefined && copick !== undefined) {
    throw new CryoetPicksError('invalid-config', `object "${object.name}": metadata.copick is no JSON object`);
  }
  const { filament: _, ...others } = namespace ?? {};
  const kept = spec === undefined ? others : { ...others, filament: toJson(spec) };
  const declared = { ...object, metadata: Object.keys(kept).length > 0 ? { ...metadata, copick: kept } : metadata };
  filamentOf(declared);
  return declared;
}

function namespaceOf({ copick }: PickableObject['metadata']): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof copick === 'object' && copick !== null && !Array.isArray(copick);
  return isObject ? (copick as Record<string, unknown>) : undefined;
}

function toJson({ polar, helicalRise, helicalTwist, unknown }: FilamentSpec): Record<string, unknown> {
  const known = { polar, helical_rise_a: helicalRise, helical_twist_deg: helicalTwist };
  const told = Object.entries(known).filter(([, value]) => value !== undefined);
  return { ...unknown, ...Object.fromEntries(told) };
}
