import { CryoetPicksError } from '../errors.ts';
import { checkKey, type StoreKey } from '../storage/store.ts';
import type { CroissantRow, TableName } from './croissant-rows.ts';
import type { CroissantItem } from './croissant-tree.ts';
import { pathOf } from './layout.ts';
import { fitName, formatSpacing } from './names.ts';

/** What a row puts into the tree. */
export interface Placed {
  readonly key: StoreKey;
  /** Absent for a mere folder. */
  readonly item?: Omit<CroissantItem, 'url'> | undefined;
  /** What is odd about the row. */
  readonly odd: readonly string[];
}

/**
 * Where the thing of a row lies in a copick tree, named as copick names it.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` for a row whose cells cannot be names, or lack a voxel size.
 */
export function placeRow(table: TableName, row: CroissantRow): Placed {
  const odd: string[] = [];
  const { key, ...placed } = places[table](cellsOf(row, odd));
  return { ...placed, key: checkKey(key), odd };
}

/** The cells of a row as what they name. */
interface Cells {
  run(column: string): string;
  /** A name without underscores, since those part the names in a file name. */
  name(column: string): string;
  /** The last name in a file name, which may hold underscores. */
  lastName(column: string): string;
  readonly voxelSpacing: () => number;
  readonly row: CroissantRow;
}

function cellsOf(row: CroissantRow, odd: string[]): Cells {
  const fitted = (column: string, fit: string | undefined) => {
    const text = row.text(column);
    const found = `its ${column} is ${JSON.stringify(text)}`;
    if (fit === undefined || fit.startsWith('.')) throw invalid(`${found}, which cannot be a name in copick`);
    if (fit !== text) odd.push(`${found}, which file names cannot hold, and is read as "${fit}"`);
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

/** Names of runs are never changed, so they must be names of folders as they are. */
function checkRun(run: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (run !== '' && run !== '__proto__' && !/^\.|[/\\\u0000-\u001f\u007f]/.test(run)) return run;
  throw invalid(`its run is ${JSON.stringify(run)}, which cannot be the name of a folder`);
}

function invalid(message: string): CryoetPicksError {
  return new CryoetPicksError('invalid-metadata', message);
}

const image = { kind: 'folder' } as const;

const places: { readonly [T in TableName]: (cells: Cells) => Omit<Placed, 'odd'> } = {
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

function segmentation(cells: Cells, folder: string): Omit<Placed, 'odd'> {
  const { last, userId, sessionId } = authored(cells, 'name');
  const ending = cells.row.flag('is_multilabel') ? '-multilabel' : '';
  const name = `${formatSpacing(cells.voxelSpacing())}_${userId}_${sessionId}_${last}${ending}.zarr`;
  return { key: `/ExperimentRuns/${cells.run('run')}/${folder}/${name}`, item: image };
}

/** Croissants older than the column `voxel_size` tell it by the folder only. */
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
