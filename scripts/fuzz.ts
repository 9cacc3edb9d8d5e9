/**
 * Feeds mutants of valid files to every parser: each must give a value or a `CryoetPicksError`, within 2 s and 256 MiB.
 *
 *     npm run fuzz -- [--seed 1] [--parser NAME] [--count 10000] [--only INDEX]
 *
 * `--only` runs a single mutant again; the message of a failure names its index.
 */
import { parseArgs } from 'node:util';
import { fuzz } from '../test/support/fuzz/harness.ts';
import { targets } from '../test/support/fuzz/targets.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '10000' },
    parser: { type: 'string', multiple: true },
    only: { type: 'string' },
  },
});
const names = targets.map(({ name }) => name);
const unknown = values.parser?.find((name) => !names.includes(name));
if (unknown !== undefined) throw new Error(`no parser is called "${unknown}"; there are ${names.join(', ')}`);
const seed = Number(values.seed);
const range =
  values.only === undefined ? { first: 0, count: Number(values.count) } : { first: Number(values.only), count: 1 };
let failed = 0;
for (const parser of values.parser ?? names) {
  const { failures, outcomes, count, seconds, slowest, largest } = await fuzz({ parser, seed, ...range });
  console.log(`${parser}: ${count} in ${seconds} s, at most ${slowest} ms and ${largest} MiB`, outcomes);
  for (const { index, reason } of failures) {
    console.log(`FAILED: npm run fuzz -- --seed ${seed} --parser ${parser} --only ${index}\n  ${reason}`);
  }
  failed += failures.length;
}
console.log(failed === 0 ? 'no failures' : `${failed} failures`);
process.exitCode = failed === 0 ? 0 : 1;
