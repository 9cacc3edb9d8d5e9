import { describe, expect, it } from 'vitest';
import { memoryStore, type Run, type Store } from '../../../src/entry/index.ts';
import { picksJson, projectOf } from '../../support/copick-tree.ts';

const me = { userId: 'me', sessionId: '1' } as const;
const line = [
  { x: 0, y: 0, z: 0 },
  { x: 1, y: 0, z: 0 },
];

/** A whole GLB file of one more byte. */
function glb(last: number): Uint8Array {
  const bytes = new Uint8Array(13);
  bytes.set(new TextEncoder().encode('glTF'));
  new DataView(bytes.buffer).setUint32(4, 2, true);
  new DataView(bytes.buffer).setUint32(8, 13, true);
  bytes[12] = last;
  return bytes;
}

async function runOf(overlay: Store = memoryStore(), fixed = {}) {
  const { project } = projectOf({ overlay, static: fixed });
  return project.createRun('TS_1');
}

const kinds = [
  {
    what: 'picks',
    write: (run: Run, n: number) => run.writePicks([{ object: 'virus', position: { x: n, y: 0, z: 0 }, score: 1 }], me),
    find: async (run: Run) => (await run.pickSets())[0],
    version: async (run: Run) => (await (await run.pickSets())[0]!.read()).version,
  },
  {
    what: 'filaments',
    write: (run: Run, n: number) =>
      run.writeFilaments([{ instanceId: n, points: line }], { object: 'virus', ...me, overwrite: true }),
    find: async (run: Run) => (await run.filaments())[0],
    version: async (run: Run) => (await (await run.filaments())[0]!.read()).version,
  },
  {
    what: 'meshes',
    write: (run: Run, n: number) => run.writeMesh(glb(n), { object: 'virus', ...me, overwrite: true }),
    find: async (run: Run) => (await run.meshes())[0],
    version: async (run: Run) => (await run.meshes())[0]!.version(),
  },
];

describe.each(kinds)('delete of $what as they were read', ({ write, find, version }) => {
  it('delete with `ifVersion` deletes what has not changed', async () => {
    const run = await runOf();
    await write(run, 1);
    await (await find(run))!.delete({ ifVersion: await version(run) });
    expect(await find(run)).toBeUndefined();
  });

  it('delete with `ifVersion` deletes nothing that others have written since, and without it deletes everything', async () => {
    const run = await runOf();
    await write(run, 1);
    const [entry, read] = [await find(run), await version(run)];
    await write(run, 2);
    const now = await version(run);
    await expect(entry!.delete({ ifVersion: read })).rejects.toMatchObject({ code: 'conflict' });
    expect(await version(run)).toBe(now);
    await entry!.delete();
    expect(await find(run)).toBeUndefined();
    await expect(entry!.delete({ ifVersion: now })).rejects.toThrow(/is absent now/);
  });

  it.each([
    [null, /null stands for no file/],
    ['garbage', /ifVersion is "garbage", which is not a version/],
    ['', /ifVersion is "", which is not a version/],
  ])('delete throws for %j, which is not the version of a file', async (expected, message) => {
    const run = await runOf();
    await write(run, 1);
    const entry = await find(run);
    await expect(entry!.delete({ ifVersion: expected })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(message),
    });
    expect(await find(run)).toBeDefined();
  });

  it('delete throws for a version if the overlay keeps none', async () => {
    const { version: _, ...store } = memoryStore();
    const run = await runOf(store);
    await write(run, 1);
    await expect((await find(run))!.delete({ ifVersion: '1@2026-01-01T00:00:00.000Z' })).rejects.toMatchObject({
      code: 'unsupported',
    });
    expect(await find(run)).toBeDefined();
  });
});

describe('delete with `ifVersion`', () => {
  it('delete with `ifVersion` of a file in the static tree is refused as read-only', async () => {
    const run = await runOf(memoryStore(), { '/ExperimentRuns/TS_1/Picks/me_1_virus.json': picksJson('virus', [1]) });
    const [set] = await run.pickSets();
    await expect(set!.delete({ ifVersion: (await set!.read()).version })).rejects.toMatchObject({ code: 'read-only' });
  });

  it('delete with `ifVersion` of a folder is refused, as one has no version', async () => {
    const run = await runOf();
    const spacing: { delete(options: object): Promise<void> } = await run.createVoxelSpacing(10);
    await expect(spacing.delete({ ifVersion: '1@2026-01-01T00:00:00.000Z' })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('it is a folder, which has no version'),
    });
    expect(await run.voxelSpacings()).toHaveLength(1);
  });
});

describe('writeMesh with `ifVersion`', () => {
  const virus = { object: 'virus', ...me } as const;
  const last = async (run: Run) => (await (await run.meshes())[0]!.read()).at(-1);

  it('writeMesh with `ifVersion` replaces the mesh that was read, and no other', async () => {
    const run = await runOf();
    await run.writeMesh(glb(1), { ...virus, ifVersion: null });
    const version = await (await run.meshes())[0]!.version();
    await run.writeMesh(glb(2), { ...virus, ifVersion: version });
    await expect(run.writeMesh(glb(3), { ...virus, ifVersion: version })).rejects.toMatchObject({ code: 'conflict' });
    await expect(run.writeMesh(glb(3), { ...virus, ifVersion: null })).rejects.toMatchObject({ code: 'conflict' });
    await expect(run.writeMesh(glb(3), { ...virus, ifVersion: 'garbage' })).rejects.toMatchObject({
      code: 'invalid-option',
    });
    expect(await last(run)).toBe(2);
  });

  it('writeMesh with `ifVersion` makes a new one of a mesh of the static tree', async () => {
    const run = await runOf(memoryStore(), { '/ExperimentRuns/TS_1/Meshes/me_1_virus.glb': glb(1) });
    const version = await (await run.meshes())[0]!.version();
    expect(version).toBeNull();
    await run.writeMesh(glb(2), { ...virus, ifVersion: version });
    expect(await last(run)).toBe(2);
  });
});

it('all messages about an object that the project lacks are the same', async () => {
  const { project } = projectOf({});
  const run = await project.createRun('TS_1');
  const error = {
    code: 'not-found',
    message: 'object "actin" not found in the project; available: "ribosome", "virus", "apo-ferritin"',
  };
  const grid = { shape: [2, 2, 2], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } } as const;
  const map = { grid, read: () => Promise.reject(new Error('no voxel is read')) };
  await expect(run.writeMesh(glb(1), { ...me, object: 'actin' })).rejects.toMatchObject(error);
  await expect(run.writeFilaments([], { ...me, object: 'actin' })).rejects.toMatchObject(error);
  await expect(project.writeObjectMap(map, { object: 'actin' })).rejects.toMatchObject(error);
});
