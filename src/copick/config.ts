import * as v from 'valibot';
import { CryoetPicksError } from '../core/errors.ts';
import { checkSchema, parseJsonBigInt, showJson, wholeNumber } from '../core/json.ts';
import { fitName } from './layout.ts';
import { objectProblems, objectSchema, type PickableObject, present, toObject } from './object.ts';

/** What the configs of all kinds say. */
export interface ConfigBase {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly version?: string | undefined;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly objects: readonly PickableObject[];
  /** What is odd about the config, without being in the way. */
  readonly problems: readonly string[];
  /**
   * The JSON that was read, integers beyond 2⁵³ as `bigint`, with keys this library does not know and file-system options, which may hold passwords: a
   * function, so that printing a config shows no secret.
   */
  readonly original?: (() => Readonly<Record<string, unknown>>) | undefined;
}

/** The config of a project whose trees are folders, on disk or in a bucket. */
export interface FilesystemConfig extends ConfigBase {
  readonly type: 'filesystem';
  /** Where everything is written, as the config says it; nothing is resolved yet. */
  readonly overlayRoot: string;
  /** Where data is only read; the overlay root if absent. */
  readonly staticRoot?: string | undefined;
}

/** The config of a project that a Croissant describes: tables beside the data, so that nothing need be listed. */
export interface CroissantConfig extends ConfigBase {
  readonly type: 'mlcroissant';
  /** URL or path of the Croissant's `metadata.json`. */
  readonly croissantUrl: string;
  /** Where the data lies, if not where the Croissant says. */
  readonly croissantBaseUrl?: string | undefined;
  /** Where everything is written; without it the project can only be read here. */
  readonly overlayRoot?: string | undefined;
}

/** The config of a project that shows datasets of the CryoET Data Portal. */
export interface PortalConfig extends ConfigBase {
  readonly type: 'cryoet_data_portal';
  readonly datasetIds: readonly number[];
  /** Where everything is written. */
  readonly overlayRoot: string;
  /** Whether copick keeps what the portal answers on disk. @defaultValue true */
  readonly portalCache: boolean;
  /** For how long, in seconds; 0 or less means for ever. @defaultValue 86400 */
  readonly portalCacheTtlSeconds: number;
  /** Where copick keeps it; absent, where it thinks best. */
  readonly portalCacheDir?: string | undefined;
  /** How long copick waits for another process that fills the cache, in seconds. @defaultValue 60 */
  readonly portalCacheLockTimeoutSeconds: number;
}

/** A copick project's config; `type` tells the kind, as `config_type` does in the file. */
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
  // The Croissant has them too.
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

/** What copick takes where a portal config leaves these out. */
export const portalDefaults = {
  portal_cache: true,
  portal_cache_ttl_seconds: 86_400,
  portal_cache_lock_timeout_seconds: 60,
} as const;

type BaseJson = v.InferOutput<typeof baseSchema>;

/**
 * Reads the config of a copick project, of any of the three kinds; `type` of the result tells which. A missing `config_type`
 * means `filesystem`, as in the competition's configs.
 *
 * What copick itself refuses is refused; what it lets through although it is wrong (two objects of one label) is listed
 * in `problems`. The index keys `runs`, `voxel_spacings` and `tomograms` are kept but not used: what is in storage counts.
 *
 * @throws {@link CryoetPicksError} `invalid-config`, with line and column where the text is not JSON.
 * @example
 * ```ts
 * const config = parseConfig(await readFile('copick.json', 'utf8'), { source: 'copick.json' });
 * config.objects.map((object) => object.name);
 * ```
 */
export function parseConfig(text: string, { source }: { readonly source: string }): ProjectConfig {
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

function configType(json: unknown, what: string): ProjectConfig['type'] {
  const { config_type: type } = (json ?? {}) as { readonly config_type?: unknown };
  if (type === undefined || type === null) return 'filesystem';
  if (type === 'filesystem' || type === 'mlcroissant' || type === 'cryoet_data_portal') return type;
  throw new CryoetPicksError(
    'invalid-config',
    `${what}: unknown config_type ${showJson(type)}; copick has "filesystem", "cryoet_data_portal" and "mlcroissant"`,
  );
}

function toCroissant(output: v.InferOutput<typeof croissantSchema>, what: string): CroissantConfig {
  return {
    type: 'mlcroissant',
    ...toBase(output, what),
    croissantUrl: output.croissant_url,
    // Empty is what copick takes for absent.
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
 * Reads what the configs of all kinds say; objects may be missing.
 *
 * @throws {@link CryoetPicksError} `invalid-config`.
 */
export function parseConfigBase(json: unknown, what: string): ConfigBase {
  return toBase(checkSchema(baseSchema, json, { what, code: 'invalid-config' }), what);
}

function idProblems(config: BaseJson): string[] {
  return (['user_id', 'session_id'] as const).flatMap((key) => {
    const id = config[key];
    const fit = id === undefined || id === null ? id : fitName(id);
    return fit === id ? [] : [`${key} ${JSON.stringify(id)} is not allowed in file names; copick refuses it`];
  });
}
