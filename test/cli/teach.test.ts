import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openModelOutput } from '../../src/cli/model-files.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import {
  formatModelSpec,
  type ModelSpec,
  matchPicks,
  type ParticlePick,
  parseModelSpec,
  resampled,
  writeTomogram,
} from '../../src/entry/index.ts';
import { directoryStore, openProject } from '../../src/entry/node.ts';
import { captureCli, eventsOf, finishedOf, TextSink } from '../support/capture-cli.ts';
import { tempDir } from '../support/temp-dir.ts';
import { sourceOf } from '../support/volumes.ts';
import { type Blobs, blobs, card, radius } from '../teach/blobs.ts';

const folder = await tempDir();
const [config, model, plain] = ['copick.json', 'six.onnx', 'plain.onnx'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const [first, second, third] = [blobs(1), blobs(2), blobs(3)];
const named = (object: string, picks: readonly ParticlePick[]) => picks.map((pick) => ({ ...pick, object }));
const three = third.particles.slice(0, 3);

/** A project of two runs that `me` has picked, one with picks that teach nothing and one of other voxels; two networks. */
beforeAll(async () => {
  const objects = ['blob', 'dark', 'known'].map((name, i) => ({ name, is_particle: true, label: i + 1, radius }));
  const unsized = { name: 'unsized', is_particle: true, label: 4 };
  const json = { overlay_root: join(folder, 'overlay'), pickable_objects: [...objects, unsized] };
  await writeFile(config, JSON.stringify(json));
  const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/onnx/${name}.onnx`, import.meta.url));
  await copyFile(fixture('features'), model);
  await writeFile(join(folder, 'six.json'), formatModelSpec(card));
  await copyFile(fixture('two-classes-stride-two'), plain);
  const { classes, ...rest } = card;
  await writeFile(join(folder, 'plain.json'), formatModelSpec({ ...rest, classes: ['known', 'other'] }));
  await addRun('TS_1', first, {
    me: [...first.particles.slice(0, 6), ...named('dark', first.dark.slice(0, 4))],
    'me-rejected': first.dim.slice(0, 5),
  });
  await addRun('TS_2', second, { me: second.particles.slice(0, 4) });
  await addRun('TS_3', third, {
    'me-rejected': third.dim.slice(0, 2),
    few: three.slice(0, 2),
    same: three.map(() => three[0]!),
    outside: three.map((pick) => ({ ...pick, position: { x: 9000, y: 100, z: 100 } })),
    trained: named('known', three),
    unsized: named('unsized', three),
  });
  const tomogram = sourceOf(new Float32Array(16 ** 3), [16, 16, 16], { voxelSize: [7, 7, 7] });
  const places = [30, 60, 90].map((x): ParticlePick => ({ object: 'blob', position: { x, y: x, z: 50 }, score: 1 }));
  await addRun('TS_4', { tomogram }, { finer: places });
});

async function addRun(
  name: string,
  { tomogram }: Pick<Blobs, 'tomogram'>,
  sets: Readonly<Record<string, readonly ParticlePick[]>>,
): Promise<void> {
  const image = join(folder, `overlay/ExperimentRuns/${name}/VoxelSpacing10.000/denoised.zarr`);
  await writeTomogram(directoryStore(image), tomogram, { levels: 1 });
  const run = await (await openProject(config)).run(name);
  for (const [userId, picks] of Object.entries(sets)) await run.writePicks(picks, { userId, sessionId: '1' });
}

let written: string;
let out: string;
beforeEach(async () => {
  written = await tempDir();
  out = join(written, 'mine.onnx');
});

const base = () => ['teach', config, '--model', model, '--threads', '1', '--out', out];
const teach = (...args: readonly string[]) => captureCli([...base(), '--object', 'blob', ...args]);
const byMe = ['--picks', 'me/1', '--rejects', 'me-rejected/1'];

/** F1 of the picks of blobs in a run of the session `mine`. */
async function f1(name: string, { particles }: Blobs): Promise<number> {
  const run = await (await openProject(config)).run(name);
  const picks = await run.picks({ object: 'blob', sessionId: 'mine' });
  const { tp } = matchPicks(
    particles.map(({ position }) => position),
    picks.map(({ position, score }) => ({ ...position, score })),
    { radius: 40, matching: 'greedy' },
  );
  return (2 * tp) / (picks.length + particles.length);
}

describe('cryoet-picks teach', { timeout: 60_000 }, () => {
  it('teach writes a network and its card, and prints the command by which they find the particles', async () => {
    const taught = await teach(...byMe, '--json');
    expect(taught.exitCode).toBe(0);
    expect(eventsOf(taught).map(({ event, run }) => [event, run])).toEqual([
      ['started', 'TS_1'],
      ['done', 'TS_1'],
      ['started', 'TS_2'],
      ['done', 'TS_2'],
      ['finished', undefined],
    ]);
    const { objects, runs, next, warnings, ...files } = finishedOf(taught);
    expect(runs).toEqual(['TS_1', 'TS_2']);
    expect(objects).toHaveLength(1);
    expect(objects[0]).toMatchObject({ object: 'blob', picks: 10, rejects: 5, rejectsDropped: false });
    expect(objects[0].curve.map(({ picks }: { readonly picks: number }) => picks)).toEqual([3, 5, 10]);
    expect(files).toMatchObject({ out, card: join(written, 'mine.json') });
    expect(warnings.map(({ code }: { readonly code: string }) => code)).toEqual(['rejects-left-out']);
    expect(taught.stderr).toBe(
      'cryoet-picks: the rejects of 1 run without picks are left out: "TS_3"; rejects teach in the runs that are picked\n',
    );
    const spec = parseModelSpec(await readFile(files.card, 'utf8'));
    expect(spec.classes).toEqual(['known', 'other', null, 'blob']);
    expect(spec.taught).toMatchObject({ objects: ['blob'], network: 'six features' });

    const detected = await captureCli([...next.split(' ').slice(2), '--run', 'TS_3']);
    expect(detected).toMatchObject({ exitCode: 0 });
    expect(await f1('TS_3', third)).toBeGreaterThan(0.85);
  });

  it('detect warns of a tomogram whose voxels are of another size than those of the lesson', async () => {
    await teach('--picks', 'me/1');
    await addRun('TS_5', { tomogram: resampled(third.tomogram, 10.3) }, {});
    const words = ['detect', config, '--model', out, '--object', 'blob', '--session-id', 'coarser', '--json'];
    const told = async (run: string) => finishedOf(await captureCli([...words, '--run', run])).warnings;
    expect(await told('TS_5')).toContainEqual(expect.objectContaining({ code: 'voxel-size-not-taught', run: 'TS_5' }));
    expect(JSON.stringify(await told('TS_2'))).not.toContain('voxel-size-not-taught');
  });

  it('teach says what was learned, what to look at next, and what to type next', async () => {
    const { exitCode, stdout } = await teach(...byMe);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^blob: 10 picks and 5 rejects, in 2 runs$/m);
    expect(stdout).toMatch(/^blob +10 +5 +about \d+ +0\.5 +\S+$/m);
    expect(stdout).toMatch(/^blob +3 +0\.\d\d$/m);
    expect(stdout).toMatch(/^look at next +object +x Å +y Å +z Å +score$/m);
    expect(stdout).toMatch(/^TS_[12] +blob +\d+ +\d+ +\d+ +0\.\d+$/m);
    expect(stdout).toMatch(
      /^next +npx cryoet-picks detect \S+copick\.json --model \S+mine\.onnx --session-id mine --object blob$/m,
    );
  });

  it('teach --objects-only teaches several objects at once, and leaves out those of the network', async () => {
    const args = [...base(), '--object', 'blob', 'dark', '--picks', 'me/1', '--objects-only', '--radius', '50'];
    const { exitCode, stderr } = await captureCli(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const { classes, minDistances } = parseModelSpec(await readFile(join(written, 'mine.json'), 'utf8'));
    expect({ classes, minDistances }).toEqual({ classes: ['blob', 'dark'], minDistances: { blob: 50, dark: 50 } });
  });

  it('teach --dry-run tells time and memory, and writes nothing', async () => {
    const { runs, total } = finishedOf(await teach(...byMe, '--dry-run', '--json'));
    expect(
      runs.map(({ run, features }: { readonly run: string; readonly features: number }) => [run, features]),
    ).toEqual(['TS_1', 'TS_2'].map((run) => [run, 2 * 6 * 32 ** 3]));
    expect(runs[0].memory).toBeGreaterThan(runs[0].features);
    expect(total.memory).toBeGreaterThan(runs[0].memory);
    expect(total.seconds).toBeGreaterThan(0);
    const { stdout } = await teach(...byMe, '--dry-run');
    expect(stdout).toMatch(/^features of all runs take 1 MB of memory, \d+ MB with the rest$/m);
    expect(await readdir(written)).toEqual([]);
  });

  it('teach replaces a network only with --overwrite', async () => {
    await writeFile(join(written, 'mine.json'), '{}');
    const refused = await teach('--picks', 'me/1');
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: `cryoet-picks: cannot write ${written}/mine.json: a file is there already; give another name, or --overwrite to replace it\n`,
    });
    expect(await readdir(written)).toEqual(['mine.json']);
    expect(await teach('--picks', 'me/1', '--overwrite')).toMatchObject({ exitCode: 0 });
    expect(await readdir(written)).toEqual(['mine.json', 'mine.onnx']);
  });

  it('teach leaves nothing behind when it is interrupted', async () => {
    const controller = new AbortController();
    const running = captureCli([...base(), '--object', 'blob', ...byMe], { signal: controller.signal });
    setTimeout(() => controller.abort(), 500);
    expect((await running).exitCode).toBe(130);
    expect(await readdir(written)).toEqual([]);
  });

  it.each<[string, readonly string[], number, RegExp]>([
    [
      'a user who has no picks',
      ['--picks', 'you/1'],
      2,
      /no picks of "blob" by this user.*some of .*"few\/1", "finer\/1", "me-/,
    ],
    ['a user without a session', ['--picks', 'me'], 2, /Expected a user and a session, such as me\/1/],
    ['rejects that there are not', ['--picks', 'me/1', '--rejects', 'me/2'], 2, /--rejects me\/2: there are no picks/],
    ['two picks', ['--picks', 'few/1'], 1, /2 picks of "blob" are too few to learn from; pick at least 3/],
    ['picks at one place', ['--picks', 'same/1'], 1, /all 3 picks of "blob" lie at one place/],
    ['picks outside', ['--picks', 'outside/1'], 1, /pick 0 of run "TS_3" lies outside of the tomogram: x is 9000 Å/],
    [
      'rejects that are the picks',
      ['--picks', 'me/1', '--rejects', 'me/1'],
      1,
      /rejects of "blob" lie where a pick is/,
    ],
    ['an object that there is not', ['--object', 'moon', '--picks', 'me/1'], 2, /--object names "moon"/],
    ['an object without picks', ['--object', 'dark', '--picks', 'few/1'], 2, /no picks of "dark".*some of "me\/1"$/m],
    [
      'an object without a radius',
      ['--object', 'unsized', '--picks', 'unsized/1'],
      2,
      /no radius of "unsized"; give it by/,
    ],
    [
      'an object that is known',
      ['--object', 'known', '--picks', 'trained/1'],
      2,
      /finds already; .* add --objects-only/,
    ],
    ['a network without features', ['--model', plain, '--picks', 'me/1'], 1, /this network gives no features/],
    [
      'voxels of another size',
      ['--picks', 'finer/1'],
      1,
      /made for voxels of 10 Å, the tomogram has 7×7×7 Å.*add --resample/,
    ],
    [
      'a name that is none of a network',
      ['--picks', 'me/1', '--out', 'mine.bin'],
      2,
      /expected a name that ends in \.onnx/,
    ],
    ['the network itself as output', ['--picks', 'me/1', '--out', model], 1, /--model and --out are both/],
  ])('teach refuses %s before it computes anything, and says what would work', async (_, args, exitCode, message) => {
    const given = args.includes('--object') ? args : ['--object', 'blob', ...args];
    const refused = await captureCli([...base(), ...given]);
    expect(refused).toMatchObject({ exitCode, stderr: expect.stringMatching(message) });
    expect(refused.stdout).not.toContain('features,');
    expect(await readdir(written)).toEqual([]);
  });
});

describe('the files of a model', () => {
  const terminal = openTerminal({
    stdout: new TextSink(),
    stderr: new TextSink(),
    json: false,
    signal: new AbortController().signal,
  });
  const spoilt: ModelSpec = {
    ...card,
    get name(): string {
      throw new Error('no name');
    },
  };

  it('are both written, or neither', async () => {
    const output = await openModelOutput(terminal, out, {});
    await expect(output.write(Uint8Array.of(1, 2), spoilt)).rejects.toThrow('no name');
    expect(await readdir(written)).toEqual([]);
    await output.write(Uint8Array.of(1, 2), card);
    expect(await readdir(written)).toEqual(['mine.json', 'mine.onnx']);
  });

  it('stay as they were if one of them cannot be replaced', async () => {
    await (await openModelOutput(terminal, out, {})).write(Uint8Array.of(1, 2), card);
    const output = await openModelOutput(terminal, out, { overwrite: true });
    await expect(output.write(Uint8Array.of(3), spoilt)).rejects.toThrow('no name');
    expect([...(await readFile(out))]).toEqual([1, 2]);
    expect(await readFile(join(written, 'mine.json'), 'utf8')).toBe(formatModelSpec(card));
  });
});
