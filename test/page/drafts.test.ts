import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CryoetPicksError, type ErrorCode, memoryStore, type Store } from '../../src/entry/index.ts';
import { type Draft, draftsIn } from '../../src/page/drafts.ts';
import { editPick } from '../../src/page/navigate.ts';
import { kept, leavePages, noisyProject, openPage, pause, stubBrowser } from '../support/page-workspace.ts';

beforeAll(stubBrowser);
beforeEach(() => kept.clear());

const of = { run: 'TS_1', set: 'me/1', person: 'me' };
const draft = (time: number): Draft => ({
  changes: new Map([['a', { decision: 'rejected' }]]),
  thresholds: {},
  time,
});

/** A store whose next calls of one kind fail. */
function failing(
  call: 'get' | 'set',
  code: ErrorCode,
  times: number,
): { readonly store: Store; readonly calls: string[] } {
  const inner = memoryStore();
  const calls: string[] = [];
  let left = times;
  const fails = (key: string) => {
    calls.push(key);
    if (left-- > 0) throw new CryoetPicksError(code, `${key}: 4 other values are being written`);
  };
  const store: Store = {
    ...inner,
    async get(key, options) {
      if (call === 'get') fails(key);
      return inner.get(key, options);
    },
    async set(key, value, options) {
      if (call === 'set') fails(key);
      return inner.set(key, value, options);
    },
  };
  return { store, calls };
}

describe('drafts', () => {
  it('a draft that a busy store refuses is in the browser, and the next one is beside the picks again', async () => {
    const { store, calls } = failing('set', 'unavailable', 1);
    const drafts = draftsIn({ drafts: store, idOf: () => 'test' });
    await drafts.write(of, draft(1));
    expect([kept.size, await drafts.read(of)]).toEqual([1, draft(1)]);
    await drafts.write(of, draft(2));
    await drafts.write(of, draft(3));
    expect([calls.length, kept.size]).toEqual([3, 0]);
    expect(await draftsIn({ drafts: store, idOf: () => 'test' }).read(of)).toEqual(draft(3));
  });

  it('what is kept as the page is left outlives a draft that was on its way then, of the same millisecond, too', async () => {
    for (const time of [2, 3]) {
      const inner = memoryStore();
      let arrive = () => {};
      const store: Store = {
        ...inner,
        async set(key, value, options) {
          await new Promise<void>((resolve) => {
            arrive = resolve;
          });
          return inner.set(key, value, options);
        },
      };
      const drafts = draftsIn({ drafts: store, idOf: () => 'project' });
      const written = drafts.write(of, draft(2));
      await pause();
      const last = { ...draft(time), changes: new Map([['b', { decision: 'accepted' }]]) } as Draft;
      drafts.writeNow(of, last);
      arrive();
      await written;
      expect(await drafts.read(of)).toEqual(last);
      kept.clear();
    }
  });

  it('a store that cannot be written is asked once', async () => {
    const { store, calls } = failing('set', 'read-only', 9);
    const drafts = draftsIn({ drafts: store, idOf: () => 'test' });
    for (const time of [1, 2, 3]) await drafts.write(of, draft(time));
    expect([calls.length, await drafts.read(of)]).toEqual([1, draft(3)]);
  });

  it('a draft that cannot be read now is an error, so that no new one replaces it', async () => {
    const { store } = failing('get', 'unavailable', 1);
    const drafts = draftsIn({ drafts: store, idOf: () => 'test' });
    await drafts.write(of, draft(1));
    await expect(drafts.read(of)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await drafts.read(of)).toEqual(draft(1));
  });

  it('a review shows nothing while its draft cannot be read, and goes on when it can', async () => {
    const { project, overlay } = await noisyProject({ runs: ['TS_1'] });
    const picks = [1, 2, 3].map((x) => ({ object: 'virus', position: { x, y: 5, z: 5 }, score: x / 4 }));
    await (await project.run('TS_1')).writePicks(picks, { userId: 'lab', sessionId: '1' });
    const one = await openPage({ project, overlay });
    editPick(one.page, one.page.review().kept[0]!.id, { decision: 'rejected' });
    await pause();
    let isDown = true;
    const busy: Store = {
      ...overlay,
      async get(key, options) {
        if (isDown && key.endsWith('.review')) throw new CryoetPicksError('unavailable', 'the server is busy');
        return overlay.get(key, options);
      },
    };
    const two = await openPage({ project, overlay: busy });
    expect(two.counts()).toEqual({ kept: 0, rejected: 0 });
    expect(two.page.live.state.message?.text).toBe('the server is busy');
    isDown = false;
    await two.workspace.openSet('lab/1');
    expect(two.counts()).toEqual({ kept: 2, rejected: 1 });
    leavePages();
  });
});
