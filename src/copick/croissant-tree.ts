import { isCryoetPicksError } from '../errors.ts';
import { compareNames } from '../storage/children.ts';
import type { StoreEntry, StoreKey } from '../storage/store.ts';
import { placeRow } from './croissant-places.ts';
import type { CroissantRow, TableName } from './croissant-rows.ts';
import { type ResolveCellOptions, resolveCell } from './croissant-urls.ts';
import type { PicksIdentity } from './picks.ts';
import type { Problem } from './problems.ts';

/** A file or an image that a table lists. */
export interface CroissantItem {
  /** An image is a folder. */
  readonly kind: StoreEntry['kind'];
  readonly url: string;
  /** What the bytes of a file must give, in lower-case hexadecimal digits. */
  readonly sha256?: string | undefined;
  /** What a picks file needs to be read as points of the portal. */
  readonly picks?: PicksOrigin | undefined;
}

/** What a table says of a picks file. */
export interface PicksOrigin {
  readonly identity: PicksIdentity;
  readonly run: string;
  /** In Å. */
  readonly voxelSpacing?: number | undefined;
}

/** The copick tree that the tables of a Croissant describe. */
export interface CroissantTree {
  readonly problems: readonly Problem[];
  /** The names of the runs by split; runs without a split are in none. */
  readonly splits: ReadonlyMap<string, readonly string[]>;
  /** The children of a folder; undefined where the tables know none of the name. */
  list(folder: StoreKey): readonly StoreEntry[] | undefined;
  /** What lies at a key, or the image that the key leads into, with the rest of the key. */
  find(key: StoreKey): { readonly item: CroissantItem; readonly rest: StoreKey } | undefined;
}

/** Puts the rows of all tables into a tree; a row that cannot be is left out, and told in `problems`. */
export function buildTree(
  tables: ReadonlyMap<TableName, readonly CroissantRow[]>,
  addresses: ResolveCellOptions,
): CroissantTree {
  const content = new TreeContent();
  const problems: Problem[] = [];
  for (const [table, rows] of tables) {
    for (const row of rows) {
      const report = (message: string) => problems.push({ path: row.place, message });
      try {
        const { key, item, odd } = placeRow(table, row);
        if (item !== undefined && content.has(key)) {
          report('it is listed twice; the first row counts');
          continue;
        }
        // An empty address is the place that copick gives.
        if (item === undefined) content.addFolder(key);
        else content.addItem(key, { ...item, url: resolveCell(row.text('url') || key.slice(1), addresses) });
        if (odd.length > 0) report(odd.join('; '));
      } catch (error) {
        if (!isCryoetPicksError(error)) throw error;
        report(`${error.message}; the row is left out`);
      }
    }
  }
  return {
    problems,
    splits: splitsOf(tables.get('runs') ?? []),
    list: (folder) => content.list(folder),
    find: (key) => content.find(key),
  };
}

function splitsOf(runs: readonly CroissantRow[]): ReadonlyMap<string, readonly string[]> {
  const splits = new Map<string, string[]>();
  for (const row of runs) {
    const [run, split] = [row.text('name'), row.text('split').trim()];
    if (split === '' || run === '') continue;
    const names = splits.get(split) ?? [];
    if (!names.includes(run)) names.push(run);
    splits.set(split, names);
  }
  for (const names of splits.values()) names.sort(compareNames);
  return splits;
}

/** Folders with their children, and the items among those. */
class TreeContent {
  private readonly folders = new Map<string, Map<string, StoreEntry['kind']>>([['/', new Map()]]);
  private readonly items = new Map<string, CroissantItem>();

  has(key: StoreKey): boolean {
    return this.items.has(key);
  }

  addFolder(key: StoreKey): Map<string, StoreEntry['kind']> {
    const found = this.folders.get(key);
    if (found !== undefined) return found;
    const made = new Map<string, StoreEntry['kind']>();
    this.addChild(key, 'folder');
    this.folders.set(key, made);
    return made;
  }

  addItem(key: StoreKey, item: CroissantItem): void {
    this.addChild(key, item.kind);
    this.items.set(key, item);
  }

  private addChild(key: StoreKey, kind: StoreEntry['kind']): void {
    const cut = key.lastIndexOf('/');
    this.addFolder((key.slice(0, cut) || '/') as StoreKey).set(key.slice(cut + 1), kind);
  }

  list(folder: StoreKey): readonly StoreEntry[] | undefined {
    const children = this.folders.get(folder);
    if (children === undefined) return undefined;
    return [...children].map(([name, kind]) => ({ name, kind })).sort((a, b) => compareNames(a.name, b.name));
  }

  find(key: StoreKey): { readonly item: CroissantItem; readonly rest: StoreKey } | undefined {
    for (let end = key.length; end > 0; end = key.lastIndexOf('/', end - 1)) {
      const item = this.items.get(key.slice(0, end));
      if (item === undefined) continue;
      // A file has nothing below it.
      if (item.kind === 'file' && end < key.length) return undefined;
      return { item, rest: (key.slice(end) || '/') as StoreKey };
    }
    return undefined;
  }
}
