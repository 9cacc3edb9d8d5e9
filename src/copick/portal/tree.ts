import type { StoreEntry, StoreOptions } from '../../storage/store.ts';
import { fitName, formatSpacing, pathOf } from '../layout.ts';
import type { FileRow, RunRow, SpacingRow, TomogramRow } from './queries.ts';
import type { PortalTables } from './tables.ts';

const runsFolder = 'ExperimentRuns';
const annotationFolders: readonly string[] = ['InstanceSegmentations', 'Picks', 'Segmentations'];

/** The tables of the portal as a copick tree. */
export class PortalTree {
  constructor(
    private readonly tables: PortalTables,
    /** Names of the project's objects, by identifier. */
    private readonly objects: ReadonlyMap<string, string>,
  ) {}

  /** A run by its name in the project. */
  async run(name: string, options: StoreOptions): Promise<RunRow | undefined> {
    return (await this.tables.runs(options)).find(({ id }) => String(id) === name);
  }

  /** The tomograms of a run, by folder. */
  async tomograms(run: RunRow, options: StoreOptions): Promise<TomogramEntry[]> {
    const byFolder = new Map<string, Parameters<typeof nameTomograms>[0][number][]>();
    for (const spacing of await this.tables.spacings(run.id, options)) {
      const folder = spacingFolder(spacing);
      const rows = await this.tables.tomograms(spacing, options);
      byFolder.set(folder, [...(byFolder.get(folder) ?? []), ...rows.map((row) => ({ spacing, row }))]);
    }
    return [...byFolder.values()].flatMap(nameTomograms);
  }

  /** The annotation files of a run that copick shows, by id. */
  async annotations(run: RunRow, options: StoreOptions): Promise<AnnotationEntry[]> {
    const files = await this.tables.files(run.id, options);
    return files.flatMap((row) => nameAnnotation(row, this.objects) ?? []);
  }

  /** The children of a folder above the images. */
  async list(segments: readonly string[], options: StoreOptions): Promise<readonly StoreEntry[]> {
    const [top, name, folder] = segments;
    if (top === undefined) return listing([runsFolder], 'folder');
    if (top !== runsFolder) return [];
    if (name === undefined)
      return listing(
        (await this.tables.runs(options)).map(({ id }) => String(id)),
        'folder',
      );
    const run = await this.run(name, options);
    if (run === undefined) return [];
    if (folder === undefined) {
      const spacings = await this.tables.spacings(run.id, options);
      return listing([...annotationFolders, ...spacings.map(spacingFolder)], 'folder');
    }
    const entries = await this.entriesOf(run, folder, options);
    return listing(
      entries.map((entry) => entry.name),
      folder === 'Picks' ? 'file' : 'folder',
    );
  }

  /** The entry of a picks file or an image of this name. */
  async find(segments: readonly string[], options: StoreOptions): Promise<TomogramEntry | AnnotationEntry | undefined> {
    const [top, runName, folder, name] = segments;
    if (top !== runsFolder || runName === undefined || folder === undefined || name === undefined) return undefined;
    const run = await this.run(runName, options);
    const entries = run === undefined ? [] : await this.entriesOf(run, folder, options);
    return entries.find((entry) => entry.name === name);
  }

  private async entriesOf(
    run: RunRow,
    folder: string,
    options: StoreOptions,
  ): Promise<readonly (TomogramEntry | AnnotationEntry)[]> {
    const isAnnotation = annotationFolders.includes(folder);
    if (!isAnnotation && !folder.startsWith('VoxelSpacing')) return [];
    const entries = isAnnotation ? await this.annotations(run, options) : await this.tomograms(run, options);
    return entries.filter((entry) => entry.folder === folder);
  }
}

/** The user that copick gives to everything of the portal. */
export const portalUser = 'data-portal';

/** Folders of a run for annotations. */
export type AnnotationFolder = 'Picks' | 'Segmentations' | 'InstanceSegmentations';

/** A tomogram with its name in a copick tree. */
export interface TomogramEntry {
  /** Name of its folder, with `.zarr`. */
  readonly name: string;
  /** Name of the folder that contains it. */
  readonly folder: string;
  readonly type: string;
  readonly spacing: SpacingRow;
  readonly row: TomogramRow;
}

