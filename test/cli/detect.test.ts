import { cp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { detectRuns } from '../../src/cli/detect.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import {
  contiguousVolume,
  parseSubmission,
  picksFromCandidates,
  sourceFromArray,
  writeTomogram,
} from '../../src/entry/index.ts';
import { directoryStore, openProject } from '../../src/entry/node.ts';
import { captureCli, finishedOf, TextSink } from '../support/capture-cli.ts';
import { identityModel } from '../support/identity-model.ts';
import { filesBelow, smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';
import { wholeBox } from '../support/volumes.ts';

let original: string;
let folder: string;
let config: string;
beforeAll(async () => {
  original = await tempDir();
  await smallProject(original);
});
beforeEach(async () => {
  folder = await tempDir();
  await cp(original, folder, { recursive: true });
  config = join(folder, 'copick.json');
});

const user = { userId: 'cryoet-picks', sessionId: '0' };
const tomogram = { type: 'denoised', voxelSpacing: 10 };

function fakeTerminal(signal: AbortSignal = new AbortController().signal) {
  const stdout = new TextSink();
  const stderr = new TextSink();
  return { stdout, stderr, terminal: openTerminal({ stdout, stderr, json: false, signal }) };
}

/** Takes the brightest voxels for ribosomes, and is quick. */
function quickModel() {
  const classes = ['ribosome', null];
  return identityModel({ tile: [24, 24, 24], classes, normalization: 'z-score', minDistances: { ribosome: 100 } });
}

describe('detect', () => {
  it.each([
    ['--submission', 'copick.json', '--figure', 'picks.png', 'the project file and --submission'],
    ['--submission', 'a.csv', '--figure', join('overlay', '..', 'copick.json'), 'the project file and --figure'],
    ['--submission', 'a.png', '--figure', join('.', 'a.png'), '--submission and --figure'],
  ])('detect never overwrites the project or another output: %s %s %s %s', async (a, submission, b, figure, which) => {
    const before = await filesBelow(folder);
    const given = await readFile(config, 'utf8');
    const { exitCode, stderr } = await captureCli([
      'detect',
      config,
      a,
      join(folder, submission),
      b,
      join(folder, figure),
    ]);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(`${which} are both `);
    expect(await filesBelow(folder)).toEqual(before);
    expect(await readFile(config, 'utf8')).toBe(given);
  });

  it.each(['picks.jpg', 'picks'])(
    'detect throws for the figure %s before any work, and names the valid endings',
    async (name) => {
      const before = await filesBelow(folder);
      const figure = join(folder, name);
      const { exitCode, stderr } = await captureCli(['detect', config, '--figure', figure]);
      expect(exitCode).not.toBe(0);
      expect(stderr).toContain(`cannot draw a figure as ${figure}: its name must end in .png or .svg`);
      expect(await filesBelow(folder)).toEqual(before);
    },
  );

  it('detect writes picks, submission and figure with the network of the package', async () => {
    const [submission, figure] = [join(folder, 'out', 'submission.csv'), join(folder, 'out', 'picks.png')];
    const flags = ['--run', 'TS_1_3', '--threads', '1', '--submission', submission, '--figure', figure, '--json'];
    const captured = await captureCli(['detect', config, ...flags]);
    expect(captured).toMatchObject({ exitCode: 0, stderr: '' });
    const document = finishedOf(captured);
    expect(document).toMatchObject({ ...user, submission, figure, runs: [{ run: 'TS_1_3', status: 'detected' }] });
    expect(document.picks).toContain('overlay');
    expect(document.thresholds).toEqual({ picks: 'balanced', submission: 'competition' });
    const rows = parseSubmission(await readFile(submission, 'utf8')).flatMap(({ picks }) => picks);
    const run = await (await openProject(config)).run('TS_1_3');
    const { candidates } = await run.readCandidates(user);
    expect(rows).toHaveLength(picksFromCandidates(candidates, { thresholds: 'competition' }).length);
    const counts = Object.values<number>(document.runs[0].picks);
    expect(picksFromCandidates(candidates)).toHaveLength(counts.reduce((sum, count) => sum + count, 0));
    expect(decode(await readFile(figure)).width).toBeGreaterThan(1000);
    const written = (await filesBelow(folder)).filter((path) => path.includes('/cryoet-picks_0_'));
    expect(written).toHaveLength(6);
  });

  it('detect reports a failed run on stderr, continues with the others, and ends with 1', async () => {
    await rm(join(folder, 'static', 'ExperimentRuns', 'TS_1_3', 'VoxelSpacing10.000'), { recursive: true });
    const { stdout, stderr, terminal } = fakeTerminal();
    const project = await openProject(config);
    const options = { ...user, project, tomogram, model: quickModel() };
    const { summaries, found } = await detectRuns(terminal, options);
    expect(stderr.text).toMatch(/^cryoet-picks: run "TS_1_3" failed: tomogram "denoised" not found[^\n]*\n$/);
    expect(stdout.text).toMatch(/^TS_2_3 {2}\d+ picks?, \d+\.\d s\n$/);
    expect(summaries.map(({ status }) => status)).toEqual(['failed', 'detected']);
    expect(found.map(({ run }) => run)).toEqual(['TS_2_3']);
    const whole = await captureCli(['detect', config, '--run', 'TS_1_3', '--json']);
    expect(whole.exitCode).toBe(1);
    expect(finishedOf(whole).runs[0].error.code).toBe('not-found');
  });

  it('detect --fail-fast stops after the first run that fails, and --retries tries it again before', async () => {
    await rm(join(folder, 'static', 'ExperimentRuns', 'TS_1_3', 'VoxelSpacing10.000'), { recursive: true });
    const detected = async (options: { readonly failFast?: true; readonly retries?: number }) => {
      const { stderr, terminal } = fakeTerminal();
      const project = await openProject(config);
      const { summaries } = await detectRuns(terminal, { ...user, project, tomogram, model: quickModel(), ...options });
      return { lines: stderr.text.trim().split('\n'), runs: summaries.map(({ run, attempt }) => ({ run, attempt })) };
    };
    expect(await detected({ failFast: true })).toEqual({
      lines: [expect.stringMatching(/run "TS_1_3" failed: tomogram "denoised" not found/)],
      runs: [{ run: 'TS_1_3', attempt: 1 }],
    });
    expect(await detected({ failFast: true, retries: 1 })).toEqual({
      lines: [
        expect.stringMatching(/run "TS_1_3": the search failed, and is tried once more: tomogram "denoised"/),
        expect.stringMatching(/run "TS_1_3" failed: tomogram "denoised" not found/),
      ],
      runs: [
        { run: 'TS_2_3', attempt: undefined },
        { run: 'TS_1_3', attempt: 3 },
      ],
    });
  });

  it('detect --resume skips finished runs and counts their picks', async () => {
    const project = await openProject(config);
    const first = await detectRuns(fakeTerminal().terminal, { ...user, project, tomogram, model: quickModel() });
    const model = quickModel();
    const { stdout, terminal } = fakeTerminal();
    const again = await detectRuns(terminal, { ...user, project, tomogram, model, resume: true });
    expect(model.calls).toBe(0);
    expect(again.summaries.map(({ status }) => status)).toEqual(['skipped', 'skipped']);
    expect(again.summaries.map(({ picks }) => picks)).toEqual(first.summaries.map(({ picks }) => picks));
    expect(stdout.text).toMatch(/^TS_1_3 {2}\d+ picks?, skipped\nTS_2_3 /);
  });

  it('detect --resume fails a run whose picks were changed, and --overwrite finds them anew', async () => {
    const args = ['detect', config, '--run', 'TS_1_3', '--threads', '1', '--resume', '--json'];
    const first = finishedOf(await captureCli(args));
    expect(first).toMatchObject({ problems: [], picks: join(await realpath(folder), 'overlay') });
    const broken = join(folder, 'overlay/ExperimentRuns/TS_1_3/Picks/cryoet-picks_0_apo-ferritin.json');
    await writeFile(broken, '');
    const refused = await captureCli(args);
    expect(refused.exitCode).toBe(1);
    expect(finishedOf(refused).runs).toMatchObject([{ status: 'failed', error: { code: 'conflict' } }]);
    expect(refused.stderr).toMatch(
      /^cryoet-picks: run "TS_1_3" failed: [^\n]*apo-ferritin\.json[^\n]*--overwrite\)\n$/,
    );
    expect(await readFile(broken, 'utf8')).toBe('');
    const captured = await captureCli([...args, '--overwrite']);
    const { exitCode } = captured;
    const document = finishedOf(captured);
    expect({ exitCode, status: document.runs[0].status }).toEqual({ exitCode: 0, status: 'detected' });
    expect(document.runs[0].picks).toEqual(first.runs[0].picks);
  });

  it('detect names the particles that the model does not know, and classes without a particle', async () => {
    const text = await readFile(config, 'utf8');
    await writeFile(config, text.replaceAll('"ribosome"', '"RB"').replaceAll('"thyroglobulin"', '"THG"'));
    const { exitCode, stderr } = await captureCli(['detect', config, '--run', 'TS_1_3', '--threads', '1']);
    expect(stderr).toMatch(
      /^cryoet-picks: model "[^"]+" has no class for "RB", "THG", so these are not detected; its classes "ribosome", "thyroglobulin" are not particles of the project\n$/,
    );
    expect(exitCode).toBe(0);
  });

  it('detect warns once per run about missing chunks of a tomogram, and continues', async () => {
    const image = join(folder, 'static/ExperimentRuns/TS_1_3/VoxelSpacing10.000/denoised.zarr');
    const whole = await (await (await openProject(config)).run('TS_1_3')).tomogram('denoised');
    const data = contiguousVolume((await whole.read(wholeBox([24, 40, 40]))).data, [24, 40, 40]);
    await rm(image, { recursive: true });
    const source = sourceFromArray(data, { voxelSize: whole.grid.voxelSize });
    await writeTomogram(directoryStore(image), source, { levels: 1, chunkShape: [12, 20, 20] });
    await rm(join(image, '0/0/1/1'));
    await rm(join(image, '0/1/0/1'));
    const message =
      '2 of the 8 chunks (25 %) are not in the store, and their voxels are the fill value, 0; they lie within the voxels ' +
      'z 0 to 23, y 0 to 39, x 20 to 39: was the image copied whole?';
    const captured = await captureCli(['detect', config, '--threads', '1', '--json']);
    expect(captured.stderr).toBe(`cryoet-picks: run "TS_1_3": ${message}\n`);
    const { problems, runs, warnings } = finishedOf(captured);
    const path = expect.stringMatching(/TS_1_3.*denoised\.zarr$/);
    expect(problems).toEqual([{ path, message }]);
    expect(warnings).toEqual([{ code: 'chunks-missing', message, path, run: 'TS_1_3', share: 0.25 }]);
    expect(runs.map(({ status }: { status: string }) => status)).toEqual(['detected', 'detected']);
    expect(captured.exitCode).toBe(0);
    const again = await captureCli(['detect', config, '--threads', '1', '--resume']);
    expect(again.stderr).toBe('');
    for (const chunk of ['0/0/0', '0/1/0', '1/0/0']) await rm(join(image, '0', chunk));
    const refused = await captureCli(['detect', config, '--threads', '1', '--json']);
    expect(refused.exitCode).toBe(1);
    const failed = finishedOf(refused).runs.filter(({ status }: { status: string }) => status === 'failed');
    expect(failed).toEqual([
      expect.objectContaining({ run: 'TS_1_3', error: expect.objectContaining({ code: 'corrupt-data' }) }),
    ]);
    expect(failed[0].error.message).toContain('5 of the 8 chunks (63 %)');
    const allowed = await captureCli(['detect', config, '--threads', '1', '--allow-missing-chunks']);
    expect(allowed.exitCode).toBe(0);
    expect(allowed.stderr).toContain('5 of the 8 chunks (63 %) are not in the store');
  });

  it('detect leaves no new file when it is aborted while the network works', async () => {
    const before = await filesBelow(folder);
    const controller = new AbortController();
    const model = quickModel();
    const aborting = {
      ...model,
      score: async (...args: Parameters<typeof model.score>) => {
        controller.abort(new Error('Ctrl-C'));
        return model.score(...args);
      },
    };
    const { stderr, terminal } = fakeTerminal(controller.signal);
    const project = await openProject(config);
    await expect(detectRuns(terminal, { ...user, project, tomogram, model: aborting })).rejects.toThrow('Ctrl-C');
    expect(stderr.text).toBe('');
    expect(await filesBelow(folder)).toEqual(before);
  });

  it.each([
    ['an absent run', ['--run', 'TS_9'], 1, 'run "TS_9" not found in project'],
    ['an absent model', ['--model', '/none.onnx'], 1, 'model not found: /none.onnx\n'],
    ['a user without a name', ['--user-id', '//'], 1, 'name "//" has no character that'],
    [
      'a threshold for an unknown object',
      ['--threshold', 'rib=1'],
      2,
      '--threshold names "rib", but the project has no such object',
    ],
    ['a threshold above 1', ['--threshold', 'ribosome=1.5'], 2, '--threshold ribosome=1.5: the scores of model'],
  ])('detect fails before any work, in one line: %s', async (_, flags, code, message) => {
    const { exitCode, stderr } = await captureCli(['detect', config, ...flags]);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^cryoet-picks: [^\n]+\n$/);
    expect(exitCode).toBe(code);
  });

  it('detect continues after a run whose picks cannot be written', async () => {
    const picks = join(folder, 'overlay', 'ExperimentRuns', 'TS_1_3', 'Picks');
    await rm(picks, { recursive: true });
    await writeFile(picks, 'a file where a folder should be');
    const project = await openProject(config);
    const { terminal, stderr } = fakeTerminal();
    const { summaries } = await detectRuns(terminal, { ...user, project, tomogram, model: quickModel() });
    expect(summaries).toMatchObject([
      { run: 'TS_1_3', status: 'failed', error: { code: 'write-failed', message: expect.stringContaining(picks) } },
      { run: 'TS_2_3', status: 'detected' },
    ]);
    expect(stderr.text).toContain('run "TS_1_3" failed');
  });
});

