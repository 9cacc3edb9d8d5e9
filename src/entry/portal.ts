/**
 * Projects that lie elsewhere: on the CryoET data portal, or described by a Croissant file.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
export { type OpenCroissantOptions, openCroissant } from '../copick/croissant/store.ts';
export type { CroissantIndex, LoadCroissantOptions } from '../copick/croissant/load.ts';
export { type CroissantStore, type CroissantStoreOptions, croissantStore } from '../copick/croissant/store.ts';
export type { CroissantAccess, LocalFolders } from '../copick/croissant/urls.ts';
export { portalTomogramType, type TomogramOrigin } from '../copick/portal/tree.ts';
export {
  annotationFits,
  type PortalAnnotation,
  type PortalFilter,
  type PortalRun,
  type PortalTomogram,
} from '../copick/portal/metadata.ts';
export { type PortalObjectsOptions, portalObjects } from '../copick/portal/store.ts';
export { type OpenPortalOptions, openPortal, type PortalProject, portalOf } from '../copick/portal/store.ts';
export { type PortalStore, type PortalStoreOptions, portalStore } from '../copick/portal/store.ts';
