import { firstInReach, lastInReach } from './cell-rows.ts';
import { type Crowd, crowdOf } from './crowd.ts';
import type { Pick } from './pick.ts';

/** Below this, squares of distances lose their digits, and a cell no longer bounds what is close. */
const leastEdge = 1e-150;

/** What is known of a pick. */
const undecided = 0;
const dropped = 1;
const kept = 2;

/** The undecided picks in reach of the one that was looked at last, the first so many of the list. */
interface Near {
  readonly picks: number[];
  count: number;
}

/**
 * Marks those of some picks that survive when the best is kept, all closer to it than `distance` are dropped, and so on.
 *
 * Ranks are not walked from the top, which would jump through memory: from each pick the way leads to the best undecided
 * one in its reach, from there to the best in that one's, up to one that has no better. That one is kept whatever happens
 * elsewhere; those in its reach are dropped, and the way resumes where it was. Picks one after the next on such a way lie
 * apart, as kept ones do, so that each is looked at a bounded number of times.
 *
 * @param members - Indices of the picks to look at, in an order of their own afterwards; of equal scores the lower index goes first.
 * @param distance - In Å.
 * @param survives - Gets 1 at the index of each survivor.
 */
export function thinOut(picks: readonly Pick[], members: Uint32Array, distance: number, survives: Uint8Array): void {
  const squared = distance * distance;
  if (squared === 0) {
    for (let i = 0; i < members.length; i++) survives[members[i]] = 1;
  }
  if (squared === 0 || members.length === 0) return;
  const crowd = crowdOf(picks, members, Math.max(distance, leastEdge));
  const { indices } = crowd;
  const states = new Uint8Array(members.length);
  const near: Near = { picks: [], count: 0 };
  const way: number[] = [];
  for (let start = 0; start < states.length; start++) {
    if (states[start] === undecided) way.push(start);
    while (way.length > 0) {
      const pick = way[way.length - 1];
      const better = states[pick] === undecided ? bestAround(crowd, pick, squared, states, near) : pick;
      if (better !== pick) {
        way.push(better);
        continue;
      }
      way.pop();
      if (states[pick] !== undecided) continue;
      for (let i = 0; i < near.count; i++) states[near.picks[i]] = dropped;
      states[pick] = kept;
      survives[indices[pick]] = 1;
    }
  }
}

/** The best undecided pick closer than a distance to one, itself included; all of them are `near` then. */
function bestAround(crowd: Crowd, pick: number, squared: number, states: Uint8Array, near: Near): number {
  const { cells, starts, places, scores, indices } = crowd;
  const found = near.picks;
  const x = places[3 * pick];
  const y = places[3 * pick + 1];
  const z = places[3 * pick + 2];
  const xPlace = cells.place(x);
  const yPlace = cells.place(y);
  const zPlace = cells.place(z);
  const firstX = firstInReach(xPlace);
  const width = lastInReach(xPlace) - firstX + 1;
  const lastY = lastInReach(yPlace);
  const lastZ = lastInReach(zPlace);
  let best = pick;
  let bestScore = scores[pick];
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
          const score = scores[i];
          if (score < bestScore || (score === bestScore && indices[i] >= indices[best])) continue;
          best = i;
          bestScore = score;
        }
        left -= run;
        cell = 0;
      }
    }
  }
  near.count = nearCount;
  return best;
}
