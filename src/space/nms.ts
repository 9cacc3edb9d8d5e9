import { type CellGrid, cellGridOf, firstInReach, lastInReach, type Points } from './cell-grid.ts';

/** What is known of a point. */
const undecided = 0;
const dropped = 1;
const kept = 2;

/** The undecided points in reach of the one that was looked at last, the first so many of the list. */
interface Near {
  readonly points: number[];
  count: number;
}

/**
 * Greedy non-maximum suppression: marks the points that remain when the best is kept, all closer to it than `distance` are
 * dropped, and so on. The best point has the greatest value; of equal values, the one with the lower index.
 *
 * Ranks are not walked from the top, which would jump through memory: from each point the way leads to the best undecided one in
 * its reach, from there to the best in that one's, up to one that has no better. That one is kept whatever happens elsewhere;
 * those in its reach are dropped, and the way resumes where it was. Points one after the next on such a way lie apart, as kept
 * ones do, so that each is looked at a bounded number of times.
 *
 * @param points - Their arrays are in another order afterwards.
 * @param distance - In Å.
 * @param isKept - Gets 1 at the index of each point that is kept.
 */
export function greedyNms(points: Points, distance: number, isKept: Uint8Array): void {
  const { indices } = points;
  const squared = distance * distance;
  if (squared === 0) {
    for (let i = 0; i < indices.length; i++) isKept[indices[i]] = 1;
  }
  if (squared === 0 || indices.length === 0) return;
  const grid = cellGridOf(points, distance);
  const states = new Uint8Array(indices.length);
  const near: Near = { points: [], count: 0 };
  const way: number[] = [];
  for (let start = 0; start < states.length; start++) {
    if (states[start] === undecided) way.push(start);
    while (way.length > 0) {
      const point = way[way.length - 1];
      const better = states[point] === undecided ? bestAround(grid, point, squared, states, near) : point;
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

/** The best undecided point closer than a distance to one, itself included; all of them are `near` then. */
function bestAround(grid: CellGrid, point: number, squared: number, states: Uint8Array, near: Near): number {
  const { cells, starts, places, values, indices } = grid;
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
          if (value < bestValue || (value === bestValue && indices[i] >= indices[best])) continue;
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
