import * as v from 'valibot';

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
export function documentOf({ root, type, fields }: Pick<Table<Identified>, 'root' | 'type' | 'fields'>): string {
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
