import {
  abortSignal,
  callback,
  isFields,
  optional,
  type RulesFor,
  requireArgument,
  requireOptions,
  text,
  url as urlRule,
  writableStore,
} from '../../core/arguments.ts';
import { Shared } from '../../core/concurrency.ts';
import { CryoetPicksError } from '../../core/errors.ts';
import { httpRules } from '../../storage/http.ts';
import { s3Rules } from '../../storage/s3.ts';
import {
  checkCall,
  checkKey,
  checkRange,
  isListable,
  type ListableStore,
  type ReadableStore,
  type Store,
  type StoreEntry,
  type StoreKey,
  type StoreOptions,
  sliceRange,
} from '../../storage/store.ts';
import type { CroissantConfig } from '../config.ts';
import { listImage } from '../portal/files.ts';
import { type Project, projectFromStores } from '../project.ts';
import { checkWait, type Problem } from '../tree.ts';
import {
  type CroissantIndex,
  checkSha256,
  type LoadCroissantOptions,
  type LoadedCroissant,
  loadCroissant,
  metadataUrl,
  projectUrl,
  toCopickBytes,
} from './load.ts';
import type { CroissantItem } from './tree.ts';
import { openFolder, splitUrl } from './urls.ts';

/** Options of {@link croissantStore}. */
export interface CroissantStoreOptions extends LoadCroissantOptions {}

/** The copick tree that a Croissant describes, as a read-only store. */
export interface CroissantStore extends ListableStore {
  /** What the Croissant describes beside the copick tree. */
  index(options?: StoreOptions): Promise<CroissantIndex>;
  /** The names of the runs by split. */
  splits(options?: StoreOptions): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Forgets the tables, so that the next call reads them anew. */
  refresh(): void;
}

/**
 * Opens the copick tree that a Croissant describes as a read-only store. Tables beside the data list its files, so it can be
 * opened from any web server, and in browsers.
 *
 * All tables are read by the first call and kept until `refresh`. Files and chunks are read from the addresses in the tables.
 * Picks in the data portal's format appear as copick's picks files. Picks and meshes are checked against the SHA-256 in the
 * Croissant.
 *
 * @param url - The Croissant's `metadata.json`, or the folder that holds `Croissant/`; `https://` or `s3://`.
 * @throws {@link CryoetPicksError} `invalid-option` for a URL that is not valid. From calls: `not-found` if a file of the
 *   Croissant is missing, `unavailable` if a server cannot be reached, `invalid-metadata` and `invalid-config` if it is not
 *   valid, `unsupported` if its data lies in local folders, `corrupt-data` if a checksum differs.
 * @example
 * ```ts
 * const store = croissantStore('https://example.org/data/Croissant/metadata.json');
 * const { config, splits } = await store.index();
 * ```
 */
export function croissantStore(url: string | URL, options: CroissantStoreOptions = {}): CroissantStore {
  requireArgument('croissantStore', 'url', url, urlRule);
  requireOptions('croissantStore', options, croissantRules);
  const metadata = metadataUrl(String(url), options);
  const images = new Map<string, ReadableStore>();
  const start = () => new Shared((signal) => loadCroissant(metadata, options, signal));
  let loading = start();
  const find = async (key: StoreKey, signal: AbortSignal | undefined): Promise<Found | undefined> => {
    const { tree, open } = await loading.get(signal);
    const found = tree.find(checkKey(key));
    if (found === undefined || found.item.kind === 'file') return found && { ...found, open };
    // Always the same store for an image, so that its cache is used.
    const image = images.get(found.item.url) ?? open(found.item.url);
    images.set(found.item.url, image);
    return { ...found, open, image };
  };
  return {
    location: openFolder(projectUrl(metadata), options, []).location,
    async get(key, given) {
      const options = checkCall('get', key, given);
      const { signal } = options;
      const found = await find(key, signal);
      if (found?.image !== undefined) return isTop(found) ? undefined : found.image.get(found.rest, options);
      return found && readFile(found, signal);
    },
    async getRange(key, range, options) {
      checkRange(range);
      const { signal } = checkCall('getRange', key, options);
      const found = await find(key, signal);
      if (found?.image !== undefined) {
        return isTop(found) ? undefined : found.image.getRange(found.rest, range, { signal });
      }
      const bytes = found && (await readFile(found, signal));
      return bytes && sliceRange(bytes, range);
    },
    async list(folder, options) {
      const { signal } = checkCall('list', folder, options);
      const found = await find(folder, signal);
      if (found?.image !== undefined) return listInside(found.image, found.rest, signal);
      return (await loading.get(signal)).tree.list(folder) ?? [];
    },
    index: async (options = {}) => (await loading.get(checkWait('croissant.index', options).signal)).index,
    splits: async (options = {}) => (await loading.get(checkWait('croissant.splits', options).signal)).index.splits,
    refresh() {
      images.clear();
      loading = start();
    },
  };
}