describe('a project file', () => {
  it.each([
    ['that is missing', undefined, 'config "CONFIG" not found'],
    ['that is not JSON', '{\n  "name": oops\n}', 'config "CONFIG" is not JSON: line 2'],
    ['of an unknown kind', '{"config_type": "s3"}', 'unknown config_type "s3"'],
    ['without objects', '{"overlay_root": "overlay"}', 'pickable_objects is missing'],
  ])('every command that takes a project ends with 1 and one line for a project file %s', async (_, text, message) => {
    if (text === undefined) await rm(config);
    else await writeFile(config, text);
    for (const args of [['info'], ['detect'], ['score', '--submission', 'x.csv', '--truth']]) {
      const { exitCode, stdout, stderr } = await captureCli([...args, config]);
      expect(stderr).toContain(message.replace('CONFIG', config));
      expect(stderr).toMatch(/^cryoet-picks: [^\n]+\n$/);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    }
  });
});

describe('info', () => {
  it('info lists runs, tomograms, picks and problems, and ends with 0', async () => {
    await writeFile(join(folder, 'overlay', 'ExperimentRuns', 'TS_1_3', 'Picks', 'ribosome.json'), '{"points": [');
    await rm(join(folder, 'static/ExperimentRuns/TS_2_3/VoxelSpacing10.000/denoised.zarr/.zattrs'));
    await rm(join(folder, 'static/ExperimentRuns/TS_2_3/VoxelSpacing10.000/denoised.zarr/0/.zarray'));
    const { exitCode, stdout } = await captureCli(['info', config]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/denoised@10\.000 +24×40×40 +10\.012 +float32 +\d +1 +TS_1_3\n/);
    expect(stdout).toMatch(/denoised@10\.000 +cannot be opened .* TS_2_3\n/);
    expect(stdout).toMatch(/curation +0 +apo-ferritin +2 +\d+\n/);
    expect(stdout).toMatch(/\d problems:\n/);
    expect(stdout).toContain('ribosome.json');
    const { runs, problems } = JSON.parse((await captureCli(['info', config, '--json'])).stdout);
    expect(runs[0]).toMatchObject({
      name: 'TS_1_3',
      tomograms: [{ type: 'denoised', voxelSpacing: 10, levels: [{ shape: [24, 40, 40] }, {}, {}] }],
    });
    expect(runs[1].tomograms[0].levels).toEqual([]);
    expect(problems.map(({ path }: { path: string }) => path.split('/').at(-1)).sort()).toEqual([
      'denoised.zarr',
      'ribosome.json',
    ]);
  });

  it('info tells a run without any tomogram among runs that have some', async () => {
    await rm(join(folder, 'static/ExperimentRuns/TS_2_3/VoxelSpacing10.000'), { recursive: true });
    const { stdout } = await captureCli(['info', config]);
    expect(stdout).toContain('run "TS_2_3": it has no tomogram, which detect needs\n');
    await rm(join(folder, 'static/ExperimentRuns/TS_1_3/VoxelSpacing10.000'), { recursive: true });
    expect((await captureCli(['info', config])).stdout).not.toContain('no tomogram');
  });
});

