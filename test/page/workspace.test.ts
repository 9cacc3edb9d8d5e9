import { expect, it } from 'vitest';
import { detectCandidates, detectProject, sourceFromArray, type VolumeSource } from '../../src/entry/index.ts';
import type { Collection, OpenRun } from '../../src/page/collection.ts';
import { questionBeforeSearch, reviewBefore, searchedObjects } from '../../src/page/detect-dialog.ts';
import { addPick, editPick, listed } from '../../src/page/navigate.ts';
import { questionBefore } from '../../src/page/open-dialog.ts';
import { isUnsaved, unknownObject } from '../../src/page/state.ts';
import { formatPlace } from '../../src/page/url.ts';
import { drain, model, noisyProject, openPage, pause, stubBrowser } from '../support/page-workspace.ts';

stubBrowser();

async function detected(tomograms = ['denoised']) {
  const given = await noisyProject({ tomograms });
  await drain(detectProject(given.project, { model, tomogram: 'denoised' }));
  return given;
}

/** A collection whose runs are opened in another way. */
const opening =
  (open: (run: OpenRun, name: string) => OpenRun | Promise<OpenRun>) =>
  (real: Collection): Collection => ({
    ...real,
    open: async (name, signal) => open(await real.open(name, signal), name),
  });

/** A collection whose objects have radii, so that nothing is told when it opens. */
const withRadii = (real: Collection): Collection => ({
  ...real,
  objects: real.objects.map((object) => ({ ...object, radius: 80 })),
});

it('what was found in one run is neither shown nor saved in another, and is there when one comes back', async () => {
  const given = await detected();
  const { page, workspace, save } = await openPage(given);
  const { candidates } = page.live.state;
  const { choice } = workspace.opened!;
  let signal: AbortSignal | undefined;
  await page.desk.work('Detecting', async (work) => {
    signal = work.signal;
    await workspace.openRun('TS_2');
    const detection = { run: 'TS_1', tomogram: choice, level: 0, model, candidates: candidates! };
    await workspace.showDetection(detection);
  });
  expect(signal?.aborted).toBe(false);
  expect(page.live.state.set).toBe('cryoet-picks/0');
  await save();
  const [own, network] = await Promise.all(
    ['me', 'cryoet-picks'].map(async (userId) => (await given.project.run('TS_2')).picks({ userId })),
  );
  expect(own!.map(({ position }) => position)).toEqual(network!.map(({ position }) => position));
  await workspace.openRun('TS_1');
  expect(page.live.state.set).toBe('found, not saved');
  expect(page.review().kept).toHaveLength(95);
});

it('what was found is listed, though there are no picks of the object at hand, and what was done before is said to be where it is', async () => {
  const given = await noisyProject({ runs: ['TS_1'] });
  const { page, workspace } = await openPage(given);
  const { choice, sources } = workspace.opened!;
  page.live.change({ object: 'ribosome' });
  expect(reviewBefore(page.live.state)).toBe('');
  addPick(page, { x: 1, y: 2, z: 3 });
  expect(reviewBefore(page.live.state)).toBe(
    ' The change that you made before stays under "— none —" in the list of pick sets.',
  );
  const all = await detectCandidates(sources[0]!, { model });
  const candidates = { ...all, thresholds: { ...all.thresholds, ribosome: 1e6 } };
  await workspace.showDetection({ run: 'TS_1', tomogram: choice, level: 0, model, candidates });
  expect(page.live.state.object).toBe('virus');
  expect(listed(page).length).toBeGreaterThan(0);
  addPick(page, { x: 1, y: 2, z: 3 });
  expect(reviewBefore(page.live.state)).toBe('');
  await workspace.openSet(undefined);
  expect(page.review().kept).toHaveLength(1);
});

