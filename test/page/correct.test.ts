import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import type { ParticlePick } from '../../src/entry/index.ts';
import { expectMessage, objectRow, press, save, settled, twoFrames } from '../support/page-hands.ts';
import { isotropic, makeProject, ribosomesIn } from '../support/page-project.ts';
import { spotOf, viewOf } from '../support/page-rings.ts';
import { describePage } from '../support/served-page.ts';

/** Ribosomes that lie apart in one slice, best first. */
const apart: readonly ParticlePick[] = [
  [300, 300],
  [600, 300],
  [900, 300],
  [300, 700],
  [900, 700],
].map(([x, y], i) => ({ object: 'ribosome', position: { x: x!, y: y!, z: 200 }, score: 0.95 - 0.05 * i }));

/** What the list says, line by line. */
async function listed(tab: Page): Promise<string[]> {
  await twoFrames(tab);
  return tab.locator('.row').allInnerTexts();
}

/** Positions to whole Å, in order. */
const places = (picks: readonly ParticlePick[]) =>
  picks.map(({ position: { x, y, z } }) => [x, y, z].map(Math.round).join(' ')).sort();

describePage('corrections in the page of view', ({ open }) => {
  it('picks that were accepted, rejected and added are saved as sets of their own, and found again after a reload', async () => {
    const picks = ribosomesIn(isotropic, 12, 3);
    const { shown, project } = await makeProject({ picks });
    const { tab, problems } = await open(shown);
    await settled(tab);
    await press(tab, 'j', 'a', 'x', 'x', 'z');
    await tab.getByRole('button', { name: 'Add a pick' }).click();
    await tab.waitForTimeout(1500);
    await tab.reload();
    await settled(tab);
    expect(await tab.locator('.row.accepted').count()).toBe(2);
    expect(await tab.locator('.row.rejected').count()).toBe(1);
    await save(tab);
    await expectMessage(tab, /Saved 12 picks as me\/1, 1 rejected/);
    const run = await project.run('TS_1');
    const kept = await run.picks({ userId: 'me' });
    const rejected = await run.picks({ userId: 'me-rejected' });
    const best = [...picks].sort((a, b) => b.score - a.score);
    expect(rejected.map(({ position }) => position.x)).toEqual([best[1]!.position.x]);
    expect(kept.length).toBe(12);
    const reviewed = kept.map(({ unknown }) => unknown?.reviewed);
    expect(reviewed.sort()).toEqual(['accepted', 'added', ...Array(10).fill(undefined)]);
    expect(await run.picks({ userId: 'cryoet-picks' })).toHaveLength(12);
    expect(problems).toEqual([]);
  }, 60_000);

  it('picks are moved, renamed, deleted and added by hand; undo takes all of it back, redo does it again, and Save writes it', async () => {
    const dark = { x: 600, y: 700, z: 200 };
    const { shown, project } = await makeProject({ picks: apart, dark: [dark] });
    const { tab, problems } = await open(shown);
    await settled(tab);
    const before = await listed(tab);
    const { zoom } = viewOf(tab);

    await press(tab, 'j', 'e');
    const from = await spotOf(tab, apart[0]!.position);
    await tab.mouse.move(from.left, from.top);
    await tab.mouse.down();
    await tab.mouse.move(from.left + 20, from.top + 10, { steps: 3 });
    await tab.mouse.up();
    const moved = { x: 300 + 20 / zoom, y: 300 + 10 / zoom, z: 200 };
    expect((await listed(tab))[0]).toContain([moved.x, moved.y, moved.z].map((value) => value.toFixed(0)).join('  '));

    await press(tab, 'j');
    await tab.getByLabel('Object of the pick').selectOption('apo-ferritin');
    await twoFrames(tab);
    expect(await objectRow(tab, 'apo-ferritin').locator('.number').textContent()).toBe('1');

    const third = await spotOf(tab, apart[2]!.position);
    await tab.mouse.click(third.left, third.top);
    await tab.locator('.slice-xy canvas').press('Delete');
    const rows = await listed(tab);
    expect(rows).toHaveLength(3);

    await press(tab, '1');
    const exact = await spotOf(tab, { x: 600, y: 480, z: 200 });
    await tab.keyboard.down('Alt');
    await tab.mouse.click(Math.round(exact.left), Math.round(exact.top));
    await tab.keyboard.up('Alt');
    const near = await spotOf(tab, { x: 630, y: 680, z: 200 });
    await tab.mouse.click(near.left, near.top);
    const after = await listed(tab);
    expect(after.filter((line) => line.includes('added'))).toHaveLength(2);

    await press(tab, 'z', 'z', 'z', 'z', 'z');
    expect((await listed(tab)).sort()).toEqual(before.sort());
    await press(tab, 'Shift+Z', 'Shift+Z', 'Shift+Z', 'Shift+Z', 'Shift+Z');
    expect((await listed(tab)).sort()).toEqual(after.sort());

    await save(tab);
    await expectMessage(tab, /Saved 6 picks as me\/1, 0 rejected/);
    const run = await project.run('TS_1');
    const saved = await run.picks({ userId: 'me' });
    const by = (what: string) => saved.filter(({ unknown }) => unknown?.reviewed === what);
    expect(
      by('edited')
        .map(({ object }) => object)
        .sort(),
    ).toEqual(['apo-ferritin', 'ribosome']);
    expect(places(by('edited'))).toEqual(places([apart[1]!, { ...apart[0]!, position: moved }]));
    const added = by('added').sort((a, b) => a.position.y - b.position.y);
    expect(added).toHaveLength(2);
    expect(Math.hypot(added[0]!.position.x - 600, added[0]!.position.y - 480)).toBeLessThan(1 / zoom);
    expect(added[1]!.position).toEqual(dark);
    expect(places(saved.filter(({ unknown }) => unknown?.reviewed === undefined))).toEqual(
      places([apart[3]!, apart[4]!]),
    );
    expect(problems).toEqual([]);
  }, 60_000);

  it('buttons do what the keys do: accept, reject, step, add, delete, undo and redo', async () => {
    const { shown } = await makeProject({ picks: apart });
    const { tab } = await open(shown);
    await settled(tab);
    const push = (name: string) => tab.getByRole('button', { name, exact: true }).click();
    for (const name of ['Next pick', 'Accept', 'Reject', 'Next pick', 'Previous pick', 'Delete']) await push(name);
    await push('Add a pick');
    const decided = { accepted: 2, rejected: 1, all: 5 };
    const counts = async () => {
      const lines = await listed(tab);
      const count = (name: string) => tab.locator(`.row.${name}`).count();
      return { accepted: await count('accepted'), rejected: await count('rejected'), all: lines.length };
    };
    expect(await counts()).toEqual(decided);
    for (let i = 0; i < 4; i++) await push('Undo');
    expect(await counts()).toEqual({ accepted: 0, rejected: 0, all: 5 });
    for (let i = 0; i < 4; i++) await push('Redo');
    expect(await counts()).toEqual(decided);
  }, 60_000);

  it('a review resumes where it stopped after the server was started again on another port, in a browser that knows nothing of it', async () => {
    const { overlay, shown, project } = await makeProject({ picks: apart });
    const first = await open(shown);
    await settled(first.tab);
    await press(first.tab, 'j', 'a', 'x');
    const folder = join(overlay, 'ExperimentRuns/TS_1/Picks');
    await expect.poll(async () => (await readdir(folder)).some((name) => name.endsWith('.review'))).toBe(true);
    const port = new URL(first.tab.url()).port;
    await first.close();
    const { tab } = await open(shown);
    expect(new URL(tab.url()).port).not.toBe(port);
    await settled(tab);
    expect(await tab.locator('.row.accepted').count()).toBe(1);
    expect(await tab.locator('.row.rejected').count()).toBe(1);
    expect((await (await project.run('TS_1')).pickSets()).map(({ userId }) => userId)).toEqual(['cryoet-picks']);
  }, 60_000);

  it('closing asks while there is something to save, and not afterwards', async () => {
    const { shown } = await makeProject({ picks: apart });
    const { tab } = await open(shown);
    await settled(tab);
    const asked: string[] = [];
    tab.on('dialog', (dialog) => {
      asked.push(dialog.type());
      void dialog.accept();
    });
    await press(tab, 'j', 'a');
    await tab.waitForTimeout(1200);
    await tab.reload();
    await settled(tab);
    expect(asked).toEqual(['beforeunload']);
    await save(tab);
    await expectMessage(tab, /Saved 5 picks/);
    await tab.reload();
    await settled(tab);
    expect(asked).toEqual(['beforeunload']);
  }, 60_000);

  it('saving over picks that somebody else wrote meanwhile writes nothing, and offers a session that is free', async () => {
    const { shown, project } = await makeProject({ picks: apart });
    const { tab } = await open(shown);
    await settled(tab);
    const run = await project.run('TS_1');
    await run.writePicks(apart.slice(0, 1), { userId: 'me', sessionId: '1' });
    await save(tab);
    await expect.poll(() => tab.locator('.problem').textContent()).toMatch(/Nothing was written/);
    expect(await run.picks({ userId: 'me' })).toHaveLength(1);
    expect(await tab.getByLabel('Session').inputValue()).toBe('2');
    await tab.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
    await expectMessage(tab, /as me\/2/);
    expect(await run.picks({ userId: 'me', sessionId: '2' })).toHaveLength(5);
  }, 60_000);

  it('a save that the server does not answer keeps the dialog open with the reason, and works when it is pressed again', async () => {
    const { shown, project } = await makeProject({ picks: apart });
    const { tab } = await open(shown);
    await settled(tab);
    await tab.context().setOffline(true);
    await save(tab);
    const dialog = tab.locator('dialog[open]');
    await expect.poll(() => dialog.locator('.problem').textContent()).toMatch(/does not answer|Failed to fetch/);
    await tab.context().setOffline(false);
    await dialog.getByRole('button', { name: 'Save' }).click();
    await expectMessage(tab, /Saved 5 picks as me\/1/);
    expect(await dialog.count()).toBe(0);
    const run = await project.run('TS_1');
    expect(await run.picks({ userId: 'me', sessionId: '1' })).toHaveLength(5);
  }, 60_000);

  it('picks that were saved can be corrected and saved again, and a file that changed meanwhile is a conflict', async () => {
    const { shown, project } = await makeProject({ picks: apart });
    const { tab } = await open(shown);
    await settled(tab);
    // What is typed replaces the name that is proposed.
    await press(tab, 's', 'a', 'n', 'n', 'a');
    expect(await tab.getByLabel('User').inputValue()).toBe('anna');
    await tab.locator('dialog[open]').getByRole('button', { name: 'Cancel' }).click();
    await save(tab);
    await expectMessage(tab, /Saved 5 picks as me\/1, 0 rejected/);
    await press(tab, 'j', 'x', 's');
    await expectMessage(tab, /Saved 4 picks as me\/1, 1 rejected/);
    const run = await project.run('TS_1');
    expect(await run.picks({ userId: 'me' })).toHaveLength(4);
    await run.writePicks(apart.slice(0, 2), { userId: 'me', sessionId: '1' });
    await press(tab, 'j', 'x', 's');
    await expect.poll(() => tab.locator('.problem').textContent()).toMatch(/Nothing was written/);
    expect(await run.picks({ userId: 'me', sessionId: '1' })).toHaveLength(2);
  }, 60_000);
});
