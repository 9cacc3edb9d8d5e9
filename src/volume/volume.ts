import { CryoetPicksError } from '../core/errors.ts';
import { showJson, showList } from '../core/json.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { type Box, boxShape, contiguousStride, formatZyx, isInside, voxelCount, type Zyx } from '../space/zyx.ts';

/** Anything that holds numbers by index; what the functions of this library accept as data. */
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
}

/**
 * What may be handed in wherever a volume is asked for: structurally a {@link Volume} whose shape the compiler need not
 * know to be a triple, so that every `NdArray` of the `ndarray` package and every zarrita chunk (with `offset: 0`) fits.
 */
export interface VolumeLike<A extends NumericData = NumericData> {
  readonly data: A;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly offset: number;
}

/**
 * The seam for voxels: something of known geometry that can read a box.
 *
 * Everything optional wraps it (`resampled`, `masked`, a cache); a fake of a few lines serves a test.
 */
export interface VolumeSource {
  readonly grid: VoxelGrid;
  /**
   * Shape of what the source decodes at once, laid from voxel (0, 0, 0); it may be larger than the grid. Who reads all of it
   * reads along these boxes. Absent where any box costs what its voxels do.
   */
  readonly chunkShape?: Zyx | undefined;
  /**
   * Reads the voxels of a half-open box that lies inside the grid, as float32.
   *
   * The result may be a view of memory that the source keeps, with any stride: read it, do not write to it. Integers beyond
   * 2^24 in size are rounded to the nearest float32.
   *
   * @throws The abort reason of `signal`, untouched.
   */
  read(box: Box, options?: ReadOptions): Promise<Volume>;
  /**
   * Reads the same voxels in the type that the source holds, where that may be another than float32: labels above 2^24 as
   * they are. Whoever needs every integer asks for this first.
   *
   * @throws As `read` does; `unsupported` for an integer beyond 2^53 − 1 in size.
   */
  readExact?(box: Box, options?: ReadOptions): Promise<Volume<NumericData>>;
}

/** Options of {@link VolumeSource.read}. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A C-order volume over flat data. @throws {@link CryoetPicksError} `invalid-option` if the length does not fit. */
export function contiguousVolume<A extends NumericData>(data: A, shape: Zyx): Volume<A> {
  if (data.length !== voxelCount(shape)) {
    throw new CryoetPicksError(
      'invalid-option',
      `${data.length} values do not fill a volume of ${formatZyx(shape)} = ${voxelCount(shape)} voxels`,
    );
  }
  return { data, shape, stride: contiguousStride(shape), offset: 0 };
}

/**
 * Narrows something volume-like to a {@link Volume}.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if it is not 3-D, or reaches past its data.
 */
export function asVolume<A extends NumericData>(like: VolumeLike<A>): Volume<A> {
  const { data, shape, stride, offset } = like;
  if (shape?.length !== 3 || stride?.length !== 3) {
    const found = `${shape?.length} dimensions, shape ${showJson(shape)}, stride ${showJson(stride)}`;
    throw new CryoetPicksError('invalid-option', `expected a 3-D array [z, y, x], found ${found}`);
  }
  // The first and the last element of the view, whichever way its strides lead.
  const end = (pick: typeof Math.min) =>
    shape.reduce((sum, extent, i) => sum + pick(0, (extent - 1) * stride[i]!), offset);
  const isEmpty = shape.includes(0);
  const isWhole = [...shape, ...stride, offset].every(Number.isInteger) && shape.every((extent) => extent >= 0);
  if (isWhole && (isEmpty || (end(Math.min) >= 0 && end(Math.max) < data?.length))) return like as Volume<A>;
  const found = `of shape ${showJson(shape)}, stride ${showJson(stride)} and offset ${showJson(offset)}`;
  throw new CryoetPicksError('invalid-option', `a view ${found} does not lie in its data of ${data?.length} values`);
}

/**
 * A source over voxels in memory. Float32 data is handed out as views, without copying; other types are converted box
 * by box.
 *
 * @param volume - Any 3-D array `[z, y, x]`: a {@link Volume}, an `NdArray`, a zarrita chunk with `offset: 0`.
 * @param geometry - Voxel size and origin in Å; the voxel size defaults to 1 Å, the origin to (0, 0, 0).
 * @throws {@link CryoetPicksError} `invalid-option` for an array that is not 3-D or reaches past its data, for a voxel size that
 * is no triple of lengths above 0, and an origin that is no finite point.
 */
export function sourceFromArray(
  volume: VolumeLike,
  { voxelSize = [1, 1, 1], origin = { x: 0, y: 0, z: 0 } }: Partial<Pick<VoxelGrid, 'voxelSize' | 'origin'>> = {},
): VolumeSource {
  const { data, shape, stride, offset } = asVolume(volume);
  requireGeometry({ voxelSize, origin });
  const readExact = async (box: Box, { signal }: ReadOptions = {}) => {
    signal?.throwIfAborted();
    if (!isInside(box, shape)) {
      // Loaded with the first mistake.
      const { outsideError } = await import('../space/zyx.ts');
      throw outsideError(box, { shape, where: 'the volume' });
    }
    const start = offset + box.start[0] * stride[0] + box.start[1] * stride[1] + box.start[2] * stride[2];
    return { data, shape: boxShape(box), stride, offset: start };
  };
  return {
    grid: { shape, voxelSize, origin },
    readExact,
    async read(box, options) {
      const view = await readExact(box, options);
      return data instanceof Float32Array ? { ...view, data } : toFloat32(view);
    },
  };
}

function requireGeometry({ voxelSize, origin }: Pick<VoxelGrid, 'voxelSize' | 'origin'>): void {
  const isSize = voxelSize?.length === 3 && voxelSize.every((length) => length > 0 && Number.isFinite(length));
  if (isSize && [origin?.x, origin?.y, origin?.z].every(Number.isFinite)) return;
  const found = isSize
    ? `origin is ${showJson(origin)}, expected a point { x, y, z } in Å`
    : `voxelSize is ${showList(voxelSize)}, expected three lengths above 0 in Å, [z, y, x]`;
  throw new CryoetPicksError('invalid-option', found);
}

/** A C-order float32 copy of a volume. */
export function toFloat32(volume: Volume<NumericData>): Volume {
  const copy = contiguousVolume(new Float32Array(voxelCount(volume.shape)), volume.shape);
  copyVolumeInto(volume, copy, [0, 0, 0]);
  return copy;
}

/** Copies all voxels of `from` into `to`, voxel (0, 0, 0) of `from` landing at index `at` of `to`. */
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

/** Lets a volume pass. @throws {@link CryoetPicksError} `invalid-option` for anything else, with the call that was meant. */
export function assertVolumeSource(source: VolumeSource, call: string): void {
  const given: Partial<VolumeSource> | null | undefined = source;
  if (given?.grid && given.read) return;
  // What an object holds may be a whole volume: it is not shown.
  const found =
    given instanceof Promise
      ? 'a promise'
      : given instanceof Object
        ? 'an object without grid or read'
        : showJson(given);
  throw new CryoetPicksError(
    'invalid-option',
    `hand in a volume, such as \`await openTomogram(store)\`: ${call}; found ${found}`,
  );
}
