import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { openProject } from '../../src/entry/node.ts';
import { expectMessage, press, save, settled } from '../support/page-hands.ts';
import { makeProject, picksOfNode, simulatedProject, twoObjects } from '../support/page-project.ts';
import { describePage } from '../support/served-page.ts';

/** Starts a search with the network of the package, after the memory that it takes was told. */
async function startSearch(tab: Page): Promise<void> {
  await settled(tab);
  await press(tab, 'd');
  const dialog = tab.locator('dialog[open]');
  await expect.poll(() => dialog.locator('p').first().textContent(), { timeout: 20_000 }).toMatch(/MB of memory/);
  await press(tab, 'Enter');
}

describePage('Detect in the page of view', ({ open }) => {
  it('finds in WebAssembly the picks of Node, with scores equal to 1e-3, and Save keeps them', async () => {
    const { folder, shown } = await simulatedProject();
    const project = await openProject(`${folder}/copick.json`);
    const [run] = await project.runs();
    const expected = await picksOfNode(project);
    expect(expected.length).toBeGreaterThan(0);
    const { tab, problems } = await open(shown);
    await startSearch(tab);
    await expectMessage(tab, new RegExp(`Found ${expected.length} picks`), 90_000);
    await save(tab);
    await expectMessage(tab, /Saved/);
    const found = await run!.picks({ userId: 'me' });
    expect(found).toHaveLength(expected.length);
    for (const pick of expected) {
      const same = found.find(
        ({ object, position: { x, y, z } }) =>
          object === pick.object && Math.hypot(x - pick.position.x, y - pick.position.y, z - pick.position.z) < 0.01,
      );
      expect(same?.score).toBeCloseTo(pick.score, 3);
    }
    expect(problems).toEqual([]);
  }, 180_000);

  it('tells when a project is opened, and before a search, of which objects the radius is assumed', async () => {
    const [ribosome, { radius: _, ...other }] = twoObjects as readonly [object, { readonly radius?: number }];
    const { shown } = await makeProject({ objects: [ribosome, other] });
    const { tab, problems } = await open(shown);
    const told = /^The project gives no radius of "apo-ferritin": rings and scores take 80 Å\. A search takes /;
    await expectMessage(tab, told);
    await settled(tab);
    await press(tab, 'd');
    const dialog = tab.locator('dialog[open]');
    await expect.poll(() => dialog.getByRole('status').textContent(), { timeout: 20_000 }).toMatch(told);
    expect(problems).toEqual([]);
  }, 90_000);

  it('ends at once when it is cancelled, and shows nothing new', async () => {
    const { shown } = await simulatedProject();
    const { tab, problems } = await open(shown);
    await startSearch(tab);
    await tab.getByRole('button', { name: 'Cancel' }).click();
    await expectMessage(tab, /Cancelled/);
    expect(await tab.locator('.work').isVisible()).toBe(false);
    expect(await tab.locator('.row').count()).toBe(0);
    expect(problems).toEqual([]);
  }, 90_000);
});