it('another project stops the work of the one before', async () => {
  const { workspace, page } = await openPage({ ...(await detected()), wrap: withRadii });
  let signal: AbortSignal | undefined;
  const working = page.desk.work('Detecting', (work) => {
    signal = work.signal;
    return new Promise((_, reject) => work.signal.addEventListener('abort', () => reject(work.signal.reason)));
  });
  await workspace.openRun('TS_2');
  expect(signal!.aborted).toBe(false);
  expect(page.live.state.work?.what).toBe('Detecting');
  await workspace.open(workspace.collection!, { thresholds: {}, hidden: [] });
  await working;
  expect(signal!.aborted).toBe(true);
  expect([page.live.state.work, page.live.state.message]).toEqual([undefined, undefined]);
});

it('other work does not begin before work has ended, which is told, and a cancelled one is no error', async () => {
  const { page } = await openPage(await detected());
  const until = (signal: AbortSignal) =>
    new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const first = page.desk.work('Detecting', ({ signal }) => until(signal));
  let isBegun = false;
  await page.desk.work('Exporting', async () => {
    isBegun = true;
  });
  expect([isBegun, page.desk.busy, page.live.state.work?.what]).toEqual([false, 'Detecting', 'Detecting']);
  expect(page.live.state.message?.text).toBe('Detecting goes on: wait until it has ended, or cancel it.');
  page.desk.cancel();
  await first;
  expect(page.desk.busy).toBeUndefined();
  expect(page.live.state.work).toBeUndefined();
  expect(page.live.state.message).toEqual({ text: 'Cancelled.', isError: false });
});

it('picks are not saved into the run before when a run cannot be opened', async () => {
  const given = await detected();
  const wrap = opening((run, name) => {
    if (name === 'TS_2') throw new Error('unreachable');
    return run;
  });
  const { page, workspace, save } = await openPage({ ...given, wrap });
  await workspace.openRun('TS_2');
  expect(page.live.state.message).toEqual({ text: 'unreachable', isError: true });
  expect([workspace.run, workspace.review, workspace.opened]).toEqual([undefined, undefined, undefined]);
  page.live.change({ object: 'virus' });
  addPick(page, { x: 1, y: 2, z: 3 });
  await expect(save()).rejects.toThrow('not open');
  for (const name of ['TS_1', 'TS_2'])
    expect(await (await given.project.run(name)).picks({ userId: 'me' })).toHaveLength(0);
});

it('a tomogram that cannot be opened leaves no voxels of the one before to look at or search', async () => {
  const wrap = opening((run) => ({
    ...run,
    tomograms: [
      ...run.tomograms,
      { ...run.tomograms[0]!, label: 'broken@10.000', open: () => Promise.reject(new Error('broken')) },
    ],
  }));
  const { page, workspace } = await openPage({ ...(await detected()), wrap });
  const { position } = page.live.state;
  expect(workspace.opened?.sources).toHaveLength(1);
  await workspace.openTomogram('broken@10.000');
  expect(page.live.state.tomogram).toBe('broken@10.000');
  expect([workspace.opened, page.volume, page.live.state.grid]).toEqual([undefined, undefined, undefined]);
  page.live.change({ position: { ...position, x: 17 } });
  await workspace.openTomogram('denoised@10.000');
  expect(page.live.state.position.x).toBe(17);
  expect(workspace.opened?.sources).toHaveLength(1);
});

it('a tomogram that opens late does not replace the one that was chosen after it', async () => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = sourceFromArray({ data: new Float32Array(8), shape: [2, 2, 2] });
  const wrap = opening((run) => ({
    ...run,
    tomograms: [...run.tomograms, { ...run.tomograms[0]!, label: 'slow@10.000', open: () => gate.then(() => [slow]) }],
  }));
  const { page, workspace } = await openPage({ ...(await detected()), wrap });
  const first = workspace.openTomogram('slow@10.000');
  await workspace.openTomogram('denoised@10.000');
  release();
  await first;
  expect(page.live.state.tomogram).toBe('denoised@10.000');
  expect(workspace.opened!.sources[0]!.grid.shape).toEqual([10, 16, 18]);
  expect(page.live.state.grid?.shape).toEqual([10, 16, 18]);
});

