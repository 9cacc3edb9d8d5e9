import { describe, expect, it } from 'vitest';
import { deleteAll, projectFromStores } from '../../../src/entry/copick.ts';
import { memoryStore } from '../../../src/entry/index.ts';
import { config, picksJson, projectOf } from '../../support/copick-tree.ts';

const picks = '/ExperimentRuns/TS_1/Picks';
const overlay = {
  [`${picks}/me_1_ribosome.json`]: picksJson('ribosome', [1], { user_id: 'me', session_id: '1' }),
  [`${picks}/me_1_virus.json`]: picksJson('virus', [2], { user_id: 'me', session_id: '1' }),
} as const;
const fixed = {
  [`${picks}/me_1_ribosome.json`]: picksJson('ribosome', [7], { user_id: 'me', session_id: '1' }),
  [`${picks}/curation_0_virus.json`]: picksJson('virus', [8]),
} as const;

async function open(trees: Parameters<typeof projectOf>[0]) {
  const opened = projectOf(trees);
  return { ...opened, run: await opened.project.run('TS_1') };
}

describe('delete of a set of picks', () => {
  it('delete of a set of picks removes the file from the overlay and reveals what it hid', async () => {
    const { run } = await open({ overlay, static: fixed });
    const [mine] = await run.pickSets({ userId: 'me', object: 'ribosome' });
    expect(mine).toMatchObject({ root: 'overlay' });
    await mine!.delete();
    const [shown] = await run.pickSets({ userId: 'me', object: 'ribosome' });
    expect(shown).toMatchObject({ root: 'static' });
    expect((await shown!.read()).picks).toMatchObject([{ position: { x: 7 } }]);
  });

  it('delete of a set of picks does nothing if the file is gone', async () => {
    const { run, told } = await open({ overlay });
    const [mine] = await run.pickSets({ object: 'virus' });
    await mine!.delete();
    await mine!.delete();
    expect(await run.pickSets()).toHaveLength(1);
    expect(told).toEqual([]);
  });

  it('delete of a set of picks refuses what lies in the static tree, by its path', async () => {
    const { run } = await open({ overlay, static: fixed });
    const [theirs] = await run.pickSets({ userId: 'curation' });
    await expect(theirs!.delete()).rejects.toMatchObject({
      code: 'read-only',
      message: expect.stringContaining(`"static${picks}/curation_0_virus.json"`),
    });
    expect(await run.pickSets({ userId: 'curation' })).toHaveLength(1);
  });

  it('delete of a set of picks rejects with the reason of an aborted signal, and leaves the file', async () => {
    const { run } = await open({ overlay });
    const [mine] = await run.pickSets({ object: 'virus' });
    await expect(mine!.delete({ signal: AbortSignal.abort('stop') })).rejects.toBe('stop');
    expect(await run.pickSets()).toHaveLength(2);
  });
});

describe('deleteAll', () => {
  it('deleteAll deletes what was found and returns the paths', async () => {
    const { run } = await open({ overlay, static: fixed });
    expect(await deleteAll(await run.pickSets({ userId: 'me' }))).toEqual([
      `overlay${picks}/me_1_ribosome.json`,
      `overlay${picks}/me_1_virus.json`,
    ]);
    expect((await run.pickSets()).map(({ root }) => root)).toEqual(['static', 'static']);
  });

  it('deleteAll deletes nothing if one of them lies in the static tree', async () => {
    const { run } = await open({ overlay, static: fixed });
    await expect(deleteAll(await run.pickSets())).rejects.toMatchObject({
      code: 'read-only',
      message: expect.stringContaining('curation_0_virus.json'),
    });
    expect((await run.pickSets()).map(({ root }) => root)).toEqual(['overlay', 'static', 'overlay']);
  });

  it('deleteAll accepts an empty list', async () => {
    expect(await deleteAll([])).toEqual([]);
  });
});

describe('deleteRun', () => {
  it('deleteRun deletes the run and its content from the overlay', async () => {
    const { project, overlay: store } = await open({ overlay });
    await project.deleteRun('TS_1');
    expect(await project.runs()).toEqual([]);
    expect(await store.list('/ExperimentRuns')).toEqual([]);
  });

  it("deleteRun keeps the run's part in the static tree", async () => {
    const { project, run } = await open({ overlay, static: fixed });
    await project.deleteRun('TS_1');
    expect((await run.pickSets()).map(({ root }) => root)).toEqual(['static', 'static']);
  });

  it('deleteRun refuses a run of the static tree alone', async () => {
    const { project, run } = await open({ static: fixed });
    await expect(run.delete()).rejects.toMatchObject({ code: 'read-only' });
    expect(await project.runs()).toHaveLength(1);
  });

  it.each(['TS_2', '..', '', '../TS_1'])('deleteRun reports that there is no run %j', async (name) => {
    const { project } = await open({ overlay });
    await expect(project.deleteRun(name)).rejects.toMatchObject({ code: 'not-found' });
    expect(await project.runs()).toHaveLength(1);
  });

  it('deleteRun rejects with the reason of an aborted signal, and leaves the run', async () => {
    const { project, run } = await open({ overlay });
    await expect(run.delete({ signal: AbortSignal.abort('stop') })).rejects.toBe('stop');
    expect(await project.runs()).toHaveLength(1);
  });
});

describe('refresh', () => {
  it('refresh forgets problems, reports again what is still broken, and keeps those of the config', async () => {
    const broken = { [`${picks}/me_1_virus.json`]: '{' } as const;
    const { project, run, told, overlay: store } = await open({ overlay: { ...overlay, ...broken } });
    await run.picks();
    await run.picks();
    expect(told).toHaveLength(1);
    project.refresh();
    expect(project.problems).toEqual([]);
    await run.picks();
    expect(told).toHaveLength(2);
    await store.delete(`${picks}/me_1_virus.json`);
    project.refresh();
    await run.picks();
    expect(project.problems).toEqual([]);
  });

  it('refresh clears the caches of both stores', async () => {
    const asked: string[] = [];
    const store = (name: string) => ({ ...memoryStore(), refresh: () => void asked.push(name) });
    const project = projectFromStores({
      config: { ...config, problems: ['odd'] },
      overlay: store('overlay'),
      static: store('static'),
    });
    project.refresh();
    expect(asked).toEqual(['overlay', 'static']);
    expect(project.problems).toEqual([{ path: 'config', message: 'odd' }]);
  });
});
