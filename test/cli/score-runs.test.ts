import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { captureCli } from '../support/capture-cli.ts';
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
