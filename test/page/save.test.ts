import { expect, it } from 'vitest';
import type { Run } from '../../src/entry/copick.ts';
import { detectCandidates, detectProject, type ParticlePick } from '../../src/entry/index.ts';
import { addPick, decide, deletePick, editPick, step } from '../../src/page/navigate.ts';
import { freeSession, isConflict } from '../../src/page/save.ts';
import {
  addFar,
  kept as browser,
  drain,
  leavePages,
  model,
  noisyProject,
  type OpenedPage,
  openPage,
  pause,
  stubBrowser,
} from '../support/page-workspace.ts';

stubBrowser();

const virus = (x: number): ParticlePick => ({ object: 'virus', position: { x, y: 10, z: 10 }, score: 0.5 });
const mine = { userId: 'me', sessionId: '1' };
const rejects = { userId: 'me-rejected', sessionId: '1' };

async function detected() {
  const given = await noisyProject({ runs: ['TS_1'] });
  await drain(detectProject(given.project, { model }));
  const run = await given.project.run('TS_1');
  const counts = async (name: { userId: string; sessionId: string } = mine) => (await run.picks(name)).length;
  return { given, run, counts };
}

/** Rejects the best pick that is not decided. */
function reject({ page }: OpenedPage): void {
  const pick = page.review().kept.find(({ decision }) => decision === undefined);
  editPick(page, pick!.id, { decision: 'rejected' });
}

const textOf = async (run: Run, name: { userId: string; sessionId: string }) =>
  JSON.stringify((await run.picks(name)).map(({ object, position, score }) => [object, position, score]));

it('what was rejected in earlier reviews of a set stays rejected when more is, and none of it is lost', async () => {
  const { given, counts } = await detected();
  const first = await openPage(given);
  reject(first);
  reject(first);
  await first.save();
  expect([await counts(), await counts(rejects)]).toEqual([93, 2]);
  reject(first);
  await first.save();
  expect([await counts(), await counts(rejects)]).toEqual([92, 3]);
  const later = await openPage(given);
  expect(later.page.live.state.set).toBe('me/1');
  expect(later.counts()).toEqual({ kept: 92, rejected: 3 });
  reject(later);
  await later.save();
  expect([await counts(), await counts(rejects)]).toEqual([91, 4]);
});

it('a pick that was rejected and saved can be taken back, and one that was accepted be undecided again', async () => {
  const { given, run, counts } = await detected();
  const opened = await openPage(given);
  const [a, b] = opened.page.review().kept;
  editPick(opened.page, a!.id, { decision: 'rejected' });
  editPick(opened.page, b!.id, { decision: 'accepted' });
  await opened.save();
  const { page, save } = await openPage(given);
  editPick(page, a!.id, {});
  editPick(page, b!.id, {});
  await save();
  expect([await counts(), await counts(rejects)]).toEqual([95, 0]);
  expect((await run.picks(mine)).map(({ unknown }) => unknown?.reviewed).filter(Boolean)).toEqual([]);
});

it('the estimate of false picks is of the picks that nobody has decided about', async () => {
  const { given } = await detected();
  const opened = await openPage(given);
  const { page } = opened;
  reject(opened);
  page.live.change({ object: 'virus' });
  addFar(page);
  const estimated = Object.values(page.falsePicks()!).reduce((sum, { picks }) => sum + picks, 0);
  expect(estimated).toBe(94);
  for (const { id } of page.review().kept) editPick(page, id, { decision: 'accepted' });
  expect(Object.values(page.falsePicks()!).map(({ picks }) => picks)).toEqual([0, 0]);
});

it('a pick that was added is in the file once, however often the set is opened and saved', async () => {
  const { given, counts } = await detected();
  const first = await openPage(given);
  first.page.live.change({ object: 'virus' });
  addFar(first.page);
  await pause();
  await first.save();
  await pause();
  expect(await counts()).toBe(96);
  const { page, save, counts: shown } = await openPage(given);
  expect(shown()).toEqual({ kept: 96, rejected: 0 });
  await save();
  expect(await counts()).toBe(96);
  const added = page.review().kept.find(({ source }) => source === 'added');
  page.live.change({ selected: added!.id, object: 'virus' });
  deletePick(page);
  expect(shown().kept).toBe(95);
  await save();
  expect([await counts(), await counts(rejects)]).toEqual([95, 0]);
});

