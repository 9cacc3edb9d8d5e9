import { chmod, cp, mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ParticlePick, type Run, toFloat32 } from '../../src/entry/index.ts';
import { openProject } from '../../src/entry/node.ts';
import { copickFixture, type ExpectedPicks, expectedByCopick } from '../support/copick-fixture.ts';
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';
import { tempDir } from '../support/temp-dir.ts';
import { wholeBox } from '../support/volumes.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

/** A config in the test's folder. */
async function writeConfig(fields: object, name = 'copick.json'): Promise<string> {
  const path = join(folder, name);
  const objects = [{ name: 'ribosome', is_particle: true }];
  await writeFile(path, JSON.stringify({ pickable_objects: objects, overlay_root: 'overlay', ...fields }));
  return path;
}

const makeRun = (root: string, run: string) => mkdir(join(folder, root, 'ExperimentRuns', run), { recursive: true });

async function runNames(config: string): Promise<string[]> {
  const project = await openProject(config);
  return (await project.runs()).map(({ name }) => name);
}

describe('the project that the released copick wrote', () => {
  const open = () => openProject(join(copickFixture, 'copick.json'));
  const runs = Object.entries(expectedByCopick.runs);

  it('a project that copick wrote has the same runs', async () => {
    expect((await (await open()).runs()).map(({ name }) => name)).toEqual(runs.map(([name]) => name));
  });

  it.each(runs)('a project that copick wrote gives every number of the picks of %s', async (name, expected) => {
    const run = await (await open()).run(name);
    for (const one of expected.picks) {
      const { object, userId, sessionId, root } = one;
      const [set, ...others] = await run.pickSets({ object, userId, sessionId });
      expect(others).toEqual([]);
      expect(set).toMatchObject({ object, userId, sessionId, root, shadowed: false });
      const { picks, trustOrientation } = await set!.read();
      expect(trustOrientation).toBe(true);
      expect(asCopickSees(picks)).toEqual(numbersOf(one));
    }
  });

  it.each(runs)(
    'a project that copick wrote has the same tomograms in %s, voxel sums included',
    async (name, expected) => {
      const run = await (await open()).run(name);
      const found = await run.tomograms();
      const seen = await Promise.all(
        found.map(async (entry) => {
          const { grid, sum } = await sumOf(entry);
          return [entry.type, entry.voxelSpacing, grid.shape, sum];
        }),
      );
      expect(seen.sort()).toEqual(expected.tomograms.map(([type, at, shape, sum]) => [type, at, shape, near(sum)]));
    },
  );

  it('a tomogram has the true voxel size, not the label of its folder', async () => {
    const run = await (await open()).run('TS_5_4');
    const { grid } = await run.tomogram('denoised', { voxelSpacing: 10.012 });
    expect(grid.voxelSize).toEqual([10.012444196428572, 10.012444196428572, 10.012444196428572]);
  });

  it.each(runs)(
    'a project that copick wrote has the same segmentations in %s, voxel sums included',
    async (name, expected) => {
      const run = await (await open()).run(name);
      const seen = await Promise.all(
        (await run.segmentations()).map(async (entry) => {
          const { sum } = await sumOf(entry);
          return [entry.name, entry.userId, entry.sessionId, entry.voxelSpacing, entry.kind === 'multilabel', sum];
        }),
      );
      expect(seen.sort()).toEqual(expected.segmentations);
    },
  );

  it('a project reads the short name that copick cannot, and reports the broken file beside it', async () => {
    const project = await open();
    const run = await project.run('TS_6_4');
    const picks = await run.picks();
    expect(picks.filter(({ object }) => object === 'thyroglobulin')).toHaveLength(2);
    expect(await run.pickSets({ userId: 'curation' })).toMatchObject([{ object: 'thyroglobulin', sessionId: '0' }]);
    expect(project.problems).toEqual([
      expect.objectContaining({
        path: expect.stringMatching(/broken_1_ribosome\.json$/),
        message: expect.stringMatching(/point 1: location\.y/),
      }),
    ]);
  });

  it('a copy of the project that copick wrote is read back after we wrote into it, with the static tree untouched', async () => {
    await cp(copickFixture, folder, { recursive: true });
    const before = await readdir(join(folder, 'static'), { recursive: true });
    const run = await (await openProject(join(folder, 'copick.json'))).run('TS_5_4');
    const curation = { object: 'ribosome', userId: 'curation', sessionId: '0' };
    const picks = await run.picks(curation);
    await run.writePicks(picks.slice(1), { userId: 'curation', sessionId: '0' });
    expect(await run.picks(curation)).toEqual(picks.slice(1));
    expect(await readdir(join(folder, 'static'), { recursive: true })).toEqual(before);
    const sets = await run.pickSets({ ...curation, includeShadowed: true });
    expect(sets.map(({ root }) => root)).toEqual(['overlay', 'static']);
    expect((await sets[1]!.read()).picks).toEqual(picks);
  });
});

