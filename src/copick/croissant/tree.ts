import { CryoetPicksError, isCryoetPicksError } from '../../core/errors.ts';
import { checkKey, compareNames, type StoreEntry, type StoreKey } from '../../storage/store.ts';
import { fitName, formatSpacing, pathOf } from '../layout.ts';
import type { PicksIdentity } from '../picks-file.ts';
import type { Problem } from '../tree.ts';
import type { CroissantRow, TableName } from './metadata.ts';
import { type ResolveCellOptions, resolveCell } from './urls.ts';

/** What a row adds to the tree. */
export interface RowPath {
  readonly key: StoreKey;
  /** Absent for a plain folder. */
  readonly item?: Omit<CroissantItem, 'url'> | undefined;
  /** Mistakes in the row. */
  readonly mistakes: readonly string[];
}

/**
 * The path of a row's entity in a copick tree.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` for a row whose cells are not valid names, or lack a voxel size.
 */
function placeRow(table: TableName, row: CroissantRow): RowPath {
  const mistakes: string[] = [];
  const { key, ...placed } = places[table](cellsOf(row, mistakes));
  return { ...placed, key: checkKey(key), mistakes };
}

/** The cells of a row, checked and converted. */
interface Cells {
  run(column: string): string;
  /** A name without underscores, which separate the names in a file name. */
  name(column: string): string;
  /** The last name in a file name, which may contain underscores. */
  lastName(column: string): string;
  readonly voxelSpacing: () => number;
  readonly row: CroissantRow;
}

function cellsOf(row: CroissantRow, mistakes: string[]): Cells {
  const fitted = (column: string, fit: string | undefined) => {
    const text = row.text(column);
    const found = `its ${column} is ${JSON.stringify(text)}`;
    if (fit === undefined || fit.startsWith('.')) throw invalid(`${found}, which cannot be a name in copick`);
    if (fit !== text) mistakes.push(`${found}, which is not valid in file names, and is read as "${fit}"`);
    return fit;
  };
  return {
    row,
    run: (column) => checkRun(row.text(column)),
    name: (column) => fitted(column, fitName(row.text(column))),
    lastName(column) {
      const text = row.text(column);
      const parts = text.split('_').map((part) => fitName(part) ?? part);
      return fitted(column, parts.join('_') === text && text !== '' && !/^_|_$/.test(text) ? text : fitName(text));
    },
    voxelSpacing() {
      const length = row.length('voxel_size');
      if (length !== undefined && !Number.isNaN(length)) return length;
      throw invalid(`its voxel_size is ${JSON.stringify(row.text('voxel_size'))}, expected a length above 0 Å`);
    },
  };
}

/** Names of runs are never changed, so they must be valid names of folders. */
function checkRun(run: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (run !== '' && run !== '__proto__' && !/^\.|[/\\\u0000-\u001f\u007f]/.test(run)) return run;
  throw invalid(`its run is ${JSON.stringify(run)}, which cannot be the name of a folder`);
}

function invalid(message: string): CryoetPicksError {
  return new CryoetPicksError('invalid-metadata', message);
}

const image = { kind: 'folder' } as const;

const places: { readonly [T in TableName]: (cells: Cells) => Omit<RowPath, 'mistakes'> } = {
  runs: ({ run }) => ({ key: `/ExperimentRuns/${run('name')}` }),
  voxel_spacings: ({ run, voxelSpacing }) => ({
    key: pathOf('spacing', { run: run('run'), voxelSpacing: voxelSpacing() }),
  }),
  tomograms: ({ run, name, voxelSpacing }) => ({
    key: pathOf('tomogram', { run: run('run'), voxelSpacing: voxelSpacing(), type: name('tomo_type') }),
    item: image,
  }),
  features: ({ run, name, lastName, voxelSpacing }) => ({
    key: pathOf('features', {
      run: run('run'),
      voxelSpacing: voxelSpacing(),
      type: name('tomo_type'),
      featureType: lastName('feature_type'),
    }),
    item: image,
  }),
  picks(cells) {
    const { run, row } = cells;
    const identity = authored(cells, 'object_name');
    const { last: object, userId, sessionId } = identity;
    const spacing = row.length('voxel_size') ?? spacingOfUrl(row.text('url'));
    const origin = { identity: { object, userId, sessionId }, run: run('run') };
    const picks = spacing === undefined || Number.isNaN(spacing) ? origin : { ...origin, voxelSpacing: spacing };
    return {
      key: pathOf('picks', { run: run('run'), object, userId, sessionId }),
      item: { kind: 'file', picks, ...checksum(row) },
    };
  },
  meshes(cells) {
    const { last: object, userId, sessionId } = authored(cells, 'object_name');
    return {
      key: pathOf('mesh', { run: cells.run('run'), object, userId, sessionId }),
      item: { kind: 'file', ...checksum(cells.row) },
    };
  },
  segmentations: (cells) => segmentation(cells, 'Segmentations'),
  instance_segmentations: (cells) => segmentation(cells, 'InstanceSegmentations'),
  panoptic_segmentations: (cells) => segmentation(cells, 'PanopticSegmentations'),
  objects: ({ lastName }) => ({ key: pathOf('object', { object: lastName('name') }), item: image }),
};

