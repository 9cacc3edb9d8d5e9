import { finiteLength, numberPerObject, type PerObject } from '../core/per-object.ts';
import { type CellGrid, cellGridOf, firstInReach, lastInReach } from './cell-grid.ts';
import { checkRankable, type ParticlePick, ranked } from './pick.ts';

/** Options of {@link suppressNearby}. */
export interface SuppressNearbyOptions {
  /** Minimum distance in Å between two picks of an object. */
  readonly minDistance: PerObject;
}

/**
 * Keeps the best of picks that lie too close together, object by object.
 *
 * Greedy non-maximum suppression: goes from the best pick to the worst and keeps a pick if no kept one of its object is closer
 * than `minDistance`; one at exactly that distance is kept. Equal scores go by their order in `picks`. Doing it again changes
 * nothing.
 *
 * @param picks - Picks of one tomogram, in any order; distances between different objects do not matter.
 * @returns The picks that were kept, unchanged, by falling score.
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite; `invalid-option` if a
 *   distance is negative or not finite, or an object of the picks has none.
 *
 * @example
 * ```ts
 * const picks = suppressNearby(found, { minDistance: { ribosome: 150, 'apo-ferritin': 60 } });
 * ```
 */
export function suppressNearby(picks: readonly ParticlePick[], { minDistance }: SuppressNearbyOptions): ParticlePick[] {
  const distanceOf = numberPerObject('minDistance', minDistance, finiteLength);
  checkRankable(picks);
  const isKept = new Uint8Array(picks.length);
  for (const [object, members] of membersByObject(picks)) greedyNms(picks, members, distanceOf(object), isKept);
  return ranked(marked(picks, isKept));
}

function marked(picks: readonly ParticlePick[], marks: Uint8Array): ParticlePick[] {
  const found: ParticlePick[] = [];
  for (let i = 0; i < marks.length; i++) if (marks[i] === 1) found.push(picks[i]);
  return found;
}

/** Indices of the picks of each object. */
function membersByObject(picks: readonly ParticlePick[]): Map<string, Uint32Array> {
  const left = new Map<string, number>();
  // Picks of an object tend to come together.
  forEachStretch(picks, (object, from, to) => left.set(object, (left.get(object) ?? 0) + to - from));
  const members = new Map([...left].map(([object, count]) => [object, new Uint32Array(count)]));
  forEachStretch(picks, (object, from, to) => {
    const own = members.get(object) as Uint32Array;
    const missing = left.get(object) as number;
    for (let i = from, at = own.length - missing; i < to; i++, at++) own[at] = i;
    left.set(object, missing - (to - from));
  });
  return members;
}

/** Visits picks of one object that follow each other, `from` … `to`. */
function forEachStretch(
  picks: readonly ParticlePick[],
  visit: (object: string, from: number, to: number) => void,
): void {
  for (let from = 0, to = 0; from < picks.length; from = to) {
    const { object } = picks[from];
    for (to = from + 1; to < picks.length && picks[to].object === object; ) to++;
    visit(object, from, to);
  }
}

/** Options of {@link suppressAcrossObjects}. */
export interface SuppressAcrossObjectsOptions {
  /** Minimum distance in Å between two picks, whatever their objects. */
  readonly minDistance: number;
}

/**
 * Keeps the best of picks that lie too close together, whatever their objects: one place holds one particle.
 *
 * As {@link suppressNearby} otherwise. Scores of different objects are compared as they are, so they should share a scale.
 *
 * @throws {@link CryoetPicksError} As {@link suppressNearby}.
 *
 * @example
 * ```ts
 * const oneObjectPerPlace = suppressAcrossObjects(picks, { minDistance: 40 });
 * ```
 */
export function suppressAcrossObjects(
  picks: readonly ParticlePick[],
  { minDistance }: SuppressAcrossObjectsOptions,
): ParticlePick[] {
  const distance = numberPerObject('minDistance', minDistance, finiteLength)('');
  checkRankable(picks);
  const isKept = new Uint8Array(picks.length);
  greedyNms(picks, Uint32Array.from(picks.keys()), distance, isKept);
  return ranked(marked(picks, isKept));
}

/** Below this, squares of distances lose their digits, and a cell no longer bounds what is close. */
const MIN_EDGE = 1e-150;

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
 * Marks those of some picks that remain when the best is kept, all closer to it than `distance` are dropped, and so on.
 *
 * Ranks are not walked from the top, which would jump through memory: from each pick the way leads to the best undecided
 * one in its reach, from there to the best in that one's, up to one that has no better. That one is kept whatever happens
 * elsewhere; those in its reach are dropped, and the way resumes where it was. Picks one after the next on such a way lie
 * apart, as kept ones do, so that each is looked at a bounded number of times.
 *
 * @param members - Indices of the picks to look at, in an order of their own afterwards; of equal scores the lower index goes first.
 * @param distance - In Å.
 * @param isKept - Gets 1 at the index of each pick that is kept.
 */
function greedyNms(picks: readonly ParticlePick[], members: Uint32Array, distance: number, isKept: Uint8Array): void {
  const squared = distance * distance;
  if (squared === 0) {
    for (let i = 0; i < members.length; i++) isKept[members[i]] = 1;
  }
  if (squared === 0 || members.length === 0) return;
  const grid = cellGridOf(picks, members, Math.max(distance, MIN_EDGE));
  const { indices } = grid;
  const states = new Uint8Array(members.length);
  const near: Near = { picks: [], count: 0 };
  const way: number[] = [];
  for (let start = 0; start < states.length; start++) {
    if (states[start] === undecided) way.push(start);
    while (way.length > 0) {
      const pick = way[way.length - 1];
      const better = states[pick] === undecided ? bestAround(grid, pick, squared, states, near) : pick;
      if (better !== pick) {
        way.push(better);
        continue;
      }
      way.pop();
      if (states[pick] !== undecided) continue;
      for (let i = 0; i < near.count; i++) states[near.picks[i]] = dropped;
      states[pick] = kept;
      isKept[indices[pick]] = 1;
    }
  }
}

/** The best undecided pick closer than a distance to one, itself included; all of them are `near` then. */
function bestAround(grid: CellGrid, pick: number, squared: number, states: Uint8Array, near: Near): number {
  const { cells, starts, places, scores, indices } = grid;
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
