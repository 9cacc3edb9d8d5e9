import type { Pick } from '../picks/pick.ts';

/** A count and its noun: `1 run`, `2 runs`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Number of picks of each object. */
export function countByObject(picks: readonly Pick[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { object } of picks) counts[object] = (counts[object] ?? 0) + 1;
  return counts;
}
