import type { VolumeFormat } from '../entry/copick.ts';
import { openTomogram, type ReadableStore, type Tomogram, type VolumeSource } from '../entry/index.ts';
import { openMrc, openTiffStack, storeReader, zipStore } from '../entry/io.ts';

/** Where a volume lies in its store. */
export interface OpenVolumeOptions {
  readonly format: VolumeFormat;
  /** The key of its file; `/` for an image that is the whole store. */
  readonly key: `/${string}`;
  readonly signal: AbortSignal;
}

/** Bytes of decoded chunks that a level keeps: bricks of a chunk are read one after another. */
export const CACHE_BYTES: number = 32 * 2 ** 20;

/** Opens the levels of a volume, finest first. */
export async function openVolume(
  store: ReadableStore,
  { format, key, signal }: OpenVolumeOptions,
): Promise<readonly VolumeSource[]> {
  if (format === 'ome-zarr') {
    return openLevels((level) => openTomogram(store, { level, cacheBytes: CACHE_BYTES, signal }));
  }
  if (format === 'zip') return openVolume(zipStore(storeReader(store, key)), { format: 'ome-zarr', key: '/', signal });
  if (format === 'mrc') return [await openMrc(storeReader(store, key), { signal })];
  const bytes = await store.get(key, { signal });
  if (bytes === undefined) throw new Error(`${store.location}${key} is gone.`);
  return [await openTiffStack(bytes, { source: key, signal })];
}

/** Opens all levels of an image, finest first. */
export async function openLevels(open: (level?: number) => Promise<Tomogram>): Promise<readonly VolumeSource[]> {
  const first = await open();
  const others = first.levels.filter(({ index }) => index !== first.level);
  const levels = [first, ...(await Promise.all(others.map(({ index }) => open(index))))];
  return levels.sort((a, b) => a.grid.voxelSize[2] - b.grid.voxelSize[2]);
}
