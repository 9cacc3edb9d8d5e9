import { type Point, squaredDistance } from '../space/grid.ts';
import type { Random } from './random.ts';

/** A box in Å. */
export interface Region {
  readonly low: Point;
  readonly high: Point;
}

/** Maximum number of attempts to find a free position for one molecule. */
const attempts = 500;

/** A ball that excludes others. */
export interface Ball {
  readonly centre: Point;
  /** In Å. */
  readonly radius: number;
}

/** A region for molecules. */
export interface Room {
  readonly region: Region;
  readonly random: Random;
}

/** Maximum number of attempts to find a free position beside another molecule before trying anywhere. */
const attemptsBeside = 30;

/**
 * Packs hard balls of different radii without overlap, by random sequential addition. A grid of cells as wide as the maximum
 * distance of contact limits the search for overlaps to 27 cells.
 */
export class Packing {
  readonly #cells: Map<string, Ball[]> = new Map();
  readonly #cellSize: number;
  readonly #obstacles: ((ball: Ball) => boolean)[] = [];

  /** @param largestRadius - Maximum radius of all balls, in Å. */
  constructor(largestRadius: number) {
    this.#cellSize = 2 * largestRadius;
  }

  /** Whether a ball of a radius (Å) would overlap no other at a position. */
  isFree(centre: Point, radius: number): boolean {
    if (this.#obstacles.some((touches) => touches({ centre, radius }))) return false;
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

  /** Adds a ball, whether or not it overlaps others. */
  add(centre: Point, radius: number): void {
    const key = this.#cellOf(centre).join(' ');
    const cell = this.#cells.get(key);
    if (cell === undefined) this.#cells.set(key, [{ centre, radius }]);
    else cell.push({ centre, radius });
  }

  /** Excludes balls that touch something else. */
  addObstacle(touches: (ball: Ball) => boolean): void {
    this.#obstacles.push(touches);
  }

  /** Adds a ball at a random free position of the region; `undefined` if none was found. */
  place(radius: number, { region, random }: Room): Point | undefined {
    const { low, high } = region;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const centre = randomPoint({ low, high }, random);
      if (!this.isFree(centre, radius)) continue;
      this.add(centre, radius);
      return centre;
    }
    return undefined;
  }

  /** Adds a ball at a free position of the region at a distance (Å) from a point; `undefined` if none was found. */
  placeBeside(
    { centre, radius }: Ball,
    { nearest, furthest, region, random }: Room & { readonly nearest: number; readonly furthest: number },
  ): Point | undefined {
    for (let attempt = 0; attempt < attemptsBeside; attempt++) {
      const distance = nearest + (furthest - nearest) * random.uniform();
      const [x, y, z] = direction(random);
      const beside = { x: centre.x + distance * x, y: centre.y + distance * y, z: centre.z + distance * z };
      if (!isInside(region, beside) || !this.isFree(beside, radius)) continue;
      this.add(beside, radius);
      return beside;
    }
    return undefined;
  }

  #cellOf({ x, y, z }: Point): [number, number, number] {
    const size = this.#cellSize;
    return [Math.floor(x / size), Math.floor(y / size), Math.floor(z / size)];
  }
}

/** A uniformly random point of a region. */
export function randomPoint({ low, high }: Region, random: Random): Point {
  return {
    x: low.x + random.uniform() * (high.x - low.x),
    y: low.y + random.uniform() * (high.y - low.y),
    z: low.z + random.uniform() * (high.z - low.z),
  };
}

/** A uniformly random unit vector. */
export function direction(random: Random): readonly [number, number, number] {
  for (;;) {
    const [x, y, z] = [random.uniform() * 2 - 1, random.uniform() * 2 - 1, random.uniform() * 2 - 1];
    const squared = x * x + y * y + z * z;
    if (squared > 1 || squared === 0) continue;
    const length = Math.sqrt(squared);
    return [x / length, y / length, z / length];
  }
}

function isInside({ low, high }: Region, point: Point): boolean {
  return (['x', 'y', 'z'] as const).every((axis) => point[axis] >= low[axis] && point[axis] <= high[axis]);
}
