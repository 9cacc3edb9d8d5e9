import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type FormatOptions,
  formatRequirements,
  picksFormat,
  picksFormatNames,
  relion5Format,
} from '../../src/entry/formats.ts';
import type { RunPicks } from '../../src/entry/index.ts';
import { openProject } from '../../src/entry/node.ts';
import { captureCli } from '../support/capture-cli.ts';
import { smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';
import { sourceOf } from '../support/volumes.ts';

let folder: string;
let config: string;
beforeEach(async () => {
  folder = await tempDir();
  config = await smallProject(folder);
});

/** A quarter turn about z. */
const quarterTurn = [
  [0, -1, 0, 0],
  [1, 0, 0, 0],
  [0, 0, 1, 0],
  [0, 0, 0, 1],
];

const at = (name: string) => join(folder, name);
const convert = (output: string, ...args: string[]) => captureCli(['convert', config, at(output), ...args]);
const listed = (name: string) => readdir(at(name)).catch(() => 'absent');

async function truth(object: string): Promise<RunPicks[]> {
  const runs = await (await openProject(config)).runs();
  return Promise.all(runs.map(async (run) => ({ run: run.name, picks: await run.picks({ object }) })));
}

describe('convert of a project', () => {
  it('convert writes RELION 5 of all runs of a project, centred by their tomograms', async () => {
    const args = ['--to', 'relion5', '--object', 'virus-like-particle'];
    const { exitCode, stdout, stderr } = await convert('out.star', ...args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('picks of user/session curation/0\n');
    expect(stdout).toMatch(/voxels as in denoised@10\.000 of 24×40×40 voxels of 10\.012\d* Å \(2 runs\)/);
    const expected = await truth('virus-like-particle');
    const count = expected.reduce((sum, { picks }) => sum + picks.length, 0);
    expect(stdout).toContain(`${count} picks of 2 runs, project to relion5: ${at('out.star')}`);
    const [tomogram] = await (await (await openProject(config)).run('TS_1_3')).tomograms();
    const { voxelSize } = (await tomogram!.open()).grid;
    const format = relion5Format({ shape: [24, 40, 40], voxelSize, object: 'virus-like-particle' });
    const read = format.parse(await readFile(at('out.star'), 'utf8'), 'out.star');
    expect(read.map(({ run }) => run)).toEqual(['TS_1_3', 'TS_2_3']);
    for (const [index, { picks }] of read.entries()) {
      for (const [number, { position }] of picks.entries()) {
        const { x, y, z } = expected[index]!.picks[number]!.position;
        expect([position.x - x, position.y - y, position.z - z].every((off) => Math.abs(off) < 1e-6)).toBe(true);
      }
    }
  });

  it('convert omits the rotations of picks whose file says not to trust them, and says so', async () => {
    const run = await (await openProject(config)).run('TS_1_3');
    const turned = { object: 'ribosome', position: { x: 100, y: 100, z: 100 }, score: 1, transform: quarterTurn };
    for (const sessionId of ['1', '2']) await run.writePicks([turned], { userId: 'someone', sessionId });
    const [set] = await run.pickSets({ userId: 'someone', sessionId: '2' });
    const file = JSON.parse(await readFile(set!.path, 'utf8'));
    await writeFile(set!.path, JSON.stringify({ ...file, trust_orientation: false }));
    const args = (session: string) => ['--to', 'relion5', '--user-id', 'someone', '--session-id', session];
    const format = relion5Format({ shape: [24, 40, 40], voxelSize: 10.012, object: 'ribosome' });
    const turn = async (name: string) =>
      Math.round(format.parse(await readFile(at(name), 'utf8'), name)[0]!.picks[0]!.transform?.[1]?.[0] || 0);
    const trusted = await convert('trusted.star', ...args('1'), '--json');
    expect([trusted.exitCode, trusted.stdout.includes('orientation'), await turn('trusted.star')]).toEqual([
      0,
      false,
      1,
    ]);
    const untrusted = await convert('untrusted.star', ...args('2'), '--verbose');
    expect(untrusted.stdout + untrusted.stderr).toContain(
      'orientation: omitted, because files say not to trust it (1 pick)',
    );
    expect(await turn('untrusted.star')).toBe(0);
  });

  it('convert counts each run from the centre of its own tomogram', async () => {
    const run = await (await openProject(config)).run('TS_2_3');
    const source = sourceOf(new Float32Array(30 * 1600), [30, 40, 40], {
      voxelSize: [5, 5, 5],
    });
    await run.writeTomogram(source, { type: 'denoised', voxelSpacing: 5 });
    const args = ['--to', 'relion5', '--object', 'virus-like-particle'];
    const refused = await convert('out.star', ...args);
    expect(refused).toMatchObject({ exitCode: 2, stdout: expect.any(String) });
    expect(refused.stderr).toMatch(
      /different voxel sizes .*select one by --tomogram, or write a file per run to a folder/,
    );
    const { exitCode, stdout } = await convert('each/', ...args, '--json');
    expect(exitCode).toBe(0);
    const { tomograms, files } = JSON.parse(stdout);
    expect(tomograms.TS_2_3).toMatchObject({ tomogram: 'denoised@5.000', shape: [30, 40, 40], voxelSize: [5, 5, 5] });
    expect(files).toEqual([at('each/TS_1_3.star'), at('each/TS_2_3.star')]);
    expect((await convert('out.star', ...args, '--tomogram', 'denoised@10')).exitCode).toBe(0);
  });

  it('convert writes a file for each run and object into a folder', async () => {
    expect((await convert('picks/', '--to', 'copick', '--run', 'TS_1_3')).exitCode).toBe(0);
    const run = await (await openProject(config)).run('TS_1_3');
    const objects = new Set((await run.picks()).map(({ object }) => object));
    expect(await listed('picks')).toEqual([...objects].map((object) => `TS_1_3_${object}.json`).sort());
    expect((await convert('models/', '--to', 'imod')).exitCode).toBe(0);
    expect(await listed('models')).toEqual(['TS_1_3.mod', 'TS_2_3.mod']);
  });

  it('convert takes the names of runs as globs', async () => {
    expect((await convert('out.csv', '--run', 'TS_2*')).exitCode).toBe(0);
    const rows = (await readFile(at('out.csv'), 'utf8')).trim().split('\n').slice(1);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.every((row) => row.startsWith('TS_2_3,'))).toBe(true);
  });

  it('convert selects picks by a URI, and fails if it matches two users', async () => {
    const run = await (await openProject(config)).run('TS_1_3');
    const mine = { object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 };
    await run.writePicks([mine], { userId: 'me', sessionId: '7' });
    expect((await convert('out.csv', '--uri', 'ribosome:me/*')).exitCode).toBe(0);
    expect(await readFile(at('out.csv'), 'utf8')).toContain('TS_1_3,ribosome,1,2,3');
    const both = await convert('both.csv', '--uri', 'ribosome');
    expect(both.exitCode).toBe(2);
    expect(both.stderr).toMatch(/matches the picks of ribosome in run "TS_1_3" of curation\/0 and of me\/7/);
    const owners = await convert('both.csv');
    expect(owners.stderr).toMatch(/picks of 2 users or sessions found/);
    expect((await convert('me.csv', '--user-id', 'me')).exitCode).toBe(0);
  });

  it('convert writes no file of all runs if one fails, but the files of the others into a folder', async () => {
    const pick = { object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 };
    for (const run of await (await openProject(config)).runs()) {
      const [path] = await run.writePicks([pick], { userId: 'me', sessionId: '7' });
      if (run.name === 'TS_2_3') await writeFile(path!, '{"points": [{}');
    }
    await writeFile(at('out.star'), 'old');
    const args = ['--to', 'relion5', '--user-id', 'me'];
    const { exitCode, stderr, stdout } = await convert('out.star', ...args);
    const whose = await readFile(at('out.star'), 'utf8');
    expect({ exitCode, whose }).toEqual({ exitCode: 1, whose: 'old' });
    expect(stderr).toMatch(/run "TS_2_3" failed: /);
    expect(stdout).toContain('1 run failed; nothing was written');
    const folderOnly = await convert('out/', ...args);
    expect(folderOnly.exitCode).toBe(1);
    expect(await listed('out')).toEqual(['TS_1_3.star']);
  });

  it.each([
    ['several runs in a file of one', ['o.mod'], 1, /IMOD model holds one run per file; found 2: .* a folder/],
    ['an unknown run', ['o.csv', '--run', 'X'], 2, /has no run "X"; there are "TS_1_3", "TS_2_3"/],
    ['an unknown object', ['o.csv', '--object', 'X'], 2, /has no object "X"; there are/],
    ['RELION 4 without a pixel size', ['o.star', '--to', 'relion4'], 2, /tilt series.*--voxel-size/],
    ['a size of another tomogram', ['o.star', '--to', 'relion5', '--voxel-size', '5'], 2, /give --shape too/],
    ['a tomogram that is not there', ['o.tbl', '--tomogram', 'wbp'], 1, /has no tomogram wbp.*denoised@10\.000/],
    ['a URI and a user', ['o.csv', '--uri', 'a', '--user-id', 'b'], 2, /cannot be used with/],
  ])('convert fails in one line and writes nothing for %s', async (_, [output, ...args], code, message) => {
    const { exitCode, stderr } = await convert(output!, ...args);
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(code);
    expect(await readdir(folder)).not.toContain(output);
  });
});

describe('formatRequirements', () => {
  const pick = { object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 };
  it.each(picksFormatNames)('formatRequirements says how many runs and objects a file of %s can hold', (name) => {
    const { oneRun = false, oneObject = false } = formatRequirements[name];
    const format = picksFormat(name, { shape: [4, 5, 6], voxelSize: 10 });
    const refused = (runs: RunPicks[]) => {
      try {
        format.format(runs);
        return false;
      } catch (error) {
        return /holds one (run|object) per file/.test(String(error));
      }
    };
    expect(refused(['a', 'b'].map((run) => ({ run, picks: [pick] })))).toBe(oneRun);
    expect(refused([{ run: 'a', picks: [pick, { ...pick, object: 'virus' }] }])).toBe(oneObject);
  });

  it.each(picksFormatNames)(
    'formatRequirements says whether a file of %s has numbers for names, of objects and of runs',
    (name) => {
      const { numbersObjects = false, numbersRuns = false } = formatRequirements[name];
      const object = { object: 'ribosome', objects: { 7: 'ribosome' } };
      const run = { run: 'TS_1', runs: { 7: 'TS_1' } };
      const grid = { shape: [4, 5, 6], voxelSize: 10 } as const;
      const writtenWith = (options: FormatOptions) =>
        Buffer.from(picksFormat(name, { ...grid, ...options }).format([{ run: 'TS_1', picks: [pick] }])).toString(
          'latin1',
        );
      const usual = writtenWith({ object: 'ribosome', run: 'TS_1' });
      expect(writtenWith({ ...object, run: 'TS_1' }) !== usual).toBe(numbersObjects);
      expect(writtenWith({ object: 'ribosome', ...run }) !== usual).toBe(numbersRuns);
    },
  );
});
