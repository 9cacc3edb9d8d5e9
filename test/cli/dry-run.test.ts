import { cp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { forecastRuns } from '../../src/cli/dry-run.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import { contiguousVolume, planTiles, sourceFromArray, writeTomogram } from '../../src/entry/index.ts';
import { directoryStore, openProject } from '../../src/entry/node.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { captureCli, eventsOf, finishedOf, TextSink } from '../support/capture-cli.ts';
import { identityModel } from '../support/identity-model.ts';
import { filesBelow, smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

let original: string;
let folder: string;
let config: string;
beforeAll(async () => {
  original = await tempDir();
  await smallProject(original);
});
beforeEach(async () => {
  folder = await tempDir();
  await cp(original, folder, { recursive: true });
  config = join(folder, 'copick.json');
});

const tomogram = { type: 'denoised', voxelSpacing: 10 };

function fakeTerminal() {
  const stdout = new TextSink();
  return {
    stdout,
    terminal: openTerminal({ stdout, stderr: new TextSink(), json: false, signal: new AbortController().signal }),
  };
}

describe('detect --dry-run', () => {
  it('detect --dry-run reports tiles, voxels, memory and time of every run, and writes nothing', async () => {
    const before = await filesBelow(folder);
    const submission = join(folder, 'out', 'submission.csv');
    const { exitCode, stdout, stderr } = await captureCli([
      'detect',
      config,
      '--dry-run',
      '--submission',
      submission,
      '--threads',
      '1',
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/TS_1_3 +\d+×\d+×\d+ +\d+ +\d+×\d+×\d+ +\d+\.\d +\d+ +\d+(?:\.\d)?\n/);
    expect(stdout).toMatch(
      /tiles of \d+×\d+×\d+ took [\d., ]+ s; about \d+ s in all\nresults will take about \d+ MB of disk, as far as one tile tells\nnot checked: chunks, beyond those of the tiles that were timed\nnothing was written\n$/,
    );
    expect(await filesBelow(folder)).toEqual(before);
  });

  it('detect --dry-run tells the sums of time and of disk, which is within a factor of three of what a detection then takes', async () => {
    const { runs, total } = finishedOf(await captureCli(['detect', config, '--dry-run', '--json'])) as {
      runs: { seconds: number; disk: number }[];
      total: { seconds: number; disk: number };
    };
    expect(total.seconds).toBeCloseTo(
      runs.reduce((sum, { seconds }) => sum + seconds, 0),
      9,
    );
    expect(total.disk).toBe(runs.reduce((sum, { disk }) => sum + disk, 0));
    const before = await filesBelow(folder);
    await captureCli(['detect', config]);
    const written = (await filesBelow(folder)).filter((file) => !before.includes(file));
    const sizes = await Promise.all(written.map(async (file) => (await stat(join(folder, file))).size));
    const disk = sizes.reduce((sum, size) => sum + size, 0);
    expect(total.disk / disk).toBeGreaterThan(1 / 3);
    expect(total.disk / disk).toBeLessThan(3);
  });

  it('detect --dry-run says which picks would be kept, and which runs lack the labels of the mask', async () => {
    const args = ['--dry-run', '--threads', '1', '--face-margin', '20', '--max', '5'];
    const kept = await captureCli(['detect', config, ...args]);
    expect(kept).toMatchObject({ exitCode: 0, stderr: '' });
    expect(kept.stdout).toMatch(/^picks kept: where faceMargin 20; at most 5 of each object\n/);
    const { exitCode, stdout } = await captureCli(['detect', config, ...args, '--inside', 'lamella:me/1']);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('picks kept: where inside lamella:me/1, faceMargin 20;');
    expect(stdout).toMatch(/run "TS_1_3" would fail: run "TS_1_3" has no segmentation of the URI "lamella:me\/1"/);
  });

  it('detect --dry-run scores one tile to warm up, three to time and one for the disk, whatever the number of runs', async () => {
    const model = identityModel({ tile: [8, 8, 8], classes: ['ribosome', null], normalization: 'z-score' });
    let scored = 0;
    let read = 0;
    const counting = {
      ...model,
      score: (...args: Parameters<typeof model.score>) => {
        scored++;
        if (args[0].data.some((voxel) => voxel !== 0)) read++;
        return model.score(...args);
      },
    };
    const { terminal } = fakeTerminal();
    const project = await openProject(config);
    const usage = { ...process.memoryUsage() };
    // So many bytes as tiles were scored.
    const rss = vi.spyOn(process, 'memoryUsage').mockImplementation(() => ({ ...usage, rss: scored }));
    const document = await forecastRuns(terminal, { project, model: counting, tomogram }).finally(() =>
      rss.mockRestore(),
    );
    // A tile of zeros, three that are timed, and one that is searched.
    expect([scored, read]).toEqual([5, 4]);
    expect(document.timed).toHaveLength(3);
    expect(document.runs).toHaveLength(2);
    for (const run of document.runs) {
      if ('error' in run) throw new Error(run.error.message);
      const plan = planTiles(run.shape, { tile: [8, 8, 8], outputStride: model.spec.outputStride });
      expect([run.tiles, run.voxels]).toEqual([plan.tiles.length, plan.tiles.length * 512]);
      // All of these volumes is kept, and their chunks reach no thread; the network's own memory is that after the tile of zeros.
      expect(run.memory).toBe(1 + plan.memory.total + 4 * voxelCount(run.shape));
      expect(run.seconds).toBeGreaterThan(0);
    }
  });

  it('detect --dry-run warms up with the largest tile of all runs, even if the first run has smaller ones', async () => {
    const image = join(folder, 'static/ExperimentRuns/TS_1_3/VoxelSpacing10.000/denoised.zarr');
    await rm(image, { recursive: true });
    const small = contiguousVolume(
      Float32Array.from({ length: 8 * 16 * 16 }, (_, i) => 1 + (i % 7)),
      [8, 16, 16],
    );
    await writeTomogram(directoryStore(image), sourceFromArray(small, { voxelSize: [10, 10, 10] }), { levels: 1 });
    const model = identityModel({ tile: [24, 40, 40], tileMultiple: 8, classes: ['ribosome'] });
    const scored: (readonly number[])[] = [];
    const noting = {
      ...model,
      score: (...args: Parameters<typeof model.score>) => {
        scored.push(args[0].shape);
        return model.score(...args);
      },
    };
    const project = await openProject(config);
    const { runs } = await forecastRuns(fakeTerminal().terminal, { project, model: noting, tomogram });
    expect(runs).toMatchObject([{ tile: [8, 16, 16] }, { tile: [24, 40, 40] }]);
    expect(scored).toEqual([
      [1, 24, 40, 40],
      [1, 8, 16, 16],
      // That which is searched for the disk.
      [1, 8, 16, 16],
    ]);
  });

  it('detect --dry-run counts the memory of offsets', async () => {
    const classes = ['ribosome', null, null, null, null];
    const model = identityModel({ tile: [8, 8, 8], classes, offsets: [2, 3, 4], normalization: 'z-score' });
    const project = await openProject(config);
    const usage = { ...process.memoryUsage() };
    const rss = vi.spyOn(process, 'memoryUsage').mockImplementation(() => ({ ...usage, rss: 0 }));
    const document = await forecastRuns(fakeTerminal().terminal, { project, model, tomogram, run: ['TS_1_3'] }).finally(
      () => rss.mockRestore(),
    );
    const [run] = document.runs;
    if (run === undefined || 'error' in run) throw new Error('no forecast');
    const plan = planTiles(run.shape, { tile: [8, 8, 8] }, { channels: 4 });
    expect(run.memory).toBe(plan.memory.total + 4 * voxelCount(run.shape));
  });

  it('detect --dry-run tells the memory of as many runs as are searched at once', async () => {
    const forecast = async (...jobs: string[]) => {
      const args = ['detect', config, '--dry-run', '--threads', '1', '--json', ...jobs];
      const { total, runs } = finishedOf(await captureCli(args));
      return { total: total.memory, runs: runs.map(({ memory }: { memory: number }) => memory) };
    };
    const one = await forecast();
    expect(one.total).toBe(Math.max(...one.runs));
    const two = await forecast('--jobs', '2');
    expect(two.total).toBeGreaterThan(Math.max(...two.runs));
    expect(two.total).toBeLessThan(two.runs[0] + two.runs[1]);
    const { stdout } = await captureCli(['detect', config, '--dry-run', '--threads', '1', '--jobs', '2']);
    expect(stdout).toMatch(/^2 runs at once take up to \d+(?: MB|\.\d GB) of memory$/m);
  });

  it('detect --dry-run says which runs would fail, and ends with 1', async () => {
    await rm(join(folder, 'static', 'ExperimentRuns', 'TS_1_3', 'VoxelSpacing10.000'), { recursive: true });
    const { exitCode, stdout } = await captureCli(['detect', config, '--dry-run', '--threads', '1']);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('run "TS_1_3" would fail: tomogram "denoised" not found, in ');
  });

  it('the seconds of the runs in the table of a dry run are not 0', async () => {
    const { stdout } = await captureCli(['detect', config, '--dry-run', '--threads', '1']);
    const seconds = [...stdout.matchAll(/^TS_\S+ .* (\S+)$/gm)].map(([, last]) => Number(last));
    expect(seconds.length).toBeGreaterThan(0);
    for (const one of seconds) expect(one).toBeGreaterThan(0);
  });

  it('detect --dry-run --json prints the line of what is finished alone', async () => {
    const args = ['detect', config, '--dry-run', '--json', '--run', 'TS_2_3', '--threads', '1'];
    const captured = await captureCli(args);
    expect(captured.exitCode).toBe(0);
    expect(eventsOf(captured)).toMatchObject([{ event: 'finished', runs: [{ run: 'TS_2_3' }] }]);
  });
});
