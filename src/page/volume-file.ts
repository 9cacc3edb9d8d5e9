import type { VolumeFormat } from '../entry/copick.ts';
import { openTomogram, type ReadableStore, type VolumeSource } from '../entry/index.ts';
import { openMrc, openTiffStack, storeReader, zipStore } from '../entry/io.ts';

/** Where a volume lies. */
export interface VolumePlace {
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
  { format, key, signal }: VolumePlace,
): Promise<readonly VolumeSource[]> {
  if (format === 'ome-zarr') {
    const options = { cacheBytes: CACHE_BYTES, signal };
    const finest = await openTomogram(store, options);
    const others = finest.levels.filter(({ index }) => index !== finest.level);
    return [
      finest,
      ...(await Promise.all(others.map(({ index: level }) => openTomogram(store, { ...options, level })))),
    ];
  }
  if (format === 'zip') return openVolume(zipStore(storeReader(store, key)), { format: 'ome-zarr', key: '/', signal });
  if (format === 'mrc') return [await openMrc(storeReader(store, key), { signal })];
  const bytes = await store.get(key, { signal });
  if (bytes === undefined) throw new Error(`${store.location}${key} is gone.`);
  return [await openTiffStack(bytes, { source: key, signal })];
}
