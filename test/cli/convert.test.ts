import { readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { captureCli } from '../support/capture-cli.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
  await writeFile(join(folder, 'in.csv'), csv);
});

const csv = `run_name,object_name,x,y,z,score
TS_1,ribosome,1000,2000,300,0.5
TS_1,apo-ferritin,100,200,300,1
TS_2,ribosome,10,20,30,1
`;

async function convert(...args: string[]) {
  const [input, output, ...rest] = args as [string, string];
  return captureCli(['convert', join(folder, input), join(folder, output), ...rest]);
}

const written = (name: string) => readFile(join(folder, name), 'utf8');

describe('convert', () => {
  it('convert derives the formats from the extensions, in both directions', async () => {
    const { exitCode, stdout, stderr } = await convert('in.csv', 'out.cmm');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toBe(`3 picks of 2 runs, csv to cmm: ${join(folder, 'out.cmm')}\n`);
    expect((await convert('out.cmm', 'again.csv')).exitCode).toBe(0);
    expect(await written('again.csv')).toBe(csv);
  });

  it('convert says which class is which object, lists losses with --verbose, and otherwise says only that there are some', async () => {
    const args = ['in.csv', 'out.tbl', '--voxel-size', '10'];
    expect((await convert(...args)).stdout.split('\n').slice(1)).toEqual([
      'the format cannot hold everything; --verbose lists what is lost',
      'classes: 1 is ribosome, 2 is apo-ferritin',
      '',
    ]);
    const { classes } = JSON.parse((await convert(...args, '--json')).stdout);
    expect(classes).toEqual({ 1: 'ribosome', 2: 'apo-ferritin' });
    const { stdout } = await convert(...args, '--verbose');
    expect(stdout.split('\n').slice(1)).toEqual([
      'object: Dynamo has class numbers, not names (3 of 3 picks)',
      'run: Dynamo has tomogram numbers, not names (3 of 3 picks)',
      'classes: 1 is ribosome, 2 is apo-ferritin',
      'tomogram 1 is TS_1',
      'tomogram 2 is TS_2',
      '',
    ]);
  });

  it.each([
    ['by its own name', 'in.csv', []],
    ['by a link', 'link.csv', []],
    ['in the folder for files of one run each', '.', ['--to', 'csv']],
  ])('convert does not overwrite its input %s', async (_, output, options) => {
    await symlink(join(folder, 'in.csv'), join(folder, 'link.csv'));
    await symlink(join(folder, 'in.csv'), join(folder, 'TS_1.csv'));
    const before = await readdir(folder);
    const { exitCode, stderr } = await convert('in.csv', output, ...options);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^cryoet-picks: the input and the output are both .*; give each its own file\n/);
    expect(await written('in.csv')).toBe(csv);
    expect(await readdir(folder)).toEqual(before);
  });

  it('convert --json prints one document', async () => {
    const { stdout } = await convert('in.csv', 'out.csv', '--to', 'submission', '--json');
    expect(JSON.parse(stdout)).toEqual({ from: 'csv', to: 'submission', runs: 2, picks: 3, losses: [], warnings: [] });
  });

  it('convert reads a plain table by --columns, and tells what was taken for what', async () => {
    await writeFile(join(folder, 'in.txt'), '1 100 200 50 ribosome\n2 110 210 60 ribosome\n');
    const options = ['--voxel-size', '10', '--run', 'TS_1'];
    const refused = await convert('in.txt', 'out.csv', ...options, '--object', 'ribosome');
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('say what each column is') });
    const columns = ['--columns', '-,x,y,z,object'];
    const { stdout, exitCode } = await convert('in.txt', 'out.csv', ...options, ...columns, '--verbose');
    expect(exitCode).toBe(0);
    expect(stdout.split('\n').slice(1, 3)).toEqual([
      'columns: 1 not read, 2 is x, 3 is y, 4 is z, 5 is object',
      'column: not read: column 1',
    ]);
    expect((await written('out.csv')).split('\n')[1]).toBe('TS_1,ribosome,1000,2000,500,1');
    const { stdout: json } = await convert('in.txt', 'out.csv', ...options, ...columns, '--json');
    expect(JSON.parse(json)).toMatchObject({
      columns: [{ column: 1, as: '-' }, {}, {}, {}, { column: 5, as: 'object' }],
    });
    const other = await convert('in.csv', 'out.csv', '--from', 'csv', ...columns);
    expect(other).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--columns applies to plain tables') });
  });

  it('convert prints what looks wrong in a file on stderr, and under warnings of --json', async () => {
    const star =
      'data_\n\nloop_\n_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n_rlnPixelSize\nTS_1 1 2 3 2.7\n';
    await writeFile(join(folder, 'in.star'), star);
    const args = ['in.star', 'out.csv', '--voxel-size', '10', '--object', 'ribosome', '--json'];
    const { stdout, stderr } = await convert(...args);
    expect(stderr).toBe('cryoet-picks: --voxel-size is 10 Å, _rlnPixelSize 2.7 Å; 10 Å is used\n');
    expect(JSON.parse(stdout).warnings).toMatchObject([{ code: 'voxel-size-differs', path: join(folder, 'in.star') }]);
    const unused = await convert('in.csv', 'out.csv', '--voxel-size', '10', '--run', 'TS_1');
    expect(unused).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/--voxel-size is not used; .*--from points/),
    });
    expect((await convert('in.csv', 'out.star', '--to', 'relion4', '--voxel-size', '10')).stderr).toBe('');
  });

  it('convert selects the given run and objects, in the order of their classes', async () => {
    const names = ['--run', 'TS_1', '--object', 'apo-ferritin', 'ribosome'];
    const { exitCode } = await convert('in.csv', 'out.star', '--to', 'relion4', '--voxel-size', '10', ...names);
    expect(exitCode).toBe(0);
    const rows = (await written('out.star')).split('\n').filter((line) => line.startsWith('TS_'));
    expect(rows.map((row) => row.split('\t').slice(0, 8))).toEqual([
      ['TS_1', '100', '200', '30', '0', '0', '0', '2'],
      ['TS_1', '10', '20', '30', '0', '0', '0', '1'],
    ]);
    const back = await convert('out.star', 'back.csv', '--object', 'apo-ferritin', 'ribosome');
    expect(back.exitCode).toBe(0);
    expect(await written('back.csv')).toBe(csv.split('\n').slice(0, 3).join('\n').concat('\n'));
  });

  it('convert takes the names of runs as globs', async () => {
    expect((await convert('in.csv', 'out.csv', '--run', '*_2')).exitCode).toBe(0);
    expect((await written('out.csv')).split('\n').slice(1)).toEqual(['TS_2,ribosome,10,20,30,1', '']);
  });

  it('convert chooses one tomogram of a numbered table by its number', async () => {
    await convert('in.csv', 'in.tbl', '--voxel-size', '10');
    expect((await convert('in.tbl', 'out.csv', '--object', 'a', 'b', '--run', '2')).exitCode).toBe(0);
    expect((await written('out.csv')).split('\n').slice(1)).toEqual(['2,a,10,20,30,1', '']);
    expect((await convert('out.csv', 'one.tbl', '--voxel-size', '10')).exitCode).toBe(0);
    expect((await convert('one.tbl', 'out.csv', '--object', 'a', '--run', 'TS_2')).exitCode).toBe(0);
    expect((await written('out.csv')).split('\n').slice(1)).toEqual(['TS_2,a,10,20,30,1', '']);
  });

  it.each([
    ['NaN, as Python writes it', '{"pickable_objects": [], "metadata": {"resolution": NaN}}'],
    ['a comma too much', '{"pickable_objects": [],}'],
  ])('convert never replaces the config of a project that has %s', async (_, config) => {
    await writeFile(join(folder, 'copick.json'), config);
    const refused = await convert('in.csv', 'copick.json', '--run', 'TS_2', '--to', 'copick', '--overwrite');
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('the config of a copick project') });
    expect(await written('copick.json')).toBe(config);
  });

  it('convert writes and reads binary formats', async () => {
    const options = ['--run', 'TS_1', '--voxel-size', '10'];
    expect((await convert('in.csv', 'out.mod', ...options)).exitCode).toBe(0);
    expect((await convert('out.mod', 'back.csv', ...options)).exitCode).toBe(0);
    expect(await written('back.csv')).toBe(csv.split('\n').slice(0, 3).join('\n').concat('\n'));
  });

  it.each([
    [
      'no voxel size',
      ['in.csv', 'o.tbl'],
      'Dynamo table has positions in voxels of unknown size; give --voxel-size, in Å',
    ],
    [
      'no shape',
      ['in.csv', 'o.star', '--to', 'relion5', '--voxel-size', '1'],
      'give --shape, in voxels, and --voxel-size, in Å',
    ],
    [
      'a star that may be many things',
      ['in.csv', 'o.star'],
      'may be any of relion3, relion4, relion5, stopgap; name the format',
    ],
    ['an unknown extension', ['in.csv', 'out'], 'from its extension; name one of csv, submission'],
    ['an unknown format', ['in.csv', 'o.csv', '--to', 'pdb'], 'Allowed choices are csv, submission, copick'],
    ['a voxel size of 0', ['in.csv', 'o.tbl', '--voxel-size', '0'], 'Expected a length in Å, such as 10.012.'],
    ['an unknown run', ['in.csv', 'o.csv', '--run', 'TS_3'], 'has no run "TS_3"; there are "TS_1", "TS_2"'],
    [
      'an unknown object',
      ['in.csv', 'o.csv', '--object', 'virus'],
      'has no object "virus"; there are "ribosome", "apo-ferritin"',
    ],
  ])('convert with %s ends with 2 and one line', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await convert(...args);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^cryoet-picks: [^\n]+\n$/);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(await readdir(folder)).toEqual(['in.csv']);
  });

  it.each([
    ['a missing file', ['none.csv', 'o.csv'], /picks \S+none\.csv not found/],
    [
      'two runs for a format of one',
      ['in.csv', 'o.json'],
      /copick JSON holds one run per file; found 2: "TS_1", "TS_2"/,
    ],
    [
      'another format',
      ['in.csv', 'o.csv', '--from', 'relion4'],
      /in\.csv, line 1: expected data_, the start of a STAR block/,
    ],
  ])('convert with %s ends with 1 and one line', async (_, args, message) => {
    const { exitCode, stderr } = await convert(...args);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^cryoet-picks: [^\n]+\n$/);
    expect(exitCode).toBe(1);
    expect(await readdir(folder)).toEqual(['in.csv']);
  });

  it('convert keeps the old file if the format cannot hold the picks', async () => {
    await writeFile(join(folder, 'o.json'), 'old');
    expect((await convert('in.csv', 'o.json')).exitCode).toBe(1);
    expect(await written('o.json')).toBe('old');
  });
});
