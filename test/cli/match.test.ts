import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { contiguousVolume, sourceFromArray } from '../../src/entry/index.ts';
import { openProject, writeMrcFile } from '../../src/entry/node.ts';
import { drawMolecule, simulateTomogram, speciesNamed } from '../../src/entry/simulate.ts';
import { captureCli, finishedOf } from '../support/capture-cli.ts';
import { tempDir } from '../support/temp-dir.ts';

const folder = await tempDir();
const [config, map, volume] = ['project/copick.json', 'ribosome.mrc', 'tomogram.mrc'].map((name) => join(folder, name));
const template = ['--template', map!, '--object', 'ribosome', '--radius', '100', '--threads', '1'];
const quick = [...template, '--tilt-range', '-45,45', '--angle-step', '90', '--peaks', '3', '--threshold', '0.2'];

const unwritten = join(folder, 'unwritten.csv');

/** A project of one run, a tomogram in a file, and the map of a ribosome. */
beforeAll(async () => {
  await captureCli(['simulate', join(folder, 'project'), '--seed', '5', '--shape', '32,48,48']);
  const counts = { ribosome: 1 };
  const simulated = await simulateTomogram({ shape: [32, 48, 48], seed: 3, counts, surroundings: {}, decoys: 0 });
  await writeMrcFile(volume!, sourceFromArray(simulated.volume, simulated.grid));
  const grid = { shape: [40, 40, 40] as const, voxelSize: [10, 10, 10] as const, origin: { x: 0, y: 0, z: 0 } };
  const drawn = contiguousVolume(new Float32Array(40 ** 3), grid.shape);
  const position = { x: 195, y: 195, z: 195 };
  const molecule = { species: speciesNamed('ribosome'), position, rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1] } as const;
  drawMolecule(drawn, { grid, molecule });
  await writeMrcFile(map!, sourceFromArray(drawn, grid));
}, 200_000);

