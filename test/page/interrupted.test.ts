import { expect, it } from 'vitest';
import { detectProject, type Store } from '../../src/entry/index.ts';
import { editPick } from '../../src/page/navigate.ts';
import { isConflict } from '../../src/page/save.ts';
import { named } from '../../src/page/state.ts';
import {
  addFar,
  kept as browser,
  drain,
  killPages,
  leavePages,
  model,
  noisyProject,
  openPage,
  stubBrowser,
} from '../support/page-workspace.ts';

stubBrowser();

const mine = { userId: 'me', sessionId: '1' };
const rejects = { userId: 'me-rejected', sessionId: '1' };

type Given = Awaited<ReturnType<typeof noisyProject>>;

async function detected(): Promise<Given> {
  const given = await noisyProject({ runs: ['TS_1'] });
  await drain(detectProject(given.project, { model }));
  return given;
}

/** The picks of a set, by name. */
async function filed({ project }: Given, author: typeof mine): Promise<string[]> {
  return named(await (await project.run('TS_1')).picks(author))
    .map(({ id }) => id)
    .sort();
}

/** Saves, and is killed before the write of this number: nothing is written any more, and nothing of it is noticed. */
async function killedAt(
  given: Given,
  write: number,
  save: () => Promise<unknown>,
): Promise<{ readonly isDone: boolean }> {
  const { set } = given.overlay;
  const remove = given.overlay.delete;
  let count = 0;
  let kill: () => void = () => undefined;
  const killed = new Promise<'killed'>((resolve) => {
    kill = () => resolve('killed');
  });
  const hang = () => {
    kill();
    return new Promise<never>(() => undefined);
  };
  Object.assign(given.overlay, {
    set: (...call: Parameters<Store['set']>) => (count++ < write ? set.apply(given.overlay, call) : hang()),
    delete: (...call: Parameters<Store['delete']>) => (count < write ? remove.apply(given.overlay, call) : hang()),
  });
  const end = await Promise.race([save().then(() => 'done' as const), killed]);
  killPages();
  Object.assign(given.overlay, { set, delete: remove });
  return { isDone: end === 'done' };
}

/** Rejects two picks of each object, adds one, and accepts another. */
async function reviewed(given: Given) {
  const opened = await openPage({ ...given, place: { set: 'cryoet-picks/0' } });
  const { page } = opened;
  const { kept } = page.review();
  for (const object of ['ribosome', 'virus']) {
    const [a, b] = kept.filter((pick) => pick.object === object);
    for (const { id } of [a!, b!]) editPick(page, id, { decision: 'rejected' });
  }
  page.live.change({ object: 'virus' });
  addFar(page);
  return opened;
}

/** A review of the person's own set: two rejects are taken back, two others are rejected, one is moved and rejected, one renamed. */
async function goneOn(given: Given) {
  const { save } = await reviewed(given);
  await save();
  const opened = await openPage({ ...given, place: { set: 'me/1' } });
  const { page } = opened;
  const { kept, rejected } = page.review();
  for (const object of ['ribosome', 'virus']) {
    editPick(page, rejected.find((pick) => pick.object === object)!.id, {});
    editPick(page, kept.find((pick) => pick.object === object)!.id, { decision: 'rejected' });
  }
  const [, { id, position }] = kept.filter((pick) => pick.object === 'virus') as [unknown, (typeof kept)[number]];
  editPick(page, id, { position: { ...position, x: position.x + 7 }, decision: 'rejected' });
  const renamed = kept.findLast((pick) => pick.object === 'ribosome')!;
  // Away from the others, which it would take out.
  editPick(page, renamed.id, { object: 'virus', position: { x: 950, y: 20, z: 2000 } });
  return opened;
}

it('a first save that is killed at any write goes on after a reload, and the next save writes what it would have written', async () => {
  const whole = await detected();
  await (await reviewed(whole)).save();
  const wanted = [await filed(whole, mine), await filed(whole, rejects)];
  expect(wanted.map(({ length }) => length)).toEqual([92, 4]);
  for (let write = 0; ; write++) {
    leavePages();
    browser.clear();
    const given = await detected();
    const { save } = await reviewed(given);
    leavePages();
    const { isDone } = await killedAt(given, write, save);
    const first = await openPage(given);
    const isOwn = first.page.live.state.set === 'me/1';
    const told = first.page.live.state.message?.text;
    const ours = await filed(given, mine);
    // What is there but not whole is told, with the set in which the review goes on.
    if (isOwn && ours.length < 92) expect(told).toMatch(/me\/1 was not saved to the end.*cryoet-picks\/0/);
    const again = isOwn && ours.length === 92 ? first : await openPage({ ...given, place: { set: 'cryoet-picks/0' } });
    expect(again.counts()).toEqual({ kept: 92, rejected: 4 });
    await again.save();
    expect([await filed(given, mine), await filed(given, rejects)]).toEqual(wanted);
    if (isDone) break;
  }
}, 60_000);

it('a later save that is killed at any write leaves each pick in one set, decided as before or after it, with or without its draft', async () => {
  const whole = await detected();
  await (await goneOn(whole)).save();
  const wanted = [await filed(whole, mine), await filed(whole, rejects)];
  for (const hasDraft of [true, false]) {
    for (let write = 0; ; write++) {
      leavePages();
      browser.clear();
      const given = await detected();
      const opened = await goneOn(given);
      if (hasDraft) leavePages();
      const { isDone } = await killedAt(given, write, opened.save);
      const { page, save, counts } = await openPage({ ...given, place: { set: 'me/1' } });
      const ids = page.review().all.map(({ id }) => id);
      expect(new Set(ids).size).toBe(96);
      expect(ids.filter((id) => id.includes('#'))).toEqual([]);
      if (hasDraft) {
        expect(counts()).toEqual({ kept: 91, rejected: 5 });
        await save();
        expect([await filed(given, mine), await filed(given, rejects)]).toEqual(wanted);
      }
      if (isDone) break;
    }
  }
}, 120_000);

it('rejects without their picks are kept where other picks are saved, and a session that is free is offered', async () => {
  const given = await detected();
  const { save } = await reviewed(given);
  await killedAt(given, 4, save);
  expect([(await filed(given, mine)).length, (await filed(given, rejects)).length]).toEqual([0, 4]);
  leavePages();
  browser.clear();
  const other = await openPage({ ...given, place: { set: 'cryoet-picks/0' } });
  await expect(other.save()).rejects.toSatisfy(isConflict);
  expect(await filed(given, rejects)).toHaveLength(4);
});
