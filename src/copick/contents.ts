import { abortSignal, listableStore, optional, requireArgument, requireOptions, text } from '../core/arguments.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { decodeText } from '../core/json.ts';
import { cziiRules } from '../metric/rules.ts';
import { joinKey, type ListableStore, type StoreEntry, type StoreKey } from '../storage/store.ts';
import { type ProjectConfig, parseConfig } from './config.ts';
import { newConfig } from './edit-config.ts';
import type { PickableObject } from './object.ts';
import type { WaitOptions } from './tree.ts';

/** The formats of single volumes; `zip` is an OME-Zarr image in a zip file. */
export type VolumeFormat = 'ome-zarr' | 'zip' | 'mrc' | 'tiff';

/**
 * The format that the name of a file or folder stands for; undefined for names of other things.
 *
 * @example
 * ```ts
 * volumeFormatOf('TS_1.rec'); // 'mrc'
 * ```
 */
export function volumeFormatOf(name: string): VolumeFormat | undefined {
  requireArgument('volumeFormatOf', 'name', name, text);
  // Maps of scripts and styles to their sources, not of densities.
  if (/\.(?:[cm]?[jt]sx?|css)\.map$/i.test(name)) return undefined;
  if (/\.zarr$/i.test(name)) return 'ome-zarr';
  if (/\.(ozx|zarr\.zip)$/i.test(name)) return 'zip';
  if (/\.(mrcs?|rec|map|ccp4)(\.gz)?$/i.test(name)) return 'mrc';
  return /\.tiff?$/i.test(name) ? 'tiff' : undefined;
}

/** What lies in a store. */
export type StoreContents = FoundProject | FoundVolumes;

/** A copick project. */
export interface FoundProject {
  readonly kind: 'project';
  /** The folder of the project: `/`, or the only folder there is, as in most zip files. */
  readonly folder: StoreKey;
  /** Where its config lies; absent for a folder of runs without one. */
  readonly configKey?: StoreKey | undefined;
  /** Without a config, one with the objects that {@link cziiObjects} gives. */
  readonly config: ProjectConfig;
}

/** Volumes that belong to no project, at least one. */
export interface FoundVolumes {
  readonly kind: 'volumes';
  readonly volumes: readonly FoundVolume[];
}

/** A volume of {@link FoundVolumes}. */
export interface FoundVolume {
  /** Its path below the folder that was looked through. */
  readonly name: string;
  readonly format: VolumeFormat;
  /** Of a file, or of the folder of an OME-Zarr image. */
  readonly key: StoreKey;
}

/** Folders are looked through so deep. */
const MAX_DEPTH = 3;

/**
 * Says what lies in a store, as `cryoet-picks view` and its page open it: a copick project, else volumes.
 *
 * A project has a `copick.json` or another `.json` that is a config, the first by name; or, without a config, the folder
 * `ExperimentRuns`. If there is but one folder and no file, it is looked for in there. Volumes are found by their names, and OME-Zarr
 * images without a usual name by their metadata, three folders deep. Hidden files and `node_modules` are left out.
 *
 * @throws {@link CryoetPicksError} `not-found` if there is neither; `invalid-config` for a broken `copick.json`; whatever reading throws.
 *
 * @example
 * ```ts
 * const contents = await contentsOf(s3Store('s3://bucket/EMPIAR-1'));
 * ```
 */
export async function contentsOf(store: ListableStore, options: WaitOptions = {}): Promise<StoreContents> {
  requireArgument('contentsOf', 'store', store, listableStore);
  const { signal } = requireOptions('contentsOf', options, { signal: optional(abortSignal) });
  const project = await projectIn(store, '/', signal);
  if (project) return project;
  const volumes = await volumesIn(store, '/', signal);
  if (volumes.length > 0) return { kind: 'volumes', volumes };
  throw new CryoetPicksError(
    'not-found',
    `${store.location} has nothing to show: no config of a copick project, such as copick.json, no ExperimentRuns, and no volume ` +
      '(.zarr, .ozx, .mrc, .rec, .map, .tif)',
    { path: store.location },
  );
}

