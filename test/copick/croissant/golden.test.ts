import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  memoryStore,
  openTomogram,
  type ParticlePick,
  type Project,
  type StoreKey,
  subStore,
  type Tomogram,
  toFloat32,
} from '../../../src/entry/index.ts';
import { type CroissantStore, croissantStore, openCroissant } from '../../../src/entry/portal.ts';
import { croissantFixture, expectedOfCroissant, type FileServer, serveFiles } from '../../support/croissant-fixture.ts';
import { wholeBox } from '../../support/volumes.ts';

let server: FileServer;
let project: Project;
let store: CroissantStore;
beforeAll(async () => {
  server = await serveFiles(croissantFixture);
  project = await openCroissant(`${server.url}/Croissant/metadata.json`);
  store = croissantStore(server.url);
});
afterAll(() => server.close());

const runs = Object.entries(expectedOfCroissant.runs);

describe('a Croissant of the released copick, on a server that lists no folders', () => {
  it('a Croissant of the released copick is found by its metadata or by the folder above', async () => {
    expect(store.location).toBe(server.url);
    expect(await store.index()).toMatchObject({ problems: [], baseUrl: server.url });
    expect(project.problems).toEqual([]);
  });

  it('a Croissant of the released copick has the same config and objects', () => {
    const { name, description, user_id } = expectedOfCroissant.config;
    expect(project.config).toMatchObject({ type: 'mlcroissant', name, description, userId: user_id });
    expect(project.config).not.toHaveProperty('sessionId');
    expect(
      project.objects.map((object) => [object.name, object.isParticle, object.label, object.radius ?? null]),
    ).toEqual(expectedOfCroissant.objects.map((object) => object.slice(0, 4)));
  });

  it('a Croissant of the released copick has the same runs and splits', async () => {
    const names = async (split?: string) => (await project.runs({ split })).map(({ name }) => name);
    expect(await names()).toEqual(runs.map(([name]) => name).sort());
    expect(Object.fromEntries(await project.splits())).toEqual(expectedOfCroissant.splits);
    for (const [split, expected] of Object.entries(expectedOfCroissant.splits)) {
      expect(await names(split)).toEqual([...expected].sort());
    }
    await expect(project.runs({ split: 'holdout' })).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/split "holdout" .* available: "train", "test"/),
    });
  });

  it.each(runs)('a Croissant of the released copick reads every number of the picks of %s', async (name, expected) => {
    const run = await project.run(name);
    const sets = await run.pickSets();
    expect(sets).toHaveLength(expected.picks.length);
    for (const one of expected.picks) {
      const { object, userId, sessionId } = one;
      const [set] = await run.pickSets({ object, userId, sessionId });
      expect(set).toMatchObject({ object, userId, sessionId, root: 'static', shadowed: false });
      const { picks, trustOrientation } = await set!.read();
      expect({ ...asCopickSees(picks), trustOrientation }).toEqual({
        positions: one.positions,
        rotations: one.rotations,
        scores: one.scores,
        instanceIds: one.instanceIds,
        trustOrientation: one.trustOrientation,
      });
    }
  });

  it.each(runs)(
    'a Croissant of the released copick has the same tomograms in %s, voxel sums included',
    async (name, expected) => {
      const found = await (await project.run(name)).tomograms();
      const seen = await Promise.all(
        found.map(async ({ type, voxelSpacing, open }) => {
          const tomogram = await open();
          return [type, voxelSpacing, tomogram.grid.shape, await sumOf(tomogram)];
        }),
      );
      expect(seen).toEqual(
        expected.tomograms.map(([type, at, shape, sum]) => [type, at, shape, expect.closeTo(sum, 3)]),
      );
    },
  );

  it.each(runs)(
    'a Croissant of the released copick has the same segmentations in %s, voxel by voxel in the sum',
    async (name, expected) => {
      const folders = { binary: 'Segmentations', multilabel: 'Segmentations', instance: 'InstanceSegmentations' };
      for (const [label, user, session, spacing, kind, sum] of expected.segmentations) {
        const folder = `/ExperimentRuns/${name}/${folders[kind as keyof typeof folders]}`;
        const file = `${spacing.toFixed(3)}_${user}_${session}_${label}${kind === 'multilabel' ? '-multilabel' : ''}.zarr`;
        expect((await store.list(folder as StoreKey)).map((entry) => entry.name)).toContain(file);
        expect(await sumOf(await openTomogram(subStore(store, `${folder}/${file}` as StoreKey)))).toBe(sum);
      }
      const listed = await Promise.all(
        [...new Set(Object.values(folders))].map((one) => store.list(`/ExperimentRuns/${name}/${one}`)),
      );
      expect(listed.flat()).toHaveLength(expected.segmentations.length);
    },
  );

  it.each(runs)('a Croissant of the released copick has the same features and meshes in %s', async (name, expected) => {
    const spacings = await store.list(`/ExperimentRuns/${name}`);
    const folders = spacings.filter((entry) => entry.name.startsWith('VoxelSpacing')).map((entry) => entry.name);
    expect(folders).toEqual(expected.voxelSpacings.map((one) => `VoxelSpacing${one.toFixed(3)}`));
    for (const [type, feature, spacing] of expected.features) {
      const at = `/ExperimentRuns/${name}/VoxelSpacing${spacing.toFixed(3)}/${type}_${feature}_features.zarr` as const;
      expect(await store.get(`${at}/.zattrs`)).toBeDefined();
    }
    const meshes = await store.list(`/ExperimentRuns/${name}/Meshes`);
    expect(meshes.map((entry) => entry.name)).toEqual(expected.meshes.map(([o, u, s]) => `${u}_${s}_${o}.glb`).sort());
    for (const { name: file } of meshes) {
      const key: StoreKey = `/ExperimentRuns/${name}/Meshes/${file}`;
      expect(await store.get(key)).toEqual(new Uint8Array(readFileSync(join(croissantFixture, key))));
      expect(await store.getRange(key, { offset: 0, length: 4 })).toEqual(new TextEncoder().encode('glTF'));
    }
  });

  it('a Croissant of the released copick has the same density maps', async () => {
    for (const [name, , , , sum] of expectedOfCroissant.objects) {
      if (sum === null) continue;
      expect(await sumOf(await openTomogram(subStore(store, `/Objects/${name}.zarr`)))).toBeCloseTo(sum, 3);
    }
  });

  it('a Croissant of the released copick asks for files only, and for each table once', () => {
    const tables = readdirSync(join(croissantFixture, 'Croissant')).map((name) => `/Croissant/${name}`);
    for (const table of tables) expect(server.requests.filter((one) => one === table)).toHaveLength(2);
    expect(server.requests.filter((one) => one.endsWith('/'))).toEqual([]);
  });

  it('a Croissant of the released copick is read-only without an overlay, which is reported before any work', async () => {
    const run = await project.run('TS_6_4');
    const message = /cannot write http.*: the project has no overlay; to write, set overlay_root/;
    const refusal = { code: 'read-only', message: expect.stringMatching(message) };
    await expect(run.requireWritable()).rejects.toMatchObject(refusal);
    await expect(run.writePicks([], { userId: 'me', sessionId: '1', objects: ['ribosome'] })).rejects.toMatchObject(
      refusal,
    );
    await expect(project.createRun('new')).rejects.toMatchObject(refusal);
  });

  it('a Croissant of the released copick with an overlay is written there, and the overlay takes precedence', async () => {
    const both = await openCroissant(server.url, { overlay: memoryStore() });
    const run = await both.run('TS_5_4');
    const curation = { object: 'ribosome', userId: 'curation', sessionId: '0' };
    const before = await run.picks(curation);
    await run.writePicks(before.slice(1), { userId: 'curation', sessionId: '0' });
    expect(await run.picks(curation)).toEqual(before.slice(1));
    const sets = await run.pickSets({ ...curation, includeShadowed: true });
    expect(sets.map(({ root, shadowed }) => [root, shadowed])).toEqual([
      ['overlay', false],
      ['static', true],
    ]);
    expect((await sets[1]!.read()).picks).toEqual(before);
  });

  it('a Croissant of the released copick shows its image behind an empty folder of the overlay, though the server lists nothing', async () => {
    const empty = new TextEncoder().encode('{"zarr_format": 3, "node_type": "group"}');
    const overlay = memoryStore([['/ExperimentRuns/TS_5_4/VoxelSpacing10.012/denoised.zarr/zarr.json', empty]]);
    const run = await (await openCroissant(server.url, { overlay })).run('TS_5_4');
    const tomogram = await run.tomogram('denoised', { voxelSpacing: 10.012 });
    expect(tomogram.grid.shape).toEqual([6, 10, 13]);
  });
});

async function sumOf(tomogram: Tomogram): Promise<number> {
  const volume = toFloat32(await tomogram.read(wholeBox(tomogram.grid.shape)));
  return volume.data.reduce((sum, value) => sum + value, 0);
}

const identity = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

function asCopickSees(picks: readonly ParticlePick[]) {
  return {
    positions: picks.map(({ position: { x, y, z } }) => [x, y, z]),
    rotations: picks.map(({ transform }) => transform?.slice(0, 3).map((row) => row.slice(0, 3)) ?? identity),
    scores: picks.map(({ score }) => score),
    instanceIds: picks.map(({ instanceId }) => instanceId ?? 0),
  };
}
