/**
 * Stores, and files of volumes: OME-Zarr, MRC, TIFF stacks, and zip archives, anywhere. `openMrcFile`, `writeMrcFile`,
 * `openTiffStackFile` and `openStore` of `cryoet-picks/node` take paths.
 *
 * @module cryoet-picks/io
 */

// Errors
export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';

// Stores
export { type CoalesceOptions, coalesced } from '../storage/coalesce.ts';
export { type HttpStoreOptions, httpStore } from '../storage/http.ts';
export { blobReader, type RandomAccessReader, storeReader } from '../storage/random-access.ts';
export { type S3StoreOptions, s3Store } from '../storage/s3.ts';
export type { S3Addressing, S3AddressOptions } from '../storage/s3-address.ts';
export {
  type ByteRange,
  type CommitOptions,
  type GetOptions,
  type ListableStore,
  memoryStore,
  type ReadableStore,
  type ReadOnlyStoreOptions,
  readOnlyStore,
  type StagedFolder,
  type Store,
  type StoreEntry,
  type StoreKey,
  type StoreOptions,
  subStore,
  type WriteOptions,
} from '../storage/store.ts';
export { type ZipStoreOptions, zipStore } from '../storage/zip.ts';

// OME-Zarr
export type { ChunkCounts } from '../ome-zarr/chunk-record.ts';
export { type ConsolidatedOptions, withConsolidated } from '../ome-zarr/consolidated.ts';
export type { DecodeWorkersOptions } from '../ome-zarr/decode-task.ts';
export {
  type Channel,
  type ChannelInfo,
  type OpenTomogramOptions,
  openChannels,
  openTomogram,
  type Tomogram,
  type TomogramLevel,
} from '../ome-zarr/tomogram.ts';
export { type WriteChannelsOptions, writeChannels, writeTomogram } from '../ome-zarr/write/image.ts';
export type { WritableDtype, WriteProgress, WriteTomogramOptions } from '../ome-zarr/write/plan.ts';

// MRC and TIFF
export { type EncodeMrcOptions, encodeMrc } from '../mrc/encode.ts';
export { type MrcAxis, type MrcHeader, type ParseMrcHeaderOptions, parseMrcHeader } from '../mrc/header.ts';
export { type MrcVolume, type OpenMrcOptions, openMrc } from '../mrc/open.ts';
export type { MrcMode } from '../mrc/voxels.ts';
export { type OpenTiffStackOptions, openTiffStack, type TiffStack } from '../tiff/stack.ts';
