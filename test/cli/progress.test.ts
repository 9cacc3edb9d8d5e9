import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { detectProject } from '../../src/entry/index.ts';
import { openProject, overlayClaims } from '../../src/entry/node.ts';
import { captureCli } from '../support/capture-cli.ts';
import { identityModel } from '../support/identity-model.ts';
import { smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

const classes = ['ribosome', 'apo-ferritin'];
const model = identityModel({ tile: [24, 40, 40], classes, thresholds: { ribosome: 9, 'apo-ferritin': 9 } });
const runs = ['TS_1_3', 'TS_2_3', 'TS_3_3', 'TS_4_3', 'TS_5_3'];

let folder: string;
let config: string;
beforeEach(async () => {
  folder = await tempDir();
  config = await smallProject(folder, { runs: 5 });
});

async function detect(names: readonly string[], network = model): Promise<void> {
  for await (const _ of detectProject(await openProject(config), {
    model: network,
    runs: names,
    tomogram: 'denoised',
  }));
}

const progress = async (...args: readonly string[]) =>
  JSON.parse((await captureCli(['info', config, '--progress', '--json', ...args])).stdout);

describe('info --progress', () => {
  it('info --progress tells each run as done, claimed, failed or missing', async () => {
    await detect(['TS_1_3', 'TS_2_3']);
    await detect(['TS_3_3'], { ...model, score: async () => Promise.reject(new Error('no memory')) });
    // Killed between its two files.
    await rm(join(folder, 'overlay/ExperimentRuns/TS_2_3/Picks/cryoet-picks_0_ribosome.json'));
    const options = { group: 'cryoet-picks_0', isOpen: async () => true };
    const claim = await overlayClaims(await openProject(config)).next(['TS_4_3'], options);
    expect(await progress()).toMatchObject({
      ...{ userId: 'cryoet-picks', sessionId: '0', expected: 5 },
      ...{ done: ['TS_1_3'], claimed: ['TS_4_3'], missing: ['TS_2_3', 'TS_5_3'] },
      failed: [{ run: 'TS_3_3', attempt: 1 }],
    });
    const { stdout } = await captureCli(['info', config, '--progress']);
    expect(stdout).toContain('5 runs: 1 done, 1 claimed, 1 failed, 2 missing\n');
    expect(stdout).toContain('  claimed  TS_4_3\n');
    expect(stdout).toMatch(/ {2}failed {3}TS_3_3 {2}\S+: .*no memory/);
    await claim!.release();
    expect(await progress()).toMatchObject({ claimed: [], missing: ['TS_2_3', 'TS_4_3', 'TS_5_3'] });
  });

  it('info --progress and gather have one rule of what is done: the objects that runs were searched for as most were', async () => {
    const both = async () => {
      const gathered = JSON.parse((await captureCli(['gather', config, '--json'])).stdout);
      const { done, missing } = await progress();
      const names = (list: readonly { run: string }[]) => list.map(({ run }) => run);
      const left = [...names(gathered.missing), ...names(gathered.differing)];
      return {
        info: { done, missing },
        gather: { done: runs.filter((run) => !left.includes(run)), missing: names(gathered.missing) },
      };
    };
    await detect(['TS_1_3', 'TS_2_3', 'TS_3_3']);
    const project = await openProject(config);
    // A person's picks of an object that nobody looked for are no reason to search all runs for it.
    const author = { userId: 'cryoet-picks', sessionId: '0' };
    await (await project.run('TS_1_3')).writePicks([], { ...author, objects: ['virus-like-particle'] });
    expect((await both()).info).toEqual({ done: ['TS_1_3', 'TS_2_3', 'TS_3_3'], missing: ['TS_4_3', 'TS_5_3'] });
    expect((await both()).gather).toEqual({ done: ['TS_2_3', 'TS_3_3'], missing: ['TS_4_3', 'TS_5_3'] });
    await (await project.run('TS_1_3')).delete();
    // The only picks that are left, of one object: the candidates tell that the other one was looked for.
    for (const run of ['TS_2_3', 'TS_3_3'])
      await rm(join(folder, `overlay/ExperimentRuns/${run}/Picks/cryoet-picks_0_ribosome.json`));
    const { info, gather } = await both();
    expect(info).toEqual(gather);
    expect(info.done).toEqual([]);
  });

  it('info --progress and gather tell a failure in the words of the command line, once with the name of the run', async () => {
    const reason = 'tomogram "x" in run "TS_3_3" lacks chunks; set the option allowMissingChunks';
    await detect(['TS_1_3']);
    await detect(['TS_3_3'], { ...model, score: async () => Promise.reject(new Error(reason)) });
    const told = 'tomogram "x" lacks chunks; set --allow-missing-chunks';
    const { stdout } = await captureCli(['info', config, '--progress']);
    expect(stdout).toContain(told);
    const { stderr } = await captureCli(['gather', config]);
    expect(stderr).toContain(told);
    const document = JSON.parse((await captureCli(['gather', config, '--json'])).stdout);
    expect(document.failed[0].reason).toContain('set --allow-missing-chunks');
  });

  it('info --progress is of one user and session, and of the runs that are named', async () => {
    expect(await progress()).toMatchObject({ done: [], claimed: [], failed: [], missing: runs });
    await detect(runs);
    expect(await progress()).toMatchObject({ done: runs, missing: [] });
    expect(await progress('--session-id', '1')).toMatchObject({ done: [], missing: runs });
    expect(await progress('--run', 'TS_[12]*')).toMatchObject({ expected: 2, done: ['TS_1_3', 'TS_2_3'] });
  });

  it('info refuses the options of --progress without it', async () => {
    const { exitCode, stderr } = await captureCli(['info', config, '--session-id', '1']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--session-id is for --progress');
  });
});
