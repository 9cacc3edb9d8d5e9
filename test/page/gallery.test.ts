import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import type { ParticlePick } from '../../src/entry/index.ts';
import { expectMessage, press, save, settled, twoFrames } from '../support/page-hands.ts';
import { makeProject } from '../support/page-project.ts';
import { drawingIn } from '../support/page-rings.ts';
import { describePage } from '../support/served-page.ts';

/** Fifty particles, best first, each where the tomogram is dark. */
const fifty: readonly ParticlePick[] = Array.from({ length: 50 }, (_, i) => ({
  object: 'apo-ferritin',
  position: { x: 100 + 110 * (i % 10), y: 100 + 200 * Math.floor(i / 10), z: 100 + 50 * (i % 5) },
  score: 0.99 - 0.01 * i,
}));

/** The captions of the tiles that are in the page, in reading order. */
async function captions(tab: Page): Promise<string[]> {
  await twoFrames(tab);
  return tab.locator('.tile .caption').allTextContents();
}

describePage('the gallery of the page of view', ({ open }) => {
  it('a person accepts and rejects 50 picks by keyboard alone, each key going on to the next, and Save keeps both', async () => {
    const { shown, project } = await makeProject({ picks: fifty });
    const { tab, problems } = await open({ ...shown, fragment: '#object=apo-ferritin' });
    await settled(tab);
    await press(tab, 'g', 'j');
    for (let i = 0; i < 50; i++) await press(tab, i % 3 === 0 ? 'x' : 'a');
    await twoFrames(tab);
    expect(await tab.locator('.tile.chosen .caption').textContent()).toBe('✓ 0.500');
    await save(tab);
    await expectMessage(tab, /Saved 33 picks as me\/1, 17 rejected/);
    const run = await project.run('TS_1');
    const rejected = await run.picks({ userId: 'me-rejected' });
    expect(rejected.map(({ score }) => score)).toEqual(fifty.filter((_, i) => i % 3 === 0).map(({ score }) => score));
    const kept = await run.picks({ userId: 'me' });
    expect(kept.map(({ unknown }) => unknown?.reviewed)).toEqual(Array(33).fill('accepted'));
    expect(problems).toEqual([]);
  }, 60_000);

  it('tiles lie by score, arrows move among them, marks tell what was decided, and a click chooses', async () => {
    const { shown } = await makeProject({ picks: fifty });
    const { tab, problems } = await open({ ...shown, fragment: '#object=apo-ferritin' });
    await settled(tab);
    await press(tab, 'g');
    const shownScores = (await captions(tab)).map(Number);
    expect(shownScores.slice(0, 3)).toEqual([0.99, 0.98, 0.97]);
    expect(shownScores).toEqual([...shownScores].sort((a, b) => b - a));
    const perRow = await tab
      .locator('.tile')
      .evaluateAll((tiles) => tiles.filter((tile) => (tile as HTMLElement).style.top === '0px').length);
    const chosen = async () => {
      await twoFrames(tab);
      return tab.locator('.tile.chosen .caption').textContent();
    };
    await press(tab, 'ArrowRight', 'ArrowRight');
    expect(await chosen()).toBe('0.980');
    await press(tab, 'ArrowDown');
    expect(await chosen()).toBe((0.98 - 0.01 * perRow).toFixed(3));
    await press(tab, 'ArrowUp', 'ArrowLeft', 'x', 'a');
    expect((await captions(tab)).slice(0, 3)).toEqual(['✗ 0.990', '✓ 0.980', '0.970']);
    const looks = await tab.locator('.tile').evaluateAll((tiles) =>
      tiles.slice(0, 3).map((tile) => {
        const { borderStyle, borderWidth, opacity } = getComputedStyle(tile);
        return `${borderStyle} ${borderWidth} ${opacity}`;
      }),
    );
    expect(new Set(looks).size).toBe(3);
    await press(tab, 'z', 'z');
    expect((await captions(tab)).slice(0, 2)).toEqual(['0.990', '0.980']);
    await tab.locator('.tile').nth(4).click();
    expect(await chosen()).toBe('0.950');
    expect(await tab.locator('.facts').textContent()).toContain('x 540.0  y 100.0  z 300.0 Å');
    expect(problems).toEqual([]);
  }, 60_000);

  it('each tile shows its own particle in three planes: dark in the middle, light at the edge', async () => {
    const { shown } = await makeProject({ picks: fifty, dark: fifty.map(({ position }) => position) });
    const { tab } = await open({ ...shown, fragment: '#object=apo-ferritin' });
    await settled(tab);
    await press(tab, 'g');
    await twoFrames(tab);
    for (const tile of [0, 7, 13]) {
      const pictures = tab.locator('.tile').nth(tile).locator('canvas');
      expect(await pictures.count()).toBe(3);
      for (const picture of await pictures.all()) {
        const drawing = drawingIn(await picture.evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL()));
        const middle = drawing.width / 2;
        const ring = [0, 1, 2, 3].map((quarter) => {
          const angle = (quarter * Math.PI) / 2;
          // Half way to the next particle.
          const away = (50 / 312) * drawing.width;
          return drawing.colorAt(
            Math.round(middle + away * Math.cos(angle)),
            Math.round(middle + away * Math.sin(angle)),
          )[0];
        });
        const [grey] = drawing.colorAt(Math.round(middle), Math.round(middle));
        for (const around of ring) expect(grey).toBeLessThan(around);
      }
    }
  }, 60_000);
});
