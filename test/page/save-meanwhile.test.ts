import { expect, it } from 'vitest';
import { projectFromStores, type Run } from '../../src/entry/copick.ts';
import { detectCandidates, detectProject, type Store } from '../../src/entry/index.ts';
import { addPick, editPick } from '../../src/page/navigate.ts';
import { isConflict } from '../../src/page/save.ts';
import { named } from '../../src/page/state.ts';
import {
  addFar,
  drain,
  model,
  noisyProject,
  type OpenedPage,
  openPage,
  pause,
  stubBrowser,
} from '../support/page-workspace.ts';

stubBrowser();

const mine = { userId: 'me', sessionId: '1' };
const rejects = { userId: 'me-rejected', sessionId: '1' };

/** As over a network: each call takes some milliseconds. */
function slow(store: Store, milliseconds: number): Store {
  const late =
    <A extends readonly unknown[], R>(call: (...given: A) => Promise<R>) =>
    async (...given: A) => {
      await pause(milliseconds);
      return call(...given);
    };
  const { get, getRange, list, set, version } = store;
  return {
    ...store,
    get: late(get),
    ...(getRange && { getRange: late(getRange) }),
    list: late(list),
    set: late(set),
    ...(version && { version: late(version) }),
  };
}

/** A project whose runs were searched, and a page that reads and writes it slowly. */
async function detected({ delay = 0, isSearched = true } = {}) {
  const given = await noisyProject({ runs: ['TS_1', 'TS_2'] });
  if (isSearched) await drain(detectProject(given.project, { model }));
  const overlay = slow(given.overlay, delay);
  const { config, staticStore } = given.project;
  const shown = delay === 0 ? given : { project: projectFromStores({ config, overlay, static: staticStore }), overlay };
  const [one, two] = await Promise.all([given.project.run('TS_1'), given.project.run('TS_2')]);
  return { given, shown, one, two };
}

/** Rejects the best pick that is not decided. */
function reject({ page }: OpenedPage): void {
  editPick(page, page.review().kept.find(({ decision }) => decision === undefined)!.id, { decision: 'rejected' });
}

const idsOf = (picks: Parameters<typeof named>[0]) =>
  named(picks)
    .map(({ id }) => id)
    .sort();
const filed = async (run: Run) => [idsOf(await run.picks(mine)), idsOf(await run.picks(rejects))];
const shownIn = ({ page }: OpenedPage) => [idsOf(page.review().kept), idsOf(page.review().rejected)];

/** Calls `does` before the first file of a person's set is written, and waits for it. */
function atFirstWrite(overlay: Store, does: () => Promise<void> | void): void {
  const { set } = overlay;
  overlay.set = async (key, ...rest) => {
    if (key.includes('/me') && key.endsWith('.json')) {
      overlay.set = set;
      await does();
    }
    return set.call(overlay, key, ...rest);
  };
}

it.each([0, 30, 60, 120])(
  'a save writes what showed when it began, though the next run is opened %i ms later',
  async (wait) => {
    const { shown, one, two } = await detected({ delay: 8 });
    const opened = await openPage(shown);
    reject(opened);
    await opened.save();
    reject(opened);
    const wanted = shownIn(opened);
    const saving = opened.save();
    if (wait > 0) await pause(wait);
    const stepping = opened.workspace.openRun('TS_2');
    expect(await saving).toMatchObject({ kept: 93, rejected: 2 });
    await stepping;
    expect(await filed(one)).toEqual(wanted);
    expect(await filed(two)).toEqual([[], []]);
    expect([opened.page.live.state.run, opened.page.live.state.edits.size]).toEqual(['TS_2', 0]);
    await opened.workspace.openRun('TS_1');
    expect(shownIn(opened)).toEqual(wanted);
  },
  20_000,
);

