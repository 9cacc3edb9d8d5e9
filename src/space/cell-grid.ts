import type { Point } from './grid.ts';

/** Points, an array per property: objects lie far apart in memory. */
export interface Points {
  /** x, y, z of each point, one after the other; finite. */
  readonly places: Float64Array;
  /** A number that goes with each point, such as a score. */
  readonly values: Float64Array;
  /** A name of each point, such as its index in a list of the caller. */
  readonly indices: Uint32Array;
}

/**
 * Some members of a list as points, with their scores as values.
 *
 * @param members - Their indices in the list, which become those of the points. @defaultValue the whole list
 */
export function pointsOf(
  list: readonly { readonly position: Point; readonly score?: number }[],
  members: Uint32Array = Uint32Array.from(list.keys()),
): Points {
  const places = new Float64Array(3 * members.length);
  const values = new Float64Array(members.length);
  for (let i = 0; i < members.length; i++) {
    const { position, score = 0 } = list[members[i]];
    places[3 * i] = position.x;
    places[3 * i + 1] = position.y;
    places[3 * i + 2] = position.z;
    values[i] = score;
  }
  return { places, values, indices: members };
}

/** Points sorted into cubic cells, so that those within one edge of a place are found by looking into 27 cells. */
export interface CellGrid extends Points {
  readonly cells: CellRows;
  /** First point of each cell, and the end of the last. */
  readonly starts: Uint32Array;
}

/**
 * Consecutive cells are sorted in parts of so many points, which fit a processor's cache, and in no more parts than can be
 * written to at once.
 */
const PART_POINTS = 1024;
const MAX_PARTS = 256;

/** Below this, squares of distances lose their digits, and a cell no longer bounds what is close. */
const MIN_EDGE = 1e-150;

/**
 * Sorts points into cubic cells by counting, first into parts of consecutive cells, then each part alone: sorted at once a million
 * points would wait for memory one by one. Memory grows with the number of points alone, however far apart they lie. Besides
 * what it returns it takes memory for one part, since the garbage collector looks at all that the caller keeps whenever some
 * 64 MB were taken.
 *
 * @param points - Their arrays are sorted in place and become those of the grid.
 * @param edge - Edge of a cell in Å, finite: the greatest distance that will be asked for.
 */
export function cellGridOf(points: Points, edge: number): CellGrid {
  const { places, indices } = points;
  const count = indices.length;
  const cells = new CellRows(Math.max(edge, MIN_EDGE), extentOf(places), count);
  const parts = Math.min(MAX_PARTS, Math.ceil(count / PART_POINTS) || 1);
  const shift = Math.max(0, Math.ceil(Math.log2(cells.count / parts)));
  const cellOf = new Uint32Array(count);
  const starts = new Uint32Array(cells.count + 1);
  const ends = new Uint32Array(parts);
  for (let i = 0; i < count; i++) {
    const row = cells.row(Math.floor(cells.place(places[3 * i + 1])), Math.floor(cells.place(places[3 * i + 2])));
    const cell = (row + Math.floor(cells.place(places[3 * i]))) & cells.mask;
    cellOf[i] = cell;
    ends[cell >> shift]++;
  }
  sumUp(ends, 0, parts, 0);
  if (parts > 1) sortIntoParts(points, cellOf, shift, ends);
  const sortPart = partSorter(points, cellOf, starts, longest(ends));
  for (let part = 0, from = 0; part < parts; part++) {
    for (let i = from; i < ends[part]; i++) starts[cellOf[i]]++;
    sumUp(starts, part << shift, Math.min((part + 1) << shift, cells.count), from);
    sortPart(from, ends[part]);
    from = ends[part];
  }
  starts[cells.count] = count;
  return { ...points, cells, starts };
}

/**
 * Visits each point of a grid that is at most a distance from a place, in no particular order.
 *
 * @param distance - In Å; at most the edge of a cell.
 * @param visit - Gets the index of the point, and the squared distance.
 */