it('what was chosen goes along through runs, quickly or slowly, also past one without tomogram and candidates', async () => {
  const given = await noisyProject({ tomograms: ['denoised', 'wbp'] });
  await drain(detectProject(given.project, { model, tomogram: 'denoised', runs: ['TS_1', 'TS_3'] }));
  const wrap = opening((run, name) => (name === 'TS_2' ? { ...run, tomograms: [] } : run));
  for (const isQuick of [false, true]) {
    const { page, workspace } = await openPage({ ...given, wrap });
    await workspace.openTomogram('wbp@10.000');
    page.live.change({ thresholds: { ...page.live.state.thresholds, ribosome: 0.9 } });
    const step = workspace.openRun('TS_2');
    if (!isQuick) await step;
    await workspace.openRun('TS_3');
    await step;
    const { run, tomogram, thresholds } = page.live.state;
    expect([run, tomogram, thresholds]).toEqual(['TS_3', 'wbp@10.000', { ribosome: 0.9, virus: 2.6 }]);
  }
});

it('only thresholds that were moved go along: the next run shows its own picks, and the address keeps no others', async () => {
  const given = await noisyProject();
  await drain(detectProject(given.project, { model, runs: ['TS_1'] }));
  await drain(detectProject(given.project, { model, runs: ['TS_2'], thresholds: { ribosome: 0.9, virus: 2.8 } }));
  const { page, workspace } = await openPage(given);
  expect(formatPlace(page.live.state)).not.toContain('threshold');
  await workspace.openRun('TS_2');
  const picks = await (await given.project.run('TS_2')).picks();
  expect(page.review().kept).toHaveLength(picks.length);
  page.live.change({ thresholds: { ...page.live.state.thresholds, virus: 2.5 } });
  expect(formatPlace(page.live.state)).toMatch(/threshold.virus=2.5$/);
});

it('a threshold below the lowest shows as the lowest, and goes along as it was wished', async () => {
  const given = await noisyProject();
  await drain(detectProject(given.project, { model, runs: ['TS_1', 'TS_3'] }));
  await drain(detectProject(given.project, { model, runs: ['TS_2'], candidatesPerObject: 20 }));
  const place = { set: 'cryoet-picks/0', thresholds: { ribosome: -5 } };
  const { page, workspace } = await openPage({ ...given, place });
  const lowest = () => page.live.state.candidates!.lowestThresholds.ribosome!;
  expect(page.live.state.thresholds.ribosome).toBe(lowest());
  expect(page.live.state.message?.text).toMatch(
    /^The lowest threshold of ribosome is \d.*; the address asks for -5\.$/,
  );
  const wished = lowest() + 0.01;
  page.live.change({ thresholds: { ...page.live.state.thresholds, ribosome: wished } });
  await workspace.openRun('TS_2');
  expect(lowest()).toBeGreaterThan(wished);
  expect(page.live.state.thresholds.ribosome).toBe(lowest());
  await workspace.openRun('TS_3');
  expect(page.live.state.thresholds.ribosome).toBe(wished);
  page.live.change({ thresholds: page.live.state.usualThresholds });
  await workspace.openRun('TS_1');
  expect(page.live.state.thresholds).toEqual(page.live.state.usualThresholds);
});

it('the bar of reading ends with its run, though the next one has no tomogram', async () => {
  const given = await detected();
  // The chunk in the middle is measured, the other never comes.
  const endless = (source: VolumeSource): VolumeSource => ({
    ...source,
    chunkShape: [5, 16, 18],
    read: (box, options = {}) =>
      box.start[0] >= 5
        ? source.read(box, options)
        : new Promise((_, reject) => options.signal?.addEventListener('abort', () => reject(options.signal?.reason))),
  });
  const wrap = opening((run, name) => ({
    ...run,
    tomograms: run.tomograms
      .filter(() => name !== 'TS_2')
      .map((tomogram) => ({ ...tomogram, open: async (signal) => (await tomogram.open(signal)).map(endless) })),
  }));
  const { page, workspace } = await openPage({ ...given, wrap });
  await pause(50);
  expect(page.live.state.work?.what).toBe('Reading voxels');
  await workspace.openRun('TS_2');
  await pause(50);
  expect(page.live.state.work).toBeUndefined();
  expect(page.live.state.message?.text).toMatch(/no tomogram/);
});

