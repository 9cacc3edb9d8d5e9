import { CryoetPicksError } from '../errors.ts';
import { joinKey, type Store, type StoreKey, subStore } from '../storage/store.ts';

/** Options of {@link placeImage}. */
export interface PlaceImageOptions {
  /** Replace what the store holds. */
  readonly overwrite: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes an image to the root of a store, which is refused where it holds one that is not to be overwritten. Where the store
 * can write out of sight, the image appears whole, in place of the old one. Elsewhere the old one is deleted first, and
 * what was written is deleted again if `write` fails, all of it if the store was empty.
 *
 * @param write - Writes the image to the store it is given, metadata last.
 */
export async function placeImage(
  store: Store,
  options: PlaceImageOptions,
  write: (place: Store) => Promise<void>,
): Promise<void> {
  const { overwrite, signal } = options;
  if (!overwrite) await refuseImage(store, signal);
  const isFree = overwrite || (await store.list('/', { signal })).length === 0;
  const staged = isFree ? await store.stage?.('/', { signal }) : undefined;
  if (!staged) return writeInPlace(store, options, write);
  try {
    await write(staged.store);
    signal?.throwIfAborted();
    await staged.commit();
  } catch (error) {
    // The error that led here is the one to report.
    await staged.discard().catch(() => {});
    signal?.throwIfAborted();
    throw error;
  }
}

async function writeInPlace(
  store: Store,
  { overwrite, signal }: PlaceImageOptions,
  write: (place: Store) => Promise<void>,
): Promise<void> {
  if (overwrite) await empty(store, signal);
  const wasEmpty = (await store.list('/', { signal })).length === 0;
  const written: StoreKey[] = [];
  const set: Store['set'] = async (key, value, options) => {
    written.push(key);
    await store.set(key, value, options);
  };
  try {
    await write({ ...subStore(store, '/'), set });
  } catch (error) {
    await removeAll(store, wasEmpty ? ['/'] : written);
    signal?.throwIfAborted();
    throw error;
  }
}

async function refuseImage(store: Store, signal: AbortSignal | undefined): Promise<void> {
  for (const key of ['/.zattrs', '/zarr.json', '/.zgroup', '/.zarray'] as const) {
    if (!(await store.get(key, { signal }))) continue;
    throw new CryoetPicksError(
      'invalid-option',
      `${store.location} holds ${key} already; choose another place or overwrite`,
    );
  }
}

async function empty(store: Store, signal: AbortSignal | undefined): Promise<void> {
  // Metadata first: from here on no reader takes the rest for an image.
  for (const key of ['/.zattrs', '/zarr.json', '/.zgroup'] as const) await store.delete(key, { signal });
  for (const { name } of await store.list('/', { signal })) await store.delete(joinKey(name), { signal });
}

async function removeAll(store: Store, keys: readonly StoreKey[]): Promise<void> {
  // Metadata first, and on to the next if one cannot be deleted: the error that led here is the one to report.
  for (const key of [...keys].reverse()) {
    try {
      await store.delete(key);
    } catch {}
  }
}
