import * as v from 'valibot';
import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import { filamentOf } from './filament-spec.ts';
import { fitName } from './names.ts';
import { measure, wholeNumber } from './schema.ts';

/** An object that a project looks for, as copick's config declares it. */
export interface PickableObject {
  /** No underscore and nothing else that `sanitizeName` would change. */
  readonly name: string;
  /** False for what is only ever segmented, as membranes are. */
  readonly isParticle: boolean;
  /** Value of the object in label volumes; 0 is background and never a label. */
  readonly label?: number | undefined;
  /** Red, green, blue, alpha, each 0 to 255. */
  readonly color: readonly [number, number, number, number];
  /** Radius of the particle, in Å. */
  readonly radius?: number | undefined;
  readonly emdbId?: string | undefined;
  readonly pdbId?: string | undefined;
  /** Term of an ontology, such as `GO:0022626`; older configs call it `go_id`. */
  readonly identifier?: string | undefined;
  readonly mapThreshold?: number | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
}

const optionalText = v.nullish(v.string());
const optionalNumber = v.nullish(v.pipe(measure, v.finite('a number must be finite')));
const byte = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255));

/** An object as the JSON of a config has it. */
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

/** What copick takes where a config leaves the label out. */
const defaultLabel = 1;
/** What copick takes where a config leaves the color out. */
export const defaultColor: PickableObject['color'] = [100, 100, 100, 255];

/** Reads an object. @throws {@link CryoetPicksError} `invalid-config` for a name that copick refuses. */
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
    // Only a label that is left out gets the default; null means that the object has none.
    ...present({ label: json.label === undefined ? defaultLabel : json.label }),
    color: json.color ?? defaultColor,
    ...present({ radius: json.radius, emdbId: json.emdb_id, pdbId: json.pdb_id }),
    ...present({ identifier: json.go_id ?? json.identifier, mapThreshold: json.map_threshold }),
    metadata: json.metadata ?? {},
  };
  checkFilament(object, place);
  return object;
}

/** Refuses a declaration as a filament that copick refuses. */
function checkFilament(object: PickableObject, place: string): void {
  try {
    filamentOf(object);
  } catch (cause) {
    if (!isCryoetPicksError(cause)) throw cause;
    throw new CryoetPicksError(cause.code, `${place}: ${cause.message}`, { cause });
  }
}

/** The entries that have a value: neither undefined nor null. */
export function present<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> };
}

/** What is odd about a list of objects, without being in the way. */
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
