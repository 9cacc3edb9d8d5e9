/**
 * Copick projects over any store; `openProject` of `cryoet-picks/node` opens one from a config file.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
export type { ObjectUserSessionFilter, ObjectUserSession } from '../copick/authored-files.ts';
export type { PanopticVolumes, SegmentationVolumes } from '../copick/write-segmentation.ts';
export {
  type ConfigBase,
  type CroissantConfig,
  type FilesystemConfig,
  type PickableObject,
  type PortalConfig,
  type ProjectConfig,
  parseConfig,
} from '../copick/config.ts';
export { deleteAll } from '../copick/tree.ts';
export { type NewConfigOptions, type NewObject, newConfig, withObject, withoutObject } from '../copick/edit-config.ts';
export type { FeaturesEntry, FeaturesFilter, TomogramFeaturesFilter } from '../copick/features.ts';
export { evaluateCurve, type FilamentCurve } from '../copick/filament-curve.ts';
export { type CurvedLine, curveOf, hasCurrentCurve } from '../copick/filament-curve.ts';
export { type FilamentPicksOptions, picksAlongFilaments } from '../copick/filament-picks.ts';
export { type FilamentSpec, filamentOf, withFilament } from '../copick/object.ts';
export type { FilamentsEntry, WriteFilamentsOptions } from '../copick/filament-sets.ts';
export {
  type Filament,
  type FilamentsFile,
  type ParseFilamentsOptions,
  parseFilamentsFile,
} from '../copick/filaments-file.ts';
export type { FindOptions, Found, UriEntries } from '../copick/find.ts';
export { formatConfig } from '../copick/edit-config.ts';
export { formatFilamentsFile } from '../copick/filaments-file.ts';
export { formatPicksFile } from '../copick/picks-file.ts';
export type { MeshEntry, WriteMeshOptions } from '../copick/authored-files.ts';
export { formatSpacing, type NameFilter, sanitizeName } from '../copick/layout.ts';
export type { ObjectMapEntry, ObjectMapFilter, WriteObjectMapOptions } from '../copick/object-maps.ts';
export type { HasPicksOptions, PickSet, PicksFilter } from '../copick/pick-sets.ts';
export {
  type ParsePicksFileOptions,
  type PicksFile,
  type PicksIdentity,
  parsePicksFile,
} from '../copick/picks-file.ts';
export type { Problem } from '../copick/tree.ts';
export { Project, type ProjectOptions, projectFromStores } from '../copick/project.ts';
export { Run } from '../copick/run.ts';
export type { RunsOptions } from '../copick/run.ts';
export type {
  OpenSegmentationOptions,
  PanopticChannel,
  SegmentationEntry,
  SegmentationFilter,
  SegmentationKind,
} from '../copick/segmentations.ts';
export type { RunTomogramOptions, TomogramEntry, TomogramFilter } from '../copick/tomograms.ts';
export type { Deletable, DeletableFile, DeleteFileOptions, Located, RootKind, WaitOptions } from '../copick/tree.ts';
export {
  type ObjectUserSessionUri,
  type FeaturesUri,
  formatUri,
  parseUri,
  type SegmentationUri,
  type TomogramUri,
  type UriKind,
  type UriParts,
  type Uris,
} from '../copick/uri.ts';
export type { UriSyntax } from '../copick/uri.ts';
export { type ConvertedKind, type ExpandOutputUriOptions, expandOutputUri } from '../copick/find.ts';
export type { VoxelSpacingEntry, VoxelSpacingOptions } from '../copick/voxel-spacings.ts';
export type { WriteFeaturesOptions } from '../copick/write-volumes.ts';
export type { WritePicksOptions } from '../copick/pick-sets.ts';
export type { LabelType, WriteSegmentationOptions } from '../copick/write-segmentation.ts';
export type { WriteRunTomogramOptions } from '../copick/write-volumes.ts';
export type { WriteSpacedOptions, WriteVolumeOptions } from '../copick/write-volumes.ts';
