import { availableParallelism } from 'node:os';
import { MAX_THREADS } from '../core/concurrency.ts';

/** The variables with the number of processors that a scheduler gives a task, with which its manual names it. */
const variables = [
  'SLURM_CPUS_PER_TASK',
  // PBS Professional and OpenPBS, per node; Torque.
  'NCPUS',
  'PBS_NUM_PPN',
  // Grid Engine; LSF.
  'NSLOTS',
  'LSB_DJOB_NUMPROC',
] as const;

/**
 * How many threads a network has if none are asked for: as many as the scheduler gives this process processors, and without a
 * scheduler one for each core that it may use. The host may have many more.
 */
export function usualThreads(environment: Readonly<Record<string, string | undefined>>): number {
  const counts = variables.map((variable) => environment[variable] ?? '').filter((text) => /^[1-9]\d{0,8}$/.test(text));
  return Math.min(counts.length > 0 ? Number(counts[0]) : availableParallelism(), MAX_THREADS);
}
