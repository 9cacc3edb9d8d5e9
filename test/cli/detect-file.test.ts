import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { sourceFromArray } from '../../src/entry/index.ts';
import { writeMrcFile } from '../../src/entry/node.ts';
import { captureCli } from '../support/capture-cli.ts';
import { filesBelow, smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

async function volume(voxelSize: number): Promise<string> {
  const data = Float32Array.from({ length: 24 * 40 * 40 }, (_, i) => Math.sin(i * 12.9898));
  const source = sourceFromArray({ data, shape: [24, 40, 40] }, { voxelSize: [voxelSize, voxelSize, voxelSize] });
  await writeMrcFile(join(folder, 'mine.mrc'), source);
  return join(folder, 'mine.mrc');
}

it('detect searches a single volume and writes its picks to --out', async () => {
  const out = join(folder, 'picks.csv');
  const args = ['detect', await volume(10), '--out', out, '--threads', '1', '--invert', '--json'];
  const { exitCode, stdout, stderr } = await captureCli(args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ runs: [{ run: 'mine', status: 'detected' }], out });
  expect(await readFile(out, 'utf8')).toMatch(/^run_name,object_name,x,y,z,score\n/);
});

it('detect asks for the voxel size of a volume that does not know it, not for resampling', async () => {
  const args = ['detect', await volume(1), '--out', '-', '--to', 'csv', '--threads', '1'];
  const unknown = await captureCli([...args, '--resample']);
  expect(unknown.exitCode).toBe(1);
  expect(unknown.stderr).toMatch(/the voxel size of the tomogram is unknown.*give it by --voxel-size/);
  expect(unknown.stderr).not.toContain('add --resample');
  expect(await captureCli([...args, '--voxel-size', '10'])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^run_name,/),
  });
});

it('detect says how a user name is written, and does not replace picks of one that is written alike', async () => {
  const config = await smallProject(folder, { runs: 1 });
  const args = ['detect', config, '--object', 'ribosome', '--threads', '1', '--json', '--user-id'];
  const first = await captureCli([...args, 'team_a']);
  const message = 'user "team_a" is written as "team-a", as copick writes names';
  expect(first).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(`cryoet-picks: ${message}\n`) });
  expect(JSON.parse(first.stdout)).toMatchObject({ userId: 'team-a', warnings: [{ code: 'name-changed', message }] });
  const second = await captureCli([...args, 'team-a', '--threshold', 'ribosome=0.95']);
  expect(second.exitCode).toBe(1);
  expect(second.stderr).toContain('were written as those of user "team_a", session "0"');
});

it('detect --overlay writes to a folder in place of the overlay of the project', async () => {
  const config = await smallProject(folder, { runs: 1 });
  const before = await filesBelow(folder);
  const other = await tempDir();
  const overlay = join(other, 'overlay');
  const args = ['detect', config, '--overlay', overlay, '--object', 'ribosome', '--run', 'TS_*', '--threads', '1'];
  expect((await captureCli(args)).exitCode).toBe(0);
  expect(await filesBelow(folder)).toEqual(before);
  expect((await readdir(join(overlay, 'ExperimentRuns/TS_1_3/Picks'))).sort()).toEqual([
    '.cryoet-picks_0_ribosome.provenance',
    'cryoet-picks_0_ribosome.json',
  ]);
});
