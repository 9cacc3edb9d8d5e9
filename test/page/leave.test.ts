import { expect, it } from 'vitest';
import { press, settled } from '../support/page-hands.ts';
import { isotropic, makeProject, ribosomesIn } from '../support/page-project.ts';
import { describePage } from '../support/served-page.ts';

describePage('a page of view that is left', ({ open }) => {
  it.each([0, 100, 300])(
    'has the edits of the last moment when it is opened again: %i ms after them',
    async (wait) => {
      const { shown } = await makeProject({ picks: ribosomesIn(isotropic, 12, 3) });
      const { tab, problems } = await open(shown);
      await settled(tab);
      await press(tab, 'j', 'a', 'a', 'a', 'a', 'a');
      await tab.waitForTimeout(wait);
      await tab.reload();
      await settled(tab);
      await expect.poll(() => tab.locator('.row.accepted').count()).toBe(5);
      expect(problems).toEqual([]);
    },
    60_000,
  );
});
