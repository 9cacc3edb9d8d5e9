import { describe, expect, it } from 'vitest';
import type { ParticlePick } from '../../../src/entry/index.ts';
import { picksJson, projectOf, storeOf } from '../../support/copick-tree.ts';

const folder = '/ExperimentRuns/TS_5_4/Picks';
const me = { userId: 'curation', sessionId: '0' };
const pickOf = (object: string, x: number): ParticlePick => ({ object, position: { x, y: 2, z: 3 }, score: 0.5 });
const overlay = {
  [`${folder}/curation_0_virus.json`]: picksJson('virus', [1]),
  [`${folder}/curation_0_ribosome.json`]: picksJson('ribosome', [1]),
};

async function readAll(run: Awaited<ReturnType<ReturnType<typeof projectOf>['project']['run']>>) {
  const files = await Promise.all((await run.pickSets(me)).map((set) => set.read()));
  return Object.fromEntries(files.map(({ object, version }) => [object, version]));
}

describe('picks that changed since they were read', () => {
  it('picks that changed since they were read are not overwritten, and neither is any other file of the same call', async () => {
    const run = await projectOf({ overlay }).project.run('TS_5_4');
    const versions = await readAll(run);
    await run.writePicks([pickOf('virus', 5)], me);
    const mine = [pickOf('ribosome', 9), pickOf('virus', 9)];
    await expect(run.writePicks(mine, { ...me, ifVersion: versions })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(
        /curation_0_virus\.json has changed since it was read: it was from .* then and is/,
      ),
    });
    expect((await run.picks(me)).map(({ position }) => position.x)).toEqual([1, 5]);
    await run.writePicks(mine, { ...me, ifVersion: await readAll(run) });
    expect((await run.picks(me)).map(({ position }) => position.x)).toEqual([9, 9]);
  });

  it('picks that changed since they were read are written to the overlay if they were read from the static tree, unless another was faster', async () => {
    const run = await projectOf({ static: overlay }).project.run('TS_5_4');
    const versions = await readAll(run);
    expect(versions).toEqual({ virus: null, ribosome: null });
    await run.writePicks([pickOf('virus', 2)], { ...me, ifVersion: { virus: versions.virus } });
    await expect(
      run.writePicks([pickOf('virus', 3)], { ...me, ifVersion: { virus: versions.virus } }),
    ).rejects.toMatchObject({ code: 'conflict' });
    expect((await run.picks({ ...me, object: 'virus' })).map(({ position }) => position.x)).toEqual([2]);
  });

  it('picks that changed since they were read are written under their full name if they were read from a short one', async () => {
    const run = await projectOf({ overlay: { [`${folder}/virus.json`]: picksJson('virus', [1]) } }).project.run(
      'TS_5_4',
    );
    const versions = await readAll(run);
    expect(versions).toEqual({ virus: null });
    await run.writePicks([pickOf('virus', 2)], { ...me, ifVersion: versions });
    expect((await run.picks(me)).map(({ position }) => position.x)).toEqual([2]);
  });

  it('picks that changed since they were read cannot be expected if none of them are written', async () => {
    const run = await projectOf({ overlay }).project.run('TS_5_4');
    const expectation = await readAll(run);
    await expect(run.writePicks([pickOf('virus', 5)], { ...me, ifVersion: expectation })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('ifVersion names "ribosome", of which no picks are written'),
    });
  });

  it('picks that changed since they were read have no version in a store without versions, which refuses to expect one', async () => {
    const { version: _, ...store } = storeOf(overlay);
    const run = await projectOf({ overlay: store }).project.run('TS_5_4');
    expect(await readAll(run)).toEqual({ virus: undefined, ribosome: undefined });
    const write = (virus: string | null) => run.writePicks([pickOf('virus', 5)], { ...me, ifVersion: { virus } });
    await expect(write('a@b')).rejects.toMatchObject({ code: 'unsupported' });
    await expect(write(null)).rejects.toMatchObject({ code: 'conflict' });
    await run.writePicks([pickOf('virus', 5)], { ...me, ifVersion: { virus: undefined } });
  });

  it('picks that changed since they were read lead to a conflict, not to a loss, if they change while they are read', async () => {
    const inner = storeOf(overlay);
    let isReading = false;
    const store = {
      ...inner,
      async version(key: `/${string}`) {
        const version = await inner.version!(key);
        if (isReading) await inner.set(key, new TextEncoder().encode(JSON.stringify(picksJson('virus', [7]))));
        return version;
      },
    };
    const run = await projectOf({ overlay: store }).project.run('TS_5_4');
    const [set] = await run.pickSets({ ...me, object: 'virus' });
    isReading = true;
    const { version } = await set!.read();
    isReading = false;
    await expect(run.writePicks([pickOf('virus', 5)], { ...me, ifVersion: { virus: version } })).rejects.toMatchObject({
      code: 'conflict',
    });
  });
});
