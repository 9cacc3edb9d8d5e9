import {
  abortSignal,
  describeValue,
  finitePoint,
  flag,
  numericData,
  optional,
  type RulesFor,
  requireArgument,
  requireOptions,
  shapeRule,
  source as sourceRule,
  volume as volumeRule,
  voxelSizeRule,
} from '../core/arguments.ts';
import { forEachRange, type Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import {
  type Box,
  boxShape,
  contiguousStride,
  formatZyx,
  requireInside,
  sameZyx,
  type VoxelGrid,
  voxelCount,
  type Zyx,
} from '../space/grid.ts';

/** Numbers by index, such as a typed array or an array of numbers. */
export interface NumericData {
  readonly length: number;
  [index: number]: number;
}

/**
 * A 3-D array `[z, y, x]` as a view of flat data: element (z, y, x) is
 * `data[offset + z · stride[0] + y · stride[1] + x · stride[2]]`.
 */
export interface Volume<A extends NumericData = Float32Array> {
  readonly data: A;
  readonly shape: Zyx;
  readonly stride: Zyx;
  readonly offset: number;
  /**
   * Gives the memory back to a source that lent it (see {@link ReadOptions.lend}); the data must not be looked at afterwards.
   * Absent if there is nothing to release.
   */
  readonly release?: (() => void) | undefined;
}

/**
 * Input that is read as a {@link Volume}: every `NdArray` of the `ndarray` package, every zarrita chunk, or `{ data, shape }`.
 * The compiler need not know that it has three axes.
 */
export interface VolumeLike<A extends NumericData = NumericData> {
  readonly data: A;
  readonly shape: readonly number[];
  /** @defaultValue that of C-order */
  readonly stride?: readonly number[] | undefined;
  /** @defaultValue 0 */
  readonly offset?: number | undefined;
  /** Gives lent memory back, see {@link Volume.release}. */
  readonly release?: (() => void) | undefined;
}

/**
 * A volume of known geometry that can read a box of its voxels.
 *
 * Whatever changes voxels (`resampled`, a mask, a cache) wraps a source: `{ ...source, read }`. Only `read` gives voxels, so
 * the wrapper's voxels are used everywhere.
 */
export interface VolumeSource {
  readonly grid: VoxelGrid;
  /**
   * Shape of the chunks that the source decodes as a whole, laid from voxel (0, 0, 0); it may be larger than the grid. Reading
   * along chunks decodes each once. Absent where the cost of a box depends on its voxels alone.
   */
  readonly chunkShape?: Zyx | undefined;
  /**
   * What looks wrong with the voxels, as far as the source knows by now: chunks that reads found missing, a header without a
   * voxel size. A wrapper passes it on by spread. Absent where the source never warns.
   */
  warnings?(): readonly Warning[];
  /**
   * Reads the voxels of a half-open box that lies inside the grid, as float32. Integers beyond 2^24 in size are rounded to the
   * nearest float32, unless `exact` is set and heeded.
   *
   * The result may be a view of memory that the source keeps, with any stride: do not write to it.
   *
   * @throws The abort reason of `signal`, untouched.
   */
  read(box: Box, options?: ReadOptions): Promise<Volume>;
}

/**
 * Options of {@link VolumeSource.read}. A source may ignore all but `signal`, so a caller works with the volume that it gets.
 * A wrapper may pass them on to the source that it wraps; with `lend`, it must then pass `release` on too, or call it.
 */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Memory for the voxels: as many numbers as the box has voxels. A source may fill it in C-order and return a volume over it.
   * When the read has failed, it may hold anything.
   */
  readonly out?: Float32Array | undefined;
  /**
   * The caller promises to call `release` of the returned volume, if it has one, when it no longer needs the voxels. A source
   * may then return a view of memory that it uses again afterwards.
   */
  readonly lend?: boolean | undefined;
  /**
   * Keeps numbers that float32 would round, such as labels above 2^24. The data may then be a `Float64Array`, which the type of
   * `read` does not say, and never an array of integers, so a wrapper computes with either alike. A source throws `unsupported`
   * for an integer beyond 2^53 − 1 in size.
   */
  readonly exact?: boolean | undefined;
}

