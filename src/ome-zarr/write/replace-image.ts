import { CryoetPicksError } from '../../core/errors.ts';
import { joinKey, type Store, type StoreKey, type StoreOptions, subStore } from '../../storage/store.ts';

const METADATA = ['/.zattrs', '/zarr.json', '/.zgroup', '/.zmetadata'] as const;

/** Options of {@link replaceImage}. */
export interface ReplaceImageOptions {
  /** Replace what the store holds. */
  readonly overwrite: boolean;
  /** Fill a group that holds nothing, as copick 2 makes it before it writes. @defaultValue false */
  readonly fillGroup?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes an image to the root of a store, which is refused where it holds one that is not to be overwritten. Where the store
 * can write out of sight, the image appears whole, in place of the old one. Elsewhere the old one is deleted first, and
 * what was written is deleted again if `write` fails, all of it if the store was empty.
 *
 * Of several writers that found the place free, the first to end has it where the store can write out of sight; the others
 * get `conflict` and leave nothing. Elsewhere what they write would mix.
 *
 * @param write - Writes the image to the store it is given, metadata last.
 * @throws {@link CryoetPicksError} `invalid-option` where an image is there from the start; `conflict` where one has come meanwhile.
 */
export async function replaceImage(
  store: Store,
  options: ReplaceImageOptions,
  write: (place: Store) => Promise<void>,
): Promise<void> {
  const { overwrite, fillGroup, signal } = options;
  const isEmpty = async () => (await store.list('/', { signal })).length === 0;
  const isToFill = async () => fillGroup === true && (await isEmptyGroup(store, { signal }));
  const replaces = overwrite || (await isToFill());
  if (!replaces) await refuseImage(store, signal);
  const staged = replaces || (await isEmpty()) ? await store.stage?.('/', { signal }) : undefined;
  if (!staged) return writeInPlace(store, { overwrite: replaces, signal }, write);
  const check = async () => {
    if (!(await isEmpty()) && !(await isToFill())) throw takenMeanwhile(store);
  };
  try {
    await write(staged.store);
    signal?.throwIfAborted();
    await staged.commit(overwrite ? {} : { check });
  } catch (error) {
    // The error that led here is the one to report.
    await staged.discard().catch(() => {});
    signal?.throwIfAborted();
    throw error;
  }
}

async function writeInPlace(
  store: Store,
  { overwrite, signal }: ReplaceImageOptions,
  write: (place: Store) => Promise<void>,
): Promise<void> {
  if (overwrite) await empty(store, signal);
  const before = (await store.list('/', { signal })).map(({ name }) => name);
  const written: StoreKey[] = [];
  try {
    await write(noting(store, written));
  } catch (error) {
    await removeWritten(store, { before, written });
    signal?.throwIfAborted();
    throw error;
  }
}

/** The store, which notes each key before it is written. */
function noting(store: Store, written: StoreKey[]): Store {
  const place = subStore(store, '/');
  const { setPieces } = place;
  place.set = async (key, value, options) => {
    written.push(key);
    await store.set(key, value, options);
  };
  if (setPieces) {
    place.setPieces = async (key, pieces, options) => {
      written.push(key);
      await setPieces(key, pieces, options);
    };
  }
  return place;
}

function takenMeanwhile({ location }: Store): CryoetPicksError {
  return new CryoetPicksError(
    'conflict',
    `another writer has filled ${location} while this image was written, and its content stays; choose another place or overwrite`,
  );
}

/** True for a Zarr group that holds nothing: neither arrays nor attributes. */
async function isEmptyGroup(store: Store, { signal }: StoreOptions): Promise<boolean> {
  const entries = await store.list('/', { signal });
  if (entries.some(({ name }) => name !== 'zarr.json' && name !== '.zgroup')) return false;
  const bytes = await store.get('/zarr.json', { signal });
  if (bytes === undefined) return entries.length > 0;
  try {
    const { node_type: type, attributes = {} } = JSON.parse(new TextDecoder().decode(bytes));
    return type === 'group' && Object.keys(attributes).length === 0;
  } catch {
    return false;
  }
}

async function refuseImage(store: Store, signal: AbortSignal | undefined): Promise<void> {
  for (const key of [...METADATA, '/.zarray', '/0/.zarray', '/0/zarr.json'] as const) {
    if (!(await store.get(key, { signal }))) continue;
    throw new CryoetPicksError(
      'invalid-option',
      `${store.location} holds ${key} already; choose another place or overwrite`,
    );
  }
}

async function empty(store: Store, signal: AbortSignal | undefined): Promise<void> {
  // Metadata first: from here on no reader takes the rest for an image.
  for (const key of METADATA) await store.delete(key, { signal });
  for (const { name } of await store.list('/', { signal })) await store.delete(joinKey(name), { signal });
}

interface Traces {
  /** What the root of the store held before. */
  readonly before: readonly string[];
  readonly written: readonly StoreKey[];
}

async function removeWritten(store: Store, { before, written }: Traces): Promise<void> {
  // Folders that were made go as a whole, what was written among other things one by one: metadata first, and on to the
  // next if one cannot be deleted.
  const made = new Set(written.map((key) => key.split('/')[1]!).filter((name) => !before.includes(name)));
  const folders = [...made].map((name) => joinKey(name));
  for (const key of before.length === 0 ? (['/'] as const) : [...written].reverse().concat(folders)) {
    try {
      await store.delete(key);
    } catch {}
  }
}
