import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig, parsePicksFile } from '../../src/entry/copick.ts';
import {
  isCryoetPicksError,
  memoryStore,
  openTomogram,
  type Store,
  type StoreKey,
  subStore,
} from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import {
  type SimulateProjectProgress,
  simulatedObjects,
  simulateProject,
  simulateTomogram,
} from '../../src/entry/simulate.ts';
import { pythonMissing, runPython } from '../support/python.ts';
import { withTempDir } from '../support/temp-dir.ts';

const shape = [24, 32, 40] as const;
const particles = [
  'apo-ferritin',
  'beta-amylase',
  'beta-galactosidase',
  'ribosome',
  'thyroglobulin',
  'virus-like-particle',
];

async function text(store: Store, key: StoreKey): Promise<string> {
  const bytes = await store.get(key);
  expect(bytes, key).toBeDefined();
  return new TextDecoder().decode(bytes);
}

async function allKeys(store: Store, folder: StoreKey = '/'): Promise<StoreKey[]> {
  const entries = await store.list(folder);
  const nested = entries.map(({ name, kind }) => {
    const key: StoreKey = `${folder === '/' ? '' : folder}/${name}` as StoreKey;
    return kind === 'folder' ? allKeys(store, key) : [key];
  });
  return (await Promise.all(nested)).flat();
}

