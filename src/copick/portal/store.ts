import * as v from 'valibot';
import {
  abortSignal,
  callback,
  describeValue,
  flag,
  isFields,
  optional,
  optionalList,
  project as projectRule,
  type RulesFor,
  record,
  requireArgument,
  requireOptions,
  text,
  url,
  writableStore,
} from '../../core/arguments.ts';
import { CryoetPicksError } from '../../core/errors.ts';
import { httpRules } from '../../storage/http.ts';
import {
  boundRules,
  checkCall,
  checkRange,
  type ListableStore,
  memoryStore,
  type Store,
  type StoreOptions,
  type ValueBounds,
  valueBounds,
} from '../../storage/store.ts';
import type { PortalConfig } from '../config.ts';
import { fitName } from '../layout.ts';
import type { PickableObject } from '../object.ts';
import { type Project, projectFromStores } from '../project.ts';
import { checkWait, type Problem } from '../tree.ts';
import { PortalFiles } from './files.ts';
import type { GraphqlServer } from './graphql.ts';
import {
  type PortalAnnotation,
  PortalCatalogue,
  type PortalFilter,
  type PortalRun,
  type PortalTomogram,
} from './metadata.ts';
import { fetchRows, fetchRowsByRun, type Identified, runTable, type Table } from './queries.ts';
import { PortalTables } from './tables.ts';
import { PortalTree, shapeTypes } from './tree.ts';

/** The GraphQL endpoint of the CryoET Data Portal. */
const portalEndpoint = 'https://graphql.cryoetdataportal.czscience.com/graphql';

/** Options of {@link portalStore}. */
export interface PortalStoreOptions extends ValueBounds {
  readonly datasetIds: readonly number[];
  /** The project's objects; an annotation is shown if its object id is the `identifier` of one of them. */
  readonly objects: readonly Pick<PickableObject, 'name' | 'identifier'>[];
  /** The GraphQL endpoint. @defaultValue that of the CryoET Data Portal */
  readonly endpoint?: string | URL | undefined;
  /** Makes the HTTP requests, to the endpoint and for files. @defaultValue the platform's `fetch` */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Sent to the endpoint, and to no other server; never part of messages. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** As of `httpStore`, for the endpoint: so long without a byte, in milliseconds, and a try has failed. @defaultValue 60 000 */
  readonly timeout?: number | undefined;
  /** Also show annotations of the shape `InstanceSegmentation`, which are points with instance ids, as picks; copick does not. @defaultValue false */
  readonly instancePoints?: boolean | undefined;
}

/** Datasets of the CryoET Data Portal as a copick tree that can be read and listed. */
export interface PortalStore extends ListableStore {
  /** The runs of the datasets, by id. */
  runs(options?: StoreOptions): Promise<PortalRun[]>;
  /** The portal's metadata of a run's tomograms, by id. @throws `not-found` for a run that the portal does not have. */
  tomograms(run: string, filter?: PortalFilter<PortalTomogram>): Promise<PortalTomogram[]>;
  /** The portal's metadata of a run's picks and segmentations, by id of the file. @throws `not-found` for a run that the portal does not have. */
  annotations(run: string, filter?: PortalFilter<PortalAnnotation>): Promise<PortalAnnotation[]>;
  /** Empties the cache of the portal's answers. */
  refresh(): void;
}

/**
 * Shows datasets of the CryoET Data Portal as a copick tree, as copick's back-end `cryoet_data_portal` does: runs under their
 * portal ids, tomograms under the types that copick derives from their reconstruction and processing, point annotations as
 * picks files, masks as segmentations, all by user `data-portal`, with the file's id as session.
 *
 * Everything is fetched on demand. Tables are fetched over GraphQL for 50 runs at a time, in halves if that is too much, and
 * cached until `refresh`; files are fetched over HTTPS, and points become picks in Å. Nothing is stored on disk.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for options that cannot work; from reads, `unavailable` where the portal
 * cannot be reached or keeps failing, `unsupported` where it rejects a query, `invalid-metadata` or `invalid-picks` where an
 * answer or a file cannot be understood.
 * @example
 * ```ts
 * const portal = portalStore({ datasetIds: [10440], objects: [{ name: 'ribosome', identifier: 'GO:0022626' }] });
 * const run = (await portal.runs()).find(({ name }) => name === 'TS_5_4');
 * await portal.annotations(run!.run, { where: { groundTruthStatus: true } });
 * ```
 */
