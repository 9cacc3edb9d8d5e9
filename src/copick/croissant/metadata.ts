import * as v from 'valibot';
import { CryoetPicksError } from '../../core/errors.ts';
import { checkSchema, parseJsonBigInt } from '../../core/json.ts';
import { type CsvRow, parseNumber, readCsvTable } from '../../picks/csv.ts';
import { type ConfigBase, parseConfigBase } from '../config.ts';

/** The description of a copick project in the `metadata.json` of a Croissant. */
export interface CroissantMetadata {
  /** The base of relative addresses in the tables. If absent, it is the parent of the Croissant's folder. */
  readonly baseUrl?: string | undefined;
  /** The config in the Croissant. */
  readonly config: ConfigBase;
  /** Tables that the Croissant declares. */
  readonly tables: ReadonlyMap<TableName, DeclaredTable>;
}

/** A table declared by a Croissant. */
export interface DeclaredTable {
  readonly contentUrl: string;
  /** In hexadecimal digits. */
  readonly sha256?: string | undefined;
}

const code = 'invalid-metadata';
const schema = v.looseObject({
  'copick:baseUrl': v.nullish(v.string()),
  'copick:config': v.nullish(v.record(v.string(), v.unknown())),
  distribution: v.nullish(v.array(v.unknown())),
});
const fileObject = v.looseObject({
  '@id': v.string(),
  contentUrl: v.nullish(v.string()),
  sha256: v.nullish(v.string()),
});

/**
 * Reads the `metadata.json` of a Croissant that copick made.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata`, with line and column if the text is not JSON, or if the Croissant declares
 *   no table of copick's; `invalid-config` for a config that copick rejects.
 */
export function parseCroissant(text: string, { source }: { readonly source: string }): CroissantMetadata {
  const what = `Croissant "${source}"`;
  const json = checkSchema(schema, parseJsonBigInt(text, { what, code, maxDepth: 200 }), { what, code });
  const tables = declaredTables(json.distribution ?? []);
  if ('config_type' in json || 'pickable_objects' in json) {
    const remedy = "a config is opened from disk; on the web, name a Croissant's metadata.json";
    throw new CryoetPicksError(code, `"${source}" is a copick config, not a Croissant: ${remedy}`);
  }
  if (!tables.has('runs')) {
    throw new CryoetPicksError(
      code,
      `${what} was not made by copick: its "distribution" declares no table "runs-csv"; found ${tables.size} of copick's tables`,
    );
  }
  return {
    ...(json['copick:baseUrl'] ? { baseUrl: json['copick:baseUrl'] } : {}),
    config: parseConfigBase(json['copick:config'] ?? {}, `${what}: copick:config`),
    tables,
  };
}

function declaredTables(distribution: readonly unknown[]): ReadonlyMap<TableName, DeclaredTable> {
  const found = new Map<TableName, DeclaredTable>();
  for (const entry of distribution) {
    const parsed = v.safeParse(fileObject, entry);
    if (!parsed.success) continue;
    const { '@id': id, contentUrl, sha256 } = parsed.output;
    const table = tableNames.find((name) => id === `${name.replaceAll('_', '-')}-csv`);
    if (table === undefined || found.has(table)) continue;
    found.set(table, { contentUrl: contentUrl ?? '', ...(sha256 ? { sha256 } : {}) });
  }
  return found;
}

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
  /** The cell of a column; empty if the row or the table lacks it. */
  text(column: string): string;
  /** The length in a column, in Å; undefined if the cell is empty, `NaN` if it is not a number above 0. */
  length(column: string): number | undefined;
  /** Whether the cell holds one of copick's words for true. */
  flag(column: string): boolean;
}

/**
 * Reads a table of a Croissant.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` for a text that is not a table, or lacks a column.
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
