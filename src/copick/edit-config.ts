import {
  anything,
  flag,
  givenFields,
  listOf,
  optional,
  optionalList,
  type RulesFor,
  record,
  requireArgument,
  requireOptions,
  someNumber,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { formatJsonBigInt } from '../core/json.ts';
import { configRule, type FilesystemConfig, type PortalConfig, type ProjectConfig, portalDefaults } from './config.ts';
import { fitName } from './layout.ts';
import { defaultColor, filamentOf, type PickableObject } from './object.ts';
import { listNames } from './tree.ts';

/** Options of {@link newConfig}. */
export interface NewConfigOptions {
  /** Where everything will be written: a folder that `openProject` can resolve. */
  readonly overlayRoot: string;
  /** Where data is only read; omit it for a project with a single root. */
  readonly staticRoot?: string | undefined;
  /** @defaultValue 'copick project' */
  readonly name?: string | undefined;
  /** @defaultValue '' */
  readonly description?: string | undefined;
  /** @defaultValue none */
  readonly objects?: readonly NewObject[] | undefined;
}

/**
 * Makes the config of a new project on disk; {@link formatConfig} turns it into text. As in copick's own configs, the overlay's
 * folder is created by the first write.
 *
 * @throws {@link CryoetPicksError} `invalid-option` as {@link withObject}.
 * @example
 * ```ts
 * const config = newConfig({ overlayRoot: 'overlay', objects: [{ name: 'ribosome', radius: 150 }] });
 * await writeFile('copick.json', formatConfig(config));
 * const project = await openProject('copick.json');
 * ```
 */
export function newConfig(options: NewConfigOptions): FilesystemConfig {
  const {
    overlayRoot,
    staticRoot,
    name = 'copick project',
    description = '',
    objects = [],
  } = requireOptions('newConfig', options, {
    overlayRoot: text,
    staticRoot: optional(text),
    name: optional(text),
    description: optional(text),
    objects: optional(listOf('objects')),
  });
  if (overlayRoot === '') throw new CryoetPicksError('invalid-option', 'the overlay root of a new config is empty');
  const folders = { overlay_fs_args: { auto_mkdir: true } };
  const original = { ...folders, ...(staticRoot === undefined ? {} : { static_fs_args: {} }) };
  const empty: FilesystemConfig = {
    type: 'filesystem',
    name,
    description,
    overlayRoot,
    staticRoot,
    objects: [],
    problems: [],
    original: () => original,
  };
  return objects.reduce((config, object) => withObject(config, object), empty);
}

/** An object to add to a config. */
export interface NewObject extends Partial<Omit<PickableObject, 'name' | 'isParticle' | 'label'>> {
  /** Must be valid in copick's file names: no underscore, white space, slash or the like. */
  readonly name: string;
  /** False for objects that are only segmented, such as membranes. @defaultValue true */
  readonly isParticle?: boolean | undefined;
  /** `null` for an object without a label. @defaultValue one above the highest label of the config */
  readonly label?: number | null | undefined;
}

/**
 * Returns the config with an object appended. `{ replace: true }` changes the object of that name instead; fields that are
 * omitted keep their value.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a name that copick rejects or that is taken, and for a label that
 *   is 0, not a whole number, or taken; `invalid-config` for a filament that copick rejects.
 * @example
 * ```ts
 * const config = withObject(project.config, { name: 'virus', isParticle: true, radius: 135 });
 * await writeFile('copick.json', formatConfig(config));
 * ```
 */
export function withObject<C extends ProjectConfig>(
  config: C,
  object: NewObject,
  options: { readonly replace?: boolean | undefined } = {},
): C {
  requireArgument('withObject', 'config', config, configRule);
  requireOptions('withObject', object, newObjectRules);
  const { replace = false } = requireOptions('withObject', options, { replace: optional(flag) });
  const { objects } = config;
  const { name } = object;
  const place = objects.findIndex((one) => one.name === name);
  if (place >= 0 && !replace)
    throw refusal(name, 'the config already has an object of this name; set `replace: true` to change it');
  if (place < 0 && replace)
    throw refusal(name, `the config has no such object to replace; its objects are ${namesOf(objects)}`);
  const others = objects.filter((_, i) => i !== place);
  const made = toObject(object, { old: objects[place], others });
  return { ...config, objects: place < 0 ? [...objects, made] : objects.map((one, i) => (i === place ? made : one)) };
}

/**
 * Returns the config without an object. The object's files in storage stay.
 *
 * @throws {@link CryoetPicksError} `not-found`, listing the config's objects.
 */
export function withoutObject<C extends ProjectConfig>(config: C, name: string): C {
  requireArgument('withoutObject', 'config', config, configRule);
  requireArgument('withoutObject', 'name', name, text);
  const { objects } = config;
  if (objects.some((one) => one.name === name))
    return { ...config, objects: objects.filter((one) => one.name !== name) };
  throw new CryoetPicksError('not-found', `object "${name}" is not in the config; available: ${namesOf(objects)}`, {
    available: objects.map((one) => one.name),
  });
}

const newObjectRules: RulesFor<NewObject> = {
  name: text,
  isParticle: anything,
  label: {
    expected: 'a whole number, or null for none',
    isValid: (value) => value === undefined || value === null || typeof value === 'number',
  },
  color: /* @__PURE__ */ optionalList('four whole numbers from 0 to 255'),
  radius: /* @__PURE__ */ optional(someNumber),
  emdbId: /* @__PURE__ */ optional(text),
  pdbId: /* @__PURE__ */ optional(text),
  identifier: /* @__PURE__ */ optional(text),
  mapThreshold: /* @__PURE__ */ optional(someNumber),
  metadata: /* @__PURE__ */ optional(record),
};

interface Neighbours {
  readonly old: PickableObject | undefined;
  readonly others: readonly PickableObject[];
}

/** The fields given for an object, without those that are undefined. */
type GivenFields = Pick<PickableObject, 'name'> & {
  readonly [K in keyof Omit<PickableObject, 'label'>]?: PickableObject[K];
};

const defaults = { isParticle: true, color: defaultColor, metadata: {} };

function toObject({ label, ...given }: NewObject, { old, others }: Neighbours): PickableObject {
  const { name } = given;
  const fit = fitName(name);
  if (fit !== name) throw refusal(name, fit === undefined ? 'it has no usable character' : `copick writes it "${fit}"`);
  const fields = givenFields(given) as GivenFields;
  const { label: oldLabel, ...rest } = old ?? { label: nextLabel(others), ...defaults };
  const number = label === undefined ? oldLabel : (label ?? undefined);
  const object: PickableObject = { ...rest, ...fields, ...(number === undefined ? {} : { label: number }) };
  if (number !== undefined) checkLabel(name, number, others);
  if (typeof object.isParticle !== 'boolean') throw refusal(name, 'its isParticle is neither true nor false');
  checkNumbers(object);
  filamentOf(object);
  return object;
}

function nextLabel(objects: readonly PickableObject[]): number {
  const labels = objects.flatMap(({ label }) => label ?? []);
  return labels.length === 0 ? 1 : Math.max(...labels) + 1;
}

function checkLabel(name: string, label: number, others: readonly PickableObject[]): void {
  if (!Number.isSafeInteger(label)) throw refusal(name, `its label ${label} is not a whole number`);
  if (label === 0) throw refusal(name, 'label 0 is the background');
  const other = others.find((one) => one.label === label);
  if (other !== undefined) throw refusal(name, `object "${other.name}" already has the label ${label}`);
}

function checkNumbers({ name, color, radius = 0, mapThreshold = 0 }: PickableObject): void {
  if (!(color.length === 4 && color.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255))) {
    throw refusal(name, `its color is ${JSON.stringify(color)}, expected four whole numbers from 0 to 255`);
  }
  if (Number.isFinite(radius) && Number.isFinite(mapThreshold)) return;
  throw refusal(name, `its radius is ${radius} Å and its map threshold ${mapThreshold}, expected finite numbers`);
}

