// Runs each stage on both sides alternately, on the same files, and prints a table of ratios.
//
//   npm run build && bash bench/peers/setup.sh && npm run bench [-- --rounds 3 --json OUT.json --only reading]
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, type Timing } from './measure.ts';
import { comparisons, type Stage, stages } from './targets.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const python = `${here}peers/.venv/bin/python`;
const tsx = fileURLToPath(new URL('../node_modules/.bin/tsx', import.meta.url));

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
    only: { type: 'string', multiple: true },
  },
});

/** The timings that one process prints, a line of JSON each. */
function timingsOf(command: string, args: readonly string[]): Timing[] {
  const output = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Timing);
}

function runStage({ ours, args = [[]], peer }: Stage): Timing[] {
  return [
    ...args.flatMap((more) => timingsOf(tsx, ['--tsconfig', `${here}tsconfig.json`, `${here}stages/${ours}`, ...more])),
    ...(peer ? timingsOf(python, [`${here}peers/${peer}`]) : []),
  ];
}

if (!existsSync(python)) throw new Error('the peers are not installed: run bash bench/peers/setup.sh first');
if (!existsSync(`${here}data/submission.csv`)) execFileSync(python, [`${here}make_data.py`], { stdio: 'inherit' });

const chosen = stages.filter(({ name }) => !values.only || values.only.includes(name));
const load = loadavg()[0]!;
const seconds = new Map<string, number[]>();
for (let round = 0; round < Number(values.rounds); round++) {
  for (const stage of chosen) {
    for (const timing of runStage(stage)) {
      process.stderr.write(`round ${round + 1}  ${timing.name}  ${timing.seconds.toFixed(3)} s\n`);
      seconds.set(timing.name, [...(seconds.get(timing.name) ?? []), timing.seconds]);
    }
  }
}

const of = (name: string) => median(seconds.get(name)!);
const rows = comparisons
  .filter(({ ours, peer }) => seconds.has(ours) && seconds.has(peer))
  .map(({ ours, peer, atLeast }) => ({
    ours,
    peer,
    seconds: of(ours),
    peerSeconds: of(peer),
    ratio: of(peer) / of(ours),
    atLeast,
  }));

console.log(
  `${cpus()[0]!.model}, ${cpus().length} cores, Node ${process.version}, load ${load.toFixed(2)} at the start`,
);
console.log('| this library | seconds | peer | seconds | ratio | target |\n|---|---|---|---|---|---|');
for (const row of rows) {
  const { ours, peer, seconds: own, peerSeconds, ratio, atLeast } = row;
  console.log(
    `| ${ours} | ${own.toFixed(3)} | ${peer} | ${peerSeconds.toFixed(3)} | ${ratio.toFixed(2)} | ≥ ${atLeast.toFixed(2)} |`,
  );
}
if (values.json) {
  const machine = { cpu: cpus()[0]!.model, cores: cpus().length, node: process.version, load };
  writeFileSync(values.json, `${JSON.stringify({ machine, seconds: Object.fromEntries(seconds), rows }, null, 2)}\n`);
}
