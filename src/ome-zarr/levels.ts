import { CryoetPicksError } from '../errors.ts';
import type { Zyx } from '../space/zyx.ts';
import { isListable, joinKey, type ReadableStore, type StoreOptions } from '../storage/store.ts';
import { openArray } from './array.ts';
import { type ChannelNames, readChannelNames } from './channel-names.ts';
import { type ImageMetadata, meanTranslation, readMultiscales } from './metadata.ts';
import { parseMetadataFile } from './parse.ts';
import { type OpenedLevel, placeLevel } from './place-level.ts';
import { firstFound, type ZarrFormat } from './probe.ts';

/** A resolution level that the metadata list and that cannot be opened. */
export interface BrokenLevel {
  readonly index: number;
  readonly path: string;
  /** In Å; absent where the metadata do not say. */
  readonly voxelSize: Zyx | undefined;
  /** What went wrong; absent where there is no array. */
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
}

/** What {@link openLevels} finds. */
export interface ListedLevels {
  readonly levels: readonly (OpenedLevel | BrokenLevel)[];
  /** As far as the metadata name them. */
  readonly channelNames: ChannelNames;
}

/**
 * Opens the arrays of all levels of an OME-Zarr image, in the order in which they are listed. A level that is absent, as in a
 * partial download, or broken keeps no other from being read.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` if there is no image, or not one of its levels.
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
  const level = image.levels[index]!;
  const scale = level.scale ?? fallbackScale(image, index, options);
  try {
    const zarrFormats = options.zarrFormat ? [options.zarrFormat] : zarrFormat === 3 ? BOTH.toReversed() : BOTH;
    const array = await openArray(store, joinKey(level.path), { signal: options.signal, zarrFormats });
    if (!array) return { index, path: level.path, voxelSize: spatial(image, scale) };
    if (!scale) {
      const hint = index === 0 ? '; give fallbackVoxelSize (Å)' : '';
      const what = `the metadata of ${store.location} give no scale for level "${level.path}", so its voxel size is unknown`;
      throw new CryoetPicksError('invalid-metadata', what + hint);
    }
    // Labels, which are integers, are one of the voxels of each cell, not their mean.
    const translation = array.dtype.startsWith('float') ? meanTranslation(image, index) : level.translation;
    return placeLevel({ ...level, scale, translation }, array, { axes: image.axes, index, hasChannels });
  } catch (failure) {
    options.signal?.throwIfAborted();
    return { index, path: level.path, voxelSize: spatial(image, scale), failure };
  }
}

/** Numbers per axis as those along z, y, x. */
function spatial({ axes }: Pick<ImageMetadata, 'axes'>, values: readonly number[] | undefined): Zyx | undefined {
  const [z, y, x] = ['z', 'y', 'x'].map((name) => values?.[axes.findIndex((axis) => axis.name === name)]);
  return z === undefined || y === undefined || x === undefined ? undefined : [z, y, x];
}

/** Without a scale in the metadata only the first level has a known voxel size, the caller's. */
function fallbackScale(image: ImageMetadata, index: number, { fallbackVoxelSize }: OpenLevelsOptions) {
  return index === 0 && fallbackVoxelSize !== undefined ? image.axes.map(() => fallbackVoxelSize) : undefined;
}

/** An image's metadata and the Zarr format of the file that holds them, which is that of its arrays. */
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
  const { fallbackVoxelSize, hasChannels = false, zarrFormat, signal } = options;
  for (const path of ['0', ''] as const) {
    const zarrFormats = zarrFormat ? [zarrFormat] : BOTH;
    const array = await openArray(store, joinKey(path), { signal, zarrFormats });
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
    return placeLevel(level, array, { axes, index: 0, hasChannels });
  }
  throw new CryoetPicksError(
    'invalid-metadata',
    `${store.location} is no Zarr store: neither .zattrs nor zarr.json with "multiscales", nor an array${await describeContent(store, options)}`,
  );
}

async function describeContent(store: ReadableStore, { signal }: StoreOptions): Promise<string> {
  const hint = (await hasConsolidated(store, signal))
    ? '; its metadata are consolidated: open withConsolidated(store)'
    : '';
  if (!isListable(store)) return hint || '; nothing was found there (404): is the address right?';
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
    // It is a hint in a message about something else.
    signal?.throwIfAborted();
    return false;
  }
}
