import { expect, it } from 'vitest';
import { addressed, cutAt, objectRow, press, settled, twoFrames } from '../support/page-hands.ts';
import { anisotropic, makeProject, picksIn } from '../support/page-project.ts';
import { drawingOf, planeNames } from '../support/page-rings.ts';
import { describePage } from '../support/served-page.ts';

describePage('the address of the page of view', ({ open }) => {
  it('opens the same view again, after a reload and in another browser: run, place, zoom, thresholds, objects that are off', async () => {
    const { shown } = await makeProject({
      grid: anisotropic,
      picks: picksIn(anisotropic, 24, 5),
      runs: ['TS_1', 'TS_2'],
    });
    const { tab, problems } = await open(shown);
    await settled(tab);
    await tab.getByRole('button', { name: 'Next run' }).click();
    await settled(tab);
    await tab.locator('.slice-xy canvas').click({ position: { x: 250, y: 120 } });
    await cutAt(tab, 'ribosome', 0.4);
    await objectRow(tab, 'apo-ferritin').locator('.name').click();
    await tab.getByRole('button', { name: 'Show apo-ferritin' }).click();
    await press(tab, '.', '.', '+', '+');
    await tab.mouse.move(300, 300);
    await tab.mouse.down();
    await tab.mouse.move(340, 280, { steps: 3 });
    await tab.mouse.up();
    await addressed(tab);
    const look = async (page: typeof tab) => {
      await twoFrames(page);
      return {
        run: await page.getByLabel('Run', { exact: true }).inputValue(),
        place: await page.locator('.place').first().textContent(),
        counts: await page.locator('.object .number').allTextContents(),
        cut: await objectRow(page, 'ribosome').locator('.threshold').inputValue(),
        chosen: await page.locator('.object.chosen .name').textContent(),
        isOn: await page.getByRole('button', { name: 'Show apo-ferritin' }).getAttribute('aria-pressed'),
        pixels: await Promise.all(
          planeNames.map(async (plane) => {
            const { width, height, colorAt } = await drawingOf(page, plane);
            let sum = 0;
            for (let y = 0; y < height; y += 3)
              for (let x = 0; x < width; x += 3) sum += colorAt(x, y)[(x + y) % 3]! * (x + 1);
            return sum;
          }),
        ),
      };
    };
    const before = await look(tab);
    expect(before).toMatchObject({ run: 'TS_2', cut: '0.400', chosen: 'apo-ferritin', isOn: 'false' });
    await tab.reload();
    await settled(tab);
    const { pixels, ...after } = await look(tab);
    expect(after).toEqual({ ...before, pixels: undefined });
    // The address rounds the zoom to five digits.
    pixels.forEach((sum, i) => {
      expect(Math.abs(sum / before.pixels[i]! - 1)).toBeLessThan(1e-4);
    });
    const fragment = new URL(tab.url()).hash;
    const other = await open({ ...shown, fragment });
    await settled(other.tab);
    expect(await look(other.tab)).toEqual({ ...after, pixels });
    expect(new URL(other.tab.url()).hash).toBe(fragment);
    expect(problems).toEqual([]);
  }, 60_000);

  it('that a person changes in an open tab shows what it names, and a run that is not there is told', async () => {
    const { shown } = await makeProject({ runs: ['TS_1', 'TS_2'] });
    const { tab, problems } = await open(shown);
    await settled(tab);
    const goTo = (fragment: string) =>
      tab.evaluate((hash) => {
        location.hash = hash;
      }, fragment);
    await goTo('#run=TS_2&hidden=ribosome');
    await expect.poll(() => tab.getByLabel('Run', { exact: true }).inputValue()).toBe('TS_2');
    await settled(tab);
    expect(await tab.getByRole('button', { name: 'Show ribosome' }).getAttribute('aria-pressed')).toBe('false');
    await goTo('#run=TS_9');
    await expect.poll(() => tab.locator('.message').textContent()).toContain('There is no run "TS_9" here.');
    expect(await tab.getByLabel('Run', { exact: true }).inputValue()).toBe('TS_2');
    expect(problems).toEqual([]);
  }, 60_000);

  it('that names a run which is not there says so, and opens the first', async () => {
    const { shown } = await makeProject();
    const { tab, problems } = await open({ ...shown, fragment: '#run=TS_9&at=nonsense&zoom=-1' });
    await settled(tab);
    expect(await tab.locator('.message').textContent()).toContain('There is no run "TS_9" here.');
    expect(await tab.getByLabel('Run', { exact: true }).inputValue()).toBe('TS_1');
    expect(problems).toEqual([]);
  }, 60_000);
});
