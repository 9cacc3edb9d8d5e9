import { isCryoetPicksError } from '../core/errors.ts';
import {
  type Channel,
  type OpenTomogramOptions,
  openChannels,
  openTomogram,
  type Tomogram,
} from '../ome-zarr/tomogram.ts';
import { type ListableStore, type StoreKey, type StoreOptions, subStore } from '../storage/store.ts';
import { formatSpacing } from './layout.ts';
import { listFolder, type ProjectTree, type TreeEntry } from './tree.ts';

/** A folder of a project that should hold an OME-Zarr image. */
export interface FoundImage {
  readonly entry: TreeEntry;
}

/** The entry, if it is a folder; nothing for a file, which is reported. */
export function imageFolder({ log }: ProjectTree, entry: TreeEntry, what: string): TreeEntry[] {
  if (entry.kind === 'folder') return [entry];
  log.report({ path: entry.path, message: `${what} "${entry.name}" is a file, expected a folder` });
  return [];
}

/** The content of a folder; nothing, and a report, if it cannot be listed. */
export async function listOrReport(
  { log }: ProjectTree,
  folder: TreeEntry,
  signal: AbortSignal | undefined,
): Promise<TreeEntry[]> {
  try {
    return await listFolder(folder, folder.key, signal);
  } catch (error) {
    log.reportError(folder.path, error, signal);
    return [];
  }
}

/** Options of {@link withoutEmptyShadows}. */
export interface EmptyShadowOptions<T> extends StoreOptions {
  /** Equal for images of the same identity. */
  readonly identity: (item: T) => string;
  /** The word for such a folder in reports. */
  readonly what: string;
}

/**
 * Removes folders without an array if another folder of the same identity has one: copick makes the folder, or an empty group
 * in it, before it writes. As in copick, an empty folder that is the only one of its identity stays in the list. By names alone, all
 * folders stay.
 */
export async function withoutEmptyShadows<T extends FoundImage>(
  tree: ProjectTree,
  found: readonly T[],
  { identity, what, signal }: EmptyShadowOptions<T>,
): Promise<T[]> {
  if (tree.namesOnly) return [...found];
  const whole = await withoutHalfWritten(tree, found, { what, signal });
  const groups = groupBy(whole, identity);
  const passed = new Set<T>();
  for (const same of groups.values()) {
    if (same.length === 1) continue;
    const filled = await withoutEmpty(tree, same, signal);
    const empty = same.filter((one) => !filled.includes(one));
    if (empty.length === same.length) continue;
    for (const one of empty) {
      const { path, name } = one.entry;
      tree.log.report({ path, message: `${what} folder "${name}" holds no array and is skipped` });
      passed.add(one);
    }
  }
  return whole.filter((one) => !passed.has(one));
}

const METADATA = ['.zattrs', '.zgroup', '.zarray', '.zmetadata', 'zarr.json'];

/**
 * Removes, and reports, folders of the overlay that hold chunks but no metadata. Metadata are written last, so the writer of
 * such a folder was killed or is still writing.
 */
export async function withoutHalfWritten<T extends FoundImage>(
  tree: ProjectTree,
  found: readonly T[],
  { what, signal }: { readonly what: string } & StoreOptions,
): Promise<T[]> {
  const whole: T[] = [];
  for (const one of found) {
    const { root, store, key, path, name } = one.entry;
    try {
      const names = root === 'static' ? [] : await namesIn(store, key, signal);
      const isWhole = names.length === 0 || hasMetadata(names) || hasMetadata(await namesIn(store, `${key}/0`, signal));
      if (isWhole) whole.push(one);
      else tree.log.report({ path, message: `${what} folder "${name}" holds no metadata: its writing did not finish` });
    } catch (error) {
      tree.log.reportError(path, error, signal);
      whole.push(one);
    }
  }
  return whole;
}

function hasMetadata(names: readonly string[]): boolean {
  return names.some((name) => METADATA.includes(name));
}

async function namesIn(store: ListableStore, folder: StoreKey, signal: AbortSignal | undefined): Promise<string[]> {
  return (await store.list(folder, { signal })).map(({ name }) => name);
}

/** Removes folders without an array. A folder that cannot be listed is reported and counts as empty. */
export async function withoutEmpty<T extends FoundImage>(
  tree: ProjectTree,
  found: readonly T[],
  signal: AbortSignal | undefined,
): Promise<T[]> {
  const filled: T[] = [];
  for (const one of found) {
    const entries = await listOrReport(tree, one.entry, signal);
    if (entries.some(({ name }) => name !== 'zarr.json')) filled.push(one);
  }
  return filled;
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** Opens an image of one channel. If the metadata lack a voxel size, the voxel spacing of the folder or name is used, in Å. */
export async function openImageOf(
  tree: ProjectTree,
  entry: TreeEntry,
  { voxelSpacing, ...options }: OpenTomogramOptions & { readonly voxelSpacing?: number | undefined },
): Promise<Tomogram> {
  const store = subStore(entry.store, entry.key);
  return orWithSpacing(tree, entry, voxelSpacing, options, (all) =>
    orConsolidated(store, all, (place) => openTomogram(place, all)),
  );
}

/** Opens the channels of an image; an image without a channel axis has one channel. */
export async function openChannelsOf(
  tree: ProjectTree,
  entry: TreeEntry,
  { voxelSpacing, ...options }: OpenTomogramOptions & { readonly voxelSpacing?: number | undefined },
): Promise<Channel[]> {
  const store = subStore(entry.store, entry.key);
  return orWithSpacing(tree, entry, voxelSpacing, options, (all) =>
    orConsolidated(store, all, (place) => openChannels(place, all)),
  );
}

/** Opens an image; if the metadata lack a voxel size, opens it again with the voxel spacing instead, and reports that. */
async function orWithSpacing<T>(
  { log }: ProjectTree,
  { path, name }: TreeEntry,
  voxelSpacing: number | undefined,
  options: OpenTomogramOptions,
  open: (options: OpenTomogramOptions) => Promise<T>,
): Promise<T> {
  try {
    return await open(options);
  } catch (error) {
    const isKnown = voxelSpacing === undefined || options.fallbackVoxelSize !== undefined;
    if (isKnown || !isCryoetPicksError(error, 'invalid-metadata')) throw error;
    const opened = await open({ ...options, fallbackVoxelSize: voxelSpacing });
    const message = `the metadata of "${name}" give no voxel size; its voxel spacing of ${formatSpacing(voxelSpacing)} Å is used`;
    log.report({ path, message });
    return opened;
  }
}

/**
 * Opens an image; if its store has consolidated metadata only, by these, as copick does with zarr-python.
 *
 * @param open - Opens the image in a store.
 */
export async function orConsolidated<T>(
  store: ListableStore,
  { signal }: StoreOptions,
  open: (store: ListableStore) => Promise<T>,
): Promise<T> {
  try {
    return await open(store);
  } catch (error) {
    if (!isCryoetPicksError(error, 'invalid-metadata') || !(await hasConsolidatedOnly(store, { signal }))) throw error;
    const { withConsolidated } = await import('../ome-zarr/consolidated.ts');
    return open(withConsolidated(store));
  }
}

async function hasConsolidatedOnly(store: ListableStore, options: StoreOptions): Promise<boolean> {
  for (const key of ['/.zattrs', '/.zarray', '/zarr.json'] as const) {
    if ((await store.get(key, options)) !== undefined) return false;
  }
  return (await store.get('/.zmetadata', options)) !== undefined;
}
