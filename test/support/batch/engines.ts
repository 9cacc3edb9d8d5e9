import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { shardOf } from '../../../src/entry/index.ts';
import { freePort, notInstalled, type ProcessOptions, run, runWell, start, until } from './processes.ts';
import type { BatchProject } from './project.ts';
import { slurmPrograms, startSlurm, statesOf, submit, untilEnded } from './slurm.ts';

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
const slowly = { NODE_OPTIONS: `--import=${new URL('./slowly.mjs', import.meta.url)}` };
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

/** Waits until some of the runs are searched, and gives a problem if all are: then nothing is left to disturb. */
async function untilSomeDone(project: BatchProject, engine: string, names = namesOf(project)): Promise<string[]> {
  let done = 0;
  const someDone = async () => {
    done = await project.done(engine, names);
    return done > names.length / 20;
  };
  await until(`the first runs of ${engine}`, someDone, project.patience);
  // On into the next runs.
  await delay(200);
  const all = names.filter((name) => !project.failing.has(name)).length;
  return done < all ? [] : [`all ${all} runs of ${engine} were done before they could be disturbed`];
}

const namesOf = ({ runs }: BatchProject) => runs.map(({ name }) => name);

/** An array of three tasks: one is requeued while it runs, one cancelled while it runs, and started again alone. */
const slurm: Engine = {
  name: 'slurm',
  missing: () => without(slurmPrograms, 'apt-get install slurm-wlm munge'),
  async search(project) {
    const { model, patience } = project;
    const config = await project.configFor('slurm');
    const work = await project.workFolder('slurm');
    const cluster = await startSlurm(work, patience);
    const shard = (index: number) => shardOf(namesOf(project), { index, count: 3 });
    const problems: string[] = [];
    const disturb = async (task: string, index: number, program: string, args: readonly string[]) => {
      problems.push(...(await untilSomeDone(project, 'slurm', shard(index))));
      const [state] = await statesOf(cluster, task);
      if (state !== 'RUNNING') problems.push(`task ${task} is ${state}, expected that it runs when it is disturbed`);
      await runWell(program, [...args, task], { env: cluster.env });
    };
    try {
      const script = ['--cpus-per-task=1', '--mem=1', example('detect.sbatch'), config, '--model', model];
      const slow = { ...cluster, env: { ...cluster.env, ...slowly } };
      const job = await submit(slow, ['--array=1-3%2', ...script], work);
      await disturb(`${job}_1`, 1, 'scontrol', ['requeue']);
      await disturb(`${job}_2`, 2, 'scancel', []);
      // Slurm would wait 30 s before it kills what does not end by itself.
      await untilEnded(cluster, `${job}_2`, 10_000);
      const log = await readFile(join(work, `cryoet-picks-${job}_2.log`), 'utf8');
      if (!log.includes('interrupted')) problems.push(`the task was not told that it is cancelled: ${log}`);
      await untilEnded(cluster, job, patience);
      const again = { ...cluster, env: { ...cluster.env, SHARDS: '3' } };
      await untilEnded(cluster, await submit(again, ['--array=2', ...script], work), patience);
      return problems;
    } finally {
      await cluster.stop();
    }
  },
};

/** A search by Snakemake that is killed; then it starts again, and so do other searches by the same names of runs. */
async function killedSnakemake(
  project: BatchProject,
  engine: string,
  { cwd, args, env, killJobs }: SnakemakeSearch,
): Promise<string[]> {
  const { patience, model } = project;
  const options = { cwd, env, timeout: patience };
  const search = [...args, ...searchArgs(await project.configFor(engine), model)];
  const first = start(snakemake(), search, { ...options, env: { ...env, ...slowly } });
  const problems = await untilSomeDone(project, engine);
  first.signal('SIGKILL');
  await first.ended;
  await killJobs?.();
  // A killed Snakemake leaves the lock of its folder.
  await runWell(snakemake(), ['--unlock', ...search], options);
  const { code, stdout, stderr } = await run(snakemake(), search, options);
  if (code !== 1) problems.push(`snakemake ended with ${code}, expected 1: ${(stdout + stderr).slice(-1500)}`);
  const others = {
    'another project': searchArgs(await project.configFor(`${engine}-other`), model),
    'another session': searchArgs(join(project.folder, `${engine}.json`), model, '--session-id 1'),
  };
  for (const [what, other] of Object.entries(others)) {
    const plan = await runWell(snakemake(), [...args, '--dry-run', '--quiet', 'rules', ...other], options);
    const jobs = Number(/^search\s+(\d+)$/m.exec(plan)?.[1] ?? 0);
    if (jobs !== project.runs.length) problems.push(`snakemake plans ${jobs} jobs for ${what} from the same folder`);
  }
  return problems;
}

interface SnakemakeSearch extends ProcessOptions {
  readonly cwd: string;
  readonly args: readonly string[];
  /** Ends the jobs that outlive a killed Snakemake. */
  readonly killJobs?: (() => Promise<void>) | undefined;
}

const snakemakeArgs = ['--snakefile', example('Snakefile'), '--cores', '2', '--keep-going', '--rerun-incomplete'];
const searchArgs = (config: string, model: string, more = '') => [
  ...['--config', `project=${config}`, `options=--model ${model} ${more}`],
];

