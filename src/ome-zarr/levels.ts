import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { formatZyx, sizesAgree, type VoxelGrid, type Zyx } from '../space/grid.ts';
import { isListable, joinKey, type ReadableStore, type StoreOptions, subStore } from '../storage/store.ts';
import { type ChunkedArray, openArray } from './array.ts';
import { requireKnownFields } from './array-metadata.ts';
import type { DecodeWorkersOptions } from './decode-task.ts';
import {
  type ChannelNames,
  firstFound,
  type ImageLevel,
  type ImageMetadata,
  impliedTranslation,
  invalid,
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
  readonly trueVoxelSize?: number | undefined;
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
  /** A voxel size that the metadata contradict. */
  readonly warnings: readonly Warning[];
}

/**
 * Opens the arrays of all levels of an OME-Zarr image, in the order of its metadata. A level that is absent, as in a partial
 * download, or broken does not keep the others from being read. Of a folder in the layout of bioformats2raw, its only image is opened.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` if there is no image, or none of its levels; `unsupported` if there are several
 * images.
 */
export async function openLevels(store: ReadableStore, options: OpenLevelsOptions = {}): Promise<ListedLevels> {
  const found = await readImageMetadata(store, options);
  if (!found) return { levels: [await openBareArray(store, options)], channelNames: [], warnings: [] };
  if ('series' in found) return openOnlyImage(store, found.series, options);
  const image = inAngstrom(found.image, options);
  const open = (indices: readonly number[], first?: OpenedLevel | BrokenLevel) =>
    Promise.all(indices.map((index) => openLevel(store, { ...found, image }, { ...options, index, first })));
  const indices = [...image.levels.keys()];
  const levels = await open(indices.slice(0, 1));
  levels.push(...(await open(indices.slice(1), levels[0])));
  if (levels.some((level) => isOpened(level) || level.failure !== undefined)) {
    return { levels, channelNames: found.channelNames, warnings: differingSize(found.image, options) };
  }
  const paths = levels.map(({ path }) => `"${path}"`).join(', ');
  throw new CryoetPicksError(
    'invalid-metadata',
    `no level of ${store.location} can be read: its metadata list ${paths}${await describeContent(store, options)}`,
  );
}

/** Options of {@link openLevel}. */
interface OpenLevelOptions extends OpenLevelsOptions {
  readonly index: number;
  /** The first level, if this is another one. */
  readonly first: OpenedLevel | BrokenLevel | undefined;
}

