import { CryoetPicksError } from '../core/errors.ts';
import { showJson, showList } from '../core/json.ts';

/** Three numbers in voxel space, slowest axis first: an index, a shape, a stride. Never a position in Å. */
export type Zyx = readonly [z: number, y: number, x: number];

/** An axis of voxel space: 0 is z, 1 is y, 2 is x. */
export type Axis = 0 | 1 | 2;

/** A half-open box of voxels: `start` belongs to it, `end` does not. */
export interface Box {
  readonly start: Zyx;
  readonly end: Zyx;
}

/** The box that holds every voxel of an array of this shape. */
export function wholeBox(shape: Zyx): Box {
  return { start: [0, 0, 0], end: shape };
}

/** True for a box of whole numbers inside an array of this shape; false for anything else. */
function isInside(box: Box, shape: Zyx): boolean {
  const { start, end } = box ?? {};
  return (
    start?.length === 3 &&
    end?.length === 3 &&
    shape.every((extent, i) => {
      const [from, to] = [start[i]!, end[i]!];
      return Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= extent;
    })
  );
}

/** The extent of a box along z, y, x; negative extents count as 0. */
export function boxShape({ start, end }: Box): Zyx {
  return [Math.max(0, end[0] - start[0]), Math.max(0, end[1] - start[1]), Math.max(0, end[2] - start[2])];
}

/** The voxels that two boxes share; empty (`end` ≤ `start` along some axis) where they do not meet. */
export function intersectBoxes(a: Box, b: Box): Box {
  return {
    start: [Math.max(a.start[0], b.start[0]), Math.max(a.start[1], b.start[1]), Math.max(a.start[2], b.start[2])],
    end: [Math.min(a.end[0], b.end[0]), Math.min(a.end[1], b.end[1]), Math.min(a.end[2], b.end[2])],
  };
}

/** Number of voxels of an array of this shape. */
export function voxelCount(shape: Zyx): number {
  return shape[0] * shape[1] * shape[2];
}

/** Strides, in elements, of a C-order array of this shape. */
export function contiguousStride(shape: Zyx): Zyx {
  return [shape[1] * shape[2], shape[2], 1];
}

/** A shape with another length along one axis. */
export function replaceAxis([z, y, x]: Zyx, axis: Axis, length: number): Zyx {
  return [axis === 0 ? length : z, axis === 1 ? length : y, axis === 2 ? length : x];
}

/** True if both triples hold the same numbers. */
export function sameZyx(a: Zyx, b: Zyx): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
}

/** Formats a triple for messages: `184×630×630`. */
export function formatZyx(zyx: readonly (number | string)[]): string {
  // Computed lengths have digits that mean nothing.
  const shown = (value: number | string) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
  return zyx.map(shown).join('×');
}

/** The longest axis of a volume, the first one of equal length: tiles are swept along it. */
export function longestAxis(shape: Zyx): Axis {
  return shape.indexOf(Math.max(...shape)) as Axis;
}

/** Options of {@link requireInside}. */
export interface InsideOptions {
  readonly shape: Zyx;
  /** For messages: `the volume`. */
  readonly where: string;
}

/** @throws {@link CryoetPicksError} `invalid-option` unless the box lies inside an array of this shape. */
export function requireInside(box: Box, options: InsideOptions): void {
  if (!isInside(box, options.shape)) throw outsideError(box, options);
}

/** Says what is wrong with a box for which {@link isInside} is false. */
function outsideError(box: Box, { shape, where }: InsideOptions): CryoetPicksError {
  return new CryoetPicksError('invalid-option', describe(box ?? {}, `${where}, ${formatZyx(shape)} voxels`, box));
}

function describe({ start, end }: Partial<Box>, where: string, given: unknown): string {
  if (start?.length !== 3 || end?.length !== 3) {
    return `expected a box { start: [z, y, x], end: [z, y, x] } of ${where}, found ${showJson(given)}`;
  }
  const found = `box from ${showList(Array.from(start))} to ${showList(Array.from(end))}`;
  if (![...start, ...end].every(Number.isInteger))
    return `${found} is not in whole numbers, as a box of ${where} must be`;
  if (start.some((from, axis) => from > end[axis]!)) return `${found} of ${where}, ends before it starts`;
  return `${found} does not lie in ${where}`;
}