function authored(cells: Cells, last: string): { userId: string; sessionId: string; last: string } {
  return { userId: cells.name('user_id'), sessionId: cells.name('session_id'), last: cells.lastName(last) };
}

function segmentation(cells: Cells, folder: string): Omit<RowPath, 'mistakes'> {
  const { last, userId, sessionId } = authored(cells, 'name');
  const ending = cells.row.flag('is_multilabel') ? '-multilabel' : '';
  const name = `${formatSpacing(cells.voxelSpacing())}_${userId}_${sessionId}_${last}${ending}.zarr`;
  return { key: `/ExperimentRuns/${cells.run('run')}/${folder}/${name}`, item: image };
}

/** Croissants older than the column `voxel_size` state it in the name of the folder only. */
function spacingOfUrl(url: string): number | undefined {
  const spacing = Number(/VoxelSpacing(\d+(?:\.\d+)?)/.exec(url)?.[1]);
  return spacing > 0 ? spacing : undefined;
}

function checksum(row: CroissantRow): { readonly sha256?: string } {
  const text = row.text('sha256').trim().toLowerCase();
  if (text === '') return {};
  if (/^[0-9a-f]{64}$/.test(text)) return { sha256: text };
  throw invalid(`its sha256 is not 64 hexadecimal digits`);
}

/** A file or an image that a table lists. */
export interface CroissantItem {
  /** An image is a folder. */
  readonly kind: StoreEntry['kind'];
  readonly url: string;
  /** The SHA-256 of a file, in lower-case hexadecimal digits. */
  readonly sha256?: string | undefined;
  /** What is needed to read a picks file as points of the portal. */
  readonly picks?: PicksOrigin | undefined;
}

/** What a table states about a picks file. */
export interface PicksOrigin {
  readonly identity: PicksIdentity;
  readonly run: string;
  /** In Å. */
  readonly voxelSpacing?: number | undefined;
}

/** The copick tree that the tables of a Croissant describe. */
export interface CroissantTree {
  readonly problems: readonly Problem[];
  /** The names of the runs by split; runs without a split are absent. */
  readonly splits: ReadonlyMap<string, readonly string[]>;
  /** The children of a folder; undefined if the tables have no such folder. */
  list(folder: StoreKey): readonly StoreEntry[] | undefined;
  /** The item at a key, or the image that contains the key, with the rest of the key. */
  find(key: StoreKey): { readonly item: CroissantItem; readonly rest: StoreKey } | undefined;
}

/** Builds a tree of the rows of all tables; a row that is not valid is left out and listed in `problems`. */
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
        const { key, item, mistakes } = placeRow(table, row);
        if (item !== undefined && content.has(key)) {
          report('it is listed twice; the first row is used');
          continue;
        }
        // An empty address means copick's own path.
        if (item === undefined) content.addFolder(key);
        else content.addItem(key, { ...item, url: resolveCell(row.text('url') || key.slice(1), addresses) });
        if (mistakes.length > 0) report(mistakes.join('; '));
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

/** Folders with their children, and the items among them. */
class TreeContent {
  readonly #folders = new Map<string, Map<string, StoreEntry['kind']>>([['/', new Map()]]);
  readonly #items = new Map<string, CroissantItem>();

  has(key: StoreKey): boolean {
    return this.#items.has(key);
  }

  addFolder(key: StoreKey): Map<string, StoreEntry['kind']> {
    const found = this.#folders.get(key);
    if (found !== undefined) return found;
    const made = new Map<string, StoreEntry['kind']>();
    this.#addChild(key, 'folder');
    this.#folders.set(key, made);
    return made;
  }

  addItem(key: StoreKey, item: CroissantItem): void {
    this.#addChild(key, item.kind);
    this.#items.set(key, item);
  }

  #addChild(key: StoreKey, kind: StoreEntry['kind']): void {
    const cut = key.lastIndexOf('/');
    this.addFolder((key.slice(0, cut) || '/') as StoreKey).set(key.slice(cut + 1), kind);
  }

  list(folder: StoreKey): readonly StoreEntry[] | undefined {
    const children = this.#folders.get(folder);
    if (children === undefined) return undefined;
    return [...children].map(([name, kind]) => ({ name, kind })).sort((a, b) => compareNames(a.name, b.name));
  }

  find(key: StoreKey): { readonly item: CroissantItem; readonly rest: StoreKey } | undefined {
    for (let end = key.length; end > 0; end = key.lastIndexOf('/', end - 1)) {
      const item = this.#items.get(key.slice(0, end));
      if (item === undefined) continue;
      // A file has no children.
      if (item.kind === 'file' && end < key.length) return undefined;
      return { item, rest: (key.slice(end) || '/') as StoreKey };
    }
    return undefined;
  }
}