async function openLevel(
  store: ReadableStore,
  { image, zarrFormat }: FoundImage,
  { index, first, hasChannels = false, ...options }: OpenLevelOptions,
): Promise<OpenedLevel | BrokenLevel> {
  const { signal, decodeWorkers } = options;
  const level = image.levels[index]!;
  const scale = level.scale ?? fallbackScale(image, index, options);
  try {
    const zarrFormats = options.zarrFormat ? [options.zarrFormat] : zarrFormat === 3 ? BOTH.toReversed() : BOTH;
    const array = await openArray(store, joinKey(level.path), { signal, decodeWorkers, zarrFormats });
    if (!array) return { index, path: level.path, voxelSize: spatial(image, scale) };
    if (!scale) {
      const hint = index === 0 || image.unknownUnit ? '; give the option fallbackVoxelSize, in Å' : '';
      const what = `the metadata of ${store.location} give no scale for level "${level.path}", so its voxel size is unknown`;
      throw new CryoetPicksError('invalid-metadata', (image.unknownUnit ? describeUnit(image, store) : what) + hint);
    }
    // A coarse voxel of integers, which may be labels, is one voxel of its cell, not their mean.
    const isMean = array.dtype.startsWith('float');
    const shapes = first && isOpened(first) ? ([first.array.shape, array.shape] as const) : undefined;
    const translation = impliedTranslation(image, index, { isMean, shapes });
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
function fallbackScale(image: ImageMetadata, index: number, options: OpenLevelsOptions) {
  const voxelSize = options.trueVoxelSize ?? options.fallbackVoxelSize;
  return index === 0 && voxelSize !== undefined ? image.axes.map(() => voxelSize) : undefined;
}

function describeUnit({ unknownUnit }: ImageMetadata, { location }: ReadableStore): string {
  const { name, unit } = unknownUnit!;
  const expected = 'expected angstrom, nanometer, micrometer or the like';
  return `the unit of axis "${name}" of ${location} is ${showJson(unit)}, ${expected}, so its voxel size is unknown`;
}

/**
 * The lengths of an image in Å. They are scaled so that the first level has the true voxel size that the caller gives, or, if their
 * unit is unknown, the fallback; without either the scales in an unknown unit are left out.
 */
function inAngstrom(image: ImageMetadata, { trueVoxelSize, fallbackVoxelSize }: OpenLevelsOptions): ImageMetadata {
  const voxelSize = trueVoxelSize ?? (image.unknownUnit ? fallbackVoxelSize : undefined);
  if (voxelSize === undefined && !image.unknownUnit) return image;
  const first = image.levels[0]!.scale;
  const factors = image.axes.map(({ name }, i) =>
    ['z', 'y', 'x'].includes(name) && voxelSize !== undefined
      ? voxelSize / (first?.[i] ?? (image.unknownUnit ? 1 : voxelSize))
      : 1,
  );
  const levels = image.levels.map(({ path, scale, translation }) => ({
    path,
    scale: voxelSize === undefined ? undefined : scale?.map((length, i) => length * factors[i]!),
    translation: translation.map((length, i) => length * factors[i]!),
  }));
  return { ...image, levels };
}

/** Warns if the metadata give another voxel size than the caller; 1 Å is what programs write if they do not know it. */
function differingSize(image: ImageMetadata, { trueVoxelSize }: OpenLevelsOptions): Warning[] {
  const stated = image.unknownUnit ? undefined : spatial(image, image.levels[0]!.scale);
  if (trueVoxelSize === undefined || stated === undefined || stated.every((length) => length === 1)) return [];
  if (sizesAgree(stated, trueVoxelSize)) return [];
  const message = `the option trueVoxelSize is ${trueVoxelSize} Å, the metadata say ${formatZyx(stated)} Å (z×y×x); the option is used`;
  return [{ code: 'voxel-size-differs', message }];
}

/** The metadata of an image, and the Zarr format of their file, which its arrays share. */
interface FoundImage {
  readonly image: ImageMetadata;
  readonly channelNames: ChannelNames;
  readonly zarrFormat: ZarrFormat;
}

/** A folder in the layout of bioformats2raw, which holds images in folders of its own; and the Zarr format of its metadata. */
interface FoundSeries {
  readonly series: ZarrFormat;
}

const BOTH: readonly ZarrFormat[] = [2, 3];

async function readImageMetadata(
  store: ReadableStore,
  options: OpenLevelsOptions,
): Promise<FoundImage | FoundSeries | undefined> {
  const { zarrFormat, signal } = options;
  const look = async (format: ZarrFormat): Promise<FoundImage | FoundSeries | undefined> => {
    const key = format === 2 ? '/.zattrs' : '/zarr.json';
    const bytes = await store.get(key, { signal });
    if (!bytes) return undefined;
    const where = `${key} of ${store.location}`;
    const json = parseMetadataFile(bytes, where);
    if (format === 3) requireKnownFields(json, where);
    const attributes = attributesOf(json, format);
    const image = readMultiscales(attributes, where);
    if (!image && attributes?.['bioformats2raw.layout'] !== undefined) return { series: format };
    return image && { image, channelNames: readChannelNames(attributes), zarrFormat: format };
  };
  return firstFound(zarrFormat ? [zarrFormat] : BOTH, look, { signal });
}

type Attributes = { readonly [name: string]: unknown } | null | undefined;

/** The attributes of OME-Zarr in a metadata file. */
function attributesOf(json: unknown, format: ZarrFormat): Attributes {
  if (format === 2) return json as Attributes;
  const attributes = (json as { attributes?: Attributes } | null)?.attributes;
  return (attributes?.ome as Attributes) ?? attributes;
}

/**
 * Opens the image of a folder in the layout of bioformats2raw, if it has one only.
 *
 * @throws {@link CryoetPicksError} `unsupported`, with the names of all images, if there are several.
 */
async function openOnlyImage(
  store: ReadableStore,
  format: ZarrFormat,
  options: OpenLevelsOptions,
): Promise<ListedLevels> {
  const names = await namesOfImages(store, format, options);
  const [name, ...others] = names;
  if (name === undefined) throw invalid(store.location, 'it has the layout of bioformats2raw, and holds no image');
  if (others.length > 0) {
    const message = `${store.location} holds ${names.length} images (layout of bioformats2raw)`;
    const found = names.slice(0, 12).map((one) => showJson(one));
    throw new CryoetPicksError(
      'unsupported',
      `${message}: ${found.join(', ')}${names.length > found.length ? ', …' : ''}; open one of them, as subStore(store, ${showJson(`/${name}`)}) or ${store.location}/${name}`,
      { available: names },
    );
  }
  const image = subStore(store, joinKey(name));
  const found = await readImageMetadata(image, options);
  if (found && 'series' in found) throw invalid(image.location, 'it has the layout of bioformats2raw within the same');
  const opened = await openLevels(image, options);
  return { ...opened, levels: opened.levels.map((level) => ({ ...level, path: `${name}/${level.path}` })) };
}

/** The images that the metadata of the layout list; without them, the folders that are numbered from 0. */
async function namesOfImages(
  store: ReadableStore,
  format: ZarrFormat,
  { signal }: OpenLevelsOptions,
): Promise<readonly string[]> {
  const file = format === 2 ? '.zattrs' : 'zarr.json';
  const key = `/OME/${file}` as const;
  const bytes = await store.get(key, { signal });
  const listed = bytes && attributesOf(parseMetadataFile(bytes, `${key} of ${store.location}`), format)?.series;
  if (Array.isArray(listed) && listed.every((name) => typeof name === 'string')) return listed;
  const names: string[] = [];
  while (names.length < MAX_COUNTED && (await store.get(`/${names.length}/${file}`, { signal }))) {
    names.push(String(names.length));
  }
  return names;
}

/** Images of a folder that are counted where its metadata do not list them. */
const MAX_COUNTED = 100;

async function openBareArray(store: ReadableStore, options: OpenLevelsOptions): Promise<OpenedLevel> {
  const { hasChannels = false, zarrFormat, decodeWorkers, signal } = options;
  const fallbackVoxelSize = options.trueVoxelSize ?? options.fallbackVoxelSize;
  for (const path of ['0', ''] as const) {
    const zarrFormats = zarrFormat ? [zarrFormat] : BOTH;
    const array = await openArray(store, joinKey(path), { signal, decodeWorkers, zarrFormats });
    if (!array) continue;
    if (fallbackVoxelSize === undefined) {
      throw new CryoetPicksError(
        'invalid-metadata',
        `${store.location} has no "multiscales" metadata, so the voxel size of its ${array.where} is unknown; give the option fallbackVoxelSize, in Å`,
      );
    }
    const names = array.document.dimension_names;
    const axes = (Array.isArray(names) ? names : ['z', 'y', 'x']).map((name) => ({ name: String(name).toLowerCase() }));
    while (axes.length < array.shape.length) axes.unshift({ name: `axis ${array.shape.length - axes.length}` });
    const level = { path, scale: axes.map(() => fallbackVoxelSize), translation: axes.map(() => 0) };
    return levelGrid(level, array, { axes, index: 0, hasChannels });
  }
  const { location } = store;
  const found = await describeContent(store, options);
  const opener = /\.(?:mrcs?|rec|map|ccp4)(?:\.gz)?$/i.test(location)
    ? '; it is named like an MRC file: open it by openMrcFile(path) of cryoet-picks/node'
    : /\.tiff?$/i.test(location)
      ? '; it is named like a TIFF file: open it by openTiffStackFile(path) of cryoet-picks/node'
      : '';
  throw new CryoetPicksError(
    found === NOTHING ? 'not-found' : 'invalid-metadata',
    `${location} is not a Zarr image: it has neither .zattrs nor zarr.json with "multiscales", nor an array${opener || found}`,
    { path: location },
  );
}

const NOTHING = '; it is empty or absent';

async function describeContent(store: ReadableStore, { signal }: StoreOptions): Promise<string> {
  const hint = (await hasConsolidated(store, signal))
    ? '; its metadata are consolidated: open withConsolidated(store)'
    : '';
  if (!isListable(store)) return hint || '; nothing was found there (404): is the address correct?';
  const entries = await store.list('/', { signal });
  const names = entries.slice(0, 12).map(({ name, kind }) => (kind === 'folder' ? `${name}/` : name));
  if (entries.length === 0) return NOTHING;
  return `; found ${names.join(', ')}${entries.length > names.length ? ', …' : ''}${hint}`;
}

async function hasConsolidated(store: ReadableStore, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    if (await store.get('/.zmetadata', { signal })) return true;
    const bytes = await store.get('/zarr.json', { signal });
    // Only a word in ASCII is looked for, so bytes that are not UTF-8 do not matter.
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
  if (channelAxis) array.chunks.countAlong(channelAxis.dimension);
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