export function portalStore(options: PortalStoreOptions): PortalStore {
  requireOptions('portalStore', options, portalRules);
  const { datasetIds, objects, instancePoints = false, fetch } = options;
  const server = serverOf(options);
  const byIdentifier = new Map<string, string>();
  // As in copick, if two objects have the same identifier, the last counts.
  for (const { name, identifier } of objects) if (identifier) byIdentifier.set(identifier, name);
  const shapes: readonly string[] = instancePoints ? [...shapeTypes, 'InstanceSegmentation'] : shapeTypes;
  const tables = new PortalTables(server, { datasetIds, objectIds: [...byIdentifier.keys()], shapeTypes: shapes });
  const tree = new PortalTree(tables, byIdentifier);
  const { maxMetadataBytes, maxFileBytes } = options;
  const files = new PortalFiles(tree, { fetch, maxMetadataBytes, maxFileBytes });
  const location = `portal:${datasetIds.join(',')}`;
  const catalogue = new PortalCatalogue(tables, tree, location);
  return {
    location,
    get: async (key, options) => files.get(key, checkCall('get', key, options)),
    getRange: async (key, range, options) => {
      checkRange(range);
      return files.getRange(key, range, checkCall('getRange', key, options));
    },
    list: async (folder, options) => files.list(folder, checkCall('list', folder, options)),
    runs: async (options = {}) => catalogue.runs(checkWait('portal.runs', options)),
    tomograms: async (run, filter = {}) => {
      requireArgument('portal.tomograms', 'run', run, text);
      return catalogue.tomograms(run, requireOptions('portal.tomograms', filter, portalFilterRules));
    },
    annotations: async (run, filter = {}) => {
      requireArgument('portal.annotations', 'run', run, text);
      return catalogue.annotations(run, requireOptions('portal.annotations', filter, portalFilterRules));
    },
    refresh() {
      tables.refresh();
      files.refresh();
    },
  };
}

const serverRules: RulesFor<Omit<PortalStoreOptions, 'objects' | 'instancePoints'>> = {
  datasetIds: { expected: 'a list of dataset ids', isValid: Array.isArray },
  endpoint: /* @__PURE__ */ optional(url),
  fetch: httpRules.fetch,
  headers: httpRules.headers,
  timeout: httpRules.timeout,
  ...boundRules,
};
const portalRules: RulesFor<PortalStoreOptions> = {
  ...serverRules,
  objects: {
    expected: 'a list of objects { name, identifier }',
    isValid: Array.isArray,
    items: {
      expected: 'an object { name, identifier }',
      isValid: isFields,
      fields: { name: text, identifier: /* @__PURE__ */ optional(text) },
    },
  },
  instancePoints: /* @__PURE__ */ optional(flag),
};
const portalFilterRules: RulesFor<PortalFilter<never>> = {
  where: /* @__PURE__ */ optional(record),
  authors: /* @__PURE__ */ optionalList('a list of names', text),
  signal: /* @__PURE__ */ optional(abortSignal),
};