it('a save writes what showed when it began, though another set is opened at once, which shows afterwards', async () => {
  const { shown, one } = await detected({ delay: 8 });
  await one.writePicks([{ object: 'virus', position: { x: 20, y: 20, z: 20 }, score: 1 }], {
    userId: 'curation',
    sessionId: '0',
  });
  const opened = await openPage({ ...shown, place: { set: 'cryoet-picks/0' } });
  for (const count of [1, 2]) {
    reject(opened);
    const wanted = shownIn(opened);
    const saving = opened.save();
    const choosing = opened.workspace.openSet('curation/0');
    reject(opened);
    expect(await saving).toMatchObject({ label: 'me/1', kept: 95 - count, rejected: count });
    await choosing;
    expect(await filed(one)).toEqual(wanted);
    expect([opened.page.live.state.set, opened.page.review().kept.length]).toEqual(['curation/0', 1]);
    await opened.workspace.openSet('me/1');
    // What was rejected meanwhile goes on in the set that was saved.
    expect(opened.counts()).toEqual({ kept: 94 - count, rejected: count + 1 });
    undoAll(opened);
  }
});

/** Takes back what is not saved. */
function undoAll({ page }: OpenedPage): void {
  const { savedEdits, edits } = page.live.state;
  for (const id of edits.keys()) if (!savedEdits.has(id)) editPick(page, id, {});
}

it.each(['a set of the network', 'a set of their own', 'what was just found'])(
  'what a person decides about %s while it is being saved is there when they leave the run and come back, and after a reload',
  async (what) => {
    const { given } = await detected({ isSearched: what !== 'what was just found' });
    const opened = await openPage(given);
    const { page, workspace } = opened;
    if (what === 'what was just found') {
      const { choice, sources } = workspace.opened!;
      const candidates = await detectCandidates(sources[0]!, { model });
      await workspace.showDetection({ run: 'TS_1', tomogram: choice, level: 0, model, candidates });
    }
    reject(opened);
    if (what === 'a set of their own') {
      await opened.save();
      reject(opened);
    }
    page.live.change({ object: 'virus' });
    addFar(page);
    const added = page.live.state.selected!;
    let decided: string[][] = [];
    atFirstWrite(given.overlay, async () => {
      reject(opened);
      editPick(page, added, { ...page.live.state.edits.get(added), position: { x: 901, y: 900, z: 900 } });
      decided = shownIn(opened);
      await workspace.openRun('TS_2');
    });
    await opened.save();
    expect(page.live.state.run).toBe('TS_2');
    await workspace.openRun('TS_1');
    expect(page.live.state.set).toBe('me/1');
    expect(shownIn(opened)).toEqual(decided);
    expect(page.live.state.edits).not.toBe(page.live.state.savedEdits);
    expect(shownIn(await openPage(given))).toEqual(decided);
  },
);

it('a save that fails after its run was left loses no decision, not even about what was just found', async () => {
  const { given } = await detected({ isSearched: false });
  const opened = await openPage(given);
  const { workspace } = opened;
  const { choice, sources } = workspace.opened!;
  const candidates = await detectCandidates(sources[0]!, { model });
  await workspace.showDetection({ run: 'TS_1', tomogram: choice, level: 0, model, candidates });
  reject(opened);
  const { set } = given.overlay;
  let isLeft = false;
  given.overlay.set = async (key, ...rest) => {
    if (!isLeft) {
      isLeft = true;
      reject(opened);
      await workspace.openRun('TS_2');
    }
    if (key.includes('/me') && key.endsWith('.json')) throw new Error('the disk is full');
    return set.call(given.overlay, key, ...rest);
  };
  await expect(opened.save()).rejects.toThrow('full');
  given.overlay.set = set;
  await workspace.openRun('TS_1');
  expect(opened.page.live.state.set).toBe('cryoet-picks/0');
  expect(opened.counts()).toEqual({ kept: 93, rejected: 2 });
});