/** An annotation file with its name in a copick tree. */
export interface AnnotationEntry {
  readonly name: string;
  readonly folder: AnnotationFolder;
  readonly object: string;
  readonly row: FileRow;
}

/** Shapes of annotations that copick reads. */
export const shapeTypes = ['Point', 'OrientedPoint', 'SegmentationMask', 'InstanceSegmentationMask'] as const;

/** The folder of a voxel spacing. */
function spacingFolder({ voxelSpacing }: SpacingRow): string {
  return lastOf(pathOf('spacing', { run: '', voxelSpacing }));
}

/**
 * Names the tomograms of one folder. If several have the same type, as those of two alignments or depositions do, the one that was
 * first in the portal has the plain name and the others get their id appended: `wbp-raw`, `wbp-raw-17043`.
 */
function nameTomograms(
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

/** Names an annotation file; undefined if copick does not show it. */
function nameAnnotation(row: FileRow, objects: ReadonlyMap<string, string>): AnnotationEntry | undefined {
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
  // A mask without a voxel spacing gets a name that is reported as invalid, rather than being left out in silence.
  const spacing = row.tomogramVoxelSpacing ? formatSpacing(row.tomogramVoxelSpacing.voxelSpacing) : 'unknown';
  return { name: `${spacing}_${userId}_${sessionId}_${object}.zarr`, folder, object, row };
}

function folderOfShape(shapeType: string): AnnotationFolder | undefined {
  if (/Point$/.test(shapeType) || shapeType === 'InstanceSegmentation') return 'Picks';
  if (shapeType === 'SegmentationMask') return 'Segmentations';
  return shapeType === 'InstanceSegmentationMask' ? 'InstanceSegmentations' : undefined;
}

/** Entries of a listing, sorted, each name once. */
function listing(names: Iterable<string>, kind: StoreEntry['kind']): StoreEntry[] {
  return [...new Set(names)].sort().map((name) => ({ name, kind }));
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** How a tomogram was made, according to the portal. */
export interface TomogramOrigin {
  /** `WBP`, `SIRT`, `Fourier_Space`, … */
  readonly reconstructionMethod: string;
  /** `raw`, `denoised`, `filtered`, … */
  readonly processing: string;
  /** `cryoCARE`, `DenoisET`, … */
  readonly processingSoftware?: string | null | undefined;
  readonly ctfCorrected?: boolean | null | undefined;
}

/**
 * The type that copick gives to a tomogram of the portal: its reconstruction, processing and software, and whether its CTF was
 * corrected, such as `wbp-denoised-denoiset-ctfdeconv`.
 *
 * @example
 * ```ts
 * portalTomogramType({ reconstructionMethod: 'WBP', processing: 'filtered_even', ctfCorrected: true }); // 'wbp-filteredEven-ctfdeconv'
 * ```
 */
export function portalTomogramType(origin: TomogramOrigin): string {
  const { reconstructionMethod, processing, processingSoftware, ctfCorrected } = origin;
  const tool = processingSoftware ? camelCase(processingSoftware) : '';
  const parts = [camelCase(reconstructionMethod), camelCase(processing)];
  if (tool !== '') parts.push(tool);
  if (ctfCorrected) parts.push('ctfdeconv');
  return parts.join('-');
}

/**
 * Camel case as copick makes it with Python's `str.title()`: underscores, dashes and everything that is not a letter separate
 * words, so that `cryo3d` becomes `cryo3D`; all other letters become lower case.
 */
export function camelCase(text: string): string {
  const [first = '', ...rest] = titleCase(text.replace(/[_-]+/g, ' ')).replaceAll(' ', '');
  return first.toLowerCase() + rest.join('');
}

function titleCase(text: string): string {
  let result = '';
  let inWord = false;
  for (const character of text) {
    const [first = '', ...rest] = inWord ? character.toLowerCase() : character.toUpperCase();
    // A ligature becomes two letters, of which only the first is a capital.
    result += first + rest.join('').toLowerCase();
    inWord = /\p{Cased}/u.test(character);
  }
  return result;
}
