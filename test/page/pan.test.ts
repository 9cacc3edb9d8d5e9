import { expect, it } from 'vitest';
import { addressed, press, settled } from '../support/page-hands.ts';
import { isotropic, makeProject, ribosomesIn } from '../support/page-project.ts';
import { viewOf } from '../support/page-rings.ts';
import { describePage } from '../support/served-page.ts';

describePage('The space bar on the page of view', ({ open }) => {
  it('makes a drag pan where it would move a pick, and a click do nothing where it would add one', async () => {
    const { shown } = await makeProject({ picks: ribosomesIn(isotropic, 3, 3) });
    const { tab, problems } = await open(shown);
    await settled(tab);
    await press(tab, 'j', 'e');
    await addressed(tab);
    const box = (await tab.locator('.slice-xy canvas').boundingBox())!;
    const { at, center, zoom } = viewOf(tab);
    const ring = [
      box.x + box.width / 2 + (at[0] - center[0]) * zoom,
      box.y + box.height / 2 + (at[1] - center[1]) * zoom,
    ] as const;
    const drag = async () => {
      await tab.mouse.move(...ring);
      await tab.mouse.down();
      await tab.mouse.move(ring[0] + 30, ring[1] + 20, { steps: 4 });
      await tab.mouse.up();
      await addressed(tab);
    };
    await tab.keyboard.down(' ');
    await drag();
    await tab.mouse.click(box.x + 20, box.y + 60);
    await tab.keyboard.up(' ');
    await addressed(tab);
    const panned = viewOf(tab);
    expect(panned.center[0]).toBeCloseTo(center[0] - 30 / zoom, 0);
    expect(panned.center[1]).toBeCloseTo(center[1] - 20 / zoom, 0);
    expect(await tab.locator('.row').count()).toBe(3);
    expect(await tab.locator('.facts').textContent()).not.toMatch(/edited/);
    await tab.mouse.move(ring[0] + 30, ring[1] + 20);
    await tab.mouse.down();
    await tab.mouse.move(ring[0] + 60, ring[1] + 40, { steps: 4 });
    await tab.mouse.up();
    await expect.poll(() => tab.locator('.facts').textContent()).toMatch(/edited/);
    expect(viewOf(tab).center).toEqual(panned.center);
    expect(problems).toEqual([]);
  }, 60_000);
});
