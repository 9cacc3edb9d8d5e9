import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type PicksFormatName, picksFormat } from '../../src/entry/formats.ts';
import { openProject } from '../../src/entry/node.ts';
import { captureCli } from '../support/capture-cli.ts';
import { smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
let config: string;
beforeEach(async () => {
  folder = await tempDir();
  config = await smallProject(folder);
});
const position = { x: 100, y: 150, z: 90 };
const picks = [{ object: 'ribosome', position, score: 1 }];
const importFile = (name: string, ...args: string[]) =>
  captureCli(['import', join(folder, name), config, '--user-id', 'me', ...args]);
const written = async (run: string) => (await (await openProject(config)).run(run)).picks({ userId: 'me' });

async function file(name: string, format: PicksFormatName, run = 'TS_1_3'): Promise<void> {
  const options = { voxelSize: 10.012444, shape: [24, 40, 40] as const, objects: { 1: 'ribosome' }, runs: { 1: run } };
  await writeFile(join(folder, name), picksFormat(format, { ...options, run }).format([{ run, picks }]));
}

describe('import', () => {
  it.each<[string, PicksFormatName, string[]]>([
    ['a.csv', 'csv', []],
    ['a.tbl', 'dynamo', ['--rename', '1=TS_1_3', '--object', 'ribosome']],
    ['a.star', 'relion5', ['--object', 'ribosome']],
    ['TS_1_3.mod', 'imod', ['--object', 'ribosome']],
    ['b.mod', 'imod', ['--object', 'ribosome', '--run', 'TS_1_3']],
    ['a.cmm', 'cmm', []],
  ])('import writes the picks of %s (%s) into the run that they belong to, in Å', async (name, format, args) => {
    await file(name, format);
    const { exitCode, stderr } = await importFile(name, ...args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const [pick, ...others] = await written('TS_1_3');
    expect(others).toEqual([]);
    expect(pick?.object).toBe('ribosome');
    for (const axis of ['x', 'y', 'z'] as const) expect(pick?.position[axis]).toBeCloseTo(position[axis], 2);
    expect(await written('TS_2_3')).toEqual([]);
  });

  it('import replaces picks of the user only if it is told to, and never the config', async () => {
    await file('a.csv', 'csv');
    const before = await readFile(config, 'utf8');
    expect((await importFile('a.csv')).exitCode).toBe(0);
    const again = await importFile('a.csv');
    expect(again).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/already: .*me_0_ribosome\.json.*--overwrite/),
    });
    expect((await importFile('a.csv', '--overwrite')).exitCode).toBe(0);
    expect(await readFile(config, 'utf8')).toBe(before);
  });

  it.each([
    ['an unknown run', 'TS_9', [], /run "TS_9" of .* is not in .*; name it by --rename TS_9=RUN/],
    ['a run renamed to an unknown one', 'TS_9', ['--rename', 'TS_9=TS_8'], /whose runs are "TS_1_3", "TS_2_3"\n$/],
    ['a selection of nothing', 'TS_1_3', ['--run', 'TS_5'], /has no run "TS_5"; it has "TS_1_3"/],
    ['a hidden user', 'TS_1_3', ['--user-id', '.me'], /a later listing would not show it/],
  ])('import writes nothing and says why for %s', async (_, run, args, message) => {
    await file('a.csv', 'csv', run);
    const { exitCode, stderr } = await importFile('a.csv', ...args);
    expect(stderr).toMatch(message);
    expect(exitCode).not.toBe(0);
    expect(await written('TS_1_3')).toEqual([]);
  });
});