it.each([
  ['the truth', { userId: 'curation', sessionId: '0' }],
  ['the network', { userId: 'cryoet-picks', sessionId: '0' }],
  ['another person', { userId: 'anna', sessionId: '1' }],
])('the picks of %s are never replaced, read or not', async (_, theirs) => {
  const { given, run } = await detected();
  if (theirs.userId !== 'cryoet-picks') await run.writePicks([virus(10), virus(500)], theirs);
  const opened = await openPage(given);
  const { page, workspace, save } = opened;
  await workspace.openTruth(`${theirs.userId}/${theirs.sessionId}`);
  const before = await textOf(run, theirs);
  for (const set of ['cryoet-picks/0', `${theirs.userId}/${theirs.sessionId}`]) {
    await workspace.openSet(set);
    reject(opened);
    await expect(save(theirs)).rejects.toMatchObject({ code: 'conflict' });
    expect(await textOf(run, theirs)).toBe(before);
    expect(page.live.state.set).toBe(set);
  }
});

it('a set of the same name that somebody else wrote or changed meanwhile is kept, and so is one that is not under review', async () => {
  const { given, run } = await detected();
  const opened = await openPage(given);
  const { workspace, save } = opened;
  await run.writePicks([virus(10)], mine);
  reject(opened);
  await expect(save()).rejects.toSatisfy(isConflict);
  await save({ sessionId: '2' });
  expect(await textOf(run, mine)).toBe(JSON.stringify([['virus', virus(10).position, 0.5]]));
  await run.writePicks([virus(20)], { ...mine, sessionId: '2', objects: ['ribosome'] });
  reject(opened);
  await expect(save({ sessionId: '2' })).rejects.toSatisfy(isConflict);
  await workspace.openSet('cryoet-picks/0');
  await expect(save({ sessionId: '2' })).rejects.toSatisfy(isConflict);
  expect(await run.picks({ ...mine, sessionId: '2' })).toHaveLength(1);
});

it('a set of rejects that is there already stops both files, and its session does not count as free', async () => {
  const { given, run, counts } = await detected();
  const opened = await openPage(given);
  reject(opened);
  await run.writePicks([virus(10)], rejects);
  await expect(opened.save()).rejects.toSatisfy(isConflict);
  expect([await counts(), await counts(rejects)]).toEqual([0, 1]);
  expect(await freeSession(run, mine)).toBe('2');
});

it('a session that has only candidates does not count as free: they would be taken for those of the picks', async () => {
  const { run } = await detected();
  const { candidates } = await run.readCandidates({ userId: 'cryoet-picks', sessionId: '0' });
  await run.writeCandidates(candidates, mine);
  expect(await freeSession(run, mine)).toBe('2');
});

it('one saves over and over, before and after a reload, under a name with a space too', async () => {
  const { given, run } = await detected();
  for (const userId of ['me', 'Jane Doe']) {
    let opened = await openPage({ ...given, place: { set: 'cryoet-picks/0' } });
    for (let i = 1; i <= 3; i++) {
      reject(opened);
      const { label, kept, rejected } = await opened.save({ userId });
      expect([label, kept, rejected]).toEqual([userId === 'me' ? 'me/1' : 'Jane-Doe/1', 95 - i, i]);
      if (i === 2) opened = await openPage({ ...given, place: { set: label } });
    }
    expect(await run.picks({ userId: `${userId}-rejected`, sessionId: '1' })).toHaveLength(3);
  }
});

it('a review goes on after a reload under the name that was typed when it was saved', async () => {
  const { given } = await detected();
  const opened = await openPage(given);
  editPick(opened.page, opened.page.review().kept[0]!.id, { decision: 'accepted' });
  await opened.save({ userId: 'anna' });
  reject(opened);
  reject(opened);
  await pause();
  const { page, workspace } = await openPage({ ...given, place: { set: 'anna/1' } });
  expect(page.live.state.edits.size).toBe(3);
  expect(page.review().rejected).toHaveLength(2);
  expect([page.live.state.userId, page.live.state.sessionId]).toEqual(['anna', '1']);
  expect(workspace.review?.isOwn).toBe(true);
});

it('a run opens with the set that was saved last, whatever its name, unless another review is not saved', async () => {
  const { given } = await detected();
  const opened = await openPage(given);
  reject(opened);
  await opened.save({ userId: 'anna' });
  await pause();
  const again = await openPage(given);
  expect(again.page.live.state.set).toBe('anna/1');
  expect([again.page.live.state.userId, again.page.live.state.sessionId]).toEqual(['anna', '1']);
  await again.workspace.openSet('cryoet-picks/0');
  reject(again);
  await pause();
  expect((await openPage(given)).page.live.state.set).toBe('cryoet-picks/0');
});