/** Wraps flat data as a C-order volume. @throws {@link CryoetPicksError} `invalid-option` unless the data fill the shape. */
export function contiguousVolume<A extends NumericData>(data: A, shape: Zyx): Volume<A> {
  if (!shapeRule.isValid(shape)) requireArgument('contiguousVolume', 'shape', shape, shapeRule);
  if (!numericData.isValid(data)) requireArgument('contiguousVolume', 'data', data, numericData);
  if (data.length !== voxelCount(shape)) {
    throw new CryoetPicksError(
      'invalid-option',
      `${data.length} values do not fill a volume of ${formatZyx(shape)} = ${voxelCount(shape)} voxels`,
    );
  }
  return { data, shape, stride: contiguousStride(shape), offset: 0 };
}

/**
 * Checks a volume-like value and returns it as a {@link Volume}, over the same data.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if it is not 3-D, if it reaches past its data, or if data without a
 * stride and an offset do not fill the shape.
 */
export function asVolume<A extends NumericData>(like: VolumeLike<A>, call = 'volume', argument = 'array'): Volume<A> {
  requireArgument(call, argument, like, volumeRule);
  const { data, shape, offset = 0 } = like;
  const stride = like.stride ?? (shape?.length === 3 ? contiguousStride(shape as unknown as Zyx) : undefined);
  if (shape?.length !== 3 || stride?.length !== 3) {
    const found = `${shape?.length} dimensions, shape ${showJson(shape)}, stride ${showJson(stride)}`;
    throw new CryoetPicksError('invalid-option', `expected a 3-D array [z, y, x], found ${found}`);
  }
  // The first and the last element of the view; strides may be negative.
  const end = (pick: typeof Math.min) =>
    shape.reduce((sum, extent, i) => sum + pick(0, (extent - 1) * stride[i]!), offset);
  const isEmpty = shape.includes(0);
  const isWhole = [...shape, ...stride, offset].every(Number.isInteger) && shape.every((extent) => extent >= 0);
  if (isWhole && (isEmpty || (end(Math.min) >= 0 && end(Math.max) < data?.length))) {
    if (like.stride && like.offset !== undefined) return like as Volume<A>;
    const [z, y, x] = shape as unknown as Zyx;
    const isBare = like.stride === undefined && like.offset === undefined;
    const volume = isBare
      ? contiguousVolume(data, [z, y, x])
      : { data, shape: [z, y, x] as const, stride: stride as unknown as Zyx, offset };
    return like.release ? { ...volume, release: like.release.bind(like) } : volume;
  }
  const found = `of shape ${showJson(shape)}, stride ${showJson(stride)} and offset ${showJson(offset)}`;
  throw new CryoetPicksError('invalid-option', `a view ${found} does not lie in its data of ${data?.length} values`);
}

/**
 * Makes a source of voxels in memory. It reads float32 data as views, without copying, and converts other types box by box.
 *
 * @param volume - Any 3-D array `[z, y, x]`: `{ data, shape }` in C-order, a {@link Volume}, an `NdArray`, a zarrita chunk.
 * @param options - Voxel size and origin in Å; the voxel size defaults to 1 Å, the origin to (0, 0, 0).
 * @throws {@link CryoetPicksError} `invalid-option` if the array is not 3-D or does not fit its data, unless the voxel size is
 * three lengths above 0, and unless the origin is a finite point.
 * @example
 * ```ts
 * const data = new Float32Array(184 * 630 * 630);
 * const tomogram = sourceFromArray({ data, shape: [184, 630, 630] }, { voxelSize: [10, 10, 10] });
 * ```
 */
export function sourceFromArray(
  volume: VolumeLike,
  options: Partial<Pick<VoxelGrid, 'voxelSize' | 'origin'>> = {},
): VolumeSource {
  const call = 'sourceFromArray';
  const { data, shape, stride, offset } = asVolume(volume, call, 'volume');
  const rules = { voxelSize: optional(voxelSizeRule), origin: optional(finitePoint) };
  const { voxelSize = [1, 1, 1], origin = { x: 0, y: 0, z: 0 } } = requireOptions(call, options, rules);
  return {
    grid: { shape, voxelSize, origin },
    async read(box, readOptions = {}) {
      const { signal, out, exact } = requireReadOptions('volume.read', readOptions);
      signal?.throwIfAborted();
      requireInside(box, { shape, where: 'the volume' });
      const start = offset + box.start[0] * stride[0] + box.start[1] * stride[1] + box.start[2] * stride[2];
      const view: Volume<NumericData> = { data, shape: boxShape(box), stride, offset: start };
      const isWide = exact && !fitsFloat32(data);
      if (data instanceof (isWide ? Float64Array : Float32Array)) return view as Volume;
      const count = voxelCount(view.shape);
      const copy = contiguousVolume(isWide ? new Float64Array(count) : (out ?? new Float32Array(count)), view.shape);
      copyVolumeInto(view, copy, [0, 0, 0]);
      return copy as Volume;
    },
  };
}

