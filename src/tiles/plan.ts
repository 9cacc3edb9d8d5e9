import {
  anything,
  describeValue,
  isFields,
  optional,
  optionalList,
  positiveBytes,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Axis, formatZyx, longestAxis, voxelCount, type Zyx } from '../space/grid.ts';
import { type AxisSegment, coverAxis, cutSegments, tilesAlongAxis } from './axis.ts';
import { blendWeights, WINDOW_NAMES, type WindowName } from './window.ts';

/** One tile of a plan. */
export interface Tile {
  /**
   * First voxel that the tile covers; along each axis a multiple of the model's `tileMultiple`, else of its output stride. The tile
   * may end outside the volume.
   */
  readonly start: Zyx;
  /** Which window of each axis it is: index into `plan.starts[axis]` and `plan.weights[axis]`. */
  readonly index: Zyx;
}

/** Bytes that running a plan takes, not counting the model's own memory and what the source keeps. */
export interface PlanMemory {
  /** Sums of weighted scores: classes × at most one tile's depth of the score map × its cross-section × 4. */
  readonly accumulators: number;
  /**
   * Tiles in flight, one by one, through a model of `loadModel`: at most five times the voxels of a tile and three times its
   * scores, as docs/reference/tiling.md counts them. A model that takes one call at once needs less.
   */
  readonly tiles: number;
  /** `accumulators` and `tiles`; a batch of n tiles takes n times the latter. */
  readonly total: number;
}

/**
 * How a volume is cut into tiles, computed before a byte is read: a plain value.
 *
 * Tiles are the product of three covers of an axis; weights are separable and sum to 1 at every score.
 */
export interface TilePlan {
  /** Shape of the volume, in voxels. */
  readonly shape: Zyx;
  /** Shape of a tile, in voxels: the one asked for, or a smaller one that needs no more tiles. */
  readonly tile: Zyx;
  /** Voxels per score along each axis. */
  readonly outputStride: 1 | 2 | 4;
  /** Shape of the score map: `ceil(shape / outputStride)`. */
  readonly outputShape: Zyx;
  /** The axis along which tiles are swept and slabs finish: the longest one, unless the caller chose. */
  readonly axis: Axis;
  /** Tile starts along z, y, x, in voxels: multiples of the model's `tileMultiple`, else of its output stride. */
  readonly starts: readonly [readonly number[], readonly number[], readonly number[]];
  /** Blend weights of each tile along z, y, x: one weight per score of the tile, 0 outside the score map. */
  readonly weights: readonly [readonly Float32Array[], readonly Float32Array[], readonly Float32Array[]];
  /** The window that the weights were made of. */
  readonly window: WindowName;
  /** All tiles, in sweep order: sorted by their start along `axis`. */
  readonly tiles: readonly Tile[];
  /** The pieces of the score map along `axis`, in order: each is a slab once its last tile was scored. */
  readonly segments: readonly AxisSegment[];
  /** What running it takes. */
  readonly memory: PlanMemory;
}

/**
 * Plans how a volume is cut into overlapping tiles and how their scores are blended.
 *
 * Along each axis the fewest tiles that overlap as asked are spread evenly, the first at 0, the last up to the end. All start at
 * multiples of the model's `tileMultiple`, else of its output stride, so that what a network pools is pooled alike in every tile.
 * The last tile, and the only one of a small volume, may stick out; voxels outside are mirrored when it is read.
 *
 * @param shape - Shape `[z, y, x]` of the volume, in voxels.
 * @param spec - The model card, or just the tile.
 * @throws {@link CryoetPicksError} `invalid-option` if the tiles cannot be laid as asked.
 *
 * @example
 * ```ts
 * const plan = planTiles([184, 630, 630], { tile: [64, 128, 128], outputStride: 2 }, { overlap: [16, 32, 32] });
 * plan.tiles.length;        // 196: 4 × 7 × 7
 * plan.memory.total / 1e6;  // 30.0: megabytes, for one class
 * ```
 */
