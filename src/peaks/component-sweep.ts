import { addRun, type Growing, joinComponents, openComponent } from './component.ts';
import type { Plane, Sweep } from './sweep.ts';
import { rootOf, splitEnded } from './union-find.ts';

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
  readonly #sweep: Sweep;
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
    sweep: Sweep,
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

function findRunsInto(plane: Plane, { rows, columns }: Sweep, threshold: number, runs: Runs): void {
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