describe('roots', () => {
  it.each([
    ['bare', (path: string) => path],
    ['local://', (path: string) => `local://${path}`],
    ['file://', (path: string) => `file://${path}`],
    ['a slash at the end', (path: string) => `${path}/`],
  ])('roots are found by absolute path: %s', async (_, form) => {
    await makeRun('elsewhere', 'TS_1');
    expect(await runNames(await writeConfig({ overlay_root: form(join(folder, 'elsewhere')) }))).toEqual(['TS_1']);
  });

  it('roots are searched for beside the config first', async () => {
    await makeRun('overlay', 'beside');
    expect(await runNames(await writeConfig({}))).toEqual(['beside']);
    expect(await runNames(await writeConfig({ overlay_root: 'local://overlay' }))).toEqual(['beside']);
  });

  it('roots are then searched for in the working directory, as in copick', async () => {
    await makeRun('work/over', 'there');
    const config = await writeConfig({ overlay_root: 'over' });
    expect(await runNames(config)).toEqual([]);
    const before = process.cwd();
    process.chdir(join(folder, 'work'));
    try {
      expect(await runNames(config)).toEqual(['there']);
      await makeRun('over', 'beside');
      expect(await runNames(config)).toEqual(['beside']);
    } finally {
      process.chdir(before);
    }
  });

  it('a project lists runs once if overlay and static root are the same folder, also through a link', async () => {
    await makeRun('overlay', 'TS_1');
    await mkdir(join(folder, 'overlay/ExperimentRuns/TS_1/VoxelSpacing10.000/wbp.zarr'), { recursive: true });
    await symlink(join(folder, 'overlay'), join(folder, 'link'));
    for (const root of ['overlay', 'local://overlay/', 'link', join(folder, 'overlay')]) {
      const project = await openProject(await writeConfig({ static_root: root }));
      const run = await project.run('TS_1');
      expect(await run.tomograms({ includeShadowed: true })).toHaveLength(1);
    }
  });

  it('a project finds runs that are links to folders', async () => {
    await makeRun('data', 'real');
    await makeRun('overlay', 'TS_1');
    await symlink(join(folder, 'data/ExperimentRuns/real'), join(folder, 'overlay/ExperimentRuns/linked'));
    expect(await runNames(await writeConfig({}))).toEqual(['TS_1', 'linked']);
  });

  it.each([
    ['s3://user:hunter2@bucket/hunter2', 's3'],
    ['ssh://me:hunter2@host/hunter2', 'ssh'],
    ['smb://hunter2/x', 'smb'],
    ['HTTPS://me:hunter2@host/x', 'https'],
    ['simplecache::s3://hunter2', 'simplecache'],
  ])('roots on other file systems throw with the scheme alone, without possible secrets: %s', async (root, scheme) => {
    for (const key of ['overlay_root', 'static_root']) {
      const error = await openProject(await writeConfig({ [key]: root })).catch((caught: Error) => caught);
      expect(error).toMatchObject({ code: 'unsupported' });
      expect((error as Error).message).toContain(`${key} is on "${scheme}://"`);
      expect((error as Error).message).not.toContain('hunter2');
    }
  });

  it('the overlay of a new project need not exist, and its absence is reported', async () => {
    const project = await openProject(await writeConfig({}));
    expect(project.problems).toMatchObject([
      { message: expect.stringMatching(/overlay_root ".*overlay" does not exist yet/) },
    ]);
    await project.createRun('TS_1');
    expect(await readFile(join(folder, 'overlay/ExperimentRuns/TS_1/.meta'), 'utf8')).toBe('meta');
  });

  it('openProject throws if none of the roots exists', async () => {
    const config = await writeConfig({ static_root: 'gone' });
    await expect(openProject(config)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/static_root ".*gone" does not exist, nor does overlay_root ".*overlay"/),
    });
    await makeRun('overlay', 'TS_1');
    const told: string[] = [];
    const project = await openProject(config, { onProblem: ({ message }) => told.push(message) });
    expect(await project.runs()).toHaveLength(1);
    expect(told).toEqual([expect.stringMatching(/static_root ".*gone" does not exist/)]);
  });
});

describe.skipIf(sharedDataMissing)('a tomogram of the data portal in a tree (needs ../shared/data)', () => {
  it('a tomogram of the data portal opens: one chunk of 256×256×256 around 4×4×4 voxels, axes listed x, y, z', async () => {
    const spacing = join(folder, 'overlay/ExperimentRuns/TS_1/VoxelSpacing10.000');
    await mkdir(spacing, { recursive: true });
    await symlink(sharedData('fixtures/portal/sample_tomos/input_omezarr.zarr'), join(spacing, 'wbp.zarr'));
    const run = await (await openProject(await writeConfig({}))).run('TS_1');
    const tomogram = await run.tomogram('wbp');
    expect(tomogram.grid.shape).toEqual([4, 4, 4]);
    const { data } = toFloat32(await tomogram.read(wholeBox(tomogram.grid.shape)));
    expect(data.every(Number.isFinite)).toBe(true);
    expect(new Set(data).size).toBeGreaterThan(1);
  });
});

