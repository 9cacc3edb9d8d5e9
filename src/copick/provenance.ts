import { isFields } from '../core/arguments.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { parseJson, showJson } from '../core/json.ts';
import { sha256Hex } from '../core/sha256.ts';
import type { ListableStore, StoreKey, StoreOptions } from '../storage/store.ts';

/** The version of this package, which package.json has too. */
export const version = '0.1.0';

/** What made the picks of a file: program, model, settings; JSON. */
export type Provenance = Readonly<Record<string, unknown>>;

/** The bytes of a picks file, by their hash, and what made them. */
export interface PicksOrigin {
  /** SHA-256 of the file. */
  readonly sha256: string;
  /** Absent if nothing was recorded, or the file has changed since: it is somebody else's. */
  readonly provenance?: Provenance | undefined;
  /**
   * For `ifVersion` of `writePicks`: the file that is written is still this one. `null` if another one is written, as for a file of the
   * static tree; undefined if the store keeps no versions.
   */
  readonly version?: string | null | undefined;
}

/** The content of a record: what made the picks, and the hash of the file that it is about. */
export interface ProvenanceRecord extends Provenance {
  readonly picksSha256: string;
  /** The record of the file that is being replaced; a writer that is killed, or too late, leaves it, and with it the other picks. */
  readonly previous?: ProvenanceRecord | undefined;
}

/**
 * The key of the record of a picks file, beside it. Its name is hidden and does not end in `.json`, so that no program takes it for
 * picks.
 */
export function recordKey(picks: StoreKey): StoreKey {
  const slash = picks.lastIndexOf('/');
  return `${picks.slice(0, slash) as '' | `/${string}`}/.${picks.slice(slash + 1).replace(/\.json$/, '')}.provenance`;
}

/** The origin of a picks file; undefined if there is no file. */
export async function originOf(
  store: ListableStore,
  picks: StoreKey,
  options: StoreOptions = {},
): Promise<PicksOrigin | undefined> {
  const bytes = await store.get(picks, options);
  if (bytes === undefined) return undefined;
  const sha256 = await sha256Of(bytes);
  const fitting = fittingRecord(await readRecord(store, picks, options), sha256);
  if (fitting === undefined) return { sha256 };
  const { picksSha256, previous, ...provenance } = fitting;
  return { sha256, provenance };
}

function fittingRecord(record: ProvenanceRecord | undefined, sha256: string): ProvenanceRecord | undefined {
  return [record, record?.previous].find((one) => one?.picksSha256 === sha256);
}

/**
 * The record that a new one of the same picks file must keep as its previous one: that of the picks that are there, else one whose
 * picks another process may be about to write.
 */
export async function recordToKeep(
  store: ListableStore,
  picks: StoreKey,
  options: StoreOptions = {},
): Promise<ProvenanceRecord | undefined> {
  const record = await readRecord(store, picks, options);
  const bytes = record && (await store.get(picks, options));
  return (bytes && fittingRecord(record, await sha256Of(bytes))) ?? record;
}

/** Bytes of a record at most: it is read in one piece. */
const MAX_RECORD = 2 ** 22;

/** A record that cannot be read counts as absent: the picks are then somebody else's, and replaced only with `overwrite`. */
export async function readRecord(
  store: ListableStore,
  picks: StoreKey,
  options: StoreOptions,
): Promise<ProvenanceRecord | undefined> {
  const key = recordKey(picks);
  try {
    const bytes = await store.get(key, { ...options, maxValueBytes: MAX_RECORD });
    if (bytes === undefined || bytes.length > MAX_RECORD) return undefined;
    const json = parseJson(bytes, { what: key, code: 'invalid-metadata' });
    return typeof json === 'object' && json !== null ? (json as ProvenanceRecord) : undefined;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (isCryoetPicksError(error)) return undefined;
    throw error;
  }
}

/**
 * The bytes of the record of a picks file, of the file as it will be written.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the record has more than 4 MiB.
 */
export async function formatRecord(
  provenance: Provenance,
  { bytes, previous: kept }: { readonly bytes: Uint8Array; readonly previous?: ProvenanceRecord | undefined },
): Promise<Uint8Array> {
  // One is enough: what it kept has been replaced.
  const previous = kept && { ...kept, previous: undefined };
  const record: ProvenanceRecord = { ...provenance, picksSha256: await sha256Of(bytes), ...(previous && { previous }) };
  const encoded = new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`);
  if (encoded.length <= MAX_RECORD) return encoded;
  const message = `what made the picks takes ${encoded.length} bytes as JSON; a record holds ${MAX_RECORD}`;
  throw new CryoetPicksError('invalid-option', message, { option: 'provenance' });
}

/**
 * The SHA-256 of bytes that are recorded.
 *
 * @throws {@link CryoetPicksError} `unsupported` in a page that is not served by HTTPS, nor from this machine.
 */
export async function sha256Of(bytes: Uint8Array): Promise<string> {
  const sha256 = await sha256Hex(bytes);
  if (sha256 !== undefined) return sha256;
  throw new CryoetPicksError(
    'unsupported',
    'what made the picks cannot be recorded, because this page has no crypto.subtle; serve it by https, or from localhost',
  );
}

/** The settings that say something: one that is false is one that is not given. What are no settings comes back as it is. */
export function settingsGiven<T>(settings: T): T {
  if (!isFields(settings)) return settings;
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== false)) as T;
}

/** Where two records differ: `threshold was 0.5, is 0.3`, `model.card.normalization was "none", is "z-score"`. */
export function differences(before: unknown, now: unknown, path = ''): string[] {
  return differingFields(before, now, path).map(({ field, before, now }) => `${field} was ${before}, is ${now}`);
}

/** A field in which two records differ, such as `model.card.normalization`, and its values, for messages. */
export interface DifferingField {
  readonly field: string;
  readonly before: string;
  readonly now: string;
}

/** The fields in which two records differ, by {@link settingsGiven} as far as they are settings. */
export function differingFields(before: unknown, now: unknown, path = ''): DifferingField[] {
  if (!isFields(before) || !isFields(now)) {
    if (JSON.stringify(before) === JSON.stringify(now)) return [];
    return [{ field: path, before: shown(before), now: shown(now) }];
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(now)]) as Set<keyof typeof now>;
  return [...keys].flatMap((key: string) => {
    const [was, is] = [before[key as keyof typeof before], now[key as keyof typeof now]] as readonly unknown[];
    const place = path === '' ? key : `${path}.${key}`;
    if (key !== 'settings') return differingFields(was, is, place);
    return differingFields(settingsGiven(was), settingsGiven(is), place);
  });
}

function shown(value: unknown): string {
  return value === undefined ? 'not given' : showJson(value);
}
