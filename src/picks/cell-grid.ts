import type { ParticlePick } from './pick.ts';

/** Picks, an array per property: objects lie far apart in memory. */
interface Columns {
  /** x, y, z of each pick. */
  readonly places: Float64Array;
  readonly scores: Float64Array;
  /** Which of the given picks each one is. */
  readonly indices: Uint32Array;
}

/** Picks cell by cell. */
export interface CellGrid extends Columns {
  readonly cells: CellRows;
  /** First pick of each cell, and the end of the last. */
  readonly starts: Uint32Array;
}

/** Consecutive cells are sorted in so many parts: few enough to write to all at once, of picks that fit a processor's cache. */
const parts = 256;

/**
 * Sorts picks into cubic cells by counting, first into parts of consecutive cells, then each part by itself: sorted at once
 * a million picks would wait for memory one by one. Besides what it returns it takes memory for one part, since the garbage
 * collector looks at all that the caller keeps whenever some 64 MB were taken.
 *
 * @param members - Indices of the picks to take; sorted along, as the crowd's `indices`.
 */
export function cellGridOf(picks: readonly ParticlePick[], members: Uint32Array, edge: number): CellGrid {
  const { columns, extent } = columnsOf(picks, members);
  const { places } = columns;
  const count = members.length;
  const cells = new CellRows(edge, extent, count);
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
  sortIntoParts(columns, cellOf, shift, ends);
  const sortPart = partSorter(columns, cellOf, starts, longest(ends));
  for (let part = 0, from = 0; part < parts; part++) {
    for (let i = from; i < ends[part]; i++) starts[cellOf[i]]++;
    sumUp(starts, part << shift, Math.min((part + 1) << shift, cells.count), from);
    sortPart(from, ends[part]);
    from = ends[part];
  }
  starts[cells.count] = count;
  return { ...columns, cells, starts };
}

/** Sorts picks and their cells into parts that end there, in place: one that lies in the wrong part changes places with one of its own. */
function sortIntoParts(columns: Columns, cellOf: Uint32Array, shift: number, ends: Uint32Array): void {
  const { places, scores, indices } = columns;
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
      swap(scores, i, j);
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

/** Sorts the picks of a part into its cells, whose `starts` are their ends before. */
function partSorter(
  { places, scores, indices }: Columns,
  cellOf: Uint32Array,
  starts: Uint32Array,
  largest: number,
): (from: number, to: number) => void {
  const oldPlaces = new Float64Array(3 * largest);
  const oldScores = new Float64Array(largest);
  const oldIndices = new Uint32Array(largest);
  return (from, to) => {
    oldPlaces.set(places.subarray(3 * from, 3 * to));
    oldScores.set(scores.subarray(from, to));
    oldIndices.set(indices.subarray(from, to));
    for (let i = to - from - 1; i >= 0; i--) {
      const at = --starts[cellOf[from + i]];
      places[3 * at] = oldPlaces[3 * i];
      places[3 * at + 1] = oldPlaces[3 * i + 1];
      places[3 * at + 2] = oldPlaces[3 * i + 2];
      scores[at] = oldScores[i];
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

function columnsOf(picks: readonly ParticlePick[], members: Uint32Array): { columns: Columns; extent: Extent } {
  const count = members.length;
  const places = new Float64Array(3 * count);
  const scores = new Float64Array(count);
  let [x0, y0, z0] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let [x1, y1, z1] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < count; i++) {
    const {
      position: { x, y, z },
      score,
    } = picks[members[i]];
    places[3 * i] = x;
    places[3 * i + 1] = y;
    places[3 * i + 2] = z;
    scores[i] = score;
    x0 = Math.min(x0, x);
    y0 = Math.min(y0, y);
    z0 = Math.min(z0, z);
    x1 = Math.max(x1, x);
    y1 = Math.max(y1, y);
    z1 = Math.max(z1, z);
  }
  return { columns: { places, scores, indices: members }, extent: { min: [x0, y0, z0], max: [x1, y1, z1] } };
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
  readonly #first: readonly [number, number, number];
  readonly #height: number;
  readonly #width: number;

  constructor(edge: number, { min, max }: Extent, points: number) {
    this.#edge = edge;
    // With the cells that a query beside the edge looks into.
    const first = min.map((least) => firstInReach(this.place(least))) as [number, number, number];
    const [width, height, depth] = max.map((most, axis) => lastInReach(this.place(most)) - first[axis] + 1);
    this.#first = first;
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

/** As {@link firstInReach}, the last. */
export function lastInReach(place: number): number {
  return Math.floor(place + 1 + 4 * Number.EPSILON * (Math.abs(place) + 1));
}