export function forEachWithin(
  { places, indices, starts, cells }: CellGrid,
  { x, y, z }: Point,
  distance: number,
  visit: (index: number, squaredDistance: number) => void,
): void {
  const squared = distance * distance;
  const [firstX, lastX] = cells.reach(x, 0);
  const [firstY, lastY] = cells.reach(y, 1);
  const [firstZ, lastZ] = cells.reach(z, 2);
  for (let cellZ = firstZ; cellZ <= lastZ; cellZ++) {
    for (let cellY = firstY; cellY <= lastY; cellY++) {
      let cell = (cells.row(cellY, cellZ) + firstX) & cells.mask;
      for (let left = lastX - firstX + 1; left > 0; ) {
        // A hashed row may go on at number 0.
        const run = Math.min(left, cells.count - cell);
        for (let i = starts[cell]; i < starts[cell + run]; i++) {
          const dx = x - places[3 * i];
          const dy = y - places[3 * i + 1];
          const dz = z - places[3 * i + 2];
          const own = dx * dx + dy * dy + dz * dz;
          // Rows that share a number would visit the point twice.
          if (own <= squared && cells.isInRow(places[3 * i + 1], places[3 * i + 2], cellY, cellZ))
            visit(indices[i], own);
        }
        left -= run;
        cell = 0;
      }
    }
  }
}

/** Sorts points and their cells into parts that end there, in place: one that lies in the wrong part is swapped with one of its own. */
function sortIntoParts(points: Points, cellOf: Uint32Array, shift: number, ends: Uint32Array): void {
  const { places, values, indices } = points;
  const parts = ends.length;
  const heads = new Uint32Array(parts);
  heads.set(ends.subarray(0, -1), 1);
  for (let part = 0; part < parts; part++) {
    for (let i = heads[part]; i < ends[part]; ) {
      const own = cellOf[i] >> shift;
      const j = heads[own]++;
      if (own === part) {
        i++;
        continue;
      }
      swap(cellOf, i, j);
      swap(indices, i, j);
      swap(values, i, j);
      swap(places, 3 * i, 3 * j);
      swap(places, 3 * i + 1, 3 * j + 1);
      swap(places, 3 * i + 2, 3 * j + 2);
    }
  }
}

function swap(values: Uint32Array | Float64Array, i: number, j: number): void {
  const value = values[i];
  values[i] = values[j];
  values[j] = value;
}

/** Sorts the points of a part into its cells, whose `starts` are their ends before. */
function partSorter(
  { places, values, indices }: Points,
  cellOf: Uint32Array,
  starts: Uint32Array,
  largest: number,
): (from: number, to: number) => void {
  const oldPlaces = new Float64Array(3 * largest);
  const oldValues = new Float64Array(largest);
  const oldIndices = new Uint32Array(largest);
  return (from, to) => {
    oldPlaces.set(places.subarray(3 * from, 3 * to));
    oldValues.set(values.subarray(from, to));
    oldIndices.set(indices.subarray(from, to));
    for (let i = to - from - 1; i >= 0; i--) {
      const at = --starts[cellOf[from + i]];
      places[3 * at] = oldPlaces[3 * i];
      places[3 * at + 1] = oldPlaces[3 * i + 1];
      places[3 * at + 2] = oldPlaces[3 * i + 2];
      values[at] = oldValues[i];
      indices[at] = oldIndices[i];
    }
  };
}

/** Turns counts into the sums up to and with each. */
function sumUp(counts: Uint32Array, from: number, to: number, before: number): void {
  let sum = before;
  for (let i = from; i < to; i++) {
    sum += counts[i];
    counts[i] = sum;
  }
}

function longest(ends: Uint32Array): number {
  return ends.reduce((most, end, i) => Math.max(most, end - (i > 0 ? ends[i - 1] : 0)), 0);
}

function extentOf(places: Float64Array): Extent {
  if (places.length === 0) return { min: [0, 0, 0], max: [0, 0, 0] };
  let [x0, y0, z0] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let [x1, y1, z1] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < places.length; i += 3) {
    const x = places[i];
    const y = places[i + 1];
    const z = places[i + 2];
    x0 = Math.min(x0, x);
    y0 = Math.min(y0, y);
    z0 = Math.min(z0, z);
    x1 = Math.max(x1, x);
    y1 = Math.max(y1, y);
    z1 = Math.max(z1, z);
  }
  return { min: [x0, y0, z0], max: [x1, y1, z1] };
}

/** Beyond this, consecutive cell numbers are no longer apart as float64; what lies further out shares the last cell. */
const lastCell = 2 ** 52;

/** A box in Å, both ends included. */
interface Extent {
  readonly min: readonly [x: number, y: number, z: number];
  readonly max: readonly [x: number, y: number, z: number];
}

