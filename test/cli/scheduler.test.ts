import { rename } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { chosenShard, unusedArrayLine } from '../../src/cli/scheduler.ts';
import { captureCli, eventsOf, finishedOf } from '../support/capture-cli.ts';
import { tempDir } from '../support/temp-dir.ts';

const auto = { scheduler: true } as const;
const slurm = (id: number, first: number, last: number, count = last - first + 1) => ({
  SLURM_ARRAY_TASK_ID: String(id),
  SLURM_ARRAY_TASK_MIN: String(first),
  SLURM_ARRAY_TASK_MAX: String(last),
  SLURM_ARRAY_TASK_COUNT: String(count),
});
const sge = (id: string, first: string, last: string, step: string) => ({
  SGE_TASK_ID: id,
  SGE_TASK_FIRST: first,
  SGE_TASK_LAST: last,
  SGE_TASK_STEPSIZE: step,
});

describe('--shard auto', () => {
  it.each([
    ['Slurm, from 1', slurm(3, 1, 8), { index: 3, count: 8 }],
    ['Slurm, from 0', slurm(0, 0, 7), { index: 1, count: 8 }],
    ['AWS Batch', { AWS_BATCH_JOB_ARRAY_INDEX: '9', AWS_BATCH_JOB_ARRAY_SIZE: '10' }, { index: 10, count: 10 }],
    ['Grid Engine', sge('4', '2', '5', '1'), { index: 3, count: 4 }],
  ])('--shard auto is the place of the task in its array: %s', (_, environment, shard) => {
    expect(chosenShard(auto, environment)).toEqual(shard);
  });

  it.each([
    ['an array of Slurm with a step', slurm(3, 1, 7, 4), /without gaps and steps.*4 tasks from 1 to 7.*auto\/N/],
    ['an array of Grid Engine with a step', sge('3', '1', '7', '2'), /without gaps and steps.*auto\/N/],
    [
      'PBS, which does not tell the count',
      { PBS_ARRAY_INDEX: '3' },
      /cannot know how many.*auto\/N.*PBS_ARRAY_INDEX as 1 to N/,
    ],
    ['Torque', { PBS_ARRAYID: '3' }, /cannot know how many.*PBS_ARRAYID as 1 to N/],
    ['Kubernetes', { JOB_COMPLETION_INDEX: '0' }, /cannot know how many.*JOB_COMPLETION_INDEX as 0 to N-1/],
    [
      'Slurm with a number that is none',
      { ...slurm(3, 1, 8), SLURM_ARRAY_TASK_ID: 'x' },
      /SLURM_ARRAY_TASK_ID=x, which is not from 1 to 8/,
    ],
    ['a task beyond its array', slurm(9, 1, 8), /SLURM_ARRAY_TASK_ID=9, which is not from 1 to 8/],
    ['no array', { SLURM_JOB_ID: '77' }, /no array task.*--shard K\/N/],
    ['a job of Grid Engine that is no array', sge('undefined', 'undefined', 'undefined', 'undefined'), /no array task/],
  ])('--shard auto is refused where the place is not certain: %s', (_, environment, message) => {
    expect(() => chosenShard(auto, environment)).toThrow(message);
  });

  it.each([
    ['Slurm, for a task that runs again alone', slurm(7, 7, 7), { index: 7, count: 10 }],
    ['PBS', { PBS_ARRAY_INDEX: '10' }, { index: 10, count: 10 }],
    ['Kubernetes, which counts from 0', { JOB_COMPLETION_INDEX: '0' }, { index: 1, count: 10 }],
    ['AWS Batch, which counts from 0', { AWS_BATCH_JOB_ARRAY_INDEX: '9' }, { index: 10, count: 10 }],
    ['Grid Engine with a step', sge('3', '1', '9', '2'), { index: 3, count: 10 }],
  ])('--shard auto/10 takes the number of the task: %s', (_, environment, shard) => {
    expect(chosenShard({ scheduler: true, count: 10 }, environment)).toEqual(shard);
  });

  it.each([
    ['Slurm counts from 1', slurm(0, 0, 9), /SLURM_ARRAY_TASK_ID as 1 to 10, found SLURM_ARRAY_TASK_ID=0/],
    ['Kubernetes counts to N-1', { JOB_COMPLETION_INDEX: '10' }, /as 0 to 9, found JOB_COMPLETION_INDEX=10/],
  ])('--shard auto/10 is refused for a number outside: %s', (_, environment, message) => {
    expect(() => chosenShard({ scheduler: true, count: 10 }, environment)).toThrow(message);
  });

  it('a task of an array that takes no share is told in one line; a job that is no array is not', () => {
    expect(unusedArrayLine(slurm(3, 1, 8))).toMatch(/^SLURM_ARRAY_TASK_ID=3 is not used: .*--shard auto/);
    expect(unusedArrayLine({ SGE_TASK_ID: 'undefined' })).toBeUndefined();
    expect(unusedArrayLine({})).toBeUndefined();
  });
});

