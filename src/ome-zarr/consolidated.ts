import { flag, optional, readableStore, requireArgument, requireOptions } from '../core/arguments.ts';
import { untilAborted } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import {
  checkCall,
  checkRange,
  isListable,
  type ListableStore,
  type ReadableStore,
  type StoreKey,
  type StoreOptions,
} from '../storage/store.ts';
import { parseMetadataFile } from './metadata.ts';

/** Options of {@link withConsolidated}. */
export interface ConsolidatedOptions {
  /**
   * Compare the consolidated metadata with the metadata files of an array before its first chunk is returned.
   * @defaultValue true
   */
  readonly verify?: boolean | undefined;
}

/**
 * Wraps a store so that its metadata files are read from its consolidated metadata: `.zmetadata` of Zarr v2, or `zarr.json` of the
 * root of Zarr v3. This takes one request instead of one per file, and can read stores that have only the consolidated metadata.
 * Files that they do not list are read from the store.
 *
 * Consolidated metadata are a copy that can be stale. As in zarr-python, they take precedence. But with the first chunk of an
 * array, its metadata files are read too, and if one exists and differs, the read throws instead of returning wrong voxels.
 *
 * @throws {@link CryoetPicksError} from reads: `invalid-metadata` if the consolidated metadata are invalid or stale.
 * @example
 * ```ts
 * const tomogram = await openTomogram(withConsolidated(httpStore('https://example.org/denoised.zarr')));
 * ```
 */
export function withConsolidated<S extends ReadableStore>(
  store: S,
  options: ConsolidatedOptions = {},
): S extends ListableStore ? ListableStore : ReadableStore {
  requireArgument('withConsolidated', 'store', store, readableStore);
  const { verify = true } = requireOptions('withConsolidated', options, { verify: optional(flag) });
  let read: Promise<ReadonlyMap<string, unknown>> | undefined;
  const documents = () => {
    // All callers share the request, so none of them may abort it. A failure is not kept.
    read ??= readConsolidated(store);
    read.catch(() => {
      read = undefined;
    });
    return read;
  };
  const check = verify ? verifier(store, documents) : async () => {};
  const whole: ReadableStore = store;
  const wrapped: ReadableStore = {
    location: store.location,
    async get(key, given) {
      const options = checkCall('get', key, given);
      if (!METADATA.test(key)) return checked(key, options, () => store.get(key, options));
      const found = (await untilAborted(documents(), options.signal)).get(key);
      return found === undefined ? store.get(key, options) : encode(found);
    },
    async getRange(key, range, given) {
      checkRange(range);
      const options = checkCall('getRange', key, given);
      return checked(key, options, () => store.getRange(key, range, options));
    },
  };
  async function checked<T>(key: StoreKey, options: StoreOptions, get: () => Promise<T>): Promise<T> {
    const [value] = await Promise.all([get(), check(key, options)]);
    return value;
  }
  if (whole.size) wrapped.size = whole.size.bind(whole);
  const result = isListable(whole) ? { ...wrapped, list: whole.list.bind(whole) } : wrapped;
  return result as S extends ListableStore ? ListableStore : ReadableStore;
}

const METADATA = /\/(\.z(attrs|group|array)|zarr\.json)$/;

/** Reads the documents of the consolidated metadata of either format, by key; empty if there is no consolidated metadata. */
async function readConsolidated(store: ReadableStore): Promise<ReadonlyMap<string, unknown>> {
  const keys = ['/.zmetadata', '/zarr.json'] as const;
  const [first, second] = await Promise.allSettled(keys.map((key) => readObject(store, key)));
  const [v2, v3] = [foundIn(first!), foundIn(second!)];
  const documents = new Map<string, unknown>();
  if (v2) {
    for (const [name, json] of entriesOf(v2.metadata, '/.zmetadata', store)) documents.set(`/${name}`, json);
  }
  const inline = v3?.consolidated_metadata;
  if (v3) documents.set('/zarr.json', v3);
  if (inline !== undefined && inline !== null) {
    const { metadata } = inline as { metadata?: unknown };
    const where = '"consolidated_metadata" in /zarr.json';
    for (const [path, json] of entriesOf(metadata, where, store)) documents.set(`/${path}/zarr.json`, json);
  }
  return documents;
}

