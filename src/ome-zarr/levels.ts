import { CryoetPicksError } from '../core/errors.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { formatZyx, type Zyx } from '../space/zyx.ts';
import { isListable, joinKey, type ReadableStore, type StoreOptions } from '../storage/store.ts';
import { type ChunkedArray, openArray } from './array.ts';
import type { DecodeWorkersOptions } from './decode-task.ts';
import {
  type ChannelNames,
  firstFound,
  type ImageLevel,
  type ImageMetadata,
  meanTranslation,
  parseMetadataFile,
  readChannelNames,
  readMultiscales,
  type ZarrFormat,
} from './metadata.ts';

/** A resolution level that the metadata list but that cannot be opened. */
export interface BrokenLevel {
  readonly index: number;
  readonly path: string;
  /** In Å; absent if the metadata do not give it. */
  readonly voxelSize: Zyx | undefined;
  /** The error; absent if there is no array. */
  readonly failure?: unknown;
}

/** True for a level that can be read. */
export function isOpened(level: OpenedLevel | BrokenLevel): level is OpenedLevel {
  return 'array' in level;
}

/** Options of {@link openLevels}. */
export interface OpenLevelsOptions extends StoreOptions {
  readonly fallbackVoxelSize?: number | undefined;
  /** Whether levels may have several channels. @defaultValue false */
  readonly hasChannels?: boolean | undefined;
  /** The only format to look for. @defaultValue both */
  readonly zarrFormat?: ZarrFormat | undefined;
  readonly decodeWorkers?: DecodeWorkersOptions | undefined;
}

/** What {@link openLevels} finds. */
export interface ListedLevels {
  readonly levels: readonly (OpenedLevel | BrokenLevel)[];
  /** Names from the metadata; channels without a name have none. */
  readonly channelNames: ChannelNames;
}

/**
 * Opens the arrays of all levels of an OME-Zarr image, in the order of its metadata. A level that is absent, as in a partial
 * download, or broken does not keep the others from being read.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` if there is no image, or none of its levels.
 */
export async function openLevels(store: ReadableStore, options: OpenLevelsOptions = {}): Promise<ListedLevels> {
  const found = await readImageMetadata(store, options);
  if (!found) return { levels: [await openBareArray(store, options)], channelNames: [] };
  const levels: (OpenedLevel | BrokenLevel)[] = [];
  for (const index of found.image.levels.keys()) levels.push(await openLevel(store, found, { ...options, index }));
  if (levels.some((level) => isOpened(level) || level.failure !== undefined)) {
    return { levels, channelNames: found.channelNames };
  }
  const paths = levels.map(({ path }) => `"${path}"`).join(', ');
  throw new CryoetPicksError(
    'invalid-metadata',
    `no level of ${store.location} can be read: its metadata list ${paths}${await describeContent(store, options)}`,
  );
}

async function openLevel(
  store: ReadableStore,
  { image, zarrFormat }: FoundImage,
  { index, hasChannels = false, ...options }: OpenLevelsOptions & { readonly index: number },
): Promise<OpenedLevel | BrokenLevel> {
  const { signal, decodeWorkers } = options;
  const level = image.levels[index]!;
  const scale = level.scale ?? fallbackScale(image, index, options);
  try {
    const zarrFormats = options.zarrFormat ? [options.zarrFormat] : zarrFormat === 3 ? BOTH.toReversed() : BOTH;
    const array = await openArray(store, joinKey(level.path), { signal, decodeWorkers, zarrFormats });
    if (!array) return { index, path: level.path, voxelSize: spatial(image, scale) };
    if (!scale) {
      const hint = index === 0 ? '; give fallbackVoxelSize (Å)' : '';
      const what = `the metadata of ${store.location} give no scale for level "${level.path}", so its voxel size is unknown`;
      throw new CryoetPicksError('invalid-metadata', what + hint);
    }
    // A coarse voxel of integers, which may be labels, is one voxel of its cell, not their mean.
    const translation = array.dtype.startsWith('float') ? meanTranslation(image, index) : level.translation;
    return levelGrid({ ...level, scale, translation }, array, { axes: image.axes, index, hasChannels });
  } catch (failure) {
    signal?.throwIfAborted();
    return { index, path: level.path, voxelSize: spatial(image, scale), failure };
  }
}

