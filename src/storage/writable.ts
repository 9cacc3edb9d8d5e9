import { joinKey, type Store, type StoreKey, type StoreOptions } from './store.ts';

/**
 * Makes sure that a folder of a store can be written, by writing a hidden file and deleting it: better asked before an
 * hour's work than after it.
 *
 * @throws {@link CryoetPicksError} `read-only` if it cannot.
 */
export async function requireWritable(store: Store, folder: StoreKey, options: StoreOptions = {}): Promise<void> {
  const key = joinKey(folder, '.writable');
  await store.set(key, new Uint8Array(0), options);
  await store.delete(key, options);
}