export function planTiles(shape: Zyx, spec: TileSpec, options: PlanOptions = {}): TilePlan {
  requireArgument('planTiles', 'spec', spec, tileSpec);
  requireArgument('planTiles', 'shape', shape, voxels);
  const { outputStride = 1, tileMultiple: multiple = outputStride } = spec;
  requireOptions('planTiles', options, planRules);
  const { window = 'gaussian', channels = channelCount(spec) } = options;
  checkTiles(shape, { tile: spec.tile, outputStride, multiple });
  const asked = options.overlap ?? spec.overlap ?? usualOverlap(spec.tile, multiple);
  checkPlanOptions({
    ...options,
    tile: spec.tile,
    tileMultiple: spec.tileMultiple,
    bytesPerVoxel: spec.bytesPerVoxel,
    overlap: asked,
    multiple,
    window,
    channels,
  });
  const overlap = roundUp(asked, multiple);
  const tile = chooseTile(shape, spec, { ...options, overlap, channels });
  requireSmallPlan(shape, { tile, overlap, outputStride });
  const toScores = (voxels: Zyx): Zyx => [
    Math.ceil(voxels[0] / outputStride),
    Math.ceil(voxels[1] / outputStride),
    Math.ceil(voxels[2] / outputStride),
  ];
  const outputShape = toScores(shape);
  const outputTile = toScores(tile);
  const axis = options.axis ?? longestAxis(outputShape);
  const starts = AXES.map((a) => coverAxis({ length: shape[a], multiple, tile: tile[a], overlap: overlap[a] }));
  const inScores = AXES.map((a) => ({
    length: outputShape[a],
    tile: outputTile[a],
    starts: starts[a].map((start) => start / outputStride),
  }));
  return {
    shape,
    tile,
    outputStride,
    outputShape,
    axis,
    starts: starts as unknown as TilePlan['starts'],
    weights: inScores.map((cover) => blendWeights(window, cover)) as unknown as TilePlan['weights'],
    window,
    tiles: tilesInSweepOrder(starts, axis),
    segments: cutSegments(inScores[axis].starts, inScores[axis]),
    memory: predictMemory({ tile, outputTile, outputShape, axis, channels }),
  };
}

const AXES = [0, 1, 2] as const;

const voxels: Rule = { expected: 'three whole numbers [z, y, x], in voxels', isValid: Array.isArray };
const tileSpec: Rule = {
  expected: 'a model card, or { tile }',
  isValid: isFields,
  fields: {
    tile: voxels,
    classes: /* @__PURE__ */ optionalList('a list of class names, null for background', {
      expected: 'a class name, or null',
      isValid: (value) => value === null || typeof value === 'string',
    }),
    offsets: /* @__PURE__ */ optionalList(voxels.expected),
    overlap: /* @__PURE__ */ optionalList(voxels.expected),
    bytesPerVoxel: /* @__PURE__ */ optional(positiveBytes),
  },
};
/** What the memory for tiles must be. */
export const memoryRule: Rule = {
  expected: "'low', or a number of bytes above 0",
  isValid: (value) => value === undefined || value === 'low' || positiveBytes.isValid(value),
};
const planRules: RulesFor<PlanOptions> = {
  memory: memoryRule,
  overlap: /* @__PURE__ */ optionalList(voxels.expected),
  window: anything,
  channels: anything,
  axis: anything,
};

function tilesInSweepOrder(starts: readonly (readonly number[])[], axis: Axis): Tile[] {
  const tiles: Tile[] = [];
  starts[0].forEach((z, iz) => {
    starts[1].forEach((y, iy) => {
      starts[2].forEach((x, ix) => {
        tiles.push({ start: [z, y, x], index: [iz, iy, ix] });
      });
    });
  });
  return tiles.sort((a, b) => a.start[axis] - b.start[axis]);
}

/** Tiles: one that is read, the box of a source that cannot read into it, one that waits, two in the model. */
const TILES_HELD = 5;
/** Scores: of the two tiles in the model, and those that are blended. */
const SCORES_HELD = 3;

function predictMemory({
  tile,
  outputTile,
  outputShape,
  axis,
  channels,
}: Pick<TilePlan, 'tile' | 'outputShape' | 'axis'> & { outputTile: Zyx; channels: number }): PlanMemory {
  const planes = Math.min(outputTile[axis], outputShape[axis]);
  const accumulators = 4 * channels * planes * (voxelCount(outputShape) / outputShape[axis]);
  const tiles = 4 * (TILES_HELD * voxelCount(tile) + SCORES_HELD * channels * voxelCount(outputTile));
  return { accumulators, tiles, total: accumulators + tiles };
}

