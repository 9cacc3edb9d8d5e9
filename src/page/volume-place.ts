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

/** Voxels along x and y of the patch in the middle that a volume is known by. */
const PATCH = 64;

/** Tells a volume from others, wherever it lies, by its shape and voxels in the middle of its coarsest level. */
export async function fingerprintOf(sources: readonly VolumeSource[], signal: AbortSignal): Promise<string> {
  const source = sources.at(-1) as VolumeSource;
  const [depth, height, width] = source.grid.shape;
  const patch = (count: number): readonly [number, number] => {
    const start = Math.max(0, (count - PATCH) >> 1);
    return [start, Math.min(count, start + PATCH)];
  };
  const [z, [top, bottom], [left, right]] = [depth >> 1, patch(height), patch(width)];
  const box = { start: [z, top, left], end: [z + 1, bottom, right] } as const;
  const { data, shape, stride, offset } = await source.read(box, { signal });
  const values = new Float32Array(shape[1] * shape[2]);
  for (let i = 0; i < values.length; i++) {
    const [y, x] = [Math.floor(i / shape[2]), i % shape[2]];
    values[i] = data[offset + y * stride[1] + x * stride[2]] as number;
  }
  return [depth, height, width, hashOf(new Uint8Array(values.buffer))].join(' ');
}

/** FNV-1a, of 32 bits: Web Crypto is missing where a page came by HTTP. */
function hashOf(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16);
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
