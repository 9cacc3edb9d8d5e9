import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shardOf } from '../../../src/entry/index.ts';
import { freePort, notInstalled, run, runWell, start, until } from './processes.ts';
import type { BatchProject } from './project.ts';
import { slurmPrograms, startSlurm, submit, untilEnded } from './slurm.ts';

/** A way to share a project among processes, and a disturbed search by it. */
export interface Engine {
  readonly name: string;
  /** Why it cannot be tried on this machine, and how it could; undefined if it can. */
  missing(): Promise<string | undefined>;
  /** Searches the project, is killed on the way and goes on; gives what went wrong beside the picks. */
  search(project: BatchProject): Promise<string[]>;
}

const example = (name: string) => fileURLToPath(new URL(`../../../examples/batch/${name}`, import.meta.url));
const queueState = fileURLToPath(new URL('./queue-state.ts', import.meta.url));
const snakemake = () => process.env.SNAKEMAKE ?? 'snakemake';

async function without(programs: readonly string[], remedy: string): Promise<string | undefined> {
  const absent = await notInstalled(programs);
  return absent.length === 0 ? undefined : `${absent.join(', ')} not installed: ${remedy}`;
}

/** What `queue-state.ts` prints. */
interface QueueState {
  /** Jobs that wait or are worked on. */
  readonly left: number;
  readonly failed: readonly { readonly run: string; readonly attempts: number }[];
}

/** The first run of an engine that was searched, once one is. */
async function untilOneDone(project: BatchProject, engine: string, names: readonly string[]): Promise<void> {
  const oneIsDone = async () => (await Promise.all(names.map((name) => project.isDone(engine, name)))).includes(true);
  await until(`the first run of ${engine}`, oneIsDone, 60_000);
}

const namesOf = ({ runs }: BatchProject) => runs.map(({ name }) => name);

/** An array of three tasks: one is requeued on the way, one cancelled and run again alone. */
const slurm: Engine = {
  name: 'slurm',
  missing: () => without(slurmPrograms, 'apt-get install slurm-wlm munge'),
  async search(project) {
    const { folder, model, cli } = project;
    const config = await project.configFor('slurm');
    const cluster = await startSlurm(join(folder, 'slurm'));
    try {
      const work = join(folder, 'slurm');
      const env = { ...cluster.env, CRYOET_PICKS: `${process.execPath} ${cli}` };
      const script = ['--cpus-per-task=1', '--mem=1', example('detect.sbatch'), config, '--model', model];
      const job = await submit({ ...cluster, env }, ['--array=1-3', ...script], work);
      await untilOneDone(project, 'slurm', shardOf(namesOf(project), { index: 1, count: 3 }));
      await runWell('scontrol', ['requeue', `${job}_1`], { env });
      await run('scancel', [`${job}_3`], { env });
      await untilEnded(cluster, job);
      const alone = await submit({ ...cluster, env: { ...env, SHARDS: '3' } }, ['--array=3', ...script], work);
      await untilEnded(cluster, alone);
      return [];
    } finally {
      await cluster.stop();
    }
  },
};

/** What Snakemake says of a search in which one run fails. */
async function endOfSnakemake(
  args: readonly string[],
  options: { cwd: string; env?: Readonly<Record<string, string>> },
): Promise<string[]> {
  const { code, stdout, stderr } = await run(snakemake(), args, { ...options, timeout: 240_000 });
  return code === 1 ? [] : [`snakemake ended with ${code}, expected 1: ${(stdout + stderr).slice(-1500)}`];
}

const snakemakeArgs = ({ cli, model }: BatchProject, config: string, cores: string) => [
  ...['--snakefile', example('Snakefile'), '--cores', cores, '--keep-going', '--rerun-incomplete', '--config'],
  ...[`project=${config}`, `program=${process.execPath} ${cli}`, `options=--model ${model}`],
];

