/**
 * What to do with scores and picks beyond the plain chain: smooth scores, place peaks between voxels, split particles that
 * touch, and cluster picks.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from './errors.ts';
export { quadraticFit } from './peaks/quadratic-fit.ts';
export { type SmoothedOptions, smoothed } from './peaks/smoothed.ts';
export { type SplitTouchingOptions, splitTouching } from './peaks/split-touching.ts';
export { type Clusters, type DbscanOptions, dbscan } from './picks/dbscan.ts';
export { type MeanShiftOptions, meanShift } from './picks/mean-shift.ts';