/** Whether float32 holds every number of this kind of array. */
function fitsFloat32(data: NumericData): boolean {
  return [Float32Array, Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array].some(
    (kind) => data instanceof kind,
  );
}

/** Checks the options of `read`, as a source does that heeds them. */
export function requireReadOptions(call: string, options: ReadOptions): ReadOptions {
  return requireOptions(call, options, readRules);
}

const readRules: RulesFor<ReadOptions> = {
  signal: /* @__PURE__ */ optional(abortSignal),
  out: {
    expected: 'a Float32Array',
    isValid: (value) => value === undefined || value instanceof Float32Array,
  },
  lend: /* @__PURE__ */ optional(flag),
  exact: /* @__PURE__ */ optional(flag),
};

/** Copies a volume to float32, in C-order. @throws {@link CryoetPicksError} `invalid-option` if there is no memory for the copy. */
export function toFloat32(volume: Volume<NumericData>): Volume {
  const from = asVolume(volume, 'toFloat32', 'volume');
  const copy = contiguousVolume(floatsFor(from.shape), from.shape);
  copyVolumeInto(from, copy, [0, 0, 0]);
  return copy;
}

/** A view repeats voxels where a stride is 0, so it may have more of them than memory holds. */
function floatsFor(shape: Zyx): Float32Array {
  try {
    return new Float32Array(voxelCount(shape));
  } catch (cause) {
    const message = `a copy of ${formatZyx(shape)} voxels as float32 does not fit into memory; copy a box of it`;
    throw new CryoetPicksError('invalid-option', message, { cause });
  }
}

/** Copies all voxels of `from` into `to`; voxel (0, 0, 0) of `from` goes to index `at` of `to`. */
export function copyVolumeInto(from: Volume<NumericData>, to: Volume<Float32Array | Float64Array>, at: Zyx): void {
  const [depth, height, width] = from.shape;
  const [fz, fy, fx] = from.stride;
  const [tz, ty, tx] = to.stride;
  const source = from.data;
  const target = to.data;
  const rowsAreViews = fx === 1 && tx === 1 && source instanceof Float32Array;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let f = from.offset + z * fz + y * fy;
      let t = to.offset + (z + at[0]) * tz + (y + at[1]) * ty + at[2] * tx;
      if (rowsAreViews) {
        target.set(source.subarray(f, f + width), t);
        continue;
      }
      for (let x = 0; x < width; x++, f += fx, t += tx) target[t] = source[f];
    }
  }
}

/** @throws {@link CryoetPicksError} `invalid-option`, with the call that was meant, unless `source` is a volume source. */
export function assertVolumeSource(source: VolumeSource, call: string): void {
  const given: Partial<VolumeSource> | null | undefined = source;
  if (given?.grid && given.read) {
    requireArgument(call, 'source', source, sourceRule);
    return;
  }
  throw new CryoetPicksError(
    'invalid-option',
    `hand in a volume, such as \`await openTomogram(store)\`: ${call}; found ${describeValue(given)}`,
    { option: 'source' },
  );
}

/**
 * Reads a box of any source, and checks what comes back: a user may have written the source. Numbers of other types become
 * float32 unless they are asked for exactly.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if the source returns a volume of another shape, `invalid-option` if it
 * returns one that reaches past its data.
 */
export async function readBox(source: VolumeSource, box: Box, options: ReadOptions): Promise<Volume> {
  const volume = asVolume(await source.read(box, options)) as Volume;
  const shape = boxShape(box);
  if (sameZyx(volume.shape, shape)) {
    if (options.exact || volume.data instanceof Float32Array) return volume;
    const floats = toFloat32(volume);
    volume.release?.();
    return floats;
  }
  volume.release?.();
  throw new CryoetPicksError(
    'corrupt-data',
    `the source gave ${formatZyx(volume.shape)} voxels for a box of ${formatZyx(shape)} from voxel ${formatZyx(box.start)}; ` +
      'its read must give every voxel of the box',
  );
}

