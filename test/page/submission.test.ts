import { beforeAll, describe, expect, it } from 'vitest';
import {
  detectCandidates,
  detectProject,
  gatherProject,
  type ParticlePick,
  type Project,
  picksFromCandidates,
  scorePicks,
} from '../../src/entry/index.ts';
import { allRuns, thisRun } from '../../src/page/export.ts';
import { editPick } from '../../src/page/navigate.ts';
import { reviewOf, submissionOf } from '../../src/page/review.ts';
import { rulesFor } from '../../src/page/scoring.ts';
import { reviewOfCandidates } from '../../src/page/set-review.ts';
import {
  drain,
  model as flat,
  leavePages,
  noisyProject,
  openPage,
  pause,
  stubBrowser,
} from '../support/page-workspace.ts';

beforeAll(stubBrowser);

const competition = { ribosome: 0.5, virus: 1.5 };
const balanced = { ribosome: 0.8, virus: 2.6 };
const model = { ...flat, spec: { ...flat.spec, thresholds: { balanced, competition } } };
const work = { signal: new AbortController().signal, show: () => undefined };

/** Object and place of picks, in an order of their own. */
const placesOf = (picks: readonly ParticlePick[]) =>
  picks.map(({ object, position: { x, y, z } }) => `${object} ${x} ${y} ${z}`).sort();

async function submissionOfProject(project: Project) {
  const { picks } = await gatherProject(project, { thresholds: 'competition' });
  return (await drain(picks())).map((run) => placesOf(run.picks));
}

async function detected() {
  const given = await noisyProject();
  await drain(detectProject(given.project, { model }));
  const opened = await openPage(given);
  await pause(50);
  return { ...given, ...opened };
}

describe('a submission of the page', () => {
  it('the page opens with the balanced picks, and exports the submission that gather makes, of this run and of all', async () => {
    const { project, page, workspace } = await detected();
    const run = await project.run('TS_1');
    const own = await run.picks({ userId: 'cryoet-picks', sessionId: '0' });
    expect(page.live.state.thresholds).toEqual(balanced);
    expect(placesOf(page.review().kept)).toEqual(placesOf(own));
    expect(placesOf(thisRun(page).picks)).toEqual(placesOf(own));
    const expected = await submissionOfProject(project);
    expect(placesOf(thisRun(page, 'submission').picks)).toEqual(expected[0]);
    const { runs } = await allRuns(page, workspace, work, 'submission');
    expect(runs.map(({ picks }) => placesOf(picks))).toEqual(expected);
    expect(expected[0]!.length).toBeGreaterThan(own.length);
    leavePages();
  });

  it('a threshold that a person moved is that of the submission too, also once the set is saved and opened again', async () => {
    const { project, overlay, page, save } = await detected();
    page.live.change({ thresholds: { ...balanced, virus: 2 } });
    const rejected = page.review().kept[0]!;
    editPick(page, rejected.id, { decision: 'rejected' });
    const { candidates } = await (await project.run('TS_1')).readCandidates({ userId: 'cryoet-picks', sessionId: '0' });
    const whole = picksFromCandidates(candidates, {
      thresholds: { ...competition, virus: 2 },
      acrossObjects: false,
    });
    const expected = placesOf(whole).filter((place) => place !== placesOf([rejected])[0]);
    expect(expected.length).toBe(whole.length - 1);
    expect(placesOf(thisRun(page, 'submission').picks)).toEqual(expected);
    await save();
    leavePages();
    const later = await openPage({ project, overlay, place: { run: 'TS_1', set: 'me/1' } });
    await pause(50);
    expect(later.page.live.state.set).toBe('me/1');
    expect(later.page.live.state.candidates).toBeDefined();
    expect(placesOf(thisRun(later.page, 'submission').picks)).toEqual(expected);
    leavePages();
  });

  it('the score of the panel is that of the submission, and the table that of the picks that show', async () => {
    const given = await noisyProject({ runs: ['TS_1'] });
    await drain(detectProject(given.project, { model }));
    const run = await given.project.run('TS_1');
    const truth = (await run.picks({ userId: 'cryoet-picks' })).filter((_, index) => index % 3 === 0);
    await run.writePicks(truth, { userId: 'curation', sessionId: '0' });
    const { page } = await openPage({ ...given, place: { run: 'TS_1', set: 'cryoet-picks/0' } });
    await pause(50);
    const rules = rulesFor(page.live.state);
    const scoreOf = (picks: readonly ParticlePick[]) => scorePicks([{ run: 'TS_1', truth, picks }], rules).score;
    expect(page.submissionScore()).toBe(scoreOf(thisRun(page, 'submission').picks));
    expect(page.comparison()!.report.score).toBe(scoreOf(page.review().kept));
    expect(page.submissionScore()).not.toBe(page.comparison()!.report.score);
    leavePages();
  });

  it('what Detect has found shows the balanced picks of the library, and one set of thresholds has one review', async () => {
    const { project } = await noisyProject({ runs: ['TS_1'] });
    const tomogram = await (await project.run('TS_1')).tomogram('denoised');
    for (const network of [model, flat]) {
      const candidates = await detectCandidates(tomogram, { model: network });
      const review = reviewOfCandidates(candidates);
      expect(placesOf(reviewOf(review).kept)).toEqual(placesOf(picksFromCandidates(candidates)));
      const submission = submissionOf({ ...review, usualThresholds: review.thresholds });
      const expected = picksFromCandidates(candidates, { thresholds: 'competition' });
      expect(placesOf(submission.kept)).toEqual(placesOf(expected));
    }
  });
});
