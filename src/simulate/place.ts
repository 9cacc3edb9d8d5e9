import { type Point, squaredDistance } from '../space/point.ts';
import type { Random } from './random.ts';

/** A box in Å. */
export interface Region {
  readonly low: Point;
  readonly high: Point;
}

/** How often a free place is sought for one molecule before it is given up. */
const attempts = 500;

interface Ball {
  readonly centre: Point;
  readonly radius: number;
}

/**
 * Hard balls of different radii without overlap: random sequential addition. Balls are found again through a grid of
 * cells as wide as the largest possible distance, so that only 27 cells matter to each.
 */
export class Packing {
  readonly #cells: Map<string, Ball[]> = new Map();
  readonly #cellSize: number;

  /** @param largestRadius - No ball is larger, in Å. */
  constructor(largestRadius: number) {
    this.#cellSize = 2 * largestRadius;
  }

  /** True if a ball of this radius (Å) touches no other there. */
  isFree(centre: Point, radius: number): boolean {
    const [cx, cy, cz] = this.#cellOf(centre);
    for (let x = cx - 1; x <= cx + 1; x++) {
      for (let y = cy - 1; y <= cy + 1; y++) {
        for (let z = cz - 1; z <= cz + 1; z++) {
          for (const ball of this.#cells.get(`${x} ${y} ${z}`) ?? []) {
            if (squaredDistance(ball.centre, centre) < (ball.radius + radius) ** 2) return false;
          }
        }
      }
    }
    return true;
  }

  /** Adds a ball, free or not. */
  add(centre: Point, radius: number): void {
    const key = this.#cellOf(centre).join(' ');
    const cell = this.#cells.get(key);
    if (cell === undefined) this.#cells.set(key, [{ centre, radius }]);
    else cell.push({ centre, radius });
  }

  /** Adds a ball at a random free place of the region; `undefined` where none was found. */
  place(radius: number, { region, random }: { readonly region: Region; readonly random: Random }): Point | undefined {
    const { low, high } = region;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const centre = {
        x: low.x + random.uniform() * (high.x - low.x),
        y: low.y + random.uniform() * (high.y - low.y),
        z: low.z + random.uniform() * (high.z - low.z),
      };
      if (!this.isFree(centre, radius)) continue;
      this.add(centre, radius);
      return centre;
    }
    return undefined;
  }

  #cellOf({ x, y, z }: Point): [number, number, number] {
    const size = this.#cellSize;
    return [Math.floor(x / size), Math.floor(y / size), Math.floor(z / size)];
  }
}
