import type { Box, Zyx } from '../space/zyx.ts';
import type { Peak } from './local-maxima.ts';
import { fromSweepOrder, type Plane, type Sweep, voxelAt } from './sweep.ts';
import type { Linked } from './union-find.ts';

/**
 * A connected group of voxels. As a {@link Peak} it lies at its centroid and has its best score, so `toPick` takes it.
 */
export interface Component extends Peak {
  /** Mean index of its voxels, fractional. */
  readonly voxel: Zyx;
  /** Its best score. */
  readonly score: number;
  /** Number of its voxels. */
  readonly voxels: number;
  /** Mean index weighted by score, negative scores as 0; the centroid where the weights have no positive finite sum. */
  readonly weightedCentroid: Zyx;
  /** Where the best score is; among equals the lowest (z, y, x). */
  readonly bestVoxel: Zyx;
  /** Smallest box that holds it. */
  readonly box: Box;
}

/** What a component holds while it may still grow; sums and extents along (sweep axis, rows, columns). */
export interface Growing extends Linked<Growing> {
  voxels: number;
  lastPlane: number;
  best: number;
  /** C-order index of the best voxel. */
  bestIndex: number;
  weight: number;
  readonly sum: Triple;
  readonly weightedSum: Triple;
  readonly first: Triple;
  readonly last: Triple;
  /** Its voxels, where they are kept. */
  foreground: Kept | undefined;
}

/** The voxels of a growing component, kept by whoever wants them. */
export interface Kept {
  /** Takes in those of a component that was found to be the same; the two are given up for the result. */
  join(other: Kept | undefined): Kept;
}

type Triple = [plane: number, row: number, column: number];

/** A component without voxels yet, a set of its own. */
export function openComponent(age: number): Growing {
  const component = {
    age,
    voxels: 0,
    lastPlane: -1,
    best: Number.NEGATIVE_INFINITY,
    bestIndex: Number.POSITIVE_INFINITY,
    weight: 0,
    sum: [0, 0, 0],
    weightedSum: [0, 0, 0],
    first: [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    last: [-1, -1, -1],
    foreground: undefined,
  } as unknown as Growing;
  component.parent = component;
  return component;
}

/** Unites two roots under the older one. */
export function joinComponents(a: Growing, b: Growing): Growing {
  if (a === b) return a;
  const [root, child] = a.age < b.age ? [a, b] : [b, a];
  child.parent = root;
  root.voxels += child.voxels;
  root.weight += child.weight;
  root.lastPlane = Math.max(root.lastPlane, child.lastPlane);
  if (child.best > root.best || (child.best === root.best && child.bestIndex < root.bestIndex)) {
    root.best = child.best;
    root.bestIndex = child.bestIndex;
  }
  for (let axis = 0; axis < 3; axis++) {
    root.sum[axis] += child.sum[axis];
    root.weightedSum[axis] += child.weightedSum[axis];
    root.first[axis] = Math.min(root.first[axis], child.first[axis]);
    root.last[axis] = Math.max(root.last[axis], child.last[axis]);
  }
  root.foreground = root.foreground?.join(child.foreground);
  return root;
}

/** Adds the voxels of columns `start … end − 1` of a row to a root. */
export function addRun(
  component: Growing,
  { data, offset, rowStride, columnStride }: Plane,
  { planeStep, rowStep, columnStep }: Sweep,
  plane: number,
  row: number,
  start: number,
  end: number,
): void {
  const length = end - start;
  let weight = 0;
  let weightedColumns = 0;
  let index = plane * planeStep + row * rowStep + start * columnStep;
  let i = offset + row * rowStride + start * columnStride;
  for (let column = start; column < end; column++, i += columnStride, index += columnStep) {
    const score = data[i];
    if (score > component.best || (score === component.best && index < component.bestIndex)) {
      component.best = score;
      component.bestIndex = index;
    }
    if (score <= 0) continue;
    weight += score;
    weightedColumns += score * column;
  }
  const { sum, weightedSum, first, last } = component;
  component.voxels += length;
  component.weight += weight;
  component.lastPlane = plane;
  sum[0] += length * plane;
  sum[1] += length * row;
  sum[2] += (length * (start + end - 1)) / 2;
  weightedSum[0] += weight * plane;
  weightedSum[1] += weight * row;
  weightedSum[2] += weightedColumns;
  first[0] = Math.min(first[0], plane);
  first[1] = Math.min(first[1], row);
  first[2] = Math.min(first[2], start);
  last[0] = Math.max(last[0], plane);
  last[1] = Math.max(last[1], row);
  last[2] = Math.max(last[2], end - 1);
}

/** The component that has stopped growing. */
export function toComponent(component: Growing, sweep: Sweep, classIndex: number): Component {
  const { voxels, sum, weight, weightedSum, first, last, best, bestIndex } = component;
  const zyx = ([plane, row, column]: Triple, divisor: number, plus: number): Zyx =>
    fromSweepOrder(sweep, plane / divisor + plus, row / divisor + plus, column / divisor + plus);
  const weigh = weight > 0 && weight < Number.POSITIVE_INFINITY;
  return {
    grid: sweep.grid,
    classIndex,
    voxel: zyx(sum, voxels, 0),
    score: best,
    voxels,
    weightedCentroid: weigh ? zyx(weightedSum, weight, 0) : zyx(sum, voxels, 0),
    bestVoxel: voxelAt(bestIndex, sweep.grid.shape),
    box: { start: zyx(first, 1, 0), end: zyx(last, 1, 1) },
  };
}
