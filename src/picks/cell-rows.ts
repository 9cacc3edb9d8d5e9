/** Beyond this, consecutive cell numbers are no longer apart as float64; what lies further out shares the last cell. */
const lastCell = 2 ** 52;

/** A box in Å, both ends included. */
export interface Extent {
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
export class CellRows {
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