describe('cryoet-picks match', { timeout: 300_000 }, () => {
  it('match tells beforehand what it takes, writes picks with orientations into the overlay, and skips them with --resume', async () => {
    const told = finishedOf(await captureCli(['match', config!, ...quick, '--dry-run', '--json']));
    expect(told.runs[0]).toMatchObject({ coarseShape: [16, 24, 24], seconds: expect.any(Number) });
    expect(told.runs[0].memory).toBeLessThan(1e8);
    const project = await openProject(config!);
    const [run] = await project.runs();
    const author = { userId: 'cryoet-picks', sessionId: '0' };
    expect(await run!.hasCandidates(author)).toBe(false);

    const matched = await captureCli(['match', config!, ...quick, '--json']);
    expect(matched.stderr).toBe('');
    const [summary] = finishedOf(matched).runs;
    expect(summary).toMatchObject({ status: 'detected', picks: { ribosome: expect.any(Number) } });
    const picks = await run!.picks({ ...author, object: 'ribosome' });
    expect(picks.length).toBe(summary.picks.ribosome);
    expect(picks.length).toBeGreaterThan(0);
    for (const { transform } of picks) expect(transform).toBeDefined();

    const again = await captureCli(['match', config!, ...quick, '--resume', '--json']);
    expect(finishedOf(again).runs[0]).toMatchObject({ status: 'skipped', picks: summary.picks });
    const other = await captureCli(['match', config!, ...quick, '--symmetry', 'C1', '--whiten', '--resume']);
    expect(other.exitCode).toBe(1);
    expect(other.stderr).toMatch(/model\.card\.whiten was false, is true/);
  });

  it('match shares runs with --claim, and leaves to others what they have done', async () => {
    const shared = [...quick, '--user-id', 'shared', '--claim', '--lease', '60', '--memory', '200MB', '--json'];
    const first = finishedOf(await captureCli(['match', config!, ...shared]));
    expect(first.runs).toHaveLength(1);
    const [run] = await (await openProject(config!)).runs();
    const files = await run!.picks({ userId: 'shared', sessionId: '0', object: 'ribosome' });
    expect(files).toHaveLength(first.runs[0].picks.ribosome);
    const second = await captureCli(['match', config!, ...shared]);
    expect(second.exitCode).toBe(0);
    expect(finishedOf(second).runs).toEqual([]);
  });

  it('match records the contrast transfer that it was told, and so does not take picks with another for its own', async () => {
    const told = [...quick, '--user-id', 'transfer', '--defocus', '3', '--phases-flipped'];
    expect((await captureCli(['match', config!, ...told])).exitCode).toBe(0);
    const other = await captureCli(['match', config!, ...told, '--voltage', '200', '--resume']);
    expect(other.exitCode).toBe(1);
    expect(other.stderr).toMatch(/model\.card\.ctf/);
  });

  it('the command that gather prints for runs of match searches what is left with the same contrast transfer', async () => {
    const two = join(folder, 'two');
    await captureCli(['simulate', two, '--seed', '5', '--shape', '32,48,48', '--runs', '2']);
    const project = join(two, 'copick.json');
    const [first] = await (await openProject(project)).runs();
    const told = [...quick, '--defocus', '3', '--voltage', '200', '--phases-flipped', '--run', first!.name];
    expect((await captureCli(['match', project, ...told])).exitCode).toBe(0);
    const left = await captureCli(['gather', project, '--json']);
    const { command, missing } = JSON.parse(left.stdout);
    expect(missing).toHaveLength(1);
    const words: string[] = command.split(' ').slice(2);
    const here = words.map((word) => (word === 'ribosome.mrc' ? map! : word));
    expect((await captureCli(here)).exitCode).toBe(0);
    expect((await captureCli(['gather', project])).stdout).toContain('2 runs: 2 done, 0 failed, 0 missing');
  });

  it('match writes the picks of a volume with angles to a file of RELION', async () => {
    const out = join(folder, 'picks.star');
    const { exitCode, stderr } = await captureCli(['match', volume!, ...quick, '--out', out, '--to', 'relion5']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const star = await readFile(out, 'utf8');
    expect(star).toContain('_rlnAngleTilt');
    expect(star.split('\n').filter((line) => line.startsWith('tomogram')).length).toBeGreaterThan(0);
  });

  it.each([
    [
      'a map that is not there',
      () => [config!, '--template', 'none.mrc', '--object', 'ribosome'],
      /none\.mrc is not a/,
    ],
    ['an object that there is not', () => [config!, '--template', map!, '--object', 'moon'], /--object names "moon"/],
    [
      'a symmetry that the map has not',
      () => [volume!, ...quick, '--symmetry', 'O', '--out', unwritten],
      /not the symmetry O/,
    ],
    [
      'a template larger than the volume',
      () => [volume!, ...quick, '--radius', '400', '--out', unwritten],
      /larger than the tomog/,
    ],
    ['a volume without a place for its picks', () => [volume!, ...quick], /give --out picks\.star --to relion5/],
    ['a project with a file for its picks', () => [config!, ...quick, '--out', 'a.star'], /cryoet-picks convert /],
    ['two ways to choose', () => [volume!, ...quick, '--max-false', '0.1', '--out', unwritten], /give one of them/],
    ['a voltage without a defocus', () => [volume!, ...template, '--voltage', '200'], /--voltage is that of --defocus/],
    ['a lease without a claim', () => [config!, ...template, '--lease', '60'], /--lease is that of --claim/],
    [
      'to share a single volume',
      () => [volume!, ...quick, '--claim', '--out', unwritten],
      /--claim applies to copick pr/,
    ],
    ['little memory without a number', () => [config!, ...quick, '--memory', 'low'], /--memory of match is a size/],
    [
      'an axis without tilts',
      () => [volume!, ...template, '--tilt-axis', 'x', '--out', unwritten],
      /that of --tilt-range/,
    ],
  ])('match refuses %s, and says what would work', async (_, args, message) => {
    const { exitCode, stderr } = await captureCli(['match', ...args()]);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});