/**
 * Numbers cubic cells of space so that those of a row along x follow each other: cell (x, y, z) has the number
 * `(row(y, z) + x) & mask`.
 *
 * Where the cells of an extent are few against the points, each has a number of its own, in the order z, y, x, which keeps
 * neighbours together in memory. Else numbers are hashed and cells may share one, so that memory grows with the number of
 * points alone, however far apart they lie.
 */
class CellRows {
  /** Numbers are below this. */
  readonly count: number;
  readonly mask: number;
  readonly #edge: number;
  readonly #first: readonly [x: number, y: number, z: number];
  readonly #last: readonly [x: number, y: number, z: number];
  readonly #height: number;
  readonly #width: number;

  constructor(edge: number, { min, max }: Extent, points: number) {
    this.#edge = edge;
    // With the cells beside those of the outermost points, into which a query from such a point looks.
    const first = min.map((lowest) => firstInReach(this.place(lowest))) as [number, number, number];
    const last = max.map((highest) => lastInReach(this.place(highest))) as [number, number, number];
    const [width, height, depth] = last.map((cell, axis) => cell - first[axis] + 1);
    this.#first = first;
    this.#last = last;
    this.#width = width;
    this.#height = height;
    const cells = width * height * depth;
    const isDense = cells <= 4 * points + 4096;
    this.count = isDense ? cells : 2 ** Math.ceil(Math.log2(points + 64));
    this.mask = isDense ? -1 : this.count - 1;
  }

