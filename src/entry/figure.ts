/**
 * Slices of a tomogram: with picks drawn over them, as a PNG or an SVG, or alone, as pixels for a canvas.
 *
 * @module cryoet-picks/figure
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
export { type Contrast, type SliceImage, type SliceImageOptions, sliceImage } from '../figure/slice-image.ts';
