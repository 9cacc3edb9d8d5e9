import {
  describeValue,
  grid as gridRule,
  indexRule,
  isIndex,
  isPlacement,
  isPoint,
  placement as placementRule,
  point,
  positiveCount,
  requireArgument,
  voxelSizeRule,
} from '../core/arguments.ts';
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

/**
 * True if two lengths, or voxel sizes along z, y, x, agree: they are 1 % apart at most, along every axis. Two sources of one number,
 * such as an option and a header, differ by as much in rounding. NaN agrees with nothing.
 */
export function sizesAgree(a: number | Zyx, b: number | Zyx): boolean {
  const along = (size: number | Zyx, axis: Axis) => (typeof size === 'number' ? size : size[axis]);
  return ([0, 1, 2] as const).every((axis) => {
    const [one, other] = [along(a, axis), along(b, axis)];
    return Math.abs(one - other) <= 0.01 * Math.max(one, other);
  });
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

/**
 * Where the voxels of an array lie in physical space.
 *
 * Index i is the centre of voxel i, so `position = index · voxelSize + origin` along each axis, with no half voxel
 * in it. This file is the only place that converts between the two spaces.
 */
export interface VoxelGrid {
  /** Number of voxels along z, y, x. */
  readonly shape: Zyx;
  /** Edge lengths of a voxel along z, y, x, in Å. */
  readonly voxelSize: Zyx;
  /** Position of the centre of voxel (0, 0, 0), in Å. */
  readonly origin: Point;
}

/** The part of a grid that relates voxel indices to positions. */
export type VoxelPlacement = Omit<VoxelGrid, 'shape'>;

/**
 * Converts a voxel index, which may be fractional, to a position in Å.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a grid without voxel size and origin, or an index that is not three numbers.
 */
export function toPhysical(grid: VoxelPlacement, voxel: Zyx): Point {
  if (!isPlacement(grid)) requireArgument('toPhysical', 'grid', grid, placementRule);
  if (!isIndex(voxel)) requireArgument('toPhysical', 'voxel', voxel, indexRule);
  return positionOf(grid, voxel);
}

/** {@link toPhysical} of a grid and an index that were checked before. */
export function positionOf({ voxelSize, origin }: VoxelPlacement, [z, y, x]: Zyx): Point {
  return { x: x * voxelSize[2] + origin.x, y: y * voxelSize[1] + origin.y, z: z * voxelSize[0] + origin.z };
}

/**
 * Converts a position in Å to a fractional voxel index; round it to get the nearest voxel.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a grid without voxel size and origin, or a position that is not a point.
 */
export function toVoxel(grid: VoxelPlacement, position: Point): Zyx {
  if (!isPlacement(grid)) requireArgument('toVoxel', 'grid', grid, placementRule);
  if (!isPoint(position)) requireArgument('toVoxel', 'position', position, point);
  return voxelOf(grid, position);
}

/** {@link toVoxel} of a grid and a position that were checked before. */
export function voxelOf({ voxelSize, origin }: VoxelPlacement, { x, y, z }: Point): Zyx {
  return [(z - origin.z) / voxelSize[0], (y - origin.y) / voxelSize[1], (x - origin.x) / voxelSize[2]];
}

/** Where a volume begins and ends, in Å. */
export interface Faces {
  readonly lowest: Point;
  readonly highest: Point;
}

/**
 * The corners of a volume, lowest and highest along all axes, in Å: half a voxel beyond the centres of its outermost voxels.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for anything but a grid.
 *
 * @example
 * ```ts
 * const { lowest, highest } = facesOf(tomogram.grid);
 * const height = highest.z - lowest.z;
 * ```
 */
export function facesOf(grid: VoxelGrid): Faces {
  requireArgument('facesOf', 'grid', grid, gridRule);
  const [z, y, x] = grid.shape;
  return { lowest: positionOf(grid, [-0.5, -0.5, -0.5]), highest: positionOf(grid, [z - 0.5, y - 0.5, x - 0.5]) };
}

/**
 * Returns the grid of an array that has one value per `factor`³ voxels of `grid`.
 *
 * Cell i covers voxels `factor·i … factor·i + factor − 1` and has their centre, so the origin shifts by
 * `(factor − 1) / 2` voxels. The last cell along an axis may stick out of the grid.
 */
export function coarseGrid(grid: VoxelGrid, factor: number): VoxelGrid {
  requireArgument('coarseGrid', 'grid', grid, gridRule);
  requireArgument('coarseGrid', 'factor', factor, positiveCount);
  const shift = (factor - 1) / 2;
  const [z, y, x] = grid.shape;
  return {
    shape: [Math.ceil(z / factor), Math.ceil(y / factor), Math.ceil(x / factor)],
    voxelSize: [grid.voxelSize[0] * factor, grid.voxelSize[1] * factor, grid.voxelSize[2] * factor],
    origin: positionOf(grid, [shift, shift, shift]),
  };
}

/** A 4×4 matrix, row by row, that maps object space to tomogram space; its last row is 0, 0, 0, 1. Translation in Å. */
export type Transform = readonly (readonly number[])[];

/** A position, or a displacement, in physical space, in Å. */
export interface Point {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** Squared Euclidean distance between two points, in Å². The terms are summed in the order x, y, z, as in the official metric. */
export function squaredDistance(a: Point, b: Point): number {
  const dx = a.x - b.x;
  const dy = a.y - b.y;
  const dz = a.z - b.z;
  return dx * dx + dy * dy + dz * dz;
}

/** Returns a voxel size along z, y, x in Å. @throws {@link CryoetPicksError} `invalid-option` unless all are above 0. */
export function asVoxelSize(voxelSize: number | Zyx): Zyx {
  const triple: Zyx = typeof voxelSize === 'number' ? [voxelSize, voxelSize, voxelSize] : voxelSize;
  if (voxelSizeRule.isValid(triple)) return triple;
  throw new CryoetPicksError(
    'invalid-option',
    `voxelSize is ${describeValue(voxelSize)} Å, expected a length above 0, or three along z, y, x`,
    { option: 'voxelSize' },
  );
}
