import { expect, it } from 'vitest';
import type { Project } from '../../src/entry/copick.ts';
import { boxMask, detectProject, pickProject } from '../../src/entry/index.ts';
import { editPick } from '../../src/page/navigate.ts';
import { named } from '../../src/page/state.ts';
import { calibrated } from '../support/identity-model.ts';
import { drain, model, noisyProject, openPage, stubBrowser } from '../support/page-workspace.ts';

stubBrowser();

const network = { userId: 'cryoet-picks', sessionId: '0' };
const idsOf = (picks: Parameters<typeof named>[0]) =>
  named(picks)
    .map(({ id }) => id)
    .sort();

/** Ids of the picks in the files of the network, and of those that the page keeps. */
async function compare(given: Awaited<ReturnType<typeof noisyProject>>) {
  const opened = await openPage(given);
  const file = await (await given.project.run('TS_1')).picks(network);
  return {
    ...opened,
    file: idsOf(file),
    shown: opened.page
      .review()
      .kept.map(({ id }) => id)
      .sort(),
  };
}

const otherModel = {
  ...model,
  spec: { ...model.spec, thresholds: { ribosome: 0.9, virus: 2.8 } },
  sha256: 'def',
};
const lower = { ribosome: 0.2, virus: 1 };

const made: readonly (readonly [string, { readonly canGoLower: boolean }, (project: Project) => Promise<unknown>])[] = [
  ['a detection', { canGoLower: true }, async () => undefined],
  [
    'a detection of at most five of each object',
    { canGoLower: true },
    (project) => drain(detectProject(project, { model, max: 5, overwrite: true })),
  ],
  [
    'a detection in which objects suppress each other',
    { canGoLower: true },
    (project) => drain(detectProject(project, { model, acrossObjects: 30, overwrite: true })),
  ],
  [
    'picks with other thresholds and distances',
    { canGoLower: true },
    (project) => drain(pickProject(project, { thresholds: { ribosome: 0.9, virus: 2.8 }, minDistances: 60 })),
  ],
  [
    'a detection of a maximum share of false picks',
    { canGoLower: true },
    (project) => drain(detectProject(project, { model: calibrated(model), maxFalse: 0.3 })),
  ],
  [
    'picks of a maximum share of false picks',
    { canGoLower: true },
    (project) => drain(pickProject(project, { maxFalse: { ribosome: 0.3 } })),
  ],
  [
    'picks in a mask',
    { canGoLower: false },
    (project) => drain(pickProject(project, { mask: { of: () => boxMask({ x: [0, 60] }), settings: { x: '0-60' } } })),
  ],
  [
    'another model without candidates',
    { canGoLower: false },
    (project) => drain(detectProject(project, { model: otherModel, keepCandidates: false, overwrite: true })),
  ],
];

it.each(made)('the page keeps exactly the picks in the files: %s', async (title, { canGoLower }, make) => {
  const given = await noisyProject({ runs: ['TS_1'] });
  await drain(detectProject(given.project, { model: calibrated(model) }));
  await make(given.project);
  const { page, file, shown } = await compare(given);
  expect(file.length).toBeGreaterThan(5);
  expect(shown).toEqual(file);
  page.live.change({ thresholds: lower });
  expect(page.live.state.candidates !== undefined).toBe(canGoLower);
  const lowerIds = page.review().kept.map(({ id }) => id);
  if (canGoLower && !title.includes('at most')) expect(lowerIds.length).toBeGreaterThan(file.length);
  else expect(lowerIds.sort()).toEqual(file);
});

it('an object that another model detected again moves with its candidates, the others stay as their files say', async () => {
  const given = await noisyProject({ runs: ['TS_1'] });
  const objects = given.project.objects.filter(({ name }) => name === 'ribosome');
  await drain(detectProject(given.project, { model }));
  await drain(detectProject(given.project, { model: otherModel, objects, overwrite: true }));
  const { page, file, shown } = await compare(given);
  expect(shown).toEqual(file);
  page.live.change({ thresholds: lower });
  const [run] = await given.project.runs();
  const viruses = await run!.picks({ ...network, object: 'virus' });
  const kept = page.review().kept;
  expect(kept.filter(({ object }) => object === 'virus')).toHaveLength(viruses.length);
  expect(kept.length).toBeGreaterThan(file.length);
});

it('candidates of another search are not taken for those of the picks, and the page says so', async () => {
  const given = await noisyProject({ runs: ['TS_1'] });
  await drain(detectProject(given.project, { model }));
  const run = await given.project.run('TS_1');
  const { candidates, provenance } = await run.readCandidates(network);
  await run.writeCandidates(candidates, { ...network, provenance: { ...provenance, model: { name: 'another' } } });
  const { page, file, shown } = await compare(given);
  expect(shown).toEqual(file);
  expect(page.live.state.candidates).toBeUndefined();
  expect(page.live.state.message?.text).toMatch(/only filters the picks of cryoet-picks\/0: .*found otherwise/);
  expect(page.live.state.message?.isError).toBe(false);
});

it('a mask that the page cannot make is told of', async () => {
  const given = await noisyProject({ runs: ['TS_1'] });
  await drain(
    detectProject(given.project, { model, mask: { of: () => boxMask({ x: [0, 60] }), settings: { x: '0-60' } } }),
  );
  const { page } = await openPage(given);
  expect(page.live.state.message?.text).toMatch(/mask/);
});

it('a review that was saved opens with its decisions, its rejects, and a slider that goes lower', async () => {
  const given = await noisyProject({ runs: ['TS_1'] });
  await drain(detectProject(given.project, { model }));
  const first = await openPage(given);
  const [a, b, c] = first.page.review().kept;
  first.page.live.change({ thresholds: { ...first.page.live.state.thresholds, ribosome: 0.9 } });
  editPick(first.page, a!.id, { decision: 'accepted' });
  editPick(first.page, b!.id, { decision: 'rejected' });
  editPick(first.page, c!.id, { decision: 'deleted' });
  const kept = first.page
    .review()
    .kept.map(({ id }) => id)
    .sort();
  await first.save();
  for (const { page } of [first, await openPage(given)]) {
    expect(page.live.state.set).toBe('me/1');
    expect(
      page
        .review()
        .kept.map(({ id }) => id)
        .sort(),
    ).toEqual(kept);
    expect(page.review().kept.find(({ id }) => id === a!.id)?.decision).toBe('accepted');
    expect(page.review().rejected.map(({ id }) => id)).toEqual([b!.id]);
    expect(page.live.state.thresholds.ribosome).toBe(0.9);
    expect(page.live.state.edits).toBe(page.live.state.savedEdits);
    page.live.change({ thresholds: { ...page.live.state.thresholds, ribosome: 0.5 } });
    expect(page.review().kept.length).toBeGreaterThan(kept.length);
  }
});

it('of several sets of one person the one of the highest number goes on, and sets are listed by their numbers', async () => {
  const given = await noisyProject();
  await drain(detectProject(given.project, { model }));
  const run = await given.project.run('TS_1');
  const [pick] = await run.picks(network);
  for (const sessionId of ['1', '9', '10', '2']) await run.writePicks([pick!], { userId: 'me', sessionId });
  const { page } = await openPage(given);
  expect(page.live.state.sets).toEqual(['cryoet-picks/0', 'me/1', 'me/2', 'me/9', 'me/10']);
  expect(page.live.state.set).toBe('me/10');
});
