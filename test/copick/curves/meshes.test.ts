import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { expectedEntities, openEntities } from '../../support/copick-entities.ts';
import { failingStore, projectOf, storeOf } from '../../support/copick-tree.ts';

/** A GLB file of a header and some bytes. */
function glb(content: number[] = [1, 2, 3, 4], { version = 2, extra = 0 } = {}): Uint8Array {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode('glTF'));
  view.setUint32(4, version, true);
  view.setUint32(8, bytes.length + extra, true);
  bytes.set(content, 12);
  return bytes;
}

const folder = '/ExperimentRuns/TS_1/Meshes';
const me = { object: 'virus', userId: 'me', sessionId: '1' } as const;

async function runOf(trees: Parameters<typeof projectOf>[0]) {
  const opened = projectOf(trees);
  return { ...opened, run: await opened.project.run('TS_1') };
}

describe('meshes', () => {
  it("meshes are copick's, byte by byte", async () => {
    for (const run of await openEntities().runs()) {
      const expected = expectedEntities.runs[run.name]!.meshes;
      const found = await run.meshes();
      const tell = async (mesh: (typeof found)[number]) => ({
        ...{ object: mesh.object, userId: mesh.userId, sessionId: mesh.sessionId, root: mesh.root },
        sha: createHash('sha256')
          .update(await mesh.read())
          .digest('hex'),
      });
      const told = await Promise.all(found.map(tell));
      expect(new Set(told)).toEqual(new Set(expected.map(({ parts: _, ...mesh }) => mesh)));
      expect(told).toHaveLength(expected.length);
    }
  });

  it("meshes are found by object, user and session, the overlay's before the static tree's", async () => {
    const file = (name: string) => ({ [`${folder}/${name}.glb`]: glb() });
    const { run, told } = await runOf({
      overlay: { ...file('me_1_virus'), ...file('me_2_virus'), [`${folder}/me_1_virus.txt`]: '' },
      static: { ...file('me_1_virus'), ...file('you_1_ribosome') },
    });
    const names = async (filter: Parameters<typeof run.meshes>[0]) =>
      (await run.meshes(filter)).map(
        ({ path, shadowed }) => `${path.replace(folder, '')}${shadowed ? ' shadowed' : ''}`,
      );
    expect(await names({})).toEqual(['static/you_1_ribosome.glb', 'overlay/me_1_virus.glb', 'overlay/me_2_virus.glb']);
    expect(await names({ object: 'virus', sessionId: ['1', '3'] })).toEqual(['overlay/me_1_virus.glb']);
    expect(await names({ userId: 'me', sessionId: '1', includeShadowed: true })).toEqual([
      'overlay/me_1_virus.glb',
      'static/me_1_virus.glb shadowed',
    ]);
    expect(told).toEqual([]);
  });

  it.each([
    ['a name that tells too little', { [`${folder}/me_virus.glb`]: glb() }, /lacks a user, session or object/],
    ['a folder of that name', { [`${folder}/me_1_virus.glb/x`]: '' }, /is a folder/],
  ])('meshes with %s are reported, and others are listed', async (_, tree, message) => {
    const { run, told } = await runOf({ overlay: { ...tree, [`${folder}/me_7_virus.glb`]: glb() } });
    expect(await run.meshes()).toMatchObject([{ sessionId: '7' }]);
    expect(told).toMatchObject([{ message: expect.stringMatching(message) }]);
  });

  it('meshes of one tree are listed if the other cannot be', async () => {
    const broken = failingStore(storeOf({ [`${folder}/a_1_virus.glb`]: glb() }, 'static'), (_, key) => key === folder);
    const { run, told } = await runOf({ overlay: { [`${folder}/me_1_virus.glb`]: glb() }, static: broken });
    expect(await run.meshes()).toMatchObject([{ userId: 'me' }]);
    expect(told).toHaveLength(1);
  });

  it.each([
    ['nothing', new Uint8Array(0), 'corrupt-data', /0 bytes, fewer/],
    ['half a header', glb().slice(0, 11), 'corrupt-data', /11 bytes, fewer/],
    ['another file', new TextEncoder().encode('<html>not found</html>'), 'corrupt-data', /does not start with "glTF"/],
    ['half a file', glb([1, 2, 3, 4], { extra: 4 }), 'corrupt-data', /has 16 bytes, but its header says 20/],
    ['more than a file', glb([1, 2, 3, 4], { extra: -4 }), 'corrupt-data', /has 16 bytes, but its header says 12/],
    ['an older glTF', glb([], { version: 1 }), 'unsupported', /glTF version 1, expected 2/],
  ])('meshes are not read from %s', async (_, bytes, code, message) => {
    const { run } = await runOf({ overlay: { [`${folder}/me_1_virus.glb`]: bytes } });
    const [mesh] = await run.meshes();
    const error = { code, message: expect.stringMatching(message) };
    await expect(mesh!.read()).rejects.toMatchObject(error);
    await expect(mesh!.read()).rejects.toThrow(`mesh "overlay${folder}/me_1_virus.glb"`);
    const writing = run.writeMesh(bytes, { ...me, sessionId: '2' });
    await expect(writing).rejects.toMatchObject({ ...error, code: code === 'corrupt-data' ? 'invalid-option' : code });
    expect(await run.meshes()).toHaveLength(1);
  });

  it('meshes that are gone are not-found', async () => {
    const { run } = await runOf({ overlay: { [`${folder}/me_1_virus.glb`]: glb(), '/ExperimentRuns/TS_1/.meta': '' } });
    const [mesh] = await run.meshes();
    await mesh!.delete();
    await expect(mesh!.read()).rejects.toMatchObject({ code: 'not-found' });
    expect(await run.meshes()).toEqual([]);
  });
});

