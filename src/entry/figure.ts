/**
 * Slices of a tomogram with picks drawn over them, as a PNG.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
export { type FigureObject, type FigureOptions, figureObjects, renderFigure } from '../figure/figure.ts';
