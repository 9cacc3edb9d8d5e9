import {
  contentsOf,
  type FilesystemConfig,
  type FoundVolume,
  type ProjectConfig,
  projectFromStores,
  type VolumeFormat,
  volumeFormatOf,
} from '../entry/copick.ts';
import {
  CryoetPicksError,
  httpStore,
  isCryoetPicksError,
  type ListableStore,
  type ReadableStore,
  type Store,
  subStore,
} from '../entry/index.ts';
import { readOnlyStore, s3Store } from '../entry/io.ts';
import { type Collection, projectCollection, volumeCollection } from './collection.ts';
import { type FilePlace, openPlace } from './volume-place.ts';

/** What a person chose: a folder, files, a zip, a bucket. */
export interface ChosenStore {
  readonly store: ListableStore;
  readonly title: string;
  /** What distinguishes it from another of the same title. */
  readonly id?: string | undefined;
  /** Asks for the folder of a root that is not inside; undefined if there is no such folder. */
  readonly ask?: ((root: string) => Promise<ListableStore | undefined>) | undefined;
}

/**
 * Opens what a person chose, as `view` would: a copick project; else every volume in it, each as a run of its own.
 *
 * @throws What `contentsOf` throws; `unsupported` for a project whose config is not of the type `filesystem`; `not-found` if no root
 *   of a project is there.
 */
export async function openStore({ store, title, id, ask }: ChosenStore): Promise<Collection> {
  const contents = await contentsOf(store).catch((error) => {
    // A store of files that were chosen has no name of its own.
    if (!isCryoetPicksError(error, 'not-found') || !error.message.startsWith(`${store.location} `)) throw error;
    throw new CryoetPicksError('not-found', `${title}${error.message.slice(store.location.length)}`, { path: title });
  });
  if (contents.kind === 'volumes') {
    const named = ({ key, name }: FoundVolume) => (key === '/' ? title : name);
    return volumesOf(store, { volumes: contents.volumes.map((one) => ({ ...one, name: named(one) })), title });
  }
  const { folder, configKey, config } = contents;
  const inside = subStore(store, folder);
  // As under `view`: what has no config takes no picks.
  if (configKey === undefined) return withRoots(config, { fixed: inside, title, id });
  const source = `${title}${configKey}`;
  if (config.type === 'filesystem') return projectOf(config, { store: inside, title: source, id, ask });
  throw new CryoetPicksError(
    'unsupported',
    `${source} is a config of the type ${config.type}, which this page cannot open by itself; open it by "npx cryoet-picks view CONFIG"`,
  );
}

/**
 * Opens a web address: a volume on any server that allows it, or a public bucket, `s3://…`. A query, as that of a signed address, is
 * sent with each request.
 *
 * @throws `invalid-option` for what is no address, and for one by HTTP, which the policy of the page forbids, but of its own server;
 *   what the stores throw, and what opening a volume throws.
 */
export async function openAddress(address: string): Promise<Collection> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined) {
    const expected = 'https://…/tomogram.zarr, https://…/tomogram.mrc or s3://bucket/folder';
    throw new CryoetPicksError('invalid-option', `"${address}" is not an address; expected such as ${expected}`);
  }
  if (url.protocol === 'http:' && url.origin !== globalThis.location?.origin) {
    const ways = 'use https://, or download it and open the file';
    throw new CryoetPicksError('invalid-option', `${address}: this page reads no other server by http://; ${ways}`);
  }
  url.pathname = url.pathname.replace(/\/+$/, '');
  const folder = new URL(`.${url.search}`, url);
  const name = nameIn(url);
  const format = volumeFormatOf(name);
  if (format === undefined) return openStore({ store: s3Store(address), title: address });
  // An image is a folder; of a file, the folder above it is the store.
  const root = format === 'ome-zarr' ? url : folder;
  const store = root.protocol.startsWith('s3') ? s3Store(root.href) : httpStore(root);
  const place = filePlace(store, format, format === 'ome-zarr' ? '/' : `/${name}`);
  // What is open stays if this one cannot be read.
  const sources = await openPlace(place, new AbortController().signal);
  return volumeCollection([{ name, place, sources }], name);
}