describe('the command line', () => {
  let config: string;
  beforeAll(async () => {
    const folder = await tempDir();
    await captureCli(['simulate', folder, '--runs', '3', '--shape', '16,32,32']);
    config = join(folder, 'copick.json');
  }, 60_000);
  afterEach(() => vi.unstubAllEnvs());

  it('info --names prints the names of the runs, one per line, also those that --run chooses', async () => {
    const runs = (await captureCli(['info', config, '--names'])).stdout.split('\n').slice(0, -1);
    expect(runs).toHaveLength(3);
    expect(JSON.parse((await captureCli(['info', config, '--names', '--json'])).stdout)).toEqual({ runs });
    expect((await captureCli(['info', config, '--names', '--run', runs[1]!])).stdout).toBe(`${runs[1]}\n`);
    expect((await captureCli(['info', config, '--names', '--all'])).exitCode).toBe(2);
  });

  it('detect --shard auto searches the share of the array task, and without the option a line says that it was not used', async () => {
    for (const [name, value] of Object.entries(slurm(2, 1, 2))) vi.stubEnv(name, value);
    const runs = (await captureCli(['info', config, '--names'])).stdout.split('\n').slice(0, -1);
    const shared = await captureCli(['detect', config, '--shard', 'auto', '--json', '--no-candidates']);
    expect(shared.stderr).toBe('');
    expect(finishedOf(shared).runs.map(({ run }: { run: string }) => run)).toEqual([runs[1]]);
    const unshared = await captureCli(['detect', config, '--run', runs[0]!, '--no-candidates']);
    expect(unshared.stderr).toMatch(/SLURM_ARRAY_TASK_ID=2 is not used/);
  }, 60_000);

  it.each(['0/3', '4/3', '1', 'auto/0', '1/2/3', 'a/b', ''])('detect --shard refuses %j', async (text) => {
    const { exitCode, stderr } = await captureCli(['detect', config, '--shard', text]);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('Expected K/N') });
  });

  it.each([
    [['--shard', '1/2'], 'submission', '--submission submission.csv'],
    [['--claim'], 'figure', '--submission submission.csv'],
    [['--claim', '--shard', '1/2'], 'out', '--out picks.star'],
  ])('detect %j refuses --%s, and says how to gather all runs', async (options, output, gathers) => {
    const { exitCode, stderr } = await captureCli(['detect', config, ...options, `--${output}`, 'file.png']);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: `cryoet-picks: --${output} would hold only the runs that this process searches with ${options[0]}; leave it out, and when all are done: npx cryoet-picks gather ${config} ${gathers}\n`,
    });
  });

  it('detect --lease is refused below three heartbeats, and without --claim', async () => {
    const short = await captureCli(['detect', config, '--claim', '--lease', '1']);
    expect(short).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('at least 1.5') });
    const alone = await captureCli(['detect', config, '--lease', '5']);
    expect(alone).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--lease is that of --claim') });
  });

  it('detect --claim shares the runs, and says how many were done elsewhere; a task of an array needs no shard then', async () => {
    vi.stubEnv('SLURM_ARRAY_TASK_ID', '2');
    const flags = ['--claim', '--no-candidates', '--threads', '1', '--session-id', '7'];
    const both = await Promise.all([1, 2].map(() => captureCli(['detect', config, ...flags, '--json'])));
    expect(both.map(({ exitCode, stderr }) => ({ exitCode, stderr }))).toEqual(
      Array(2).fill({ exitCode: 0, stderr: '' }),
    );
    const runs = both.flatMap((one) => finishedOf(one).runs.map(({ run }: { run: string }) => run));
    expect(runs.sort()).toEqual((await captureCli(['info', config, '--names'])).stdout.split('\n').slice(0, -1));
    const later = await captureCli(['detect', config, ...flags]);
    expect(later.stdout).toBe('\n3 runs done before, or by other processes\n');
  }, 60_000);

  it('detect --claim says of a failure of before how to try it again, and with --fail-fast counts what was not looked at', async () => {
    const flags = ['--claim', '--no-candidates', '--threads', '1', '--session-id', '9'];
    const runs = (await captureCli(['info', config, '--names'])).stdout.split('\n').slice(0, -1);
    const image = join(dirname(config), 'static', 'ExperimentRuns', runs[0]!, 'VoxelSpacing10.000', 'denoised.zarr');
    await rename(image, `${image}.away`);
    const stopped = await captureCli(['detect', config, ...flags, '--fail-fast']);
    expect(stopped.stdout).toBe('\n1 of 3 runs failed\n2 runs not looked at after the failure (--fail-fast)\n');
    await rename(`${image}.away`, image);
    const told = await captureCli(['detect', config, ...flags]);
    expect(told.exitCode).toBe(1);
    expect(told.stderr).toContain(`run "${runs[0]}" failed before, or in another process (1 attempt): `);
    expect(told.stderr).toMatch(/; --retries 1 tries it again\n$/);
    expect(told.stdout).toMatch(
      /1 of 3 runs failed\nthey failed before, or in other processes; --retries 1 tries them again\n$/,
    );
    const again = await captureCli(['detect', config, ...flags, '--retries', '1']);
    expect(again).toMatchObject({ exitCode: 0, stderr: '' });
    expect(again.stdout).toMatch(/\n2 runs done before, or by other processes\n$/);
  }, 60_000);

  /** What tells the lines of processes apart that share a log. */
  const from = { time: expect.any(String), host: hostname(), pid: process.pid };

  it('detect --json prints a line for each run that is started, done and failed, and one in the end with all of them', async () => {
    const flags = ['--no-candidates', '--threads', '1', '--session-id', '8'];
    const runs = (await captureCli(['info', config, '--names'])).stdout.split('\n').slice(0, -1);
    const image = join(dirname(config), 'static', 'ExperimentRuns', runs[1]!, 'VoxelSpacing10.000', 'denoised.zarr');
    await rename(image, `${image}.away`);
    const captured = await captureCli(['detect', config, ...flags, '--json']);
    await rename(`${image}.away`, image);
    expect(captured.exitCode).toBe(1);
    const events = eventsOf(captured);
    expect(events.slice(0, -1).map(({ event, run }) => `${run} ${event}`)).toEqual(
      runs.flatMap((run, i) => [`${run} started`, `${run} ${i === 1 ? 'failed' : 'done'}`]),
    );
    expect(events[0]).toEqual({ event: 'started', run: runs[0], runsDone: 0, runsTotal: 3, ...from });
    expect(events[1]).toMatchObject({ status: 'detected', picks: { ribosome: expect.any(Number) } });
    expect(events[3]).toMatchObject({ code: 'not-found', attempt: 1, message: expect.any(String) });
    for (const { time } of events) expect(new Date(time).toISOString()).toBe(time);
    expect(events.at(-1)).toMatchObject({
      event: 'finished',
      runs: runs.map((run, i) => ({ run, status: i === 1 ? 'failed' : 'detected' })),
      sessionId: '8',
    });
    const wrong = await captureCli(['detect', config, ...flags, '--threshold', 'nothing=0.5', '--json']);
    const message = expect.stringContaining('--threshold names "nothing"');
    expect(eventsOf(wrong)).toEqual([{ event: 'finished', ...from, error: { code: 'usage', message } }]);
  }, 60_000);
});
