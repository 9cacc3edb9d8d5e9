import { type CsvRow, parseNumber, readCsvTable } from '../picks/csv-table.ts';

/** The columns that a table of a Croissant must have; others may be missing, as in older ones. */
const required = {
  runs: ['name'],
  voxel_spacings: ['run', 'voxel_size'],
  tomograms: ['run', 'voxel_size', 'tomo_type', 'url'],
  features: ['run', 'voxel_size', 'tomo_type', 'feature_type', 'url'],
  picks: ['run', 'user_id', 'session_id', 'object_name', 'url'],
  meshes: ['run', 'user_id', 'session_id', 'object_name', 'url'],
  segmentations: ['run', 'voxel_size', 'user_id', 'session_id', 'name', 'url'],
  instance_segmentations: ['run', 'voxel_size', 'user_id', 'session_id', 'name', 'url'],
  panoptic_segmentations: ['run', 'voxel_size', 'user_id', 'session_id', 'name', 'url'],
  objects: ['name', 'url'],
} as const;

/** A table of a Croissant. */
export type TableName = keyof typeof required;

/** All tables, in copick's order. */
export const tableNames: readonly TableName[] = Object.keys(required) as TableName[];

/** A row of a table. */
export interface CroissantRow {
  /** Table and line, for messages. */
  readonly place: string;
  /** The cell of a column; empty where the row or the table has none. */
  text(column: string): string;
  /** The length in a column, in Å; undefined where the cell is empty. Not a number above 0: `NaN`. */
  length(column: string): number | undefined;
  /** Whether the cell says so in one of copick's words. */
  flag(column: string): boolean;
}

/**
 * Reads a table of a Croissant.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` for what is no table, or lacks a column.
 */
export function parseTable(table: TableName, text: string): CroissantRow[] {
  const source = `${table}.csv`;
  return readCsvTable(text, { required: required[table], code: 'invalid-metadata', source }).map((row) =>
    toRow(row, source),
  );
}

function toRow(row: CsvRow, source: string): CroissantRow {
  const text = (column: string) => row.cell(column) ?? '';
  return {
    place: `${source}, line ${row.line}`,
    text,
    length(column) {
      const cell = text(column);
      if (cell.trim() === '') return undefined;
      const value = parseNumber(cell);
      return value !== undefined && value > 0 && Number.isFinite(value) ? value : Number.NaN;
    },
    flag: (column) => ['true', '1', 'yes'].includes(text(column).trim().toLowerCase()),
  };
}
