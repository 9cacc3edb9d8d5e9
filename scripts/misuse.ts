/**
 * Calls every public function, and every method of what they return, with wrong arguments: nothing, null, wrong types, a promise,
 * plain lists, negative and absurd numbers. Each call must throw a `CryoetPicksError`, or stand in the table of the calls that
 * return (`test/support/misuse/returns.ts`), with the reason why that is right.
 *
 *     npm run misuse -- [--seed 1] [--share 1] [--pairs 4000] [--only NAME] [--list]
 *
 * `--share` makes only a part of the calls; `--pairs` adds calls with two mistakes, which may return but never fail otherwise;
 * `--only` calls one function; `--list` prints how each call ended.
 */
import { parseArgs } from 'node:util';
import { misuse } from '../test/support/misuse/harness.ts';
import { judge } from '../test/support/misuse/judge.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    share: { type: 'string', default: '1' },
    pairs: { type: 'string', default: '4000' },
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});
const { only, list } = values;
const [seed, share, pairs] = [values.seed, values.share, values.pairs].map(Number) as [number, number, number];
const started = performance.now();
const calls = await misuse({ seed, share, pairs, only });
const { raw, unexplained, idle, counts } = judge(calls, { isWhole: share === 1 && only === undefined });
for (const { subject, wrong, kind, detail } of list ? calls : [])
  console.log(`${kind}\t${subject}\t${wrong.join(', ')}\t${detail}`);
for (const { subject, wrong, detail } of raw) console.log(`RAW ${subject}: ${wrong.join(', ')}\n  ${detail}`);
for (const { subject, wrong } of unexplained) console.log(`RETURNED ${subject}: ${wrong.join(', ')}`);
for (const row of idle) console.log(`IN THE TABLE, BUT THROWS: ${row}`);
const seconds = Math.round((performance.now() - started) / 1000);
console.log(`${calls.length} calls of seed ${seed} in ${seconds} s:`, counts);
process.exitCode = raw.length + unexplained.length + idle.length === 0 ? 0 : 1;
