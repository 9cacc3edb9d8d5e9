// Runs each stage on both sides alternately, on the same files, and prints tables in Markdown.
//
//   npm run build && bash bench/peers/setup.sh
//   npm run bench -- [--rounds 3] [--json OUT.json] [--only reading …]
//   npm run bench -- --markdown OUT.json      the tables of an earlier run again
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Timing } from './measure.ts';
import type { BenchRun, Machine } from './medians.ts';
import { report } from './report.ts';
import { type Script, stages } from './targets.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const python = `${here}peers/.venv/bin/python`;
const tsx = fileURLToPath(new URL('../node_modules/.bin/tsx', import.meta.url));

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
    only: { type: 'string', multiple: true },
    markdown: { type: 'string' },
  },
});

/** The timings that one process prints, a line of JSON each. */
function timingsOf([file, ...args]: Script): Timing[] {
  const [command, ...first] = file.endsWith('.py') ? [python] : [tsx, '--tsconfig', `${here}tsconfig.json`];
  const output = execFileSync(command!, [...first, here + file, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Timing);
}

function machine(rounds: number): Machine {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: here, encoding: 'utf8' }).trim();
  const commit =
    git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') === '' ? '' : ' and changes');
  const [{ model } = { model: 'unknown processor' }] = cpus();
  return { cpu: model.trim(), cores: cpus().length, node: process.version, load: loadavg()[0]!, commit, rounds };
}

function runAll(rounds: number): BenchRun {
  if (!existsSync(python)) throw new Error('the peers are not installed: run bash bench/peers/setup.sh first');
  if (!existsSync(`${here}data/submission.csv`)) execFileSync(python, [`${here}make_data.py`], { stdio: 'inherit' });
  const stranger = values.only?.find((name) => stages.every((stage) => stage.name !== name));
  if (stranger) throw new Error(`no stage "${stranger}"; there are ${stages.map(({ name }) => name).join(', ')}`);
  const chosen = stages.filter(({ name }) => !values.only || values.only.includes(name));
  const run = { machine: machine(rounds), timings: {} as Record<string, Timing[]> };
  for (let round = 0; round < rounds; round++) {
    for (const { scripts } of chosen) {
      // Every other round the last comes first, so that none always finds the files cached or the processor warm.
      for (const script of round % 2 === 0 ? scripts : [...scripts].reverse()) {
        for (const timing of timingsOf(script)) {
          process.stderr.write(`round ${round + 1}  ${timing.name}  ${timing.seconds.toFixed(3)} s\n`);
          run.timings[timing.name] = [...(run.timings[timing.name] ?? []), timing];
        }
        // What was measured is kept if a later stage fails.
        if (values.json) writeFileSync(values.json, `${JSON.stringify(run, null, 2)}\n`);
      }
    }
  }
  return run;
}

const earlier = values.markdown && (JSON.parse(readFileSync(values.markdown, 'utf8')) as BenchRun);
for (const line of report(earlier || runAll(Number(values.rounds)))) console.log(line);