const croissantRules: RulesFor<CroissantStoreOptions> = {
  baseUrl: /* @__PURE__ */ optional(text),
  fetch: httpRules.fetch,
  headers: httpRules.headers,
  s3: {
    expected: '{ endpoint, region, addressing }',
    isValid: (value) => value === undefined || isFields(value),
    fields: s3Rules,
  },
  local: {
    expected: '{ urlOf, open }',
    isValid: (value) => value === undefined || isFields(value),
    fields: { urlOf: callback, open: callback },
  },
};

interface Found extends Pick<LoadedCroissant, 'open'> {
  readonly item: CroissantItem;
  readonly rest: StoreKey;
  /** The store of an image; absent for a file. */
  readonly image?: ReadableStore | undefined;
}

/** The content of an image. If its store cannot be listed, only what the metadata name is known, at the top. */
async function listInside(
  image: ReadableStore,
  folder: StoreKey,
  signal: AbortSignal | undefined,
): Promise<readonly StoreEntry[]> {
  if (isListable(image)) return image.list(folder, { signal });
  if (folder === '/') return listImage(image, { signal });
  throw new CryoetPicksError(
    'unsupported',
    `${image.location}${folder} cannot be listed: its server does not list folders`,
  );
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

/** Options of {@link openCroissant}. */
export interface OpenCroissantOptions extends CroissantStoreOptions, StoreOptions {
  /** Where everything is written; without it the project is read-only. */
  readonly overlay?: Store | undefined;
  /** Called once for each problem, when it is met. */
  readonly onProblem?: ((problem: Problem) => void) | undefined;
}

/**
 * Opens the copick project that a Croissant describes, in browsers too: the server needs to serve plain files only. In Node,
 * `openProject` opens one from a config of the kind `mlcroissant`, or from local folders.
 *
 * The Croissant and its data are only read. Everything is written to the `overlay`, if given, which takes precedence over the
 * Croissant.
 *
 * @param url - The Croissant's `metadata.json`, or the folder that holds `Croissant/`; `https://` or `s3://`.
 * @throws {@link CryoetPicksError} Everything that {@link croissantStore} and its calls throw.
 * @example
 * ```ts
 * const project = await openCroissant('https://example.org/data/Croissant/metadata.json');
 * const [run] = await project.runs({ split: 'test' });
 * const tomogram = await run!.tomogram('denoised');
 * ```
 */
export async function openCroissant(url: string | URL, options: OpenCroissantOptions = {}): Promise<Project> {
  const { overlay, onProblem, signal, ...access } = requireOptions('openCroissant', options, {
    ...croissantRules,
    overlay: optional(writableStore),
    onProblem: optional(callback),
    signal: optional(abortSignal),
  });
  const store = croissantStore(url, access);
  const config: CroissantConfig = { type: 'mlcroissant', croissantUrl: String(url), objects: [], problems: [] };
  return projectOfCroissant(store, { config, overlay, onProblem, signal, source: store.location });
}

/** Options of {@link projectOfCroissant}. */
export interface ProjectOfCroissantOptions extends Pick<OpenCroissantOptions, 'overlay' | 'onProblem' | 'signal'> {
  readonly config: CroissantConfig;
  /** Where the config comes from, for messages. */
  readonly source: string;
}

/** A project over a Croissant, with the config in the Croissant. */
export async function projectOfCroissant(
  store: CroissantStore,
  { config, overlay, onProblem, signal, source }: ProjectOfCroissantOptions,
): Promise<Project> {
  const { config: its, problems } = await store.index({ signal });
  const rows = problems.slice(0, 20).map(({ path, message }) => `${path}: ${message}`);
  const more = problems.length > 20 ? [`and ${problems.length - 20} more rows`] : [];
  return projectFromStores({
    config: { ...withConfigOf(config, its), problems: [...config.problems, ...its.problems, ...rows, ...more] },
    overlay,
    static: store,
    source,
    onProblem,
  });
}

/** As in copick, the Croissant's config takes precedence, except for objects if the project's config has some. */
function withConfigOf(
  config: CroissantConfig,
  its: Awaited<ReturnType<CroissantStore['index']>>['config'],
): CroissantConfig {
  const { objects, problems: _, original: __, ...fields } = its;
  return { ...config, ...fields, objects: config.objects.length > 0 ? config.objects : objects };
}
