/**
 * Slices of a tomogram with picks drawn over them, as a PNG or an SVG.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
export {
  type FigureFormat,
  type FigureObject,
  type FigureOptions,
  figureFormat,
  figureObjects,
  renderFigure,
} from '../figure/figure.ts';
