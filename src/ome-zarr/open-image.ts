import { CryoetPicksError } from '../errors.ts';
import { formatZyx } from '../space/zyx.ts';
import type { ReadableStore } from '../storage/store.ts';
import { levelSource } from './level-source.ts';
import { chunkShapeOf, type OpenedLevel, openLevels } from './levels.ts';
import type { OpenTomogramOptions, Tomogram } from './tomogram.ts';

/** The work of `openTomogram`. */
export async function openImage(store: ReadableStore, options: OpenTomogramOptions): Promise<Tomogram> {
  const { level, voxelSize, fallbackVoxelSize, cacheBytes = 256 * 2 ** 20, signal } = options;
  checkPositive('voxelSize', voxelSize, 'Å');
  checkPositive('fallbackVoxelSize', fallbackVoxelSize, 'Å');
  if (!(cacheBytes >= 0))
    throw new CryoetPicksError('invalid-option', `cacheBytes is ${cacheBytes}, expected 0 or more`);
  const opened = await openLevels(store, { fallbackVoxelSize, signal });
  const chosen =
    voxelSize === undefined ? levelAt(opened, level ?? opened[0]!.index, store) : closest(opened, voxelSize);
  const levels = opened.map((one) => ({
    index: one.index,
    path: one.path,
    ...one.grid,
    chunkShape: chunkShapeOf(one),
    dtype: one.array.dtype,
  }));
  return { ...levelSource(chosen, { cacheBytes }), levels, level: chosen.index };
}

function checkPositive(name: string, value: number | undefined, unit: string): void {
  if (value !== undefined && !(value > 0 && Number.isFinite(value))) {
    throw new CryoetPicksError('invalid-option', `${name} is ${value}, expected a positive number of ${unit}`);
  }
}

function levelAt(levels: readonly OpenedLevel[], index: number, { location }: ReadableStore): OpenedLevel {
  const found = levels.find((level) => level.index === index);
  if (found) return found;
  const available = levels.map(({ index, grid }) => `${index} (${formatZyx(grid.shape)})`).join(', ');
  throw new CryoetPicksError('not-found', `level ${index} not found in ${location}; available: ${available}`);
}

/** The level whose voxels are closest in size by ratio; of two equally close ones the finer. */
function closest(levels: readonly OpenedLevel[], voxelSize: number): OpenedLevel {
  const misfit = ({
    grid: {
      voxelSize: [z, y, x],
    },
  }: OpenedLevel) => Math.abs(Math.log(Math.cbrt(z * y * x) / voxelSize));
  return levels.reduce((best, level) => (misfit(level) < misfit(best) - 1e-9 ? level : best));
}
