import { mapOrdered } from '../../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../../core/errors.ts';
import { decodeText, parseJson } from '../../core/json.ts';
import { sha256Hex } from '../../core/sha256.ts';
import { withoutSecrets } from '../../storage/address.ts';
import type { ReadableStore } from '../../storage/store.ts';
import type { ConfigBase } from '../config.ts';
import { formatPicksFile } from '../picks-file.ts';
import { parsePortalPoints, pickFromPortalPoint } from '../portal-points.ts';
import type { Problem } from '../tree.ts';
import { type CroissantRow, type DeclaredTable, parseCroissant, parseTable, type TableName } from './metadata.ts';
import { buildTree, type CroissantItem, type CroissantTree, type PicksOrigin } from './tree.ts';
import { absoluteUrl, type CroissantAccess, joinUrl, openFolder, splitUrl } from './urls.ts';

/** How a Croissant is reached, and where its data lies. */
export interface LoadCroissantOptions extends CroissantAccess {
  /** Where the data lies, if not where the Croissant says. */
  readonly baseUrl?: string | undefined;
}

/** What a Croissant describes beside the copick tree. */
export interface CroissantIndex {
  /** The config in the Croissant. */
  readonly config: ConfigBase;
  /** The names of the runs by split, such as `train` and `test`; runs without a split are absent. */
  readonly splits: ReadonlyMap<string, readonly string[]>;
  /** Rows of its tables that are not valid and were left out, and mistakes in other rows. */
  readonly problems: readonly Problem[];
  /** Where its data lies. */
  readonly baseUrl: string;
}

/** A Croissant with its tables. */
export interface LoadedCroissant {
  readonly tree: CroissantTree;
  readonly index: CroissantIndex;
  /** The folder at a URL. */
  readonly open: (url: string) => ReadableStore;
}

/** The URL of a Croissant's `metadata.json`, given that URL, the URL of its folder `Croissant`, or that of the parent folder. */
export function metadataUrl(url: string, access: CroissantAccess): string {
  const isRelative = !/^[a-z][a-z0-9+.-]*:/i.test(url) && access.local === undefined;
  const page = globalThis.location?.href;
  if (isRelative && page === undefined) {
    throw new CryoetPicksError(
      'invalid-option',
      `${JSON.stringify(url)} is not a URL; expected the URL of a metadata.json`,
    );
  }
  const whole = absoluteUrl(isRelative ? new URL(url, page).href : url, access, 'the Croissant');
  if (/\.json(\?|$)/i.test(whole)) return whole;
  const isFolderItself = /\/Croissant(\?|$)/.test(whole);
  return joinUrl(whole, isFolderItself ? ['metadata.json'] : ['Croissant', 'metadata.json']);
}

/** The URL of the folder that holds `Croissant/`. */
export function projectUrl(metadata: string): string {
  return splitUrl(splitUrl(metadata).folder).folder;
}

/** Reads `metadata.json` and all tables that it declares. */
export async function loadCroissant(
  metadata: string,
  options: LoadCroissantOptions,
  signal: AbortSignal,
): Promise<LoadedCroissant> {
  const trusted = options.baseUrl === undefined ? [metadata] : [metadata, options.baseUrl];
  const open = (url: string) => openFolder(url, options, trusted);
  const text = await readText(metadata, { what: 'the Croissant', open, signal });
  const { baseUrl, config, tables } = parseCroissant(text, { source: withoutSecrets(metadata) });
  const declared = options.baseUrl ?? baseUrl;
  const base = declared === undefined ? projectUrl(metadata) : dataUrl(declared, options);
  const readTable = async ([table, declaration]: readonly [TableName, DeclaredTable], inner: AbortSignal) => {
    const what = `table ${table}.csv of the Croissant`;
    const url = tableUrl(declaration, { metadata, table, access: options });
    const sha256 = url.startsWith('file:') ? undefined : declaration.sha256;
    return [table, parseTable(table, await readText(url, { what, open, sha256, signal: inner }))] as const;
  };
  const rows = new Map<TableName, CroissantRow[]>();
  for await (const [table, its] of mapOrdered(tables, readTable, { concurrency: tables.size, signal })) {
    rows.set(table, its);
  }
  const tree = buildTree(rows, { base, access: options });
  const { splits, problems } = tree;
  return { tree, index: { config, splits, problems, baseUrl: withoutSecrets(base) }, open };
}

