import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { usualThreads } from '../../src/node/processors.ts';

describe('usualThreads', () => {
  it.each([
    ['Slurm', { SLURM_CPUS_PER_TASK: '4', SLURM_CPUS_ON_NODE: '64' }, 4],
    ['PBS', { NCPUS: '8' }, 8],
    ['Torque', { PBS_NUM_PPN: '3' }, 3],
    ['Grid Engine', { NSLOTS: '2' }, 2],
    ['LSF', { LSB_DJOB_NUMPROC: '16' }, 16],
    ['no scheduler', { OMP_NUM_THREADS: '7' }, availableParallelism()],
    ['a variable that is no number', { SLURM_CPUS_PER_TASK: '', NSLOTS: '0' }, availableParallelism()],
  ])('usualThreads gives the network the processors of the scheduler: %s', (_, environment, threads) => {
    expect(usualThreads(environment)).toBe(threads);
  });
});