it('looking at what was rejected changes neither where picks are saved nor what is in it', async () => {
  const { given } = await detected();
  const opened = await openPage(given);
  reject(opened);
  await opened.save();
  const { page, workspace, save } = await openPage({ ...given, place: { set: 'me-rejected/1' } });
  expect([page.live.state.userId, workspace.review?.isOwn]).toEqual(['me', false]);
  await expect(save()).rejects.toSatisfy(isConflict);
  await expect(save({ userId: 'me-rejected', sessionId: '2' })).rejects.toThrow('choose another name');
});

it('nothing is saved where there are no picks', async () => {
  const { given } = await detected();
  const { workspace, save } = await openPage(given);
  await workspace.openSet(undefined);
  await expect(save()).rejects.toThrow('There are no picks to save.');
});

it('edits of the last moment before a page is left are there when it is opened again', async () => {
  const { given } = await detected();
  const opened = await openPage(given);
  step(opened.page, 1);
  for (let i = 0; i < 5; i++) decide(opened.page, 'accepted');
  leavePages();
  const { page } = await openPage(given);
  expect([...page.live.state.edits.values()].map(({ decision }) => decision)).toEqual(Array(5).fill('accepted'));
});

it('edits just before another run or set is opened are there when one comes back', async () => {
  const given = await noisyProject({ runs: ['TS_1', 'TS_2'] });
  await drain(detectProject(given.project, { model }));
  const opened = await openPage(given);
  const { page, workspace } = opened;
  reject(opened);
  await workspace.openRun('TS_2');
  reject(opened);
  await workspace.openSet(undefined);
  await workspace.openSet('cryoet-picks/0');
  expect(page.review().rejected).toHaveLength(1);
  await workspace.openRun('TS_1');
  expect(page.review().rejected).toHaveLength(1);
});

it('a draft ends when it is saved: the set that was reviewed opens as it is', async () => {
  const { given } = await detected();
  browser.clear();
  const opened = await openPage(given);
  reject(opened);
  await pause();
  await opened.save();
  await pause();
  const { counts } = await openPage({ ...given, place: { set: 'cryoet-picks/0' } });
  expect(counts()).toEqual({ kept: 95, rejected: 0 });
  expect(browser.size).toBe(0);
});

it('a draft says how many of its decisions are about picks that are gone', async () => {
  const { given } = await detected();
  const opened = await openPage(given);
  for (let i = 0; i < 3; i++) reject(opened);
  await pause();
  await drain(detectProject(given.project, { model, thresholds: { ribosome: 0.99 }, floors: 0.99, overwrite: true }));
  const { page } = await openPage(given);
  const gone = 3 - page.review().rejected.length;
  if (gone > 0) expect(page.live.state.message?.text).toMatch(new RegExp(`^${gone} decisions`));
});

it('edits that are made while a review is being saved go on', async () => {
  const { given } = await detected();
  const opened = await openPage(given);
  const { page } = opened;
  page.live.change({ object: 'virus' });
  addFar(page);
  const id = page.live.state.selected!;
  const { set } = given.overlay;
  let isBegun = false;
  given.overlay.set = async (key, ...rest) => {
    if (!isBegun && key.includes('me_1')) {
      isBegun = true;
      reject(opened);
      editPick(page, id, { ...page.live.state.edits.get(id), position: { x: 901, y: 900, z: 900 } });
    }
    return set(key, ...rest);
  };
  await opened.save();
  expect(opened.counts()).toEqual({ kept: 95, rejected: 1 });
  expect(page.review().kept.some(({ position }) => position.x === 901)).toBe(true);
  expect(page.review().kept.some(({ position }) => position.x === 900)).toBe(false);
  expect(page.live.state.edits).not.toBe(page.live.state.savedEdits);
  await opened.save();
  expect((await openPage(given)).counts()).toEqual({ kept: 95, rejected: 1 });
});

