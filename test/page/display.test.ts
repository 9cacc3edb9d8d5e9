import { expect, it } from 'vitest';
import { press, settled, twoFrames } from '../support/page-hands.ts';
import { isotropic, makeProject, picksIn } from '../support/page-project.ts';
import { placeIn, viewOf } from '../support/page-rings.ts';
import { describePage } from '../support/served-page.ts';

describePage('the controls of the page of view', ({ open }) => {
  it('the caption of a slice has the unit and the value of the place', async () => {
    const { shown } = await makeProject({ picks: picksIn(isotropic, 6, 3) });
    const { tab } = await open(shown);
    await settled(tab);
    await press(tab, 'j');
    await twoFrames(tab);
    const place = (await tab.locator('.place').first().textContent())!;
    const [, z] = /z (\S+) Å/.exec(place)!;
    expect(await tab.locator('.slice-xy .caption').textContent()).toContain(`z ${z} Å · slice `);
  }, 60_000);

  it('all buttons of the display show on a small screen while sets are compared and a message shows', async () => {
    const { shown } = await makeProject({ picks: picksIn(isotropic, 6, 3), truth: picksIn(isotropic, 6, 4) });
    const { tab } = await open({ ...shown, width: 1280, height: 720 });
    await settled(tab);
    await tab.getByLabel('Compare with').selectOption({ index: 1 });
    await twoFrames(tab);
    await tab.getByRole('button', { name: 'Export' }).click();
    await tab.locator('dialog[open]').getByRole('button', { name: 'Download' }).click();
    await tab.locator('.message').waitFor();
    // Playwright would scroll to a button before it presses it.
    const hidden = await tab.locator('.display button').evaluateAll((buttons) =>
      buttons
        .filter((button) => {
          const { left, top, width, height } = button.getBoundingClientRect();
          const at = [top + 2, top + height - 2].map((y) => document.elementFromPoint(left + width / 2, y));
          return at.some((found) => found !== button);
        })
        .map(({ textContent }) => textContent),
    );
    expect(hidden).toEqual([]);
  }, 60_000);

  it.each([
    [1280, 720],
    [1920, 1080],
    [1024, 768],
    [820, 1180],
  ])(
    'contrast is in reach without scrolling at %i×%i, while sets are compared',
    async (width, height) => {
      const { shown } = await makeProject({ picks: picksIn(isotropic, 6, 3), truth: picksIn(isotropic, 6, 4) });
      const { tab } = await open({ ...shown, width, height });
      await settled(tab);
      await tab.getByLabel('Compare with').selectOption({ index: 1 });
      await twoFrames(tab);
      const reached = await tab.locator('.display input[type=range]').evaluateAll((sliders) =>
        sliders.map((slider) => {
          const { left, top, width: w, height: h } = slider.getBoundingClientRect();
          const points = [top + 2, top + h - 2].map((y) => document.elementFromPoint(left + w / 2, y));
          return w >= 40 && points.every((found) => found === slider);
        }),
      );
      expect(reached).toEqual([true, true]);
    },
    60_000,
  );

  it('keys move the black level, which stays below the white one', async () => {
    const { shown } = await makeProject();
    const { tab } = await open(shown);
    await settled(tab);
    const [black, white] = ['Black level', 'White level'].map((name) => tab.getByLabel(name));
    const before = Number(await black!.inputValue());
    await black!.focus();
    await tab.keyboard.press('ArrowRight');
    await twoFrames(tab);
    expect(Number(await black!.inputValue())).toBeGreaterThan(before);
    await tab.keyboard.press('End');
    await twoFrames(tab);
    expect(Number(await black!.inputValue())).toBeLessThan(Number(await white!.inputValue()));
  }, 60_000);

  it('a drag of three pixels moves a pick by three pixels, wherever in its ring it begins', async () => {
    const [pick] = [{ object: 'ribosome', position: { x: 300, y: 300, z: 200 }, score: 0.9 }];
    const { shown } = await makeProject({ picks: [pick!] });
    const { tab } = await open(shown);
    await settled(tab);
    await press(tab, 'j', 'e');
    const { zoom } = viewOf(tab);
    const box = (await tab.locator('.slice-xy canvas').boundingBox())!;
    const { left, top } = placeIn('xy', viewOf(tab), box)([300, 300, 200]);
    const from = [box.x + left + 4, box.y + top + 2] as const;
    await tab.mouse.move(...from);
    await tab.mouse.down();
    await tab.mouse.move(from[0] + 3, from[1]);
    await tab.mouse.up();
    await twoFrames(tab);
    expect(await tab.locator('.row .place').first().textContent()).toBe(`${(300 + 3 / zoom).toFixed(0)}  300  200`);
  }, 60_000);
});