it('after a restart the set shows whose review was left last and is not saved, under whatever name it was saved before', async () => {
  const given = await detected();
  const { page, save } = await openPage(given);
  await save({ userId: 'rootanna', sessionId: '1' });
  expect(page.live.state.set).toBe('rootanna/1');
  const { id } = page.review().kept[0]!;
  editPick(page, id, { decision: 'rejected' });
  await pause();
  const again = await openPage(given);
  expect(again.page.live.state.set).toBe('rootanna/1');
  expect(again.counts().rejected).toBe(1);
  expect(again.page.live.state.message?.text).toMatch(/The review of .* goes on/);
  const asked = await openPage({ ...given, place: { set: 'cryoet-picks/0' } });
  expect(asked.page.live.state.set).toBe('cryoet-picks/0');
});

it('a run of the address that is not there is told of, while the first one opens', async () => {
  const { page } = await openPage({ ...(await detected()), place: { run: 'TS_9' } });
  expect(page.live.state.run).toBe('TS_1');
  expect(page.live.state.message?.text).toBe('There is no run "TS_9" here.');
});

it('another project shows nothing of the one before while it opens, and gets none of its picks', async () => {
  const given = await detected();
  const { page, workspace, save } = await openPage(given);
  void workspace.open(
    {
      title: 'other',
      idOf: () => 'other',
      objects: [],
      runs: () => new Promise(() => undefined),
      open: () => Promise.reject(new Error('never')),
    },
    { thresholds: {}, hidden: [] },
  );
  expect([page.live.state.run, page.live.state.loaded, page.volume]).toEqual([undefined, [], undefined]);
  await expect(save()).rejects.toThrow('no project');
}, 3000);

it('opening something else asks about detections that are not saved, by their runs, and else asks nothing', () => {
  expect(questionBefore({ unsaved: new Set() }, undefined)).toBeUndefined();
  expect(questionBefore({ unsaved: new Set(['TS_1', 'TS_2']) }, undefined)).toMatch(
    /TS_1, TS_2 is not saved and will be lost/,
  );
  expect(questionBefore({ unsaved: new Set() }, 'Detecting')).toMatch(/^Detecting goes on and will be stopped/);
});

it('a search asks before it replaces what was found in its run and is not saved, and else asks nothing', () => {
  const unsaved = new Set(['TS_1']);
  expect(questionBeforeSearch({ unsaved, run: 'TS_2' })).toBeUndefined();
  expect(questionBeforeSearch({ unsaved: new Set(), run: 'TS_1' })).toBeUndefined();
  expect(questionBeforeSearch({ unsaved, run: 'TS_1' })).toMatch(/found in TS_1 before is not saved.*Detect again\?/);
});

it('a decision that is made while another set is being read is there when one comes back, and so are thresholds', async () => {
  const given = await detected();
  const first = await openPage({ ...given, place: { set: 'cryoet-picks/0' } });
  await first.save({ userId: 'anna' });
  const { page, workspace } = await openPage({ ...given, place: { set: 'cryoet-picks/0' } });
  page.live.change({ thresholds: { ...page.live.state.thresholds, virus: 3 } });
  const { length } = page.review().kept;
  const reading = workspace.openSet('anna/1');
  editPick(page, page.review().kept[0]!.id, { decision: 'rejected' });
  await Promise.all([reading, workspace.openSet('cryoet-picks/0')]);
  expect([page.live.state.set, page.review().rejected.length]).toEqual(['cryoet-picks/0', 1]);
  expect(page.live.state.thresholds.virus).toBe(3);
  expect(page.review().kept).toHaveLength(length - 1);
  // In the next run they were moved elsewhere.
  await workspace.openRun('TS_2');
  page.live.change({ thresholds: { ...page.live.state.thresholds, virus: 2.8 } });
  await workspace.openSet(undefined);
  await workspace.openSet('cryoet-picks/0');
  expect(page.live.state.thresholds.virus).toBe(2.8);
});

