import { type FilesystemConfig, type ProjectConfig, parseConfig, projectFromStores } from '../entry/copick.ts';
import { cziiRules, httpStore, isCryoetPicksError, type ListableStore, type Store, subStore } from '../entry/index.ts';
import { readOnlyStore, s3Store } from '../entry/io.ts';
import { type Collection, projectCollection, volumeCollection } from './collection.ts';
import { openVolume, volumeFormatOf } from './volume-file.ts';

/** What a person chose: a folder, files, a zip, a bucket. */
export interface ChosenStore {
  readonly store: ListableStore;
  readonly title: string;
  /** Asks for the folder of a root that is not inside; undefined if there is none. */
  readonly ask?: ((root: string) => Promise<ListableStore | undefined>) | undefined;
}

/** Folders are searched so deep for volumes. */
const MAX_DEPTH = 3;

/**
 * Opens what a person chose: a copick project by its config, or by its folder of runs; else every volume in it, each as a run of its
 * own.
 */
export async function openStore({ store, title, ask }: ChosenStore): Promise<Collection> {
  const entries = await store.list('/');
  const has = (name: string) => entries.some((entry) => entry.name === name && entry.kind === 'folder');
  for (const { name, kind } of entries) {
    if (kind !== 'file' || !name.endsWith('.json')) continue;
    const config = await configIn(store, name);
    if (config) return projectOf(config, { store, title: `${title}/${name}`, ask });
  }
  if (has('ExperimentRuns')) return withRoots(withoutConfig(title), { overlay: store, title });
  const found = isImage(entries)
    ? [{ name: title, format: 'ome-zarr' as const, key: '/' as const }]
    : await volumesIn(store);
  if (found.length === 0) {
    throw new Error(
      `Nothing to show in ${title}: expected a copick config, ExperimentRuns, .zarr, .mrc, .rec or .tif.`,
    );
  }
  return volumeCollection(
    found.map(({ name, format, key }) => ({
      name,
      open: (signal) =>
        format === 'ome-zarr'
          ? openVolume(subStore(store, key), { format, key: '/', signal })
          : openVolume(store, { format, key, signal }),
    })),
    title,
  );
}

/** Opens a web address: a volume on any server that allows it, or a public bucket, `s3://…`. */
export async function openAddress(address: string): Promise<Collection> {
  const name = address
    .replace(/[?#].*$/, '')
    .replace(/\/+$/, '')
    .split('/')
    .at(-1) as string;
  const format = volumeFormatOf(name);
  if (format === 'ome-zarr') {
    const store = address.startsWith('s3') ? s3Store(address) : httpStore(address);
    return volumeCollection([{ name, open: (signal) => openVolume(store, { format, key: '/', signal }) }], name);
  }
  if (format !== undefined && !address.startsWith('s3')) {
    const store = httpStore(address.slice(0, address.lastIndexOf('/')));
    return volumeCollection([{ name, open: (signal) => openVolume(store, { format, key: `/${name}`, signal }) }], name);
  }
  return openStore({ store: s3Store(address), title: address });
}

async function configIn(store: ListableStore, name: string): Promise<FilesystemConfig | undefined> {
  const bytes = await store.get(`/${name}`);
  if (bytes === undefined) return undefined;
  try {
    const config = parseConfig(bytes, { source: name });
    return config.type === 'filesystem' && config.objects.length > 0 ? config : undefined;
  } catch (error) {
    if (isCryoetPicksError(error, 'invalid-config')) return undefined;
    throw error;
  }
}

/** A project whose roots are found inside the chosen folder by their names, or asked for. */
async function projectOf(config: FilesystemConfig, { store, title, ask }: ChosenStore): Promise<Collection> {
  const rootOf = async (root: string): Promise<ListableStore | undefined> => {
    const names = root
      .replace(/^\w+:\/\//, '')
      .split(/[/\\]/)
      .filter((name) => name !== '' && name !== '.');
    // The whole path may not be inside the folder that was chosen, but its end.
    for (let first = 0; first < names.length; first++) {
      const key = `/${names.slice(first).join('/')}` as const;
      if (!names.slice(first).includes('..') && (await store.list(key)).length > 0) return subStore(store, key);
    }
    return names.length === 0 ? store : ask?.(root);
  };
  const overlay = await rootOf(config.overlayRoot);
  const fixed = config.staticRoot === undefined ? undefined : await rootOf(config.staticRoot);
  if (overlay === undefined && fixed === undefined) {
    throw new Error(
      `The roots of ${title} were not found: ${config.overlayRoot}, ${config.staticRoot ?? 'no static root'}.`,
    );
  }
  return withRoots(config, { overlay, fixed, title });
}

interface Roots {
  readonly overlay?: ListableStore | undefined;
  readonly fixed?: ListableStore | undefined;
  readonly title: string;
}

function withRoots(config: ProjectConfig, { overlay, fixed, title }: Roots): Collection {
  const writable = overlay && isWritable(overlay) ? overlay : undefined;
  const readable = overlay && readOnlyStore(overlay, { reason: 'it was opened for reading only' });
  const project = projectFromStores({ config, overlay: writable ?? readable, static: fixed });
  return projectCollection(project, { title, drafts: writable });
}

function isWritable(store: ListableStore): store is Store {
  return 'set' in store;
}

/** The config of a folder of runs without one: the objects are those of the network of this package. */
function withoutConfig(title: string): ProjectConfig {
  const objects = Object.entries(cziiRules.objects).map(([name, { radius, color }], index) => ({
    name,
    is_particle: true,
    label: index + 1,
    color: [...color, 255],
    radius,
  }));
  return parseConfig(JSON.stringify({ overlay_root: '.', pickable_objects: objects }), { source: title });
}

function isImage(entries: Awaited<ReturnType<ListableStore['list']>>): boolean {
  return entries.some(({ name }) => name === '.zattrs' || name === '.zarray' || name === 'zarr.json');
}

interface FoundVolume {
  readonly name: string;
  readonly format: NonNullable<ReturnType<typeof volumeFormatOf>>;
  readonly key: `/${string}`;
}

async function volumesIn(store: ListableStore, folder: `/${string}` = '/', depth = 1): Promise<FoundVolume[]> {
  const found: FoundVolume[] = [];
  for (const { name, kind } of await store.list(folder)) {
    const key = `${folder === '/' ? '' : folder}/${name}` as const;
    const format = volumeFormatOf(name);
    const fits = format !== undefined && (format === 'ome-zarr') === (kind === 'folder');
    if (fits) found.push({ name: key.slice(1), format, key });
    else if (kind === 'folder' && depth < MAX_DEPTH) found.push(...(await volumesIn(store, key, depth + 1)));
  }
  return found;
}