/** Picks the numbers along z, y, x from one number per axis. */
function spatial({ axes }: Pick<ImageMetadata, 'axes'>, values: readonly number[] | undefined): Zyx | undefined {
  const [z, y, x] = ['z', 'y', 'x'].map((name) => values?.[axes.findIndex((axis) => axis.name === name)]);
  return z === undefined || y === undefined || x === undefined ? undefined : [z, y, x];
}

/** The caller's voxel size stands in for a missing scale, but only of the first level. */
function fallbackScale(image: ImageMetadata, index: number, { fallbackVoxelSize }: OpenLevelsOptions) {
  return index === 0 && fallbackVoxelSize !== undefined ? image.axes.map(() => fallbackVoxelSize) : undefined;
}

/** The metadata of an image, and the Zarr format of their file, which its arrays share. */
interface FoundImage {
  readonly image: ImageMetadata;
  readonly channelNames: ChannelNames;
  readonly zarrFormat: ZarrFormat;
}

const BOTH: readonly ZarrFormat[] = [2, 3];

async function readImageMetadata(store: ReadableStore, options: OpenLevelsOptions): Promise<FoundImage | undefined> {
  const { zarrFormat, signal } = options;
  const look = async (format: ZarrFormat): Promise<FoundImage | undefined> => {
    const key = format === 2 ? '/.zattrs' : '/zarr.json';
    const bytes = await store.get(key, { signal });
    if (!bytes) return undefined;
    const where = `${key} of ${store.location}`;
    const json = parseMetadataFile(bytes, where) as { attributes?: { ome?: unknown } } | null;
    const attributes = format === 2 ? json : (json?.attributes?.ome ?? json?.attributes);
    const image = readMultiscales(attributes, where);
    return image && { image, channelNames: readChannelNames(attributes), zarrFormat: format };
  };
  return firstFound(zarrFormat ? [zarrFormat] : BOTH, look, { signal });
}

async function openBareArray(store: ReadableStore, options: OpenLevelsOptions): Promise<OpenedLevel> {
  const { fallbackVoxelSize, hasChannels = false, zarrFormat, decodeWorkers, signal } = options;
  for (const path of ['0', ''] as const) {
    const zarrFormats = zarrFormat ? [zarrFormat] : BOTH;
    const array = await openArray(store, joinKey(path), { signal, decodeWorkers, zarrFormats });
    if (!array) continue;
    if (fallbackVoxelSize === undefined) {
      throw new CryoetPicksError(
        'invalid-metadata',
        `${store.location} has no "multiscales" metadata, so the voxel size of its ${array.where} is unknown; give fallbackVoxelSize (Å)`,
      );
    }
    const names = array.document.dimension_names;
    const axes = (Array.isArray(names) ? names : ['z', 'y', 'x']).map((name) => ({ name: String(name).toLowerCase() }));
    while (axes.length < array.shape.length) axes.unshift({ name: `axis ${array.shape.length - axes.length}` });
    const level = { path, scale: axes.map(() => fallbackVoxelSize), translation: axes.map(() => 0) };
    return levelGrid(level, array, { axes, index: 0, hasChannels });
  }
  throw new CryoetPicksError(
    'invalid-metadata',
    `${store.location} is not a Zarr image: it has neither .zattrs nor zarr.json with "multiscales", nor an array${await describeContent(store, options)}`,
  );
}

async function describeContent(store: ReadableStore, { signal }: StoreOptions): Promise<string> {
  const hint = (await hasConsolidated(store, signal))
    ? '; its metadata are consolidated: open withConsolidated(store)'
    : '';
  if (!isListable(store)) return hint || '; nothing was found there (404): is the address correct?';
  const entries = await store.list('/', { signal });
  const names = entries.slice(0, 12).map(({ name, kind }) => (kind === 'folder' ? `${name}/` : name));
  if (entries.length === 0) return '; it is empty or absent';
  return `; found ${names.join(', ')}${entries.length > names.length ? ', …' : ''}${hint}`;
}

