import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { runCli } from '../../src/cli/program.ts';
import { type PicksFormat, type PicksFormatName, picksFormat } from '../../src/entry/formats.ts';
import { openProject } from '../../src/entry/node.ts';
import { makeTag } from '../../src/node/file-lock.ts';
import { captureCli, TextSink } from '../support/capture-cli.ts';
import { smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';
import { sourceOf } from '../support/volumes.ts';

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

  it('import says on stderr which lock it waits for, and who holds it', async () => {
    await file('a.csv', 'csv');
    expect((await importFile('a.csv')).exitCode).toBe(0);
    const [set] = await (await (await openProject(config)).run('TS_1_3')).pickSets({ userId: 'me' });
    const lock = join(dirname(set!.path), `.${basename(set!.path)}.lock`);
    await writeFile(lock, makeTag());
    const now = performance.now.bind(performance);
    const start = now();
    vi.spyOn(performance, 'now').mockImplementation(() => start + 100 * (now() - start));
    const stderr = new TextSink();
    const isSaid = vi.waitFor(() => expect(stderr.text).not.toBe(''), { timeout: 20_000 });
    const releasing = isSaid.then(() => rm(lock));
    const { signal } = new AbortController();
    const args = ['import', join(folder, 'a.csv'), config, '--user-id', 'me', '--overwrite'];
    const exitCode = await runCli(args, { stdout: new TextSink(), stderr, signal });
    await releasing;
    vi.restoreAllMocks();
    expect({ exitCode, stderr: stderr.text }).toEqual({
      exitCode: 0,
      stderr: `cryoet-picks: waiting to write ${set!.path}: process ${process.pid} holds its lock ${lock}\n`,
    });
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

  /** Dynamo tables of one particle in each numbered tomogram, at 11 · number voxels along x. */
  async function tomograms(...numbers: number[]): Promise<void> {
    const runs = numbers.map((number) => ({
      run: String(number),
      picks: [{ object: 'ribosome', position: { x: 11 * number, y: 5, z: 5 }, score: 1 }],
    }));
    const format = picksFormat('dynamo', { voxelSize: 1, objects: { 1: 'ribosome' } }) as PicksFormat<string>;
    const table = format.format(runs);
    // Without column 36, so that the voxel size is that of the tomogram.
    await writeFile(join(folder, 'a.tbl'), table.replace(/ 1 0 0 0 0 0 0\n/g, ' 0 0 0 0 0 0 0\n'));
  }
  const xOf = async (run: string) => (await written(run)).map(({ position: { x } }) => Math.round(x / 10.012444));

  it('import renames each run once, also where two of them change names', async () => {
    const project = await openProject(config);
    await project.createRun('1');
    await project.createRun('2');
    await tomograms(1, 2);
    const swap = ['--rename', '1=2', '2=1', '--object', 'ribosome', '--voxel-size', '10.012444'];
    expect((await importFile('a.tbl', ...swap)).exitCode).toBe(0);
    expect([await xOf('1'), await xOf('2')]).toEqual([[22], [11]]);
    const one = ['--rename', '1=TS_1_3', '--object', 'ribosome', '--voxel-size', '10.012444', '--overwrite'];
    expect((await importFile('a.tbl', ...one)).exitCode).toBe(0);
    expect([await xOf('TS_1_3'), await xOf('2')]).toEqual([[11], [22]]);
  });

  it.each<[PicksFormatName, string]>([
    ['dynamo', 'tbl'],
    ['stopgap', 'star'],
    ['tom', 'em'],
  ])(
    'import takes a table (%s) of one numbered tomogram for the run of --run, or of its file name',
    async (name, ending) => {
      const one = { run: '7', picks: [{ object: 'ribosome', position: { x: 77, y: 5, z: 5 }, score: 1 }] };
      const content = picksFormat(name, { voxelSize: 1, objects: { 1: 'ribosome' } }).format([one]);
      const args = ['--object', 'ribosome', '--voxel-size', '10.012444'];
      for (const [file, run, more] of [
        ['a', 'TS_1_3', ['--run', 'TS_1_3']],
        ['TS_2_3', 'TS_2_3', []],
      ] as const) {
        await writeFile(join(folder, `${file}.${ending}`), content);
        expect((await importFile(`${file}.${ending}`, ...args, ...more)).exitCode).toBe(0);
        expect(await xOf(run)).toEqual([77]);
      }
    },
  );

  it('import selects one of several numbered tomograms, by its number or by its new name', async () => {
    await tomograms(7, 8);
    const named = ['--object', 'ribosome', '--rename', '7=TS_1_3', '8=TS_2_3'];
    expect((await importFile('a.tbl', ...named, '--run', 'TS_2_3')).exitCode).toBe(0);
    expect([await xOf('TS_1_3'), await xOf('TS_2_3')]).toEqual([[], [8 * 11]]);
    const lost = await importFile('a.tbl', '--object', 'ribosome', '--rename', '9=TS_1_3');
    expect(lost).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('has no run "9"; it has "7", "8"') });
  });

  it('import writes the other runs if the picks of one cannot be placed', async () => {
    await (await openProject(config)).createRun('TS_3');
    const star = (run: string) => `${run} 10 10 10\n`;
    const head = 'data_\n\nloop_\n_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n';
    await writeFile(join(folder, 'a.star'), head + star('TS_3') + star('TS_1_3'));
    const { exitCode, stderr, stdout } = await importFile(
      'a.star',
      '--from',
      'relion3',
      '--object',
      'ribosome',
      '--json',
    );
    expect({ exitCode, written: await xOf('TS_1_3') }).toEqual({ exitCode: 1, written: [10] });
    expect(stderr).toMatch(/run "TS_3" failed: .*no tomogram to take voxel size and shape from/);
    const { failed, runs, tomograms: used } = JSON.parse(stdout);
    expect(failed).toMatchObject([{ run: 'TS_3', error: { code: 'not-found' } }]);
    expect(runs).toMatchObject([{ run: 'TS_1_3' }]);
    expect(used).toMatchObject({ TS_1_3: { tomogram: 'denoised@10.000' } });
  });

  it('import says what columns it reads and what it leaves out', async () => {
    await writeFile(join(folder, 'a.txt'), '7 50 60 20 0.5\n');
    const args = ['--columns', '-,x,y,z,score', '--object', 'ribosome', '--run', 'TS_1_3', '--voxel-size', '1'];
    const { stdout } = await importFile('a.txt', ...args, '--json');
    const { columns, losses } = JSON.parse(stdout);
    expect(columns).toMatchObject([{ column: 1, as: '-' }, {}, {}, {}, { column: 5, as: 'score' }]);
    expect(losses).toEqual(['column: not read: column 1']);
    const shown = await importFile('a.txt', ...args, '--overwrite', '--verbose');
    expect(shown.stdout).toContain('columns: 1 not read, 2 is x, 3 is y, 4 is z, 5 is score');
    expect((await importFile('a.txt', ...args, '--overwrite')).stdout).toContain('--verbose lists what is left out');
  });

  it('import warns of a voxel size that is not that of the tomogram, and of one that is not used', async () => {
    await writeFile(join(folder, 'a.txt'), '5 6 7\n');
    const args = ['--object', 'ribosome', '--run', 'TS_1_3'];
    const other = await importFile('a.txt', ...args, '--voxel-size', '20', '--json');
    expect(other.stderr).toMatch(
      /--voxel-size is 20 Å, denoised@10\.000 of run "TS_1_3" has 10\.01\d*×.*; 20 Å is used/,
    );
    expect(JSON.parse(other.stdout).warnings).toMatchObject([{ code: 'voxel-size-differs' }]);
    expect(await written('TS_1_3')).toMatchObject([{ position: { x: 100, y: 120, z: 140 } }]);
    await writeFile(join(folder, 'b.csv'), 'x,y,z\n50,60,20\n');
    const unused = await importFile('b.csv', ...args, '--voxel-size', '10', '--overwrite');
    expect(unused.stderr).toMatch(/--voxel-size is not used; if its numbers are voxels, name it by --from points/);
  });

  it('import reads runs and scores of a CSV under other known names', async () => {
    await writeFile(join(folder, 'a.csv'), 'x,y,z,confidence,tomo_name\n10,20,30,0.5,TS_1_3\n40,50,60,0.7,TS_2_3\n');
    const { stdout } = await importFile('a.csv', '--object', 'ribosome', '--json');
    expect(await written('TS_1_3')).toMatchObject([{ score: 0.5, position: { x: 10 } }]);
    expect(await written('TS_2_3')).toMatchObject([{ score: 0.7, position: { x: 40 } }]);
    expect(JSON.parse(stdout).columns).toMatchObject([{}, {}, {}, { as: 'score' }, { name: 'tomo_name', as: 'run' }]);
  });

  it('import reads a table in Å as such, whatever the voxel size', async () => {
    await writeFile(join(folder, 'a.txt'), 'x_A y_A z_A\n100 120 90\n');
    const args = ['--object', 'ribosome', '--run', 'TS_1_3', '--voxel-size', '20', '--json'];
    const { warnings } = JSON.parse((await importFile('a.txt', ...args)).stdout);
    expect(await written('TS_1_3')).toMatchObject([{ position: { x: 100, y: 120, z: 90 } }]);
    expect(warnings).toMatchObject([{ code: 'voxel-size-unused' }]);
  });

  it('import warns of picks outside the tomogram, and in voxels', async () => {
    const rows = (points: readonly string[]) => ['x,y,z', ...points, ''].join('\n');
    await writeFile(join(folder, 'a.csv'), rows(['9000,1,1']));
    const args = ['--object', 'ribosome', '--run', 'TS_1_3'];
    expect((await importFile('a.csv', ...args)).stderr).toMatch(/run "TS_1_3": 1 of 1 picks lie outside the volume/);
    await writeFile(join(folder, 'b.csv'), rows(Array.from({ length: 6 }, (_, i) => `${i + 1},2,3`)));
    expect((await importFile('b.csv', ...args, '--overwrite')).stderr).toMatch(/are they in voxels instead of Å\?/);
  });

  it('import takes no voxel size from a tomogram that does not know it', async () => {
    const run = await (await openProject(config)).run('TS_1_3');
    const source = sourceOf(new Float32Array(8 ** 3), [8, 8, 8], { voxelSize: [1, 1, 1] });
    await run.writeTomogram(source, { type: 'wbp', voxelSpacing: 1 });
    await writeFile(join(folder, 'a.txt'), '5 6 7\n');
    const args = ['--object', 'ribosome', '--run', 'TS_1_3', '--tomogram', 'wbp'];
    const { exitCode, stderr } = await importFile('a.txt', ...args);
    expect({ exitCode, picks: await written('TS_1_3') }).toEqual({ exitCode: 1, picks: [] });
    expect(stderr).toMatch(/voxel size of wbp@1\.000 .* is exactly 1 Å.*\(option --voxel-size\)/);
    expect((await importFile('a.txt', ...args, '--voxel-size', '10')).exitCode).toBe(0);
  });

  it("import reads Warp's fractions of the tomogram, and --coordinates says that they are voxels", async () => {
    const head = 'data_\n\nloop_\n_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n';
    await writeFile(join(folder, 'warptm.star'), `${head}TS_1_3 0.25 0.5 0.75\n`);
    expect((await importFile('warptm.star', '--object', 'ribosome')).exitCode).toBe(0);
    const [pick] = await written('TS_1_3');
    const { x, y, z } = pick!.position;
    expect([x, y, z].map((at) => Math.round(at / 10.012444))).toEqual([10, 20, 18]);
    const voxels = ['--coordinates', 'voxels', '--voxel-size', '10', '--overwrite'];
    expect((await importFile('warptm.star', '--object', 'ribosome', ...voxels)).exitCode).toBe(0);
    expect(await written('TS_1_3')).toMatchObject([{ position: { x: 2.5, y: 5, z: 7.5 } }]);
  });

  it('import prints user and session as they are written', async () => {
    await file('a.csv', 'csv');
    const { stdout } = await importFile('a.csv', '--user-id', 'my_user', '--session-id', 'a/b');
    expect(stdout).toContain('user my-user, session a-b');
  });

  it.each([
    ['is empty', new Uint8Array(), /is empty/],
    ['is not UTF-8', new Uint8Array([0x78, 0x20, 0xc5, 0x0a]), /is not UTF-8 text/],
  ])('import refuses a table that %s', async (_, bytes, message) => {
    await writeFile(join(folder, 'a.txt'), bytes);
    const { exitCode, stderr } = await importFile('a.txt', '--object', 'ribosome', '--run', 'TS_1_3');
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(message) });
  });
});
