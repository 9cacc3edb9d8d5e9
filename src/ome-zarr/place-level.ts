import { CryoetPicksError } from '../errors.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { formatZyx, type Zyx } from '../space/zyx.ts';
import type { ChunkedArray } from './array.ts';
import type { ImageLevel, ImageMetadata } from './metadata.ts';

/** The axis of an image that is none of z, y, x and along which it has several volumes. */
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
  /** Absent where the level is a single volume. */
  readonly channelAxis?: ChannelAxis | undefined;
}

/** A level as the metadata have it, with its scale found. */
export interface ScaledLevel extends ImageLevel {
  readonly scale: readonly number[];
}

/** Options of {@link placeLevel}. */
export interface PlaceLevelOptions extends Pick<ImageMetadata, 'axes'> {
  readonly index: number;
  /** Whether one axis besides z, y, x may be longer than 1. */
  readonly hasChannels: boolean;
}

/**
 * Finds z, y and x among the dimensions of an array.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` where the axes are not those of the array; `unsupported` where it is
 * no volume, nor channels of one if they are asked for.
 */
export function placeLevel(
  { path, scale, translation }: ScaledLevel,
  array: ChunkedArray,
  { axes, index, hasChannels }: PlaceLevelOptions,
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
    throw notPlaced(array, { names, hasChannels, canHaveChannels: !dimensions.includes(-1) && long.length === 1 });
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
  return { index, path, grid, array, dimensions, channelAxis };
}

interface Misplaced {
  readonly names: readonly string[];
  readonly hasChannels: boolean;
  readonly canHaveChannels: boolean;
}

function notPlaced({ where, shape }: ChunkedArray, { names, hasChannels, canHaveChannels }: Misplaced) {
  const found = names.map((name, i) => `${name} (${shape[i]})`).join(', ');
  const hint = canHaveChannels && !hasChannels ? '; openChannels of cryoet-picks/volumes gives each as a volume' : '';
  const what = hasChannels
    ? 'channels of a volume: expected axes z, y, x, one more'
    : 'single volume: expected axes z, y, x';
  return new CryoetPicksError('unsupported', `${where} is no ${what} and others of length 1, found ${found}${hint}`);
}

/** The chunk shape of a level along z, y, x. */
export function chunkShapeOf({ array, dimensions }: OpenedLevel): Zyx {
  return [array.chunkShape[dimensions[0]]!, array.chunkShape[dimensions[1]]!, array.chunkShape[dimensions[2]]!];
}
