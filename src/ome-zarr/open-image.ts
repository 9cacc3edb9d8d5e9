import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import { formatZyx } from '../space/zyx.ts';
import { requireStore } from '../storage/need-store.ts';
import type { ReadableStore } from '../storage/store.ts';
import { defaultCacheBytes } from './cache-bytes.ts';
import type { ChannelNames } from './channel-names.ts';
import type { Channel } from './channels.ts';
import { ChunkCache } from './chunk-cache.ts';
import { levelSource } from './level-source.ts';
import { type BrokenLevel, isOpened, openLevels } from './levels.ts';
import { chunkShapeOf, type OpenedLevel } from './place-level.ts';
import type { OpenTomogramOptions, Tomogram, TomogramLevel } from './tomogram.ts';

/** The work of `openTomogram`. */
export async function openImage(store: ReadableStore, options: OpenTomogramOptions): Promise<Tomogram> {
  const { level, levels, cache } = await chooseLevel(store, options, { hasChannels: false });
  return { ...levelSource(level, { cache }), levels, level: level.index, chunks: cache.tally };
}

/** The work of `openChannels`. */
export async function openImageChannels(store: ReadableStore, options: OpenTomogramOptions): Promise<Channel[]> {
  const { level, levels, cache, channelNames } = await chooseLevel(store, options, { hasChannels: true });
  const { name: axis, length = 1 } = level.channelAxis ?? {};
  return Array.from({ length }, (_, index) => ({
    ...levelSource(level, { cache, channel: index }),
    levels,
    level: level.index,
    chunks: cache.tally,
    channel: { index, axis, name: channelNames[index] },
  }));
}

interface ChosenLevel {
  readonly level: OpenedLevel;
  readonly levels: readonly TomogramLevel[];
  readonly cache: ChunkCache;
  readonly channelNames: ChannelNames;
}

async function chooseLevel(
  store: ReadableStore,
  { level, voxelSize, fallbackVoxelSize, zarrFormat, cacheBytes, signal }: OpenTomogramOptions,
  { hasChannels }: { readonly hasChannels: boolean },
): Promise<ChosenLevel> {
  requireStore(store, 'get');
  if (zarrFormat !== undefined && zarrFormat !== 2 && zarrFormat !== 3)
    throw new CryoetPicksError('invalid-option', `zarrFormat is ${String(zarrFormat)}, expected 2 or 3`);
  checkPositive('voxelSize', voxelSize, 'Å');
  checkPositive('fallbackVoxelSize', fallbackVoxelSize, 'Å');
  if (cacheBytes !== undefined && !(cacheBytes >= 0))
    throw new CryoetPicksError('invalid-option', `cacheBytes is ${cacheBytes}, expected 0 or more`);
  const { levels: listed, channelNames } = await openLevels(store, {
    fallbackVoxelSize,
    hasChannels,
    zarrFormat,
    signal,
  });
  const opened = listed.filter(isOpened);
  const index = voxelSize === undefined ? (level ?? 0) : closest(listed, voxelSize);
  const chosen = listed[index];
  if (!chosen || !isOpened(chosen)) throw failureOf(chosen, { index, opened, store });
  const levels = opened.map((one) => ({
    index: one.index,
    path: one.path,
    ...one.grid,
    chunkShape: chunkShapeOf(one),
    dtype: one.array.dtype,
  }));
  const { array, channelAxis, grid } = chosen;
  const perVoxel = array.itemBytes * (channelAxis ? array.chunkShape[channelAxis.dimension]! : 1);
  const kept = cacheBytes ?? defaultCacheBytes({ grid, chunkShape: chunkShapeOf(chosen) }, perVoxel);
  return { level: chosen, levels, cache: new ChunkCache(chosen.array, { cacheBytes: kept }), channelNames };
}

function checkPositive(name: string, value: number | undefined, unit: string): void {
  if (value !== undefined && !(value > 0 && Number.isFinite(value))) {
    throw new CryoetPicksError('invalid-option', `${name} is ${value}, expected a positive number of ${unit}`);
  }
}

interface FailureContext {
  readonly index: number;
  readonly opened: readonly OpenedLevel[];
  readonly store: ReadableStore;
}

/** Why the chosen level cannot be read, and which others can. */
function failureOf(level: BrokenLevel | undefined, { index, opened, store }: FailureContext): unknown {
  const failure = level?.failure;
  const others = opened.map(({ index, grid }) => `${index} (${formatZyx(grid.shape)})`).join(', ') || 'none';
  if (failure === undefined) {
    return new CryoetPicksError('not-found', `level ${index} not found in ${store.location}; available: ${others}`);
  }
  if (opened.length === 0 || !isCryoetPicksError(failure)) return failure;
  const what = `cannot open level ${index} (available: ${others}): ${failure.message}`;
  return new CryoetPicksError(failure.code, what, { cause: failure });
}

/**
 * Index of the level whose voxels are closest in size by ratio, whether or not it can be read; of two equally close ones the
 * one listed first.
 */
function closest(levels: readonly (OpenedLevel | BrokenLevel)[], voxelSize: number): number {
  let best = 0;
  let least = Infinity;
  for (const [index, level] of levels.entries()) {
    const size = isOpened(level) ? level.grid.voxelSize : level.voxelSize;
    const misfit = size ? Math.abs(Math.log(Math.cbrt(size[0] * size[1] * size[2]) / voxelSize)) : Infinity;
    if (misfit < least - 1e-9) [best, least] = [index, misfit];
  }
  return best;
}
