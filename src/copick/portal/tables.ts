import { Shared } from '../../core/concurrency.ts';
import type { StoreOptions } from '../../storage/store.ts';
import type { GraphqlServer } from './graphql.ts';
import {
  type AuthorRow,
  annotationAuthorTable,
  type FileRow,
  fetchRows,
  fetchRowsByRun,
  fileTable,
  type Identified,
  type RunRow,
  runTable,
  type SpacingRow,
  spacingTable,
  type Table,
  type TomogramRow,
  tomogramAuthorTable,
  tomogramTable,
} from './queries.ts';

/** The part of the portal that a project shows. */
export interface PortalScope {
  readonly datasetIds: readonly number[];
  /** Identifiers of the objects whose annotations are shown. */
  readonly objectIds: readonly string[];
  readonly shapeTypes: readonly string[];
}

/** The tables of some runs, each loaded on demand. */
interface Block {
  readonly runIds: readonly number[];
  readonly spacings: Shared<SpacingRow[]>;
  readonly tomograms: Shared<TomogramRow[]>;
  readonly files: Shared<FileRow[]>;
  readonly annotationAuthors: Shared<AuthorRow[]>;
  readonly tomogramAuthors: Shared<AuthorRow[]>;
}

/** Number of runs per query. */
const blockSize = 50;

/**
 * The tables of the portal that a project needs. Each is loaded on demand, for a block of runs at a time, and cached until
 * `refresh`.
 */
export class PortalTables {
  private runTable: Shared<readonly RunRow[]>;
  private blocks: Map<number, Block> = new Map();

  constructor(
    private readonly server: GraphqlServer,
    private readonly scope: PortalScope,
  ) {
    this.runTable = this.newRunTable();
  }

  /** Empties the cache. */
  refresh(): void {
    this.runTable = this.newRunTable();
    this.blocks = new Map();
  }

  /** The runs of the datasets, by id. */
  async runs({ signal }: StoreOptions = {}): Promise<readonly RunRow[]> {
    return this.runTable.get(signal);
  }

  /** The voxel spacings of a run. */
  async spacings(runId: number, { signal }: StoreOptions = {}): Promise<SpacingRow[]> {
    const block = await this.blockOf(runId, signal);
    return ((await block?.spacings.get(signal)) ?? []).filter((spacing) => spacing.runId === runId);
  }

  /** The tomograms of a voxel spacing of a run. */
  async tomograms({ id, runId }: SpacingRow, { signal }: StoreOptions = {}): Promise<TomogramRow[]> {
    const block = await this.blockOf(runId, signal);
    return ((await block?.tomograms.get(signal)) ?? []).filter((one) => one.tomogramVoxelSpacingId === id);
  }

  /** The annotation files of a run. */
  async files(runId: number, { signal }: StoreOptions = {}): Promise<FileRow[]> {
    const block = await this.blockOf(runId, signal);
    return ((await block?.files.get(signal)) ?? []).filter((file) => file.annotationShape.annotation.runId === runId);
  }

  /** The names of the authors of the annotations, or tomograms, of a run's block, by their id. */
  async authors(
    runId: number,
    { of, signal }: StoreOptions & { readonly of: 'annotations' | 'tomograms' },
  ): Promise<ReadonlyMap<number, readonly string[]>> {
    const block = await this.blockOf(runId, signal);
    const table = of === 'annotations' ? block?.annotationAuthors : block?.tomogramAuthors;
    const names = new Map<number, string[]>();
    for (const author of (await table?.get(signal)) ?? []) {
      names.set(author.of, [...(names.get(author.of) ?? []), author.name]);
    }
    return names;
  }

  private newRunTable(): Shared<readonly RunRow[]> {
    const { server, scope } = this;
    const where = { datasetId: { _in: scope.datasetIds } };
    return new Shared(async (signal) =>
      scope.datasetIds.length === 0 ? [] : fetchRows(server, { table: runTable, where, signal }),
    );
  }

  private async blockOf(runId: number, signal: AbortSignal | undefined): Promise<Block | undefined> {
    const blocks = this.blocks;
    const runs = await this.runs({ signal });
    const position = runs.findIndex((run) => run.id === runId);
    if (position < 0) return undefined;
    const index = Math.floor(position / blockSize);
    const found = blocks.get(index) ?? this.newBlock(runs.slice(index * blockSize, (index + 1) * blockSize));
    blocks.set(index, found);
    return found;
  }

  private newBlock(runs: readonly RunRow[]): Block {
    const { server, scope } = this;
    const runIds = runs.map(({ id }) => id);
    type Where = (runIds: readonly number[]) => Record<string, unknown>;
    const load = <Row extends Identified>(table: Table<Row>, where: Where) =>
      new Shared(async (signal) => fetchRowsByRun(server, { table, runIds, where, signal }));
    const annotated: Where = (ids) => ({ runId: { _in: ids }, objectId: { _in: scope.objectIds } });
    const shaped: Where = (ids) => ({ shapeType: { _in: scope.shapeTypes }, annotation: annotated(ids) });
    const loadAnnotated = <Row extends Identified>(table: Table<Row>, where: Where) =>
      scope.objectIds.length === 0 ? new Shared<Row[]>(async () => []) : load(table, where);
    return {
      runIds,
      spacings: load(spacingTable, (ids) => ({ runId: { _in: ids } })),
      tomograms: load(tomogramTable, (ids) => ({ tomogramVoxelSpacing: { runId: { _in: ids } } })),
      files: loadAnnotated(fileTable, (ids) => ({ annotationShape: shaped(ids) })),
      annotationAuthors: loadAnnotated(annotationAuthorTable, (ids) => ({ annotation: annotated(ids) })),
      tomogramAuthors: load(tomogramAuthorTable, (ids) => ({
        tomogram: { tomogramVoxelSpacing: { runId: { _in: ids } } },
      })),
    };
  }
}
