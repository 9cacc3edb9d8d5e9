import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { captureCli } from '../support/capture-cli.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

const truthCsv = `experiment,particle_type,x,y,z
TS_1,ribosome,100,100,100
TS_1,ribosome,900,100,100
TS_1,apo-ferritin,500,500,500
TS_2,ribosome,200,200,200
`;
const submissionCsv = `id,experiment,particle_type,x,y,z
0,TS_1,ribosome,110,100,100
1,TS_1,apo-ferritin,500,500,510
2,TS_2,ribosome,900,900,900
3,TS_9,ribosome,1,1,1
`;

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

it.each(['demo', 'view', 'info', 'detect', 'match', 'teach', 'gather', 'score', 'simulate', 'convert', 'import'])(
  'no option of %s has a value that may be left out, which would take the argument that follows',
  async (command) => {
    const { stdout } = await captureCli([command, '--help']);
    const options = stdout.split('\n').filter((line) => /^ {2}--/.test(line));
    expect(options.length).toBeGreaterThan(1);
    expect(options.filter((line) => /^ {2}--[\w-]+ \[/.test(line))).toEqual([]);
  },
);

describe('wrong usage', () => {
  it.each([
    ['an unknown command', ['detct'], "unknown command 'detct' (Did you mean detect?) See cryoet-picks --help."],
    ['an unknown option', ['info', 'a', '--verbos'], "unknown option '--verbos' (Did you mean --verbose?)"],
    ['a missing argument', ['info'], "missing required argument 'config'. See cryoet-picks info --help."],
    ['a missing option', ['score', '--truth', 'a'], "required option '--submission <file>' not specified."],
    ['one argument too many', ['info', 'a', 'b'], "too many arguments for 'info'."],
    [
      'an argument that a list of runs has taken',
      ['detect', '--run', 'TS_1', 'copick.json'],
      "missing required argument 'config'. --run takes all values that follow: give it last. See cryoet-picks detect",
    ],
    [
      'a distance of what is switched off',
      ['detect', 'a', '--no-across-objects', '--across-distance', '90'],
      '--across-distance is a distance of --across-objects, which --no-across-objects switches off',
    ],
    ['an unknown matching', ['score', '--matching', 'best'], 'Allowed choices are official, greedy, hungarian.'],
    ['threads that are not a number', ['detect', 'a', '--threads', 'x'], 'Expected a whole number of at least 1.'],
    ['no threads', ['detect', 'a', '--threads', '0'], 'Expected a whole number of at least 1.'],
    ['a threshold of spaces', ['detect', 'a', '--threshold', 'ribosome= '], 'Expected an object and the minimum score'],
    ['a threshold in base 16', ['detect', 'a', '--threshold', 'ribosome=0x1'], 'Expected an object and the minimum'],
    [
      'a spacing with spaces',
      ['detect', 'a', '--tomogram', 'denoised@ 1e1 '],
      'Expected a tomogram type and its voxel',
    ],
    [
      'a voxel size that no tomogram has',
      ['view', 'a.mrc', '--voxel-size', '1e9'],
      'Expected a voxel size in Å, from 0.01 to 1000',
    ],
    ['a voxel size below 0.01 Å', ['detect', 'a', '--voxel-size', '1e-9'], 'Expected a voxel size in Å, from 0.01'],
    ['a voxel size in base 16', ['detect', 'a', '--voxel-size', '0xa'], 'Expected a length in Å'],
    ['runs in base 2', ['simulate', 'a', '--runs', '0b11'], 'Expected a whole number of at least 1.'],
    ['a shape in base 16', ['simulate', 'a', '--shape', '0x30,64,64'], 'Expected three whole numbers of voxels'],
    ['a shape of two', ['simulate', 'a', '--shape', '1,2'], 'Expected three whole numbers of voxels, Z,Y,X'],
    ['a flat shape', ['simulate', 'a', '--shape', '0,2,2'], 'Expected three whole numbers of voxels, Z,Y,X'],
    ['negative noise', ['simulate', 'a', '--noise=-1'], 'Expected a number of at least 0.'],
    ['a voxel spacing that is not a number', ['detect', 'a', '--tomogram', 'wbp@ten'], 'such as denoised@10.'],
    ['an endless voxel spacing', ['detect', 'a', '--tomogram', 'wbp@Infinity'], 'such as denoised@10.'],
    ['an empty user', ['detect', 'a', '--user-id', ''], 'Expected a name of at least one character.'],
    ['an empty session', ['detect', 'a', '--session-id', ' '], 'Expected a name of at least one character.'],
    ['a folder without a name', ['simulate', ''], 'the folder to write to is ""'],
    ['an empty tomogram', ['detect', 'a', '--tomogram', ''], 'such as denoised@10.'],
    ['a threshold without object', ['detect', 'a', '--threshold', '0.5'], 'such as ribosome=0.3.'],
    ['a threshold without value', ['detect', 'a', '--threshold', 'ribosome='], 'such as ribosome=0.3.'],
  ])('wrong usage, %s, ends with 2 and one line', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await captureCli(args);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^cryoet-picks: [^\n]+\n$/);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  });

  it('the program without a command shows the help and ends with 2', async () => {
    const { exitCode, stderr } = await captureCli([]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('Usage: cryoet-picks [options] [command]');
  });
});

