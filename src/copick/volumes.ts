/** What `Run` and `Project` do with images: voxel spacings, tomograms, their features, segmentations and density maps. */

export type { SegmentationVolumes } from './check-labels.ts';
export { type FeaturesEntry, type FeaturesFilter, findFeatures } from './features.ts';
export {
  findObjectMaps,
  type ObjectMapEntry,
  type ObjectMapFilter,
  type WriteObjectMapOptions,
  writeObjectMapOf,
} from './object-maps.ts';
export { findSegmentations, type SegmentationEntry, type SegmentationFilter } from './segmentations.ts';
export {
  findTomograms,
  openTomogramOf,
  type RunTomogramOptions,
  type TomogramEntry,
  type TomogramFilter,
} from './tomograms.ts';
export {
  createVoxelSpacingOf,
  findVoxelSpacings,
  type VoxelSpacingEntry,
  type VoxelSpacingOptions,
} from './voxel-spacings.ts';
export { type WriteFeaturesOptions, writeFeaturesOf } from './write-features.ts';
export { type WriteSegmentationOptions, writeSegmentationOf } from './write-segmentation.ts';
export { type WriteRunTomogramOptions, writeTomogramOf } from './write-tomogram.ts';
