import * as v from 'valibot';
import { CryoetPicksError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { fitName } from './names.ts';
import { checkSchema } from './schema.ts';

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

/** A copick project's config, of the kind `filesystem`. */
export interface ProjectConfig {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly version?: string | undefined;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly objects: readonly PickableObject[];
  /** Where everything is written, as the config says it; nothing is resolved yet. */
  readonly overlayRoot: string;
  /** Where data is only read; the overlay root if absent. */
  readonly staticRoot?: string | undefined;
  /** What is odd about the config, without being in the way. */
  readonly problems: readonly string[];
  /**
   * The JSON that was read, with keys this library does not know and file-system options, which may hold passwords: a
   * function, so that printing a config shows no secret.
   */
  readonly original?: (() => Readonly<Record<string, unknown>>) | undefined;
}

const optionalText = v.nullish(v.string());
const optionalNumber = v.nullish(v.pipe(v.number(), v.finite('a number must be finite')));
const byte = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255));

const objectSchema = v.looseObject({
  name: v.string(),
  is_particle: v.boolean(),
  label: v.nullish(v.pipe(v.number(), v.integer(), v.notValue(0, 'label 0 is the background'))),
  color: v.nullish(v.tuple([byte, byte, byte, byte])),
  radius: optionalNumber,
  emdb_id: optionalText,
  pdb_id: optionalText,
  go_id: optionalText,
  identifier: optionalText,
  map_threshold: optionalNumber,
  metadata: v.nullish(v.record(v.string(), v.unknown())),
});

const configSchema = v.looseObject({
  name: optionalText,
  description: optionalText,
  version: optionalText,
  user_id: optionalText,
  session_id: optionalText,
  pickable_objects: v.array(objectSchema),
  overlay_root: v.pipe(v.string(), v.nonEmpty('is empty')),
  static_root: optionalText,
});

/** What copick takes where a config leaves these out. */
const defaultLabel = 1;
const defaultColor = [100, 100, 100, 255] as const;

/**
 * Reads the config of a copick project. A missing `config_type` means `filesystem`, as in the competition's configs.
 *
 * What copick itself refuses is refused; what it lets through although it is wrong (two objects of one label) is listed
 * in `problems`. The index keys `runs`, `voxel_spacings` and `tomograms` are kept but not used: what is in storage counts.
 *
 * @throws {@link CryoetPicksError} `invalid-config`, with line and column where the text is not JSON; `unsupported` for
 *   the kinds `cryoet_data_portal` and `mlcroissant`.
 * @example
 * ```ts
 * const config = parseConfig(await readFile('copick.json', 'utf8'), { source: 'copick.json' });
 * config.objects.map((object) => object.name);
 * ```
 */
export function parseConfig(text: string, { source }: { readonly source: string }): ProjectConfig {
  const what = `config "${source}"`;
  const json = parseJson(text, { what, code: 'invalid-config' });
  checkConfigType(json, what);
  const output = checkSchema(configSchema, json, { what, code: 'invalid-config' });
  const objects = output.pickable_objects.map((object, index) =>
    toObject(object, `${what}: pickable_objects.${index}`),
  );
  return {
    ...present({ name: output.name, description: output.description, version: output.version }),
    ...present({ userId: output.user_id, sessionId: output.session_id, staticRoot: output.static_root }),
    objects,
    overlayRoot: output.overlay_root,
    problems: [...objectProblems(objects), ...idProblems(output)],
    original: () => json as Readonly<Record<string, unknown>>,
  };
}

function checkConfigType(json: unknown, what: string): void {
  const { config_type: type } = (json ?? {}) as { readonly config_type?: unknown };
  if (type === undefined || type === null || type === 'filesystem') return;
  if (type === 'cryoet_data_portal' || type === 'mlcroissant') {
    throw new CryoetPicksError(
      'unsupported',
      `${what}: config_type "${type}" is not handled yet; only "filesystem" projects can be opened`,
    );
  }
  throw new CryoetPicksError(
    'invalid-config',
    `${what}: unknown config_type ${JSON.stringify(type)}; copick has "filesystem", "cryoet_data_portal" and "mlcroissant"`,
  );
}

function toObject(json: v.InferOutput<typeof objectSchema>, place: string): PickableObject {
  const { name } = json;
  const fit = fitName(name);
  if (fit !== name) {
    const advice = fit === undefined ? 'it has no usable character' : `copick writes it "${fit}"`;
    throw new CryoetPicksError(
      'invalid-config',
      `${place}: object name ${JSON.stringify(name)} is not allowed; ${advice}`,
    );
  }
  return {
    name,
    isParticle: json.is_particle,
    // Only a label that is left out gets the default; null means that the object has none.
    ...present({ label: json.label === undefined ? defaultLabel : json.label }),
    color: json.color ?? defaultColor,
    ...present({ radius: json.radius, emdbId: json.emdb_id, pdbId: json.pdb_id }),
    ...present({ identifier: json.go_id ?? json.identifier, mapThreshold: json.map_threshold }),
    metadata: json.metadata ?? {},
  };
}

/** The entries that have a value: neither undefined nor null. */
function present<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> };
}

function objectProblems(objects: readonly PickableObject[]): string[] {
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

function idProblems(config: v.InferOutput<typeof configSchema>): string[] {
  return (['user_id', 'session_id'] as const).flatMap((key) => {
    const id = config[key];
    const fit = id === undefined || id === null ? id : fitName(id);
    return fit === id ? [] : [`${key} ${JSON.stringify(id)} is not allowed in file names; copick refuses it`];
  });
}
