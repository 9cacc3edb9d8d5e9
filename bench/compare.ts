// Compares two runs of the benchmarks. Exit status 1 if a stage of this library takes over 5 % more time or memory than
// before, or if only one of the runs has it.
//
//   npm run bench:compare -- BEFORE.json AFTER.json [--noise A1.json --noise A2.json]
//
// The two files of --noise are runs of the same code, as `npm run bench:alternate` writes them: then a stage fails only if
// it is also worse by more than those two differ.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { differenceLines, differences } from './differences.ts';
import type { BenchRun } from './medians.ts';
import { peers } from './targets.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { noise: { type: 'string', multiple: true, default: [] } },
});
if (positionals.length !== 2) throw new Error('give two files that npm run bench -- --json FILE wrote');
const { noise } = values;
if (noise.length !== 0 && noise.length !== 2) throw new Error('give --noise twice: two runs of the same code');
const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as BenchRun;
const [before, after] = positionals.map(read) as [BenchRun, BenchRun];
const sameCode = noise.length === 2 ? (noise.map(read) as [BenchRun, BenchRun]) : undefined;
const found = differences(before, after, { peers, sameCode });
for (const line of differenceLines(found)) console.log(line);
const failed = found.filter(({ failure }) => failure);
console.log(failed.length === 0 ? 'nothing is worse' : `${failed.length} of ${found.length} comparisons failed`);
if (failed.length > 0) process.exitCode = 1;