/** What {@link planTiles} needs of a model; every model card has it. */
export interface TileSpec {
  /** Shape of a tile, in voxels; each edge a multiple of `outputStride`. */
  readonly tile: Zyx;
  /**
   * The network takes tiles whose edges are any multiples of this, up to `tile`: the plan then takes the shortest edges that
   * need no more tiles. Tiles also start at multiples of it, where the cells of the network's coarsest level start. Left out, every
   * tile has the shape `tile` and starts at a multiple of `outputStride`.
   */
  readonly tileMultiple?: number | undefined;
  /**
   * Minimum number of voxels that neighbouring tiles need to share along z, y, x, for the scores to be as good as with more.
   * @defaultValue a quarter of `tile`
   */
  readonly overlap?: Zyx | undefined;
  /**
   * Memory that the network takes while it scores a tile, in bytes per voxel of the tile. With it and `tileMultiple` the plan takes
   * the edges, also longer ones than those of `tile`, for which the network scores the fewest voxels. Along no axis are there more
   * tiles than of `tile`, unless the memory asks for smaller ones.
   */
  readonly bytesPerVoxel?: number | undefined;
  /** Voxels per score along each axis. @defaultValue 1 */
  readonly outputStride?: 1 | 2 | 4 | undefined;
  /** Name of each output class, `null` for background: the prediction of memory counts the named ones. */
  readonly classes?: readonly (string | null)[] | undefined;
  /** The channels of an anchor-free network that hold offsets; they are blended, too. */
  readonly offsets?: Zyx | undefined;
}

/** Options of {@link planTiles}. */
export interface PlanOptions {
  /**
   * Minimum number of voxels that neighbouring tiles share along z, y, x; 0 ≤ overlap < tile. Rounded up to a multiple of the
   * card's `tileMultiple`, else of its output stride. @defaultValue the overlap of the model card, else a quarter of the card's tile
   */
  readonly overlap?: Zyx | undefined;
  /**
   * Maximum memory of the plan and of the network while it scores one tile, in bytes, for cards that have `tileMultiple` and
   * `bytesPerVoxel`: the process and the chunks of the tomogram take some 300 MB more. `'low'` is 400 MB, and leaves the tiles of
   * other cards as they are. @defaultValue 1 GB
   */
  readonly memory?: number | 'low' | undefined;
  /** How overlapping tiles are weighted. @defaultValue 'gaussian': docs/design/tiling.md says why */
  readonly window?: WindowName | undefined;
  /**
   * Number of channels that are blended, for the prediction of memory. Averages of softmax logits need every class.
   * @defaultValue the named classes and the offsets of the model; 1 if it has no classes
   */
  readonly channels?: number | undefined;
  /** Sweep axis. @defaultValue the longest axis of the score map, which needs the least memory */
  readonly axis?: Axis | undefined;
}

/** More tiles, and more weights of them, than any tomogram needs, and few enough that the plan itself stays small. */
const [MAX_TILES, MAX_WEIGHTS] = [1_000_000, 10_000_000];

/** Tiles, and what their starts and edges are multiples of. */
interface TilesToLay {
  readonly tile: Zyx;
  readonly outputStride: number;
  readonly multiple: number;
}

/** Options with all defaults filled in, but for the sweep axis. */
type FilledOptions = Pick<TileSpec, 'tile' | 'tileMultiple' | 'bytesPerVoxel'> &
  PlanOptions & { readonly overlap: Zyx; readonly multiple: number; readonly channels: number };

/** Number of channels of a model that are blended. */
function channelCount({ classes, offsets }: TileSpec): number {
  return classes ? classes.filter((name) => name !== null).length + (offsets?.length ?? 0) : 1;
}

/** @throws {@link CryoetPicksError} `invalid-option` for tiles that cannot be laid, whatever they share. */
function checkTiles(shape: Zyx, { tile, outputStride, multiple }: TilesToLay): void {
  if (![1, 2, 4].includes(outputStride))
    fail('outputStride', `output stride ${describeValue(outputStride)} must be 1, 2 or 4`);
  requireWholeNumbers('shape', shape, 1);
  requireWholeNumbers('tile', tile, 1);
  if (tile.some((edge) => edge % outputStride !== 0)) {
    const works = formatZyx(tile.map((edge) => Math.ceil(edge / outputStride) * outputStride));
    fail('tile', `tile ${formatZyx(tile)} is not a multiple of the output stride ${outputStride}; ${works} would be`);
  }
  requireMultiple({ tile, outputStride, multiple });
}

