// Runs each stage with this library and with the tools that people use, on the same files, and prints tables in Markdown.
//
//   npm run build && bash bench/peers/setup.sh
//   npm run bench -- [--rounds 3] [--json OUT.json] [--only reading …]
//   npm run bench -- --markdown OUT.json      the tables of an earlier run again
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Timing } from './measure.ts';
import type { BenchRun } from './medians.ts';
import { report } from './report.ts';
import { machineOf, makeData, peersPython, stagesNamed, timingsOf } from './scripts.ts';
import { stages } from './targets.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
    only: { type: 'string', multiple: true },
    markdown: { type: 'string' },
  },
});

function runAll(rounds: number): BenchRun {
  if (!existsSync(peersPython(checkout))) {
    throw new Error('the peers are not installed: run bash bench/peers/setup.sh first');
  }
  makeData(checkout);
  const chosen = stagesNamed(values.only, stages);
  const run = { machine: machineOf(checkout, rounds), timings: {} as Record<string, Timing[]> };
  for (let round = 0; round < rounds; round++) {
    for (const { scripts } of chosen) {
      // The order is reversed in every second round: no script always finds the files cached or the processor warm.
      for (const script of round % 2 === 0 ? scripts : [...scripts].reverse()) {
        for (const timing of timingsOf(script, checkout)) {
          process.stderr.write(`round ${round + 1}  ${timing.name}  ${timing.seconds.toFixed(3)} s\n`);
          run.timings[timing.name] = [...(run.timings[timing.name] ?? []), timing];
        }
        // Written after each script: a later one may fail.
        if (values.json) writeFileSync(values.json, `${JSON.stringify(run, null, 2)}\n`);
      }
    }
  }
  return run;
}

const earlier = values.markdown && (JSON.parse(readFileSync(values.markdown, 'utf8')) as BenchRun);
for (const line of report(earlier || runAll(Number(values.rounds)))) console.log(line);
