import type { Zyx } from '../space/grid.ts';
import {
  type Linked,
  type Offsets,
  offsetAt,
  type Plane,
  type PlaneSweep,
  rootOf,
  splitEnded,
  voxelAt,
} from './planes.ts';

/** A plateau that no neighbour exceeds: the peak that stands for it. */
export interface PlateauPeak {
  readonly score: number;
  /** C-order index of the voxel nearest to the centroid of the plateau, in Å; among equally near ones the lowest. */
  readonly centre: number;
  /** The offset of that voxel, if the slabs have offsets and the plateau has at most {@link MAX_OFFSET_VOXELS} voxels. */
  readonly offset: Zyx | undefined;
}

/** Plateaus of more voxels than this, a ball 62 voxels across, keep no offsets: no particle saturates that far. */
export const MAX_OFFSET_VOXELS: number = 2 ** 17;

/** Connected voxels of one score. */
interface Plateau extends Linked<Plateau> {
  readonly score: number;
  /** Number of its voxels. */
  voxels: number;
  /** Its voxels as runs along rows of the sweep: C-order index of the first voxel and number of voxels, one after the other. */
  runs: number[];
  /** The offset of each voxel along z, y, x, in the order of the runs. */
  offsets: number[];
  /** True once one of its voxels is known to have a higher neighbour: the plateau is not a maximum, and its voxels are dropped. */
  beaten: boolean;
  lastPlane: number;
}

/**
 * Joins voxels that tie with a neighbour to plateaus, plane by plane.
 *
 * It gets only tied voxels that no neighbour exceeds. That suffices: if some voxel of a plateau is exceeded, then,
 * the plateau being connected, each group of its voxels that are not has an exceeded voxel of the same score beside it.
 * So a group is a maximum exactly if all its neighbours of the same score are given too.
 */
export class PlateauTracker {
  readonly #sweep: PlaneSweep;
  #before: TiedVoxels;
  #current: TiedVoxels;
  #open: Plateau[] = [];
  #count = 0;

  constructor(sweep: PlaneSweep) {
    this.#sweep = sweep;
    this.#before = { voxels: [], plateaus: [] };
    this.#current = { voxels: [], plateaus: [] };
  }

  /**
   * Takes the tied voxels of the next plane, as ascending `row · columns + column`, and returns the plateaus that
   * ended on the plane before and are maxima, by the order in which the sweep met them.
   */
  advance(
    index: number,
    tied: readonly number[],
    [planeBefore, plane]: readonly [Plane | undefined, Plane, ...unknown[]],
    offsets: Offsets | undefined,
  ): PlateauPeak[] {
    [this.#before, this.#current] = [this.#current, this.#before];
    for (const voxel of this.#current.voxels) this.#current.plateaus[voxel] = undefined;
    this.#current.voxels = tied;
    if (tied.length === 0 && this.#open.length === 0) return [];
    if (tied.length > 0 && this.#current.plateaus.length === 0) {
      this.#current.plateaus = new Array(this.#sweep.rows * this.#sweep.columns);
    }
    this.#label(index, plane, offsets);
    this.#joinNeighbours(this.#current, plane, this.#current, plane);
    if (planeBefore) {
      this.#joinNeighbours(this.#current, plane, this.#before, planeBefore);
      this.#joinNeighbours(this.#before, planeBefore, this.#current, plane);
    }
    return this.#close(index);
  }

  /** Ends the sweep: the maxima among the plateaus that reach the last plane. */
  finish(): PlateauPeak[] {
    return this.#close(Number.POSITIVE_INFINITY);
  }

  /** Gives each tied voxel the plateau of the voxel before it or above it, or a new one. */
  #label(index: number, plane: Plane, offsets: Offsets | undefined): void {
    const { columns, planeStep, rowStep, columnStep } = this.#sweep;
    const { voxels, plateaus } = this.#current;
    for (const voxel of voxels) {
      const column = voxel % columns;
      const row = (voxel - column) / columns;
      const score = scoreAt(plane, row, column);
      const left = column > 0 ? plateaus[voxel - 1] : undefined;
      const above = plateaus[voxel - columns];
      const isRunning = left?.score === score;
      const known = isRunning ? left : above?.score === score ? above : undefined;
      const plateau = known ?? this.#openPlateau(score, index);
      plateaus[voxel] = plateau;
      plateau.voxels++;
      // Voxels come row by row, so the plateau of the voxel on the left took that one last.
      if (isRunning) plateau.runs[plateau.runs.length - 1]!++;
      else plateau.runs.push(index * planeStep + row * rowStep + column * columnStep, 1);
      if (offsets) keepOffset(plateau, offsetAt(offsets, row, column));
    }
  }

  #openPlateau(score: number, lastPlane: number): Plateau {
    const age = this.#count++;
    const plateau = { score, voxels: 0, runs: [], offsets: [], lastPlane, beaten: false, age } as unknown as Plateau;
    plateau.parent = plateau;
    this.#open.push(plateau);
    return plateau;
  }

  /** Joins each voxel of `from` with its neighbours of the same score in `to`; one that is not tied there has been beaten. */
  #joinNeighbours(from: TiedVoxels, fromPlane: Plane, to: TiedVoxels, toPlane: Plane): void {
    const { rows, columns } = this.#sweep;
    const { data, offset, rowStride, columnStride } = toPlane;
    for (const voxel of from.voxels) {
      const column = voxel % columns;
      const row = (voxel - column) / columns;
      const score = scoreAt(fromPlane, row, column);
      const lastRow = Math.min(row + 1, rows - 1);
      const lastColumn = Math.min(column + 1, columns - 1);
      let plateau = rootOf(from.plateaus[voxel] as Plateau);
      for (let r = Math.max(row - 1, 0); r <= lastRow; r++) {
        for (let c = Math.max(column - 1, 0); c <= lastColumn; c++) {
          if (data[offset + r * rowStride + c * columnStride] !== score) continue;
          const other = to.plateaus[r * columns + c];
          if (other === plateau) continue;
          if (other) plateau = join(plateau, rootOf(other));
          else beat(plateau);
        }
      }
      from.plateaus[voxel] = plateau;
    }
  }

