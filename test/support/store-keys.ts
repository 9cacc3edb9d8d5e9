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

/** All values of a store, by key, as text of a byte per character, so that a difference is shown. */
export async function filesOfStore(store: Store): Promise<ReadonlyMap<StoreKey, string>> {
  const files = new Map<StoreKey, string>();
  for (const key of await keysOf(store)) files.set(key, Buffer.from((await store.get(key))!).toString('latin1'));
  return files;
}
