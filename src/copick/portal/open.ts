import { memoryStore, type Store } from '../../storage/store.ts';
import type { PickableObject, PortalConfig } from '../config.ts';
import type { Problem } from '../problems.ts';
import { type Project, projectFromStores } from '../project.ts';
import { type PortalStore, type PortalStoreOptions, portalStore } from './store.ts';

/** Options of {@link openPortal}. */
export interface OpenPortalOptions extends Omit<PortalStoreOptions, 'objects'> {
  /** The project's objects; those with an `identifier` show the portal's annotations of it. */
  readonly objects: readonly PickableObject[];
  /** Where everything is written. @defaultValue a store in memory */
  readonly overlay?: Store | undefined;
  /** Told each problem once, as it is met. */
  readonly onProblem?: ((problem: Problem) => void) | undefined;
}

/** A project of the CryoET Data Portal, with the store that knows what the portal says of it. */
export interface PortalProject {
  readonly project: Project;
  readonly portal: PortalStore;
}

/**
 * Opens datasets of the CryoET Data Portal as a copick project, in browsers and in Node; `openProject` of `cryoet-picks/node` opens
 * config files of the kind `cryoet_data_portal`. Nothing is fetched until it is asked for.
 *
 * A page can read the portal where the portal allows its origin; otherwise give a `fetch` or an `endpoint` that goes through a
 * server of your own.
 *
 * @throws {@link CryoetPicksError} as {@link portalStore} does.
 * @example
 * ```ts
 * const { project, portal } = openPortal({ datasetIds: [10440], objects });
 * const { run } = (await portal.runs()).find(({ name }) => name === 'TS_5_4');
 * const picks = await (await project.run(run)).picks({ object: 'ribosome' });
 * ```
 */
export function openPortal(options: OpenPortalOptions): PortalProject {
  const { datasetIds, objects, overlay = memoryStore(), onProblem } = options;
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
 * The store of the portal that a project shows, which tells what the portal says of its runs, tomograms and annotations;
 * undefined for a project of another kind.
 *
 * @example
 * ```ts
 * const project = await openProject('portal.json');
 * const runs = await portalOf(project)?.runs();
 * ```
 */
export function portalOf({ staticStore }: Project): PortalStore | undefined {
  return staticStore !== undefined && 'annotations' in staticStore ? (staticStore as PortalStore) : undefined;
}
