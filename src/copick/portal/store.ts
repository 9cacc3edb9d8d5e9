import { CryoetPicksError } from '../../errors.ts';
import type { HttpClock } from '../../storage/http.ts';
import { platformClock } from '../../storage/platform-clock.ts';
import type { ListableStore, StoreOptions } from '../../storage/store.ts';
import type { PickableObject } from '../pickable-object.ts';
import { PortalCatalogue } from './catalogue.ts';
import { shapeTypes } from './entries.ts';
import { PortalFiles } from './files.ts';
import type { GraphqlServer } from './graphql.ts';
import type { PortalAnnotation, PortalFilter, PortalRun, PortalTomogram } from './metadata.ts';
import { PortalTables } from './tables.ts';
import { PortalTree } from './tree.ts';

/** Where the CryoET Data Portal answers GraphQL. */
const portalEndpoint = 'https://graphql.cryoetdataportal.czscience.com/graphql';

/** Options of {@link portalStore}. */
export interface PortalStoreOptions {
  readonly datasetIds: readonly number[];
  /** The project's objects; annotations count whose object id is the `identifier` of one of them. */
  readonly objects: readonly Pick<PickableObject, 'name' | 'identifier'>[];
  /** Where the portal answers GraphQL. @defaultValue the portal's own */
  readonly endpoint?: string | URL | undefined;
  /** Makes the requests, to the endpoint and for files. @defaultValue the platform's `fetch` */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Sent to the endpoint, and to no other server; never shown in messages. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** How long an answer of the endpoint may take, in milliseconds. @defaultValue 60000 */
  readonly timeout?: number | undefined;
  /** Show annotations of the shape `InstanceSegmentation`, points with instance ids, as picks too; copick does not. @defaultValue false */
  readonly instancePoints?: boolean | undefined;
  /** Time and chance, for pauses between attempts. @defaultValue that of the platform */
  readonly clock?: HttpClock | undefined;
}

/** Datasets of the CryoET Data Portal as a copick tree that can be read and listed. */
export interface PortalStore extends ListableStore {
  /** The runs of the datasets, by id. */
  runs(options?: StoreOptions): Promise<PortalRun[]>;
  /** What the portal says of a run's tomograms, by id. @throws `not-found` for a run that is none of the portal's. */
  tomograms(run: string, filter?: PortalFilter<PortalTomogram>): Promise<PortalTomogram[]>;
  /** What the portal says of a run's picks and segmentations, by id of the file. @throws `not-found` for a run that is none of the portal's. */
  annotations(run: string, filter?: PortalFilter<PortalAnnotation>): Promise<PortalAnnotation[]>;
  /** Forgets what the portal answered; the next call asks again. */
  refresh(): void;
}

/**
 * Shows datasets of the CryoET Data Portal as a copick tree, as copick's back-end `cryoet_data_portal` does: runs under their
 * portal ids, tomograms under the types that copick makes of their reconstruction and processing, point annotations as picks
 * files, masks as segmentations, all by user `data-portal` in the session that is the file's id.
 *
 * Nothing is fetched before it is asked for. Tables come over GraphQL for 50 runs at once, in halves where that is too much, and
 * are kept until `refresh`; files come over HTTPS, points become picks in Å on the way. Nothing is kept on disk.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for options that cannot work; from reads, `not-found` where the portal
 * cannot be reached or keeps failing, `unsupported` where it refuses a question, `invalid-metadata` or `invalid-picks` where an
 * answer or a file cannot be understood.
 * @example
 * ```ts
 * const portal = portalStore({ datasetIds: [10440], objects: [{ name: 'ribosome', identifier: 'GO:0022626' }] });
 * const run = (await portal.runs()).find(({ name }) => name === 'TS_5_4');
 * await portal.annotations(run.run, { where: { groundTruthStatus: true } });
 * ```
 */
export function portalStore(options: PortalStoreOptions): PortalStore {
  const { datasetIds, objects, instancePoints = false, fetch, clock } = options;
  const server = serverOf(options);
  const byIdentifier = new Map<string, string>();
  // As in copick, of two objects with one identifier the last counts.
  for (const { name, identifier } of objects) if (identifier) byIdentifier.set(identifier, name);
  const shapes: readonly string[] = instancePoints ? [...shapeTypes, 'InstanceSegmentation'] : shapeTypes;
  const tables = new PortalTables(server, { datasetIds, objectIds: [...byIdentifier.keys()], shapeTypes: shapes });
  const tree = new PortalTree(tables, byIdentifier);
  const files = new PortalFiles(tree, { fetch, clock });
  const location = `portal:${datasetIds.join(',')}`;
  const catalogue = new PortalCatalogue(tables, tree, location);
  return {
    location,
    get: (key, options) => files.get(key, options),
    getRange: (key, range, options) => files.getRange(key, range, options),
    list: (folder, options) => files.list(folder, options),
    runs: (options) => catalogue.runs(options),
    tomograms: (run, filter) => catalogue.tomograms(run, filter),
    annotations: (run, filter) => catalogue.annotations(run, filter),
    refresh() {
      tables.refresh();
      files.refresh();
    },
  };
}

/** The server that options mean. @throws {@link CryoetPicksError} `invalid-option` for options that cannot work. */
export function serverOf(options: Omit<PortalStoreOptions, 'objects'>): GraphqlServer {
  checkDatasets(options.datasetIds);
  const { endpoint = portalEndpoint, headers = {}, timeout = 60_000 } = options;
  const { fetch: send = (url, init) => fetch(url, init), clock = platformClock } = options;
  if (!(timeout > 0)) {
    throw new CryoetPicksError('invalid-option', `timeout is ${timeout}, expected milliseconds above 0`);
  }
  try {
    const { href } = new URL(endpoint, globalThis.location?.href);
    return { endpoint: href, fetch: send, headers, timeout, clock };
  } catch (cause) {
    throw new CryoetPicksError('invalid-option', `endpoint ${JSON.stringify(String(endpoint))} is not a URL`, {
      cause,
    });
  }
}

function checkDatasets(datasetIds: readonly number[]): void {
  const bad = datasetIds.find((id) => !Number.isSafeInteger(id));
  if (bad === undefined) return;
  throw new CryoetPicksError('invalid-option', `datasetIds holds ${JSON.stringify(bad)}, expected whole numbers`);
}
