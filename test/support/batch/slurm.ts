import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { freePort, run, runWell, type Started, start, until } from './processes.ts';

/** The programs of Debian's `slurm-wlm` and `munge`. */
export const slurmPrograms: readonly string[] = [
  'munged',
  'slurmctld',
  'slurmd',
  'sbatch',
  'squeue',
  'scontrol',
  'scancel',
];

/** A cluster of this machine alone. */
export interface Cluster {
  /** What its programs need to find it. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/**
 * Starts a cluster of one node in a folder, as the user root. There is no systemd and there are no cgroups; the last four settings are
 * those of a test: credentials that end soon let a task that was requeued start again after seconds in place of minutes.
 *
 * @param lifetime - Milliseconds after which its programs are killed.
 */
export async function startSlurm(folder: string, lifetime = 3_600_000): Promise<Cluster> {
  for (const name of ['munge', 'state', 'spool']) await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
  const path = (name: string) => join(folder, name);
  await writeFile(path('munge/key'), randomBytes(128), { mode: 0o600 });
  const [controller, node] = [await freePort(), await freePort()];
  const host = hostname();
  const conf = `
ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=${controller}
SlurmdPort=${node}
AuthType=auth/munge
CryptoType=crypto/munge
StateSaveLocation=${path('state')}
SlurmdSpoolDir=${path('spool')}
SlurmctldPidFile=${path('slurmctld.pid')}
SlurmdPidFile=${path('slurmd.pid')}
SlurmctldLogFile=${path('slurmctld.log')}
SlurmdLogFile=${path('slurmd.log')}
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000
ReturnToService=2
JobRequeue=1
MinJobAge=300
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AuthInfo=socket=${path('munge/socket')},cred_expire=5
NodeName=${host} NodeAddr=127.0.0.1 CPUs=${availableParallelism()} RealMemory=${Math.floor(totalmem() / 2 ** 20)} State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`;
  await writeFile(path('slurm.conf'), conf);
  await chmod(folder, 0o755);
  // Snakemake starts srun in jobs without the variables of Slurm; a cluster in use has its configuration in /etc/slurm.
  await mkdir(path('bin'), { recursive: true });
  const srun = `#!/bin/sh\nSLURM_CONF='${path('slurm.conf')}' exec /usr/bin/srun "$@"\n`;
  await writeFile(path('bin/srun'), srun, { mode: 0o755 });
  const env = { SLURM_CONF: path('slurm.conf'), PATH: `${path('bin')}:${process.env.PATH}` };
  const daemons: Started[] = [];
  const stop = async () => {
    for (const daemon of daemons.reverse()) {
      daemon.signal('SIGTERM');
      const timer = setTimeout(() => daemon.signal('SIGKILL'), 5000);
      await daemon.ended;
      clearTimeout(timer);
      daemon.signal('SIGKILL');
    }
  };
  try {
    const long = { env, timeout: lifetime };
    const files = ['socket', 'key', 'pid', 'log', 'seed'] as const;
    const flags = { socket: '--socket', key: '--key-file', pid: '--pid-file', log: '--log-file', seed: '--seed-file' };
    const munge = files.map((name) => `${flags[name]}=${path(`munge/${name}`)}`);
    daemons.push(start('/usr/sbin/munged', ['--foreground', '--force', ...munge], long));
    await until('munged', async () => (await run('munge', ['-n', '-S', path('munge/socket')])).code === 0, 20_000);
    daemons.push(start('/usr/sbin/slurmctld', ['-D', '-c'], long));
    daemons.push(start('/usr/sbin/slurmd', ['-D', '-c', '-N', host], long));
    const isIdle = async () => (await run('sinfo', ['-h', '-o', '%T'], { env })).stdout.startsWith('idle');
    await until('the node of Slurm', isIdle, 60_000);
  } catch (error) {
    const logs = await Promise.all(
      ['slurmctld.log', 'slurmd.log'].map((name) => readFile(path(name), 'utf8').catch(() => '')),
    );
    await stop();
    throw new Error(
      `Slurm does not start: ${daemons.map((one) => one.output()).join('\n')} ${logs.join('\n').slice(-3000)}`,
      { cause: error },
    );
  }
  return { env, stop };
}

/** Submits a script; gives the number of the job. */
export async function submit({ env }: Cluster, args: readonly string[], cwd: string): Promise<string> {
  const said = await runWell('sbatch', ['--parsable', ...args], { env, cwd });
  return said.trim().split(';')[0]!;
}

/** The states of the tasks of a job, or of one task; of all jobs without a number. */
export async function statesOf({ env }: Cluster, job: string | undefined): Promise<string[]> {
  const which = job === undefined ? [] : ['-j', job];
  const { stdout } = await run('squeue', ['-h', '-r', '-t', 'all', ...which, '-o', '%T'], { env });
  return stdout.trim().split('\n').filter(Boolean);
}

/** Waits until no task of a job waits or runs; of any job without a number. */
export async function untilEnded(cluster: Cluster, job: string | undefined, timeout = 120_000): Promise<void> {
  const isEnded = async () => {
    const states = await statesOf(cluster, job);
    return states.every((state) => /^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$/.test(state));
  };
  await until(job === undefined ? 'all jobs' : `job ${job}`, isEnded, timeout, 500);
}
