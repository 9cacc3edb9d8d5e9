import { CryoetPicksError } from '../core/errors.ts';
import { type Box, boxShape, formatZyx, sameZyx, type Zyx } from '../space/zyx.ts';
import {
  asVolume,
  contiguousVolume,
  copyVolumeInto,
  type ReadOptions,
  type Volume,
  type VolumeSource,
} from './volume.ts';

/** Voxels that are lent: they must not be looked at after the release. */
export interface HeldVolume {
  readonly volume: Volume;
  release(): void;
}

/** Ways to read a box inside the grid that need less memory than `read`, whose result nobody has to give back. */
export interface SourceWays {
  /** Into `out`, C-order `[z, y, x]` of the box's shape. */
  readInto(box: Box, out: Float32Array, options?: ReadOptions): Promise<void>;
  /** Lends the voxels, to whoever releases them. */
  hold(box: Box, options?: ReadOptions): Promise<HeldVolume>;
}

const tied = new WeakMap<VolumeSource['read'], SourceWays>();

/**
 * Ties other ways of reading the same voxels to a source's `read`. They are bound to that function and are no properties of the
 * source: whoever wraps one by `{ ...source, read }` then gets their own `read` called.
 */
export function tieWays(read: VolumeSource['read'], ways: SourceWays): VolumeSource['read'] {
  tied.set(read, ways);
  return read;
}

/** The ways that are tied to a source's `read`, if there are some. */
function waysOf({ read }: VolumeSource): SourceWays | undefined {
  return tied.get(read);
}

/** Lends the voxels of a box, whatever the source. */
export async function holdBox(source: VolumeSource, box: Box, options: ReadOptions): Promise<HeldVolume> {
  const ways = waysOf(source);
  return ways ? ways.hold(box, options) : { volume: await readWhole(source, box, options), release: () => {} };
}

/**
 * Reads a box of any source, which anybody may have written.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if it gives a volume of another shape, `invalid-option` if one that reaches past
 * its data.
 */
async function readWhole(source: VolumeSource, box: Box, options: ReadOptions): Promise<Volume> {
  const volume = asVolume(await source.read(box, options)) as Volume;
  const shape = boxShape(box);
  if (sameZyx(volume.shape, shape)) return volume;
  throw new CryoetPicksError(
    'corrupt-data',
    `the source gave ${formatZyx(volume.shape)} voxels for a box of ${formatZyx(shape)} from voxel ${formatZyx(box.start)}; ` +
      'its read must give every voxel of the box',
  );
}

/**
 * Reads a box that may stick out of the grid into `out`, voxels outside being mirrored at the faces (the outermost voxel
 * is not repeated, as numpy's `reflect`); where the volume is thinner than the margin, the mirror repeats.
 *
 * @param out - C-order `[z, y, x]` of the box's shape; every element is written.
 */
export async function readPaddedInto(
  source: VolumeSource,
  box: Box,
  out: Float32Array,
  options: ReadOptions = {},
): Promise<void> {
  const target = contiguousVolume(out, boxShape(box));
  const rows = mirroredIndices(box, source.grid.shape);
  const [z, y, x] = rows.map(rangeOf);
  const needed = { start: [z.least, y.least, x.least], end: [z.greatest + 1, y.greatest + 1, x.greatest + 1] } as const;
  const isInside = sameZyx(needed.start, box.start) && sameZyx(needed.end, box.end);
  const ways = isInside ? waysOf(source) : undefined;
  if (ways) return ways.readInto(box, out, options);
  const voxels = await readWhole(source, needed, options);
  if (isInside) {
    copyVolumeInto(voxels, target, [0, 0, 0]);
    return;
  }
  gatherInto(voxels, needed.start, rows, target);
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

function rangeOf(indices: Int32Array): { least: number; greatest: number } {
  return { least: indices.reduce((a, b) => Math.min(a, b)), greatest: indices.reduce((a, b) => Math.max(a, b)) };
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
