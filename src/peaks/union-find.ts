/** A member of a disjoint set; the root of a set is its own parent, and the oldest member. */
export interface Linked<T> {
  parent: T;
  /** Order of creation. */
  readonly age: number;
}

/** The root of a member's set; shortens the way there. */
export function rootOf<T extends Linked<T>>(member: T): T {
  let node = member;
  while (node.parent !== node) {
    node.parent = node.parent.parent;
    node = node.parent;
  }
  return node;
}
