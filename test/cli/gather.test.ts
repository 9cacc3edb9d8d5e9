import { copyFile, cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parsePicks, picksFormat } from '../../src/entry/formats.ts';
import { detectRun, formatSubmission, parseSubmission } from '../../src/entry/index.ts';
import { loadModel, openProject, overlayClaims } from '../../src/entry/node.ts';
import { captureCli } from '../support/capture-cli.ts';
import { smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

let original: string;
let folder: string;
let config: string;
const at = (name: string) => join(folder, name);
const gather = (...args: readonly string[]) => captureCli(['gather', config, ...args]);

beforeAll(async () => {
  original = await tempDir();
  await smallProject(original, { runs: 3 });
  const { exitCode, stderr } = await captureCli([
    ...['detect', join(original, 'copick.json'), '--tomogram', 'denoised'],
    ...['--submission', join(original, 'detected.csv')],
  ]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
}, 120_000);
beforeEach(async () => {
  folder = await tempDir();
  await cp(original, folder, { recursive: true });
  config = at('copick.json');
});

/** Removes what a detection wrote for a run. */
async function forget(run: string): Promise<void> {
  const picks = at(`overlay/ExperimentRuns/${run}/Picks`);
  for (const name of await readdir(picks)) if (name.includes('cryoet-picks_0')) await rm(join(picks, name));
}

/** Runs the command that gather tells. */
async function doMissing(command: string) {
  const words = [...command.matchAll(/'((?:[^']|'\\'')*)'|(\S+)/g)].map(([, inQuotes, bare]) => inQuotes ?? bare!);
  expect(words.slice(0, 2)).toEqual(['npx', 'cryoet-picks']);
  return captureCli([...words.slice(2), '--json']);
}

describe('gather', () => {
  it('gather writes the submission that detect writes, and the same one again', async () => {
    const { exitCode, stdout, stderr } = await gather('--submission', at('gathered.csv'));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('3 runs: 3 done, 0 failed, 0 missing\n');
    expect(stdout).toMatch(/picks from the candidates of 3 runs, with competition thresholds: apo-ferritin 0\.\d+/);
    expect(stdout).toContain('of the submission, with competition thresholds; of 3 runs with a truth');
    const detected = await readFile(at('detected.csv'), 'utf8');
    // A detection lists the objects as the model does, and gather by name.
    const sorted = (text: string) =>
      formatSubmission(
        parseSubmission(text).map(({ run, picks }) => ({
          run,
          picks: picks.toSorted((a, b) => (a.object < b.object ? -1 : a.object > b.object ? 1 : 0)),
        })),
      );
    const first = await readFile(at('gathered.csv'), 'utf8');
    expect(first).toBe(sorted(detected));
    expect(parseSubmission(first).length).toBe(3);
    await gather('--submission', at('gathered.csv'));
    expect(await readFile(at('gathered.csv'), 'utf8')).toBe(first);
  });

  it('gather and score take the same truth: of several users the first by custom, in all runs', async () => {
    const picks = (run: string) => at(`overlay/ExperimentRuns/${run}/Picks`);
    const renamed = async (run: string, userId: string) => {
      for (const name of (await readdir(picks(run))).filter((one) => !one.includes('_'))) {
        const file = JSON.parse(await readFile(join(picks(run), name), 'utf8'));
        const path = join(picks(run), `${userId}_0_${name}`);
        await writeFile(path, JSON.stringify({ ...file, user_id: userId }));
        await rm(join(picks(run), name));
      }
    };
    for (const run of ['TS_1_3', 'TS_2_3', 'TS_3_3']) await renamed(run, 'data-portal');
    const scored = async () => {
      await gather('--submission', at('gathered.csv'));
      const { stdout } = await captureCli(['score', '--truth', config, '--submission', at('gathered.csv'), '--json']);
      const { score } = JSON.parse((await gather('--json')).stdout);
      expect(score.score).toBe(JSON.parse(stdout).score);
      return (await gather()).stdout;
    };
    expect(await scored()).toContain('of 3 runs with a truth of user "data-portal"');
    for (const run of ['TS_1_3', 'TS_2_3', 'TS_3_3']) {
      await cp(join(picks(run), 'data-portal_0_ribosome.json'), join(picks(run), 'simulation_0_ribosome.json'));
    }
    expect(await scored()).toContain('of 3 runs with a truth of user "simulation"');
    await rm(join(picks('TS_2_3'), 'simulation_0_ribosome.json'));
    const mixed = await gather();
    expect(mixed.exitCode).toBe(2);
    expect(mixed.stderr).toContain('the runs have a truth of the users "simulation" and "data-portal"; choose one by');
  });

  it('gather prints the score of score, of the runs that have a truth', async () => {
    const { stdout } = await gather('--submission', at('gathered.csv'), '--json');
    const scored = await captureCli(['score', '--truth', config, '--submission', at('gathered.csv'), '--json']);
    const { score, picks } = JSON.parse(stdout);
    expect(score.runs).toBe(3);
    expect(score.score).toBe(JSON.parse(scored.stdout).score);
    expect(score.score).toBeGreaterThan(0);
    expect(Object.values<number>(picks).reduce((sum, count) => sum + count)).toBeGreaterThan(3);
  });

  it('gather tells what is missing, writes nothing, and exits with 1; the command that it prints does the rest', async () => {
    const whole = await gather('--submission', at('whole.csv'), '--json');
    await forget('TS_2_3');
    const without = await gather('--submission', at('part.csv'));
    expect(without.exitCode).toBe(1);
    expect(without.stdout).toContain('3 runs: 2 done, 0 failed, 1 missing\n');
    expect(without.stderr).toContain('run "TS_2_3" is missing: no picks\n');
    expect(without.stderr).toContain('nothing was written: 1 run of 3 not done; --allow-missing gathers the others\n');
    expect(await readdir(folder)).not.toContain('part.csv');
    const { exitCode, stdout } = await gather('--submission', at('part.csv'), '--allow-missing', '--json');
    expect(exitCode).toBe(0);
    const { command, missing, done } = JSON.parse(stdout);
    expect({ missing, done }).toEqual({ missing: [{ run: 'TS_2_3', reason: 'no picks' }], done: 2 });
    expect(parseSubmission(await readFile(at('part.csv'), 'utf8')).map(({ run }) => run)).toEqual(['TS_1_3', 'TS_3_3']);
    expect(command).toContain('--run TS_2_3 --tomogram denoised@10 --threshold');
    expect((await doMissing(command)).exitCode).toBe(0);
    expect((await gather('--submission', at('again.csv'), '--json')).stdout.replace('again.csv', 'whole.csv')).toBe(
      whole.stdout,
    );
    expect(await readFile(at('again.csv'), 'utf8')).toBe(await readFile(at('whole.csv'), 'utf8'));
  });

  it('gather leaves out a run without candidates where thresholds are asked for; the command that it prints makes them again', async () => {
    await rm(at('overlay/ExperimentRuns/TS_2_3/Picks/.cryoet-picks_0.candidates'));
    const usual = await gather('--thresholds', 'balanced');
    expect(usual.exitCode).toBe(0);
    expect(usual.stdout).toContain('picks of the files of 1 run ("TS_2_3"): there are no candidates\n');
    expect((await gather()).stdout).toContain('3 runs: 2 done, 0 failed, 1 missing\n');
    const none = ['--threshold', 'ribosome=1000', 'apo-ferritin=1000', '--submission', at('none.csv')];
    const refused = await gather(...none);
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout).toContain('3 runs: 2 done, 0 failed, 1 missing\n');
    expect(refused.stderr).toMatch(
      /run "TS_2_3" is missing: there are no candidates, and its picks files have other thresholds: /,
    );
    expect(await readdir(folder)).not.toContain('none.csv');
    const { command } = JSON.parse((await gather(...none, '--json')).stdout);
    expect(command).toContain('--run TS_2_3');
    expect(command).not.toContain('--resume');
    expect((await doMissing(command)).exitCode).toBe(0);
    const after = await gather(...none, '--json');
    expect(after.exitCode).toBe(0);
    expect(JSON.parse(after.stdout)).toMatchObject({
      done: 3,
      picks: { ribosome: 0, 'apo-ferritin': 0 },
      fromFiles: {},
    });
  });

  it('gather refuses a submission beside picks for another program, whose thresholds differ, unless one set is named', async () => {
    const both = ['--submission', at('s.csv'), '--out', at('p.csv'), '--to', 'csv'];
    const refused = await gather(...both);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('choose one set for both by --thresholds balanced or competition');
    const { exitCode, stdout } = await gather(...both, '--thresholds', 'balanced', '--json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout).thresholdSet).toBe('balanced');
  });

  it('gather refuses thresholds beside --from-picks', async () => {
    const { exitCode, stderr } = await gather('--from-picks', '--threshold', 'ribosome=0.9');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--threshold');
  });

  it('the command that gather prints has the options of the records', async () => {
    const options = ['--max-false', '0.4', '--threshold', 'ribosome=0.5', '--max', '9', '--across-distance', '60'];
    const more = ['--object', 'ribosome', 'apo-ferritin', '--face-margin', '20', '--session-id', '7'];
    const args = ['detect', config, '--run', 'TS_1_3', 'TS_3_3', '--tomogram', 'denoised', ...options, ...more];
    expect((await captureCli(args)).exitCode).toBe(0);
    const { stdout } = await gather('--session-id', '7', '--json');
    const { exitCode } = await doMissing(JSON.parse(stdout).command);
    expect(exitCode).toBe(0);
    const after = await gather('--session-id', '7', '--thresholds', 'balanced', '--json');
    expect(JSON.parse(after.stdout)).toMatchObject({
      ...{ done: 3, missing: [] },
      fromFiles: { 'they lie in a mask, which is not kept': 3 },
    });
    const submission = await gather('--session-id', '7', '--submission', at('masked.csv'));
    expect(submission.exitCode).toBe(1);
    expect(submission.stderr).toMatch(
      /lie in a mask, .* not those of a submission; take them as they are by --from-picks/,
    );
    expect((await gather('--session-id', '7', '--submission', at('masked.csv'), '--from-picks')).exitCode).toBe(0);
  });

  it('the command that gather prints asks for the thresholds and labels of picks that a submission may be made of', async () => {
    const args = ['detect', config, '--run', 'TS_1_3', 'TS_3_3', '--tomogram', 'denoised', '--session-id', '9'];
    expect((await captureCli([...args, '--thresholds', 'competition'])).exitCode).toBe(0);
    const { command } = JSON.parse((await gather('--session-id', '9', '--json')).stdout);
    expect(command).toContain('--threshold apo-ferritin=');
    expect(command).toContain('--no-across-objects');
    expect((await doMissing(command)).exitCode).toBe(0);
    const after = await gather('--session-id', '9', '--submission', at('nine.csv'), '--json');
    expect(JSON.parse(after.stdout)).toMatchObject({ done: 3, thresholdSet: 'competition', fromFiles: {} });
    await gather('--submission', at('usual.csv'));
    expect(await readFile(at('nine.csv'), 'utf8')).toBe(await readFile(at('usual.csv'), 'utf8'));
  });

  it('gather writes RELION 5 as convert does, run by run, and a file per run into a folder', async () => {
    const star = ['--to', 'relion5', '--tomogram', 'denoised'];
    const files = await gather('--out', at('gathered.star'), '--from-picks', ...star);
    expect(files.stderr).toBe('');
    expect(files.exitCode).toBe(0);
    expect(files.stdout).toMatch(/^classes: 1 is apo-ferritin, 2 is .*, 6 is virus-like-particle$/m);
    const again = await gather('--out', at('gathered.star'), '--from-picks', ...star, '--json');
    const { classes } = JSON.parse(again.stdout);
    const user = ['--user-id', 'cryoet-picks', '--session-id', '0'];
    await captureCli(['convert', config, at('converted.star'), ...user, ...star]);
    const numbers = picksFormat('relion5', {
      ...{ shape: [24, 40, 40], voxelSize: 10.012 },
      objects: classes,
    });
    const read = async (name: string) =>
      parsePicks(await readFile(at(name), 'utf8'), { format: numbers as never, source: name }).map(({ run, picks }) => [
        run,
        picks.map((pick) => JSON.stringify(pick)).sort(),
      ]);
    expect(await read('gathered.star')).toEqual(await read('converted.star'));
    const cmm = await gather('--out', `${at('markers')}/`, '--to', 'cmm', '--thresholds', 'competition');
    expect(cmm.stderr).toBe('');
    expect(await readdir(at('markers'))).toEqual(['TS_1_3.cmm', 'TS_2_3.cmm', 'TS_3_3.cmm']);
    const refused = await gather('--out', at('gathered.cmm'));
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('cannot be written run by run');
  });

  it('gather refuses runs whose picks were made otherwise, and names them', async () => {
    await captureCli(['detect', config, '--from-candidates', '--run', 'TS_3_3', '--threshold', 'ribosome=0.9']);
    const { exitCode, stderr, stdout } = await gather('--submission', at('gathered.csv'));
    expect(exitCode).toBe(1);
    expect(stdout).toContain('3 runs: 2 done, 0 failed, 0 missing, 1 made otherwise\n');
    expect(stderr).toMatch(
      /the picks of run "TS_3_3" were made otherwise: .*"ribosome": threshold is 0\.9, of the others 0\.\d+: \S+_ribosome\.json\n/,
    );
    expect(stderr).toContain('nothing was written: 1 run of 3 made otherwise; --allow-missing gathers the others\n');
    expect(await readdir(folder)).not.toContain('gathered.csv');
    expect((await gather('--run', 'TS_1*', 'TS_2*')).exitCode).toBe(0);
    const { replaceCommand } = JSON.parse((await gather('--json')).stdout);
    expect(stdout).toContain(`which replaces their picks:\n  ${replaceCommand}\n`);
    expect(replaceCommand).toMatch(/ --run TS_3_3 .* --resume --overwrite$/);
    expect((await doMissing(replaceCommand)).exitCode).toBe(0);
    expect((await gather()).exitCode).toBe(0);
  });

  it.each<[string, (path: string, text: string) => Promise<void>, RegExp]>([
    [
      'edited',
      (path, text) => writeFile(path, `${text}\n`),
      /not written by a detection of this program, or changed since/,
    ],
    ['truncated', (path, text) => writeFile(path, text.slice(0, text.length / 2)), /is not JSON/],
    ['emptied', (path) => writeFile(path, ''), /is not JSON/],
  ])(
    'gather tells one run whose picks were %s by hand, writes the others if asked, and prints the command that mends it',
    async (_, edit, reason) => {
      const path = at('overlay/ExperimentRuns/TS_2_3/Picks/cryoet-picks_0_ribosome.json');
      await edit(path, await readFile(path, 'utf8'));
      for (const more of [[], ['--from-picks']]) {
        const refused = await gather('--submission', at('gathered.csv'), ...more);
        expect(refused.exitCode).toBe(1);
        expect(refused.stdout).toContain('3 runs: 2 done, 0 failed, 0 missing, 1 made otherwise\n');
        expect(refused.stderr).toMatch(reason);
        expect(refused.stderr).toContain('run "TS_2_3"');
        expect(refused.stderr.split(path).length).toBe(2);
        expect(await readdir(folder)).not.toContain('gathered.csv');
        const allowed = await gather('--submission', at('gathered.csv'), '--allow-missing', ...more);
        expect(allowed.exitCode).toBe(0);
        expect(allowed.stderr).toContain('gathered without 1 run of 3 made otherwise (--allow-missing)\n');
        const written = parseSubmission(await readFile(at('gathered.csv'), 'utf8'));
        // A run without picks has no row.
        expect(written.length).toBeGreaterThan(0);
        expect(written.map(({ run }) => run)).not.toContain('TS_2_3');
        await rm(at('gathered.csv'));
      }
      const { differing, replaceCommand } = JSON.parse((await gather('--json')).stdout);
      expect(differing).toMatchObject([{ run: 'TS_2_3', path }]);
      expect((await doMissing(replaceCommand)).exitCode).toBe(0);
      expect((await gather()).exitCode).toBe(0);
    },
  );

  it('gather leaves a run out of the score, and says so, if its truth is damaged', async () => {
    const picks = at('overlay/ExperimentRuns/TS_2_3/Picks');
    const text = await readFile(join(picks, 'ribosome.json'), 'utf8');
    await rm(join(picks, 'ribosome.json'));
    await writeFile(join(picks, 'curation_0_ribosome.json'), text.slice(0, text.length / 2));
    const { exitCode, stderr, stdout } = await gather('--submission', at('gathered.csv'));
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/run "TS_2_3" is not scored: .*ribosome\.json/);
    expect(stdout).toContain('of 2 runs with a truth of user');
    expect(parseSubmission(await readFile(at('gathered.csv'), 'utf8')).length).toBe(3);
  });

  it('gather beside processes at work tells the runs that they have claimed, and a command that shares the rest with them', async () => {
    for (const run of ['TS_1_3', 'TS_2_3', 'TS_3_3']) await forget(run);
    expect((await captureCli(['detect', config, '--tomogram', 'denoised', '--run', 'TS_1_3'])).exitCode).toBe(0);
    const zarr = at('static/ExperimentRuns/TS_3_3/VoxelSpacing10.000/denoised.zarr');
    await rename(zarr, at('away'));
    const broken = await captureCli(['detect', config, '--tomogram', 'denoised', '--run', 'TS_3_3']);
    expect(broken.exitCode).toBe(1);
    await rename(at('away'), zarr);
    const options = { group: 'cryoet-picks_0', isOpen: async () => true };
    const claim = await overlayClaims(await openProject(config)).next(['TS_2_3'], options);
    const { stdout, stderr } = await gather();
    expect(stdout).toContain('3 runs: 1 done, 1 claimed by processes, 1 failed, 0 missing\n');
    expect(stderr).toContain('a process works on "TS_2_3", or had claimed what it left when it died\n');
    // The line before says which run it is.
    expect(stderr).toMatch(/run "TS_3_3" failed: (?!.*in run "TS_3_3")/);
    expect((await captureCli(['info', config, '--progress'])).stdout).toMatch(/failed {3}TS_3_3 (?!.*in run)/);
    const { command, claimed, failed, missing } = JSON.parse((await gather('--json')).stdout);
    expect({ claimed, missing }).toEqual({ claimed: ['TS_2_3'], missing: [] });
    expect(failed).toMatchObject([{ run: 'TS_3_3', attempt: 1 }]);
    expect(command).toMatch(/ --claim --retries 1$/);
    await claim!.release();
    expect((await doMissing(command)).exitCode).toBe(0);
    expect((await gather('--submission', at('all.csv'))).exitCode).toBe(0);
  });

  it('gather takes runs of detectRun and of the command line together, and detect --resume takes those of detectRun as done', async () => {
    await rm(at('overlay/ExperimentRuns/TS_2_3/Picks'), { recursive: true });
    const project = await openProject(config);
    const model = await loadModel(await import('onnxruntime-node'));
    const { status } = await detectRun(project, 'TS_2_3', { tomogram: 'denoised', model, resume: true });
    await model.dispose();
    expect(status).toBe('detected');
    expect((await gather('--json')).exitCode).toBe(0);
    const resumed = await captureCli(['detect', config, '--tomogram', 'denoised@10', '--resume', '--json']);
    const { runs } = JSON.parse(resumed.stdout.trim().split('\n').at(-1)!);
    expect(runs.map((run: { status: string }) => run.status)).toEqual(['skipped', 'skipped', 'skipped']);
  });

  it('gather takes the picks of the files, and says so, if candidates are damaged; it leaves a submission as it was if they are of another run', async () => {
    await gather('--submission', at('gathered.csv'));
    const before = await readFile(at('gathered.csv'), 'utf8');
    const candidates = (run: string) => at(`overlay/ExperimentRuns/${run}/Picks/.cryoet-picks_0.candidates`);
    await writeFile(candidates('TS_3_3'), 'no gzip');
    const damaged = await gather('--out', at('other.csv'), '--to', 'csv');
    expect(damaged.exitCode).toBe(0);
    expect(damaged.stdout).toMatch(/picks of the files of 1 run \("TS_3_3"\): its candidates are damaged: /);
    const none = await gather('--submission', at('gathered.csv'));
    expect(none.exitCode).toBe(1);
    expect(none.stderr).toMatch(/its candidates are damaged: .*, and its picks files have other thresholds: /);
    expect(await readFile(at('gathered.csv'), 'utf8')).toBe(before);
    await copyFile(candidates('TS_1_3'), candidates('TS_3_3'));
    const { exitCode, stderr } = await gather('--submission', at('gathered.csv'));
    expect(exitCode).toBe(1);
    expect(stderr).toContain('.cryoet-picks_0.candidates');
    expect(await readFile(at('gathered.csv'), 'utf8')).toBe(before);
    expect((await readdir(folder)).filter((name) => name.includes('gathered'))).toEqual(['gathered.csv']);
  });
});
