import { finiteLength, numberPerObject, type PerObject, perObject, requireOptions } from '../core/arguments.ts';
import type { Point } from '../space/grid.ts';
import { bestCopiesFirst, neighbourFinder, type ParticlePick } from './pick.ts';

/** Options of {@link mergeNearby}. */
export interface MergeNearbyOptions {
  /** Reach in Å of the best pick of a group. */
  readonly radius: PerObject;
}

/**
 * Fuses picks of one object that mean the same particle, such as those of several models, into one at their weighted
 * mean.
 *
 * Goes from the best pick to the worst: a pick that belongs to no group yet founds one, and absorbs every unassigned pick
 * of its object at most `radius` away. A group becomes its founder moved to the mean of the positions, weighted by score (negative
 * scores count 0; plain mean if the weights have no positive finite sum). Score, transform and instance id are the
 * founder's. A pick alone keeps its position exactly. Two results may still be closer than `radius`: suppress afterwards
 * where that matters.
 *
 * @param picks - Picks of one tomogram, in any order.
 * @returns One pick per group, by falling score.
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite; `invalid-option` if a
 *   radius is negative or not finite, or an object of the picks has none.
 *
 * @example
 * ```ts
 * const merged = mergeNearby([...picks, ...votes], { radius: 30 });
 * ```
 */
export function mergeNearby(picks: readonly ParticlePick[], options: MergeNearbyOptions): ParticlePick[] {
  const { radius } = requireOptions('mergeNearby', options, { radius: perObject });
  const radiusOf = numberPerObject('radius', radius, finiteLength, 'mergeNearby');
  const ranked = bestCopiesFirst(picks, 'mergeNearby');
  const neighbours = neighbourFinder(ranked, radiusOf);
  const taken = new Uint8Array(ranked.length);
  const merged: ParticlePick[] = [];
  ranked.forEach((founder, rank) => {
    if (taken[rank]) return;
    const { position } = founder;
    // The order of a sum decides its last digits.
    const members = neighbours(rank)
      .filter((i) => !taken[i])
      .sort((a, b) => a - b);
    for (const i of members) taken[i] = 1;
    merged.push({
      ...founder,
      position: weightedMean(
        position,
        members.map((i) => ranked[i]),
      ),
    });
  });
  return merged;
}

/** Sums displacements from the founder rather than positions, so that a pick alone stays where it is to the last bit. */
function weightedMean(founder: Point, members: readonly ParticlePick[]): Point {
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