/** The GraphQL server of the options. @throws {@link CryoetPicksError} `invalid-option` for options that cannot work. */
function serverOf(options: Omit<PortalStoreOptions, 'objects'>): GraphqlServer {
  checkDatasets(options.datasetIds);
  const { endpoint = portalEndpoint, headers = {}, timeout = 60_000 } = options;
  const { fetch: send = (url, init) => fetch(url, init) } = options;
  try {
    const { href } = new URL(endpoint, globalThis.location?.href);
    // An answer is metadata, like a file of Zarr's.
    return { endpoint: href, fetch: send, headers, timeout, maxBytes: valueBounds(options)('/zarr.json').bytes };
  } catch (cause) {
    throw new CryoetPicksError('invalid-option', `endpoint ${JSON.stringify(String(endpoint))} is not a URL`, {
      option: 'endpoint',
      cause,
    });
  }
}

function checkDatasets(datasetIds: readonly number[]): void {
  const bad = datasetIds.find((id) => !Number.isSafeInteger(id));
  if (bad === undefined) return;
  throw new CryoetPicksError('invalid-option', `datasetIds contains ${describeValue(bad)}, expected whole numbers`, {
    option: 'datasetIds',
  });
}

/** Options of {@link openPortal}. */
export interface OpenPortalOptions extends Omit<PortalStoreOptions, 'objects'> {
  /** The project's objects; those with an `identifier` show the portal's annotations. */
  readonly objects: readonly PickableObject[];
  /** The store for everything that is written. @defaultValue a store in memory */
  readonly overlay?: Store | undefined;
  /** Called with each problem once, when it is found. */
  readonly onProblem?: ((problem: Problem) => void) | undefined;
}

/** A project of the CryoET Data Portal, with the store of the portal's metadata. */
export interface PortalProject {
  readonly project: Project;
  readonly portal: PortalStore;
}

/**
 * Opens datasets of the CryoET Data Portal as a copick project, in browsers and in Node; `openProject` of `cryoet-picks/node` opens
 * config files of the kind `cryoet_data_portal`. Everything is fetched on demand.
 *
 * A page can read the portal if the portal allows its origin; otherwise give a `fetch` or an `endpoint` that goes through your own
 * server.
 *
 * @throws {@link CryoetPicksError} as {@link portalStore} does.
 * @example
 * ```ts
 * const { project, portal } = openPortal({ datasetIds: [10440], objects });
 * const found = (await portal.runs()).find(({ name }) => name === 'TS_5_4');
 * const run = await project.run(found!.run);
 * const picks = await run.picks({ object: 'ribosome' });
 * ```
 */
export function openPortal(options: OpenPortalOptions): PortalProject {
  const {
    datasetIds,
    objects,
    overlay = memoryStore(),
    onProblem,
  } = requireOptions('openPortal', options, {
    ...portalRules,
    overlay: optional(writableStore),
    onProblem: optional(callback),
  });
  const portal = portalStore(options);
  const config: PortalConfig = {
    type: 'cryoet_data_portal',
    datasetIds,
    objects,
    overlayRoot: overlay.location,
    portalCache: false,
    portalCacheTtlSeconds: 0,
    portalCacheLockTimeoutSeconds: 60,
    problems: [],
  };
  return {
    project: projectFromStores({ config, overlay, static: portal, source: portal.location, onProblem }),
    portal,
  };
}

/**
 * The portal's store of a project, with the metadata of its runs, tomograms and annotations; undefined for a project of another
 * kind.
 *
 * @example
 * ```ts
 * const project = await openProject('portal.json');
 * const runs = await portalOf(project)?.runs();
 * ```
 */
export function portalOf(project: Project): PortalStore | undefined {
  requireArgument('portalOf', 'project', project, projectRule);
  const { staticStore } = project;
  return staticStore !== undefined && 'annotations' in staticStore ? (staticStore as PortalStore) : undefined;
}

/** Options of {@link portalObjects}. */
export interface PortalObjectsOptions extends Omit<PortalStoreOptions, 'objects' | 'instancePoints'>, StoreOptions {}

/** A shape of an annotation, with the annotation's object. */
interface ShapeRow extends Identified {
  readonly shapeType: string;
  readonly annotation: {
    readonly objectId: string;
    readonly objectName: string;
    readonly annotationPublication?: string | null | undefined;
  };
}

