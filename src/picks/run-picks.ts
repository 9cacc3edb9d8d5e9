import { CryoetPicksError } from '../errors.ts';
import { showJson } from '../show-json.ts';
import type { Pick } from './pick.ts';

/** The picks of one run. */
export interface RunPicks {
  readonly run: string;
  readonly picks: readonly Pick[];
}

/** Picks run by run, as a list. @throws {@link CryoetPicksError} `invalid-option` for what is none, such as bare picks. */
export function runsOf(runs: Iterable<RunPicks>): RunPicks[] {
  const all = [...runs];
  const odd = all.find((one) => typeof one?.run !== 'string' || !one.picks);
  if (odd === undefined) return all;
  throw new CryoetPicksError('invalid-option', `expected runs, [{ run: 'TS_1', picks }], found ${showJson(odd)}`);
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
