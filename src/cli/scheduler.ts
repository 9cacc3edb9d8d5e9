import type { Shard } from '../detect/shards.ts';
import { UsageError } from './terminal.ts';

/** What `--shard` asks for: a share by number, or that of the scheduler's task; `count` is the N of `auto/N`. */
export type ShardOption = Shard | { readonly scheduler: true; readonly count?: number | undefined };

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A task of an array, as the scheduler that started it says. */
interface ArrayTask {
  /** The variable with the number of the task, and its value. */
  readonly variable: string;
  readonly value: string;
  /** The number of the first task that `auto/N` expects: 0 or 1. */
  readonly base: 0 | 1;
  /** The array, if the scheduler gives it: the numbers of its first and last task, and how many tasks there are. */
  readonly array?: { readonly first: number; readonly last: number; readonly count: number } | undefined;
}

/** The whole number that a text is; NaN for anything else. */
const wholeOf = (value: string | undefined) =>
  value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;

/**
 * The schedulers that number the tasks of an array, with the variables that their manuals name. PBS and Kubernetes do not tell a
 * task how many there are.
 */
const schedulers: readonly ((environment: Environment) => ArrayTask | undefined)[] = [
  // Slurm: https://slurm.schedmd.com/job_array.html
  (env) =>
    taskOf(env, 'SLURM_ARRAY_TASK_ID', 1, {
      first: wholeOf(env.SLURM_ARRAY_TASK_MIN),
      last: wholeOf(env.SLURM_ARRAY_TASK_MAX),
      count: wholeOf(env.SLURM_ARRAY_TASK_COUNT),
    }),
  // AWS Batch: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
  (env) => {
    const count = wholeOf(env.AWS_BATCH_JOB_ARRAY_SIZE);
    return taskOf(env, 'AWS_BATCH_JOB_ARRAY_INDEX', 0, { first: 0, last: count - 1, count });
  },
  // Kubernetes: https://kubernetes.io/docs/tasks/job/indexed-parallel-processing-static/
  (env) => taskOf(env, 'JOB_COMPLETION_INDEX', 0),
  // PBS Professional and OpenPBS; Torque.
  (env) => taskOf(env, 'PBS_ARRAY_INDEX', 1),
  (env) => taskOf(env, 'PBS_ARRAYID', 1),
  // Grid Engine, in which a job that is no array has the number "undefined".
  (env) => {
    const first = wholeOf(env.SGE_TASK_FIRST);
    const last = wholeOf(env.SGE_TASK_LAST);
    const step = wholeOf(env.SGE_TASK_STEPSIZE);
    return taskOf(env, 'SGE_TASK_ID', 1, { first, last, count: Math.floor((last - first) / step) + 1 });
  },
];

function taskOf(
  environment: Environment,
  variable: string,
  base: 0 | 1,
  array?: NonNullable<ArrayTask['array']>,
): ArrayTask | undefined {
  const value = environment[variable];
  if (value === undefined || value === '' || value === 'undefined') return undefined;
  const isKnown = array !== undefined && Object.values(array).every(Number.isSafeInteger);
  return { variable, value, base, array: isKnown ? array : undefined };
}

/** The array task that this process is, if it is one. */
function arrayTask(environment: Environment): ArrayTask | undefined {
  for (const read of schedulers) {
    const task = read(environment);
    if (task !== undefined) return task;
  }
  return undefined;
}

/**
 * The share that `--shard` asks for.
 *
 * @throws {@link UsageError} if it asks for the share of a scheduler's task and no task is found, or its place in the array is not certain.
 */
export function chosenShard(option: ShardOption, environment: Environment): Shard {
  if (!('scheduler' in option)) return option;
  const task = arrayTask(environment);
  if (task === undefined) {
    throw new UsageError(
      '--shard auto found no array task: none of SLURM_ARRAY_TASK_ID, AWS_BATCH_JOB_ARRAY_INDEX, JOB_COMPLETION_INDEX, ' +
        'PBS_ARRAY_INDEX, PBS_ARRAYID and SGE_TASK_ID is set to a number; give --shard K/N',
    );
  }
  const number = wholeOf(task.value);
  return option.count === undefined ? shardInArray(task, number) : shardAmong(option.count, task, number);
}

/** The share of a task by its place in its array. */
function shardInArray({ variable, value, base, array }: ArrayTask, number: number): Shard {
  const wayOut = `give --shard auto/N, with N the number of shares; it takes ${variable} as ${base} to ${base === 0 ? 'N-1' : 'N'}`;
  if (array === undefined)
    throw new UsageError(`--shard auto cannot know how many tasks the array of ${variable}=${value} has; ${wayOut}`);
  const { first, last, count } = array;
  if (last - first + 1 !== count) {
    throw new UsageError(
      `--shard auto needs an array without gaps and steps; ${variable}=${value} is one of ${count} tasks from ${first} to ${last}; ${wayOut}`,
    );
  }
  if (number >= first && number <= last) return { index: number - first + 1, count };
  throw new UsageError(
    `--shard auto found ${variable}=${value}, which is not from ${first} to ${last}; give --shard K/N`,
  );
}

/** The share of a task among as many as the option says, so that a task that runs again by itself takes the same one. */
function shardAmong(count: number, { variable, value, base }: ArrayTask, number: number): Shard {
  const index = number - base + 1;
  if (index >= 1 && index <= count) return { index, count };
  throw new UsageError(
    `--shard auto/${count} takes ${variable} as ${base} to ${base + count - 1}, found ${variable}=${value}`,
  );
}

/** One line for an array task that is not asked to take a share: every task would do the same. */
export function unusedArrayLine(environment: Environment): string | undefined {
  const task = arrayTask(environment);
  if (task === undefined) return undefined;
  return `${task.variable}=${task.value} is not used: this task works on all runs; --shard auto would divide them among the tasks of the array`;
}
