/**
 * Copick projects over any store; `openProject` of `cryoet-picks/node` opens one from a config file.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../errors.ts';
export type { HttpClock } from '../storage/http.ts';
export { type ReadOnlyStoreOptions, readOnlyStore } from '../storage/read-only.ts';
export { type S3Addressing, type S3AddressOptions, type S3StoreOptions, s3Store } from '../storage/s3.ts';
export type { AuthoredFilter, AuthoredIdentity } from './authored.ts';
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
export { type OpenCroissantOptions, openCroissant } from './croissant.ts';
export type { CroissantIndex, LoadCroissantOptions } from './croissant-load.ts';
export { type CroissantStore, type CroissantStoreOptions, croissantStore } from './croissant-store.ts';
export type { CroissantAccess, LocalFolders } from './croissant-urls.ts';
export { deleteAll } from './delete.ts';
export { type NewConfigOptions, type NewObject, newConfig, withObject, withoutObject } from './edit-config.ts';
export type { FeaturesEntry, FeaturesFilter, TomogramFeaturesFilter } from './features.ts';
export { evaluateCurve, type FilamentCurve } from './filament-curve.ts';
export { type CurvedLine, curveOf, hasCurrentCurve } from './filament-fit.ts';
export { type FilamentPicksOptions, picksAlongFilaments } from './filament-picks.ts';
export { type FilamentSpec, filamentOf, withFilament } from './filament-spec.ts';
export type { FilamentsEntry, WriteFilamentsOptions } from './filaments.ts';
export {
  type Filament,
  type FilamentsFile,
  type ParseFilamentsOptions,
  parseFilamentsFile,
} from './filaments-file.ts';
export type { FindOptions, Found, UriEntries } from './find.ts';
export { formatConfig } from './format-config.ts';
export { formatFilamentsFile } from './format-filaments.ts';
export { formatPicksFile } from './format-picks.ts';
export type { MeshEntry, WriteMeshOptions } from './meshes.ts';
export { formatSpacing, type NameFilter, sanitizeName } from './names.ts';
export type { ObjectMapEntry, ObjectMapFilter, WriteObjectMapOptions } from './object-maps.ts';
export type { HasPicksOptions, PickSet, PicksFilter } from './pick-sets.ts';
export {
  type ParsePicksOptions,
  type PicksFile,
  type PicksIdentity,
  parsePicksFile,
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
export type { RunsOptions } from './run-folders.ts';
export type {
  OpenSegmentationOptions,
  PanopticChannel,
  SegmentationEntry,
  SegmentationFilter,
  SegmentationKind,
} from './segmentations.ts';
export type { RunTomogramOptions, TomogramEntry, TomogramFilter } from './tomograms.ts';
export type { Deletable, DeletableFile, DeleteFileOptions, Located, RootKind, WaitOptions } from './tree.ts';
export {
  type AuthoredUri,
  type FeaturesUri,
  formatUri,
  parseUri,
  type SegmentationUri,
  type TomogramUri,
  type UriKind,
  type UriParts,
  type Uris,
} from './uri.ts';
export type { UriSyntax } from './uri-match.ts';
export { type ConvertedKind, type ExpandOutputUriOptions, expandOutputUri } from './uri-output.ts';
export type { VoxelSpacingEntry, VoxelSpacingOptions } from './voxel-spacings.ts';
export type { WriteFeaturesOptions } from './write-features.ts';
export type { WritePicksOptions } from './write-picks.ts';
export type { LabelType, WriteSegmentationOptions } from './write-segmentation.ts';
export type { WriteRunTomogramOptions } from './write-tomogram.ts';
export type { WriteSpacedOptions, WriteVolumeOptions } from './write-volumes.ts';