describe('writeMesh', () => {
  it('writeMesh writes the bytes unchanged, under names that are valid in copick', async () => {
    const { run, overlay } = await runOf({ static: { '/ExperimentRuns/TS_1/.meta': '' } });
    const bytes = glb([9, 8, 7, 6]);
    const path = await run.writeMesh(bytes, { object: 'apo-ferritin', userId: 'my_user', sessionId: 'a b' });
    expect(path).toBe(`overlay${folder}/my-user_a-b_apo-ferritin.glb`);
    expect(await overlay.get(`${folder}/my-user_a-b_apo-ferritin.glb`)).toEqual(bytes);
    const [mesh] = await run.meshes({ userId: 'my_user' });
    expect(await mesh!.read()).toEqual(bytes);
  });

  it('writeMesh replaces a mesh only with overwrite', async () => {
    const { run } = await runOf({ overlay: { [`${folder}/me_1_virus.glb`]: glb([1, 1, 1, 1]) } });
    await expect(run.writeMesh(glb([2, 2, 2, 2]), me)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('overwrite: true'),
    });
    expect((await (await run.meshes())[0]!.read()).at(-1)).toBe(1);
    await run.writeMesh(glb([2, 2, 2, 2]), { ...me, overwrite: true });
    expect((await (await run.meshes())[0]!.read()).at(-1)).toBe(2);
  });

  it('writeMesh does not replace one that appears while it writes', async () => {
    const store = storeOf({ '/ExperimentRuns/TS_1/.meta': '' }, 'overlay');
    const late = {
      ...store,
      async getRange() {
        await store.set(`${folder}/me_1_virus.glb`, glb([1, 1, 1, 1]));
        return undefined;
      },
    };
    const { run } = await runOf({ overlay: late });
    await expect(run.writeMesh(glb([2, 2, 2, 2]), me)).rejects.toMatchObject({ code: 'conflict' });
    expect((await store.get(`${folder}/me_1_virus.glb`))!.at(-1)).toBe(1);
  });

  it.each([
    ['an object that the project does not have', { ...me, object: 'actin' }, 'not-found'],
    ['a user without a usable character', { ...me, userId: '__' }, 'invalid-option'],
  ])('writeMesh refuses %s', async (_, options, code) => {
    const { run, overlay } = await runOf({ static: { '/ExperimentRuns/TS_1/.meta': '' } });
    await expect(run.writeMesh(glb(), options)).rejects.toMatchObject({ code });
    expect(await overlay.list('/')).toEqual([]);
  });

  it('writeMesh rejects with the reason of an aborted signal', async () => {
    const { run, overlay, told } = await runOf({ overlay: { [`${folder}/me_1_virus.glb`]: glb() } });
    const signal = AbortSignal.abort('stop');
    await expect(run.writeMesh(glb(), { ...me, sessionId: '2', signal })).rejects.toBe('stop');
    await expect(run.meshes({ signal })).rejects.toBe('stop');
    const [mesh] = await run.meshes();
    await expect(mesh!.read({ signal })).rejects.toBe('stop');
    expect(told).toEqual([]);
    expect(await overlay.list(folder)).toHaveLength(1);
  });
});