/** Snakemake on this machine, killed with its jobs and started again. */
const local: Engine = {
  name: 'snakemake',
  missing: () => without([snakemake()], 'pip install -r test/fixtures/requirements-snakemake.txt'),
  async search(project) {
    const cwd = await project.workFolder('snakemake');
    return killedSnakemake(project, 'snakemake', { cwd, args: snakemakeArgs });
  },
};

/** Snakemake that submits each run as a job of Slurm, killed and started again; the jobs that it leaves are cancelled. */
const throughSlurm: Engine = {
  name: 'snakemake-slurm',
  missing: async () => (await local.missing()) ?? slurm.missing(),
  async search(project) {
    const cwd = await project.workFolder('snakemake-slurm');
    const cluster = await startSlurm(cwd, project.patience);
    try {
      const { env } = cluster;
      const settings = ['--slurm-status-command', 'squeue', '--slurm-init-seconds-before-status-checks', '2'];
      const often = ['--seconds-between-status-checks', '2'];
      const slurmArgs = ['--executor', 'slurm', '--jobs', '4', ...settings];
      const resources = ['--default-resources', 'runtime=5', 'mem_mb=1', 'slurm_partition=test', 'slurm_account=test'];
      const threads = ['--set-threads', 'search=1', '--retries', '0'];
      const args = [...slurmArgs, ...often, ...resources, ...threads, ...snakemakeArgs];
      const killJobs = async () => {
        await runWell('scancel', ['--partition', 'test'], { env });
        await untilEnded(cluster, undefined, 60_000);
      };
      return await killedSnakemake(project, 'snakemake-slurm', { cwd, env, args, killJobs });
    } finally {
      await cluster.stop();
    }
  },
};

/** Codes of failures that the worker tries three times. */
const triedAgain = ['unavailable', 'write-failed'];

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
    const { model, patience, runs, failing } = project;
    const cwd = await project.workFolder('bullmq');
    const configs = [await project.configFor('bullmq'), await project.configFor('bullmq-other')] as const;
    const port = await freePort();
    // Short intervals are settings of this test; a queue in use keeps those of the example.
    const intervals = { LOCK_MS: '2000', STALLED_MS: '1000' };
    const env = {
      REDIS_URL: `redis://:secret@127.0.0.1:${port}/3`,
      MODEL: model,
      TSX_TSCONFIG_PATH: example('tsconfig.json'),
    };
    const options = { cwd, env: { ...env, ...intervals }, timeout: patience };
    const file = [
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
      '--save',
      '',
      '--dir',
      cwd,
      '--requirepass',
      'secret',
    ];
    const redis = () => start('redis-server', ['--port', String(port), '--bind', '127.0.0.1', ...file], options);
    const tsx = ['--import', import.meta.resolve('tsx')];
    const node = (...args: readonly string[]) => runWell(process.execPath, [...tsx, ...args], options);
    const worker = (more = {}) =>
      start(process.execPath, [...tsx, example('worker.mts')], { ...options, env: { ...options.env, ...more } });
    const enqueue = async (config: string, ...counts: readonly string[]) => {
      const said = await node(example('enqueue.mts'), config, '--tomogram', 'denoised@10');
      return counts.filter((one) => !said.includes(one)).map((one) => `enqueue.mts says ${said}, expected ${one}`);
    };
    const expected = [...failing].map(([name, code]) => `${name} after ${triedAgain.includes(code) ? 3 : 1}`);
    const untilDone = async (failures: number) => {
      let state: QueueState | undefined;
      await until(
        'the end of the queue',
        async () => {
          state = JSON.parse(await node(queueState)) as QueueState;
          return state.left === 0 && state.failed.length > 0;
        },
        patience,
      );
      const found = state!.failed.map(({ run: name, attempts }) => `${name} after ${attempts}`).sort();
      const all = Array.from({ length: failures }, () => expected)
        .flat()
        .sort();
      return String(found) === String(all) ? [] : [`the queue has failed jobs of ${found}, expected ${all} tries`];
    };
    const started = [redis()];
    try {
      const all = runs.length;
      const problems = await enqueue(configs[0], `${all} of ${all} runs`, `${all} new`);
      const first = worker(slowly);
      started.push(first);
      problems.push(...(await untilSomeDone(project, 'bullmq')));
      first.signal('SIGKILL');
      await first.ended;
      started[0]!.signal('SIGKILL');
      await started[0]!.ended;
      const second = worker();
      started.push(second, redis());
      problems.push(...(await untilDone(1)));
      const done = all - failing.size;
      const again = [`${all} of ${all} runs`, `0 new, ${failing.size} failed before, ${done} done before`];
      problems.push(...(await enqueue(configs[0], ...again)));
      // Runs of the same names, of another project.
      problems.push(...(await enqueue(configs[1], `${all} new`)));
      problems.push(...(await untilDone(2)), ...(await project.compare('bullmq-other')));
      second.signal('SIGTERM');
      const { code, stdout } = await second.ended;
      if (code !== 0) problems.push(`SIGTERM ended the worker with ${code}`);
      const skipped = stdout.split('\n').filter((line) => line.endsWith(', done before')).length;
      if (skipped < done) problems.push(`the worker skipped ${skipped} runs, expected ${done} that are done`);
      return problems;
    } finally {
      for (const one of started.reverse()) {
        one.signal('SIGTERM');
        await Promise.race([one.ended, delay(3000)]);
        one.signal('SIGKILL');
      }
    }
  },
};

/** The engines whose files are in `examples/batch`. */
export const engines: readonly Engine[] = [slurm, local, throughSlurm, bullmq];