/** The content of a file. One that cannot be reached counts as absent, since a page cannot distinguish the two. */
function foundIn<T>(result: PromiseSettledResult<T>): T | undefined {
  if (result.status === 'fulfilled') return result.value;
  if (!isCryoetPicksError(result.reason, 'not-found')) throw result.reason;
  return undefined;
}

async function readObject(store: ReadableStore, key: StoreKey): Promise<Record<string, unknown> | undefined> {
  const bytes = await store.get(key);
  if (!bytes) return undefined;
  const json = parseMetadataFile(bytes, `${key} of ${store.location}`);
  if (isObject(json)) return json;
  throw notUnderstood(key, store, 'expected an object');
}

function entriesOf(metadata: unknown, where: string, store: ReadableStore): [string, unknown][] {
  if (!isObject(metadata)) throw notUnderstood(where, store, 'expected an object "metadata"');
  const entries = Object.entries(metadata);
  const bad = entries.find(([, json]) => !isObject(json));
  if (bad) throw notUnderstood(where, store, `${JSON.stringify(bad[0])} is not an object`);
  return entries;
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function notUnderstood(where: string, { location }: ReadableStore, what: string): CryoetPicksError {
  return new CryoetPicksError(
    'invalid-metadata',
    `cannot understand the consolidated metadata, ${where} of ${location}: ${what}; open the store without withConsolidated to ignore them`,
  );
}

/** Formats JSON, with Zarr's names for numbers that are not finite. */
function encode(json: unknown): Uint8Array {
  const named = (_: string, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
  return new TextEncoder().encode(JSON.stringify(json, named));
}

/** Compares the documents of the folders above a chunk with their files, once for each. */
function verifier(store: ReadableStore, documents: () => Promise<ReadonlyMap<string, unknown>>) {
  const verdicts = new Map<string, Promise<void>>();
  const compare = async (key: StoreKey, listed: unknown) => {
    const bytes = await store.get(key);
    const own = bytes && parseMetadataFile(bytes, `${key} of ${store.location}`);
    if (own === undefined || isSame(own, listed)) return;
    throw new CryoetPicksError(
      'invalid-metadata',
      `the consolidated metadata of ${store.location} are stale: ${key} differs; open the store without withConsolidated`,
    );
  };
  return async (chunk: StoreKey, { signal }: StoreOptions): Promise<void> => {
    const listed = await untilAborted(documents(), signal);
    const waits: Promise<void>[] = [];
    for (let at = chunk.lastIndexOf('/'); at >= 0; at = chunk.lastIndexOf('/', at - 1)) {
      for (const name of ['.zarray', '.zattrs', 'zarr.json']) {
        const key = `${chunk.slice(0, at)}/${name}` as StoreKey;
        const json = key === '/zarr.json' ? undefined : listed.get(key);
        if (json === undefined) continue;
        const verdict = verdicts.get(key) ?? compare(key, json);
        verdicts.set(key, verdict);
        verdict.catch(() => verdicts.delete(key));
        waits.push(verdict);
      }
      if (at === 0) break;
    }
    await untilAborted(Promise.all(waits), signal);
  };
}

/** Whether two documents are equal, in any order of keys, and without the consolidated metadata in a v3 document. */
function isSame(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(json: unknown): string {
  return JSON.stringify(json, (key, value: unknown) => {
    if (key === 'consolidated_metadata') return undefined;
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    return isObject(value) ? Object.fromEntries(Object.entries(value).sort(([p], [q]) => (p < q ? -1 : 1))) : value;
  });
}
