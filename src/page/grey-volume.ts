import {
  isCryoetPicksError,
  measureIntensity,
  type Point,
  quantile,
  toPhysical,
  type VolumeSource,
  type VoxelGrid,
  type Zyx,
} from '../entry/index.ts';
import { GreyLevel, type GreyRange } from './grey-level.ts';
import { planeIndex } from './planes.ts';

/** The values that are shown black and white. */
export interface Window {
  readonly black: number;
  readonly white: number;
}

/** Options of {@link openGreyVolume}. */
export interface GreyVolumeOptions {
  /** Where the slices are now; bricks near them are read first. */
  readonly focus: () => Point;
  /** Called after each brick. */
  readonly onBrick: () => void;
  /** Called once for each brick that cannot be read. */
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
  /** The values of black and white, for labels. @defaultValue far beyond the quantiles of a sample */
  readonly range?: GreyRange | undefined;
  /** Bytes of voxels to keep in memory. @defaultValue 256 MiB */
  readonly maxBytes?: number | undefined;
}

/** A volume in memory, as far as it has been read. */
export interface GreyVolume {
  /** Coarsest first. */
  readonly levels: readonly GreyLevel[];
  readonly range: GreyRange;
  /** Black at the 0.5 % quantile, white at 99.5 %. */
  readonly window: Window;
  /** Bricks read, of all that are to be read. */
  progress(): { readonly done: number; readonly total: number };
  /** The slices have moved: reads what they show now, where the volume is too large to be read whole. */
  wake(): void;
}

/** So many bricks are read at once. */
const AT_ONCE = 4;
/** Voxels of a brick: small enough that turning one into grey takes a few milliseconds. */
const BRICK_VOXELS = 2 ** 20;
/** Voxels that the window is taken from, about. */
const SAMPLED_VOXELS = 2 ** 21;
/** More than any distance in voxels. */
const BEHIND = 1e9;
/** Edge of the bricks of a volume of which only those that show are read. */
const SMALL_BRICK = 32;

/**
 * Reads a volume into memory, coarse levels first and what shows first, as much of it as fits. Of a level that does not fit, only
 * the bricks that the three slices meet are kept.
 *
 * @param sources - The levels of the volume, finest first.
 * @throws The errors of reading; the abort reason of `signal`.
 */
export async function openGreyVolume(
  sources: readonly VolumeSource[],
  { maxBytes = 2 ** 28, ...options }: GreyVolumeOptions,
): Promise<GreyVolume> {
  const { range, window } = options.range
    ? { range: options.range, window: { black: options.range.low, white: options.range.high } }
    : await measured(sources[0] as VolumeSource, options);
  const parts = choose(sources, maxBytes).map(
    ({ source, isWhole }) =>
      new LevelReader(source, new GreyLevel(source.grid, brickShapeOf(source, isWhole), range), {
        maxBytes: isWhole ? Number.POSITIVE_INFINITY : maxBytes,
      }),
  );
  let wake: () => void = () => undefined;
  let woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  options.signal.addEventListener('abort', () => wake(), { once: true });
  const read = async () => {
    while (!options.signal.aborted) {
      const part = parts.find((one) => one.prepare(options.focus()));
      if (part) await part.readNext(options);
      else if (parts.every(({ isDone }) => isDone)) return;
      else await woken;
    }
  };
  for (let i = 0; i < AT_ONCE; i++) void read();
  return {
    levels: parts.map(({ level }) => level),
    range,
    window,
    progress: () => ({
      done: parts.reduce((sum, { done }) => sum + done, 0),
      total: parts.reduce((sum, { total }) => sum + total, 0),
    }),
    wake() {
      wake();
      woken = new Promise((resolve) => {
        wake = resolve;
      });
    },
  };
}

/**
 * Range and window of a volume, from a sample of its finest level: a coarse one is smoother, and its quantiles are too narrow. Where
 * the sample at the focus is all alike or has no finite number, as padding has, others are taken, spread over the volume.
 */
