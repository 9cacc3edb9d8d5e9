import { type PickableObject, type PortalConfig, type ProjectConfig, portalDefaults } from './config.ts';
import { formatExactJson } from './exact-json.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Writes a config as copick does: JSON with an indent of four. Keys that were read and are not known here come back
 * unchanged, objects' keys too (matched by name); `go_id` becomes `identifier`, as copick writes it.
 *
 * The text holds whatever secrets the config's file-system options hold.
 *
 * @example
 * ```ts
 * const config = parseConfig(text, { source: 'copick.json' });
 * await writeFile('copick.json', formatConfig({ ...config, description: 'Ribosomes of the test run' }));
 * ```
 */
export function formatConfig(config: ProjectConfig): string {
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
  return formatExactJson(json, 4);
}

/** The keys that only configs of one kind have. */
function ofKind(config: ProjectConfig, original: Json): Json {
  if (config.type === 'filesystem') return { static_root: config.staticRoot };
  if (config.type === 'cryoet_data_portal') return ofPortal(config, original);
  return { croissant_url: config.croissantUrl, croissant_base_url: config.croissantBaseUrl };
}

/** Defaults that the original leaves out stay out. */
function ofPortal(config: PortalConfig, original: Json): Json {
  const cache = {
    portal_cache: config.portalCache,
    portal_cache_ttl_seconds: config.portalCacheTtlSeconds,
    portal_cache_lock_timeout_seconds: config.portalCacheLockTimeoutSeconds,
  };
  const defaults: Json = portalDefaults;
  const told = Object.entries(cache).filter(
    ([key, value]) => (original[key] ?? defaults[key]) !== value || original[key],
  );
  return { dataset_ids: config.datasetIds, portal_cache_dir: config.portalCacheDir, ...Object.fromEntries(told) };
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
    // Left out, a label would be read as copick's default of 1.
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

/** The original with the known fields set; a field without value is null where the original has the key, else left out. */
function merged(original: Json, known: Json): Json {
  const result: Record<string, unknown> = { ...original };
  for (const [key, value] of Object.entries(known)) {
    if (value !== undefined) result[key] = value;
    else if (key in original) result[key] = null;
  }
  return result;
}
