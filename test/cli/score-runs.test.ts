import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { openProject } from '../../src/entry/node.ts';
import { captureCli } from '../support/capture-cli.ts';
import { smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
  await writeFile(
    join(folder, 't.csv'),
    'experiment,particle_type,x,y,z\nTS_1,ribosome,100,100,100\nTS_1,ribosome,900,100,100\nTS_2,ribosome,200,200,200\n',
  );
  await writeFile(
    join(folder, 's.csv'),
    'run_name,object_name,x,y,z,score\nTS_1,ribosome,110,100,100,0.9\nTS_1,ribosome,500,500,500,0.2\n',
  );
});
const score = (...args: string[]) =>
  captureCli(['score', '--truth', join(folder, 't.csv'), '--submission', join(folder, 's.csv'), ...args]);

it('score says which runs were never searched, and --run leaves them out', async () => {
  const all = await score('--json');
  expect(all.stderr).toMatch(
    /^cryoet-picks: 1 run of the truth was never searched, [^\n]*: "TS_2"; leave them out by --run\n$/,
  );
  expect(JSON.parse(all.stdout)).toMatchObject({
    missingRuns: ['TS_2'],
    objects: { ribosome: { tp: 1, fp: 1, fn: 2 } },
  });
  for (const run of ['TS_1', 'TS_[1]', '*1']) {
    const one = await score('--json', '--run', run);
    expect(one.stderr).toBe('');
    expect(JSON.parse(one.stdout)).toMatchObject({ missingRuns: [], objects: { ribosome: { tp: 1, fp: 1, fn: 1 } } });
  }
  expect(await score('--run', 'TS_9')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('has no run "TS_9"'),
  });
});

it('score --sweep shows the best threshold of each object', async () => {
  const { stdout } = await score('--sweep', '--run', 'TS_1');
  expect(stdout).toMatch(/\nribosome +0\.9 +1\.000 +0\.500 +/);
  const { sweep } = JSON.parse((await score('--sweep', '--run', 'TS_1', '--json')).stdout);
  expect(sweep.objects.ribosome).toMatchObject({ threshold: 0.9, precision: 1, recall: 0.5 });
});

it.each([
  ['has the rows of the submission', 'run_name,object_name,x,y,z\nTS_1,ribosome,110,100,100\n'],
  ['names the user', 'experiment,particle_type,x,y,z,user_id\nTS_1,ribosome,1,2,3,cryoet-picks\n'],
])("score recognises this program's own picks as the truth in a table that %s", async (_, table) => {
  await writeFile(join(folder, 't.csv'), table);
  expect((await score()).stderr).toMatch(/^cryoet-picks: the truth is this program's own picks/);
});

it('score --sweep reads scores under another known name', async () => {
  await writeFile(join(folder, 's.csv'), 'experiment,particle_type,x,y,z,confidence\nTS_1,ribosome,110,100,100,0.9\n');
  const { sweep } = JSON.parse((await score('--sweep', '--run', 'TS_1', '--json')).stdout);
  expect(sweep.objects.ribosome).toMatchObject({ threshold: 0.9 });
});

it('score --sweep says that picks without scores leave nothing to sweep', async () => {
  await writeFile(join(folder, 's.csv'), 'experiment,particle_type,x,y,z\nTS_1,ribosome,110,100,100\n');
  const { stdout, stderr } = await score('--sweep', '--run', 'TS_1', '--json');
  expect(stderr).toMatch(/there is nothing to sweep, because the picks have no scores/);
  expect(JSON.parse(stdout)).not.toHaveProperty('sweep');
});

async function truthOf(config: string) {
  const runs = await (await openProject(config)).runs();
  return Promise.all(runs.map(async (run) => ({ name: run.name, picks: await run.picks({ userId: 'curation' }) })));
}

/** A project with truth of its own, and a submission in an overlay of its own, whose picks of `TS_1_3` cannot be read. */
async function projects(): Promise<{ truth: string; submission: string; broken: string }> {
  const truth = await smallProject(folder);
  const config = JSON.parse(await readFile(truth, 'utf8'));
  const root = (name: string) => join(folder, name);
  const submission = root('mine.json');
  await writeFile(submission, JSON.stringify({ ...config, overlay_root: root('mine') }));
  const project = await openProject(submission);
  for (const { name, picks } of await truthOf(truth)) {
    const run = await project.run(name);
    await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0' });
  }
  return { truth, submission, broken: join(root('mine'), 'ExperimentRuns', 'TS_1_3', 'Picks') };
}

it.each<[string, (folder: string) => Promise<void>, RegExp]>([
  [
    'a folder of picks is a loop of links',
    async (picks) => {
      await rm(picks, { recursive: true });
      await symlink('Picks', picks);
    },
    /run "TS_1_3" failed: .*Picks/,
  ],
  [
    'a picks file is damaged',
    (picks) => writeFile(join(picks, 'cryoet-picks_0_ribosome.json'), '{"points": ['),
    /run "TS_1_3" failed: .*cryoet-picks_0_ribosome\.json/,
  ],
])('score names the run and leaves it out where %s', async (_, damage, message) => {
  const { truth, submission, broken } = await projects();
  await damage(broken);
  const { exitCode, stdout, stderr } = await captureCli([
    'score',
    '--truth',
    truth,
    '--submission',
    submission,
    '--json',
  ]);
  expect(stderr).toMatch(message);
  const { failed, score: found, missingRuns, runs } = JSON.parse(stdout);
  expect({ exitCode, missingRuns, runs: Object.keys(runs) }).toEqual({
    exitCode: 1,
    missingRuns: [],
    runs: ['TS_2_3'],
  });
  expect(failed).toMatchObject([{ run: 'TS_1_3' }]);
  expect(found).toBeGreaterThan(0);
  const other = await captureCli(['score', '--truth', truth, '--submission', submission, '--run', 'TS_2_3']);
  expect(other).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining('failed') });
  const only = await captureCli(['score', '--truth', truth, '--submission', submission, '--run', 'TS_1_3']);
  expect(only).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('no run can be scored') });
});