async function measured(
  finest: VolumeSource,
  { focus, signal }: GreyVolumeOptions,
): Promise<Pick<GreyVolume, 'range' | 'window'>> {
  let found: Window | undefined;
  let problem: unknown;
  for (const at of [focus(), ...spreadOver(finest.grid)]) {
    try {
      const intensity = await measureIntensity(sampled(finest, at), { signal });
      const window = { black: quantile(intensity, 0.005), white: quantile(intensity, 0.995) };
      found ??= window;
      if (window.white === window.black) continue;
      found = window;
      break;
    } catch (error) {
      if (!isCryoetPicksError(error, 'corrupt-data')) throw error;
      problem ??= error;
    }
  }
  if (found === undefined) throw problem;
  const margin = 4 * (found.white - found.black || 1);
  return { window: found, range: { low: found.black - margin, high: found.white + margin } };
}

/** The middles of 3 × 3 × 3 equal parts of a grid. */
function spreadOver(grid: VoxelGrid): Point[] {
  const parts = [1, 3, 5].map((sixths) => (length: number) => Math.floor((sixths * length) / 6));
  const { shape } = grid;
  return parts.flatMap((z) =>
    parts.flatMap((y) => parts.map((x) => toPhysical(grid, [z(shape[0]), y(shape[1]), x(shape[2])]))),
  );
}

interface ChosenLevel {
  readonly source: VolumeSource;
  readonly isWhole: boolean;
}

/** The coarsest level; the finest that fits the memory whole; and the finest of all, if it does not. Coarsest first. */
function choose(sources: readonly VolumeSource[], maxBytes: number): ChosenLevel[] {
  const fits = ({ grid: { shape } }: VolumeSource) => 2 * shape[0] * shape[1] * shape[2] <= maxBytes;
  const finest = sources[0] as VolumeSource;
  const whole = [...new Set([sources.at(-1) as VolumeSource, sources.find(fits)])].filter(
    (source) => source !== undefined && fits(source),
  ) as VolumeSource[];
  const chosen = whole.map((source) => ({ source, isWhole: true }));
  return fits(finest) ? chosen : [...chosen, { source: finest, isWhole: false }];
}

function brickShapeOf({ chunkShape, grid: { shape } }: VolumeSource, isWhole: boolean): Zyx {
  if (!isWhole) return [SMALL_BRICK, SMALL_BRICK, SMALL_BRICK];
  return brickShape(chunkShape ?? shape, shape, BRICK_VOXELS);
}

/** The shape of a chunk inside a volume, cut along z to a number of voxels; at least a plane. */
function brickShape(chunk: Zyx, shape: Zyx, voxels: number): Zyx {
  const [height, width] = [Math.min(chunk[1], shape[1]), Math.min(chunk[2], shape[2])];
  const planes = Math.max(1, Math.floor(voxels / (height * width)));
  return [Math.min(chunk[0], shape[0], planes), height, width];
}

/** The chunk at a point, or planes across z around it where there are no chunks; the first `SAMPLED_VOXELS` or so of either. */
function sampled(source: VolumeSource, at: Point): VolumeSource {
  const { grid, chunkShape = grid.shape } = source;
  const shape = brickShape(chunkShape, grid.shape, SAMPLED_VOXELS);
  const start = ([0, 1, 2] as const).map((axis) => {
    const index = planeIndex(grid, axis, at);
    return Math.min(grid.shape[axis] - shape[axis], index - (index % shape[axis]));
  }) as [number, number, number];
  const shifted = ([z, y, x]: Zyx): Zyx => [z + start[0], y + start[1], x + start[2]];
  const { chunkShape: _, ...rest } = source;
  return {
    ...rest,
    grid: { ...grid, shape },
    read: (box, options) => source.read({ start: shifted(box.start), end: shifted(box.end) }, options),
  };
}

