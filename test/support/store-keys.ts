import type { Store, StoreKey } from '../../src/entry/index.ts';

/** The keys of all values of a store below a folder, in the order of its listings. */
export async function keysOf(store: Store, folder: StoreKey = '/'): Promise<StoreKey[]> {
  const keys: StoreKey[] = [];
  for (const { name, kind } of await store.list(folder)) {
    const key: StoreKey = `${folder === '/' ? '' : folder}/${name}` as StoreKey;
    if (kind === 'file') keys.push(key);
    else keys.push(...(await keysOf(store, key)));
  }
  return keys;
}
