import {
  numberPerObject,
  optional,
  type PerObject,
  perObject,
  positiveCount,
  positiveLength,
  type RulesFor,
  requireOptions,
} from '../core/arguments.ts';
import { type CellGrid, cellGridOf, forEachWithin, pointsOf } from '../space/cell-grid.ts';
import type { Point } from '../space/grid.ts';
import { bestCopiesFirst, bestFirst, type ParticlePick } from './pick.ts';

/** Options of {@link meanShift}. */
export interface MeanShiftOptions {
  /** Radius in Å, above 0, of the window that climbs. */
  readonly bandwidth: PerObject;
  /**
   * A window stops when it moves by less than this part of the bandwidth, or after this many moves.
   * @defaultValue 1e-3
   */
  readonly tolerance?: number | undefined;
  /** @defaultValue 300 */
  readonly maxMoves?: number | undefined;
}

/**
 * Moves picks of one object to the places where they are densest, and makes one pick of those that meet: mean shift with a
 * flat window (Comaniciu and Meer, IEEE TPAMI 24, 2002), as DeepFinder and MemBrain use it.
 *
 * A window around each pick moves to the mean of the picks within `bandwidth`, weighted by score (negative scores count 0;
 * plain mean where no weight is above 0), until it rests. Resting places are taken by falling number of picks in their
 * window (then by falling weight, then by the score of the pick that began there); one within `bandwidth` of a taken one is
 * the same. Each pick belongs to the nearest taken place.
 *
 * @param picks - Picks of one tomogram, in any order; different objects do not see each other.
 * @returns One pick per place, by falling score: the best pick that belongs to it, moved there.
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite; `invalid-option` if an
 *   option cannot be.
 *
 * @example
 * ```ts
 * const picks = meanShift(votes, { bandwidth: { ribosome: 75, 'apo-ferritin': 30 } });
 * ```
 */
export function meanShift(picks: readonly ParticlePick[], options: MeanShiftOptions): ParticlePick[] {
  const { bandwidth, tolerance = 1e-3, maxMoves = 300 } = requireOptions('meanShift', options, rules);
  const bandwidthOf = numberPerObject('bandwidth', bandwidth, positiveLength, 'meanShift');
  const groups = new Map<string, ParticlePick[]>();
  for (const pick of bestCopiesFirst(picks, 'meanShift')) {
    const group = groups.get(pick.object);
    if (group) group.push(pick);
    else groups.set(pick.object, [pick]);
  }
  return bestFirst(
    [...groups].flatMap(([object, group]) => modesOf(group, { radius: bandwidthOf(object), tolerance, maxMoves })),
    'meanShift',
  );
}

const rules: RulesFor<MeanShiftOptions> = {
  bandwidth: perObject,
  tolerance: optional({
    expected: 'a number above 0',
    isValid: (value) => typeof value === 'number' && value > 0,
  }),
  maxMoves: optional(positiveCount),
};

interface Climb {
  readonly radius: number;
  readonly tolerance: number;
  readonly maxMoves: number;
}

/** Where a window came to rest. */
interface Mode {
  readonly position: Point;
  /** Number of picks in the window, and the sum of their weights. */
  readonly count: number;
  readonly weight: number;
}

/** The picks of one object, best first, at their modes. */
function modesOf(picks: readonly ParticlePick[], climb: Climb): ParticlePick[] {
  const grid = cellGridOf(pointsOf(picks), climb.radius);
  const modes = picks.map(({ position }) => climbFrom(position, picks, grid, climb));
  // A stable sort: equal modes stay in the order of the picks that began there.
  const ranked = [...modes].sort((a, b) => b.count - a.count || b.weight - a.weight);
  const chosen = apart(ranked, climb.radius);
  const chosenGrid = cellGridOf(pointsOf(chosen), climb.radius);
  const best = new Map<number, ParticlePick>();
  picks.forEach((pick, i) => {
    const nearest = nearestTo(modes[i].position, chosenGrid, climb.radius);
    if (!best.has(nearest)) best.set(nearest, { ...pick, position: chosen[nearest].position });
  });
  return [...best.values()];
}

/** The modes, in their order, that have no chosen one within the radius before them. */
function apart(ranked: readonly Mode[], radius: number): Mode[] {
  const grid = cellGridOf(pointsOf(ranked), radius);
  const taken = new Uint8Array(ranked.length);
  return ranked.filter(({ position }, rank) => {
    if (taken[rank]) return false;
    forEachWithin(grid, position, radius, (other) => {
      taken[other] = 1;
    });
    return true;
  });
}

function climbFrom(start: Point, picks: readonly ParticlePick[], grid: CellGrid, climb: Climb): Mode {
  const near: number[] = [];
  let position = start;
  let mode: Mode = { position, count: 0, weight: 0 };
  for (let move = 0; ; move++) {
    near.length = 0;
    forEachWithin(grid, position, climb.radius, (index) => near.push(index));
    // By rounding, picks on the edge of a window may lie just outside the next one.
    if (near.length === 0) return mode;
    // The order of a sum decides its last digits.
    const members = near.sort((a, b) => a - b).map((i) => picks[i]);
    const weight = members.reduce((sum, { score }) => sum + Math.max(score, 0), 0);
    const mean = meanOf(members, weight);
    const moved = Math.hypot(mean.x - position.x, mean.y - position.y, mean.z - position.z);
    position = mean;
    mode = { position, count: members.length, weight };
    if (moved < climb.tolerance * climb.radius || move === climb.maxMoves) return mode;
  }
}

/** Sums displacements from the first rather than positions, so that a pick alone stays where it is to the last bit. */
function meanOf(members: readonly ParticlePick[], total: number): Point {
  const weigh = total > 0 && total < Number.POSITIVE_INFINITY;
  const origin = members[0].position;
  let [dx, dy, dz] = [0, 0, 0];
  for (const { position, score } of members) {
    const share = weigh ? Math.max(score, 0) / total : 1 / members.length;
    dx += share * (position.x - origin.x);
    dy += share * (position.y - origin.y);
    dz += share * (position.z - origin.z);
  }
  return { x: origin.x + dx, y: origin.y + dy, z: origin.z + dz };
}

/** The index of the nearest point of a grid within the radius; the lowest of several equally near. */
function nearestTo(place: Point, grid: CellGrid, radius: number): number {
  let nearest = -1;
  let smallest = Number.POSITIVE_INFINITY;
  forEachWithin(grid, place, radius, (index, squared) => {
    if (squared > smallest || (squared === smallest && index > nearest)) return;
    nearest = index;
    smallest = squared;
  });
  return nearest;
}
