/**
 * Volumes beyond OME-Zarr: MRC files as sources of voxels that seek instead of loading, resampling to the voxel size that a
 * network wants, and a check that names trouble before an hour is lost. `openMrcFile`, `writeMrcFile` and
 * `openTiffStackFile` of `cryoet-picks/node` work on paths.
 *
 * @module
 */

export { type CheckOptions, checkTomogram, type Finding } from './check.ts';
export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from './errors.ts';
export { type EncodeMrcOptions, encodeMrc } from './mrc/encode.ts';
export { type MrcAxis, type MrcHeader, type ParseMrcHeaderOptions, parseMrcHeader } from './mrc/header.ts';
export type { MrcMode } from './mrc/modes.ts';
export { type MrcVolume, type OpenMrcOptions, openMrc } from './mrc/open.ts';
export { blobReader, bytesReader, type RandomAccessReader, storeReader } from './mrc/random-access.ts';
export { type Channel, type ChannelInfo, openChannels } from './ome-zarr/channels.ts';
export { type ConsolidatedOptions, withConsolidated } from './ome-zarr/consolidated.ts';
export { type DecodeWorkersOptions, setDecodeWorkers } from './ome-zarr/decode-pool.ts';
export type { WriteProgress, WriteTomogramOptions } from './ome-zarr/write.ts';
export { type WriteChannelsOptions, writeChannels } from './ome-zarr/write-channels.ts';
export { type CoalesceOptions, coalesced } from './storage/coalesced.ts';
export { resampled } from './volume/resampled.ts';
export { type ZipStoreOptions, zipStore } from './zip/zip-store.ts';
