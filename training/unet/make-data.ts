/**
 * Simulates the copick projects to train, tune and test the network: DIR/train, DIR/validate, DIR/test and so on, with one tomogram
 * per seed of `splits`.
 *
 *     npx tsx training/unet/make-data.ts DIR [--workers 2] [--size full|small|toy] [--simulator today|old] [--split NAME]
 *
 * All splits are made unless --split names one of them. --simulator chooses seeds and numbers: this program uses the simulator of the
 * checkout it lies in, and old-simulator.sh puts it into an earlier one.
 *
 * Each tomogram depends on its own seed only, so the bytes do not depend on the number of workers. Complete tomograms are skipped, so
 * an interrupted call can be repeated.
 */
import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { directoryStore } from 'cryoet-picks/node';
import {
  createRandom,
  difficulties,
  isCryoetPicksError,
  randomImaging,
  type SimulateProjectOptions,
  simulatedObjects,
  simulateProject,
} from 'cryoet-picks/simulate';
import { heldOut, isSize, type Simulator, type Size, type Split, splitsOf } from './splits.ts';

interface Task {
  readonly split: Split;
  readonly seed: number;
  readonly shape: readonly [number, number, number];
}

const particles = simulatedObjects.map(({ name }) => name);

/** Noise of the splits that have one noise, relative to real tomograms. */
const noises: Readonly<Record<Exclude<Split, 'train'>, number>> = {
  validate: 1,
  'validate-hard': 2,
  test: 1,
  hard: 2,
  harder: 4,
};

/**
 * Options of the simulation of a seed. For training: random imaging, and random numbers of particles from one range for all kinds,
 * two to ten times as many as in real tomograms. For the other splits: the defaults. The species kept out of training are in the
 * splits with reported scores alone, as decoys.
 */
function optionsOf({ split, seed, shape }: Task, crowding: number): SimulateProjectOptions {
  const without = Object.fromEntries(heldOut.map((name) => [name, 0]));
  if (split !== 'train') {
    const counts = split.startsWith('validate') ? without : {};
    return { ...difficulties.default, noise: noises[split], counts, seed, shape, runs: 1 };
  }
  const random = createRandom(seed, 101);
  const most = (crowding * 16 * shape[0] * shape[1] * shape[2]) / (184 * 192 * 192);
  const counts = Object.fromEntries(particles.map((name) => [name, Math.round(most * (0.2 + 0.8 * random.uniform()))]));
  const decoys = 0.5 + 1.5 * random.uniform();
  return {
    ...difficulties.default,
    ...randomImaging(seed),
    counts: { ...counts, ...without },
    decoys,
    seed,
    shape,
    runs: 1,
  };
}

/** Simulates the tomogram of a task, with fewer particles if its ice is too thin for all. */
async function simulate(folder: string, task: Task): Promise<void> {
  const store = directoryStore(join(folder, task.split));
  for (let crowding = 1; ; crowding /= 2) {
    try {
      await simulateProject(store, { ...optionsOf(task, crowding), overwrite: true });
      return;
    } catch (error) {
      if (crowding < 0.1 || !isCryoetPicksError(error, 'invalid-option')) throw error;
    }
  }
}

/** Whether the last file of a run exists. */
function isComplete(folder: string, { split, seed }: Task): boolean {
  const picks = join(folder, split, 'overlay', 'ExperimentRuns', `TS_1_${seed}`, 'Picks');
  return existsSync(join(picks, `${particles.at(-1)}.json`)) && existsSync(join(folder, split, 'copick.json'));
}

function tasksOf(size: Size, simulator: Simulator): Task[] {
  return [...splitsOf(size, simulator)]
    .filter(([split]) => values.split === undefined || split === values.split)
    .flatMap(([split, { first, count, shape }]) =>
      Array.from({ length: count }, (_, index) => ({ split, seed: first + index, shape })),
    );
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    workers: { type: 'string', default: '2' },
    size: { type: 'string', default: 'full' },
    simulator: { type: 'string', default: 'today' },
    split: { type: 'string' },
    part: { type: 'string' },
  },
});
const [folder] = positionals;
const { size, simulator } = values;
const workers = Number(values.workers);
if (
  folder === undefined ||
  !isSize(size) ||
  !(simulator === 'today' || simulator === 'old') ||
  !(Number.isSafeInteger(workers) && workers > 0)
) {
  throw new Error(
    'expected: make-data.ts DIR [--workers 2] [--size full|small|toy] [--simulator today|old] [--split NAME]',
  );
}
if (values.part === undefined) {
  const ends = Array.from({ length: workers }, (_, part) => {
    const child = fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), '--part', `${part}`]);
    return new Promise<number | null>((resolve) => child.once('exit', resolve));
  });
  const codes = await Promise.all(ends);
  process.exitCode = codes.every((code) => code === 0) ? 0 : 1;
} else {
  const mine = tasksOf(size, simulator).filter((_, index) => index % workers === Number(values.part));
  for (const task of mine) {
    if (isComplete(folder, task)) continue;
    const started = performance.now();
    await simulate(folder, task);
    console.log(`${task.split} ${task.seed}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
}
