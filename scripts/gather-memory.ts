/**
 * Gathers projects of few and of many runs into one submission and one score, and prints how much memory is in use on the way, after
 * collection. It must not grow with the number of runs but for their names: by at most 2 kB a run, while the picks of each take over 200 kB.
 *
 *     npm run gather-memory -- [--runs 5000]
 */
import { parseArgs } from 'node:util';
import { gatherMemory } from '../test/support/gather-memory.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5000' } } });
const many = Number(values.runs);
const sizes = [Math.ceil(many / 50), Math.ceil(many / 10), many];
// What is compiled and cached once is no matter of runs.
await gatherMemory(sizes[0]!);
const found: number[] = [];
for (const runs of sizes) {
  const started = performance.now();
  const { bytes, picks } = await gatherMemory(runs);
  found.push(bytes);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${runs} runs, ${picks} picks: ${(bytes / 1e6).toFixed(1)} MB in use, ${seconds} s`);
}
const perRun = (found.at(-1)! - found[0]!) / (many - sizes[0]!);
console.log(`${(perRun / 1000).toFixed(2)} kB a run`);
process.exitCode = perRun <= 2000 ? 0 : 1;
