import type { StoreEntry, StoreOptions } from '../../storage/store.ts';
import {
  type AnnotationEntry,
  listing,
  nameAnnotation,
  nameTomograms,
  spacingFolder,
  type TomogramEntry,
} from './entries.ts';
import type { RunRow } from './queries.ts';
import type { PortalTables } from './tables.ts';

const runsFolder = 'ExperimentRuns';
const annotationFolders: readonly string[] = ['InstanceSegmentations', 'Picks', 'Segmentations'];

/** The tables of the portal, seen as a copick tree. */
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

  /** What a picks file or an image of this name stands for. */
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
