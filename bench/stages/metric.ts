// The official metric over 50 tomograms × 6 particle types × 200 truths × 2,000 candidates, from tables in memory.
import { readFileSync } from 'node:fs';
import { parseSubmissionRows, scoreTables } from 'cryoet-picks';
import { measure } from '../measure.ts';
import { dataPath } from './files.ts';

const rowsOf = (name: string) => parseSubmissionRows(readFileSync(dataPath(name), 'utf8'), { source: name });
const tables = { truth: rowsOf('truth.csv'), submission: rowsOf('submission.csv') };

await measure('scoreTables', () => scoreTables(tables).score);