/** The last name in the path of an address. @throws `invalid-option` if it is not encoded as addresses are. */
function nameIn({ origin, pathname }: URL): string {
  const encoded = pathname.slice(pathname.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(encoded);
  } catch (cause) {
    const found = `${JSON.stringify(encoded)} in ${origin}${pathname} is not percent-encoded UTF-8`;
    throw new CryoetPicksError('invalid-option', `${found}; a percent sign in a name is written %25`, { cause });
  }
}

interface Volumes {
  readonly volumes: readonly FoundVolume[];
  readonly title: string;
}

function volumesOf<S extends ReadableStore>(store: S, { volumes, title }: Volumes): Collection {
  return volumeCollection(
    volumes.map(({ name, format, key }) => ({
      name,
      place: format === 'ome-zarr' ? filePlace(subStore(store, key), format, '/') : filePlace(store, format, key),
    })),
    title,
  );
}

function filePlace(store: ReadableStore, format: VolumeFormat, key: `/${string}`): FilePlace {
  return { kind: 'file', store, format, key };
}

/** A project whose roots are found inside the chosen folder by their names, or asked for. */
async function projectOf(config: FilesystemConfig, { store, title, id, ask }: ChosenStore): Promise<Collection> {
  const overlay = await overlayOf(config, { store, title, ask });
  const fixed = config.staticRoot === undefined ? undefined : await rootOf(config.staticRoot, { store, title, ask });
  if (overlay !== undefined || fixed !== undefined) return withRoots(config, { overlay, fixed, title, id });
  throw new CryoetPicksError(
    'not-found',
    `The roots of ${title} were not found: ${config.overlayRoot}, ${config.staticRoot ?? 'no static root'}.`,
  );
}

/** The overlay; where there is data besides, one that is not there yet is made beside the config by the first save. */
async function overlayOf(
  { overlayRoot, staticRoot }: FilesystemConfig,
  chosen: ChosenStore,
): Promise<ListableStore | undefined> {
  const names = namesIn(overlayRoot);
  const path = overlayRoot.replace(/^(local|file):\/\//, '');
  const isBeside = staticRoot !== undefined && !/^([/\\]|\w+:)/.test(path) && !names.includes('..');
  const found = await rootOf(overlayRoot, isBeside ? { ...chosen, ask: undefined } : chosen);
  return found ?? (isBeside ? subStore(chosen.store, `/${names.join('/')}`) : undefined);
}

function namesIn(root: string): string[] {
  return root
    .replace(/^\w+:\/\//, '')
    .split(/[/\\]/)
    .filter((name) => name !== '' && name !== '.');
}

async function rootOf(root: string, { store, ask }: ChosenStore): Promise<ListableStore | undefined> {
  const names = namesIn(root);
  if (names.length === 0) return store;
  // The whole path may not be inside the folder that was chosen, but its end.
  for (let first = 0; first < names.length; first++) {
    const key = `/${names.slice(first).join('/')}` as const;
    if (!names.slice(first).includes('..') && (await store.list(key)).length > 0) return subStore(store, key);
  }
  return ask?.(root);
}

interface Roots {
  readonly overlay?: ListableStore | undefined;
  readonly fixed?: ListableStore | undefined;
  readonly title: string;
  readonly id?: string | undefined;
}

/** The overlay is shown whether it can be written or not. */
function withRoots(
  config: ProjectConfig,
  { overlay, fixed, title, id = JSON.stringify([title, config]) }: Roots,
): Collection {
  const writable = overlay && isWritable(overlay) ? overlay : undefined;
  const readable = overlay && readOnlyStore(overlay, { reason: 'it was opened for reading only' });
  const project = projectFromStores({ config, overlay: writable ?? readable, static: fixed });
  return projectCollection(project, { title, id, drafts: writable });
}

function isWritable(store: ListableStore): store is Store {
  return 'set' in store;
}