/** Snakemake on this machine, killed with its jobs and started again. */
const local: Engine = {
  name: 'snakemake',
  missing: () => without([snakemake()], 'pip install -r test/fixtures/requirements-snakemake.txt'),
  async search(project) {
    const cwd = join(project.folder, 'snakemake');
    await mkdir(cwd);
    const args = snakemakeArgs(project, await project.configFor('snakemake'), '2');
    const first = start(snakemake(), args, { cwd });
    await untilOneDone(project, 'snakemake', namesOf(project));
    first.signal('SIGKILL');
    await first.ended;
    // A killed Snakemake leaves the lock of its folder.
    await runWell(snakemake(), ['--unlock', ...args], { cwd });
    return endOfSnakemake(args, { cwd });
  },
};

/** Snakemake that submits each run as a job of Slurm. */
const throughSlurm: Engine = {
  name: 'snakemake-slurm',
  missing: async () => (await local.missing()) ?? slurm.missing(),
  async search(project) {
    const cwd = join(project.folder, 'snakemake-slurm');
    const config = await project.configFor('snakemake-slurm');
    const cluster = await startSlurm(cwd);
    try {
      const settings = ['--slurm-status-command', 'squeue', '--slurm-init-seconds-before-status-checks', '2'];
      const often = ['--seconds-between-status-checks', '2'];
      const slurmArgs = ['--executor', 'slurm', '--jobs', '4', ...settings];
      const resources = ['--default-resources', 'runtime=5', 'mem_mb=1', 'slurm_partition=test', 'slurm_account=test'];
      const threads = ['--set-threads', 'search=1', '--retries', '0'];
      const args = [...slurmArgs, ...often, ...resources, ...threads, ...snakemakeArgs(project, config, '2')];
      return await endOfSnakemake(args, { cwd, env: cluster.env });
    } finally {
      await cluster.stop();
    }
  },
};

/** A queue with two workers: one is killed with a run in its hands, then Redis starts again from its file. */
const bullmq: Engine = {
  name: 'bullmq',
  async missing() {
    const there = createRequire(import.meta.url);
    try {
      there.resolve('bullmq');
    } catch {
      return 'bullmq not installed: npm ci';
    }
    return without(['redis-server'], 'apt-get install redis-server');
  },
  async search(project) {
    const { folder, model } = project;
    const cwd = join(folder, 'bullmq');
    await mkdir(cwd);
    const config = await project.configFor('bullmq');
    const port = await freePort();
    // Short intervals are settings of this test; a queue in use keeps those of the example.
    const env = { REDIS_URL: `redis://127.0.0.1:${port}`, MODEL: model, LOCK_MS: '2000', STALLED_MS: '1000' };
    const options = { cwd, env, timeout: 240_000 };
    const file = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '', '--dir', cwd];
    const redis = () => start('redis-server', ['--port', String(port), '--bind', '127.0.0.1', ...file], options);
    const tsx = [
      fileURLToPath(new URL('../../../node_modules/tsx/dist/cli.mjs', import.meta.url)),
      '--tsconfig',
      example('tsconfig.json'),
    ];
    const worker = () => start(process.execPath, [...tsx, example('worker.ts')], options);
    const started = [redis()];
    try {
      await runWell(process.execPath, [...tsx, example('enqueue.ts'), config], options);
      const first = worker();
      started.push(first);
      await untilOneDone(project, 'bullmq', namesOf(project));
      first.signal('SIGKILL');
      await first.ended;
      started[0]!.signal('SIGKILL');
      await started[0]!.ended;
      started.push(worker(), redis());
      const state = async () =>
        JSON.parse(await runWell(process.execPath, [...tsx, queueState], options)) as QueueState;
      await until('the end of the queue', async () => {
        const { left, failed } = await state();
        return left === 0 && failed.length > 0;
      });
      const { failed } = await state();
      const found = failed.map(({ run, attempts }) => `${run} after ${attempts}`).join(', ');
      const expected = `${project.broken} after 1`;
      return found === expected ? [] : [`the queue has failed jobs of ${found}, expected ${expected} try`];
    } finally {
      for (const one of started.reverse()) {
        one.signal('SIGTERM');
        await Promise.race([one.ended, new Promise((resolve) => setTimeout(resolve, 3000))]);
        one.signal('SIGKILL');
      }
    }
  },
};

/** The engines whose files are in `examples/batch`. */
export const engines: readonly Engine[] = [slurm, local, throughSlurm, bullmq];
