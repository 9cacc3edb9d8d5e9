import * as v from 'valibot';
import { isFields, type Rule, requireArgument, requireOptions, text as textRule } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { checkSchema, parseJsonBigInt, showJson, wholeNumber } from '../core/json.ts';
import { fitName } from './layout.ts';
import { objectProblems, objectSchema, type PickableObject, pickableRule, present, toObject } from './object.ts';

/** The fields that configs of all kinds have. */
export interface ConfigBase {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly version?: string | undefined;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly objects: readonly PickableObject[];
  /** Mistakes in the config that do not prevent its use. */
  readonly problems: readonly string[];
  /**
   * Returns the JSON that was read, with integers beyond 2⁵³ as `bigint`, unknown keys and file-system options. It is a
   * function because those options may hold passwords: printing a config shows no secret.
   */
  readonly original?: (() => Readonly<Record<string, unknown>>) | undefined;
}

/** The config of a project whose roots are folders, on disk or in a bucket. */
export interface FilesystemConfig extends ConfigBase {
  readonly type: 'filesystem';
  /** Where everything is written, as the config states it, not yet resolved. */
  readonly overlayRoot: string;
  /** Where data is only read. If absent, the overlay root is the only root. */
  readonly staticRoot?: string | undefined;
}

/** The config of a project described by a Croissant: tables beside the data, which make listing folders unnecessary. */
export interface CroissantConfig extends ConfigBase {
  readonly type: 'mlcroissant';
  /** URL or path of the Croissant's `metadata.json`. */
  readonly croissantUrl: string;
  /** Where the data lies, if not where the Croissant says. */
  readonly croissantBaseUrl?: string | undefined;
  /** Where everything is written; without it the project is read-only. */
  readonly overlayRoot?: string | undefined;
}

/** The config of a project that shows datasets of the CryoET Data Portal. */
export interface PortalConfig extends ConfigBase {
  readonly type: 'cryoet_data_portal';
  readonly datasetIds: readonly number[];
  /** Where everything is written. */
  readonly overlayRoot: string;
  /** Whether copick caches the portal's replies on disk. @defaultValue true */
  readonly portalCache: boolean;
  /** Lifetime of the cache, in seconds; 0 or less means for ever. @defaultValue 86400 */
  readonly portalCacheTtlSeconds: number;
  /** Folder of the cache; if absent, copick chooses it. */
  readonly portalCacheDir?: string | undefined;
  /** How long copick waits for another process that fills the cache, in seconds. @defaultValue 60 */
  readonly portalCacheLockTimeoutSeconds: number;
}

/** A copick project's config; `type` is the kind, `config_type` in the file. */
export type ProjectConfig = FilesystemConfig | CroissantConfig | PortalConfig;

const optionalText = v.nullish(v.string());
const root = v.pipe(v.string(), v.nonEmpty('is empty'));

const base = {
  name: optionalText,
  description: optionalText,
  version: optionalText,
  user_id: optionalText,
  session_id: optionalText,
  pickable_objects: v.array(objectSchema),
};

const baseSchema = v.looseObject({ ...base, pickable_objects: v.nullish(base.pickable_objects) });

const filesystemSchema = v.looseObject({ ...base, overlay_root: root, static_root: optionalText });

const croissantSchema = v.looseObject({
  ...base,
  // The Croissant may hold them instead.
  pickable_objects: v.nullish(base.pickable_objects),
  croissant_url: root,
  croissant_base_url: optionalText,
  overlay_root: optionalText,
});

const portalSchema = v.looseObject({
  ...base,
  overlay_root: root,
  dataset_ids: v.array(wholeNumber),
  portal_cache: v.nullish(v.boolean()),
  portal_cache_ttl_seconds: v.nullish(wholeNumber),
  portal_cache_dir: optionalText,
  portal_cache_lock_timeout_seconds: v.nullish(wholeNumber),
});

/** Copick's defaults for keys missing from a portal config. */
export const portalDefaults = {
  portal_cache: true,
  portal_cache_ttl_seconds: 86_400,
  portal_cache_lock_timeout_seconds: 60,
} as const;

type BaseJson = v.InferOutput<typeof baseSchema>;

/**
 * Reads the config of a copick project, of any of the three kinds; `type` of the result names the kind. A missing
 * `config_type` means `filesystem`, as in the competition's configs.
 *
 * Throws for everything that copick rejects. Mistakes that copick accepts, such as two objects with one label, are listed
 * in `problems`. The index keys `runs`, `voxel_spacings` and `tomograms` are kept but not used: storage decides.
 *
 * @param text - JSON, or its UTF-8.
 * @throws {@link CryoetPicksError} `invalid-config`, with line and column where the text is not JSON.
 * @example
 * ```ts
 * const config = parseConfig(await readFile('copick.json', 'utf8'), { source: 'copick.json' });
 * config.objects.map((object) => object.name);
 * ```
 */
