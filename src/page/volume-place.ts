import { type ProjectConfig, projectFromStores, type VolumeFormat } from '../entry/copick.ts';
import type { ListableStore, ReadableStore, VolumeSource, VoxelGrid } from '../entry/index.ts';
import { readOnlyStore } from '../entry/io.ts';
import { borrowedStore, type LentStore, lendStore } from '../entry/web.ts';
import { CACHE_BYTES, openLevels, openVolume } from './volume-file.ts';

/** Where a volume lies, in stores of this thread or in lent ones: what a worker needs to open it by itself. */
export type VolumePlace<Store = ReadableStore> = TomogramPlace<Store> | FilePlace<Store>;

/** A tomogram of a project. */
export interface TomogramPlace<Store = ReadableStore> {
  readonly kind: 'tomogram';
  readonly config: ProjectConfig;
  readonly overlay?: Store | undefined;
  readonly static?: Store | undefined;
  readonly run: string;
  readonly type: string;
  readonly voxelSpacing: number;
}

/** A volume without a project. */
export interface FilePlace<Store = ReadableStore> {
  readonly kind: 'file';
  readonly store: Store;
  readonly format: VolumeFormat;
  readonly key: `/${string}`;
  /** Edge of its voxels in Å, if it does not say its own. */
  readonly voxelSize?: number | undefined;
}

/** Opens the levels of a volume, finest first. */
export async function openPlace(place: VolumePlace, signal: AbortSignal): Promise<readonly VolumeSource[]> {
  if (place.kind === 'file') return withVoxelSize(await openVolume(place.store, { ...place, signal }), place.voxelSize);
  const { config, overlay, static: fixed, type, voxelSpacing } = place;
  const project = projectFromStores({
    config,
    overlay: overlay && readOnlyStore(overlay as ListableStore, { reason: 'it is only searched' }),
    static: fixed as ListableStore | undefined,
  });
  const run = await project.run(place.run, { signal });
  return openLevels((level) => run.tomogram(type, { level, voxelSpacing, cacheBytes: CACHE_BYTES, signal }));
}

/** False for voxels of 1 Å, which programs write, and readers assume, where the size is unknown: a file's lengths are voxels then. */
export function hasVoxelSize({ voxelSize }: VoxelGrid): boolean {
  return voxelSize.some((length) => Math.abs(length - 1) >= 1e-6);
}

/** The levels of a volume, finest first, with a voxel size if it has none of its own. */
function withVoxelSize(sources: readonly VolumeSource[], given: number | undefined): readonly VolumeSource[] {
  const [finest] = sources;
  if (given === undefined || finest === undefined || hasVoxelSize(finest.grid)) return sources;
  return sources.map((source) => {
    const { shape, voxelSize, origin } = source.grid;
    const [z, y, x] = voxelSize;
    return {
      ...source,
      grid: {
        shape,
        voxelSize: [z * given, y * given, x * given],
        origin: { x: origin.x * given, y: origin.y * given, z: origin.z * given },
      },
    };
  });
}

/** Lends the stores of a place. */
export function lendPlace(
  place: VolumePlace,
  signal: AbortSignal,
): { readonly place: VolumePlace<LentStore>; readonly ports: MessagePort[] } {
  const ports: MessagePort[] = [];
  const lend = (store: ReadableStore): LentStore => {
    const lent = lendStore(store, { signal });
    ports.push(lent.port);
    return lent;
  };
  return { place: withStores(place, lend), ports };
}

/** The place in the stores that were lent. */
export function borrowPlace(place: VolumePlace<LentStore>): VolumePlace {
  return withStores(place, borrowedStore);
}

function withStores<From, To>(place: VolumePlace<From>, change: (store: From) => To): VolumePlace<To> {
  if (place.kind === 'file') return { ...place, store: change(place.store) };
  const { overlay, static: fixed } = place;
  return { ...place, overlay: overlay && change(overlay), static: fixed && change(fixed) };
}
