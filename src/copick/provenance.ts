import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';
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
}

/** The content of a record: what made the picks, and the hash of the file that it is about. */
interface ProvenanceRecord extends Provenance {
  readonly picksSha256: string;
  /** The record of the file that is being replaced; a writer that is killed leaves it, and with it the old picks. */
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
  const record = await readRecord(store, picks, options);
  const fitting = [record, record?.previous].find((one) => one?.picksSha256 === sha256);
  if (fitting === undefined) return { sha256 };
  const { picksSha256, previous, ...provenance } = fitting;
  return { sha256, provenance };
}

/** A record that cannot be read counts as absent: the picks are then somebody else's, and replaced only with `overwrite`. */
async function readRecord(
  store: ListableStore,
  picks: StoreKey,
  options: StoreOptions,
): Promise<ProvenanceRecord | undefined> {
  const key = recordKey(picks);
  try {
    const bytes = await store.get(key, options);
    if (bytes === undefined) return undefined;
    const json = parseJson(new TextDecoder().decode(bytes), { what: key, code: 'invalid-metadata' });
    return typeof json === 'object' && json !== null ? (json as ProvenanceRecord) : undefined;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (isCryoetPicksError(error)) return undefined;
    throw error;
  }
}

/** The bytes of the record of a picks file, of the file as it will be written. */
export async function formatRecord(
  provenance: Provenance,
  { bytes, previous }: { readonly bytes: Uint8Array; readonly previous?: PicksOrigin | undefined },
): Promise<Uint8Array> {
  const old = previous?.provenance && { ...previous.provenance, picksSha256: previous.sha256 };
  const record: ProvenanceRecord = { ...provenance, picksSha256: await sha256Of(bytes), ...(old && { previous: old }) };
  return new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`);
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
