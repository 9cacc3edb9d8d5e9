/** A position, or a displacement, in physical space, in Å. */
export interface Point {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** Squared Euclidean distance between two points, in Å²; summed x, y, z, in that order, as the official metric does. */
export function squaredDistance(a: Point, b: Point): number {
  const dx = a.x - b.x;
  const dy = a.y - b.y;
  const dz = a.z - b.z;
  return dx * dx + dy * dy + dz * dz;
}
