import {
  abortSignal,
  optional,
  type PerObject,
  perObject,
  positiveCount,
  type RulesFor,
  requireArgument,
  requireOptions,
  stream,
} from '../core/arguments.ts';
import type { Box, Zyx } from '../space/grid.ts';
import type { ScoreSlab } from '../tiles/blend.ts';
import {
  fromSweepOrder,
  type Linked,
  type Peak,
  type Plane,
  type PlaneSweep,
  planesOf,
  rootOf,
  type SearchedClass,
  searchedClasses,
  splitEnded,
  voxelAt,
} from './planes.ts';

/** Options of {@link connectedComponents}. */
export interface ConnectedComponentsOptions {
  /**
   * Minimum score of a voxel that belongs to a component, finite: one number for all objects, or a number by the name of each
   * object to look for.
   */
  readonly threshold: PerObject;
  /**
   * Which voxels are neighbours: those that share a face (6), also an edge (18), also a corner (26).
   * @defaultValue 26
   */
  readonly connectivity?: Connectivity | undefined;
  /**
   * Smaller components are left out.
   * @defaultValue 1
   */
  readonly minVoxels?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds connected groups of voxels that reach a threshold, class by class, while slabs stream in.
 *
 * Run-length labelling with union-find (He et al., "The connected-component labeling problem", Pattern Recognition 70, 2017).
 * Holds two planes of runs per class and the components that still grow. Counts, centroids and boxes do not depend on
 * where slabs are cut nor on the sweep axis (weighted centroids on the axis by rounding). NaN belongs to no component.
 *
 * @param slabs - Scores `[class, z, y, x]`, consecutive along the sweep axis, without gaps, from the first plane to the
 *   last. They are read, not written, and released.
 * @returns Components in voxel space, by the plane along the sweep axis that ends them, then by class, then by their
 *   first voxel in sweep order.
 * @throws {@link CryoetPicksError} `invalid-option` if a threshold is not finite, connectivity or `minVoxels` cannot be,
 *   or slabs leave a gap or end early.
 *
 * @example
 * ```ts
 * for await (const component of connectedComponents(slabs, { threshold: 0.15, minVoxels: 7 })) {
 *   picks.push(toPick(component));                                             // at its centroid
 *   picks.push(toPick({ ...component, voxel: component.bestVoxel }));          // or where it is best
 * }
 * ```
 */
export async function* connectedComponents(
  slabs: AsyncIterable<ScoreSlab> | Iterable<ScoreSlab>,
  options: ConnectedComponentsOptions,
): AsyncGenerator<Component> {
  const call = 'connectedComponents';
  requireArgument(call, 'slabs', slabs, stream);
  const rules = { threshold: perObject, ...componentRules, signal: optional(abortSignal) };
  const { threshold, connectivity = 26, minVoxels = 1, signal } = requireOptions(call, options, rules);
  const chosen = searchedClasses(threshold, call);
  let searches: readonly ComponentSearch[] = [];
  for await (const { sweep, index, channels } of planesOf(call, slabs, signal)) {
    if (index === 0) {
      searches = chosen(sweep.classes).map((searched) => ({
        ...searched,
        sweep,
        growing: new ComponentSweep(sweep, searched.threshold, connectivity, minVoxels),
      }));
    }
    for (const search of searches) yield* ended(search.growing.advance(channels[search.channel]), search);
  }
  for (const search of searches) yield* ended(search.growing.finish(), search);
}

/** The search through one class. */
interface ComponentSearch extends SearchedClass {
  readonly sweep: PlaneSweep;
  readonly growing: ComponentSweep;
}

function ended(components: readonly Growing[], { sweep, object }: ComponentSearch): Component[] {
  return components.map((component) => toComponent(component, sweep, object));
}

/** What the options of all that looks for components must be. */
export const componentRules: RulesFor<Pick<ConnectedComponentsOptions, 'connectivity' | 'minVoxels'>> = {
  connectivity: { expected: '6, 18 or 26', isValid: (value) => [undefined, 6, 18, 26].includes(value as undefined) },
  minVoxels: /* @__PURE__ */ optional(positiveCount),
};

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
  /** Its voxels, if they are kept. */
  foreground: Kept | undefined;
}

/** The voxels of a growing component, for searches that need them. */
interface Kept {
  /** Adds the voxels of a component that turned out to be the same; the result replaces both. */
  join(other: Kept | undefined): Kept;
}