/** @throws {@link CryoetPicksError} `invalid-option` for options from which no plan can be made. */
function checkPlanOptions(options: FilledOptions): void {
  const { tile, tileMultiple, bytesPerVoxel, memory, overlap, multiple, window, channels, axis } = options;
  requireWholeNumbers('overlap', overlap, 0);
  if (typeof memory === 'number' && (tileMultiple === undefined || bytesPerVoxel === undefined)) {
    const fields = 'tileMultiple and bytesPerVoxel';
    fail(
      'memory',
      `memory chooses tiles only for a network whose card has ${fields}; change the tile of the card instead`,
    );
  }
  if (roundUp(overlap, multiple).some((shared, i) => shared >= tile[i])) {
    const maximum = formatZyx(tile.map((edge) => edge - multiple));
    const why = multiple === 1 ? '' : `, since tiles start at multiples of ${multiple}`;
    fail(
      'overlap',
      `overlap ${formatZyx(overlap)} must be below the tile ${formatZyx(tile)}, at most ${maximum} voxels${why}`,
    );
  }
  if (window !== undefined && !WINDOW_NAMES.includes(window)) {
    fail(
      'window',
      `window ${describeValue(window)} is unknown; available: ${WINDOW_NAMES.map((name) => `"${name}"`).join(', ')}`,
    );
  }
  if (!Number.isInteger(channels) || channels < 1)
    fail('channels', `channels must be a whole number of at least 1, found ${describeValue(channels)}`);
  if (axis !== undefined && ![0, 1, 2].includes(axis))
    fail('axis', `axis ${describeValue(axis)} must be 0 (z), 1 (y) or 2 (x)`);
}

/** @throws {@link CryoetPicksError} `invalid-option` for more tiles than {@link MAX_TILES}, or more weights than {@link MAX_WEIGHTS}. */
function requireSmallPlan(
  shape: Zyx,
  { tile, overlap, outputStride }: Pick<FilledOptions, 'tile' | 'overlap'> & { readonly outputStride: number },
): void {
  const counts = AXES.map((axis) => tilesOfEdge(axis, tile[axis], shape, overlap));
  const count = counts.reduce((product, one) => product * one);
  const weights = AXES.reduce<number>((sum, axis) => sum + (counts[axis] * tile[axis]) / outputStride, 0);
  const [found, maximum] =
    count > MAX_TILES ? [`${count} tiles`, MAX_TILES] : [`${weights} blend weights`, MAX_WEIGHTS];
  if (count <= MAX_TILES && weights <= MAX_WEIGHTS) return;
  const works = count > MAX_TILES ? 'take larger tiles or less overlap' : 'take less overlap, or a part of the volume';
  fail(
    'overlap',
    `tiles of ${formatZyx(tile)} with overlap ${formatZyx(overlap)} cut a volume of ${formatZyx(shape)} into ` +
      `${found}, more than ${maximum}; ${works}`,
  );
}

function requireMultiple({ tile, outputStride, multiple }: TilesToLay): void {
  if (!Number.isSafeInteger(multiple) || multiple < 1 || multiple % outputStride !== 0) {
    fail(
      'tileMultiple',
      `tileMultiple ${describeValue(multiple)} is not a whole multiple of the output stride ${outputStride}`,
    );
  }
  if (tile.some((edge) => edge % multiple !== 0)) {
    const works = formatZyx(tile.map((edge) => Math.ceil(edge / multiple) * multiple));
    fail('tile', `tile ${formatZyx(tile)} is not a multiple of tileMultiple ${multiple}; ${works} would be`);
  }
}

function requireWholeNumbers(option: string, zyx: Zyx, minimum: number): void {
  if (zyx.length !== 3 || zyx.some((value) => !Number.isSafeInteger(value) || value < minimum)) {
    const name = option === 'shape' ? 'volume shape' : option;
    fail(
      option,
      `${name} ${formatZyx(zyx.map(describeValue))} must be three whole numbers [z, y, x] of at least ${minimum}, in voxels`,
    );
  }
}

