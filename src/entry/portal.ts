/**
 * Projects that lie elsewhere: on the CryoET Data Portal, or described by a Croissant file.
 *
 * @module cryoet-picks/portal
 */

// Errors
export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';

// The CryoET Data Portal
export {
  annotationFits,
  type PortalAnnotation,
  type PortalFilter,
  type PortalRun,
  type PortalTomogram,
} from '../copick/portal/metadata.ts';
export {
  type OpenPortalOptions,
  openPortal,
  type PortalObjectsOptions,
  type PortalProject,
  type PortalStore,
  type PortalStoreOptions,
  portalObjects,
  portalOf,
  portalStore,
} from '../copick/portal/store.ts';

// Croissant files
export type { CroissantIndex, LoadCroissantOptions } from '../copick/croissant/load.ts';
export {
  type CroissantStore,
  type CroissantStoreOptions,
  croissantStore,
  type OpenCroissantOptions,
  openCroissant,
} from '../copick/croissant/store.ts';
export type { CroissantAccess, LocalFolders } from '../copick/croissant/urls.ts';
