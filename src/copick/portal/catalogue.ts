import { CryoetPicksError } from '../../errors.ts';
import { joinKey, type StoreOptions } from '../../storage/store.ts';
import { listNames } from '../problems.ts';
import { urlOf } from './bucket.ts';
import type { AnnotationEntry, TomogramEntry } from './entries.ts';
import {
  describeAnnotation,
  describeTomogram,
  fitsFilter,
  type PortalAnnotation,
  type PortalFilter,
  type PortalPlace,
  type PortalRun,
  type PortalTomogram,
} from './metadata.ts';
import type { RunRow } from './queries.ts';
import type { PortalTables } from './tables.ts';
import type { PortalTree } from './tree.ts';

/** What the portal says of the things in its tree. */
export class PortalCatalogue {
  constructor(
    private readonly tables: PortalTables,
    private readonly tree: PortalTree,
    /** What the datasets are called, for messages. */
    private readonly location: string,
  ) {}

  async runs(options: StoreOptions = {}): Promise<PortalRun[]> {
    const runs = await this.tables.runs(options);
    return runs.map(({ id, name, datasetId }) => ({ run: String(id), id, name, datasetId }));
  }

  async tomograms(name: string, filter: PortalFilter<PortalTomogram> = {}): Promise<PortalTomogram[]> {
    const { signal } = filter;
    const run = await this.needRun(name, { signal });
    const entries = await this.tree.tomograms(run, { signal });
    const authors = await this.tables.authors(run.id, { of: 'tomograms', signal });
    return entries
      .map((entry) => describeTomogram(entry, placeOf(run, entry, authors.get(entry.row.id))))
      .filter((tomogram) => fitsFilter(tomogram, filter))
      .sort((a, b) => a.id - b.id);
  }

  async annotations(name: string, filter: PortalFilter<PortalAnnotation> = {}): Promise<PortalAnnotation[]> {
    const { signal } = filter;
    const run = await this.needRun(name, { signal });
    const entries = await this.tree.annotations(run, { signal });
    const authors = await this.tables.authors(run.id, { of: 'annotations', signal });
    return entries
      .map((entry) => {
        const { id } = entry.row.annotationShape.annotation;
        return describeAnnotation(entry, placeOf(run, entry, authors.get(id)));
      })
      .filter((annotation) => fitsFilter(annotation, filter));
  }

  private async needRun(name: string, options: StoreOptions): Promise<RunRow> {
    const run = await this.tree.run(name, options);
    if (run !== undefined) return run;
    const runs = await this.tables.runs(options);
    const named = runs.find((one) => one.name === name);
    const advice = named ? `; the portal's "${name}" is run "${named.id}"` : '';
    const available = listNames(runs.map(({ id }) => String(id)));
    throw new CryoetPicksError(
      'not-found',
      `run "${name}" not found in ${this.location}${advice}; available: ${available}`,
    );
  }
}

function placeOf(run: RunRow, entry: TomogramEntry | AnnotationEntry, authors: readonly string[] = []): PortalPlace {
  return { key: joinKey('ExperimentRuns', String(run.id), entry.folder, entry.name), url: urlOf(entry), authors };
}
