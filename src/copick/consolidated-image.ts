import { isCryoetPicksError } from '../errors.ts';
import type { ListableStore, StoreOptions } from '../storage/store.ts';

/**
 * Opens an image; where its store has no metadata but the consolidated ones, by these, as copick does with zarr-python.
 *
 * @param open - Opens it from the store that it is given.
 */
export async function orConsolidated<T>(
  store: ListableStore,
  { signal }: StoreOptions,
  open: (store: ListableStore) => Promise<T>,
): Promise<T> {
  try {
    return await open(store);
  } catch (error) {
    if (!isCryoetPicksError(error, 'invalid-metadata') || !(await hasConsolidatedOnly(store, { signal }))) throw error;
    const { withConsolidated } = await import('../ome-zarr/consolidated.ts');
    return open(withConsolidated(store));
  }
}

async function hasConsolidatedOnly(store: ListableStore, options: StoreOptions): Promise<boolean> {
  for (const key of ['/.zattrs', '/.zarray', '/zarr.json'] as const) {
    if ((await store.get(key, options)) !== undefined) return false;
  }
  return (await store.get('/.zmetadata', options)) !== undefined;
}