  #close(index: number): PlateauPeak[] {
    const { open, ended } = splitEnded(this.#open, index);
    this.#open = open;
    return ended.filter(({ beaten }) => !beaten).map((plateau) => peakOf(plateau, this.#sweep));
  }
}

/** The tied voxels of one plane, and the plateau of each, by `row · columns + column`. */
interface TiedVoxels {
  voxels: readonly number[];
  plateaus: (Plateau | undefined)[];
}

function scoreAt({ data, offset, rowStride, columnStride }: Plane, row: number, column: number): number {
  return data[offset + row * rowStride + column * columnStride];
}

function keepOffset(plateau: Plateau, [z, y, x]: Zyx): void {
  if (plateau.voxels <= MAX_OFFSET_VOXELS) plateau.offsets.push(z, y, x);
  else plateau.offsets = [];
}

/** Marks a root as no maximum. */
function beat(plateau: Plateau): void {
  plateau.beaten = true;
  plateau.runs = [];
  plateau.offsets = [];
}

/** Unites two roots under the older one. */
function join(a: Plateau, b: Plateau): Plateau {
  if (a === b) return a;
  const [root, child] = a.age < b.age ? [a, b] : [b, a];
  child.parent = root;
  root.voxels += child.voxels;
  root.lastPlane = Math.max(root.lastPlane, child.lastPlane);
  if (root.beaten || child.beaten) {
    beat(root);
  } else {
    // Appends the shorter to the longer, so that a run moves only a few times however often plateaus join.
    const [into, from] = root.runs.length >= child.runs.length ? [root, child] : [child, root];
    for (const value of from.runs) into.runs.push(value);
    if (root.voxels <= MAX_OFFSET_VOXELS) for (const value of from.offsets) into.offsets.push(value);
    else into.offsets = [];
    root.runs = into.runs;
    root.offsets = into.offsets;
  }
  child.runs = [];
  child.offsets = [];
  return root;
}

/** The voxel of a plateau that is nearest to its centroid. */
function peakOf({ score, voxels, runs, offsets }: Plateau, { grid, columnAxis, columnStep }: PlaneSweep): PlateauPeak {
  const sum = [0, 0, 0];
  for (let run = 0; run < runs.length; run += 2) {
    const [first, length] = [runs[run], runs[run + 1]];
    const voxel = voxelAt(first, grid.shape);
    for (let axis = 0; axis < 3; axis++) sum[axis] += voxel[axis] * length;
    sum[columnAxis] += (length * (length - 1)) / 2;
  }
  // Edges relative to the shortest are 1 in cubic voxels, so that equal distances are equal to the last bit.
  const shortest = Math.min(...grid.voxelSize);
  const edges = grid.voxelSize.map((edge) => edge / shortest);
  let nearest = Number.POSITIVE_INFINITY;
  let centre = -1;
  let order = -1;
  for (let run = 0, before = 0; run < runs.length; run += 2) {
    const [first, length] = [runs[run], runs[run + 1]];
    const voxel = voxelAt(first, grid.shape);
    // Of a run, one of the two voxels beside the foot of the perpendicular is nearest.
    const foot = Math.floor(sum[columnAxis] / voxels) - voxel[columnAxis];
    for (let step = 0; step < 2; step++) {
      const along = Math.min(Math.max(foot + step, 0), length - 1);
      let distance = 0;
      for (let axis = 0; axis < 3; axis++) {
        const index = voxel[axis] + (axis === columnAxis ? along : 0);
        distance += ((index * voxels - sum[axis]) * edges[axis]) ** 2;
      }
      const index = first + along * columnStep;
      if (distance > nearest || (distance === nearest && index >= centre)) continue;
      nearest = distance;
      centre = index;
      order = before + along;
    }
    before += length;
  }
  const [z, y, x] = offsets.slice(3 * order, 3 * order + 3);
  return { score, centre, offset: z === undefined ? undefined : [z, y, x] };
}
