/**
 * Copick projects over any store; `openProject` of `cryoet-picks/node` opens one from a config file.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../errors.ts';
export { type ReadOnlyStoreOptions, readOnlyStore } from '../storage/read-only.ts';
export { type S3Addressing, type S3AddressOptions, type S3StoreOptions, s3Store } from '../storage/s3.ts';
export {
  type ConfigBase,
  type CroissantConfig,
  type FilesystemConfig,
  type PickableObject,
  type PortalConfig,
  type ProjectConfig,
  parseConfig,
} from './config.ts';
export { type OpenCroissantOptions, openCroissant } from './croissant.ts';
export type { CroissantIndex, LoadCroissantOptions } from './croissant-load.ts';
export { type CroissantStore, type CroissantStoreOptions, croissantStore } from './croissant-store.ts';
export type { CroissantAccess, LocalFolders } from './croissant-urls.ts';
export { formatConfig } from './format-config.ts';
export { formatPicksFile } from './format-picks.ts';
export { formatSpacing, type NameFilter, sanitizeName } from './names.ts';
export type { PickSet, PicksFilter } from './pick-sets.ts';
export {
  type ParsePicksOptions,
  type PicksFile,
  type PicksIdentity,
  parsePicksFile,
  type UnknownKeys,
} from './picks.ts';
export { portalTomogramType, type TomogramOrigin } from './portal/camel.ts';
export {
  annotationFits,
  type PortalAnnotation,
  type PortalFilter,
  type PortalRun,
  type PortalTomogram,
} from './portal/metadata.ts';
export { type OpenPortalOptions, openPortal, type PortalProject } from './portal/open.ts';
export { type PortalStore, type PortalStoreOptions, portalStore } from './portal/store.ts';
export type { Problem } from './problems.ts';
export { Project, type ProjectOptions, projectFromStores, type RunsOptions, type WaitOptions } from './project.ts';
export { type HasPicksOptions, Run } from './run.ts';
export type { SegmentationEntry, SegmentationFilter, WriteSegmentationOptions } from './segmentations.ts';
export type { RunTomogramOptions, TomogramEntry, TomogramFilter } from './tomograms.ts';
export type { Located, RootKind } from './tree.ts';
export type { WritePicksOptions } from './write-picks.ts';