function dataUrl(declared: string, access: CroissantAccess): string {
  return absoluteUrl(
    declared,
    access,
    'the address of the data in the Croissant, which baseUrl (croissant_base_url) would override,',
  );
}

interface TableUrlOptions {
  readonly metadata: string;
  readonly table: TableName;
  readonly access: CroissantAccess;
}

/**
 * The URL of a table. Copick puts the tables beside `metadata.json` but writes their addresses as of the export. So a table in
 * a folder `Croissant`, or of a local Croissant, is read from beside `metadata.json`; any other table from its address.
 */
function tableUrl({ contentUrl }: DeclaredTable, { metadata, table, access }: TableUrlOptions): string {
  const { folder } = splitUrl(metadata);
  const beside = joinUrl(folder, [`${table}.csv`]);
  const isElsewhere = /^(https?|s3a?):\/\//i.test(contentUrl) && !/(^|\/)Croissant\/[^/]+$/.test(contentUrl);
  return metadata.startsWith('file:') || !isElsewhere ? beside : absoluteUrl(contentUrl, access, `table ${table}.csv`);
}

interface ReadTextOptions {
  readonly what: string;
  readonly open: (url: string) => ReadableStore;
  readonly sha256?: string | undefined;
  readonly signal: AbortSignal;
}

async function readText(url: string, { what, open, sha256, signal }: ReadTextOptions): Promise<string> {
  const { folder, key } = splitUrl(url);
  const store = open(folder);
  const where = `${store.location}${key}`;
  const bytes = await store.get(key, { signal });
  if (bytes === undefined) throw new CryoetPicksError('not-found', `${what} is not at ${where}`);
  await checkSha256(bytes, sha256, where);
  return decodeText(bytes, { what: `${what} at ${where}`, code: 'invalid-metadata' });
}

/**
 * Checks bytes against the SHA-256 in the Croissant. On platforms without `crypto.subtle`, such as pages without HTTPS, nothing
 * is checked.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if they are not.
 */
export async function checkSha256(bytes: Uint8Array, expected: string | undefined, where: string): Promise<void> {
  if (expected === undefined) return;
  const found = await sha256Hex(bytes);
  if (found === undefined || found === expected.toLowerCase()) return;
  throw new CryoetPicksError(
    'corrupt-data',
    `${where} differs from the file that the Croissant describes: its SHA-256 is ${found.slice(0, 12)}…, the table says ` +
      `${expected.slice(0, 12).toLowerCase()}…; it was changed since, or damaged in transit`,
  );
}

/**
 * Converts the bytes of a file to those of a copick tree: points of the portal become a picks file; other files stay unchanged.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for points that are not valid, or whose voxel size is unknown.
 */
export function toCopickBytes(bytes: Uint8Array, { url, picks }: CroissantItem, where: string): Uint8Array {
  if (picks === undefined) return bytes;
  const isPoints = /\.ndjson(\?|$)/i.test(url);
  // Copick also reads a file that is not JSON as points, whatever its name.
  if (!isPoints && (picks.voxelSpacing === undefined || isJson(bytes))) return bytes;
  try {
    return new TextEncoder().encode(
      pointsToPicksJson(decodeText(bytes, { what: where, code: 'invalid-picks' }), picks, where),
    );
  } catch (error) {
    if (isPoints || !isCryoetPicksError(error)) throw error;
    return bytes;
  }
}

function isJson(bytes: Uint8Array): boolean {
  try {
    parseJson(bytes, { what: 'picks', code: 'invalid-picks' });
    return true;
  } catch {
    return false;
  }
}

function pointsToPicksJson(text: string, { identity, run, voxelSpacing }: PicksOrigin, where: string): string {
  if (voxelSpacing === undefined) {
    throw new CryoetPicksError(
      'invalid-picks',
      `${where} holds points in voxels, but neither picks.csv nor its address states its voxel_size`,
    );
  }
  const points = parsePortalPoints(text, { source: where });
  return formatPicksFile({
    ...identity,
    picks: points.map((point) => pickFromPortalPoint(point, { object: identity.object, voxelSpacing })),
    runName: run,
    voxelSpacing,
    trustOrientation: points.some(({ rotation }) => rotation !== undefined),
  });
}
