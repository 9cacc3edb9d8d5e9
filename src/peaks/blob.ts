import type { VoxelGrid } from '../space/grid.ts';
import type { Zyx } from '../space/zyx.ts';
import type { Component, Growing } from './component.ts';
import type { Foreground } from './foreground.ts';
import { fromSweepOrder, type Sweep } from './sweep.ts';

/** A component cut out: the voxels of its box, with a margin of one voxel wherever the volume goes on. */
export interface Blob {
  /** The voxel of the volume that is the first of the box. */
  readonly start: Zyx;
  readonly shape: Zyx;
  /** C-order `[z, y, x]`: 1 inside the component. */
  readonly mask: Uint8Array;
  /** C-order indices of its voxels in the box, ascending, and the score of each. */
  readonly voxels: Int32Array;
  readonly scores: Float64Array;
}

/** Cuts a component out, of which the voxels were kept. */
export function blobOf(component: Growing, sweep: Sweep): Blob {
  const { shape: whole } = sweep.grid;
  const first = fromSweepOrder(sweep, ...component.first);
  const last = fromSweepOrder(sweep, ...component.last);
  const start = first.map((n) => Math.max(n - 1, 0)) as unknown as Zyx;
  const shape = last.map((n, axis) => Math.min(n + 2, whole[axis]) - start[axis]) as unknown as Zyx;
  const mask = new Uint8Array(shape[0] * shape[1] * shape[2]);
  const { places, scores } = placesOf(component.foreground as Foreground, sweep, { start, shape });
  const order = Uint32Array.from(places, (_, i) => i).sort((a, b) => places[a] - places[b]);
  const voxels = new Int32Array(places.length);
  const ordered = new Float64Array(places.length);
  order.forEach((from, to) => {
    voxels[to] = places[from];
    ordered[to] = scores[from];
    mask[places[from]] = 1;
  });
  return { start, shape, mask, voxels, scores: ordered };
}

/** The C-order index, in a box, of each voxel of a foreground, in the order of its runs. */
function placesOf(
  { runs, scores }: Foreground,
  sweep: Sweep,
  { start, shape: [, height, width] }: Pick<Blob, 'start' | 'shape'>,
): { places: Int32Array; scores: readonly number[] } {
  const places = new Int32Array(scores.length);
  const step = fromSweepOrder(sweep, 0, 0, 1);
  const columnStep = (step[0] * height + step[1]) * width + step[2];
  let n = 0;
  for (let r = 0; r < runs.length; r += 4) {
    const [z, y, x] = fromSweepOrder(sweep, runs[r], runs[r + 1], runs[r + 2]);
    let index = ((z - start[0]) * height + y - start[1]) * width + x - start[2];
    for (let column = runs[r + 2]; column < runs[r + 3]; column++, index += columnStep) places[n++] = index;
  }
  return { places, scores };
}

/** Where parts lie, and what they are parts of. */
export interface PartContext {
  /** Number of labels. */
  readonly count: number;
  readonly grid: VoxelGrid;
  readonly classIndex: number;
}

interface Part {
  voxels: number;
  weight: number;
  best: number;
  bestVoxel: Zyx;
  readonly sum: [number, number, number];
  readonly weightedSum: [number, number, number];
  readonly first: [number, number, number];
  readonly last: [number, number, number];
}

/** The parts of a blob as components: part i has the voxels with label i + 1. */
export function measureParts(
  { start, shape: [, height, width], voxels, scores }: Blob,
  labels: Int32Array,
  { count, grid, classIndex }: PartContext,
): Component[] {
  const parts = Array.from({ length: count }, emptyPart);
  voxels.forEach((index, i) => {
    const label = labels[index];
    if (label === 0) return;
    const x = index % width;
    const row = (index - x) / width;
    const y = row % height;
    addVoxel(parts[label - 1], [start[0] + (row - y) / height, start[1] + y, start[2] + x], scores[i]);
  });
  return parts.map(({ voxels: size, weight, best, bestVoxel, sum, weightedSum, first, last }) => {
    const voxel = mean(sum, size);
    const isWeighted = weight > 0 && weight < Number.POSITIVE_INFINITY;
    const weightedCentroid = isWeighted ? mean(weightedSum, weight) : voxel;
    const box = { start: mean(first, 1), end: [last[0] + 1, last[1] + 1, last[2] + 1] as const };
    return { grid, classIndex, voxel, score: best, voxels: size, weightedCentroid, bestVoxel, box };
  });
}

function emptyPart(): Part {
  return {
    voxels: 0,
    weight: 0,
    best: Number.NEGATIVE_INFINITY,
    bestVoxel: [0, 0, 0],
    sum: [0, 0, 0],
    weightedSum: [0, 0, 0],
    first: [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    last: [-1, -1, -1],
  };
}

function addVoxel(part: Part, voxel: Zyx, score: number): void {
  // The first of equals stays: voxels come in C-order.
  if (part.voxels === 0 || score > part.best) {
    part.best = score;
    part.bestVoxel = voxel;
  }
  const weight = Math.max(score, 0);
  part.voxels++;
  part.weight += weight;
  for (let axis = 0; axis < 3; axis++) {
    part.sum[axis] += voxel[axis];
    part.weightedSum[axis] += weight * voxel[axis];
    part.first[axis] = Math.min(part.first[axis], voxel[axis]);
    part.last[axis] = Math.max(part.last[axis], voxel[axis]);
  }
}

function mean([z, y, x]: readonly [number, number, number], divisor: number): Zyx {
  return [z / divisor, y / divisor, x / divisor];
}
