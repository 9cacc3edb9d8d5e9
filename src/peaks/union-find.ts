/** A member of a disjoint set; the root of a set is its own parent, and the oldest member. */
export interface Linked<T> {
  parent: T;
  /** Order of creation. */
  readonly age: number;
}

/** The sets of a sweep that its last plane still touches, and those that ended before. */
export interface SplitSets<T> {
  readonly open: T[];
  readonly ended: T[];
}

/** Splits sets, named by some of their members, into those that plane `index` touches and those that ended before it. */
export function splitEnded<T extends Linked<T> & { readonly lastPlane: number }>(
  members: readonly T[],
  index: number,
): SplitSets<T> {
  const open: T[] = [];
  const ended: T[] = [];
  for (const member of members) {
    if (member.parent !== member) continue;
    if (member.lastPlane === index) open.push(member);
    else ended.push(member);
  }
  return { open, ended };
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
