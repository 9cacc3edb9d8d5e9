import type { ParticlePick, Point } from '../entry/index.ts';
import { ownOf } from './state.ts';

/**
 * Makes the test whether a pick is closer than the minimum distance to one of some picks of its object; at exactly that distance it
 * is not.
 *
 * @param minDistance - In Å, by object; 0 where absent.
 */
export function nearbyTest(
  picks: readonly ParticlePick[],
  minDistance: Readonly<Record<string, number>>,
): (pick: ParticlePick) => boolean {
  const byObject = new Map<string, Point[]>();
  for (const { object, position } of picks) {
    const points = byObject.get(object);
    if (points) points.push(position);
    else byObject.set(object, [position]);
  }
  for (const points of byObject.values()) points.sort((a, b) => a.x - b.x);
  return ({ object, position: { x, y, z } }) => {
    const points = byObject.get(object) ?? [];
    const distance = ownOf(minDistance, object) ?? 0;
    for (let i = firstFrom(points, x - distance); i < points.length && points[i]!.x <= x + distance; i++) {
      const at = points[i]!;
      if ((at.x - x) ** 2 + (at.y - y) ** 2 + (at.z - z) ** 2 < distance ** 2) return true;
    }
    return false;
  };
}

/** Index of the first of some points, by rising x, that has at least this x. */
function firstFrom(points: readonly Point[], x: number): number {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle]!.x < x) low = middle + 1;
    else high = middle;
  }
  return low;
}
