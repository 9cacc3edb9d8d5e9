/**
 * Slices of a tomogram with picks drawn over them, as a PNG.
 *
 * @module
 */

export { type FigureObject, type FigureOptions, renderFigure } from './figure.ts';
export { figureObjects } from './objects.ts';
