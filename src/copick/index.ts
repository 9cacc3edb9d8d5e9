/**
 * Copick projects over any store; `openProject` of `cryoet-picks/node` opens one from a config file.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../errors.ts';
export type { HttpClock } from '../storage/http.ts';
export { type S3Addressing, type S3StoreOptions, s3Store } from '../storage/s3.ts';
export type { PanopticVolumes, SegmentationVolumes } from './check-labels.ts';
export {
  type ConfigBase,
  type CroissantConfig,
  type FilesystemConfig,
  type PickableObject,
  type PortalConfig,
  type ProjectConfig,
  parseConfig,
} from './config.ts';
export { deleteAll } from './delete.ts';
export type { FeaturesEntry, FeaturesFilter, TomogramFeaturesFilter } from './features.ts';
export { formatConfig } from './format-config.ts';
export { formatPicksFile } from './format-picks.ts';
export { formatSpacing, type NameFilter, sanitizeName } from './names.ts';
export type { ObjectMapEntry, ObjectMapFilter, WriteObjectMapOptions } from './object-maps.ts';
export type { HasPicksOptions, PickSet, PicksFilter } from './pick-sets.ts';
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
export { type PortalObjectsOptions, portalObjects } from './portal/objects.ts';
export { type OpenPortalOptions, openPortal, type PortalProject, portalOf } from './portal/open.ts';
export { type PortalStore, type PortalStoreOptions, portalStore } from './portal/store.ts';
export type { Problem } from './problems.ts';
export { Project, type ProjectOptions, projectFromStores } from './project.ts';
export { Run } from './run.ts';
export type {
  OpenSegmentationOptions,
  PanopticChannel,
  SegmentationEntry,
  SegmentationFilter,
  SegmentationKind,
} from './segmentations.ts';
export type { RunTomogramOptions, TomogramEntry, TomogramFilter } from './tomograms.ts';
export type { Deletable, Located, RootKind, WaitOptions } from './tree.ts';
export type { VoxelSpacingEntry, VoxelSpacingOptions } from './voxel-spacings.ts';
export type { WriteFeaturesOptions } from './write-features.ts';
export type { WritePicksOptions } from './write-picks.ts';
export type { LabelType, WriteSegmentationOptions } from './write-segmentation.ts';
export type { WriteRunTomogramOptions } from './write-tomogram.ts';
export type { WriteSpacedOptions, WriteVolumeOptions } from './write-volumes.ts';
