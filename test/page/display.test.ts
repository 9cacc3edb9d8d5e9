import { expect, it } from 'vitest';
import { stays } from '../../src/page/status.ts';
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
    [1366, 800],
    [1920, 1080],
    [1024, 640],
    [820, 1180],
  ])(
    'all controls of the display are in reach without scrolling at %i×%i, while sets are compared',
    async (width, height) => {
      const { shown } = await makeProject({ picks: picksIn(isotropic, 6, 3), truth: picksIn(isotropic, 6, 4) });
      const { tab } = await open({ ...shown, width, height });
      await settled(tab);
      await tab.getByLabel('Compare with').selectOption({ index: 1 });
      await twoFrames(tab);
      const hidden = await tab.locator('.display :is(select, input, button, .quiet)').evaluateAll((controls) =>
        controls
          .filter((control) => {
            const { left, top, width: w, height: h } = control.getBoundingClientRect();
            if (w === 0) return false;
            const points = [top + 2, top + h - 2].map((y) => document.elementFromPoint(left + w / 2, y));
            return w < 30 && control.matches('input') ? true : points.some((found) => !control.contains(found));
          })
          .map((control) => control.getAttribute('aria-label') ?? control.textContent),
      );
      expect(hidden).toEqual([]);
      const [xy, xz] = await Promise.all(['xy', 'xz'].map((name) => tab.locator(`.slice-${name}`).boundingBox()));
      expect(xy!.height).toBeGreaterThan(1.4 * xz!.height);
      const stage = await tab.locator('.stage').boundingBox();
      expect(xy!.height + xz!.height).toBeCloseTo(stage!.height - 1, 0);
    },
    60_000,
  );

  it('a long message wraps, says that it has more, and stays until it is closed', async () => {
    const { shown } = await makeProject({ picks: picksIn(isotropic, 6, 3) });
    const { tab } = await open({ ...shown, width: 1024, height: 640, fragment: `#run=${'TS-'.repeat(200)}` });
    await settled(tab);
    const text = tab.locator('.message .text');
    const heights = () => text.evaluate(({ clientHeight, scrollHeight }) => [clientHeight, scrollHeight]);
    const [shut, all] = await heights();
    expect(all).toBeGreaterThan(shut!);
    await tab.getByRole('button', { name: 'More' }).click();
    const [opened, still] = await heights();
    expect([opened! > shut!, opened]).toEqual([true, still]);
    await tab.getByRole('button', { name: 'Less' }).click();
    await tab.getByRole('button', { name: 'Close the message' }).click();
    await twoFrames(tab);
    expect(await tab.locator('.message').isVisible()).toBe(false);
  }, 60_000);

  it.each([
    [{ text: 'Found 5 picks.', isError: false }, false],
    [{ text: 'Saving failed.', isError: true }, true],
    [{ text: `Its classes: ${'1 is ribosome, '.repeat(8)}`, isError: false }, true],
  ])('a message stays if it is an error or takes time to read: %j', (message, stay) => {
    expect(stays(message)).toBe(stay);
  });

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
