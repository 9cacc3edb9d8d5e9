import { MAX_CHUNK_BYTES } from '../codecs/decode.ts';
import { ITEM_BYTES } from '../codecs/number-type.ts';
import { CryoetPicksError } from '../errors.ts';
import { showJson, showList } from '../show-json.ts';
import { coarseGrid, type VoxelGrid } from '../space/grid.ts';
import { formatZyx, voxelCount, type Zyx } from '../space/zyx.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { Pyramid } from './pyramid.ts';
import type { WriteTomogramOptions } from './write.ts';
import { isWholeType, type WrittenType, ZARR2_TYPES } from './written-type.ts';

/** What the first axis of a 4-D image is. */
export interface ChannelOptions {
  readonly axis: 'c' | 'feature';
  readonly names?: readonly string[] | undefined;
}

/** Options of `writeImage`. */
export interface WriteImageOptions extends WriteTomogramOptions {
  /** Absent for a 3-D image. */
  readonly channels?: ChannelOptions | undefined;
  /** Fill a group that holds nothing, though it is not to be overwritten. @defaultValue false */
  readonly fillGroup?: boolean | undefined;
}

/** An image to write, all of it known before the first voxel is read. */
export interface WritePlan {
  readonly format: 'zarr2' | 'zarr3';
  readonly dtype: WrittenType;
  /** The levels of each channel. */
  readonly pyramid: Pyramid;
  /** Absent for a 3-D image. */
  readonly channels: (ChannelOptions & { readonly count: number }) | undefined;
  readonly name: string;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  /** Chunks of all levels and channels. */
  readonly total: number;
}

/** Checks the options and plans the levels. @throws {@link CryoetPicksError} `invalid-option`. */
export function planWrite(sources: readonly VolumeSource[], options: WriteImageOptions): WritePlan {
  const { format = 'zarr2', dtype = 'float32', name = '/', channels } = options;
  requireOneOf('format', format, ['zarr2', 'zarr3']);
  requireOneOf('dtype', dtype, Object.keys(ZARR2_TYPES));
  const isWhole = isWholeType(dtype);
  const { levels = isWhole ? 1 : 3, coarse = isWhole ? 'first' : 'mean', chunkShape = [128, 128, 128] } = options;
  requireOneOf('coarse', coarse, ['mean', 'first']);
  const grid = commonGrid(sources);
  checkExtents(grid, { levels, chunkShape });
  const pyramid = planPyramid(grid, {
    levels,
    chunkShape,
    isClipped: format === 'zarr2',
    isMean: coarse === 'mean',
    isWhole,
    isExact: isWhole && ITEM_BYTES[dtype] > 2,
  });
  checkPyramid(pyramid, dtype);
  const chunks = pyramid.levels.reduce((sum, level) => sum + voxelCount(level.chunks), 0);
  return {
    format,
    dtype,
    pyramid,
    channels: channels && checkedChannels(channels, sources.length),
    name,
    metadata: options.metadata,
    total: chunks * sources.length,
  };
}

function invalid(what: string): CryoetPicksError {
  return new CryoetPicksError('invalid-option', what);
}

function requireOneOf(what: string, found: string, known: readonly string[]): void {
  if (known.includes(found)) return;
  throw invalid(`${what} is ${JSON.stringify(found)}, expected one of ${known.join(', ')}`);
}

function checkedChannels({ axis, names }: ChannelOptions, count: number): WritePlan['channels'] {
  requireOneOf('axis', axis, ['c', 'feature']);
  if (names && names.length !== count) throw invalid(`${names.length} names are given for ${count} channels`);
  return { axis, names, count };
}

/** The grid of all sources. */
function commonGrid(sources: readonly VolumeSource[]): VoxelGrid {
  if (sources.length === 0) throw invalid('no channel is given, expected at least one');
  const [first, ...rest] = sources.map(({ grid }) => grid);
  for (const [index, grid] of rest.entries()) {
    if (describeGrid(grid) === describeGrid(first!)) continue;
    throw invalid(
      `channel ${index + 1} has ${describeGrid(grid)}, and channel 0 ${describeGrid(first!)}; expected the same grid for all`,
    );
  }
  return first!;
}

function describeGrid({ shape, voxelSize, origin: { x, y, z } }: VoxelGrid): string {
  return `${formatZyx(shape)} voxels of ${formatZyx(voxelSize)} Å at x ${x}, y ${y}, z ${z} Å`;
}

function checkExtents(
  { shape }: VoxelGrid,
  { levels, chunkShape }: { readonly levels: number; readonly chunkShape: Zyx },
): void {
  const isCount = (n: number) => Number.isSafeInteger(n) && n >= 1;
  if (!isCount(levels) || levels > 20)
    throw invalid(`levels is ${showJson(levels)}, expected a whole number from 1 to 20`);
  for (const [what, extents] of [
    ['chunkShape', chunkShape],
    ['shape of the volume', shape],
  ] as const) {
    if (extents.length === 3 && extents.every(isCount)) continue;
    throw invalid(`${what} is ${showList(extents)}, expected three whole numbers above 0`);
  }
}

/** Refuses what could be written and not be read again. */
function checkPyramid({ levels }: Pyramid, dtype: WrittenType): void {
  for (const [index, { grid, chunk }] of levels.entries()) {
    const { voxelSize, origin } = grid;
    const where = index === 0 ? 'the volume' : `level ${index}`;
    if (voxelSize.length !== 3 || !voxelSize.every((length) => length > 0 && Number.isFinite(length))) {
      throw invalid(`voxelSize of ${where} is ${formatZyx(voxelSize)} Å, expected three finite numbers above 0`);
    }
    if (![origin.x, origin.y, origin.z].every(Number.isFinite)) {
      const found = `x ${origin.x}, y ${origin.y}, z ${origin.z}`;
      throw invalid(`origin of ${where} is ${found} Å, expected finite numbers`);
    }
    const bytes = voxelCount(chunk) * ITEM_BYTES[dtype];
    if (bytes > MAX_CHUNK_BYTES) {
      throw invalid(
        `a chunk of ${formatZyx(chunk)} ${dtype} takes ${bytes} bytes, expected at most ${MAX_CHUNK_BYTES}`,
      );
    }
  }
}

interface PyramidOptions extends Omit<Pyramid, 'levels'> {
  readonly levels: number;
  readonly chunkShape: Zyx;
  readonly isClipped: boolean;
}

function planPyramid(grid: VoxelGrid, { levels, chunkShape, isClipped, isMean, ...rest }: PyramidOptions): Pyramid {
  return {
    ...rest,
    isMean,
    levels: Array.from({ length: levels }, (_, level) => {
      const coarse = coarseGrid(grid, 2 ** level);
      const { shape } = coarse;
      const chunk = isClipped
        ? (shape.map((extent, i) => Math.min(extent, chunkShape[i]!)) as unknown as Zyx)
        : chunkShape;
      const chunks = shape.map((extent, i) => Math.ceil(extent / chunk[i]!)) as unknown as Zyx;
      return { grid: isMean ? coarse : { ...coarse, origin: grid.origin }, chunk, chunks };
    }),
  };
}
