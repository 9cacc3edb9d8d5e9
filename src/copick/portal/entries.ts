import type { StoreEntry } from '../../storage/store.ts';
import { pathOf } from '../layout.ts';
import { fitName, formatSpacing } from '../names.ts';
import { portalTomogramType } from './camel.ts';
import type { FileRow, SpacingRow, TomogramRow } from './queries.ts';

/** The user that copick gives to what the portal holds. */
export const portalUser = 'data-portal';

/** Folders of a run that hold annotations. */
export type AnnotationFolder = 'Picks' | 'Segmentations' | 'InstanceSegmentations';

/** A tomogram under the name that a copick tree gives it. */
export interface TomogramEntry {
  /** Name of its folder, with `.zarr`. */
  readonly name: string;
  /** Name of the folder that it lies in. */
  readonly folder: string;
  readonly type: string;
  readonly spacing: SpacingRow;
  readonly row: TomogramRow;
}

/** An annotation file under the name that a copick tree gives it. */
export interface AnnotationEntry {
  readonly name: string;
  readonly folder: AnnotationFolder;
  readonly object: string;
  readonly row: FileRow;
}

/** Shapes of annotations that copick reads. */
export const shapeTypes = ['Point', 'OrientedPoint', 'SegmentationMask', 'InstanceSegmentationMask'] as const;

/** The folder of a voxel spacing. */
export function spacingFolder({ voxelSpacing }: SpacingRow): string {
  return lastOf(pathOf('spacing', { run: '', voxelSpacing }));
}

/**
 * Names the tomograms of one folder. Where several are of one type, as those of two alignments or depositions are, the one that
 * came first to the portal has the plain name and the others carry their id: `wbp-raw`, `wbp-raw-17043`.
 */
export function nameTomograms(
  tomograms: readonly { readonly spacing: SpacingRow; readonly row: TomogramRow }[],
): TomogramEntry[] {
  const taken = new Set<string>();
  return [...tomograms]
    .sort((a, b) => a.row.id - b.row.id)
    .map(({ spacing, row }) => {
      const plain = fitName(portalTomogramType(row)) ?? `tomogram-${row.id}`;
      const type = taken.has(plain) ? `${plain}-${row.id}` : plain;
      taken.add(type);
      return { name: `${type}.zarr`, folder: spacingFolder(spacing), type, spacing, row };
    });
}

/** Names an annotation file; undefined for one that copick does not show. */
export function nameAnnotation(row: FileRow, objects: ReadonlyMap<string, string>): AnnotationEntry | undefined {
  const { shapeType, annotation } = row.annotationShape;
  const object = objects.get(annotation.objectId);
  const folder = folderOfShape(shapeType);
  if (object === undefined || folder === undefined) return undefined;
  const userId = portalUser;
  const sessionId = String(row.id);
  if (folder === 'Picks') {
    return { name: lastOf(pathOf('picks', { run: '', userId, sessionId, object })), folder, object, row };
  }
  if (row.format !== 'zarr') return undefined;
  // A mask without a voxel spacing gets a name that is reported as none, rather than being left out in silence.
  const spacing = row.tomogramVoxelSpacing ? formatSpacing(row.tomogramVoxelSpacing.voxelSpacing) : 'unknown';
  return { name: `${spacing}_${userId}_${sessionId}_${object}.zarr`, folder, object, row };
}

function folderOfShape(shapeType: string): AnnotationFolder | undefined {
  if (/Point$/.test(shapeType) || shapeType === 'InstanceSegmentation') return 'Picks';
  if (shapeType === 'SegmentationMask') return 'Segmentations';
  return shapeType === 'InstanceSegmentationMask' ? 'InstanceSegmentations' : undefined;
}

/** Entries of a listing, sorted, each name once. */
export function listing(names: Iterable<string>, kind: StoreEntry['kind']): StoreEntry[] {
  return [...new Set(names)].sort().map((name) => ({ name, kind }));
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