/**
 * Reads a box inside the grid into `out`, C-order `[z, y, x]` of the box's shape. Float64 gets integers exactly, as far as the
 * source heeds {@link ReadOptions.exact}.
 */
export async function readInto(
  source: VolumeSource,
  box: Box,
  out: Float32Array | Float64Array,
  { signal }: Pick<ReadOptions, 'signal'> = {},
): Promise<void> {
  const target = contiguousVolume(out, boxShape(box));
  const how = out instanceof Float32Array ? { out } : { exact: true };
  const volume: Volume<NumericData> = await readBox(source, box, { signal, lend: true, ...how });
  if (!isSameView(volume, target)) {
    // A wrapper may return another view of the memory that it was given, such as one with its axes swapped.
    const isOverlapping = (volume.data as Partial<Float32Array>).buffer === out.buffer;
    copyVolumeInto(isOverlapping ? toFloat32(volume) : volume, target, [0, 0, 0]);
  }
  volume.release?.();
}

function isSameView(a: Volume<NumericData>, b: Volume<NumericData>): boolean {
  return a.data === b.data && a.offset === b.offset && sameZyx(a.stride, b.stride);
}

/**
 * Reads a box that may stick out of the grid into `out`, voxels outside being mirrored at the faces (the outermost voxel
 * is not repeated, as in numpy's `reflect`); where the volume is thinner than the margin, the mirror repeats.
 *
 * @param out - C-order `[z, y, x]` of the box's shape; every element is written.
 */
export async function readPaddedInto(
  source: VolumeSource,
  box: Box,
  out: Float32Array,
  { signal }: Pick<ReadOptions, 'signal'> = {},
): Promise<void> {
  const rows = mirroredIndices(box, source.grid.shape);
  const [z, y, x] = rows.map(rangeOf);
  const needed = { start: [z.minimum, y.minimum, x.minimum], end: [z.end, y.end, x.end] } as const;
  if (sameZyx(needed.start, box.start) && sameZyx(needed.end, box.end)) {
    await readInto(source, box, out, { signal });
    return;
  }
  const voxels = await readBox(source, needed, { signal, lend: true });
  await gatherInto(voxels, needed.start, rows, contiguousVolume(out, boxShape(box)));
  voxels.release?.();
}

/** Per axis, the voxel inside the grid that stands for each voxel of the box. */
function mirroredIndices(box: Box, shape: Zyx): readonly [Int32Array, Int32Array, Int32Array] {
  const [depth, height, width] = boxShape(box);
  return [
    Int32Array.from({ length: depth }, (_, i) => mirror(box.start[0] + i, shape[0])),
    Int32Array.from({ length: height }, (_, i) => mirror(box.start[1] + i, shape[1])),
    Int32Array.from({ length: width }, (_, i) => mirror(box.start[2] + i, shape[2])),
  ];
}

/** Index `i` reflected into `0 … length − 1`: … 2 1 0 1 2 … */
function mirror(i: number, length: number): number {
  const period = Math.max(1, 2 * (length - 1));
  const phase = ((i % period) + period) % period;
  return phase < length ? phase : period - phase;
}

function rangeOf(indices: Int32Array): { minimum: number; end: number } {
  return { minimum: indices.reduce((a, b) => Math.min(a, b)), end: indices.reduce((a, b) => Math.max(a, b)) + 1 };
}

/**
 * Fills `to`, C-order, from rows, columns and planes of `from` picked by index; `start` is the grid index of `from`'s first voxel.
 * Yields to the event loop every few milliseconds.
 */
async function gatherInto(
  from: Volume,
  start: Zyx,
  [zs, ys, xs]: readonly [Int32Array, Int32Array, Int32Array],
  to: Volume,
): Promise<void> {
  const { data, stride, offset } = from;
  const columns = xs.map((x) => (x - start[2]) * stride[2]);
  const gatherRows = (first: number, end: number) => {
    let t = to.offset + first * columns.length;
    for (let row = first; row < end; row++) {
      const [z, y] = [zs[Math.floor(row / ys.length)], ys[row % ys.length]];
      const at = offset + (z - start[0]) * stride[0] + (y - start[1]) * stride[1];
      for (let i = 0; i < columns.length; i++) to.data[t++] = data[at + columns[i]];
    }
  };
  await forEachRange(zs.length * ys.length, gatherRows, Math.ceil(2 ** 19 / columns.length));
}