const shapeTable: Table<ShapeRow> = {
  root: 'annotationShapes',
  type: 'AnnotationShape',
  fields: 'id shapeType annotation { objectId objectName annotationPublication }',
  row: v.looseObject({
    id: v.number(),
    shapeType: v.string(),
    annotation: v.looseObject({
      objectId: v.string(),
      objectName: v.string(),
      annotationPublication: v.nullish(v.string()),
    }),
  }),
};

/**
 * The objects that are annotated in datasets of the portal, for {@link openPortal}: one per object id, sorted by id.
 *
 * As in copick, an object with points is a particle, names are in lower case and fit for file names, publications give the ids of
 * EMDB and PDB, and the radius is always 50 Å: set your own. Labels count from 1. Unlike in copick, the order and the colours are
 * reproducible, the first publication with an id counts, and the second object of a name gets its id appended.
 *
 * @throws {@link CryoetPicksError} as reads of {@link portalStore} do.
 * @example
 * ```ts
 * const objects = await portalObjects({ datasetIds: [10440] });
 * const { project } = openPortal({ datasetIds: [10440], objects });
 * ```
 */
export async function portalObjects(options: PortalObjectsOptions): Promise<PickableObject[]> {
  const { datasetIds, signal } = requireOptions('portalObjects', options, {
    ...serverRules,
    signal: optional(abortSignal),
  });
  const server = serverOf(options);
  if (datasetIds.length === 0) return [];
  const runs = await fetchRows(server, { table: runTable, where: { datasetId: { _in: datasetIds } }, signal });
  const runIds = runs.map(({ id }) => id);
  const where = (ids: readonly number[]) => ({ annotation: { runId: { _in: ids } } });
  const shapes = new Map<string, ShapeRow[]>();
  for (let start = 0; start < runIds.length; start += 50) {
    const some = runIds.slice(start, start + 50);
    for (const row of await fetchRowsByRun(server, { table: shapeTable, runIds: some, where, signal })) {
      const { objectId } = row.annotation;
      shapes.set(objectId, [...(shapes.get(objectId) ?? []), row]);
    }
  }
  return toObjects(shapes);
}

function toObjects(shapes: ReadonlyMap<string, readonly ShapeRow[]>): PickableObject[] {
  const taken = new Set<string>();
  return [...shapes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([identifier, rows], index) => {
      const plain = fitName(rows[0]?.annotation.objectName.toLowerCase() ?? '') ?? `object-${index + 1}`;
      const name = taken.has(plain) ? (fitName(`${plain}-${identifier}`) ?? plain) : plain;
      taken.add(name);
      const publications = rows.flatMap(({ annotation }) => annotation.annotationPublication?.split(',') ?? []);
      const published = (database: string) =>
        publications.map((one) => one.trim()).find((one) => one.startsWith(database));
      const emdbId = published('EMD');
      const pdbId = published('PDB') ?? /^PDB-([0-9a-z]{4,8})$/i.exec(identifier)?.[1];
      return {
        ...{ name, identifier, label: index + 1, radius: 50, metadata: {} },
        isParticle: rows.some(({ shapeType }) => shapeType === 'Point' || shapeType === 'OrientedPoint'),
        color: colorOf(index),
        ...(emdbId === undefined ? {} : { emdbId }),
        ...(pdbId === undefined ? {} : { pdbId }),
      };
    });
}

/** Colours whose hues are a golden ratio of the circle apart, so that consecutive ones differ clearly. */
function colorOf(index: number): readonly [number, number, number, number] {
  const hue = (index * 0.618034) % 1;
  const channel = (shift: number) => {
    const distance = Math.abs(((((hue + shift) % 1) + 1) % 1) - 0.5) * 6 - 1;
    return Math.round(55 + 200 * Math.min(1, Math.max(0, distance)));
  };
  return [channel(0), channel(2 / 3), channel(1 / 3), 255];
}
