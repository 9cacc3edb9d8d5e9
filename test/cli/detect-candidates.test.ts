import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { shortThreshold } from '../../src/cli/max-false.ts';
import { type ChosenThreshold, type ParticlePick, parseSubmission, sourceFromArray } from '../../src/entry/index.ts';
import { encodeMrc } from '../../src/entry/io.ts';
import { openProject } from '../../src/entry/node.ts';
import { captureCli, eventsOf, finishedOf } from '../support/capture-cli.ts';
import { filesBelow, smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

let original: string;
let folder: string;
let config: string;
beforeAll(async () => {
  original = await tempDir();
  await smallProject(original);
  const { exitCode, stderr } = await captureCli(['detect', join(original, 'copick.json'), '--tomogram', 'denoised']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
}, 120_000);
beforeEach(async () => {
  folder = await tempDir();
  await cp(original, folder, { recursive: true });
  config = join(folder, 'copick.json');
});

/** The picks and the submission that a detection writes, and what it says. */
async function detect(...args: readonly string[]) {
  const csv = join(folder, `${args.length}.csv`);
  const command = ['detect', config, ...args, '--submission', csv, '--overwrite'];
  const { exitCode, stdout, stderr } = await captureCli(command);
  if (exitCode !== 0) return { exitCode, stdout, stderr, picks: [], submission: [] };
  const picks: ParticlePick[] = [];
  const asked = args.includes('--run') ? [args[args.indexOf('--run') + 1]!] : undefined;
  for (const run of await (await openProject(config)).runs()) {
    if (asked && !asked.includes(run.name)) continue;
    picks.push(...(await run.picks({ userId: 'cryoet-picks', sessionId: '0' })));
  }
  const submission = parseSubmission(await readFile(csv, 'utf8')).flatMap((one) => one.picks);
  return { exitCode, stdout, stderr, picks, submission };
}

const search = (...args: readonly string[]) => detect('--tomogram', 'denoised', ...args);
const pick = (...args: readonly string[]) => detect('--from-candidates', ...args);
const names = ['apo-ferritin', 'beta-galactosidase', 'ribosome', 'thyroglobulin', 'virus-like-particle'];
const low = names.flatMap((name) => ['--threshold', `${name}=0.005`]);

describe('detect --from-candidates', () => {
  it.each([
    ['other thresholds', low],
    ['a maximum share of false picks', ['--max-false', '0.2', '--threshold', 'ribosome=0.9']],
    ['a maximum number and one label per place', [...low, '--max', '2', '--across-distance', '90']],
    [
      'one object away from the faces',
      ['--threshold', 'beta-galactosidase=0.005', '--object', 'beta-galactosidase', '--face-margin', '25'],
    ],
  ])('detect --from-candidates writes the same files as a new search: %s', async (_, args) => {
    const found = await search(...args);
    const files = await filesBelow(join(folder, 'overlay'));
    const written = await Promise.all(files.map((file) => readFile(join(folder, 'overlay', file))));
    const picked = await pick(...args);
    expect(picked.stderr).toBe('');
    expect(picked.picks).toEqual(found.picks);
    expect(picked.submission).toEqual(found.submission);
    expect(found.picks.length).toBeGreaterThan(0);
    expect(await filesBelow(join(folder, 'overlay'))).toEqual(files);
    expect(await Promise.all(files.map((file) => readFile(join(folder, 'overlay', file))))).toEqual(written);
    const again = await captureCli(['detect', config, '--from-candidates', ...args, '--resume', '--json']);
    const { runs } = finishedOf(again);
    expect(runs.map(({ status }: { status: string }) => status)).toEqual(runs.map(() => 'skipped'));
    const events = eventsOf(again).map(({ event, run }) => `${event} ${run}`);
    expect(events.slice(0, -1)).toEqual(runs.flatMap(({ run }: { run: string }) => [`started ${run}`, `done ${run}`]));
  });

  it('detect --max-false prints the threshold of each object, its picks and the estimate, as --json has them', async () => {
    const args = ['detect', config, '--from-candidates', '--max-false', '0.1', '--run', 'TS_1_3'];
    const { stdout } = await captureCli(args);
    const { runs } = finishedOf(await captureCli([...args, '--json']));
    const { picks, maxFalse } = runs[0];
    const run = await (await openProject(config)).run('TS_1_3');
    const { thresholds: usual } = (await run.readCandidates({ userId: 'cryoet-picks', sessionId: '0' })).candidates;
    expect(Object.keys(maxFalse).sort()).toEqual([...names, 'beta-amylase'].sort());
    expect(Object.keys(picks).sort()).toEqual([...names, 'beta-amylase'].sort());
    for (const [object, chosen] of Object.entries<ChosenThreshold>(maxFalse)) {
      expect(chosen.picks).toBe(picks[object]);
      const row = stdout.split('\n').find((line) => line.startsWith('TS_1_3 ') && line.includes(` ${object} `));
      const words =
        chosen.reason ?? (chosen.picks === 0 ? 'no pick is sure enough' : `about ${chosen.falsePicks!.toFixed(1)}`);
      expect(row).toMatch(
        new RegExp(` ${shortThreshold(chosen.threshold)} +${shortThreshold(chosen.usualThreshold)} `),
      );
      expect(chosen.usualThreshold).toBe(usual[object]);
      expect(row).toContain(words);
    }
    expect(Object.values<ChosenThreshold>(maxFalse).some(({ picks: count }) => count === 0)).toBe(true);
  });

  it.each([
    ['', []],
    ['in a mask, the best of each object', ['--face-margin', '40', '--max', '1']],
  ])(
    'detect --threshold gives the same picks with the thresholds that --max-false prints, and as many as it prints %s',
    async (_, how) => {
      const one = ['--run', 'TS_1_3', ...how];
      const { picks, stdout } = await pick('--max-false', '0.2', ...one);
      const rows = [...stdout.matchAll(/^TS_1_3 +(\S+) +(\S+) +\S+ +(\d+) {2}/gm)];
      expect(rows.length).toBe(6);
      expect(picks.length).toBeGreaterThan(0);
      for (const [, object, , count] of rows) {
        expect(picks.filter((found) => found.object === object).length).toBe(Number(count));
      }
      const typed = rows.flatMap(([, object, threshold]) => ['--threshold', `${object}=${threshold}`]);
      expect((await pick(...typed, ...one)).picks).toEqual(picks);
    },
  );

  it('detect --from-candidates warns of an object that was not looked for, by its name; a search refuses what its network does not find', async () => {
    const user = ['--run', 'TS_1_3', '--user-id', 'me'];
    await captureCli(['detect', config, '--tomogram', 'denoised', ...user, '--object', 'ribosome']);
    const both = ['--object', 'ribosome', 'virus-like-particle'];
    const { exitCode, stderr } = await captureCli(['detect', config, '--from-candidates', ...user, ...both]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(
      'run "TS_1_3": there are no candidates of "virus-like-particle", so it is not picked, only of "ribosome"; detect it first',
    );
    const project = JSON.parse(await readFile(config, 'utf8'));
    project.pickable_objects.push({
      name: 'nucleosome',
      is_particle: true,
      label: 9,
      color: [1, 2, 3, 255],
      radius: 60,
    });
    await writeFile(config, JSON.stringify(project));
    for (const how of [[], ['--dry-run']]) {
      const search = ['detect', config, '--object', 'ribosome', 'nucleosome', ...how];
      const refused = await captureCli([...search, '--tomogram', 'denoised', ...user]);
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toContain(
        '--object names "nucleosome", which model "default" does not find; it finds "apo-',
      );
    }
  });

  it('shortThreshold gives few digits, and no score between them and the threshold', () => {
    expect([0.5, 0.30000001192092896, 1, -2.5, 0].map(shortThreshold)).toEqual([0.5, 0.3, 1, -2.5, 0]);
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: Math.fround(-100), max: 100 }), (score) => {
        const short = shortThreshold(score);
        expect(short).toBeLessThanOrEqual(score);
        // Scores are float32: the next one below counts up or down by a bit.
        const bits = new Int32Array(Float32Array.of(score).buffer);
        bits[0]! += score > 0 ? -1 : 1;
        const [below] = new Float32Array(bits.buffer);
        if (score !== 0) expect(short).toBeGreaterThan(below!);
        const digits = String(short)
          .replace(/e.*|[-.]/g, '')
          .replace(/^0+/, '');
        if (Math.abs(score) > 1e-30) expect(digits.length).toBeLessThanOrEqual(9);
        const above = score + Math.max(Math.abs(score) * Number.EPSILON, Number.MIN_VALUE);
        expect(shortThreshold(above)).toBeGreaterThan(score);
      }),
    );
  });

  it('detect --from-candidates names threshold and floor where the threshold is too low, and keeps the picks', async () => {
    const before = await filesBelow(folder);
    const { exitCode, stderr } = await captureCli([
      'detect',
      config,
      '--from-candidates',
      '--threshold',
      'ribosome=0.0001',
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/the threshold of "ribosome" is 0.0001, but its candidates were looked for down to 0.0032/);
    expect(await filesBelow(folder)).toEqual(before);
  });

  it.each([
    [['--model', 'unet.onnx'], '--model applies to a search'],
    [['--resample'], '--resample applies to a search'],
    [['--dry-run'], '--dry-run applies to a search'],
    [['--no-candidates'], 'cryoet-picks: --no-candidates applies to a search'],
    [['--candidates', '5'], 'cryoet-picks: --candidates applies to a search'],
    [['--mask-margin', '10'], '--mask-margin is a distance from the border of --inside or --outside'],
    [['--object', 'typo'], '--object names "typo"'],
    [['--max-false', '20'], 'Expected a share from 0 to 1'],
  ])('detect --from-candidates %s is wrong usage', async (args, message) => {
    const { exitCode, stderr } = await captureCli(['detect', config, '--from-candidates', ...args]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });

  it('detect --from-candidates fails without candidates, and says who writes them', async () => {
    const { exitCode, stderr } = await captureCli(['detect', config, '--from-candidates', '--user-id', 'nobody']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/has no candidates of user "nobody".*detect writes them/);
  });
});

describe('detect with masks', () => {
  it('detect --inside and --outside keep picks by a segmentation of the run, at the margin from its border', async () => {
    const all = (await pick(...low, '--run', 'TS_1_3')).picks;
    const run = await (await openProject(config)).run('TS_1_3');
    const { grid } = await run.tomogram('denoised');
    const [depth, height, width] = grid.shape;
    const places = all.map(({ position }) => position.x);
    const middle = (Math.min(...places) + Math.max(...places)) / 2;
    // The part of low x, whose border lies between the picks.
    const end = Math.round((middle - grid.origin.x) / grid.voxelSize[2]);
    const half = new Uint8Array(depth * height * width).map((_, i) => (i % width < end ? 1 : 0));
    const labels = sourceFromArray({ data: half, shape: grid.shape }, grid);
    await run.writeSegmentation(labels, { name: 'half', kind: 'binary', userId: 'me', sessionId: '1' });
    const border = (end - 0.5) * grid.voxelSize[2] + grid.origin.x;
    const inside = (await pick(...low, '--run', 'TS_1_3', '--inside', 'half:me/1')).picks;
    const outside = (await pick(...low, '--run', 'TS_1_3', '--outside', 'half:me/1@10.012')).picks;
    expect(inside.every(({ position }) => position.x < border)).toBe(true);
    expect(outside.every(({ position }) => position.x > border)).toBe(true);
    expect(Math.min(inside.length, outside.length)).toBeGreaterThan(0);
    expect(inside.length + outside.length).toBeGreaterThanOrEqual(all.length);
    const deep = (await pick(...low, '--run', 'TS_1_3', '--inside', 'half:me/1', '--mask-margin', '60')).picks;
    expect(deep.every(({ position }) => position.x < border - 54)).toBe(true);
    const mrc = join(folder, 'half.mrc');
    await writeFile(mrc, await encodeMrc(labels));
    expect((await pick(...low, '--run', 'TS_1_3', '--inside', mrc)).picks).toEqual(inside);
    const absent = await captureCli([
      'detect',
      config,
      '--from-candidates',
      '--run',
      'TS_1_3',
      '--inside',
      'nothing:*/*',
    ]);
    expect(absent.exitCode).toBe(1);
    expect(absent.stderr).toMatch(
      /run "TS_1_3" has no segmentation of the URI "nothing:\*\/\*"; it has "half:me\/1@10\.012"/,
    );
  });

  it.each([
    ['', []],
    ['--claim', ['--claim']],
    ['--from-candidates', ['--from-candidates']],
  ])('detect --resume %s notices a segmentation that was drawn again under its name', async (_, how) => {
    const run = await (await openProject(config)).run('TS_1_3');
    const { grid } = await run.tomogram('denoised');
    const [depth, height, width] = grid.shape;
    const draw = (isInside: (x: number) => boolean) => {
      const data = new Uint8Array(depth * height * width).map((_, i) => Number(isInside(i % width)));
      const labels = sourceFromArray({ data, shape: grid.shape }, grid);
      const name = { name: 'half', kind: 'binary', userId: 'me', sessionId: '1' } as const;
      return run.writeSegmentation(labels, { ...name, overwrite: true });
    };
    const again = (...args: readonly string[]) =>
      captureCli(['detect', config, '--run', 'TS_1_3', '--inside', 'half:me/1', ...low, ...how, ...args]);
    await draw((x) => x < width / 2);
    const places = async () => (await run.picks({ userId: 'cryoet-picks' })).map(({ position }) => position.x).sort();
    expect((await again('--overwrite')).exitCode).toBe(0);
    const first = await places();
    expect((await again('--resume')).exitCode).toBe(0);
    await draw((x) => x >= width / 2);
    const refused = await again('--resume');
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/made otherwise: maskOfRun\.insideSha256 was "[0-9a-f]+", is "[0-9a-f]+"/);
    expect(await places()).toEqual(first);
    expect((await again('--resume', '--overwrite')).exitCode).toBe(0);
    expect(first.length).toBeGreaterThan(0);
    expect(await places()).not.toEqual(first);
  });

  it('detect --no-candidates keeps none, and --candidates 5 the best five of each object and those above the threshold', async () => {
    const user = ['--tomogram', 'denoised', '--run', 'TS_1_3', '--user-id', 'x'];
    await captureCli(['detect', config, ...user, '--session-id', '1', '--no-candidates']);
    await captureCli(['detect', config, ...user, '--session-id', '2', '--candidates', '5']);
    const files = (await filesBelow(folder)).filter((file) => file.endsWith('.candidates') && file.includes('.x_'));
    expect(files.map((file) => file.slice(file.lastIndexOf('.x_')))).toEqual(['.x_2.candidates']);
    const run = await (await openProject(config)).run('TS_1_3');
    const { candidates } = await run.readCandidates({ userId: 'x', sessionId: '2' });
    candidates.objects.forEach((name, index) => {
      const scores = [...candidates.scores]
        .filter((_, i) => candidates.objectIndices[i] === index)
        .sort((a, b) => b - a);
      const above = scores.filter((score) => score >= candidates.thresholds[name]!).length;
      expect(scores.length).toBeLessThanOrEqual(Math.max(5, above));
    });
  });
});