describe('a project whose roots are wrong', () => {
  it('detect ends with 1 and names the folders that have no run, before the model is loaded', async () => {
    const roots = { overlay_root: join(folder, 'typo'), static_root: join(folder, 'data') };
    await mkdir(roots.static_root);
    const config = await file('copick.json', JSON.stringify({ pickable_objects: [], ...roots }));
    const { exitCode, stderr } = await captureCli(['detect', config, '--model', 'none.onnx']);
    expect(stderr).toContain('the project has no runs; looked in');
    expect(stderr).toContain(roots.overlay_root);
    expect(exitCode).toBe(1);
  });

  it('detect ends with 2 for a figure of an unknown format and for thousands of threads', async () => {
    const root = join(folder, 'overlay');
    await mkdir(join(root, 'ExperimentRuns', 'TS_1'), { recursive: true });
    const config = await file('copick.json', JSON.stringify({ pickable_objects: [], overlay_root: root }));
    const figure = await captureCli(['detect', config, '--figure', join(folder, 'a.txt')]);
    expect(figure.stderr).toContain('--figure');
    const threads = await captureCli(['detect', config, '--threads', '99999999']);
    expect(threads.stderr).toContain('--threads is 99999999, expected at most');
    expect([figure.exitCode, threads.exitCode]).toEqual([2, 2]);
  });
});

describe('help and version', () => {
  it.each([['--help'], ['help'], ['detect --help'], ['help score']])(
    '%s goes to stdout and ends with 0',
    async (line) => {
      const { exitCode, stdout, stderr } = await captureCli(line.split(' '));
      expect(stdout).toContain('Usage: cryoet-picks');
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    },
  );

  it('every command offers --json and --verbose', async () => {
    for (const command of ['demo', 'info', 'detect', 'score', 'simulate', 'convert']) {
      const { stdout } = await captureCli([command, '--help']);
      expect(stdout).toContain('--json');
      expect(stdout).toContain('--verbose');
    }
  });
});

/** A call of `score` on two small files. */
async function scoreArgs(): Promise<string[]> {
  return ['score', '--truth', await file('t.csv', truthCsv), '--submission', await file('s.csv', submissionCsv)];
}

describe('score', () => {
  it('score prints the total first, then a row per particle, then what was not scored', async () => {
    const args = await scoreArgs();
    const { exitCode, stdout, stderr } = await captureCli(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(
      /^score 0\.\d{4} {2}\(weighted mean of F4; a pick counts within half the radius; official/,
    );
    expect(
      lines
        .find((line) => line.startsWith('ribosome'))
        ?.split(/\s+/)
        .slice(1, 5),
    ).toEqual(['1', '1', '1', '2']);
    expect(lines).toContain('not scored, because the truth lacks these runs: TS_9');
    expect(stdout).not.toContain('TS_2');
  });

  it('score --per-run shows every run', async () => {
    const args = await scoreArgs();
    const { stdout } = await captureCli([...args, '--per-run']);
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(['TS_1', 'TS_2']));
  });

  it('score --json prints one document', async () => {
    const args = await scoreArgs();
    const { stdout } = await captureCli([...args, '--json', '--matching', 'hungarian']);
    expect(JSON.parse(stdout)).toMatchObject({
      matching: 'hungarian',
      objects: { ribosome: { tp: 1, fp: 1, fn: 2 }, 'apo-ferritin': { tp: 1, fp: 0, fn: 0 } },
      runs: { TS_1: { ribosome: { tp: 1, fp: 0, fn: 1 } } },
      ignoredRuns: ['TS_9'],
      ignoredObjects: [],
    });
  });

  it.each([
    ['a missing table', undefined, /^cryoet-picks: truth table \S+t\.csv not found\n$/],
    ['an empty table', '', /^cryoet-picks: [^\n]*t\.csv[^\n]*\n$/],
    [
      'a table without coordinates',
      'experiment,particle_type\nTS_1,ribosome\n',
      /^cryoet-picks: [^\n]*t\.csv[^\n]*\bx\b[^\n]*\n$/,
    ],
    ['a bad number', `${truthCsv}TS_2,ribosome,1,two,3\n`, /^cryoet-picks: [^\n]*t\.csv[^\n]*line 6[^\n]*two[^\n]*\n$/],
    ['an unknown particle', `${truthCsv}TS_2,proteasome,1,2,3\n`, /^cryoet-picks: [^\n]*"proteasome"[^\n]*\n$/],
  ])('score ends with 1 and one line with the reason: %s', async (_, text, message) => {
    const truth = text === undefined ? join(folder, 't.csv') : await file('t.csv', text);
    const { exitCode, stdout, stderr } = await captureCli(['score', '--truth', truth, '--submission', truth]);
    expect(stderr).toMatch(message);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  });

  it('score --json reports a failure as JSON, its stack only with --verbose', async () => {
    const args = ['score', '--truth', join(folder, 'none.csv'), '--submission', 'x'];
    const plain = await captureCli([...args, '--json']);
    expect(JSON.parse(plain.stdout)).toEqual({
      error: { code: 'not-found', message: `truth table ${join(folder, 'none.csv')} not found` },
    });
    expect(plain.stderr.split('\n')).toHaveLength(2);
    const verbose = await captureCli([...args, '--verbose']);
    expect(verbose.stderr).toMatch(/\n +at /);
    expect(verbose.stderr).toContain('ENOENT');
  });

  it('score ends with 130 and leaves no files when it is aborted', async () => {
    const args = ['score', '--truth', await file('t.csv', truthCsv), '--submission', 's.csv'];
    const { exitCode, stderr } = await captureCli(args, { signal: AbortSignal.abort() });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 130,
      stderr: 'cryoet-picks: interrupted; no file is incomplete\n',
    });
    expect(await readdir(folder)).toEqual(['t.csv']);
  });
});
