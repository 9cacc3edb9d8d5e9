import {
  type Axis,
  type Box,
  isCryoetPicksError,
  measureIntensity,
  type Point,
  quantile,
  toPhysical,
  type Volume,
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

/** Chunks that are read at once: two for each of the threads that decode them. */
const AT_ONCE = 4;
/** Fewer are, if their voxels would take more memory than this. */
const BYTES_AT_ONCE = 2 ** 26;
/** Voxels of a brick: small enough that turning one into grey takes a few milliseconds. */
const BRICK_VOXELS = 2 ** 20;
/** Voxels that the window is taken from, about. */
const SAMPLED_VOXELS = 2 ** 19;
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
  const finest = sources[0] as VolumeSource;
  const parts = choose(sources, maxBytes).map(
    ({ source, isWhole }) =>
      new LevelReader(source, { isWhole, maxBytes: isWhole ? Number.POSITIVE_INFINITY : maxBytes / 2 }),
  );
  let wake: () => void = () => undefined;
  let woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const stop = new AbortController();
  options.signal.addEventListener('abort', () => stop.abort(options.signal.reason), { once: true });
  stop.signal.addEventListener('abort', () => wake(), { once: true });
  // The coarsest level is on its way meanwhile.
  const measuring = options.range
    ? Promise.resolve({ range: options.range, window: { black: options.range.low, white: options.range.high } })
    : measured(finest, options);
  measuring.catch((error) => stop.abort(error));
  const reading = { ...options, signal: stop.signal, measuring };
  const read = async () => {
    while (!stop.signal.aborted) {
      const part = parts.find((one) => one.prepare(options.focus()));
      if (part) await part.readNext(reading);
      else if (parts.every(({ isDone }) => isDone)) return;
      else await woken;
    }
  };
  for (let i = 0; i < readsAtOnce(finest); i++) void read();
  return {
    ...(await measuring),
    levels: parts.map(({ level }) => level),
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

function readsAtOnce({ chunkShape }: VolumeSource): number {
  const bytes = 4 * (chunkShape ? voxelsOf(chunkShape) : 0);
  return Math.max(1, Math.min(AT_ONCE, Math.floor(BYTES_AT_ONCE / bytes)));
}

function voxelsOf([z, y, x]: Zyx): number {
  return z * y * x;
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

/**
 * The coarsest level; the finest that fits the memory whole; and the finest of all, if it does not, which then gets half of the
 * memory. Coarsest first.
 */
function choose(sources: readonly VolumeSource[], maxBytes: number): ChosenLevel[] {
  const finest = sources[0] as VolumeSource;
  const bytes = ({ grid }: VolumeSource) => 2 * voxelsOf(grid.shape);
  const isWhole = bytes(finest) <= maxBytes;
  const fits = (source: VolumeSource) => bytes(source) <= (isWhole ? maxBytes : maxBytes / 2);
  const whole = [...new Set([sources.at(-1) as VolumeSource, sources.find(fits)])].filter(
    (source) => source !== undefined && fits(source),
  ) as VolumeSource[];
  const chosen = whole.map((source) => ({ source, isWhole: true }));
  return isWhole ? chosen : [...chosen, { source: finest, isWhole: false }];
}

/** Chunks, cut into pieces that are not too large; small cubes of a level of which only those that show are read. */
function brickShapeOf({ chunkShape, grid: { shape } }: VolumeSource, isWhole: boolean): Zyx {
  if (isWhole) return pieceShape(chunkShape ?? shape, shape, BRICK_VOXELS);
  const edge = (axis: Axis) => pieceOf((chunkShape ?? shape)[axis], shape[axis], SMALL_BRICK);
  return [edge(0), edge(1), edge(2)];
}

/** A chunk inside a volume, cut along z, and along y where a plane is too large, into pieces of so many voxels at most. */
function pieceShape(chunk: Zyx, shape: Zyx, voxels: number): Zyx {
  const width = Math.min(chunk[2], shape[2]);
  const height = pieceOf(chunk[1], shape[1], Math.floor(voxels / width));
  return [pieceOf(chunk[0], shape[0], Math.floor(voxels / (height * width))), height, width];
}

/** The length of the pieces that chunks are cut into along an axis: up to a limit, and if possible no piece lies in two chunks. */
function pieceOf(chunk: number, extent: number, limit: number): number {
  const longest = Math.max(1, Math.min(chunk, extent, limit));
  if (chunk >= extent) return longest;
  for (let length = longest; length > longest / 2; length--) if (chunk % length === 0) return length;
  return longest;
}

/** About `SAMPLED_VOXELS` voxels around a point, of one chunk where there are chunks. */
function sampled(source: VolumeSource, at: Point): VolumeSource {
  const { grid, chunkShape = grid.shape } = source;
  const shape = pieceShape(chunkShape, grid.shape, SAMPLED_VOXELS);
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

/** What {@link LevelReader.readNext} needs beside the brick. */
interface ReadingOptions extends Pick<GreyVolumeOptions, 'onBrick' | 'onError' | 'signal'> {
  readonly measuring: Promise<{ readonly range: GreyRange }>;
}

/** Reads the bricks of a level, those that show first. Bricks of one chunk are read together, since it is decoded as a whole. */
class LevelReader {
  readonly level: GreyLevel;
  readonly #source: VolumeSource;
  readonly #chunkShape: Zyx;
  readonly #maxBricks: number;
  readonly #pending = new Set<number>();
  readonly #failed = new Set<number>();
  /** Bricks that are there, those that showed last at the end. */
  readonly #present = new Set<number>();
  /** Bricks in the order in which they are to be read, as far as they were missing when it was made. */
  #queue: number[] = [];
  /** The brick of the focus for which it was made. */
  #place: number | undefined;
  #next: readonly number[] = [];

  constructor(source: VolumeSource, { isWhole, maxBytes }: { readonly isWhole: boolean; readonly maxBytes: number }) {
    this.#source = source;
    const { grid, chunkShape } = source;
    const brickShape = brickShapeOf(source, isWhole);
    this.level = new GreyLevel(grid, brickShape);
    // A file without chunks is read row by row, whatever part of the rows is wanted.
    this.#chunkShape = chunkShape ?? [brickShape[0], brickShape[1], grid.shape[2]];
    this.#maxBricks = isWhole ? this.level.count : Math.max(1, Math.floor(maxBytes / (2 * voxelsOf(brickShape))));
  }

  get done(): number {
    return this.#present.size + this.#failed.size;
  }

  get total(): number {
    if (this.#isWhole) return this.level.count;
    return this.done + this.#pending.size + this.#queue.filter((brick) => this.#isMissing(brick)).length;
  }

  get #isWhole(): boolean {
    return this.#maxBricks >= this.level.count;
  }

  /** True if there will never be anything to read again. */
  get isDone(): boolean {
    return this.#isWhole && this.done === this.level.count;
  }

  /** Chooses the bricks to read next; false if no brick is missing now. */
  prepare(focus: Point): boolean {
    if (this.isDone) return false;
    const [place] = this.#bricksAt(focus);
    // Another order may be right now.
    if (place !== this.#place) this.#queue = this.#isWhole ? this.#inOrder(focus, this.#all()) : this.#showing(focus);
    this.#place = place;
    const at = this.#queue.findIndex((brick) => this.#isMissing(brick));
    // Those before have been read, or will be.
    this.#queue.splice(0, at === -1 ? this.#queue.length : at);
    const [nearest] = this.#queue;
    if (nearest === undefined) return false;
    const wanted = this.#isWhole ? undefined : new Set(this.#queue);
    this.#next = this.level
      .bricksIn(this.#chunkOf(nearest))
      .filter((brick) => this.#isMissing(brick) && (wanted === undefined || wanted.has(brick)));
    return true;
  }

  #isMissing(brick: number): boolean {
    return !this.#present.has(brick) && !this.#pending.has(brick) && !this.#failed.has(brick);
  }

  #all(): readonly number[] {
    return Array.from({ length: this.level.count }, (_, brick) => brick);
  }

  /** The brick at a point; or the bricks that its slice across an axis meets. */
  #bricksAt(focus: Point, across?: Axis): readonly number[] {
    const { grid, brickShape } = this.level;
    const edge = (axis: Axis, step: 0 | 1) => {
      if (across !== undefined && axis !== across) return step * grid.shape[axis];
      return (Math.floor(planeIndex(grid, axis, focus) / brickShape[axis]) + step) * brickShape[axis];
    };
    return this.level.bricksIn({
      start: [edge(0, 0), edge(1, 0), edge(2, 0)],
      end: [edge(0, 1), edge(1, 1), edge(2, 1)],
    });
  }

  /** The bricks that the slices meet, as many as there is memory for; those that are there are kept longest. */
  #showing(focus: Point): number[] {
    const met = new Set(([0, 1, 2] as const).flatMap((axis) => this.#bricksAt(focus, axis)));
    const showing = this.#inOrder(focus, [...met]).slice(0, this.#maxBricks);
    for (const brick of showing) if (this.#present.delete(brick)) this.#present.add(brick);
    return showing;
  }

  #inOrder(focus: Point, bricks: readonly number[]): number[] {
    return bricks
      .map((brick) => ({ brick, order: this.#order(brick, focus) }))
      .sort((a, b) => a.order - b.order)
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

  /** The chunk that a brick begins in. */
  #chunkOf(brick: number): Box {
    const { start } = this.level.boxOf(brick);
    const edge = (axis: Axis, step: number) =>
      (Math.floor(start[axis] / this.#chunkShape[axis]) + step) * this.#chunkShape[axis];
    return { start: [edge(0, 0), edge(1, 0), edge(2, 0)], end: [edge(0, 1), edge(1, 1), edge(2, 1)] };
  }

  /** Reads the bricks that were chosen. */
  async readNext({ onBrick, onError, signal, measuring }: ReadingOptions): Promise<void> {
    const bricks = this.#next;
    for (const brick of bricks) this.#pending.add(brick);
    try {
      const box = boxAround(bricks.map((brick) => this.level.boxOf(brick)));
      const voxels = await this.#source.read(box, { signal, lend: true });
      try {
        const { range } = await measuring;
        for (const brick of bricks) {
          this.level.put(brick, partOf(voxels, box, this.level.boxOf(brick)), range);
          this.#pending.delete(brick);
          this.#present.add(brick);
          onBrick();
          await turn();
          if (signal.aborted) return;
        }
      } finally {
        voxels.release?.();
      }
      this.#makeRoom();
    } catch (error) {
      if (signal.aborted) return;
      for (const brick of bricks) if (this.#pending.has(brick)) this.#failed.add(brick);
      onError(error);
      onBrick();
    } finally {
      for (const brick of bricks) this.#pending.delete(brick);
    }
  }

  #makeRoom(): void {
    for (const brick of this.#present) {
      if (this.#present.size <= this.#maxBricks) return;
      this.#present.delete(brick);
      this.level.drop(brick);
    }
  }
}

/** The smallest box around some boxes. */
function boxAround(boxes: readonly Box[]): Box {
  const edge = (of: 'start' | 'end', choose: (...edges: number[]) => number): Zyx => {
    const at = (axis: Axis) => choose(...boxes.map((box) => box[of][axis]));
    return [at(0), at(1), at(2)];
  };
  return { start: edge('start', Math.min), end: edge('end', Math.max) };
}

/** The part of a volume, read from a box, that lies in a box inside it. */
function partOf({ data, stride, offset }: Volume, whole: Box, { start, end }: Box): Volume {
  const from = ([0, 1, 2] as const).reduce<number>(
    (sum, axis) => sum + (start[axis] - whole.start[axis]) * stride[axis],
    offset,
  );
  return { data, stride, offset: from, shape: [end[0] - start[0], end[1] - start[1], end[2] - start[2]] };
}

/** Lets the page draw, and answer its reader. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
