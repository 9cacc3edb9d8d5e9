import { CryoetPicksError } from '../errors.ts';
import { type Box, boxShape, formatZyx, sameZyx } from '../space/zyx.ts';
import { asVolume, type ReadOptions, type Volume, type VolumeSource } from './volume.ts';

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
export function waysOf({ read }: VolumeSource): SourceWays | undefined {
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
export async function readWhole(source: VolumeSource, box: Box, options: ReadOptions): Promise<Volume> {
  const volume = asVolume(await source.read(box, options)) as Volume;
  const shape = boxShape(box);
  if (sameZyx(volume.shape, shape)) return volume;
  throw new CryoetPicksError(
    'corrupt-data',
    `the source gave ${formatZyx(volume.shape)} voxels for a box of ${formatZyx(shape)} from voxel ${formatZyx(box.start)}; ` +
      'its read must give every voxel of the box',
  );
}
