/**
 * Copick projects over any store: config files, runs, picks, tomograms, features, segmentations, meshes, filaments and
 * density maps. `openProject` of `cryoet-picks/node` opens a project from its config file.
 *
 * @module cryoet-picks/copick
 */

// Errors
export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';

// Projects and their config files
export {
  type ConfigBase,
  type CroissantConfig,
  type FilesystemConfig,
  type PortalConfig,
  type ProjectConfig,
  parseConfig,
} from '../copick/config.ts';
export {
  formatConfig,
  type NewConfigOptions,
  type NewObject,
  newConfig,
  withObject,
  withoutObject,
} from '../copick/edit-config.ts';
export {
  contentsOf,
  cziiObjects,
  type FoundProject,
  type FoundVolume,
  type FoundVolumes,
  type StoreContents,
  type VolumeFormat,
  volumeFormatOf,
} from '../copick/contents.ts';
export { type FilamentSpec, filamentOf, type PickableObject, withFilament } from '../copick/object.ts';
export { Project, type ProjectOptions, projectFromStores } from '../copick/project.ts';
export { Run, type RunsOptions } from '../copick/run.ts';

// What all entities of a project have in common
export type { NameFilter } from '../copick/layout.ts';
export {
  type Deletable,
  type DeletableFile,
  type DeleteFileOptions,
  deleteAll,
  type Located,
  type Problem,
  type RootKind,
  type WaitOptions,
} from '../copick/tree.ts';
export type { ObjectUserSession, ObjectUserSessionFilter } from '../copick/user-session-files.ts';

// Picks
export type {
  DeleteCandidatesOptions,
  ReadCandidatesOptions,
  StoredCandidates,
  WriteCandidatesOptions,
} from '../copick/candidates-file.ts';
export type { HasPicksOptions, PickSet, PicksFilter, WritePicksOptions } from '../copick/pick-sets.ts';
export type { PicksOrigin, Provenance } from '../copick/provenance.ts';
export {
  formatPicksFile,
  type ParsePicksFileOptions,
  type PicksFile,
  type PicksIdentity,
  parsePicksFile,
} from '../copick/picks-file.ts';

// Filaments and meshes
export {
  type CurvedLine,
  curveOf,
  evaluateCurve,
  type FilamentCurve,
  hasCurrentCurve,
} from '../copick/filament-curve.ts';
export { type FilamentPicksOptions, picksAlongFilaments } from '../copick/filament-picks.ts';
export type { FilamentsEntry, WriteFilamentsOptions } from '../copick/filament-sets.ts';
export {
  type Filament,
  type FilamentsFile,
  formatFilamentsFile,
  type ParseFilamentsOptions,
  parseFilamentsFile,
} from '../copick/filaments-file.ts';
export type { MeshEntry, WriteMeshOptions } from '../copick/user-session-files.ts';

// Volumes
export type { FeaturesEntry, FeaturesFilter, TomogramFeaturesFilter } from '../copick/features.ts';
export type { ObjectMapEntry, ObjectMapFilter, WriteObjectMapOptions } from '../copick/object-maps.ts';
export type {
  OpenSegmentationOptions,
  PanopticChannel,
  SegmentationEntry,
  SegmentationFilter,
  SegmentationKind,
} from '../copick/segmentations.ts';
export type { RunTomogramOptions, TomogramEntry, TomogramFilter } from '../copick/tomograms.ts';
export type { VoxelSpacingEntry, VoxelSpacingOptions } from '../copick/voxel-spacings.ts';
export type {
  LabelType,
  PanopticVolumes,
  SegmentationVolumes,
  WriteSegmentationOptions,
} from '../copick/write-segmentation.ts';
export type {
  WriteFeaturesOptions,
  WriteRunTomogramOptions,
  WriteSpacedOptions,
  WriteVolumeOptions,
} from '../copick/write-volumes.ts';

// URIs
export {
  type ConvertedKind,
  type ExpandOutputUriOptions,
  expandOutputUri,
  type FindOptions,
  type Found,
  type UriEntries,
} from '../copick/find.ts';
export {
  type FeaturesUri,
  formatUri,
  type ObjectUserSessionUri,
  parseUri,
  type SegmentationUri,
  type TomogramUri,
  type UriKind,
  type UriParts,
  type Uris,
  type UriSyntax,
} from '../copick/uri.ts';