  /** A coordinate in units of cells. */
  place(coordinate: number): number {
    return Math.min(lastCell, Math.max(-lastCell, coordinate / this.#edge));
  }

  /** The first and the last cell along an axis, x, y or z, that may hold a point within one edge of a coordinate. */
  reach(coordinate: number, axis: 0 | 1 | 2): readonly [first: number, last: number] {
    const place = this.place(coordinate);
    return [Math.max(this.#first[axis], firstInReach(place)), Math.min(this.#last[axis], lastInReach(place))];
  }

  /** True if a point lies in the row of cells along x. */
  isInRow(y: number, z: number, cellY: number, cellZ: number): boolean {
    return Math.floor(this.place(y)) === cellY && Math.floor(this.place(z)) === cellZ;
  }

  row(y: number, z: number): number {
    if (this.mask === -1) {
      return ((z - this.#first[2]) * this.#height + y - this.#first[1]) * this.#width - this.#first[0];
    }
    const hash = Math.imul(y, 0xd8163841) ^ Math.imul(z, 0xcb1ab31f);
    return hash ^ (hash >>> 15);
  }
}

/** The first cell that may hold a point within one edge of a place; with a margin for the rounding of distances. */
export function firstInReach(place: number): number {
  return Math.floor(place - 1 - 4 * Number.EPSILON * (Math.abs(place) + 1));
}

/** The last cell that may hold such a point; see {@link firstInReach}. */
export function lastInReach(place: number): number {
  return Math.floor(place + 1 + 4 * Number.EPSILON * (Math.abs(place) + 1));
}

/** What is known of a point. */
const undecided = 0;
const dropped = 1;
const kept = 2;

/** A suppression under way. */
interface Search {
  readonly states: Uint8Array;
  readonly isBefore: IsBefore;
  readonly near: Near;
}

/** The undecided points in reach of the one that was looked at last, the first so many of the list. */
interface Near {
  readonly points: number[];
  count: number;
}

/**
 * Greedy non-maximum suppression: marks the points that remain when the best is kept, all closer to it than `distance` are
 * dropped, and so on. The best point has the greatest value; of equal values, the first.
 *
 * Ranks are not walked from the top, which would jump through memory: from each point the way leads to the best undecided one in
 * its reach, from there to the best in that one's, up to one that has no better. That one is kept whatever happens elsewhere;
 * those in its reach are dropped, and the way resumes where it was. Points one after the next on such a way lie apart, as kept
 * ones do, so that each is looked at a bounded number of times.
 *
 * @param points - Their arrays are in another order afterwards.
 * @param distance - In Å.
 * @param isKept - Gets 1 at the index of each point that is kept.
 * @param isBefore - Which of two points is the first one. @defaultValue the one with the lower index
 */
export function greedyNms(
  points: Points,
  distance: number,
  isKept: Uint8Array,
  isBefore: IsBefore = hasLowerIndex,
): void {
  const { indices } = points;
  const squared = distance * distance;
  if (squared === 0) {
    for (let i = 0; i < indices.length; i++) isKept[indices[i]] = 1;
  }
  if (squared === 0 || indices.length === 0) return;
  const states = new Uint8Array(indices.length);
  const near: Near = { points: [], count: 0 };
  const search: Search = { states, isBefore, near };
  if (indices.length <= FEW) {
    comparePairs(points, squared, search, isKept);
    return;
  }
  const grid = cellGridOf(points, distance);
  const way: number[] = [];
  for (let start = 0; start < states.length; start++) {
    if (states[start] === undecided) way.push(start);
    while (way.length > 0) {
      const point = way[way.length - 1];
      const better = states[point] === undecided ? bestAround(grid, point, squared, search) : point;
      if (better !== point) {
        way.push(better);
        continue;
      }
      way.pop();
      if (states[point] !== undecided) continue;
      for (let i = 0; i < near.count; i++) states[near.points[i]] = dropped;
      states[point] = kept;
      isKept[indices[point]] = 1;
    }
  }
}

/** Pairs of so many points are compared sooner than cells are made. */
const FEW = 32;

/** Whether point number `a` comes before number `b`. */
type IsBefore = (points: Points, a: number, b: number) => boolean;

function hasLowerIndex({ indices }: Points, a: number, b: number): boolean {
  return indices[a] < indices[b];
}

/** The order of points by z, then y, then x, and at one place by index. */
export function isBeforeInSpace({ places, indices }: Points, a: number, b: number): boolean {
  const order = comparePlaces(places, a, b);
  return order === 0 ? indices[a] < indices[b] : order < 0;
}

/** Compares two places by z, then y, then x. */
export function comparePlaces(places: Float64Array, a: number, b: number): number {
  return (
    places[3 * a + 2] - places[3 * b + 2] || places[3 * a + 1] - places[3 * b + 1] || places[3 * a] - places[3 * b]
  );
}

/** As {@link greedyNms} is defined: the best undecided point is kept and drops what is close, until none is undecided. */
function comparePairs(points: Points, squared: number, { states, isBefore }: Search, isKept: Uint8Array): void {
  const { places, values, indices } = points;
  const count = indices.length;
  for (;;) {
    let best = -1;
    for (let i = 0; i < count; i++) {
      if (states[i] !== undecided) continue;
      if (best < 0 || values[i] > values[best] || (values[i] === values[best] && isBefore(points, i, best))) best = i;
    }
    if (best < 0) return;
    isKept[indices[best]] = 1;
    for (let i = 0; i < count; i++) {
      const dx = places[3 * i] - places[3 * best];
      const dy = places[3 * i + 1] - places[3 * best + 1];
      const dz = places[3 * i + 2] - places[3 * best + 2];
      if (states[i] === undecided && dx * dx + dy * dy + dz * dz < squared) states[i] = dropped;
    }
    states[best] = kept;
  }
}

/** The best undecided point closer than a distance to one, itself included; all of them are `near` then. */
function bestAround(grid: CellGrid, point: number, squared: number, { states, near, isBefore }: Search): number {
  const { cells, starts, places, values } = grid;
  const found = near.points;
  const x = places[3 * point];
  const y = places[3 * point + 1];
  const z = places[3 * point + 2];
  const xPlace = cells.place(x);
  const yPlace = cells.place(y);
  const zPlace = cells.place(z);
  const firstX = firstInReach(xPlace);
  const width = lastInReach(xPlace) - firstX + 1;
  const lastY = lastInReach(yPlace);
  const lastZ = lastInReach(zPlace);
  let best = point;
  let bestValue = values[point];
  let nearCount = 0;
  for (let cellZ = firstInReach(zPlace); cellZ <= lastZ; cellZ++) {
    for (let cellY = firstInReach(yPlace); cellY <= lastY; cellY++) {
      let cell = (cells.row(cellY, cellZ) + firstX) & cells.mask;
      for (let left = width; left > 0; ) {
        // A hashed row may go on at number 0.
        const run = Math.min(left, cells.count - cell);
        const end = starts[cell + run];
        for (let i = starts[cell]; i < end; i++) {
          if (states[i] !== undecided) continue;
          const dx = x - places[3 * i];
          const dy = y - places[3 * i + 1];
          const dz = z - places[3 * i + 2];
          if (!(dx * dx + dy * dy + dz * dz < squared)) continue;
          found[nearCount++] = i;
          const value = values[i];
          if (value < bestValue || (value === bestValue && !isBefore(grid, i, best))) continue;
          best = i;
          bestValue = value;
        }
        left -= run;
        cell = 0;
      }
    }
  }
  near.count = nearCount;
  return best;
}
