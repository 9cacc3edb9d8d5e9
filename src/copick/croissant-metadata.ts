import * as v from 'valibot';
import { CryoetPicksError } from '../errors.ts';
import { type ConfigBase, parseConfigBase } from './config.ts';
import { type TableName, tableNames } from './croissant-rows.ts';
import { parseExactJson } from './exact-json.ts';
import { checkSchema } from './schema.ts';

/** What the `metadata.json` of a Croissant says of a copick project. */
export interface CroissantMetadata {
  /** What relative addresses in the tables count from; absent where that is the folder above the Croissant's. */
  readonly baseUrl?: string | undefined;
  /** The config that the Croissant carries. */
  readonly config: ConfigBase;
  /** Tables that the Croissant declares. */
  readonly tables: ReadonlyMap<TableName, DeclaredTable>;
}

/** A table, as a Croissant declares it. */
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
 * @throws {@link CryoetPicksError} `invalid-metadata`, with line and column where the text is not JSON, or where the Croissant
 *   declares no table of copick's; `invalid-config` for a config that copick refuses.
 */
export function parseCroissant(text: string, { source }: { readonly source: string }): CroissantMetadata {
  const what = `Croissant "${source}"`;
  const json = checkSchema(schema, parseExactJson(text, { what, code, maxDepth: 200 }), { what, code });
  const tables = declaredTables(json.distribution ?? []);
  if ('config_type' in json || 'pickable_objects' in json) {
    const remedy = "a config is opened from disk; on the web, name a Croissant's metadata.json";
    throw new CryoetPicksError(code, `"${source}" is a copick config, no Croissant: ${remedy}`);
  }
  if (!tables.has('runs')) {
    throw new CryoetPicksError(
      code,
      `${what} is none of copick's: its "distribution" declares no table "runs-csv"; found ${tables.size} of copick's tables`,
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
