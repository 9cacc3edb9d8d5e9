import { beforeAll, describe, expect, it } from 'vitest';
import { detectCandidates, detectProject } from '../../src/entry/index.ts';
import { allRuns, namedAsTomograms, thisRun } from '../../src/page/export.ts';
import { editPick } from '../../src/page/navigate.ts';
import { UNSAVED } from '../../src/page/state.ts';
import { drain, leavePages, model, noisyProject, openPage, pause, stubBrowser } from '../support/page-workspace.ts';

beforeAll(stubBrowser);

const { signal } = new AbortController();
const work = { signal, show: () => undefined };

describe('allRuns', () => {
  it('every run exports what it keeps when it is opened: accepted, moved, added and rejected picks, and moved thresholds', async () => {
    const { project, overlay } = await noisyProject();
    await drain(detectProject(project, { model }));
    const { page, workspace } = await openPage({ project, overlay });
    await workspace.openRun('TS_2');
    await pause(50);
    const [a, b, c] = page.review().kept.slice(-3);
    editPick(page, a!.id, { decision: 'accepted' });
    editPick(page, b!.id, { position: { x: 1, y: 2, z: 3 } });
    editPick(page, c!.id, { decision: 'rejected' });
    await pause();
    await workspace.openRun('TS_1');
    await pause(50);
    const { ribosome, ...others } = page.live.state.thresholds;
    page.live.change({ thresholds: { ...others, ribosome: ribosome! + 0.4 } });
    const { runs, without } = await allRuns(page, workspace, work);
    expect([runs.map(({ run }) => run), without]).toEqual([['TS_1', 'TS_2', 'TS_3'], []]);
    for (const exported of runs) {
      await workspace.openRun(exported.run);
      await pause(50);
      const shown = thisRun(page);
      expect(exported.picks.length).toBeGreaterThan(0);
      expect(exported).toEqual(shown);
    }
    expect(runs[1]!.picks.some(({ position: { x, y, z } }) => x === 1 && y === 2 && z === 3)).toBe(true);
    const marks = runs[1]!.picks.flatMap(({ unknown }) => unknown?.reviewed ?? []);
    expect(marks.sort()).toEqual(['accepted', 'edited']);
    leavePages();
  });

  it('runs without the set are named, and have no part in the file', async () => {
    const { project, overlay } = await noisyProject();
    const run = await project.run('TS_2');
    const pick = { object: 'virus', position: { x: 10, y: 10, z: 10 }, score: 1 };
    await run.writePicks([pick], { userId: 'lab', sessionId: '1' });
    const { page, workspace } = await openPage({ project, overlay, place: { run: 'TS_2', set: 'lab/1' } });
    await pause(50);
    const { runs, without } = await allRuns(page, workspace, work);
    expect([runs.map((one) => [one.run, one.picks.length]), without]).toEqual([[['TS_2', 1]], ['TS_1', 'TS_3']]);
    leavePages();
  });

  it('what is exported is what showed when it began, whatever run and thresholds show meanwhile', async () => {
    const { project, overlay } = await noisyProject();
    await drain(detectProject(project, { model }));
    const { page, workspace } = await openPage({ project, overlay, place: { run: 'TS_2' } });
    await pause(50);
    const before = await allRuns(page, workspace, work);
    expect(before.runs.map(({ run }) => run)).toEqual(['TS_1', 'TS_2', 'TS_3']);
    const exporting = allRuns(page, workspace, work);
    page.live.change({ thresholds: { ribosome: 9, virus: 9 } });
    await workspace.openRun('TS_3');
    expect(await exporting).toEqual(before);
    leavePages();
  });

  it('detections that are not saved are exported of every run that has one, also if one is saved meanwhile', async () => {
    const { project, overlay } = await noisyProject();
    const { page, workspace, save } = await openPage({ project, overlay });
    for (const run of ['TS_1', 'TS_2']) {
      const candidates = await detectCandidates(await (await project.run(run)).tomogram('denoised'), { model });
      await workspace.openRun(run);
      await workspace.showDetection({ run, tomogram: workspace.opened!.choice, level: 0, model, candidates });
    }
    const rejected = page.review().kept[0]!;
    editPick(page, rejected.id, { decision: 'rejected' });
    const kept = page.review().kept.length;
    await workspace.openRun('TS_1');
    const first = page.review().kept.length;
    const exporting = allRuns(page, workspace, work);
    await save();
    const { runs, set, without } = await exporting;
    expect([runs.map(({ run, picks }) => [run, picks.length]), set, without]).toEqual([
      [
        ['TS_1', first],
        ['TS_2', kept],
      ],
      UNSAVED,
      ['TS_3'],
    ]);
    leavePages();
  });

  it('an export that was stopped gives nothing', async () => {
    const { project, overlay } = await noisyProject();
    const { page, workspace } = await openPage({ project, overlay });
    const stopped = new AbortController();
    const exporting = allRuns(page, workspace, { signal: stopped.signal, show: () => undefined });
    stopped.abort();
    await expect(exporting).rejects.toMatchObject({ name: 'AbortError' });
    leavePages();
  });
});

describe('namedAsTomograms', () => {
  const named = (...runs: readonly string[]) =>
    namedAsTomograms(runs.map((run) => ({ run, picks: [] }))).map(({ run }) => run);

  it('files lose their endings, and nothing else', () => {
    const files = [
      'lam1.mrc',
      'TS_5.4.rec',
      'a.ome.zarr',
      'b.zarr',
      'c.TIFF',
      'd.mrc.gz',
      'e',
      '.mrc',
      'f.ozx',
      'g.mrcs',
    ];
    expect(named(...files)).toEqual(['lam1', 'TS_5.4', 'a', 'b', 'c', 'd', 'e', '.mrc', 'f', 'g']);
  });

  it('two files of one name keep their endings', () => {
    expect(named('a.mrc', 'a.rec')).toEqual(['a.mrc', 'a.rec']);
  });
});
