import { type Axis, facesOf, type Point, toPhysical, toVoxel, type VoxelGrid } from '../entry/index.ts';

/** A view of the volume along one of its axes. */
export interface Plane {
  readonly name: 'xy' | 'xz' | 'zy';
  /** The axis that it cuts, and the one that runs down and to the right on the screen: 0 is z, 1 is y, 2 is x. */
  readonly across: Axis;
  readonly down: Axis;
  readonly right: Axis;
}

/** The slices lie as a drawing of three views: x of xy and xz, and y of xy and zy, are in line. */
export const planes: Readonly<Record<Plane['name'], Plane>> = {
  xy: { name: 'xy', across: 0, down: 1, right: 2 },
  xz: { name: 'xz', across: 1, down: 0, right: 2 },
  zy: { name: 'zy', across: 2, down: 1, right: 0 },
};

const axes: readonly Axis[] = [0, 1, 2];

const letters = ['z', 'y', 'x'] as const;

/** The name of an axis. */
export function letterOf(axis: Axis): 'z' | 'y' | 'x' {
  return letters[axis];
}

/** A coordinate of a point along an axis. */
export function along(point: Point, axis: Axis): number {
  return point[letters[axis]];
}

/** The point with another coordinate along an axis. */
export function withAlong(point: Point, axis: Axis, value: number): Point {
  return { ...point, [letters[axis]]: value };
}

/** How far two points are from each other. */
export function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z);
}

/** Index of the plane of voxels nearest to a position along an axis; the outermost ones for positions outside. */
export function planeIndex(grid: VoxelGrid, axis: Axis, position: Point): number {
  const index = Math.round(toVoxel(grid, position)[axis]);
  return Math.min(grid.shape[axis] - 1, Math.max(0, index));
}

/** Position of a plane of voxels along its axis, in Å. */
export function planePosition(grid: VoxelGrid, axis: Axis, index: number): number {
  return along(toPhysical(grid, [index, index, index]), axis);
}

/** Where the voxels of a grid begin and end along an axis, in Å. */
export function extentAlong(grid: VoxelGrid, axis: Axis): { readonly start: number; readonly end: number } {
  const { lowest, highest } = facesOf(grid);
  return { start: along(lowest, axis), end: along(highest, axis) };
}

/** True for a point within the voxels of a grid. */
export function isWithin(grid: VoxelGrid, point: Point): boolean {
  return axes.every((axis) => {
    const { start, end } = extentAlong(grid, axis);
    return along(point, axis) >= start && along(point, axis) <= end;
  });
}

/** The point in the middle of a grid. */
export function middleOf(grid: VoxelGrid): Point {
  const middle = (axis: Axis) => (extentAlong(grid, axis).start + extentAlong(grid, axis).end) / 2;
  return { z: middle(0), y: middle(1), x: middle(2) };
}

/** How a plane lies on the screen: the point in the middle, and screen pixels per Å. All three planes share both. */
export interface Camera {
  readonly center: Point;
  readonly zoom: number;
}

/** A panel's size in screen pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A place in a panel, from its top left, in screen pixels. */
export interface Spot {
  readonly left: number;
  readonly top: number;
}

/** Where a position shows in a panel. */
export function spotOf({ down, right }: Plane, { center, zoom }: Camera, { width, height }: Size, at: Point): Spot {
  return {
    left: width / 2 + (along(at, right) - along(center, right)) * zoom,
    top: height / 2 + (along(at, down) - along(center, down)) * zoom,
  };
}

/** The position that shows at a place of a panel; across the plane it is that of `on`. */
export function pointAt({ down, right }: Plane, camera: Camera, { width, height }: Size, spot: Spot, on: Point): Point {
  const { center, zoom } = camera;
  const moved = withAlong(on, right, along(center, right) + (spot.left - width / 2) / zoom);
  return withAlong(moved, down, along(center, down) + (spot.top - height / 2) / zoom);
}

/** Screen pixels per Å at which a plane of a grid just fits a panel, with a little space around. */
export function fittingZoom({ down, right }: Plane, grid: VoxelGrid, { width, height }: Size): number {
  const length = (axis: Axis) => grid.shape[axis] * grid.voxelSize[axis];
  return 0.98 * Math.min(width / length(right), height / length(down));
}

/** Space for the slices on the screen: along x and y that of the xy panel, along z the width of the zy panel. */
export interface Panels extends Size {
  readonly depth: number;
}

/**
 * A point to put into the middle, near a wanted one, so that no space is wasted: along each axis the volume fills its panel, or lies
 * in its middle if it is smaller.
 */
export function centerNear(wanted: Point, grid: VoxelGrid, zoom: number, { width, height, depth }: Panels): Point {
  const near = (axis: Axis, length: number) => {
    const { start, end } = extentAlong(grid, axis);
    const half = length / 2 / zoom;
    if (end - start <= 2 * half) return (start + end) / 2;
    return Math.min(end - half, Math.max(start + half, along(wanted, axis)));
  };
  return { z: near(0, depth), y: near(1, height), x: near(2, width) };
}

/** A length of 1, 2 or 5 times a power of ten, in Å, that is 60 to 150 screen pixels long. */
export function scaleBarLength(zoom: number): number {
  const most = 150 / zoom;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * ([5, 2, 1].find((factor) => factor * power <= most) ?? 1);
}