export function parseConfig(text: string | Uint8Array, options: { readonly source: string }): ProjectConfig {
  requireArgument('parseConfig', 'text', text, textOrBytes);
  const { source } = requireOptions('parseConfig', options, { source: textRule });
  const what = `config "${source}"`;
  const json = parseJsonBigInt(text, { what, code: 'invalid-config', maxDepth: 200 });
  const check = { what, code: 'invalid-config' } as const;
  const type = configType(json, what);
  const original = () => json as Readonly<Record<string, unknown>>;
  if (type === 'mlcroissant') return { ...toCroissant(checkSchema(croissantSchema, json, check), what), original };
  if (type === 'cryoet_data_portal') return { ...toPortal(checkSchema(portalSchema, json, check), what), original };
  const output = checkSchema(filesystemSchema, json, check);
  const roots = { overlayRoot: output.overlay_root, ...present({ staticRoot: output.static_root || undefined }) };
  return { type, ...toBase(output, what), ...roots, original };
}

const textOrBytes: Rule = {
  expected: 'a string or a Uint8Array',
  isValid: (value) => typeof value === 'string' || value instanceof Uint8Array,
};

function configType(json: unknown, what: string): ProjectConfig['type'] {
  const { config_type: type } = (json ?? {}) as { readonly config_type?: unknown };
  if (type === undefined || type === null) return 'filesystem';
  if (type === 'filesystem' || type === 'mlcroissant' || type === 'cryoet_data_portal') return type;
  throw new CryoetPicksError(
    'invalid-config',
    `${what}: unknown config_type ${showJson(type)}; expected "filesystem", "cryoet_data_portal" or "mlcroissant"`,
  );
}

function toCroissant(output: v.InferOutput<typeof croissantSchema>, what: string): CroissantConfig {
  return {
    type: 'mlcroissant',
    ...toBase(output, what),
    croissantUrl: output.croissant_url,
    // Copick treats an empty value as absent.
    ...present({ croissantBaseUrl: output.croissant_base_url || undefined }),
    ...present({ overlayRoot: output.overlay_root || undefined }),
  };
}

function toPortal(output: v.InferOutput<typeof portalSchema>, what: string): PortalConfig {
  return {
    type: 'cryoet_data_portal',
    ...toBase(output, what),
    overlayRoot: output.overlay_root,
    datasetIds: output.dataset_ids,
    portalCache: output.portal_cache ?? portalDefaults.portal_cache,
    portalCacheTtlSeconds: output.portal_cache_ttl_seconds ?? portalDefaults.portal_cache_ttl_seconds,
    ...present({ portalCacheDir: output.portal_cache_dir }),
    portalCacheLockTimeoutSeconds:
      output.portal_cache_lock_timeout_seconds ?? portalDefaults.portal_cache_lock_timeout_seconds,
  };
}

function toBase(output: BaseJson, what: string): ConfigBase {
  const objects = (output.pickable_objects ?? []).map((object, index) =>
    toObject(object, `${what}: pickable_objects.${index}`),
  );
  return {
    ...present({ name: output.name, description: output.description, version: output.version }),
    ...present({ userId: output.user_id, sessionId: output.session_id }),
    objects,
    problems: [...objectProblems(objects), ...idProblems(output)],
  };
}

/**
 * Reads the fields that configs of all kinds have; objects may be missing.
 *
 * @throws {@link CryoetPicksError} `invalid-config`.
 */
export function parseConfigBase(json: unknown, what: string): ConfigBase {
  return toBase(checkSchema(baseSchema, json, { what, code: 'invalid-config' }), what);
}

const maybeText: Rule = {
  expected: 'a string',
  isValid: (value) => value === undefined || typeof value === 'string',
};

/** A config as a value. */
export const configRule: Rule = {
  expected: 'a config, such as `parseConfig(text, { source })`',
  isValid: isFields,
  fields: {
    type: {
      expected: '"filesystem", "mlcroissant" or "cryoet_data_portal"',
      isValid: (value) => ['filesystem', 'mlcroissant', 'cryoet_data_portal'].includes(value as string),
    },
    name: maybeText,
    description: maybeText,
    version: maybeText,
    userId: maybeText,
    sessionId: maybeText,
    overlayRoot: maybeText,
    staticRoot: maybeText,
    objects: { expected: 'a list of objects', isValid: Array.isArray, items: pickableRule },
    problems: { expected: 'a list of texts', isValid: Array.isArray, items: textRule },
    original: { expected: 'a function', isValid: (value) => value === undefined || typeof value === 'function' },
  },
};

function idProblems(config: BaseJson): string[] {
  return (['user_id', 'session_id'] as const).flatMap((key) => {
    const id = config[key];
    const fit = id === undefined || id === null ? id : fitName(id);
    return fit === id ? [] : [`${key} ${JSON.stringify(id)} is not allowed in file names; copick rejects it`];
  });
}
