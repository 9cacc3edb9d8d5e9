import { CryoetPicksError } from '../errors.ts';
import { showJson, showList } from '../show-json.ts';
import { type Box, formatZyx, isInside, type Zyx } from './zyx.ts';

/** Where a box should lie. */
export interface InsideOptions {
  readonly shape: Zyx;
  /** For messages: `the volume`. */
  readonly where: string;
}

/** Lets a box inside an array pass. @throws {@link CryoetPicksError} `invalid-option` */
export function requireInside(box: Box, options: InsideOptions): void {
  if (!isInside(box, options.shape)) throw outsideError(box, options);
}

/** What is wrong with a box that {@link isInside} refuses. */
export function outsideError(box: Box, { shape, where }: InsideOptions): CryoetPicksError {
  return new CryoetPicksError('invalid-option', describe(box ?? {}, `${where}, ${formatZyx(shape)} voxels`, box));
}

function describe({ start, end }: Partial<Box>, where: string, given: unknown): string {
  if (start?.length !== 3 || end?.length !== 3) {
    return `expected a box { start: [z, y, x], end: [z, y, x] } of ${where}, found ${showJson(given)}`;
  }
  const found = `box from ${showList(Array.from(start))} to ${showList(Array.from(end))}`;
  if (![...start, ...end].every(Number.isInteger)) return `${found} is not of whole numbers, as those of ${where}`;
  if (start.some((from, axis) => from > end[axis]!)) return `${found} of ${where}, ends before it starts`;
  return `${found} does not lie in ${where}`;
}
