import { record, requireArgument } from '../../core/arguments.ts';
import { CryoetPicksError } from '../../core/errors.ts';
import type { Zyx } from '../../space/grid.ts';
import { joinKey, type StoreKey, type StoreOptions } from '../../storage/store.ts';
import { listNames } from '../tree.ts';
import { urlOf } from './files.ts';
import type { RunRow } from './queries.ts';
import type { PortalTables } from './tables.ts';
import type { AnnotationEntry, PortalTree, TomogramEntry } from './tree.ts';

/** A run of the portal. */
export interface PortalRun {
  /** Its name in the project, which is the portal's id, as in copick. */
  readonly run: string;
  readonly id: number;
  /** The authors' name, such as `TS_5_4`; unique only within its dataset. */
  readonly name: string;
  readonly datasetId: number;
}

/** The portal's metadata of a tomogram. Unknown fields are absent. */
export interface PortalTomogram {
  readonly id: number;
  /** Its type in the project. */
  readonly type: string;
  /** In Å, from the portal. */
  readonly voxelSpacing: number;
  readonly voxelSpacingId: number;
  /** Key of the image in the store. */
  readonly key: StoreKey;
  readonly shape: Zyx;
  /** The alignment of the tilt series that it was reconstructed with. */
  readonly alignmentId?: number | undefined;
  readonly depositionId?: number | undefined;
  readonly name?: string | undefined;
  readonly reconstructionMethod: string;
  readonly reconstructionSoftware?: string | undefined;
  readonly processing: string;
  readonly processingSoftware?: string | undefined;
  readonly ctfCorrected?: boolean | undefined;
  readonly isVisualizationDefault?: boolean | undefined;
  readonly isAuthorSubmitted?: boolean | undefined;
  readonly isPortalStandard?: boolean | undefined;
  readonly authors: readonly string[];
  /** URL of the OME-Zarr image. */
  readonly url?: string | undefined;
  readonly mrcUrl?: string | undefined;
}

/** The portal's metadata of one file of an annotation. Unknown fields are absent. */
export interface PortalAnnotation {
  readonly fileId: number;
  /** Its session in the project: the id of the file. */
  readonly sessionId: string;
  readonly annotationId: number;
  /** The project's object whose identifier is `objectId`. */
  readonly object: string;
  readonly shapeType: string;
  /** In Å, from the portal. */
  readonly voxelSpacing?: number | undefined;
  readonly voxelSpacingId?: number | undefined;
  /** Key of the picks file, or of the image, in the store. */
  readonly key: StoreKey;
  /** The alignment of the tilt series that it was made on. */
  readonly alignmentId?: number | undefined;
  readonly depositionId?: number | undefined;
  readonly objectId: string;
  readonly objectName: string;
  readonly objectDescription?: string | undefined;
  readonly objectState?: string | undefined;
  readonly objectCount?: number | undefined;
  readonly groundTruthStatus?: boolean | undefined;
  readonly isCuratorRecommended?: boolean | undefined;
  readonly isVisualizationDefault?: boolean | undefined;
  /** `manual`, `automated`, `hybrid` or `simulated`. */
  readonly methodType?: string | undefined;
  readonly annotationMethod?: string | undefined;
  readonly annotationSoftware?: string | undefined;
  readonly annotationPublication?: string | undefined;
  readonly confidencePrecision?: number | undefined;
  readonly confidenceRecall?: number | undefined;
  readonly authors: readonly string[];
  readonly url?: string | undefined;
}