describe('simulateProject', () => {
  it('simulateProject writes the competition layout', async () => {
    const store = memoryStore();
    const { config, runs } = await simulateProject(store, { runs: 2, seed: 5, shape });
    expect(config).toBe('/copick.json');
    expect(runs.map(({ run }) => run)).toEqual(['TS_1_5', 'TS_2_5']);
    const keys = await allKeys(store);
    const expected = ['TS_1_5', 'TS_2_5'].flatMap((run) => [
      ...particles.map((particle) => `/overlay/ExperimentRuns/${run}/Picks/${particle}.json`),
      `/static/ExperimentRuns/${run}/VoxelSpacing10.000/denoised.zarr/.zattrs`,
      `/static/ExperimentRuns/${run}/VoxelSpacing10.000/denoised.zarr/0/.zarray`,
    ]);
    expect(keys).toEqual(expect.arrayContaining([...expected, '/copick.json']));
    const outside = keys.filter(
      (key) =>
        !/^\/(overlay\/ExperimentRuns\/TS_\d_5\/Picks|static\/ExperimentRuns\/TS_\d_5\/VoxelSpacing10\.000\/denoised\.zarr)\//.test(
          key,
        ),
    );
    expect(outside).toEqual(['/copick.json']);
  });

  it('simulateProject declares the six objects and relative roots in its config', async () => {
    const store = memoryStore();
    await simulateProject(store, { runs: 0 });
    const config = parseConfig(await text(store, '/copick.json'), { source: 'copick.json' });
    expect(config.problems).toEqual([]);
    expect(config).toMatchObject({ type: 'filesystem', staticRoot: 'static', overlayRoot: 'overlay' });
    expect(config.objects.map(({ name, label, radius }) => [name, label, radius])).toEqual([
      ['apo-ferritin', 1, 60],
      ['beta-amylase', 2, 65],
      ['beta-galactosidase', 3, 90],
      ['ribosome', 4, 150],
      ['thyroglobulin', 5, 130],
      ['virus-like-particle', 6, 135],
    ]);
    expect(config.objects).toEqual(simulatedObjects);
  });

  it('simulateProject writes the tomogram that simulateTomogram makes, with the true voxel size', async () => {
    const store = memoryStore();
    const positions = [{ run: 'TS_6_4', picks: [{ object: 'ribosome', position: { x: 150.5, y: 160.25, z: 120 } }] }];
    const { runs } = await simulateProject(store, { positions, seed: 2, shape, noise: 0 });
    const truth = { ...positions[0]!.picks[0]!, score: 1, transform: expect.anything() };
    expect(runs).toEqual([{ run: 'TS_6_4', picks: [truth] }]);
    const zarr = subStore(store, '/static/ExperimentRuns/TS_6_4/VoxelSpacing10.000/denoised.zarr');
    const tomogram = await openTomogram(zarr);
    expect(tomogram.grid).toEqual({
      shape,
      voxelSize: [10.012444196428572, 10.012444196428572, 10.012444537618887],
      origin: { x: 0, y: 0, z: 0 },
    });
    const read = await tomogram.read(wholeBox(shape));
    expect(Math.min(...read.data)).toBeLessThan(-1e-6);
  });

  it('simulateProject holds ground truth that reads back exactly, as user curation, without scores', async () => {
    const store = memoryStore();
    const { runs } = await simulateProject(store, { runs: 1, seed: 3, shape: [64, 96, 96] });
    expect(runs[0]!.picks.length).toBeGreaterThan(5);
    const found = [];
    for (const particle of particles) {
      const key: StoreKey = `/overlay/ExperimentRuns/TS_1_3/Picks/${particle}.json`;
      const json = await text(store, key);
      expect(json).not.toContain('score');
      const file = parsePicksFile(json, { source: key });
      expect(file).toMatchObject({ object: particle, userId: 'curation', sessionId: '0', runName: 'TS_1_3' });
      found.push(...file.picks.map(({ object, position, transform }) => ({ object, position, transform })));
    }
    const byObject = [...runs[0]!.picks].sort((a, b) => particles.indexOf(a.object) - particles.indexOf(b.object));
    expect(found).toEqual(byObject.map(({ object, position, transform }) => ({ object, position, transform })));
  });

  it('simulateProject writes the same bytes for the same seed', async () => {
    const [first, second] = [memoryStore(), memoryStore()];
    await simulateProject(first, { runs: 1, seed: 9, shape });
    await simulateProject(second, { runs: 1, seed: 9, shape });
    const keys = await allKeys(first);
    expect(await allKeys(second)).toEqual(keys);
    for (const key of keys) expect(await second.get(key), key).toEqual(await first.get(key));
  });

  it('simulateProject gives every run of a project another scene', async () => {
    const { runs } = await simulateProject(memoryStore(), { runs: 2, seed: 1, shape });
    expect(runs[0]!.picks).not.toEqual(runs[1]!.picks);
  });

  it('simulateProject refuses to overwrite tomograms by default', async () => {
    const store = memoryStore();
    await simulateProject(store, { runs: 1, shape });
    const again = await simulateProject(store, { runs: 1, shape }).catch((reason: unknown) => reason);
    expect(isCryoetPicksError(again, 'invalid-option')).toBe(true);
    await expect(simulateProject(store, { runs: 1, shape, overwrite: true })).resolves.toBeDefined();
  });

  it('simulateProject leaves no config and no partial tomogram when aborted while writing', async () => {
    const store = memoryStore();
    const controller = new AbortController();
    const reason = new Error('enough');
    const onProgress = ({ stage }: SimulateProjectProgress) => stage === 'write' && controller.abort(reason);
    const running = simulateProject(store, { runs: 2, shape, signal: controller.signal, onProgress });
    await expect(running).rejects.toBe(reason);
    expect(await allKeys(store)).toEqual([]);
  });

  it('simulateProject reports run and stage while it works', async () => {
    const events: SimulateProjectProgress[] = [];
    await simulateProject(memoryStore(), { runs: 2, shape, onProgress: (event) => events.push(event) });
    const steps = events.map(({ run, runsDone, runsTotal, stage }) => `${run} ${runsDone}/${runsTotal} ${stage}`);
    expect([...new Set(steps)]).toEqual([
      'TS_1_0 0/2 molecules',
      'TS_1_0 0/2 imaging',
      'TS_1_0 0/2 write',
      'TS_2_0 1/2 molecules',
      'TS_2_0 1/2 imaging',
      'TS_2_0 1/2 write',
    ]);
  });

  it.each([
    ['a run name that is a path', { positions: [{ run: '../x', picks: [] }] }, '../x'],
    ['an empty run name', { positions: [{ run: '', picks: [] }] }, '""'],
    ['a seed that is not a whole number', { seed: 0.5 }, '0.5'],
    ['a number of runs that is not a number', { runs: Number.NaN }, 'runs must be a whole number ≥ 0, found NaN'],
    ['noise that is not a number', { noise: Number.NaN }, 'noise'],
    ['a negative number of runs', { runs: -1 }, '-1'],
  ])('simulateProject refuses %s', async (_, options, message) => {
    const store = memoryStore();
    const error = await simulateProject(store, { shape, ...options }).catch((reason: unknown) => reason);
    expect(isCryoetPicksError(error, 'invalid-option')).toBe(true);
    expect((error as Error).message).toContain(message);
    expect(await allKeys(store)).toEqual([]);
  });

  it('simulateProject draws equal molecules whether as a project or alone', async () => {
    const known = [{ object: 'apo-ferritin', position: { x: 200, y: 150, z: 100 } }];
    const alone = await simulateTomogram({ shape, positions: known, seed: 1, decoys: 0, noise: 0 });
    const { runs } = await simulateProject(memoryStore(), {
      shape,
      positions: [{ run: 'a', picks: known }],
      decoys: 0,
    });
    const placed = (picks: typeof alone.picks) => picks.map(({ object, position }) => ({ object, position }));
    // Their seeds differ, and with them the rotations.
    expect(placed(runs[0]!.picks)).toEqual(placed(alone.picks));
  });
});