it('what a search finds while what it found before is being saved stays, to be saved as well', async () => {
  const { given } = await detected({ isSearched: false });
  const opened = await openPage(given);
  const { page, workspace } = opened;
  const { choice, sources } = workspace.opened!;
  const found = async () => ({
    ...{ run: 'TS_1', tomogram: choice, level: 0, model },
    candidates: await detectCandidates(sources[0]!, { model }),
  });
  await workspace.showDetection(await found());
  let showing: Promise<void> | undefined;
  const later = await found();
  atFirstWrite(given.overlay, () => {
    showing = workspace.showDetection(later);
  });
  await opened.save();
  await showing;
  expect([page.live.state.set, [...page.live.state.unsaved]]).toEqual(['found, not saved', ['TS_1']]);
  expect(page.live.state.candidates).toBe(later.candidates);
});

it('a save that goes on while another project is opened writes the first one, and keeps its drafts there', async () => {
  const [first, second] = [await detected(), await detected()];
  const opened = await openPage(first.given);
  const other = await openPage(second.given);
  reject(opened);
  atFirstWrite(first.given.overlay, async () => {
    reject(opened);
    await opened.workspace.open(other.workspace.collection!, { thresholds: {}, hidden: [] });
  });
  expect(await opened.save()).toMatchObject({ kept: 94, rejected: 1 });
  expect(opened.counts()).toEqual({ kept: 95, rejected: 0 });
  expect(await filed(second.one)).toEqual([[], []]);
  expect((await openPage(first.given)).counts()).toEqual({ kept: 93, rejected: 2 });
});

it('one save goes on at a time: a second one is refused, without a conflict, and the first writes all', async () => {
  const { shown, one } = await detected({ delay: 5 });
  const opened = await openPage(shown);
  for (const count of [1, 2]) {
    reject(opened);
    const [first, second] = await Promise.allSettled([opened.save(), opened.save()]);
    expect(first).toMatchObject({ value: { label: 'me/1', kept: 95 - count, rejected: count } });
    expect(second).toMatchObject({ reason: { message: expect.stringContaining('still being saved') } });
    expect((await filed(one)).map(({ length }) => length)).toEqual([95 - count, count]);
  }
});

it('nothing is saved or added in a run whose picks have not been read yet, and the page says so', async () => {
  const { shown, two } = await detected({ delay: 20 });
  const opened = await openPage(shown);
  const { page, workspace } = opened;
  const opening = workspace.openRun('TS_2');
  for (let isOpen = false; !isOpen; isOpen = workspace.run !== undefined) await pause(5);
  page.live.change({ object: 'virus' });
  addPick(page, { x: 5, y: 5, z: 5 });
  expect(page.live.state.edits.size).toBe(0);
  expect(page.live.state.message?.text).toMatch(/not been read yet/);
  await expect(opened.save()).rejects.toThrow('not been read yet');
  await opening;
  addFar(page);
  expect(opened.counts().kept).toBe(1 + (await two.picks({ userId: 'cryoet-picks' })).length);
  expect(await filed(two)).toEqual([[], []]);
});

it('a conflict with another program during a save names the set, and no hidden file', async () => {
  const { given, one } = await detected();
  const opened = await openPage(given);
  reject(opened);
  await opened.save();
  reject(opened);
  const objects = (await one.pickSets(rejects)).map(({ object }) => object);
  const { set } = given.overlay;
  given.overlay.set = async (key, ...rest) => {
    // All has been checked; the record is written first.
    if (key.includes('.me-rejected')) {
      given.overlay.set = set;
      await one.writePicks([], {
        ...rejects,
        objects,
        provenance: Object.fromEntries(objects.map((name) => [name, {}])),
      });
    }
    return set.call(given.overlay, key, ...rest);
  };
  const told = await opened.save().catch((error: unknown) => error);
  expect(isConflict(told)).toBe(true);
  expect((told as Error).message).toBe('me-rejected/1 was written by another program or page during this save.');
});
