/**
 * Stores, and files of volumes: OME-Zarr, MRC, TIFF stacks, and zip archives, anywhere. `openMrcFile`, `writeMrcFile`,
 * `openTiffStackFile` and `openStore` of `cryoet-picks/node` take paths.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
export { type EncodeMrcOptions, encodeMrc } from '../mrc/encode.ts';
export { type MrcAxis, type MrcHeader, type ParseMrcHeaderOptions, parseMrcHeader } from '../mrc/header.ts';
export type { MrcMode } from '../mrc/voxels.ts';
export { type MrcVolume, type OpenMrcOptions, openMrc } from '../mrc/open.ts';
export { blobReader, bytesReader, type RandomAccessReader, storeReader } from '../storage/random-access.ts';
export { type Channel, type ChannelInfo, openChannels } from '../ome-zarr/tomogram.ts';
export { type ConsolidatedOptions, withConsolidated } from '../ome-zarr/consolidated.ts';
export type { DecodeWorkersOptions } from '../ome-zarr/decode-task.ts';
export type { WriteProgress, WriteTomogramOptions } from '../ome-zarr/write/plan.ts';
export { type WriteChannelsOptions, writeChannels } from '../ome-zarr/write/image.ts';
export { type CoalesceOptions, coalesced } from '../storage/coalesce.ts';
export { type ZipStoreOptions, zipStore } from '../storage/zip.ts';
export { type OpenTiffStackOptions, openTiffStack, type TiffStack } from '../tiff/stack.ts';
export { type ReadOnlyStoreOptions, readOnlyStore } from '../storage/store.ts';
export { type S3Addressing, type S3AddressOptions, type S3StoreOptions, s3Store } from '../storage/s3.ts';
export { type OpenTomogramOptions, openTomogram, type Tomogram, type TomogramLevel } from '../ome-zarr/tomogram.ts';
export type { ChunkCounts } from '../ome-zarr/chunk-cache.ts';
export { writeTomogram } from '../ome-zarr/write/image.ts';
export { type HttpStoreOptions, httpStore } from '../storage/http.ts';
export {
  type ByteRange,
  joinKey,
  type ListableStore,
  memoryStore,
  type ReadableStore,
  type Store,
  type StoreEntry,
  type StoreKey,
  type StoreOptions,
  subStore,
  type WriteOptions,
} from '../storage/store.ts';
