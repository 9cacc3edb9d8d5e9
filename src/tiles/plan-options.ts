import { CryoetPicksError } from '../errors.ts';
import { type Axis, formatZyx, type Zyx } from '../space/zyx.ts';
import { tilesAlongAxis } from './cover.ts';
import { WINDOW_NAMES, type WindowName } from './window.ts';

/** Options of {@link planTiles}. */
export interface PlanOptions {
  /** Shape of a tile, in voxels; each edge a multiple of `outputStride`. */
  readonly tile: Zyx;
  /**
   * What edges of a tile are multiples of, for a network that takes tiles of any such size: `tile` is then the largest, and each
   * edge is made as short as it can be without more tiles. Left out, all tiles are as `tile` says.
   */
  readonly tileMultiple?: number | undefined;
  /**
   * Least number of voxels that neighbouring tiles share along z, y, x; 0 ≤ overlap < tile. Rounded down to a multiple
   * of the output stride. @defaultValue a quarter of the tile
   */
  readonly overlap?: Zyx | undefined;
  /** Voxels per score along each axis. @defaultValue 1 */
  readonly outputStride?: 1 | 2 | 4 | undefined;
  /** How overlapping tiles are weighted. @defaultValue 'gaussian': docs/tiling.md says why */
  readonly window?: WindowName | undefined;
  /** Number of score classes, and of offsets, that the prediction of memory counts on. @defaultValue 1 */
  readonly classes?: number | undefined;
  /** Sweep axis. @defaultValue the longest axis of the score map, which needs the least memory */
  readonly axis?: Axis | undefined;
}

/** More tiles than any tomogram needs, and few enough that the plan itself stays small. */
const MAX_TILES = 1_000_000;

/** Options with all defaults filled in, but for the sweep axis. */
type FilledOptions = PlanOptions & { readonly overlap: Zyx; readonly outputStride: number; readonly classes: number };

/** Refuses options that no plan can be made of. @throws {@link CryoetPicksError} `invalid-option` */
export function checkPlanOptions(shape: Zyx, options: FilledOptions): void {
  const { tile, tileMultiple, overlap, outputStride, window, classes, axis } = options;
  if (![1, 2, 4].includes(outputStride)) fail(`output stride ${outputStride} is none of 1, 2, 4`);
  requireWholeNumbers('volume shape', shape, 1);
  requireWholeNumbers('tile', tile, 1);
  requireWholeNumbers('overlap', overlap, 0);
  if (tile.some((edge) => edge % outputStride !== 0)) {
    const works = formatZyx(tile.map((edge) => Math.ceil(edge / outputStride) * outputStride));
    fail(`tile ${formatZyx(tile)} is not a multiple of the output stride ${outputStride}; ${works} would be`);
  }
  if (tileMultiple !== undefined) requireMultiple(options, tileMultiple);
  if (overlap.some((shared, i) => shared >= tile[i])) {
    const most = formatZyx(tile.map((edge) => edge - 1));
    fail(`overlap ${formatZyx(overlap)} must be below the tile ${formatZyx(tile)}, at most ${most} voxels`);
  }
  if (window !== undefined && !WINDOW_NAMES.includes(window)) {
    fail(`window "${window}" is unknown; available: ${WINDOW_NAMES.map((name) => `"${name}"`).join(', ')}`);
  }
  if (!Number.isInteger(classes) || classes < 1) fail(`classes must be a whole number of at least 1, found ${classes}`);
  if (axis !== undefined && ![0, 1, 2].includes(axis)) fail(`axis ${axis} is none of 0 (z), 1 (y), 2 (x)`);
  const count = [0, 1, 2].reduce((product, i) => product * tilesAlong(i, shape, options), 1);
  if (count > MAX_TILES) {
    fail(
      `tiles of ${formatZyx(tile)} with overlap ${formatZyx(overlap)} cut a volume of ${formatZyx(shape)} into ` +
        `${count} tiles, more than ${MAX_TILES}; take larger tiles or less overlap`,
    );
  }
}

function requireMultiple({ tile, outputStride }: FilledOptions, multiple: number): void {
  if (!Number.isSafeInteger(multiple) || multiple < 1 || multiple % outputStride !== 0) {
    fail(`tileMultiple ${multiple} is no whole multiple of the output stride ${outputStride}`);
  }
  if (tile.some((edge) => edge % multiple !== 0)) {
    const works = formatZyx(tile.map((edge) => Math.ceil(edge / multiple) * multiple));
    fail(`tile ${formatZyx(tile)} is not a multiple of tileMultiple ${multiple}; ${works} would be`);
  }
}

function tilesAlong(i: number, shape: Zyx, { tile, overlap, outputStride }: FilledOptions): number {
  return tilesAlongAxis({
    length: Math.ceil(shape[i] / outputStride),
    tile: tile[i] / outputStride,
    overlap: Math.floor(overlap[i] / outputStride),
  });
}

function requireWholeNumbers(name: string, zyx: Zyx, least: number): void {
  if (zyx.length !== 3 || zyx.some((value) => !Number.isSafeInteger(value) || value < least)) {
    fail(`${name} ${formatZyx(zyx)} must be three whole numbers [z, y, x] of at least ${least}, in voxels`);
  }
}

function fail(message: string): never {
  throw new CryoetPicksError('invalid-option', `cannot plan tiles: ${message}`);
}
