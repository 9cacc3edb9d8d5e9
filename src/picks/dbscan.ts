import {
  numberPerObject,
  optional,
  type PerObject,
  perObject,
  positiveCount,
  positiveLength,
  requireOptions,
} from '../core/arguments.ts';
import { copiesInOrder, inOrder, neighbourFinder, orderOf, type ParticlePick, rankable } from './pick.ts';

/** Options of {@link dbscan}. */
export interface DbscanOptions {
  /** Distance in Å, above 0, within which picks are neighbours. */
  readonly radius: PerObject;
  /**
   * Number of picks, itself included, that a pick must have within `radius` to be in the middle of a cluster.
   * @defaultValue 2
   */
  readonly minPicks?: number | undefined;
}

/** Picks in groups. Nothing is lost: each pick is in one cluster or in the noise. */
export interface Clusters {
  /** Each cluster best pick first; the clusters by their best pick. */
  readonly clusters: readonly (readonly ParticlePick[])[];
  /** Picks that belong to no cluster, best first. */
  readonly noise: readonly ParticlePick[];
}

/**
 * Groups picks of one object by density: DBSCAN (Ester, Kriegel, Sander and Xu, KDD 1996).
 *
 * A pick with at least `minPicks` within `radius` is a core; cores within `radius` of each other share a cluster, as do the
 * picks within `radius` of a core. A pick in reach of several clusters goes to that of the best core in reach, so that the
 * order of the picks does not matter (in the original, the first cluster found takes it). The usual clean-up of slice-wise
 * detections, and of stray picks.
 *
 * @param picks - Picks of one tomogram, in any order; different objects never share a cluster.
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite; `invalid-option` if a
 *   radius is not positive and finite, an object of the picks has none, or `minPicks` is not a whole number above 0.
 *
 * @example
 * ```ts
 * const { clusters } = dbscan(picks, { radius: 40, minPicks: 3 });
 * const merged = clusters.flatMap((cluster) => mergeNearby(cluster, { radius: 1000 }));
 * ```
 */
export function dbscan(picks: readonly ParticlePick[], options: DbscanOptions): Clusters {
  const rules = { radius: perObject, minPicks: optional(positiveCount) };
  const { radius, minPicks = 2 } = requireOptions('dbscan', options, rules);
  const radiusOf = numberPerObject('radius', radius, positiveLength, 'dbscan');
  const values = rankable(picks, 'dbscan');
  const order = orderOf(values.scores);
  const ranked = inOrder(picks, order);
  const neighbours = neighbourFinder(copiesInOrder(picks, values, order), radiusOf);
  const isCore = ranked.map((_, rank) => neighbours(rank).length >= minPicks);
  const clusterOf = new Int32Array(ranked.length).fill(-1);
  let count = 0;
  ranked.forEach((_, rank) => {
    if (!isCore[rank] || clusterOf[rank] >= 0) return;
    growCluster(rank, count++, { isCore, clusterOf, neighbours });
  });
  ranked.forEach((_, rank) => {
    if (isCore[rank]) return;
    const best = neighbours(rank).reduce((lowest, i) => (isCore[i] && i < lowest ? i : lowest), ranked.length);
    if (best < ranked.length) clusterOf[rank] = clusterOf[best];
  });
  return collect(ranked, clusterOf);
}

interface Growth {
  readonly isCore: readonly boolean[];
  readonly clusterOf: Int32Array;
  readonly neighbours: (rank: number) => number[];
}

function growCluster(seed: number, cluster: number, { isCore, clusterOf, neighbours }: Growth): void {
  clusterOf[seed] = cluster;
  const queue = [seed];
  for (let rank = queue.pop(); rank !== undefined; rank = queue.pop()) {
    for (const other of neighbours(rank)) {
      if (!isCore[other] || clusterOf[other] >= 0) continue;
      clusterOf[other] = cluster;
      queue.push(other);
    }
  }
}

function collect(ranked: readonly ParticlePick[], clusterOf: Int32Array): Clusters {
  const byNumber = new Map<number, ParticlePick[]>();
  const noise: ParticlePick[] = [];
  ranked.forEach((pick, rank) => {
    const cluster = clusterOf[rank];
    if (cluster < 0) noise.push(pick);
    else if (byNumber.has(cluster)) byNumber.get(cluster)?.push(pick);
    else byNumber.set(cluster, [pick]);
  });
  // A map keeps the order of insertion, which is that of the best picks.
  return { clusters: [...byNumber.values()], noise };
}
