import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import type { Timing } from './measure.ts';
import type { Machine } from './medians.ts';
import type { Script, Stage } from './targets.ts';

/** The Python that `bench/peers/setup.sh` makes. */
export function peersPython(checkout: string): string {
  return join(checkout, 'bench/peers/.venv/bin/python');
}

/** Runs a script of a checkout in a process of its own and returns the timings that it prints, a line of JSON each. */
export function timingsOf([file, ...args]: Script, checkout: string): Timing[] {
  const bench = join(checkout, 'bench');
  const [command, ...first] = file.endsWith('.py')
    ? [peersPython(checkout)]
    : [join(checkout, 'node_modules/.bin/tsx'), '--tsconfig', join(bench, 'tsconfig.json')];
  const output = execFileSync(command!, [...first, join(bench, file), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Timing);
}

/** This machine as it is now, and the commit of a checkout. */
export function machineOf(checkout: string, rounds: number): Machine {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: checkout, encoding: 'utf8' }).trim();
  const commit =
    git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') === '' ? '' : ' and changes');
  const [{ model } = { model: 'unknown processor' }] = cpus();
  return { cpu: model.trim(), cores: cpus().length, node: process.version, load: loadavg()[0]!, commit, rounds };
}

/** Makes the files that the stages read, 1.6 GB, unless they are there. */
export function makeData(checkout: string): void {
  if (existsSync(join(checkout, 'bench/data/submission.csv'))) return;
  const python = peersPython(checkout);
  if (!existsSync(python))
    throw new Error('bench/data is missing: run bash bench/peers/setup.sh, which installs what makes it');
  execFileSync(python, [join(checkout, 'bench/make_data.py')], { stdio: 'inherit' });
}

/** The stages of these names. */
export function stagesNamed(names: readonly string[] | undefined, stages: readonly Stage[]): Stage[] {
  const unknown = names?.find((name) => stages.every((stage) => stage.name !== name));
  if (unknown) throw new Error(`no stage "${unknown}"; there are ${stages.map(({ name }) => name).join(', ')}`);
  return stages.filter(({ name }) => !names || names.includes(name));
}
