import * as v from 'valibot';
import { CryoetPicksError } from '../../core/errors.ts';
import { checkSchema } from '../../core/json.ts';
import type { RequestFailure } from '../../storage/retry.ts';
import { askGraphql, failureError, type GraphqlServer } from './graphql.ts';

/** What every row of the portal has. */
export interface Identified {
  readonly id: number;
}

/** One table of the portal, as it is asked for. */
export interface Table<Row extends Identified> {
  /** The field of the root that lists its rows. */
  readonly root: string;
  /** What GraphQL calls a row. */
  readonly type: string;
  readonly fields: string;
  readonly row: v.GenericSchema<unknown, Row>;
}

/** The GraphQL document that asks for a page of a table. */
function documentOf({ root, type, fields }: Pick<Table<Identified>, 'root' | 'type' | 'fields'>): string {
  return (
    `query ($where: ${type}WhereClause, $page: LimitOffsetClause) ` +
    `{ ${root}(where: $where, orderBy: [{ id: asc }], limitOffset: $page) { ${fields} } }`
  );
}

type Maybe<T> = T | null | undefined;

const id = v.pipe(v.number(), v.integer());
const text = v.nullish(v.string());
const flag = v.nullish(v.boolean());
const number = v.nullish(v.number());
const link = v.nullish(id);

/** A run, as the portal has it. */
export interface RunRow extends Identified {
  readonly name: string;
  readonly datasetId: number;
}

export const runTable: Table<RunRow> = {
  root: 'runs',
  type: 'Run',
  fields: 'id name datasetId',
  row: v.looseObject({ id, name: v.string(), datasetId: id }),
};

/** A voxel spacing of a run, in Å. */
export interface SpacingRow extends Identified {
  readonly runId: number;
  readonly voxelSpacing: number;
}

export const spacingTable: Table<SpacingRow> = {
  root: 'tomogramVoxelSpacings',
  type: 'TomogramVoxelSpacing',
  fields: 'id runId voxelSpacing',
  row: v.looseObject({ id, runId: id, voxelSpacing: v.number() }),
};

/** A tomogram; the names of its fields are the portal's. */
export interface TomogramRow extends Identified {
  readonly tomogramVoxelSpacingId: number;
  readonly alignmentId?: Maybe<number>;
  readonly depositionId?: Maybe<number>;
  readonly name?: Maybe<string>;
  readonly sizeX: number;
  readonly sizeY: number;
  readonly sizeZ: number;
  readonly reconstructionMethod: string;
  readonly reconstructionSoftware?: Maybe<string>;
  readonly processing: string;
  readonly processingSoftware?: Maybe<string>;
  readonly ctfCorrected?: Maybe<boolean>;
  readonly isVisualizationDefault?: Maybe<boolean>;
  readonly isAuthorSubmitted?: Maybe<boolean>;
  readonly isPortalStandard?: Maybe<boolean>;
  readonly httpsOmezarrDir?: Maybe<string>;
  readonly s3OmezarrDir?: Maybe<string>;
  readonly httpsMrcFile?: Maybe<string>;
}

const tomogramFields = {
  id,
  tomogramVoxelSpacingId: id,
  alignmentId: link,
  depositionId: link,
  name: text,
  sizeX: id,
  sizeY: id,
  sizeZ: id,
  reconstructionMethod: v.string(),
  reconstructionSoftware: text,
  processing: v.string(),
  processingSoftware: text,
  ctfCorrected: flag,
  isVisualizationDefault: flag,
  isAuthorSubmitted: flag,
  isPortalStandard: flag,
  httpsOmezarrDir: text,
  s3OmezarrDir: text,
  httpsMrcFile: text,
};

export const tomogramTable: Table<TomogramRow> = {
  root: 'tomograms',
  type: 'Tomogram',
  fields: Object.keys(tomogramFields).join(' '),
  row: v.looseObject(tomogramFields),
};

/** An annotation; the names of its fields are the portal's. */
export interface AnnotationRow extends Identified {
  readonly runId: number;
  readonly depositionId?: Maybe<number>;
  readonly objectId: string;
  readonly objectName: string;
  readonly objectDescription?: Maybe<string>;
  readonly objectState?: Maybe<string>;
  readonly objectCount?: Maybe<number>;
  readonly groundTruthStatus?: Maybe<boolean>;
  readonly isCuratorRecommended?: Maybe<boolean>;
  readonly methodType?: Maybe<string>;
  readonly annotationMethod?: Maybe<string>;
  readonly annotationSoftware?: Maybe<string>;
  readonly annotationPublication?: Maybe<string>;
  readonly confidencePrecision?: Maybe<number>;
  readonly confidenceRecall?: Maybe<number>;
}

/** A file of an annotation, with what it is a file of. */
export interface FileRow extends Identified {
  readonly format: string;
  readonly httpsPath?: Maybe<string>;
  readonly s3Path?: Maybe<string>;
  readonly alignmentId?: Maybe<number>;
  readonly isVisualizationDefault?: Maybe<boolean>;
  readonly tomogramVoxelSpacing?: Maybe<{ readonly id: number; readonly voxelSpacing: number }>;
  readonly annotationShape: { readonly shapeType: string; readonly annotation: AnnotationRow };
}