/** Reads the bricks of a level, those that show first. */
class LevelReader {
  readonly level: GreyLevel;
  readonly #source: VolumeSource;
  readonly #maxBricks: number;
  readonly #pending = new Set<number>();
  readonly #failed = new Set<number>();
  /** Bricks that are there, those that showed last at the end. */
  readonly #present = new Set<number>();
  #next: number | undefined;

  constructor(source: VolumeSource, level: GreyLevel, { maxBytes }: { readonly maxBytes: number }) {
    this.#source = source;
    this.level = level;
    const [z, y, x] = level.brickShape;
    this.#maxBricks = Math.max(1, Math.floor(maxBytes / (2 * z * y * x)));
  }

  get done(): number {
    return this.#present.size + this.#failed.size;
  }

  get total(): number {
    return this.#isWhole ? this.level.count : this.done + this.#pending.size;
  }

  get #isWhole(): boolean {
    return this.#maxBricks >= this.level.count;
  }

  /** True if there will never be anything to read again. */
  get isDone(): boolean {
    return this.#isWhole && this.done === this.level.count;
  }

  /** Chooses the brick to read next; false if there is none now. */
  prepare(focus: Point): boolean {
    const wanted = this.#isWhole ? this.#missing(focus) : this.#showing(focus);
    if (!this.#isWhole) for (const brick of wanted) if (this.#present.has(brick)) this.#renew(brick);
    this.#next = wanted.find(
      (brick) => !this.level.has(brick) && !this.#pending.has(brick) && !this.#failed.has(brick),
    );
    return this.#next !== undefined;
  }

  /** The brick of a level read whole that comes next: the nearest that is missing. */
  #missing(focus: Point): readonly number[] {
    let best: number | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let brick = 0; brick < this.level.count; brick++) {
      if (this.level.has(brick) || this.#pending.has(brick) || this.#failed.has(brick)) continue;
      const order = this.#order(brick, focus);
      if (order < least) [best, least] = [brick, order];
    }
    return best === undefined ? [] : [best];
  }

  /** The bricks that the slices meet, nearest first, as many as there is memory for. */
  #showing(focus: Point): readonly number[] {
    const showing: { readonly brick: number; readonly order: number }[] = [];
    for (let brick = 0; brick < this.level.count; brick++) {
      const order = this.#order(brick, focus);
      if (order < 2 * BEHIND) showing.push({ brick, order });
    }
    return showing
      .sort((a, b) => a.order - b.order)
      .slice(0, this.#maxBricks)
      .map(({ brick }) => brick);
  }

  /** Small for what shows in xy, from `BEHIND` for what shows in the other slices, from twice that for what does not show. */
  #order(brick: number, focus: Point): number {
    const { start, end } = this.level.boxOf(brick);
    let across = 0;
    let squared = 0;
    let isInXy = false;
    for (const axis of [0, 1, 2] as const) {
      const at = planeIndex(this.level.grid, axis, focus);
      const away = Math.max(start[axis] - at, at - end[axis] + 1, 0);
      if (away === 0) across++;
      if (away === 0 && axis === 0) isInXy = true;
      squared += ((start[axis] + end[axis]) / 2 - at) ** 2;
    }
    return (isInXy ? 0 : across > 0 ? BEHIND : 2 * BEHIND) + Math.sqrt(squared);
  }

  /** Reads the brick that was chosen. */
  async readNext({ onBrick, onError, signal }: GreyVolumeOptions): Promise<void> {
    const brick = this.#next as number;
    this.#pending.add(brick);
    try {
      this.level.put(brick, await this.#source.read(this.level.boxOf(brick), { signal }));
      this.#present.add(brick);
      this.#makeRoom();
    } catch (error) {
      if (signal.aborted) return;
      this.#failed.add(brick);
      onError(error);
    } finally {
      this.#pending.delete(brick);
    }
    onBrick();
  }

  #renew(brick: number): void {
    this.#present.delete(brick);
    this.#present.add(brick);
  }

  #makeRoom(): void {
    for (const brick of this.#present) {
      if (this.#present.size <= this.#maxBricks) return;
      this.#present.delete(brick);
      this.level.drop(brick);
    }
  }
}
