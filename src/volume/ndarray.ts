import type { NdArray } from 'ndarray';
import ndarray from 'ndarray';
import ops from 'ndarray-ops';
import { listOf, requireArgument } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { formatZyx, sameZyx } from '../space/grid.ts';
import { asVolume, type NumericData, toFloat32, type Volume, type VolumeLike } from './volume.ts';

/** Flat data that both a volume and an `NdArray` can hold. */
export type SharedData = ndarray.TypedArray & NumericData;

/** Wraps a volume as an `NdArray` over the same memory. */
export function toNdarray<A extends SharedData>(volume: Volume<A>): NdArray<A> {
  const { data, shape, stride, offset } = asVolume(volume, 'toNdarray', 'volume');
  return ndarray(data, [...shape], [...stride], offset);
}

/**
 * Wraps an `NdArray` as a volume over the same memory; views (`hi`, `lo`, `step`, `transpose`, `pick`) work too.
 *
 * Functions of this library take an `NdArray` directly; this is for code whose types need exactly three axes.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the array is not 3-D.
 */
export function fromNdarray<A extends NumericData>(array: VolumeLike<A>): Volume<A> {
  const { data, shape, stride, offset } = asVolume(array, 'fromNdarray');
  return { data, shape: [shape[0], shape[1], shape[2]], stride: [stride[0], stride[1], stride[2]], offset };
}

/**
 * Computes the voxelwise mean of volumes of one shape, as float32: of two half-maps, or several denoisings of a tomogram.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if `volumes` is empty or the shapes differ.
 */
export function meanOf(volumes: readonly VolumeLike[]): NdArray<Float32Array> {
  requireArgument('meanOf', 'volumes', volumes, listOf('volumes'));
  const [first, ...others] = volumes;
  if (volumes.length === 0) throw new CryoetPicksError('invalid-option', 'meanOf needs at least one volume');
  const sum = floatCopy(first, 'meanOf');
  for (const other of others) ops.addeq(sum, matching(other, first, 'meanOf'));
  ops.divseq(sum, volumes.length);
  return sum;
}

/** Computes the voxelwise difference `a − b` of two volumes of one shape, as float32. @throws `invalid-option` if the shapes differ. */
export function differenceOf(a: VolumeLike, b: VolumeLike): NdArray<Float32Array> {
  const difference = floatCopy(a, 'differenceOf');
  ops.subeq(difference, matching(b, a, 'differenceOf'));
  return difference;
}

/** Returns a float32 copy with each voxel negated, for networks trained on the opposite contrast. */
export function invertContrast(volume: VolumeLike): NdArray<Float32Array> {
  const copy = floatCopy(volume, 'invertContrast');
  ops.negeq(copy);
  return copy;
}

/**
 * Returns a float32 copy, each voxel multiplied by that of a mask of the same shape (0 and 1, or values between).
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the shapes differ.
 */
export function maskedBy(volume: VolumeLike, mask: VolumeLike): NdArray<Float32Array> {
  const copy = floatCopy(volume, 'maskedBy');
  ops.muleq(copy, matching(mask, volume, 'maskedBy'));
  return copy;
}

function floatCopy(volume: VolumeLike, call: string): NdArray<Float32Array> {
  return toNdarray(toFloat32(asVolume(volume, call, 'volume')));
}

function matching(volume: VolumeLike, reference: VolumeLike, call: string): NdArray<Float32Array> {
  const { data, shape, stride, offset } = asVolume(volume, call, 'volume');
  if (!sameZyx(shape, asVolume(reference).shape)) {
    throw new CryoetPicksError(
      'invalid-option',
      `volumes of shape ${formatZyx(reference.shape)} and ${formatZyx(shape)} cannot be combined voxel by voxel`,
    );
  }
  return data instanceof Float32Array ? ndarray(data, [...shape], [...stride], offset) : floatCopy(volume, call);
}