async function hasConsolidated(store: ReadableStore, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    if (await store.get('/.zmetadata', { signal })) return true;
    const bytes = await store.get('/zarr.json', { signal });
    return bytes !== undefined && new TextDecoder().decode(bytes).includes('"consolidated_metadata"');
  } catch {
    // This only adds a hint to another error.
    signal?.throwIfAborted();
    return false;
  }
}

/** A fourth axis of an image, besides z, y and x, along which it has several volumes. */
export interface ChannelAxis {
  readonly name: string;
  /** Which dimension of the array it is. */
  readonly dimension: number;
  readonly length: number;
}

/** One resolution level, opened. */
export interface OpenedLevel {
  readonly index: number;
  readonly path: string;
  readonly grid: VoxelGrid;
  readonly array: ChunkedArray;
  /** Which dimension of the array is z, y, x; all others but the channel axis have length 1. */
  readonly dimensions: Zyx;
  /** Shape of a chunk along z, y, x. */
  readonly chunkShape: Zyx;
  /** Absent where the level is a single volume. */
  readonly channelAxis?: ChannelAxis | undefined;
}

/** A level from the metadata, with its scale. */
export interface ScaledLevel extends ImageLevel {
  readonly scale: readonly number[];
}

/** Options of {@link levelGrid}. */
export interface LevelGridOptions extends Pick<ImageMetadata, 'axes'> {
  readonly index: number;
  /** Whether one axis besides z, y, x may be longer than 1. */
  readonly hasChannels: boolean;
}

/**
 * Finds z, y and x among the dimensions of an array, and with them its grid.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` if the number of axes differs from that of dimensions; `unsupported` if the
 * array is neither a volume nor, with `hasChannels`, several volumes along one more axis.
 */
function levelGrid(
  { path, scale, translation }: ScaledLevel,
  array: ChunkedArray,
  { axes, index, hasChannels }: LevelGridOptions,
): OpenedLevel {
  const names = axes.map(({ name }) => name);
  if (names.length !== array.shape.length) {
    const shape = formatZyx(array.shape);
    throw new CryoetPicksError(
      'invalid-metadata',
      `${array.where} has the shape ${shape}, but its metadata list ${names.length} axes: ${names.join(', ')}`,
    );
  }
  const dimensions = ['z', 'y', 'x'].map((name) => names.indexOf(name)) as unknown as Zyx;
  const others = names.map((_, i) => i).filter((i) => !dimensions.includes(i));
  const long = others.filter((i) => array.shape[i] !== 1);
  if (dimensions.includes(-1) || long.length > (hasChannels ? 1 : 0)) {
    throw notAVolume(array, { names, hasChannels, canHaveChannels: !dimensions.includes(-1) && long.length === 1 });
  }
  const pick = (values: readonly number[]): Zyx => [
    values[dimensions[0]]!,
    values[dimensions[1]]!,
    values[dimensions[2]]!,
  ];
  const [z, y, x] = pick(translation);
  const grid = { shape: pick(array.shape), voxelSize: pick(scale), origin: { x, y, z } };
  const dimension = long[0] ?? others[0];
  const channelAxis =
    dimension === undefined ? undefined : { name: names[dimension]!, dimension, length: array.shape[dimension]! };
  return { index, path, grid, array, dimensions, chunkShape: pick(array.chunkShape), channelAxis };
}

interface AxesFound {
  readonly names: readonly string[];
  readonly hasChannels: boolean;
  readonly canHaveChannels: boolean;
}

function notAVolume({ where, shape }: ChunkedArray, { names, hasChannels, canHaveChannels }: AxesFound) {
  const found = names.map((name, i) => `${name} (${shape[i]})`).join(', ');
  const hint = canHaveChannels && !hasChannels ? '; openChannels of cryoet-picks/io gives each as a volume' : '';
  const what = hasChannels
    ? 'not a set of channels: expected axes z, y, x, one more'
    : 'not a single volume: expected axes z, y, x';
  return new CryoetPicksError('unsupported', `${where} is ${what} and others of length 1, found ${found}${hint}`);
}