function fail(option: string, message: string): never {
  throw new CryoetPicksError('invalid-option', `cannot plan tiles: ${message}`, { option });
}

/** Bytes of a plan and its network: by default, and if little is asked for. */
const [USUAL_MEMORY, LOW_MEMORY] = [1e9, 4e8];

/** The tile of a plan: that of the card, or one that is as good and takes less work. */
function chooseTile(
  shape: Zyx,
  { tile, tileMultiple, bytesPerVoxel, outputStride = 1 }: TileSpec,
  { overlap, memory, channels }: PlanOptions & { readonly overlap: Zyx; readonly channels: number },
): Zyx {
  if (tileMultiple === undefined) return tile;
  const fit = { tile, overlap, outputStride, multiple: tileMultiple };
  if (bytesPerVoxel === undefined) return fitTile(shape, fit);
  const bytes = memory === 'low' ? LOW_MEMORY : (memory ?? USUAL_MEMORY);
  return cheapestTile(shape, { ...fit, bytesPerVoxel, channels, maxBytes: bytes, isAsked: memory !== undefined });
}

/** The card's tile, what edges are multiples of, and how tiles overlap, as for `planTiles`. */
interface FitOptions {
  readonly tile: Zyx;
  readonly multiple: number;
  readonly overlap: Zyx;
  readonly outputStride: number;
}

/** A quarter of the tile, or as much as starts at multiples leave. */
function usualOverlap(tile: Zyx, multiple: number): Zyx {
  const usual = (edge: number) => Math.min(Math.floor(edge / 4), edge - multiple);
  return [usual(tile[0]), usual(tile[1]), usual(tile[2])];
}

function roundUp([z, y, x]: Zyx, multiple: number): Zyx {
  const rounded = (length: number) => Math.ceil(length / multiple) * multiple;
  return [rounded(z), rounded(y), rounded(x)];
}

/**
 * The smallest tile that covers a volume with no more tiles along any axis than the largest would: no tile sticks out of a thin
 * volume further than it must, and two tiles along an axis do not repeat most of each other.
 *
 * @param shape - Shape `[z, y, x]` of the volume, in voxels.
 * @returns Edges z, y, x in voxels, each at most that of `tile`.
 */
function fitTile(shape: Zyx, options: FitOptions): Zyx {
  const fitted = (axis: Axis): number => {
    const longest = options.tile[axis];
    const count = tilesOfEdge(axis, longest, shape, options.overlap);
    return edgesOf(axis, longest, shape, options).find((one) => one.count <= count)?.edge ?? longest;
  };
  return [fitted(0), fitted(1), fitted(2)];
}

interface CheapestOptions extends FitOptions {
  readonly bytesPerVoxel: number;
  readonly channels: number;
  readonly maxBytes: number;
  /** Whether the caller gave `maxBytes`. */
  readonly isAsked: boolean;
}

/** How many times the volume a network may score: smaller tiles, nearly all of which is overlap, are no way to save memory. */
const MAX_WORK = 8;

/** The longest edge that is tried, in voxels: a tile of it in all directions takes more memory than any machine has. */
const MAX_EDGE = 2048;

/** A tile that may be taken, and what it costs. */
interface TileCost {
  readonly tile: Zyx;
  /** How many halvings of the card's tile need as many tiles along every axis. */
  readonly halvings: number;
  /** Voxels that the network scores. */
  readonly voxels: number;
  /** Number of tiles. */
  readonly count: number;
  /** Memory of plan and network. */
  readonly bytes: number;
}

/**
 * The tile for which the network scores the fewest voxels within the memory, of those that need no more tiles along any axis than
 * that of the card: where neighbours share little, slivers would cost no more, but a network sees nothing of a particle in them. If
 * none fits, the card's tile is halved, and halved again. Of equal tiles the one of which there are fewer, then the one that takes
 * less memory. A volume for which no tile fits into the usual memory takes the tile of the card.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the caller gave less memory than any sensible tile takes.
 */