type Triple = [plane: number, row: number, column: number];

/** A component without voxels yet, a set of its own. */
function openComponent(age: number): Growing {
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
function joinComponents(a: Growing, b: Growing): Growing {
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
function addRun(
  component: Growing,
  { data, offset, rowStride, columnStride }: Plane,
  { planeStep, rowStep, columnStep }: PlaneSweep,
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
export function toComponent(component: Growing, sweep: PlaneSweep, object: string): Component {
  const { voxels, sum, weight, weightedSum, first, last, best, bestIndex } = component;
  const zyx = ([plane, row, column]: Triple, divisor: number, plus: number): Zyx =>
    fromSweepOrder(sweep, plane / divisor + plus, row / divisor + plus, column / divisor + plus);
  const weigh = weight > 0 && weight < Number.POSITIVE_INFINITY;
  return {
    grid: sweep.grid,
    object,
    voxel: zyx(sum, voxels, 0),
    score: best,
    voxels,
    weightedCentroid: weigh ? zyx(weightedSum, weight, 0) : zyx(sum, voxels, 0),
    bestVoxel: voxelAt(bestIndex, sweep.grid.shape),
    box: { start: zyx(first, 1, 0), end: zyx(last, 1, 1) },
  };
}

/** Which voxels are neighbours: those that share a face (6), also an edge (18), also a corner (26). */
export type Connectivity = 6 | 18 | 26;

/** Columns, in runs of voxels that reach the threshold, that the gap to a run of a neighbouring row may span; −1: no neighbours. */
interface Reach {
  /** Next row, same plane. */
  readonly row: number;
  /** Same row, next plane. */
  readonly plane: number;
  /** Next row, next plane. */
  readonly both: number;
}

const reachOf: Readonly<Record<Connectivity, Reach>> = {
  6: { row: 0, plane: 0, both: -1 },
  18: { row: 1, plane: 1, both: 0 },
  26: { row: 1, plane: 1, both: 1 },
};

/** The runs of one plane: columns `starts[i] … ends[i] − 1`; those of row r are `rowFirst[r] … rowFirst[r + 1] − 1`. */
interface Runs {
  starts: number[];
  ends: number[];
  components: (Growing | undefined)[];
  readonly rowFirst: Int32Array;
}

/** Grows the components of one class plane by plane, from runs of voxels at or above a threshold. */
export class ComponentSweep {
  readonly #sweep: PlaneSweep;
  readonly #gather: typeof addRun;
  readonly #threshold: number;
  readonly #reach: Reach;
  readonly #minVoxels: number;
  #before: Runs;
  #current: Runs;
  #open: Growing[] = [];
  #count = 0;
  #index = 0;

  /** @param gather - What a run of voxels does to its component. */
  constructor(
    sweep: PlaneSweep,
    threshold: number,
    connectivity: Connectivity,
    minVoxels: number,
    gather: typeof addRun = addRun,
  ) {
    this.#sweep = sweep;
    this.#gather = gather;
    this.#threshold = threshold;
    this.#reach = reachOf[connectivity];
    this.#minVoxels = minVoxels;
    this.#before = noRuns(sweep.rows);
    this.#current = noRuns(sweep.rows);
  }

  /** Takes the next plane and gives the components that ended on the one before. */
  advance(plane: Plane): Growing[] {
    [this.#before, this.#current] = [this.#current, this.#before];
    findRunsInto(plane, this.#sweep, this.#threshold, this.#current);
    const { row, plane: samePlace, both } = this.#reach;
    const { rows } = this.#sweep;
    for (let r = 0; r < rows; r++) {
      if (this.#current.rowFirst[r] === this.#current.rowFirst[r + 1]) continue;
      if (r > 0) joinRows(this.#current, r, this.#current, r - 1, row);
      joinRows(this.#current, r, this.#before, r, samePlace);
      if (both >= 0 && r > 0) joinRows(this.#current, r, this.#before, r - 1, both);
      if (both >= 0 && r < rows - 1) joinRows(this.#current, r, this.#before, r + 1, both);
      this.#gatherRow(plane, r);
    }
    return this.#close(this.#index++);
  }

  /** As {@link ComponentSweep.advance} for a plane known to hold no voxel that reaches the threshold. */
  skip(): Growing[] {
    clearRuns(this.#before);
    [this.#before, this.#current] = [this.#current, this.#before];
    return this.#close(this.#index++);
  }

  /** Ends the sweep: the components that reach the last plane. */
  finish(): Growing[] {
    return this.#close(this.#index);
  }

  /** Adds the runs of a row to their components, opening new ones where they have none. */
  #gatherRow(plane: Plane, row: number): void {
    const { starts, ends, components, rowFirst } = this.#current;
    for (let i = rowFirst[row]; i < rowFirst[row + 1]; i++) {
      const known = components[i];
      const component = known ? rootOf(known) : openComponent(this.#count++);
      if (!known) this.#open.push(component);
      components[i] = component;
      this.#gather(component, plane, this.#sweep, this.#index, row, starts[i], ends[i]);
    }
  }

  #close(index: number): Growing[] {
    const { open, ended } = splitEnded(this.#open, index);
    this.#open = open;
    return ended.filter(({ voxels }) => voxels >= this.#minVoxels);
  }
}

function noRuns(rows: number): Runs {
  return { starts: [], ends: [], components: [], rowFirst: new Int32Array(rows + 1) };
}

function clearRuns(runs: Runs): void {
  runs.starts.length = 0;
  runs.ends.length = 0;
  runs.components.length = 0;
  runs.rowFirst.fill(0);
}

function findRunsInto(plane: Plane, { rows, columns }: PlaneSweep, threshold: number, runs: Runs): void {
  const { offset, rowStride } = plane;
  clearRuns(runs);
  for (let row = 0; row < rows; row++) {
    runs.rowFirst[row] = runs.starts.length;
    findRunsOfRow(plane, offset + row * rowStride, columns, threshold, runs);
  }
  runs.rowFirst[rows] = runs.starts.length;
}

/** Adds the runs of a row; between them it looks at four scores at a time. */
function findRunsOfRow(
  { data, columnStride: step }: Plane,
  first: number,
  columns: number,
  threshold: number,
  { starts, ends }: Runs,
): void {
  let column = 0;
  let i = first;
  while (column < columns) {
    while (
      column + 3 < columns &&
      !(
        data[i] >= threshold ||
        data[i + step] >= threshold ||
        data[i + 2 * step] >= threshold ||
        data[i + 3 * step] >= threshold
      )
    ) {
      column += 4;
      i += 4 * step;
    }
    for (; column < columns && !(data[i] >= threshold); i += step) column++;
    if (column === columns) return;
    starts.push(column);
    for (; column < columns && data[i] >= threshold; i += step) column++;
    ends.push(column);
  }
}

/** Joins the runs of a row with the runs of a neighbouring row that they touch. */
function joinRows(runs: Runs, row: number, others: Runs, otherRow: number, reach: number): void {
  const lastOther = others.rowFirst[otherRow + 1];
  let j = others.rowFirst[otherRow];
  for (let i = runs.rowFirst[row]; i < runs.rowFirst[row + 1]; i++) {
    while (j < lastOther && others.ends[j] + reach <= runs.starts[i]) j++;
    for (let k = j; k < lastOther && others.starts[k] < runs.ends[i] + reach; k++) {
      const known = runs.components[i];
      const other = rootOf(others.components[k] as Growing);
      runs.components[i] = known ? joinComponents(rootOf(known), other) : other;
    }
  }
}

/** The voxels of a growing component as runs, and their scores in the order of the runs. */
export class Foreground implements Kept {
  /** Plane, row, first column and end column of each run, one after the other. */
  readonly runs: number[] = [];
  readonly scores: number[] = [];

  /** Appends the shorter to the longer, so that a voxel moves only a few times however often components join. */
  join(other: Foreground | undefined): Foreground {
    if (!other) return this;
    const [into, from] = this.scores.length >= other.scores.length ? [this, other] : [other, this];
    for (const value of from.runs) into.runs.push(value);
    for (const score of from.scores) into.scores.push(score);
    return into;
  }
}

/** Does what {@link addRun} does, and keeps the voxels as the component's {@link Foreground}. */
export function keepRun(
  component: Growing,
  plane: Plane,
  sweep: PlaneSweep,
  index: number,
  row: number,
  start: number,
  end: number,
): void {
  addRun(component, plane, sweep, index, row, start, end);
  component.foreground ??= new Foreground();
  const { runs, scores } = component.foreground as Foreground;
  runs.push(index, row, start, end);
  let i = plane.offset + row * plane.rowStride + start * plane.columnStride;
  for (let column = start; column < end; column++, i += plane.columnStride) scores.push(plane.data[i]);
}
