import type { StoreEntry } from './store.ts';

/** What the keys in a folder begin with. */
export function folderPrefix(folder: string): string {
  return folder === '/' ? '/' : `${folder}/`;
}

/** The direct children of a folder among keys, sorted by name. */
export function childrenOf(folder: string, keys: Iterable<string>): StoreEntry[] {
  const prefix = folderPrefix(folder);
  const kinds = new Map<string, StoreEntry['kind']>();
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const [name, ...rest] = key.slice(prefix.length).split('/');
    if (name) kinds.set(name, rest.length > 0 ? 'folder' : 'file');
  }
  return [...kinds].map(([name, kind]) => ({ name, kind })).sort((a, b) => compareNames(a.name, b.name));
}

/** Orders names by code unit, the same on every machine. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
