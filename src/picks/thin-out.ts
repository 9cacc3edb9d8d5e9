import { CellRows, type Extent, firstInReach, lastInReach } from './cell-rows.ts';
import type { Pick } from './pick.ts';

/** Below this, squares of distances lose their digits, and a cell no longer bounds what is close. */
const leastEdge = 1e-150;

/** What is known of a pick. */
const undecided = 0;
const dropped = 1;
const kept = 2;

/** Picks cell by cell. */
interface Crowd {
  readonly cells: CellRows;
  /** First pick of each cell, and the end of the last. */
  readonly starts: Uint32Array;
  /** x, y, z and score of each pick. */
  readonly values: Float64Array;
  /** Which of the given picks each one is. */
  readonly indices: Uint32Array;
  readonly states: Uint8Array;
  /** The undecided picks in reach of the one that was looked at last, so many of them as `nearCount` says. */
  readonly near: number[];
  nearCount: number;
}

/**
 * Marks those of some picks that survive when the best is kept, all closer to it than `distance` are dropped, and so on.
 *
 * Ranks are not walked from the top, which would jump through memory: from each pick the way leads to the best undecided
 * one in its reach, from there to the best in that one's, up to one that has no better. That one is kept whatever happens
 * elsewhere; those in its reach are dropped, and the way resumes where it was. Picks one after the next on such a way lie
 * apart, as kept ones do, so that each is looked at a bounded number of times.
 *
 * @param members - Indices of the picks to look at, rising; of equal scores the first goes first.
 * @param distance - In Å.
 * @param survives - Gets 1 at the index of each survivor.
 */
export function thinOut(
  picks: readonly Pick[],
  members: ArrayLike<number>,
  distance: number,
  survives: Uint8Array,
): void {
  const squared = distance * distance;
  if (squared === 0) {
    for (let i = 0; i < members.length; i++) survives[members[i]] = 1;
  }
  if (squared === 0 || members.length === 0) return;
  const crowd = crowdOf(picks, members, Math.max(distance, leastEdge));
  const { states, indices, near } = crowd;
  const way: number[] = [];
  for (let start = 0; start < states.length; start++) {
    if (states[start] === undecided) way.push(start);
    while (way.length > 0) {
      const pick = way[way.length - 1];
      const better = states[pick] === undecided ? bestAround(crowd, pick, squared) : pick;
      if (better !== pick) {
        way.push(better);
        continue;
      }
      way.pop();
      if (states[pick] !== undecided) continue;
      for (let i = 0; i < crowd.nearCount; i++) states[near[i]] = dropped;
      states[pick] = kept;
      survives[indices[pick]] = 1;
    }
  }
}

/** The best undecided pick closer than a distance to one, itself included; all of them are `near` then. */
function bestAround(crowd: Crowd, pick: number, squared: number): number {
  const { cells, starts, values, indices, states, near } = crowd;
  const x = values[4 * pick];
  const y = values[4 * pick + 1];
  const z = values[4 * pick + 2];
  const xPlace = cells.place(x);
  const yPlace = cells.place(y);
  const zPlace = cells.place(z);
  const firstX = firstInReach(xPlace);
  const width = lastInReach(xPlace) - firstX + 1;
  const lastY = lastInReach(yPlace);
  const lastZ = lastInReach(zPlace);
  let best = pick;
  let bestScore = values[4 * pick + 3];
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
          const dx = x - values[4 * i];
          const dy = y - values[4 * i + 1];
          const dz = z - values[4 * i + 2];
          if (!(dx * dx + dy * dy + dz * dz < squared)) continue;
          near[nearCount++] = i;
          const score = values[4 * i + 3];
          if (score < bestScore || (score === bestScore && indices[i] >= indices[best])) continue;
          best = i;
          bestScore = score;
        }
        left -= run;
        cell = 0;
      }
    }
  }
  crowd.nearCount = nearCount;
  return best;
}

/** Sorts picks into cells by counting. */
function crowdOf(picks: readonly Pick[], members: ArrayLike<number>, edge: number): Crowd {
  const count = members.length;
  const { values: given, extent } = flatten(picks, members);
  const cells = new CellRows(edge, extent, count);
  const starts = new Uint32Array(cells.count + 1);
  const cellOf = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const row = cells.row(Math.floor(cells.place(given[4 * i + 1])), Math.floor(cells.place(given[4 * i + 2])));
    const cell = (row + Math.floor(cells.place(given[4 * i]))) & cells.mask;
    cellOf[i] = cell;
    starts[cell]++;
  }
  for (let cell = 0, start = 0; cell <= cells.count; cell++) {
    start += starts[cell];
    starts[cell] = start;
  }
  const values = new Float64Array(4 * count);
  const indices = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const place = --starts[cellOf[i]];
    indices[place] = members[i];
    for (let k = 0; k < 4; k++) values[4 * place + k] = given[4 * i + k];
  }
  return { cells, starts, values, indices, states: new Uint8Array(count), near: [], nearCount: 0 };
}

/** x, y, z and score of picks, one after the other: objects lie far apart in memory and are read once. */
function flatten(
  picks: readonly Pick[],
  members: ArrayLike<number>,
): { readonly values: Float64Array; readonly extent: Extent } {
  const values = new Float64Array(4 * members.length);
  let [x0, y0, z0] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let [x1, y1, z1] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < members.length; i++) {
    const {
      position: { x, y, z },
      score,
    } = picks[members[i]];
    values[4 * i] = x;
    values[4 * i + 1] = y;
    values[4 * i + 2] = z;
    values[4 * i + 3] = score;
    x0 = Math.min(x0, x);
    y0 = Math.min(y0, y);
    z0 = Math.min(z0, z);
    x1 = Math.max(x1, x);
    y1 = Math.max(y1, y);
    z1 = Math.max(z1, z);
  }
  return { values, extent: { min: [x0, y0, z0], max: [x1, y1, z1] } };
}
