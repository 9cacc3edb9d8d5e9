/**
 * Volumes as arrays of the `ndarray` package, and back, without copying; and the elementwise work on whole tomograms that
 * comes up before picking. Apart from the core, because `ndarray` compiles code while it runs, which a page with a strict
 * Content-Security-Policy forbids.
 *
 * @example
 * ```ts
 * import { fromNdarray, toNdarray } from 'cryoet-picks/ndarray';
 *
 * const { shape, voxelSize } = tomogram.grid;
 * const array = toNdarray(await tomogram.read({ start: [0, 0, 0], end: shape }));
 * const slice = array.pick(92, null, null); // a view: z = 92
 * const [z, y, x] = voxelSize;
 * const source = sourceFromArray(array.step(1, 2, 2), { voxelSize: [z, 2 * y, 2 * x] }); // every second voxel along y and x
 * ```
 *
 * @module cryoet-picks/ndarray
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
export {
  differenceOf,
  fromNdarray,
  invertContrast,
  maskedBy,
  meanOf,
  type SharedData,
  toNdarray,
} from '../volume/ndarray.ts';