describe('score of projects', () => {
  it('score takes the truth from user curation, and finds all of it in itself', async () => {
    const args = ['score', '--truth', config, '--submission', config, '--user-id', 'curation', '--json'];
    const { stdout } = await captureCli(args);
    const { objects, matching } = JSON.parse(stdout);
    expect(matching).toBe('official');
    expect(Object.keys(objects).length).toBeGreaterThan(2);
    for (const object of Object.values(objects)) expect(object).toMatchObject({ fp: 0, fn: 0, fbeta: 1 });
  });

  it('score warns if the truth is picks of this program, and if no run is in common', async () => {
    const run = await (await openProject(config)).run('TS_1_3');
    const picks = [{ object: 'ribosome', position: { x: 50, y: 60, z: 70 }, score: 1 }];
    await run.writePicks(picks, { ...user, objects: ['ribosome'] });
    const args = ['score', '--truth', config, '--truth-user-id', 'cryoet-picks', '--submission'];
    const own = await captureCli([...args, config]);
    expect(own.stderr).toMatch(/^cryoet-picks: the truth is this program's own picks, [^\n]+\n$/);
    expect(own.exitCode).toBe(0);
    const table = join(folder, 'other.csv');
    await writeFile(table, 'id,experiment,particle_type,x,y,z\n0,TS_9,ribosome,1,1,1\n');
    const apart = await captureCli(['score', '--truth', config, '--submission', table]);
    expect(apart.stderr).toMatch(/^cryoet-picks: truth and submission have no run in common, [^\n]+\n$/);
    expect(apart.exitCode).toBe(1);
  });

  it('score and convert find picks by the user as given and as written', async () => {
    const project = await openProject(config);
    const [run] = await project.runs();
    const position = { x: 1, y: 2, z: 3 };
    const { name } = project.objects.find(({ isParticle }) => isParticle)!;
    await run!.writePicks([{ object: name, position, score: 1 }], { userId: 'ts_user', sessionId: '0' });
    const out = join(folder, 'ts.csv');
    for (const user of ['ts_user', 'ts-user']) {
      const scored = await captureCli(['score', '--truth', config, '--submission', config, '--user-id', user]);
      expect(scored.stdout).toContain('picks of user ts-user');
      const converted = await captureCli(['convert', config, out, '--to', 'csv', '--user-id', user]);
      expect(converted).toMatchObject({ exitCode: 0 });
      const found = await captureCli(['convert', config, out, '--to', 'csv', '--uri', `*:${user}/*`]);
      expect(found).toMatchObject({ exitCode: 0 });
    }
    for (const set of await run!.pickSets({ userId: 'ts_user' })) await set.delete();
  });

  it('score lists the available users if none matches', async () => {
    const args = ['score', '--truth', config, '--submission', config, '--user-id', 'bob'];
    const { exitCode, stderr } = await captureCli(args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/no picks found; give --user-id and --session-id to choose; available: curation\/0\n$/);
  });
});