describe('simulateProject with an absolute path', () => {
  it('simulateProject adds a config with absolute roots, which has the same truth', async () => {
    const store = memoryStore();
    await simulateProject(store, { runs: 1, seed: 3, shape, absolutePath: '/data/project/' });
    const config = parseConfig(await text(store, '/copick-here.json'), { source: 'copick-here.json' });
    expect(config).toMatchObject({ staticRoot: '/data/project/static', overlayRoot: '/data/project/overlay-here' });
    expect(config.objects).toEqual(simulatedObjects);
    for (const particle of particles) {
      const picks = await text(store, `/overlay-here/ExperimentRuns/TS_1_3/Picks/curation_0_${particle}.json`);
      expect(picks).toBe(await text(store, `/overlay/ExperimentRuns/TS_1_3/Picks/${particle}.json`));
    }
  });

  it.for(['copick', 'copick2'] as const)(
    'simulateProject adds a config that Python opens from another folder, truth included (needs %s)',
    { timeout: 60_000 },
    async (name, { skip }) => {
      skip(pythonMissing(name), `needs the Python of ${name}`);
      await withTempDir(async (folder) => {
        const { runs } = await simulateProject(directoryStore(folder), {
          runs: 1,
          seed: 3,
          shape,
          absolutePath: folder,
        });
        const config = join(folder, 'copick-here.json');
        const { positions, shape: read } = JSON.parse(runPython(name, '-c', readTruth, config));
        expect(read).toEqual([...shape]);
        const truth = particles.map((particle) => [
          particle,
          runs[0]!.picks.filter(({ object }) => object === particle).map(({ position: { x, y, z } }) => [x, y, z]),
        ]);
        expect(positions).toEqual(Object.fromEntries(truth));
      });
    },
  );
});

const readTruth = `
import json, sys, copick
root = copick.from_file(sys.argv[1])
run = root.get_run("TS_1_3")
picks = run.get_picks(user_id="curation", session_id="0")
positions = {p.pickable_object_name: [[q.location.x, q.location.y, q.location.z] for q in p.points] for p in picks}
volume = run.get_voxel_spacing(10.0).get_tomograms("denoised")[0].numpy()
print(json.dumps({"positions": positions, "shape": list(volume.shape)}))
`;

import { wholeBox } from '../support/volumes.ts';