async function projectIn(
  store: ListableStore,
  folder: StoreKey,
  signal: AbortSignal | undefined,
  depth = 0,
): Promise<FoundProject | undefined> {
  const entries = await entriesOf(store, folder, signal);
  if (isImage(entries)) return undefined;
  const files = entries.filter(({ kind, name }) => kind === 'file' && /\.json$/i.test(name));
  for (const { name } of files.sort((a, b) => Number(b.name === COPICK) - Number(a.name === COPICK))) {
    const config = await configIn(store, joinKey(folder, name), signal);
    if (config) return { kind: 'project', folder, configKey: joinKey(folder, name), config };
  }
  const folders = entries.filter(({ kind }) => kind === 'folder');
  if (folders.some(({ name }) => name === 'ExperimentRuns')) {
    const made = newConfig({ overlayRoot: 'overlay', name: nameOf(store, folder), objects: cziiObjects() });
    return { kind: 'project', folder, config: made };
  }
  const [only] = folders;
  const isOnly = only !== undefined && entries.length === 1 && volumeFormatOf(only.name) === undefined;
  return isOnly && depth < MAX_DEPTH ? projectIn(store, joinKey(folder, only.name), signal, depth + 1) : undefined;
}

function nameOf({ location }: ListableStore, folder: StoreKey): string {
  return `${location}${folder}`.split(/[/\\]/).findLast((part) => part !== '') ?? 'data';
}

const COPICK = 'copick.json';
/** Bytes of a config at most. */
const MAX_CONFIG = 2 ** 26;

/** The config that a file is; undefined for other JSON. */
async function configIn(
  store: ListableStore,
  key: StoreKey,
  signal: AbortSignal | undefined,
): Promise<ProjectConfig | undefined> {
  const source = `${store.location.replace(/\/+$/, '')}${key}`;
  try {
    const bytes = await store.get(key, { maxValueBytes: MAX_CONFIG, signal });
    return bytes && parseConfig(decodeText(bytes, { what: source, code: 'invalid-config', path: source }), { source });
  } catch (error) {
    const isOther = isCryoetPicksError(error, 'invalid-config') || isCryoetPicksError(error, 'corrupt-data');
    if (isOther && !key.endsWith(`/${COPICK}`)) return undefined;
    throw error;
  }
}

async function volumesIn(
  store: ListableStore,
  folder: StoreKey,
  signal: AbortSignal | undefined,
  depth = 0,
): Promise<FoundVolume[]> {
  const entries = await entriesOf(store, folder, signal);
  if (isImage(entries)) return [{ name: folder.slice(1) || nameOf(store, '/'), format: 'ome-zarr', key: folder }];
  const found: FoundVolume[] = [];
  for (const { name, kind } of depth < MAX_DEPTH ? entries : []) {
    const key = joinKey(folder, name);
    const format = volumeFormatOf(name);
    if (format !== undefined && (format === 'ome-zarr') === (kind === 'folder')) {
      found.push({ name: key.slice(1), format, key });
    } else if (kind === 'folder') found.push(...(await volumesIn(store, key, signal, depth + 1)));
  }
  return found;
}

/** What lies in a folder, except what is hidden, or added by archivers; the metadata of Zarr is not hidden. */
async function entriesOf(
  store: ListableStore,
  folder: StoreKey,
  signal: AbortSignal | undefined,
): Promise<StoreEntry[]> {
  const entries = await store.list(folder, { signal });
  return entries.filter(({ name }) => zarrMetadata.includes(name) || !/^(\.|(?:__MACOSX|node_modules)$)/.test(name));
}

const zarrMetadata = ['.zattrs', '.zgroup', '.zarray', 'zarr.json'];

function isImage(entries: readonly StoreEntry[]): boolean {
  return entries.some(({ name, kind }) => kind === 'file' && zarrMetadata.includes(name));
}

/** The particles of the CZII competition as pickable objects: those that the network of this package finds. */
export function cziiObjects(): PickableObject[] {
  return Object.entries(cziiRules.objects).map(([name, { radius, color }], index) => ({
    name,
    isParticle: true,
    label: index + 1,
    color: [color[0], color[1], color[2], 255],
    radius,
    metadata: {},
  }));
}
