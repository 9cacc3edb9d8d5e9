import { availableParallelism } from 'node:os';
import { afterEach, expect, it, vi } from 'vitest';
import { openModel } from '../../src/cli/runtime.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import { TextSink } from '../support/capture-cli.ts';
import { identityModel } from '../support/identity-model.ts';

const loaded = vi.hoisted((): { threads?: number }[] => []);
vi.mock('../../src/entry/node.ts', () => ({
  async loadModel(_: unknown, __: unknown, options: { threads?: number }) {
    loaded.push(options);
    return identityModel();
  },
}));

afterEach(() => vi.unstubAllEnvs());

it.each([
  ['the processors that Slurm gives the task, not those of the machine', { SLURM_CPUS_PER_TASK: '3' }, undefined, 3],
  ['--threads, whatever the scheduler says', { SLURM_CPUS_PER_TASK: '3' }, 2, 2],
  ['it may use cores, without a scheduler', {}, undefined, availableParallelism()],
])('the network is loaded with as many threads as %s', async (_, environment, threads, expected) => {
  for (const name of ['SLURM_CPUS_PER_TASK', 'NCPUS', 'PBS_NUM_PPN', 'NSLOTS', 'LSB_DJOB_NUMPROC'])
    vi.stubEnv(name, undefined);
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const [stdout, stderr] = [new TextSink(), new TextSink()];
  await openModel(openTerminal({ stdout, stderr, json: false, signal: new AbortController().signal }), { threads });
  expect(loaded.pop()).toMatchObject({ threads: expected });
});
