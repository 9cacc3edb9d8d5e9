import { CryoetPicksError } from '../core/errors.ts';
import { type Box, boxShape, formatZyx, sameZyx, type Zyx } from '../space/zyx.ts';
import {
  asVolume,
  contiguousVolume,
  copyVolumeInto,
  type NumericData,
  type ReadOptions,
  toFloat32,
  type Volume,
  type VolumeSource,
} from './volume.ts';

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
  gatherInto(voxels, needed.start, rows, contiguousVolume(out, boxShape(box)));
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

/** Fills `to` from rows, columns and planes of `from` picked by index; `start` is the grid index of `from`'s first voxel. */
function gatherInto(
  from: Volume,
  start: Zyx,
  [zs, ys, xs]: readonly [Int32Array, Int32Array, Int32Array],
  to: Volume,
): void {
  const { data, stride, offset } = from;
  const columns = xs.map((x) => (x - start[2]) * stride[2]);
  let t = to.offset;
  for (const z of zs) {
    for (const y of ys) {
      const row = offset + (z - start[0]) * stride[0] + (y - start[1]) * stride[1];
      for (let i = 0; i < columns.length; i++) to.data[t++] = data[row + columns[i]];
    }
  }
}
