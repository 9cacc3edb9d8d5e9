import type { Zyx } from '../space/zyx.ts';
import { type Linked, type Offsets, offsetAt, type Plane, rootOf, type Sweep, splitEnded } from './sweep.ts';

/** Connected voxels of one score. */
export interface Plateau extends Linked<Plateau> {
  readonly score: number;
  /** C-order index of its lowest voxel. */
  lowest: number;
  /** The offset of its lowest voxel, if the slabs have offsets. */
  offset: Zyx | undefined;
  /** True once one of its voxels is known to have a higher neighbour: the plateau is no maximum. */
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
  readonly #sweep: Sweep;
  #before: TiedVoxels;
  #current: TiedVoxels;
  #open: Plateau[] = [];
  #count = 0;

  constructor(sweep: Sweep) {
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
  ): Plateau[] {
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
  finish(): Plateau[] {
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
      const lowest = index * planeStep + row * rowStep + column * columnStep;
      const left = column > 0 ? plateaus[voxel - 1] : undefined;
      const above = plateaus[voxel - columns];
      const known = left?.score === score ? left : above?.score === score ? above : undefined;
      const plateau = known ?? this.#openPlateau(score, index);
      if (lowest < plateau.lowest) {
        plateau.lowest = lowest;
        plateau.offset = offsets && offsetAt(offsets, row, column);
      }
      plateaus[voxel] = plateau;
    }
  }

  #openPlateau(score: number, lastPlane: number): Plateau {
    const lowest = Number.POSITIVE_INFINITY;
    const plateau = {
      score,
      lowest,
      offset: undefined,
      lastPlane,
      beaten: false,
      age: this.#count++,
    } as unknown as Plateau;
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
          else plateau.beaten = true;
        }
      }
      from.plateaus[voxel] = plateau;
    }
  }

  #close(index: number): Plateau[] {
    const { open, ended } = splitEnded(this.#open, index);
    this.#open = open;
    return ended.filter(({ beaten }) => !beaten);
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

/** Unites two roots under the older one. */
function join(a: Plateau, b: Plateau): Plateau {
  if (a === b) return a;
  const [root, child] = a.age < b.age ? [a, b] : [b, a];
  child.parent = root;
  root.beaten ||= child.beaten;
  if (child.lowest < root.lowest) {
    root.lowest = child.lowest;
    root.offset = child.offset;
  }
  root.lastPlane = Math.max(root.lastPlane, child.lastPlane);
  return root;
}
