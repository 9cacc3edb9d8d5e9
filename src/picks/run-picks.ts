import type { Pick } from './pick.ts';

/** The picks of one run. */
export interface RunPicks {
  readonly run: string;
  readonly picks: readonly Pick[];
}

/** Collects rows of a table run by run, runs in order of first appearance, picks in the order of the rows. */
export function groupByRun(rows: Iterable<{ readonly run: string; readonly pick: Pick }>): RunPicks[] {
  const runs = new Map<string, Pick[]>();
  for (const { run, pick } of rows) {
    const picks = runs.get(run);
    if (picks === undefined) runs.set(run, [pick]);
    else picks.push(pick);
  }
  return [...runs].map(([run, picks]) => ({ run, picks }));
}