function cheapestTile(shape: Zyx, options: CheapestOptions): Zyx {
  const { multiple, maxBytes, isAsked } = options;
  const whole = voxelCount(shape.map((length) => Math.ceil(length / multiple) * multiple) as unknown as Zyx);
  let best: TileCost | undefined;
  let least: TileCost | undefined;
  for (const tile of tileCosts(shape, options)) {
    if (tile.voxels > MAX_WORK * whole) continue;
    if (least === undefined || tile.bytes < least.bytes) least = tile;
    if (tile.bytes <= maxBytes && (best === undefined || isCheaper(tile, best))) best = tile;
  }
  if (best !== undefined) return best.tile;
  if (!isAsked || least === undefined) return fitTile(shape, options);
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  const found = `${maxBytes < 1e6 ? `${maxBytes} bytes` : megabytes(maxBytes)} are too few for a volume of ${formatZyx(shape)}`;
  return fail('memory', `${found}: tiles of ${formatZyx(least.tile)} take the least, ${megabytes(least.bytes)}`);
}

function isCheaper(a: TileCost, b: TileCost): boolean {
  return (a.halvings - b.halvings || a.voxels - b.voxels || a.count - b.count || a.bytes - b.bytes) < 0;
}

/** Every tile whose edges are the shortest for the number of tiles along their axis. */
function* tileCosts(shape: Zyx, options: CheapestOptions): Generator<TileCost, void, undefined> {
  const { outputStride, bytesPerVoxel, channels } = options;
  const outputShape = shape.map((length) => Math.ceil(length / outputStride)) as unknown as Zyx;
  const axis = longestAxis(outputShape);
  const [alongZ, alongY, alongX] = AXES.map((one) => shortestPerCount(one, shape, options));
  for (const z of alongZ!) {
    for (const y of alongY!) {
      for (const x of alongX!) {
        const tile: Zyx = [z.edge, y.edge, x.edge];
        const outputTile: Zyx = [z.edge / outputStride, y.edge / outputStride, x.edge / outputStride];
        const plan = predictMemory({ tile, outputTile, outputShape, axis, channels });
        const count = z.count * y.count * x.count;
        yield {
          tile,
          halvings: Math.max(z.halvings, y.halvings, x.halvings),
          voxels: count * voxelCount(tile),
          count,
          bytes: plan.total + bytesPerVoxel * voxelCount(tile),
        };
      }
    }
  }
}

interface Edge {
  /** In voxels. */
  readonly edge: number;
  /** How many tiles it takes along its axis. */
  readonly count: number;
}

/** The edges from the shortest on, up to the first that covers the axis, that leave something of a tile beside its overlap. */
function edgesOf(axis: Axis, longest: number, shape: Zyx, options: FitOptions): Edge[] {
  const { multiple, overlap } = options;
  const edges: Edge[] = [];
  for (let edge = multiple; edge <= longest; edge += multiple) {
    const isWhole = edge >= shape[axis];
    if (!isWhole && edge <= overlap[axis]) continue;
    edges.push({ edge, count: tilesOfEdge(axis, edge, shape, overlap) });
    if (isWhole) break;
  }
  return edges;
}

/** Of each number of tiles along an axis the shortest edge, and how many halvings of the card's edge need as many. */
function shortestPerCount(axis: Axis, shape: Zyx, options: FitOptions): (Edge & { readonly halvings: number })[] {
  const { tile, multiple } = options;
  const toMultiple = (length: number) => Math.ceil(length / multiple) * multiple;
  const longest = Math.min(toMultiple(shape[axis]), Math.max(MAX_EDGE, tile[axis]));
  const edges = edgesOf(axis, longest, shape, options);
  const shortest = edges.filter(({ count }, i) => i === 0 || count < edges[i - 1]!.count);
  const usual = Math.min(tile[axis], toMultiple(shape[axis]));
  const halved = (times: number) => toMultiple(usual / 2 ** times);
  const halvingsOf = (count: number): number => {
    for (let times = 0; ; times++) {
      const edge = halved(times);
      if (edge <= Math.max(multiple, options.overlap[axis])) return times;
      if (count <= tilesOfEdge(axis, edge, shape, options.overlap)) return times;
    }
  };
  return shortest.map(({ edge, count }) => ({ edge, count, halvings: halvingsOf(count) }));
}

function tilesOfEdge(axis: Axis, edge: number, shape: Zyx, overlap: Zyx): number {
  return tilesAlongAxis({ length: shape[axis], tile: edge, overlap: overlap[axis] });
}
