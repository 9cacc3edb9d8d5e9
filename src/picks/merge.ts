import { CellList } from '../space/cell-list.ts';
import type { Point } from '../space/point.ts';
import { bestFirst } from './best-first.ts';
import { type LengthPerObject, lengthPerObject } from './per-object.ts';
import type { Pick } from './pick.ts';

/** Options of {@link mergeNearby}. */
export interface MergeNearbyOptions {
  /** Reach in Å of the best pick of a group; one number, or a function of the object's name. */
  readonly radius: LengthPerObject;
}

/**
 * Fuses picks of one object that mean the same particle, such as those of several models, into one at their weighted
 * mean.
 *
 * Goes from the best pick to the worst: a pick that belongs to no group yet founds one, and takes in all free picks of its
 * object at most `radius` away. A group becomes its founder moved to the mean of the positions, weighted by score (negative
 * scores count 0; plain mean if the weights have no positive finite sum). Score, transform and instance id are the
 * founder's. A pick alone keeps its position exactly. Two results may still be closer than `radius`: suppress afterwards
 * where that matters.
 *
 * @param picks - Picks of one tomogram, in any order.
 * @returns One pick per group, by falling score.
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite; `invalid-option` if a
 *   radius is negative or not finite.
 *
 * @example
 * ```ts
 * const merged = mergeNearby([...picksOfUnet, ...picksOfTemplate], { radius: 30 });
 * ```
 */
export function mergeNearby(picks: readonly Pick[], { radius }: MergeNearbyOptions): Pick[] {
  const radiusOf = lengthPerObject(radius, 'radius');
  const ranked = bestFirst(picks);
  const groups = new Map<string, ObjectPicks>();
  for (const pick of ranked) {
    let group = groups.get(pick.object);
    if (!group) {
      group = { picks: [], taken: [], places: new CellList(radiusOf(pick.object) || 1) };
      groups.set(pick.object, group);
    }
    group.places.add(pick.position);
    group.picks.push(pick);
    group.taken.push(false);
  }
  const next = new Map<string, number>();
  const merged: Pick[] = [];
  for (const founder of ranked) {
    const { object } = founder;
    const group = groups.get(object) as ObjectPicks;
    const index = next.get(object) ?? 0;
    next.set(object, index + 1);
    if (group.taken[index]) continue;
    const members = takeWithin(group, founder.position, radiusOf(object));
    merged.push({ ...founder, position: weightedMean(founder.position, members) });
  }
  return merged;
}

/** All picks of one object, best first, with their places in the same order. */
interface ObjectPicks {
  readonly picks: Pick[];
  readonly taken: boolean[];
  readonly places: CellList;
}

function takeWithin({ picks, taken, places }: ObjectPicks, position: Point, radius: number): Pick[] {
  const free = places.within(position, radius).filter((i) => !taken[i]);
  for (const i of free) taken[i] = true;
  // The order of a sum decides its last digits.
  return free.sort((a, b) => a - b).map((i) => picks[i]);
}

/** Sums displacements from the founder rather than positions, so that a pick alone stays where it is to the last bit. */
function weightedMean(founder: Point, members: readonly Pick[]): Point {
  const total = members.reduce((sum, { score }) => sum + Math.max(score, 0), 0);
  const weigh = total > 0 && total < Number.POSITIVE_INFINITY;
  let dx = 0;
  let dy = 0;
  let dz = 0;
  for (const { position, score } of members) {
    const share = weigh ? Math.max(score, 0) / total : 1 / members.length;
    dx += share * (position.x - founder.x);
    dy += share * (position.y - founder.y);
    dz += share * (position.z - founder.z);
  }
  return { x: founder.x + dx, y: founder.y + dy, z: founder.z + dz };
}