const annotationFields = {
  id,
  runId: id,
  depositionId: link,
  objectId: v.string(),
  objectName: v.string(),
  objectDescription: text,
  objectState: text,
  objectCount: number,
  groundTruthStatus: flag,
  isCuratorRecommended: flag,
  methodType: text,
  annotationMethod: text,
  annotationSoftware: text,
  annotationPublication: text,
  confidencePrecision: number,
  confidenceRecall: number,
};

export const fileTable: Table<FileRow> = {
  root: 'annotationFiles',
  type: 'AnnotationFile',
  fields:
    'id format httpsPath s3Path alignmentId isVisualizationDefault tomogramVoxelSpacing { id voxelSpacing } ' +
    `annotationShape { shapeType annotation { ${Object.keys(annotationFields).join(' ')} } }`,
  row: v.looseObject({
    id,
    format: v.string(),
    httpsPath: text,
    s3Path: text,
    alignmentId: link,
    isVisualizationDefault: flag,
    tomogramVoxelSpacing: v.nullish(v.looseObject({ id, voxelSpacing: v.number() })),
    annotationShape: v.looseObject({ shapeType: v.string(), annotation: v.looseObject(annotationFields) }),
  }),
};

/** An author of an annotation or of a tomogram, by its id. */
export interface AuthorRow extends Identified {
  readonly name: string;
  readonly of: number;
}

const authorRow = v.looseObject({ id, name: v.string(), of: id });

export const annotationAuthorTable: Table<AuthorRow> = {
  root: 'annotationAuthors',
  type: 'AnnotationAuthor',
  fields: 'id name of: annotationId',
  row: authorRow,
};

export const tomogramAuthorTable: Table<AuthorRow> = {
  root: 'tomogramAuthors',
  type: 'TomogramAuthor',
  fields: 'id name of: tomogramId',
  row: authorRow,
};

/** Which rows of a table. */
export interface RowsRequest<Row extends Identified> {
  readonly table: Table<Row>;
  /** A filter of the portal's, as its schema has them. */
  readonly where: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal | undefined;
}

/** Which rows of a table, asked for run by run. */
export interface RowsByRunRequest<Row extends Identified> extends Omit<RowsRequest<Row>, 'where'> {
  readonly runIds: readonly number[];
  /** The filter for some of the runs. */
  readonly where: (runIds: readonly number[]) => Readonly<Record<string, unknown>>;
}

const pageSize = 1000;
/** No server that cuts pages short is known; one that does is assumed to give at least so many rows. */
const smallestPage = 100;
const attempts = 4;

/** All rows that fit a filter, by id. */
export async function fetchRows<Row extends Identified>(
  server: GraphqlServer,
  request: RowsRequest<Row>,
): Promise<Row[]> {
  const found = await tryRows(server, request, attempts);
  if ('failure' in found) throw failureError(server, found.failure);
  return found.rows;
}

/**
 * All rows of some runs. Where the portal fails over a question, as it does over large ones, the runs are asked for in halves,
 * down to one.
 */
export async function fetchRowsByRun<Row extends Identified>(
  server: GraphqlServer,
  request: RowsByRunRequest<Row>,
): Promise<Row[]> {
  const { runIds, where, ...rest } = request;
  if (runIds.length === 0) return [];
  // A large question that failed twice is better made smaller than asked a third time.
  const found = await tryRows(server, { ...rest, where: where(runIds) }, runIds.length > 1 ? 2 : attempts);
  if ('rows' in found) return found.rows;
  if (runIds.length === 1) throw failureError(server, found.failure);
  const middle = Math.ceil(runIds.length / 2);
  const first = await fetchRowsByRun(server, { ...request, runIds: runIds.slice(0, middle) });
  const second = await fetchRowsByRun(server, { ...request, runIds: runIds.slice(middle) });
  return [...first, ...second];
}

async function tryRows<Row extends Identified>(
  server: GraphqlServer,
  { table, where, signal }: RowsRequest<Row>,
  tries: number,
): Promise<{ readonly rows: Row[] } | { readonly failure: RequestFailure }> {
  const rows = new Map<number, Row>();
  const document = documentOf(table);
  for (let offset = 0; ; ) {
    const page = { limit: pageSize, offset };
    const answer = await askGraphql(server, { document, variables: { where, page }, attempts: tries, signal });
    if ('failure' in answer) return answer;
    const found = checkRows(table, answer.data, server);
    // Rows that are added meanwhile shift the pages, so one may come twice.
    const before = rows.size;
    for (const row of found) rows.set(row.id, row);
    if (found.length < smallestPage || rows.size === before) return { rows: [...rows.values()] };
    offset += found.length;
  }
}

function checkRows<Row extends Identified>(
  { root, row }: Table<Row>,
  data: Readonly<Record<string, unknown>>,
  { endpoint }: GraphqlServer,
): Row[] {
  const what = `the answer of ${endpoint.replace(/[?#].*$/s, '')}`;
  const rows = data[root];
  if (!Array.isArray(rows)) throw new CryoetPicksError('invalid-metadata', `${what} holds no list "${root}"`);
  return rows.map((value, index) =>
    checkSchema(row, value, { what: `${what}: ${root}.${index}`, code: 'invalid-metadata' }),
  );
}