it('convert fails for a run whose folder of picks cannot be read, and writes no file of all runs', async () => {
  const { submission, broken } = await projects();
  await rm(broken, { recursive: true });
  await symlink('Picks', broken);
  const out = join(folder, 'out.csv');
  const { exitCode, stdout, stderr } = await captureCli(['convert', submission, out]);
  expect(stderr).toMatch(/run "TS_1_3" failed: /);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: expect.stringContaining('nothing was written') });
  await expect(readFile(out)).rejects.toThrow('ENOENT');
});

it.each(['score', 'convert'])('%s fails if a root of the project cannot be listed', async (command) => {
  const { truth, submission } = await projects();
  const runs = join(folder, 'mine', 'ExperimentRuns');
  await rm(runs, { recursive: true });
  await symlink('ExperimentRuns', runs);
  const args =
    command === 'score' ? ['--truth', truth, '--submission', submission] : [submission, join(folder, 'o.csv')];
  const { exitCode, stderr } = await captureCli([command, ...args]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/mine.*ExperimentRuns/) });
});

it("score takes a project's own radii, unless its particles and radii are those of the competition", async () => {
  const objects = (radius: number) =>
    ['ribosome', 'apo-ferritin'].map((name, i) => ({ name, label: i + 1, radius, is_particle: true }));
  const config = join(folder, 'copick.json');
  await mkdir(join(folder, 'data'));
  const write = (extra: readonly object[]) =>
    writeFile(
      config,
      JSON.stringify({
        config_type: 'filesystem',
        pickable_objects: [...objects(20), ...extra],
        overlay_root: join(folder, 'data'),
      }),
    );
  await write([]);
  const run = await (await openProject(config)).createRun('TS_1');
  const pick = { object: 'ribosome', position: { x: 100, y: 100, z: 100 }, score: 1 };
  await run.writePicks([pick], { userId: 'curation', sessionId: '0' });
  await writeFile(join(folder, 's.csv'), 'experiment,particle_type,x,y,z\nTS_1,ribosome,125,100,100\n');
  const found = async () => {
    const { stdout } = await captureCli(['score', '--truth', config, '--submission', join(folder, 's.csv'), '--json']);
    return JSON.parse(stdout);
  };
  expect(await found()).toMatchObject({ score: 0, objects: { ribosome: { tp: 0, fp: 1, fn: 1 } } });
  // A particle without a radius, which nobody picked, is no obstacle.
  await write([{ name: 'mystery', label: 3, is_particle: true }]);
  expect(await found()).toMatchObject({ score: 0 });
});
