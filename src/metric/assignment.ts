/** A sparse bipartite graph: the edges of left vertex i lie at `start[i] … start[i + 1] − 1` of the two lists. */
export interface SparseCosts {
  readonly start: Uint32Array;
  readonly right: Uint32Array;
  /** Not negative, at most `maxCost`. */
  readonly cost: Float64Array;
  readonly rightCount: number;
  readonly maxCost: number;
}

/**
 * Pairs left with right vertices one to one: as many pairs as the edges allow, and among those the least total cost.
 *
 * Shortest augmenting paths with potentials (Jonker and Volgenant, Computing 38, 1987) over the edges alone: a search
 * never leaves the connected component it starts in. To stay single costs more than any rearrangement could save.
 *
 * @returns The right vertex of each left vertex, −1 for one left alone.
 */
export function assign(graph: SparseCosts): Int32Array {
  const leftCount = graph.start.length - 1;
  const search = newSearch(graph, leftCount);
  for (let row = 0; row < leftCount; row++) augmentFrom(row, graph, search);
  return search.rightOf;
}

/** State of the searches: the matching, the potentials, and scratch that is valid for the vertices in `reached`. */
interface Search {
  readonly rightOf: Int32Array;
  readonly leftOf: Int32Array;
  readonly leftPotential: Float64Array;
  readonly rightPotential: Float64Array;
  readonly singleCost: number;
  readonly distance: Float64Array;
  readonly from: Int32Array;
  readonly settled: Uint8Array;
  /** Right vertices with a finite distance, in order of discovery. */
  readonly reached: number[];
}

function newSearch({ rightCount, maxCost }: SparseCosts, leftCount: number): Search {
  return {
    rightOf: new Int32Array(leftCount).fill(-1),
    leftOf: new Int32Array(rightCount).fill(-1),
    leftPotential: new Float64Array(leftCount),
    rightPotential: new Float64Array(rightCount),
    singleCost: (Math.min(leftCount, rightCount) + 1) * maxCost + 1,
    distance: new Float64Array(rightCount).fill(Number.POSITIVE_INFINITY),
    from: new Int32Array(rightCount),
    settled: new Uint8Array(rightCount),
    reached: [],
  };
}

/** One Dijkstra search from an unpaired left vertex, to a free right vertex or to a left vertex better left single. */
function augmentFrom(root: number, graph: SparseCosts, search: Search): void {
  const { leftOf, leftPotential, singleCost, distance, settled } = search;
  let left = root;
  let travelled = 0;
  let single = root;
  let singleDistance = Number.POSITIVE_INFINITY;
  let end = -1;
  for (;;) {
    const toSingle = travelled + singleCost - leftPotential[left]!;
    if (toSingle < singleDistance) {
      singleDistance = toSingle;
      single = left;
    }
    relaxEdges(left, travelled, graph, search);
    const next = nearestUnsettled(search);
    if (next === -1 || distance[next]! >= singleDistance) break;
    travelled = distance[next]!;
    if (leftOf[next] === -1) {
      end = next;
      break;
    }
    settled[next] = 1;
    left = leftOf[next]!;
  }
  const length = end === -1 ? singleDistance : travelled;
  updatePotentials(root, length, search);
  flipPath(root, end === -1 ? single : -1, end, search);
  forget(search);
}

function relaxEdges(left: number, travelled: number, { start, right, cost }: SparseCosts, search: Search): void {
  const { leftPotential, rightPotential, distance, from, settled, reached } = search;
  for (let edge = start[left]!; edge < start[left + 1]!; edge++) {
    const vertex = right[edge]!;
    if (settled[vertex]) continue;
    const along = travelled + (cost[edge]! - leftPotential[left]! - rightPotential[vertex]!);
    if (along >= distance[vertex]!) continue;
    if (distance[vertex] === Number.POSITIVE_INFINITY) reached.push(vertex);
    distance[vertex] = along;
    from[vertex] = left;
  }
}

function nearestUnsettled({ reached, settled, distance, leftOf }: Search): number {
  let best = -1;
  for (const vertex of reached) {
    if (settled[vertex]) continue;
    if (best !== -1 && distance[vertex]! > distance[best]!) continue;
    if (best === -1 || distance[vertex]! < distance[best]! || (leftOf[vertex] === -1 && leftOf[best] !== -1)) {
      best = vertex;
    }
  }
  return best;
}

/** Keeps every reduced cost of the next searches non-negative. */
function updatePotentials(root: number, length: number, search: Search): void {
  const { leftOf, leftPotential, rightPotential, distance, settled, reached } = search;
  leftPotential[root]! += length;
  for (const vertex of reached) {
    if (!settled[vertex]) continue;
    const slack = length - distance[vertex]!;
    rightPotential[vertex]! -= slack;
    leftPotential[leftOf[vertex]!]! += slack;
  }
}

/** Swaps paired and unpaired edges along the path that ends at right vertex `end`, or at left vertex `single`. */
function flipPath(root: number, single: number, end: number, { rightOf, leftOf, from }: Search): void {
  let vertex = end;
  if (single !== -1) {
    if (single === root) return;
    vertex = rightOf[single]!;
    rightOf[single] = -1;
  }
  for (;;) {
    const left = from[vertex]!;
    const previous = rightOf[left]!;
    rightOf[left] = vertex;
    leftOf[vertex] = left;
    if (left === root) return;
    vertex = previous;
  }
}

function forget({ reached, distance, settled }: Search): void {
  for (const vertex of reached) {
    distance[vertex] = Number.POSITIVE_INFINITY;
    settled[vertex] = 0;
  }
  reached.length = 0;
}
