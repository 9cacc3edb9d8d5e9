import { CryoetPicksError } from '../core/errors.ts';
import type { Point } from './grid.ts';

/** Beyond this, float64 no longer distinguishes consecutive cell numbers. */
const lastCell = 2 ** 52;

/**
 * Finds points by distance. Space is cut into cubic cells, and a query looks only into the cells within reach.
 *
 * Memory depends only on the number of points: coordinates may be negative and far apart. A query is right for any radius,
 * and fastest if the radius is about the cell size. Points must be finite, which is not checked.
 *
 * @example
 * ```ts
 * const list = new CellList(60);                       // Å
 * for (const { position } of picks) list.add(position);
 * const near = list.within({ x: 0, y: 0, z: 0 }, 60).map((i) => picks[i]);
 * ```
 */
export class CellList {
  readonly #cellSize: number;
  /** x, y, z of each point, one after the other, so that a query reads contiguous memory. */
  #coordinates: Float64Array = new Float64Array(192);
  readonly #indices: number[] = [];
  /** Per bucket its latest point, and per point the one before it in its bucket; −1 ends a chain. */
  #heads: Int32Array = new Int32Array(64).fill(-1);
  readonly #previous: number[] = [];

  /**
   * @param cellSize - Edge length of a cell in Å.
   * @throws {@link CryoetPicksError} `invalid-option` if it is not positive and finite.
   */
  constructor(cellSize: number) {
    if (!(cellSize > 0 && cellSize < Number.POSITIVE_INFINITY)) {
      throw new CryoetPicksError('invalid-option', `cell size must be a positive length in Å, found ${cellSize}`);
    }
    this.#cellSize = cellSize;
  }

  /** Number of points. */
  get size(): number {
    return this.#indices.length;
  }

  /** Adds a point; queries return its index, by default the number of points added before it. */
  add({ x, y, z }: Point, index: number = this.#indices.length): void {
    const i = this.#indices.length;
    if (i === this.#heads.length) this.#grow();
    this.#coordinates[3 * i] = x;
    this.#coordinates[3 * i + 1] = y;
    this.#coordinates[3 * i + 2] = z;
    this.#indices.push(index);
    this.#chain(i);
  }

  /** Returns the indices of the points at most `radius` Å from `point`, in no particular order. */
  within(point: Point, radius: number): number[] {
    return this.withinInto(point, radius, []);
  }

  /** {@link CellList.within}, into an array that is emptied first and returned. */
  withinInto(point: Point, radius: number, out: number[]): number[] {
    out.length = 0;
    this.#search(point, radius, radius * radius, out);
    return out;
  }

  /** True if some point is less than `distance` Å from `point`. */
  anyCloser(point: Point, distance: number): boolean {
    return this.#search(point, distance, distance * distance, undefined);
  }

  /** Collects the points with squared distance ≤ `squared` into `out`; without `out`, returns whether one is < `squared`. */
  #search(point: Point, radius: number, squared: number, out: number[] | undefined): boolean {
    const [x0, x1] = this.#reach(point.x, radius);
    const [y0, y1] = this.#reach(point.y, radius);
    const [z0, z1] = this.#reach(point.z, radius);
    const cells = (x1 - x0 + 1) * (y1 - y0 + 1) * (z1 - z0 + 1);
    if (!(cells <= this.#indices.length + 27)) return this.#searchAll(point, squared, out);
    for (let z = z0; z <= z1; z++) {
      for (let y = y0; y <= y1; y++) {
        for (let x = x0; x <= x1; x++) {
          if (this.#searchCell(x, y, z, point, squared, out)) return true;
        }
      }
    }
    return false;
  }

  #searchCell(x: number, y: number, z: number, point: Point, squared: number, out: number[] | undefined): boolean {
    for (let i = this.#heads[bucketOf(x, y, z, this.#heads.length)]; i >= 0; i = this.#previous[i]) {
      const distance = this.#squaredDistance(point, i);
      if (out === undefined) {
        if (distance < squared) return true;
      } else if (distance <= squared && this.#isInCell(i, x, y, z)) {
        // Cells that share a bucket would report the point twice.
        out.push(this.#indices[i]);
      }
    }
    return false;
  }

  #searchAll(point: Point, squared: number, out: number[] | undefined): boolean {
    for (let i = 0; i < this.#indices.length; i++) {
      const distance = this.#squaredDistance(point, i);
      if (out === undefined) {
        if (distance < squared) return true;
      } else if (distance <= squared) out.push(this.#indices[i]);
    }
    return false;
  }

  /** Sums in the order of `squaredDistance`, so that both agree on points exactly at a distance. */
  #squaredDistance({ x, y, z }: Point, i: number): number {
    const dx = x - this.#coordinates[3 * i];
    const dy = y - this.#coordinates[3 * i + 1];
    const dz = z - this.#coordinates[3 * i + 2];
    return dx * dx + dy * dy + dz * dz;
  }

  /**
   * First and last cell along an axis. The margin covers the rounding of a squared distance (1e-160: its underflow), so
   * that a query finds what comparing all points would. An infinite span stands for cells too far out to be counted.
   */
  #reach(x: number, radius: number): readonly [number, number] {
    const reach = radius + 4 * Number.EPSILON * (Math.abs(x) + radius) + 1e-160;
    const first = Math.floor((x - reach) / this.#cellSize);
    const last = Math.floor((x + reach) / this.#cellSize);
    return first > -lastCell && last < lastCell ? [first, last] : [0, Number.POSITIVE_INFINITY];
  }

  #isInCell(i: number, x: number, y: number, z: number): boolean {
    return this.#cellOf(3 * i) === x && this.#cellOf(3 * i + 1) === y && this.#cellOf(3 * i + 2) === z;
  }

  #cellOf(coordinate: number): number {
    return Math.floor(this.#coordinates[coordinate] / this.#cellSize);
  }

  #chain(i: number): void {
    const bucket = bucketOf(this.#cellOf(3 * i), this.#cellOf(3 * i + 1), this.#cellOf(3 * i + 2), this.#heads.length);
    this.#previous[i] = this.#heads[bucket];
    this.#heads[bucket] = i;
  }

  #grow(): void {
    const coordinates = new Float64Array(this.#coordinates.length * 2);
    coordinates.set(this.#coordinates);
    this.#coordinates = coordinates;
    this.#heads = new Int32Array(this.#heads.length * 2).fill(-1);
    for (let i = 0; i < this.#indices.length; i++) this.#chain(i);
  }
}

/** Bucket of a cell; `buckets` is a power of two. Neighbours along x have neighbouring buckets, which the processor's cache favours. */
function bucketOf(x: number, y: number, z: number, buckets: number): number {
  const hash = Math.imul(y, 0xd8163841) ^ Math.imul(z, 0xcb1ab31f);
  return ((hash ^ (hash >>> 15)) + x) & (buckets - 1);
}