/** Selects tomograms or annotations of a run; without it, all are selected. */
export interface PortalFilter<T> {
  /** Fields that must be equal, all of them: `{ groundTruthStatus: true, methodType: 'manual' }`. */
  readonly where?: Partial<T> | undefined;
  /** Names that must all be among the authors, as the portal writes them. */
  readonly authors?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Whether an annotation belongs to a tomogram: same alignment, same voxel spacing. Other pairs of the same run may be shifted,
 * rotated or scaled relative to each other.
 *
 * @example
 * ```ts
 * const portal = portalOf(project)!;
 * const [tomogram] = await portal.tomograms(run.name, { where: { type: 'wbp-denoised' } });
 * const fitting = (await portal.annotations(run.name)).filter((one) => annotationFits(one, tomogram!));
 * const picks = await run.picks({ sessionId: fitting.map(({ sessionId }) => sessionId) });
 * ```
 */
export function annotationFits(
  annotation: Pick<PortalAnnotation, 'alignmentId' | 'voxelSpacingId'>,
  tomogram: Pick<PortalTomogram, 'alignmentId' | 'voxelSpacingId'>,
): boolean {
  requireArgument('annotationFits', 'annotation', annotation, record);
  requireArgument('annotationFits', 'tomogram', tomogram, record);
  return annotation.alignmentId === tomogram.alignmentId && annotation.voxelSpacingId === tomogram.voxelSpacingId;
}

/** True if something matches a filter. */
function fitsFilter<T extends { readonly authors: readonly string[] }>(
  one: T,
  { where = {}, authors = [] }: PortalFilter<T>,
): boolean {
  const wanted = Object.entries(where).filter(([, value]) => value !== undefined && value !== null);
  return (
    wanted.every(([key, value]) => Object.is(one[key as keyof T], value)) &&
    authors.every((name) => one.authors.includes(name))
  );
}

/** The place and the authors of a tomogram or annotation. */
interface PortalPlace {
  readonly key: StoreKey;
  readonly url: string | undefined;
  readonly authors: readonly string[];
}

/** The metadata of a tomogram, from its rows. */
function describeTomogram({ type, spacing, row }: TomogramEntry, place: PortalPlace): PortalTomogram {
  const {
    sizeX,
    sizeY,
    sizeZ,
    tomogramVoxelSpacingId,
    httpsMrcFile,
    httpsOmezarrDir: _,
    s3OmezarrDir: __,
    ...rest
  } = row;
  return {
    ...withoutNulls({ ...rest, ...place, mrcUrl: httpsMrcFile }),
    type,
    shape: [sizeZ, sizeY, sizeX],
    voxelSpacing: spacing.voxelSpacing,
    voxelSpacingId: tomogramVoxelSpacingId,
  };
}

/** The metadata of an annotation file, from its rows. */
function describeAnnotation({ object, row }: AnnotationEntry, place: PortalPlace): PortalAnnotation {
  const { id: fileId, alignmentId, isVisualizationDefault, tomogramVoxelSpacing: spacing } = row;
  const { shapeType, annotation } = row.annotationShape;
  const { id: annotationId, runId: _, ...rest } = annotation;
  const measured = { voxelSpacing: spacing?.voxelSpacing, voxelSpacingId: spacing?.id };
  return {
    ...withoutNulls({ ...rest, ...place, ...measured, alignmentId, isVisualizationDefault }),
    ...{ fileId, sessionId: String(fileId), annotationId, object, shapeType },
  };
}

/** The fields that have a value. */
function withoutNulls<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], null> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], null> };
}

/** The portal's metadata of the entries of its tree. */
export class PortalCatalogue {
  constructor(
    private readonly tables: PortalTables,
    private readonly tree: PortalTree,
    /** The name of the datasets, for messages. */
    private readonly location: string,
  ) {}

  async runs(options: StoreOptions = {}): Promise<PortalRun[]> {
    const runs = await this.tables.runs(options);
    return runs.map(({ id, name, datasetId }) => ({ run: String(id), id, name, datasetId }));
  }

  async tomograms(name: string, filter: PortalFilter<PortalTomogram> = {}): Promise<PortalTomogram[]> {
    const { signal } = filter;
    const run = await this.requireRun(name, { signal });
    const entries = await this.tree.tomograms(run, { signal });
    const authors = await this.tables.authors(run.id, { of: 'tomograms', signal });
    return entries
      .map((entry) => describeTomogram(entry, placeOf(run, entry, authors.get(entry.row.id))))
      .filter((tomogram) => fitsFilter(tomogram, filter))
      .sort((a, b) => a.id - b.id);
  }

  async annotations(name: string, filter: PortalFilter<PortalAnnotation> = {}): Promise<PortalAnnotation[]> {
    const { signal } = filter;
    const run = await this.requireRun(name, { signal });
    const entries = await this.tree.annotations(run, { signal });
    const authors = await this.tables.authors(run.id, { of: 'annotations', signal });
    return entries
      .map((entry) => {
        const { id } = entry.row.annotationShape.annotation;
        return describeAnnotation(entry, placeOf(run, entry, authors.get(id)));
      })
      .filter((annotation) => fitsFilter(annotation, filter));
  }

  private async requireRun(name: string, options: StoreOptions): Promise<RunRow> {
    const run = await this.tree.run(name, options);
    if (run !== undefined) return run;
    const runs = await this.tables.runs(options);
    const named = runs.find((one) => one.name === name);
    const advice = named ? `; the portal's "${name}" is run "${named.id}"` : '';
    const available = runs.map(({ id }) => String(id));
    throw new CryoetPicksError(
      'not-found',
      `run "${name}" not found in ${this.location}${advice}; available: ${listNames(available)}`,
      { available },
    );
  }
}

function placeOf(run: RunRow, entry: TomogramEntry | AnnotationEntry, authors: readonly string[] = []): PortalPlace {
  return { key: joinKey('ExperimentRuns', String(run.id), entry.folder, entry.name), url: urlOf(entry), authors };
}