describe('bad input', () => {
  it.each([
    ['a missing config', 'nowhere.json', /config ".*nowhere\.json" not found/],
    ['a folder', '.', /is a folder, expected a file/],
  ])('openProject throws with the path for %s', async (_, name, message) => {
    await expect(openProject(join(folder, name))).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(message),
    });
  });

  it.each(['mine.mrc', 'mine.MRC', 'mine.map.gz', 'mine.zarr', 'mine.zarr/', 'mine.ozx'])(
    'openProject throws, naming the guide that helps, for a volume in place of a config, %s',
    async (name) => {
      const path = join(folder, name);
      await expect(openProject(path)).rejects.toMatchObject({ code: 'not-found' });
      if (/zarr/.test(name)) await mkdir(path);
      else await writeFile(path, 'MAP ');
      await expect(openProject(path)).rejects.toMatchObject({
        code: 'invalid-config',
        message: expect.stringMatching(/named like a volume; expected the config .* docs\/guides\/pick-in-a-file\.md /),
      });
      const guide = await readFile(join(import.meta.dirname, '../../docs/guides/pick-in-a-file.md'), 'utf8');
      expect(guide).toContain('openTomogram(');
      expect(guide).toContain('formatConfig(newConfig(');
    },
  );

  it('openProject throws with the line for invalid JSON', async () => {
    await writeFile(join(folder, 'copick.json'), '{\n"name": oops}');
    await expect(openProject(join(folder, 'copick.json'))).rejects.toThrow(
      /copick\.json" is not JSON: line 2, column 9/,
    );
  });

  it('openProject tells what to do with a zip file, however large, and with a config that is too large', async () => {
    const zip = join(folder, 'project.zip');
    await writeFile(zip, 'PK');
    await truncate(zip, 2 ** 27);
    await expect(openProject(zip)).rejects.toMatchObject({
      code: 'invalid-config',
      message: expect.stringMatching(/is a zip file; expected the config of a copick project.*Unpack it/),
    });
    const other = join(folder, 'copick.json');
    await writeFile(other, '{}');
    await truncate(other, 2 ** 27);
    await expect(openProject(other)).rejects.toThrow(/more than 67108864 bytes; expected the config of a copick/);
  });

  it('openProject rejects with the reason when aborted', async () => {
    const reason = new Error('enough');
    await expect(openProject(await writeConfig({}), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  const pick: ParticlePick = { object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 };
  const write = (run: Run) => run.writePicks([pick], { userId: 'me', sessionId: '0' });

  it('an overlay where a file is in the way cannot be written, and nothing is left behind', async () => {
    await makeRun('overlay', 'TS_1');
    await writeFile(join(folder, 'overlay/ExperimentRuns/TS_1/Picks'), 'in the way');
    const run = await (await openProject(await writeConfig({}))).run('TS_1');
    await expect(write(run)).rejects.toMatchObject({ code: 'write-failed' });
    expect(await readdir(join(folder, 'overlay/ExperimentRuns/TS_1'))).toEqual(['Picks']);
  });

  it.skipIf(process.getuid?.() === 0)('an overlay without permission cannot be written', async () => {
    await makeRun('overlay', 'TS_1');
    await chmod(join(folder, 'overlay/ExperimentRuns/TS_1'), 0o500);
    const run = await (await openProject(await writeConfig({}))).run('TS_1');
    await expect(write(run)).rejects.toMatchObject({ code: 'write-failed' });
  });

  it('an abort in the middle of writing leaves old files or new ones, and no temporary file', async () => {
    const picks = join(folder, 'overlay/ExperimentRuns/TS_1/Picks');
    await makeRun('overlay', 'TS_1');
    const run = await (await openProject(await writeConfig({}))).run('TS_1');
    await write(run);
    const many = Array.from({ length: 2000 }, () => ({ ...pick, score: 2 }));
    const controller = new AbortController();
    const writing = run.writePicks(many, { userId: 'me', sessionId: '0', signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(writing).rejects.toThrow('enough');
    expect(await readdir(picks)).toEqual(['me_0_ribosome.json']);
    expect(await run.picks()).toEqual([pick]);
  });
});

function asCopickSees(picks: readonly ParticlePick[]) {
  const identity = [0, 1, 2].map((i) => [0, 1, 2].map((j) => (i === j ? 1 : 0)));
  return {
    positions: picks.map(({ position: { x, y, z } }) => [x, y, z]),
    rotations: picks.map(({ transform }) => transform?.slice(0, 3).map((row) => row.slice(0, 3)) ?? identity),
    scores: picks.map(({ score }) => score),
    instanceIds: picks.map(({ instanceId = 0 }) => instanceId),
  };
}

function numbersOf({ positions, rotations, scores, instanceIds }: ExpectedPicks) {
  return { positions, rotations, scores, instanceIds };
}

async function sumOf(entry: { open: Awaited<ReturnType<Run['tomograms']>>[number]['open'] }) {
  const tomogram = await entry.open();
  const { data } = toFloat32(await tomogram.read(wholeBox(tomogram.grid.shape)));
  return { grid: tomogram.grid, sum: data.reduce((sum, value) => sum + value, 0) };
}

/** Equal but for the order of summation. */
function near(value: number) {
  return expect.closeTo(value, 9);
}