it('an address that asks for what is not there is told of it, and an object of that name is not picked', async () => {
  const given = await detected();
  const place = { set: 'nobody/1', tomogram: 'raw@10.000', truthSet: 'truth/0', object: 'nonsense' };
  const { page } = await openPage({ ...given, place });
  expect(page.live.state.message?.text).toMatch(
    /not in TS_1: no tomogram "raw@10.000", no pick set "nobody\/1", no truth "truth\/0", no object "nonsense"/,
  );
  expect(page.live.state.object).toBe('ribosome');
});

it('a search looks for the objects of the project, not for those that only its picks have', () => {
  const object = { color: 'rgb(0 0 0)', radius: 80 };
  const objects = [
    { ...object, name: 'ribosome' },
    { ...object, name: 'virus', isRadiusAssumed: true },
    unknownObject('x'),
  ];
  expect(searchedObjects({ objects })).toEqual([
    { name: 'ribosome', radius: 80 },
    { name: 'virus', radius: undefined },
  ]);
});

it('all that went wrong is told, a line for each', async () => {
  const { page } = await openPage(await detected());
  page.desk.tell('One.', new Error('Two.'));
  expect(page.live.state.message).toEqual({ text: 'One.\nTwo.', isError: true });
  page.desk.tell();
  expect(page.live.state.message?.text).toBe('One.\nTwo.');
});

it('truth, comparison and overlay stay in the next run, and so does having no truth', async () => {
  const given = await detected();
  for (const run of ['TS_1', 'TS_2']) {
    const pick = { object: 'virus', position: { x: 50, y: 50, z: 50 }, score: 1 };
    for (const userId of ['curation', 'bob']) {
      await (await given.project.run(run)).writePicks([pick], { userId, sessionId: '1', objects: ['virus'] });
    }
  }
  const { page, workspace } = await openPage(given);
  const shown = () => [page.live.state.truthSet, page.live.state.otherSet, page.live.state.set];
  expect(shown()).toEqual(['curation/1', undefined, 'cryoet-picks/0']);
  await workspace.openOther('bob/1');
  await workspace.openRun('TS_2');
  expect(shown()).toEqual(['curation/1', 'bob/1', 'cryoet-picks/0']);
  expect(page.live.state.others).toHaveLength(1);
  await workspace.openTruth(undefined);
  await workspace.openOther(undefined);
  await workspace.openRun('TS_1');
  expect(shown()).toEqual([undefined, undefined, 'cryoet-picks/0']);
});

it('a threshold that was moved is not saved, and is there when the page is opened again', async () => {
  const given = await detected();
  const opened = await openPage(given);
  expect(isUnsaved(opened.page.live.state)).toBe(false);
  const move = (virus: number) =>
    opened.page.live.change({ thresholds: { ...opened.page.live.state.thresholds, virus } });
  const usual = opened.page.live.state.thresholds.virus!;
  move(3);
  expect(isUnsaved(opened.page.live.state)).toBe(true);
  await pause();
  const again = await openPage({ ...given, wrap: withRadii });
  expect(again.page.live.state.thresholds.virus).toBe(3);
  expect([isUnsaved(again.page.live.state), again.page.live.state.message?.text]).toEqual([
    true,
    expect.stringMatching(/goes on; it is not saved yet/),
  ]);
  // In a run that only takes it over, nothing was done.
  await again.workspace.openRun('TS_2');
  expect([again.page.live.state.thresholds.virus, isUnsaved(again.page.live.state)]).toEqual([3, false]);
  move(usual);
  await pause();
  expect((await openPage(given)).page.live.state.thresholds.virus).toBe(usual);
});

it('what was told of one edit ends with the next, and of one set with another; an error stays', async () => {
  const { page, workspace } = await openPage(await detected());
  const [{ id }] = page.review().kept as unknown as [{ id: string }];
  page.desk.tell('The new virus lies on a pick of ribosome; Z takes it back.');
  editPick(page, id, { decision: 'accepted' });
  expect(page.live.state.message).toBeUndefined();
  page.desk.tell('The threshold only filters the picks.');
  await workspace.openSet(undefined);
  expect(page.live.state.message).toBeUndefined();
  page.desk.tell(new Error('the server does not answer'));
  editPick(page, id, {});
  expect(page.live.state.message?.text).toBe('the server does not answer');
});
