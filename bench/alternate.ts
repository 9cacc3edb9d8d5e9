// Runs the benchmark stages of two checkouts alternately, A B A B …, so that a change of the machine's speed hits both. First it
// runs one pair A A: the difference of two runs of the same code is the noise. Each checkout runs its own stages on its own build; both
// read the data of this checkout.
//
//   npm run build      (in both checkouts)
//   npm run bench:alternate -- --a DIR_A --b DIR_B [--rounds 5] [--stages reading,detect] [--out DIR]
//   npm run bench:compare -- DIR/a.json DIR/b.json --noise DIR/a1.json --noise DIR/a2.json
import { existsSync, mkdirSync, readdirSync, realpathSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Timing } from './measure.ts';
import type { BenchRun } from './medians.ts';
import { machineOf, makeData, stagesNamed, timingsOf } from './scripts.ts';
import type { Stage } from './targets.ts';

/** Stages that use this library alone. Five rounds of them and the pair A A take some 25 minutes on two idle cores. */
const usual: readonly Stage[] = [
  { name: 'reading', scripts: [['stages/reading.ts']] },
  { name: 'intensity', scripts: [['stages/intensity.ts']] },
  { name: 'local-maxima', scripts: [['stages/local-maxima.ts']] },
  { name: 'components', scripts: [['stages/components.ts']] },
  { name: 'splitting', scripts: [['stages/splitting.ts']] },
  { name: 'metric', scripts: [['stages/metric.ts']] },
  { name: 'suppression', scripts: [['stages/suppression.ts']] },
  { name: 'detect', scripts: [['stages/detect.ts']] },
  { name: 'memory', scripts: [['stages/memory.ts']] },
];

/** Run only if `--stages` names them: together they take longer than the others, mostly for the same work on more data. */
const long: readonly Stage[] = [
  { name: 'flips', scripts: [['stages/flips.ts']] },
  { name: 'memory-4', scripts: [['stages/memory.ts', '4']] },
  { name: 'growth', scripts: [['stages/growth.ts']] },
];

const here = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    a: { type: 'string' },
    b: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    stages: { type: 'string' },
    out: { type: 'string', default: join(here, '.cache/alternate') },
  },
});
if (!values.a || !values.b) throw new Error('give two checkouts: --a DIR_A --b DIR_B');
const [a, b] = [resolve(values.a), resolve(values.b)];
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1)
  throw new Error(`--rounds must be a whole number of at least 1, found ${values.rounds}`);
const chosen = values.stages ? stagesNamed(values.stages.split(','), [...usual, ...long]) : usual;
makeData(here);
for (const checkout of new Set([a, b])) prepare(checkout);
mkdirSync(values.out, { recursive: true });
const started = performance.now();
alternate(
  [
    ['a1', a],
    ['a2', a],
  ],
  1,
);
alternate(
  [
    ['a', a],
    ['b', b],
  ],
  rounds,
);
const minutes = (performance.now() - started) / 60_000;
const written = (name: string): string => join(values.out, `${name}.json`);
const compared = `${written('a')} ${written('b')} --noise ${written('a1')} --noise ${written('a2')}`;
console.log(`${minutes.toFixed(1)} minutes; now compare: npm run bench:compare -- ${compared}`);

/** Runs each script of the stages with one checkout after the other, `rounds` times, and writes a file for each. */
function alternate(sides: readonly (readonly [name: string, checkout: string])[], rounds: number): void {
  const runs = sides.map(([name, checkout]) => ({
    name,
    checkout,
    run: { machine: machineOf(checkout, rounds), timings: {} as Record<string, Timing[]> } satisfies BenchRun,
  }));
  for (let round = 0; round < rounds; round++) {
    for (const script of chosen.flatMap(({ scripts }) => scripts)) {
      for (const { name, checkout, run } of runs) {
        for (const timing of timingsOf(script, checkout)) {
          const megabytes = Math.round(timing.memory / 1e6);
          process.stderr.write(
            `${name} ${round + 1}  ${timing.name}  ${timing.seconds.toFixed(3)} s  ${megabytes} MB\n`,
          );
          run.timings[timing.name] = [...(run.timings[timing.name] ?? []), timing];
        }
        // Written after each script: a later one may fail.
        writeFileSync(join(values.out, `${name}.json`), `${JSON.stringify(run, null, 2)}\n`);
      }
    }
  }
}

/** Checks that a checkout is built and has the stages, and gives it the data of this one. */
function prepare(checkout: string): void {
  const built = join(checkout, 'dist/index.js');
  if (!existsSync(built)) throw new Error(`${checkout} is not built: run npm run build there`);
  const source = join(checkout, 'src');
  const changed = readdirSync(source, { recursive: true, encoding: 'utf8' }).map(
    (name) => statSync(join(source, name)).mtimeMs,
  );
  if (Math.max(...changed) > statSync(built).mtimeMs) {
    throw new Error(`the build of ${checkout} is older than its sources: run npm run build there`);
  }
  const missing = chosen.flatMap(({ scripts }) => scripts).find(([file]) => !existsSync(join(checkout, 'bench', file)));
  if (missing) throw new Error(`${checkout} has no bench/${missing[0]}; leave its stage out with --stages`);
  const data = join(checkout, 'bench/data');
  if (!existsSync(data)) symlinkSync(realpathSync(join(here, 'bench/data')), data);
}
