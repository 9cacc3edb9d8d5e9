import type { Pick } from '../picks/pick.ts';
import { formatTable } from './table.ts';

/** A count and its noun: `1 run`, `2 runs`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Number of picks of each object. */
export function countByObject(picks: readonly Pick[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { object } of picks) counts.set(object, (counts.get(object) ?? 0) + 1);
  return Object.fromEntries(counts);
}

/** Counts per object of a run. */
export interface RunCounts {
  readonly run: string;
  readonly counts: Readonly<Record<string, number>>;
}

/** A table of counts: a line per object, a column per run, or only the sum where there are many runs. */
export function countTable(title: string, { runs }: { readonly runs: readonly RunCounts[] }): string[] {
  const objects = [...new Set(runs.flatMap(({ counts }) => Object.keys(counts)))].sort();
  const shown = runs.length <= 4 ? runs : [];
  const cells = (countOf: (run: RunCounts) => number) => [
    ...shown.map(countOf),
    runs.reduce((sum, run) => sum + countOf(run), 0),
  ];
  return formatTable({
    header: [title, ...shown.map(({ run }) => run), 'all'],
    rows: objects.map((object) => [
      object,
      ...cells(({ counts }) => (Object.hasOwn(counts, object) ? counts[object]! : 0)),
    ]),
    footer: [['all', ...cells(({ counts }) => sumOf(counts))]],
  });
}

/** The sum of counts. */
export function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