function refusal(name: string, reason: string): CryoetPicksError {
  return new CryoetPicksError(
    'invalid-option',
    `object ${JSON.stringify(name)} cannot be added to the config: ${reason}`,
  );
}

function namesOf(objects: readonly PickableObject[]): string {
  return listNames(objects.map(({ name }) => name));
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Formats a config as copick does: JSON with an indent of four. Unknown keys that were read are written back unchanged, those
 * of objects too (matched by name); `go_id` becomes `identifier`, as in copick.
 *
 * The text contains the secrets, if any, of the config's file-system options.
 *
 * @example
 * ```ts
 * const config = parseConfig(text, { source: 'copick.json' });
 * await writeFile('copick.json', formatConfig({ ...config, description: 'Ribosomes of the test run' }));
 * ```
 */
export function formatConfig(config: ProjectConfig): string {
  requireArgument('formatConfig', 'config', config, configRule);
  const original: Json = { config_type: config.type, ...config.original?.() };
  const known = {
    config_type: config.type,
    name: config.name,
    description: config.description,
    version: config.version,
    user_id: config.userId,
    session_id: config.sessionId,
    overlay_root: config.overlayRoot,
    ...ofKind(config, original),
  };
  const objects = originalObjects(original);
  const json = {
    ...merged(original, known),
    pickable_objects: config.objects.map((object) => formatObject(object, objects.get(object.name) ?? {})),
  };
  return formatJsonBigInt(json, 4);
}

/** The keys that occur in configs of one kind only. */
function ofKind(config: ProjectConfig, original: Json): Json {
  if (config.type === 'filesystem') return { static_root: config.staticRoot };
  if (config.type === 'cryoet_data_portal') return ofPortal(config, original);
  return { croissant_url: config.croissantUrl, croissant_base_url: config.croissantBaseUrl };
}

/** Defaults that the original omits stay omitted. */
function ofPortal(config: PortalConfig, original: Json): Json {
  const cache = {
    portal_cache: config.portalCache,
    portal_cache_ttl_seconds: config.portalCacheTtlSeconds,
    portal_cache_lock_timeout_seconds: config.portalCacheLockTimeoutSeconds,
  };
  const defaults: Json = portalDefaults;
  const given = Object.entries(cache).filter(
    ([key, value]) => (original[key] ?? defaults[key]) !== value || original[key],
  );
  return { dataset_ids: config.datasetIds, portal_cache_dir: config.portalCacheDir, ...Object.fromEntries(given) };
}

function originalObjects({ pickable_objects: objects }: Json): ReadonlyMap<unknown, Json> {
  const list = Array.isArray(objects) ? (objects as Json[]) : [];
  // Later entries of a map win, but the first declaration of an object counts.
  return new Map(list.toReversed().map((object) => [object.name, object]));
}

function formatObject(object: PickableObject, { go_id: _, ...original }: Json): Json {
  return merged(original, {
    name: object.name,
    is_particle: object.isParticle,
    // Copick would read a missing label as its default of 1.
    label: object.label ?? null,
    color: object.color,
    emdb_id: object.emdbId,
    pdb_id: object.pdbId,
    identifier: object.identifier,
    map_threshold: object.mapThreshold,
    radius: object.radius,
    metadata: object.metadata,
  });
}

/**
 * The original with the known fields set; a field without a value becomes null if the original has the key, otherwise it is
 * omitted.
 */
function merged(original: Json, known: Json): Json {
  const result: Record<string, unknown> = { ...original };
  for (const [key, value] of Object.entries(known)) {
    if (value !== undefined) result[key] = value;
    else if (key in original) result[key] = null;
  }
  return result;
}
