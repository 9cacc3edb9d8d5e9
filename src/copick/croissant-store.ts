import { CryoetPicksError } from '../errors.ts';
import {
  checkKey,
  isListable,
  type ListableStore,
  type ReadableStore,
  type StoreEntry,
  type StoreKey,
  type StoreOptions,
  sliceRange,
} from '../storage/store.ts';
import { checkSha256, toCopickBytes } from './croissant-files.ts';
import {
  type CroissantIndex,
  type LoadCroissantOptions,
  type LoadedCroissant,
  loadCroissant,
  metadataUrl,
  projectUrl,
} from './croissant-load.ts';
import type { CroissantItem } from './croissant-tree.ts';
import { openFolder, splitUrl } from './croissant-urls.ts';
import { listImage } from './portal/bucket.ts';
import { Shared } from './portal/shared.ts';

/** Options of {@link croissantStore}. */
export interface CroissantStoreOptions extends LoadCroissantOptions {}

/** The copick tree that a Croissant describes, as a store that is only read. */
export interface CroissantStore extends ListableStore {
  /** What the Croissant says beside its tree. */
  index(options?: StoreOptions): Promise<CroissantIndex>;
  /** The names of the runs by split. */
  splits(options?: StoreOptions): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Forgets the tables, so that the next call reads them anew. */
  refresh(): void;
}

/**
 * The copick tree that a Croissant describes, as a store that is only read. It needs no listing: tables beside the data tell
 * what there is. So it opens from any web server, and in browsers.
 *
 * The tables are read with the first call, all at once, and kept until `refresh`. Files and chunks are read from where the tables
 * say. Picks in the data portal's format show as copick's picks files; picks and meshes are checked against the SHA-256 that the
 * Croissant gives.
 *
 * @param url - The Croissant's `metadata.json`, or the folder that holds `Croissant/`; `https://` or `s3://`.
 * @throws {@link CryoetPicksError} `invalid-option` for a URL that is none; from calls, `not-found` where a file of the
 *   Croissant is missing, `invalid-metadata` and `invalid-config` where it cannot be understood, `unsupported` where its data
 *   lies in local folders, `corrupt-data` where a checksum differs.
 * @example
 * ```ts
 * const store = croissantStore('https://example.org/data/Croissant/metadata.json');
 * const { config, splits } = await store.index();
 * ```
 */
export function croissantStore(url: string | URL, options: CroissantStoreOptions = {}): CroissantStore {
  const metadata = metadataUrl(String(url), options);
  const images = new Map<string, ReadableStore>();
  const start = () => new Shared((signal) => loadCroissant(metadata, options, signal));
  let loading = start();
  const find = async (key: StoreKey, signal: AbortSignal | undefined): Promise<Found | undefined> => {
    const { tree, open } = await loading.get(signal);
    const found = tree.find(checkKey(key));
    if (found === undefined || found.item.kind === 'file') return found && { ...found, open };
    // Always the same store for an image, so that what it keeps is of use.
    const image = images.get(found.item.url) ?? open(found.item.url);
    images.set(found.item.url, image);
    return { ...found, open, image };
  };
  return {
    location: openFolder(projectUrl(metadata), options, []).location,
    async get(key, { signal } = {}) {
      const found = await find(key, signal);
      if (found?.image !== undefined) return isTop(found) ? undefined : found.image.get(found.rest, { signal });
      return found && readFile(found, signal);
    },
    async getRange(key, range, { signal } = {}) {
      const found = await find(key, signal);
      if (found?.image !== undefined) {
        return isTop(found) ? undefined : found.image.getRange(found.rest, range, { signal });
      }
      const bytes = found && (await readFile(found, signal));
      return bytes && sliceRange(bytes, range);
    },
    async list(folder, { signal } = {}) {
      const found = await find(folder, signal);
      if (found?.image !== undefined) return listInside(found.image, found.rest, signal);
      return (await loading.get(signal)).tree.list(folder) ?? [];
    },
    index: async ({ signal } = {}) => (await loading.get(signal)).index,
    splits: async ({ signal } = {}) => (await loading.get(signal)).index.splits,
    refresh() {
      images.clear();
      loading = start();
    },
  };
}

interface Found extends Pick<LoadedCroissant, 'open'> {
  readonly item: CroissantItem;
  readonly rest: StoreKey;
  /** The store of an image; absent for a file. */
  readonly image?: ReadableStore | undefined;
}

/** What is in an image. Where its store cannot be listed, the top shows what its metadata name, and more is not known. */
async function listInside(
  image: ReadableStore,
  folder: StoreKey,
  signal: AbortSignal | undefined,
): Promise<readonly StoreEntry[]> {
  if (isListable(image)) return image.list(folder, { signal });
  if (folder === '/') return listImage(image, { signal });
  throw new CryoetPicksError('unsupported', `${image.location}${folder} cannot be listed: its server lists no folders`);
}

/** Whether a key is that of the image itself, which has no bytes. */
function isTop({ rest }: Found): boolean {
  return rest === '/';
}

async function readFile({ item, open }: Found, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
  const { folder, key } = splitUrl(item.url);
  const store = open(folder);
  const where = `${store.location}${key}`;
  const bytes = await store.get(key, { signal });
  if (bytes === undefined) return undefined;
  await checkSha256(bytes, item.sha256, where);
  return toCopickBytes(bytes, item, where);
}
