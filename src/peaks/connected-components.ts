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
import type { NumericData } from '../volume/volume.ts';
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
   * object to look for. Calibrated, where the slabs have a calibration curve of the object, as is the score of a component.
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
  for await (const plane of planesOf(call, slabs, signal)) {
    const { sweep, index, channels } = plane;
    if (index === 0) {
      searches = chosen(plane).map((searched) => ({
        ...searched,
        sweep,
        growing: new ComponentSweep(sweep, scoresFrom(searched.threshold), connectivity, minVoxels),
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

function ended(components: readonly Growing[], search: ComponentSearch): Component[] {
  return components.map((component) => toComponent(component, search));
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
  /** The label of its voxels; 1 for those that reach a threshold. */
  readonly label: number;
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
function openComponent(age: number, label: number): Growing {
  const component = {
    age,
    label,
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
  const { weightedSum } = component;
  component.weight += weight;
  weightedSum[0] += weight * plane;
  weightedSum[1] += weight * row;
  weightedSum[2] += weightedColumns;
  addPlaces(component, plane, row, start, end);
}

/** Adds to a root where the voxels of columns `start … end − 1` of a row are. */
function addPlaces(component: Growing, plane: number, row: number, start: number, end: number): void {
  const { sum, first, last } = component;
  const length = end - start;
  component.voxels += length;
  component.lastPlane = plane;
  sum[0] += length * plane;
  sum[1] += length * row;
  sum[2] += (length * (start + end - 1)) / 2;
  first[0] = Math.min(first[0], plane);
  first[1] = Math.min(first[1], row);
  first[2] = Math.min(first[2], start);
  last[0] = Math.max(last[0], plane);
  last[1] = Math.max(last[1], row);
  last[2] = Math.max(last[2], end - 1);
}

/** The component that has stopped growing. */
export function toComponent(
  component: Growing,
  { sweep, object, calibrated }: SearchedClass & { readonly sweep: PlaneSweep },
): Component {
  const { voxels, sum, weight, weightedSum, first, last, best, bestIndex } = component;
  const zyx = ([plane, row, column]: Triple, divisor: number, plus: number): Zyx =>
    fromSweepOrder(sweep, plane / divisor + plus, row / divisor + plus, column / divisor + plus);
  const weigh = weight > 0 && weight < Number.POSITIVE_INFINITY;
  return {
    grid: sweep.grid,
    object,
    voxel: zyx(sum, voxels, 0),
    score: calibrated(best),
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

/**
 * The runs of one plane: columns `starts[i] … ends[i] − 1`, all of one label; those of row r are `rowFirst[r] … rowFirst[r + 1] − 1`.
 */
interface Runs {
  readonly starts: number[];
  readonly ends: number[];
  readonly labels: number[];
  readonly components: (Growing | undefined)[];
  readonly rowFirst: Int32Array;
}

/** How a sweep reads planes: which voxels it joins, and what it gathers of them. */
interface Reading<P> {
  /** Adds the runs of a row, each as long as can be. Runs of different labels never join. */
  findRuns(plane: P, row: number, columns: number, runs: Runs): void;
  /** What a run of voxels does to its component. */
  gather(component: Growing, plane: P, sweep: PlaneSweep, index: number, row: number, start: number, end: number): void;
}

/** Reads scores: joins voxels that reach a threshold. */
export function scoresFrom(threshold: number, gather: Reading<Plane>['gather'] = addRun): Reading<Plane> {
  return { findRuns: (plane, row, columns, runs) => findScores(plane, row, columns, threshold, runs), gather };
}

/** A plane of labels. */
export interface LabelPlane extends Omit<Plane, 'data'> {
  readonly data: NumericData;
}

/** Reads labels: joins voxels of one label, other than 0. Of their components, score and weight stay empty. */
export const labelReading: Reading<LabelPlane> = {
  findRuns({ data, offset, rowStride, columnStride: step }, row, columns, { starts, ends, labels }) {
    let i = offset + row * rowStride;
    let column = 0;
    while (column < columns) {
      const label = data[i];
      const start = column;
      do {
        column++;
        i += step;
      } while (column < columns && data[i] === label);
      if (label === 0) continue;
      starts.push(start);
      ends.push(column);
      labels.push(label);
    }
  },
  gather: (component, _plane, _sweep, index, row, start, end) => addPlaces(component, index, row, start, end),
};

/** Grows components plane by plane, from runs of voxels. */
export class ComponentSweep<P = Plane> {
  readonly #sweep: PlaneSweep;
  readonly #reading: Reading<P>;
  readonly #reach: Reach;
  readonly #minVoxels: number;
  #before: Runs;
  #current: Runs;
  #open: Growing[] = [];
  #count = 0;
  #index = 0;

  constructor(sweep: PlaneSweep, reading: Reading<P>, connectivity: Connectivity, minVoxels: number) {
    this.#sweep = sweep;
    this.#reading = reading;
    this.#reach = reachOf[connectivity];
    this.#minVoxels = minVoxels;
    this.#before = noRuns(sweep.rows);
    this.#current = noRuns(sweep.rows);
  }

  /** Takes the next plane and gives the components that ended on the one before. */
  advance(plane: P): Growing[] {
    [this.#before, this.#current] = [this.#current, this.#before];
    this.#findRuns(plane, this.#current);
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

  /** Ends the sweep: the components that reach the last plane. */
  finish(): Growing[] {
    return this.#close(this.#index);
  }

  #findRuns(plane: P, runs: Runs): void {
    const { rows, columns } = this.#sweep;
    for (const list of [runs.starts, runs.ends, runs.labels, runs.components]) list.length = 0;
    for (let row = 0; row < rows; row++) {
      runs.rowFirst[row] = runs.starts.length;
      this.#reading.findRuns(plane, row, columns, runs);
    }
    runs.rowFirst[rows] = runs.starts.length;
  }

  /** Adds the runs of a row to their components, opening new ones where they have none. */
  #gatherRow(plane: P, row: number): void {
    const { starts, ends, labels, components, rowFirst } = this.#current;
    for (let i = rowFirst[row]; i < rowFirst[row + 1]; i++) {
      const known = components[i];
      const component = known ? rootOf(known) : openComponent(this.#count++, labels[i]);
      if (!known) this.#open.push(component);
      components[i] = component;
      this.#reading.gather(component, plane, this.#sweep, this.#index, row, starts[i], ends[i]);
    }
  }

  #close(index: number): Growing[] {
    const { open, ended } = splitEnded(this.#open, index);
    this.#open = open;
    return ended.filter(({ voxels }) => voxels >= this.#minVoxels);
  }
}

function noRuns(rows: number): Runs {
  return { starts: [], ends: [], labels: [], components: [], rowFirst: new Int32Array(rows + 1) };
}

/** Adds the runs of a row that reach a threshold; between them it looks at four scores at a time. */
function findScores(
  { data, offset, rowStride, columnStride: step }: Plane,
  row: number,
  columns: number,
  threshold: number,
  { starts, ends, labels }: Runs,
): void {
  let column = 0;
  let i = offset + row * rowStride;
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
    labels.push(1);
  }
}

/** Joins the runs of a row with those runs of a neighbouring row that they touch and whose label they have. */
function joinRows(runs: Runs, row: number, others: Runs, otherRow: number, reach: number): void {
  const lastOther = others.rowFirst[otherRow + 1];
  let j = others.rowFirst[otherRow];
  for (let i = runs.rowFirst[row]; i < runs.rowFirst[row + 1]; i++) {
    while (j < lastOther && others.ends[j] + reach <= runs.starts[i]) j++;
    for (let k = j; k < lastOther && others.starts[k] < runs.ends[i] + reach; k++) {
      if (others.labels[k] !== runs.labels[i]) continue;
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