it('what the page has found is saved as a set of the network, and the slider of the review goes lower after a reload', async () => {
  const given = await noisyProject({ runs: ['TS_1'] });
  const opened = await openPage(given);
  const { workspace } = opened;
  const { choice, sources } = workspace.opened!;
  const candidates = await detectCandidates(sources[0]!, { model });
  await workspace.showDetection({ run: 'TS_1', tomogram: choice, level: 0, model, candidates });
  reject(opened);
  expect(await opened.save()).toMatchObject({ label: 'me/1', network: 'cryoet-picks/0', kept: 94, rejected: 1 });
  const network = await openPage({ ...given, place: { set: 'cryoet-picks/0' } });
  expect(network.counts()).toEqual({ kept: 95, rejected: 0 });
  for (const { page, counts } of [opened, await openPage(given)]) {
    expect(page.live.state.set).toBe('me/1');
    expect(counts()).toEqual({ kept: 94, rejected: 1 });
    page.live.change({ thresholds: { ribosome: 0.5, virus: 2 } });
    expect(counts().kept).toBeGreaterThan(94);
  }
});

it('a conflict says that nothing was written, or what was: rejects are, before somebody else writes the picks', async () => {
  const { given, run, counts } = await detected();
  const opened = await openPage(given);
  reject(opened);
  const { set } = given.overlay;
  given.overlay.set = async (key, ...rest) => {
    if (key.includes('me-rejected') && key.endsWith('.json')) {
      given.overlay.set = set;
      await run.writePicks([virus(10)], { ...mine, objects: ['ribosome', 'virus'] });
    }
    return set.call(given.overlay, key, ...rest);
  };
  const told = await opened.save().catch((error: Error) => error);
  expect(isConflict(told)).toBe(true);
  expect((told as Error).message).toMatch(/Written before that: me-rejected\/1\.$/);
  expect((told as Error).message).not.toContain('Nothing was written');
  expect([await counts(), await counts(rejects)]).toEqual([1, 1]);
  await expect(opened.save()).rejects.toThrow('Nothing was written.');
});

it('picks that were added without a set are there when one comes back to the run, and after a reload; saving ends that', async () => {
  const given = await noisyProject({ runs: ['TS_1', 'TS_2'] });
  const opened = await openPage(given);
  const { page, workspace } = opened;
  page.live.change({ object: 'virus' });
  addPick(page, { x: 10, y: 20, z: 30 });
  await workspace.openRun('TS_2');
  expect(opened.counts().kept).toBe(0);
  await workspace.openRun('TS_1');
  expect(page.review().kept.map(({ position }) => position)).toEqual([{ x: 10, y: 20, z: 30 }]);
  expect(page.live.state.message?.text).toMatch(/^The review of \d+ .* goes on/);
  await pause();
  const again = await openPage(given);
  expect(again.counts().kept).toBe(1);
  expect(await again.save()).toMatchObject({ kept: 1 });
  await pause();
  const { page: last, workspace: later } = await openPage(given);
  expect([last.live.state.set, last.review().kept.length]).toEqual(['me/1', 1]);
  await later.openSet(undefined);
  expect(last.review().kept).toHaveLength(0);
  await later.openRun('TS_2');
  await later.openRun('TS_1');
  expect(last.live.state.set).toBeUndefined();
});

it('a review that goes on selects the first undecided pick and shows it, unless the address names a place', async () => {
  const { given } = await detected();
  const first = await openPage(given);
  step(first.page, 1);
  for (let i = 0; i < 3; i++) decide(first.page, 'accepted');
  const next = first.page.live.state.selected;
  await pause();
  const { page } = await openPage(given);
  expect(page.live.state.selected).toBe(next);
  expect(page.live.state.position).toEqual(page.review().all.find(({ id }) => id === next)!.position);
  expect(page.live.state.message).toMatchObject({ text: expect.stringMatching(/not saved yet/), isError: false });
  const position = { x: 11, y: 12, z: 13 };
  const placed = await openPage({ ...given, place: { position } });
  expect([placed.page.live.state.selected, placed.page.live.state.position]).toEqual([next, position]);
  await placed.save();
  const saved = await openPage(given);
  expect(saved.page.live.state.selected).toBe(next);
  expect(saved.page.live.state.message?.text).not.toMatch(/saved/);
});

it('a review that a full browser cannot keep is told of once, not at every change', async () => {
  const { given } = await detected();
  const opened = await openPage({ ...given, wrap: (one) => ({ ...one, drafts: undefined }) });
  const told: string[] = [];
  opened.page.live.watch(['message'], ({ message }) => message?.isError && told.push(message.text));
  const { setItem } = localStorage;
  localStorage.setItem = () => {
    throw new Error('the quota has been exceeded');
  };
  try {
    for (let i = 0; i < 3; i++) {
      reject(opened);
      await pause();
    }
    leavePages();
  } finally {
    localStorage.setItem = setItem;
  }
  expect(told).toEqual([expect.stringMatching(/^Changes are not kept .*quota/)]);
});
