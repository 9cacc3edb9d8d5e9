// The official metric over 500 tomograms × 6 particle types × 200 truths × 2,000 candidates, from tables in memory: the 50
// tomograms that the peer scores, repeated ten times under other names.
import { readFileSync } from 'node:fs';
import { parseSubmissionRows, scoreTables, type TableRow } from 'cryoet-picks';
import { measure } from '../measure.ts';
import { dataPath } from './files.ts';

const rowsOf = (name: string) => parseSubmissionRows(readFileSync(dataPath(name), 'utf8'), { source: name });
const tables = { truth: rowsOf('truth.csv'), submission: rowsOf('submission.csv') };

/** Copies of the rows, separate objects like those parsed from a longer file. */
function repeated(rows: readonly TableRow[], times: number): TableRow[] {
  const all: TableRow[] = [];
  for (let time = 0; time < times; time++) {
    const names = new Map<string, string>();
    for (const { run, pick } of rows) {
      const name = names.get(run) ?? `${run}_${time}`;
      names.set(run, name);
      all.push({ run: name, pick: { ...pick, position: { ...pick.position } } });
    }
  }
  return all;
}

await measure('scoreTables, 50 tomograms', () => scoreTables(tables).score);
const large = { truth: repeated(tables.truth, 10), submission: repeated(tables.submission, 10) };
await measure('scoreTables, 500 tomograms', () => scoreTables(large).score);
