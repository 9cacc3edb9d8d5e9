// Compares two runs of the benchmarks; exit status 1 if a timing of this library takes more than 5 % longer.
//
//   npm run bench:compare -- BEFORE.json AFTER.json
import { readFileSync } from 'node:fs';
import { differenceLines, differences } from './differences.ts';
import type { BenchRun } from './medians.ts';
import { peers } from './targets.ts';

const files = process.argv.slice(2);
if (files.length !== 2) throw new Error('hand in two files that npm run bench -- --json FILE wrote');
const [before, after] = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as BenchRun);
const found = differences(before!, after!, { peers });
for (const line of differenceLines(found)) console.log(line);
if (found.some(({ worse }) => worse)) process.exitCode = 1;
